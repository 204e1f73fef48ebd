"""An adapter for Prosody, an XMPP server: as Debian configures it, or with its message archive.

`python -m client_sim.foreign.prosody` starts a server of its own. With offline storage a device
gets what the server sends it, be it live or kept while nobody was there; with `--archive` it reads
the account's archive (XEP-0313) from the last place that it confirmed.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
from dataclasses import dataclass, field
from typing import Any, Final
from xml.etree.ElementTree import Element

from client_sim.foreign.adapter import BEGINNING
from client_sim.foreign.peer_process import PeerProcess
from client_sim.foreign.serving import Failed, serve
from client_sim.foreign.xmpp import CLIENT, XmppConnection

DOMAIN: Final = "localhost"
STOCK: Final = (
    *("disco", "roster", "saslauth", "blocklist", "bookmarks", "carbons", "limits", "pep"),
    *("private", "smacks", "vcard4", "vcard_legacy", "csi_simple", "ping", "register", "time"),
    *("uptime", "version"),
)
"""What Debian's configuration enables, without what needs a network, a certificate or an admin."""
CONFIGURATION: Final = """\
run_as_root = true
data_path = "{folder}"
pidfile = "{folder}/prosody.pid"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{}}
s2s_ports = {{}}
s2s_direct_tls_ports = {{}}
http_ports = {{}}
https_ports = {{}}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
storage = "internal"
limits = {{ c2s = {{ rate = "10kb/s" }} }}
modules_enabled = {{ {modules} }}
modules_disabled = {{ "s2s", "tls" }}
default_archive_policy = true
log = {{ info = "*console" }}
VirtualHost "{domain}"
"""


@dataclass
class _Seat:
    """One device: its connection while there is one, and the last place that it confirmed."""

    connection: XmppConnection | None = None
    place: str = ""
    untouched: bool = False
    """Whether nothing can be new in the archive since it was read to its end."""
    notes: dict[str, str] = field(default_factory=dict)
    """Messages of the account to itself, and their first places."""

    def knows(self, own: str, place: str, stanza: Element) -> bool:
        """Whether this is the second copy of a note to oneself: the archive keeps it as sent and
        as received."""
        if _bare(stanza.get("from", "")) != own:
            return False
        return self.notes.setdefault(stanza.get("id", ""), place) != place


class Prosody:
    """A Peer (serving.py)."""

    can: tuple[str, ...] = ("ack", "kill_server", "stop_server", "start_server")
    since = BEGINNING

    def __init__(self, *, archive: bool) -> None:
        self._archive, self._seats = archive, dict[tuple[str, str], _Seat]()
        self._server = PeerProcess("prosody")
        modules = (*STOCK, "mam") if archive else STOCK
        self._configuration = self._server.folder / "prosody.cfg.lua"
        self._configuration.write_text(
            CONFIGURATION.format(
                folder=self._server.folder,
                port=self._server.port,
                modules="; ".join(f'"{each}"' for each in modules),
                domain=DOMAIN,
            )
        )
        self.start_server()
        version = re.search(r"Prosody version (\S+)", self._server.said())
        kept = "message archive" if archive else "offline storage"
        self.name = f"Prosody {version[1] if version else '(version unknown)'}, {kept}"
        if not archive:
            # XMPP has no confirmation of single messages; what was sent is the server's no more.
            self.can = tuple(each for each in self.can if each != "ack")

    @property
    def port(self) -> int:
        """Where it listens, on this machine only."""
        return self._server.port

    def enrol(self, account: str, device: str, platform: str) -> None:
        """Write the account as Prosody's own store does."""
        self._seats[account, device] = _Seat()
        folder = self._server.folder / DOMAIN / "accounts"
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[\W_]", lambda sign: f"%{ord(sign[0]):02x}", account)
        (folder / f"{name}.dat").write_text(f'return {{ ["password"] = "{account}"; }};\n')

    def login(self, account: str, device: str) -> None:
        """Connect as a resource, and be available."""
        seat = self._seats[account, device]
        if seat.connection is None:
            seat.connection = XmppConnection(self._server.port, account, DOMAIN, device)
            seat.untouched = False

    def send(self, account: str, device: str, to: str, message: str, body: str) -> None:
        """Returns when the server has handled it."""
        self._connection(account, device).send(to, message, body)

    def pull(self, account: str, device: str, wait_ms: int) -> dict[str, Any]:
        """What was sent to the device, or what its account's archive holds behind its place."""
        connection, seat = self._connection(account, device), self._seats[account, device]
        if not self._archive:
            arrived = connection.received(wait_ms / 1000)
            return {"messages": [_message(each) for each in arrived]}
        # What comes by itself is in the archive, too: it only says that there is something.
        if seat.untouched and not connection.received(wait_ms / 1000):
            return {"messages": []}
        own = f"{account}@{DOMAIN}"
        while page := connection.archived(seat.place):
            incoming = [
                {**_message(each), "place": place}
                for place, each in page
                if _bare(each.get("to", own)) == own and not seat.knows(own, place, each)
            ]
            if incoming:
                return {"messages": incoming}
            # A page of nothing but what the account sent itself: nobody will confirm it.
            seat.place = page[-1][0]
        seat.untouched = True
        return {"messages": []}

    def ack(self, account: str, device: str, place: str) -> None:
        """Nobody but the device itself keeps its place in an archive."""
        self._seats[account, device].place = place

    def cut(self, account: str, device: str) -> None:
        """The socket is reset."""
        seat = self._seats[account, device]
        connection, seat.connection = seat.connection, None
        if connection is not None:
            connection.cut()

    def close(self, account: str, device: str) -> None:
        """The stream is ended."""
        seat = self._seats[account, device]
        connection, seat.connection = seat.connection, None
        if connection is not None:
            connection.close()

    def start_server(self) -> None:
        """Start it on what its folder holds."""
        self._server.start(["-F", "--config", str(self._configuration)])

    def stop_server(self) -> None:
        """SIGTERM."""
        self._server.end(signal.SIGTERM)

    def kill_server(self) -> None:
        """SIGKILL."""
        self._server.end(signal.SIGKILL)

    def shut(self) -> None:
        """End all of it."""
        for seat in self._seats.values():
            if seat.connection is not None:
                seat.connection.cut()
        self._server.close()

    def _connection(self, account: str, device: str) -> XmppConnection:
        connection = self._seats[account, device].connection
        if connection is None:
            raise Failed(f"{device} is not connected")
        return connection


def _bare(address: str) -> str:
    return address.partition("/")[0]


def _message(stanza: Element) -> dict[str, str]:
    return {"message": stanza.get("id", ""), "body": stanza.findtext(f"{CLIENT}body", "")}


def main() -> int:
    """Run the adapter; its exit status."""
    parser = argparse.ArgumentParser(description="An adapter for Prosody; see ADAPTERS.md.")
    parser.add_argument("--archive", action="store_true", help="with mod_mam, read through it")
    try:
        return serve(Prosody(archive=parser.parse_args().archive))
    except Failed as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

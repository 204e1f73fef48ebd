"""An adapter for mosquitto, an MQTT broker: one persistent session per device, QoS 1.

`python -m client_sim.foreign.mosquitto` starts a broker of its own. An account is a topic that all
its devices subscribe to; a device is a client id, whose session the broker keeps while it is away.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import re
import signal
import sys
from typing import Any, Final

from client_sim.foreign.adapter import FIRST_LOGIN
from client_sim.foreign.mqtt import MqttConnection, Publication
from client_sim.foreign.peer_process import PeerProcess
from client_sim.foreign.serving import Failed, serve

CONFIGURATION: Final = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
user {user}
"""
"""As Debian has it, but for the place and the user."""


class Mosquitto:
    """A Peer (serving.py)."""

    can: tuple[str, ...] = ("ack", "kill_server", "stop_server", "start_server")
    since = FIRST_LOGIN

    def __init__(self) -> None:
        self._connections: dict[tuple[str, str], MqttConnection] = {}
        self._unconfirmed: dict[tuple[str, str], list[int]] = {}
        self._server = PeerProcess("mosquitto")
        self._configuration = self._server.folder / "mosquitto.conf"
        self._configuration.write_text(
            CONFIGURATION.format(
                port=self._server.port,
                folder=self._server.folder,
                user=pwd.getpwuid(os.getuid()).pw_name,
            )
        )
        self.start_server()
        version = re.search(r"mosquitto version (\S+)", self._server.said())
        self.name = f"mosquitto {version[1] if version else '(version unknown)'}"

    @property
    def port(self) -> int:
        """Where it listens, on this machine only."""
        return self._server.port

    def enrol(self, account: str, device: str, platform: str) -> None:
        """Nothing: a broker knows nobody before the first connection."""

    def login(self, account: str, device: str) -> None:
        """Connect in the device's session and subscribe to the account's topic."""
        if (account, device) not in self._connections:
            connection = MqttConnection(self._server.port, device, account)
            self._connections[account, device] = connection
            self._unconfirmed[account, device] = []

    def send(self, account: str, device: str, to: str, message: str, body: str) -> None:
        """Returns at the broker's confirmation."""
        payload = json.dumps({"message": message, "body": body}).encode()
        self._connection(account, device).publish(to, payload)

    def pull(self, account: str, device: str, wait_ms: int) -> dict[str, Any]:
        """What the broker sent to the device. A place counts the messages of one connection."""
        arrived = self._connection(account, device).received(wait_ms / 1000)
        unconfirmed = self._unconfirmed[account, device]
        unconfirmed += [each.number for each in arrived]
        return {"messages": [{**_message(each), "place": each.number} for each in arrived]}

    def ack(self, account: str, device: str, place: int) -> None:
        """Confirm this message and all that came before it."""
        connection, unconfirmed = (
            self._connection(account, device),
            self._unconfirmed[account, device],
        )
        if place in unconfirmed:
            last = unconfirmed.index(place) + 1
            for number in unconfirmed[:last]:
                connection.confirm(number)
            del unconfirmed[:last]

    def cut(self, account: str, device: str) -> None:
        """The socket is reset."""
        connection = self._connections.pop((account, device), None)
        if connection is not None:
            connection.cut()

    def close(self, account: str, device: str) -> None:
        """Disconnect; the session stays."""
        connection = self._connections.pop((account, device), None)
        if connection is not None:
            connection.close()

    def start_server(self) -> None:
        """Start it on what its folder holds."""
        self._server.start(["-c", str(self._configuration)])

    def stop_server(self) -> None:
        """SIGTERM."""
        self._server.end(signal.SIGTERM)

    def kill_server(self) -> None:
        """SIGKILL."""
        self._server.end(signal.SIGKILL)

    def shut(self) -> None:
        """End all of it."""
        for connection in self._connections.values():
            connection.cut()
        self._server.close()

    def _connection(self, account: str, device: str) -> MqttConnection:
        try:
            return self._connections[account, device]
        except KeyError:
            raise Failed(f"{device} is not connected") from None


def _message(arrived: Publication) -> dict[str, str]:
    said = json.loads(arrived.payload)
    return {"message": said["message"], "body": said["body"]}


def main() -> int:
    """Run the adapter; its exit status."""
    parser = argparse.ArgumentParser(description="An adapter for mosquitto; see ADAPTERS.md.")
    parser.parse_args()
    try:
        return serve(Mosquitto())
    except Failed as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

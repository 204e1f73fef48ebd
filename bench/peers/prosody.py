"""Prosody with its message archive (MAM) in SQLite; accounts lie in files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from secrets import token_urlsafe

from bench.peers.peer import Absent, Place, Server, body
from bench.peers.program import about, free_port, program, running, version
from bench.peers.xmpp import HOST, PASSWORD, XmppPeer, accounts

_PAGE = 1_000
_CONTROL = "prosodyctl"
_CONFIG = """\
data_path = "{folder}"
run_as_root = true
modules_enabled = {{ "roster", "saslauth", "disco", "ping", "pep", "csi_simple",
    "mam", "carbons", "smacks" }}
modules_disabled = {{ "s2s", "tls", "http" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
storage = {{ archive = "sql" }}
sql = {{ driver = "SQLite3", database = "archive.sqlite" }}
default_archive_policy = true
archive_expires_after = "never"
max_archive_query_results = {page}
log = {{ warn = "*console" }}
VirtualHost "{host}"
"""


class Prosody(XmppPeer):
    """Each message is a transaction of its own, in the archives of both sides."""

    name, durable = "prosody-sqlite", True

    def __init__(self) -> None:
        super().__init__()
        self.page = _PAGE
        self._archive = Path()

    @contextmanager
    def start(self, place: Place) -> Iterator[Server]:
        binary = program("prosody", "prosody")
        if "LuaDBI" not in about([_CONTROL, "about"]):
            # It starts all the same, and archives nothing.
            raise Absent("prosody has no SQLite (Debian's package lua-dbi-sqlite3)")
        self.begin(free_port())
        self._archive = place.folder / "archive.sqlite"
        folder = place.folder / HOST / "accounts"
        folder.mkdir(parents=True)
        for name in accounts():
            (folder / f"{name}.dat").write_text(f'return {{ ["password"] = "{PASSWORD}" }};\n')
        config = _CONFIG.format(folder=place.folder, port=self.port, page=_PAGE, host=HOST)
        file = place.folder / "prosody.cfg.lua"
        file.write_text(config)
        with running(place, [binary, "--config", str(file), "-F"], self.port) as pid:
            yield Server(pid, version([_CONTROL, "about"]), config)

    def copy(self, person: str, names: Sequence[str]) -> None:
        with closing(sqlite3.connect(self._archive, timeout=30.0)) as archive, archive:
            columns = 'host, store, "when", "with", type, value'
            asked = f"SELECT {columns} FROM prosodyarchive WHERE user = ? AND store = 'archive'"
            *fields, value = archive.execute(asked, [person]).fetchone()
            before, _, rest = value.partition("<body>")
            after = rest.partition("</body>")[2]
            rows = (
                (*fields, f"{before}<body>{body().decode()}</body>{after}", name, token_urlsafe(12))
                for name in names
            )
            archive.executemany(
                f"INSERT INTO prosodyarchive ({columns}, user, key) VALUES (?,?,?,?,?,?,?,?)", rows
            )

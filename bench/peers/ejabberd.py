"""ejabberd with its message archive (MAM) and its accounts in one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from bench.peers.peer import Absent, Place, Server, body
from bench.peers.program import free_port, program, running
from bench.peers.xmpp import HOST, PASSWORD, XmppPeer, accounts

_CONFIG = """\
hosts: [{host}]
loglevel: error
listen:
  - {{port: {port}, ip: 127.0.0.1, module: ejabberd_c2s, shaper: none, backlog: 4000}}
auth_method: sql
auth_password_format: plain
sql_type: sqlite
sql_database: {folder}/ejabberd.sqlite
acme: {{auto: false}}
modules:
  mod_mam: {{db_type: sql, default: always, assume_mam_usage: true}}
  mod_offline: {{use_mam_for_storage: true}}
  mod_carboncopy: {{}}
  mod_stream_mgmt: {{}}
  mod_ping: {{}}
  mod_roster: {{}}
"""


class Ejabberd(XmppPeer):
    """Each message is a transaction of its own, in the archives of both sides."""

    name, durable = "ejabberd-sqlite", True

    def __init__(self) -> None:
        super().__init__()
        self._file = Path()

    @contextmanager
    def start(self, place: Place) -> Iterator[Server]:
        program("ejabberdctl", "ejabberd")
        binary = program("erl", "erlang-base")
        libraries = sorted(Path("/usr/lib").glob("*/ejabberd-*"))
        if not libraries:
            raise Absent("ejabberd's code is not where Debian puts it")
        self.begin(free_port())
        self._file = place.folder / "ejabberd.sqlite"
        config = _CONFIG.format(host=HOST, port=self.port, folder=place.folder)
        file = place.folder / "ejabberd.yml"
        file.write_text(config)
        # Not through ejabberdctl: it changes the user and leaves a daemon of Erlang's behind.
        directory = f'"{place.folder}/mnesia"'
        command = [binary, "+K", "true", "-noinput", "-mnesia", "dir", directory, "-s", "ejabberd"]
        surroundings = {
            "EJABBERD_CONFIG_PATH": str(file),
            "EJABBERD_LOG_PATH": str(place.folder / "ejabberd.log"),
            "ERL_LIBS": str(libraries[-1].parent),
            "HOME": str(place.folder),
        }
        _make_store(self._file, (libraries[-1] / "priv/sql/lite.sql").read_text())
        with running(place, command, self.port, **surroundings) as pid:
            yield Server(pid, libraries[-1].name.removeprefix("ejabberd-"), config)

    def copy(self, person: str, names: Sequence[str]) -> None:
        with closing(sqlite3.connect(self._file, timeout=30.0)) as store, store:
            columns = "peer, bare_peer, kind, nick, xml, timestamp"
            asked = f"SELECT {columns} FROM archive WHERE username = ?"
            *fields, xml, time = store.execute(asked, [person]).fetchone()
            before, _, rest = xml.partition("<body>")
            after = rest.partition("</body>")[2]
            rows = (
                (*fields, f"{before}<body>{text}</body>{after}", time + step, name, text)
                for step, name in enumerate(names)
                for text in [body().decode()]
            )
            store.executemany(
                f"INSERT INTO archive ({columns}, username, txt) VALUES (?,?,?,?,?,?,?,?)", rows
            )


def _make_store(file: Path, schema: str) -> None:
    with closing(sqlite3.connect(file)) as store, store:
        store.executescript(schema)
        rows = ((name, PASSWORD) for name in accounts())
        store.executemany("INSERT INTO users (username, password) VALUES (?,?)", rows)

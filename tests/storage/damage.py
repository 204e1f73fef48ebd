"""Damages a store's pages and runs by SQL, as if each entry and place were a row of its own."""

import sqlite3
from collections.abc import Iterator

import msgspec

from syncd import checksum
from syncd.storage.pages import STAMP, Run

TABLES = """
CREATE TEMP TABLE entries (log, seq, arrival, chain, sum, header, body, PRIMARY KEY (log, seq));
CREATE TEMP TABLE places (run, number, content, place, log, seq);
"""


def run(connection: sqlite3.Connection, script: str) -> None:
    """Run `script`, which may change the temporary tables `entries` and `places`, too. What it does
    to them is done to pages and runs, without looking whether it makes sense."""
    connection.executescript(TABLES)
    _explode(connection)
    connection.executescript(script)
    _implode(connection)
    connection.executescript("DROP TABLE temp.entries; DROP TABLE temp.places;")


def _explode(connection: sqlite3.Connection) -> None:
    rows = connection.execute(
        "SELECT last, before, stamps, entries, log FROM pages ORDER BY log, last"
    )
    for *fields, log in rows.fetchall():
        found = Run.of_row(*fields, log)
        for entry in found.walk():
            stamp = entry.stamp
            row = (log, entry.seq, stamp.arrival, stamp.chain, stamp.sealed)
            connection.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, entry.header, entry.body)
            )
    for number, record in connection.execute("SELECT run, record FROM sent").fetchall():
        for item in msgspec.msgpack.decode(record):
            for place in range(0, len(item[2]), 2):
                row = (number, item[0], item[1], place, *item[2][place : place + 2])
                connection.execute("INSERT INTO places VALUES (?, ?, ?, ?, ?, ?)", row)


def _implode(connection: sqlite3.Connection) -> None:
    befores: dict[int, int] = {}
    for log, before in connection.execute("SELECT log, before FROM pages ORDER BY log, last"):
        befores.setdefault(log, before & 0xFFFFFFFF)
    connection.execute("DELETE FROM pages")
    for log, rows in _contiguous(connection):
        stamps, entries = [], []
        for _, _, arrival, chain, sealed, header, body in rows:
            entry = header + body
            stamps.append(STAMP.pack(chain, sealed & 0xFFFFFFFF, arrival, len(entry), len(header)))
            entries.append(entry)
        found = Run(rows[0][1], befores[log], b"".join(stamps), b"".join(entries))
        page = (log, rows[-1][1], arrival, found.row_before(log), found.stamps, found.entries)
        befores[log] = checksum.opened(sealed & 0xFFFFFFFF, chain)
        connection.execute(
            "INSERT INTO pages (log, last, arrival, before, stamps, entries)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            page,
        )
    for (number,) in connection.execute("SELECT run FROM sent").fetchall():
        items: dict[int, list[object]] = {}
        rows = connection.execute(
            "SELECT number, content, log, seq FROM places WHERE run = ? ORDER BY number, place",
            (number,),
        )
        for message, content, log, seq in rows.fetchall():
            item = items.setdefault(message, [message, content, []])
            item[2] += [log, seq]  # type: ignore[operator]
        record = msgspec.msgpack.encode(list(items.values()))
        connection.execute("UPDATE sent SET record = ? WHERE run = ?", (record, number))


def _contiguous(
    connection: sqlite3.Connection,
) -> Iterator[tuple[int, list[tuple[int, int, int, bytes, int, bytes, bytes]]]]:
    rows = connection.execute("SELECT * FROM entries ORDER BY log, seq").fetchall()
    together: list[tuple[int, int, int, bytes, int, bytes, bytes]] = []
    for row in rows:
        if together and (row[0], row[1]) != (together[-1][0], together[-1][1] + 1):
            yield together[0][0], together
            together = []
        together.append(row)
    if together:
        yield together[0][0], together

"""A power cut on any disk: what was not made durable is undone.

While a server runs, the shim writes down what each change replaced and what was made durable. Once
the process is killed, undoing the rest leaves the disk as a power cut does that keeps nothing but
what was flushed. No right is needed for it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from client_sim.live.faulty_disk import FaultyDisk

_UNDO_NAME = "undo"
_HELD = "held-*"
_RECORD = struct.Struct("=QqqII8s")


@dataclass(frozen=True, slots=True)
class _Change:
    """One record of the shim, in the order in which things happened."""

    kind: str
    inode: int
    at: int
    size: int
    name: Path
    before: bytes


def remember(disk: FaultyDisk) -> None:
    """Begin to write down; before the server starts."""
    disk.begin(_UNDO_NAME)


def cut(disk: FaultyDisk) -> int:
    """Undo what was not durable; how many changes that were. No process has the store open.

    What is left is durable, so another cut undoes nothing of it.
    """
    lost = _not_durable(_changes(disk.folder / _UNDO_NAME))
    for change in reversed(lost):
        _undo(disk, change)
    remember(disk)
    for held in disk.folder.glob(_HELD):
        held.unlink()
    return len(lost)


def _changes(log: Path) -> Iterator[_Change]:
    data, at = log.read_bytes(), 0
    while at < len(data):
        inode, place, size, length, name_length, kind = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        name, at = data[at : at + name_length], at + name_length
        before, at = data[at : at + length], at + length
        yield _Change(
            kind.rstrip(b"\0").decode(), inode, place, size, Path(os.fsdecode(name)), before
        )


def _not_durable(changes: Iterator[_Change]) -> list[_Change]:
    """Bytes become durable with their file, names with their folder."""
    open_ones: list[_Change] = []
    for change in changes:
        if change.kind == "synced" and change.name.is_dir():
            open_ones = [
                each
                for each in open_ones
                if each.kind == "bytes" or each.name.parent != change.name
            ]
        elif change.kind in ("synced", "made"):
            # A new file may have the inode of one that is gone, and with it all that was in it.
            open_ones = [
                each for each in open_ones if each.kind != "bytes" or each.inode != change.inode
            ]
        if change.kind != "synced":
            open_ones.append(change)
    return open_ones


def _undo(disk: FaultyDisk, change: _Change) -> None:
    match change.kind:
        case "made" | "linked":
            change.name.unlink(missing_ok=True)
        case "lost":
            os.link(_file(disk, change.inode), change.name)
        case "bytes":
            with _file(disk, change.inode).open("r+b") as file:
                file.seek(change.at)
                file.write(change.before)
                file.truncate(change.size)


def _file(disk: FaultyDisk, inode: int) -> Path:
    """Any name of a file: one that it lost since is held by the shim."""
    places = [*disk.store.iterdir(), *disk.folder.glob(_HELD)]
    return next(place for place in places if place.lstat().st_ino == inode)

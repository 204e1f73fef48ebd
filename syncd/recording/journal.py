"""The file behind `syncd serve --journal`: one JSON object a line, of what happened and when.

The format is that of the simulator's histories (client_sim/HISTORY.md), told by the server's side.
No body and no token is in it, but who writes to whom is: the file is its owner's alone.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from collections.abc import Callable
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec

from syncd import __version__
from syncd.model import AccountId, CursorScope, DeviceId, Identity, Kind, Seq
from syncd.wire.frames import Entry

log = logging.getLogger(__name__)

Fields: TypeAlias = dict[str, Any]

_encode = msgspec.json.Encoder().encode


class Place(NamedTuple):
    """Up to where a log was told."""

    epoch: str
    seq: Seq


class _Line(msgspec.Struct):
    """What a later recording needs to know of an earlier one's record."""

    what: str
    at: float = 0.0
    account: str = ""
    epoch: str | None = None
    seq: int | None = None
    head: int = 0
    session: int = 0


class Journal:
    """Records are appended to the file, which may hold earlier ones.

    Every call of `tell` is one write to the system: what was told survives the end of this process
    in whatever way, though not that of the machine. When the file can take no more, recording ends
    with one line in the log, and the service goes on.

    Raises OSError where the file cannot be opened or holds something else.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.known: dict[AccountId, Place] = {}
        """Where the recordings before this one left each log."""
        self._devices: set[DeviceId] = set()
        self._clock = clock
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(self._file).st_mode):
                raise OSError(errno.EINVAL, "no regular file", str(path))
            self._size, last_at, last_session = self._read_on(path)
            os.ftruncate(self._file, self._size)
        except BaseException:
            os.close(self._file)
            raise
        self._ahead_s = max(0.0, last_at - clock())
        """Since the machine started anew its clock may be behind that of earlier records."""
        self._sessions = count(last_session + 1)

    def begin(self, scope: CursorScope) -> None:
        """A server starts, over a store with this scope of its cursors."""
        if not self._size:
            about = [f"syncd {__version__}", f"cursor scope {scope.value}"]
            self.tell("begin", world="recorded", versions=about)
        self.tell("process", whose="server", state="started")

    def close(self) -> None:
        """The server stopped as it should. Idempotent."""
        self.tell("process", whose="server", state="stopped")
        self._end()

    def next_session(self) -> int:
        """A number for a socket, never given before in this file."""
        return next(self._sessions)

    def meet(
        self, device: DeviceId, account: AccountId, name: str = "", platform: str = ""
    ) -> None:
        """Tell of a device, the first time that it is seen."""
        if device not in self._devices:
            self._devices.add(device)
            self.tell("device", device=device, account=account, name=name, platform=platform)

    def tell(self, what: str, **fields: Any) -> None:
        """Append one record."""
        self.tell_all([{"what": what, **fields}])

    def tell_all(self, records: list[Fields]) -> None:
        """Append records of one moment, each with its `what`; all of them or none."""
        if self._file < 0 or not records:
            return
        told = {"at": round(self._clock() + self._ahead_s, 6), "by": "server"}
        data = b"".join(_encode(told | record) + b"\n" for record in records)
        try:
            if os.write(self._file, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            log.error("! the journal ends here: %s", error.strerror)
            os.ftruncate(self._file, self._size)
            self._end()
        else:
            self._size += len(data)

    def _end(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _read_on(self, path: Path) -> tuple[int, float, int]:
        """Where the last whole line ends, its time, and the highest number of a session."""
        size, last_at, last_session = 0, 0.0, 0
        with path.open("rb") as lines:
            for number, text in enumerate(lines, 1):
                if not text.endswith(b"\n"):
                    break  # a server was cut off in the middle of its word
                try:
                    line = msgspec.json.decode(text, type=_Line)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    reason = f"line {number} is no record of a journal"
                    raise OSError(errno.EINVAL, reason, str(path)) from None
                size += len(text)
                last_at, last_session = line.at, max(last_session, line.session)
                if line.what in ("appended", "renewed") and line.epoch is not None:
                    seq = line.head if line.seq is None else line.seq
                    self.known[AccountId(line.account)] = Place(line.epoch, seq)
        return size, last_at, last_session


def named(device: DeviceId, number: int) -> str:
    """A message as records name it, the same in every log for ever."""
    return f"{device}#{number}"


def fingerprint(body: bytes, kind: int = Kind.MESSAGE, target: Identity | None = None) -> str:
    """What is told of a body instead of the body; where there is none, of what is done to which
    other message. Short enough to print, long enough never to meet another."""
    about = "" if target is None else named(target.device, target.number)
    return blake2b(body or f"{kind:d} {about}".encode(), digest_size=8).hexdigest()


def content(entry: Entry) -> tuple[str, str | None]:
    """Which message an entry is, and the fingerprint of it; None where its body was erased."""
    body = None if entry.body is None else fingerprint(entry.body, entry.kind, entry.target)
    return named(entry.device, entry.number), body

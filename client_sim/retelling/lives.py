"""The life of one device, from its sockets: when its app ran, what happened to its line and store.

A server sees no more of it than hellos, acks and closed sockets. What explains them best is told:
another instance is another start of the app, the same one came back over a new line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from client_sim.history import Ack, Batch, Closed, Connect, Process, Record, Send, Verdict
from client_sim.retelling.acts import Act, act

GOODBYE = "goodbye"
STALLED_S = 1.0
"""Entries that stay without an ack for so long are said not to be read."""
AWAY_S = 2.0
"""Who comes back later than this after a cut had no network; our own client is back sooner."""
_COPIED_S = 0.5
"""So long after it came to a place, at the latest, its store is copied there."""

_SLOW = "slow_reader"


class Life:
    """Of the device with this name in the play. `acts` are in no order."""

    def __init__(self, name: str) -> None:
        self.acts: list[Act] = []
        self._name = name
        self._instance = ""
        self._runs = False
        self._session: int | None = None
        self._ended_at = 0.0
        self._code = ""
        self._heard_at = 0.0
        self._unread_since: float | None = None
        self._stood: list[tuple[float, str, int]] = []
        self._epoch = ""
        self._confirmed = ("", 0)

    def follow(self, record: Record) -> None:
        """The next record, of this device or of the server's process."""
        match record:
            case Connect():
                self._connect(record)
            case Ack():
                self._confirmed = (record.epoch, record.seq)
                self._read_on(record.at)
            case Verdict():
                self._epoch = record.epoch
                self._stand(record.at, record.start)
            case Batch():
                self._stand(record.at, record.prev + len(record.messages))
                if self._unread_since is None:
                    self._unread_since = record.at
            case Closed():
                self._closed(record)
            case Process():
                self._process(record)
        if isinstance(record, Connect | Ack | Send):
            self._heard_at = record.at

    def end(self) -> None:
        """There are no more records."""
        if self._runs and self._session is None and not self._code:
            self._do(self._ended_at, "kill")

    def _stand(self, at: float, seq: int) -> None:
        self._stood.append((at, self._epoch, seq))

    def _do(self, at: float, verb: str) -> None:
        self.acts.append(act(at, verb, device=self._name))

    # -------------------------------------------------------- its sockets

    def _connect(self, hello: Connect) -> None:
        if hello.instance == self._instance and self._runs:
            self._came_back(hello.at)
        else:
            if self._runs:
                self._do(hello.at if self._session is not None else self._ended_at, "kill")
            self._store(hello)
            self._do(hello.at, "log_in")
        self._instance, self._runs, self._session = hello.instance, True, hello.session
        self._unread_since = None

    def _came_back(self, at: float) -> None:
        if self._session is not None:
            # The server still held the old line for alive.
            self._do(self._heard_at, "unplug")
            self._do(at, "plug")
        elif not self._code:
            away = at - self._ended_at > AWAY_S
            if away:
                self._do(self._ended_at, "unplug")
            self._do(self._ended_at, "cut")
            if away:
                self._do(at, "plug")

    def _closed(self, closed: Closed) -> None:
        if closed.session != self._session:
            return  # an older line, which has a follower
        self._read_on(closed.at, sure=closed.code == _SLOW)
        self._session, self._code, self._ended_at = None, closed.code, closed.at
        if closed.code == GOODBYE:
            self._runs = False
            self._do(closed.at, "log_out")

    def _process(self, process: Process) -> None:
        """With the server all its sockets end."""
        if self._session is not None:
            at = self._heard_at if process.state == "started" else process.at
            self._session, self._code, self._ended_at = None, process.state, at

    def _read_on(self, at: float, *, sure: bool = False) -> None:
        since, self._unread_since = self._unread_since, None
        if since is not None and (sure or at - since > STALLED_S):
            self._do(since, "stall")
            self._do(at, "unstall")

    # -------------------------------------------------------- its store

    def _store(self, hello: Connect) -> None:
        """Whether it starts with less than it had."""
        if hello.cursor or not self._confirmed[1]:
            return
        if hello.epoch is None or hello.seq is None:
            self._do(hello.at, "forget")
            self._confirmed = ("", 0)
        elif hello.epoch == self._confirmed[0] and hello.seq < self._confirmed[1]:
            self._set_back(hello.at, hello.epoch, hello.seq)
            self._confirmed = (hello.epoch, hello.seq)

    def _set_back(self, at: float, epoch: str, seq: int) -> None:
        """To the copy that was taken while it stood there."""
        moments = [*(each for each, _, _ in self._stood), at]
        stood = [
            (since, until)
            for (since, name, place), until in zip(self._stood, moments[1:], strict=True)
            if (name, place) == (epoch, seq)
        ]
        if stood:
            since, until = stood[-1]
            self._do(min((since + until) / 2, since + _COPIED_S), "copy")
            self._do(at, "set_back")
        else:
            self._do(at, "forget")


def lived(name: str, device: str, records: Sequence[Record]) -> Iterable[Act]:
    """What the device with this name did, or befell it."""
    life = Life(name)
    for record in _of(device, records):
        life.follow(record)
    life.end()
    return life.acts


def _of(device: str, records: Sequence[Record]) -> Iterator[Record]:
    for each in records:
        server = isinstance(each, Process) and each.whose == "server"
        if server or getattr(each, "device", None) == device:
            yield each

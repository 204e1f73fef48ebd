"""The rows that a telling grows: which moment a record opens or joins, and what orders them."""

from __future__ import annotations

from collections.abc import Sequence

from client_sim.chart.cast import Cast
from client_sim.chart.moments import Glimpse, Greeting, Moment
from client_sim.history import Appended, Record


class Rows:
    """Moments in order, and for each lane the last moment that concerns it."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.cast = Cast.of(records)
        self.moments: list[Moment | None] = []
        """None where a moment was moved away."""
        self.row_of = [-1] * len(records)
        self.waiting: list[int] = []
        """Records that the next moment takes along."""
        self.captions: list[str] = []
        self.latest: dict[str, int] = {}
        """Device to its last moment."""
        self.written: dict[str, int] = {}
        """Account to the moment in which its log last changed."""
        self.barrier = 0
        """Nothing joins a moment before this one."""
        self.glimpses: dict[str, Glimpse] = {}
        """Account to its log as it stands."""
        self.online: set[str] = set()
        """Devices that have a connection."""
        self.logs_told = {each.account for each in records if isinstance(each, Appended)}
        """Accounts of whose log the server itself tells."""

    def add(self, moment: Moment, index: int | None = None) -> int:
        """Let this moment come next; the number of its row."""
        row = len(self.moments)
        moment.captions, self.captions = self.captions, []
        self.moments.append(moment)
        for each in (*self.waiting, *(() if index is None else (index,))):
            self.join(each, row)
        self.waiting = []
        if moment.device:
            self.latest[moment.device] = row
        return row

    def join(self, index: int, row: int) -> None:
        """The record belongs to this moment."""
        self.row_of[index] = row
        moment = self.moments[row]
        assert moment is not None
        moment.records.append(index)

    def follow(self, index: int, device: str) -> None:
        """A record that adds nothing to see."""
        if device in self.latest:
            self.join(index, self.latest[device])
        else:
            self.waiting.append(index)

    def last_of(self, device: str) -> tuple[int, Moment | None]:
        """The last moment of a device, and its row; -1 and None where there is none."""
        row = self.latest.get(device, -1)
        return row, self.moments[row] if row >= 0 else None

    def open(self, row: int, device: str, account: str = "") -> bool:
        """Whether the moment can take something more of this device that touches this log."""
        return (
            row >= self.barrier
            and self.latest.get(device, row) == row
            and self.written.get(account, row) <= row
        )

    def move(self, row: int, at: float) -> int:
        """Let a moment of one device alone come last, at another time, as nothing of that device
        follows it."""
        moment, self.moments[row] = self.moments[row], None
        assert moment is not None
        moment.at = at
        self.moments.append(moment)
        for index in moment.records:
            self.row_of[index] = len(self.moments) - 1
        self.latest[moment.device] = len(self.moments) - 1
        return len(self.moments) - 1

    def glimpse(self, account: str) -> dict[str, Glimpse]:
        """The log as it stands now, where there is one."""
        return {account: self.glimpses.get(account, Glimpse(0, 0))} if account else {}

    def finish(self) -> list[Moment]:
        """The moments. From now on `row_of` has for each record its moment's number here, and for
        records of the final state one more than the last."""
        kept = [row for row, moment in enumerate(self.moments) if moment is not None]
        number = {row: position for position, row in enumerate(kept)}
        for index in self.waiting:
            self.row_of[index] = kept[-1] if kept else -1
        self.row_of = [number.get(row, len(kept)) for row in self.row_of]
        moments = [moment for moment in self.moments if moment is not None]
        for moment in moments:
            if isinstance(moment, Greeting) and moment.lent_at is not None:
                moment.lent_at = number[moment.lent_at]
        return moments

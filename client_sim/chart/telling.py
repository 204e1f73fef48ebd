"""From records to moments: what belongs together is one moment, as long as no lane's order suffers.

A record joins an earlier moment only where nothing came in between on any lane that it touches, so
the rows of a picture are one true order of what happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from client_sim import history
from client_sim.chart.befalling import Befalling
from client_sim.chart.cast import Cast
from client_sim.chart.messages import Messages
from client_sim.chart.moments import Heading, Moment
from client_sim.chart.rows import Rows
from client_sim.chart.syncing import Syncing
from client_sim.history import Record


@dataclass(frozen=True)
class Telling:
    """row_of: for each record the number of its moment, len(moments) for the final state."""

    cast: Cast
    moments: Sequence[Moment]
    row_of: Sequence[int]


def told(records: Sequence[Record]) -> Telling:
    """The moments of a history."""
    rows = Rows(records)
    teller = _Teller(rows)
    for index, record in enumerate(records):
        teller.hear(index, record)
    if rows.captions:
        rows.add(Heading(at=records[-1].at, records=[], text=""))
    return Telling(rows.cast, rows.finish(), rows.row_of)


class _Teller:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._messages = Messages(rows)
        self._syncing = Syncing(rows)
        self._befalling = Befalling(rows)

    def hear(self, index: int, record: Record) -> None:
        match record:
            case history.Send():
                self._messages.send(index, record)
            case history.Answer():
                self._messages.answer(index, record)
            case history.Appended():
                self._messages.appended(index, record)
            case history.Connect():
                self._syncing.connect(index, record)
            case history.Verdict():
                self._syncing.verdict(index, record)
            case history.Batch():
                self._syncing.batch(index, record)
            case history.Applied():
                self._syncing.applied(index, record)
            case history.Ack():
                self._syncing.ack(index, record)
            case history.Saved():
                self._syncing.saved(index, record)
            case history.Opened() | history.Queued():
                self._rows.follow(index, record.device)
            case history.Closed():
                self._befalling.closed(index, record)
            case history.Floor() | history.Renewed() | history.Merged():
                self._befalling.turn(index, record)
            case history.Step() | history.Phase():
                self._head(index, record)
            case history.Log() | history.Holds() | history.Cursor():
                pass
            case _:
                self._befalling.anything(index, record)

    def _head(self, index: int, record: history.Step | history.Phase) -> None:
        rows = self._rows
        if isinstance(record, history.Phase):
            rows.add(Heading(at=record.at, records=[], text=record.name, phase=True), index)
            rows.barrier = len(rows.moments)
            return
        if rows.captions:
            rows.add(Heading(at=record.at, records=[], text=""))
        rows.captions.append(record.sentence)
        rows.waiting.append(index)

"""The part of a telling that is about messages: written, put into logs, answered."""

from __future__ import annotations

from client_sim import history
from client_sim.chart.moments import Answering, Glimpse, Sending
from client_sim.chart.rows import Rows

TOGETHER_SECONDS = 2.0
"""Messages further apart are not one sending."""


class Messages:
    """Hears of messages, and lets the rows grow."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._row: dict[str, int] = {}
        """Message to the moment that it is in."""
        self._answered: dict[tuple[str, str, bool], int] = {}

    def send(self, index: int, record: history.Send) -> None:
        """It was written, or came in."""
        if (row := self._row.get(record.message)) is not None:
            self._rows.join(index, row)
        else:
            self._sending(index, record.device, record.message, "")

    def _sending(self, index: int, device: str, message: str, account: str) -> int:
        """The moment that takes this message: the one of the messages just before it, or a new."""
        rows, at = self._rows, self._rows.records[index].at
        row = rows.latest.get(device, -1) if device else len(rows.moments) - 1
        last = rows.moments[row] if row >= 0 else None
        if (
            isinstance(last, Sending)
            and last.device == device
            and at - last.at <= TOGETHER_SECONDS
            and not rows.captions
            and rows.open(row, device, account)
        ):
            last.messages.append(message)
            rows.join(index, row)
        else:
            moment = Sending(at=at, records=[], device=device, messages=[message])
            row = rows.add(moment, index)
        self._row[message] = row
        return row

    def appended(self, index: int, record: history.Appended) -> None:
        """A log has it."""
        device = record.message.rpartition("#")[0]
        self._grow(index, device if device in self._rows.cast.devices else "", record)

    def _grow(self, index: int, device: str, record: history.Appended) -> None:
        row = self._row.get(record.message)
        if row is not None and self._rows.open(row, device, record.account):
            self._rows.join(index, row)
        else:
            row = self._sending(index, device, record.message, record.account)
        moment = self._rows.moments[row]
        assert isinstance(moment, Sending)
        known = self._rows.glimpses.get(record.account)
        self._rows.glimpses[record.account] = Glimpse(known.floor if known else 0, record.seq)
        moment.logs.update(self._rows.glimpse(record.account))
        moment.entries.setdefault(record.account, []).append(record.seq)
        self._rows.written[record.account] = row

    def answer(self, index: int, record: history.Answer) -> None:
        """Its sender is told what became of it; by both sides, perhaps."""
        key = (record.message, record.outcome, record.duplicate)
        row = self._row.get(record.message)
        if key in self._answered:
            self._rows.join(index, self._answered[key])
        elif row is not None and self._rows.open(row, record.device):
            moment = self._rows.moments[row]
            assert isinstance(moment, Sending)
            moment.answers[record.message] = record
            self._rows.join(index, row)
            self._answered[key] = row
            self._place(index, record)
        else:
            self._answered[key] = self._answer_late(index, record)

    def _answer_late(self, index: int, record: history.Answer) -> int:
        row, last = self._rows.last_of(record.device)
        if (
            isinstance(last, Answering)
            and last.answers[0].outcome == record.outcome
            and not self._rows.captions
            and self._rows.open(row, record.device)
        ):
            last.answers.append(record)
            self._rows.join(index, row)
            return row
        moment = Answering(at=record.at, records=[], device=record.device, answers=[record])
        return self._rows.add(moment, index)

    def _place(self, index: int, record: history.Answer) -> None:
        """Where nobody tells what the server made durable, its answer says it."""
        account = self._rows.cast.account(record.device)
        if record.seq is not None and account not in self._rows.logs_told:
            entry = history.Appended(
                at=record.at,
                account=account,
                epoch="",
                seq=record.seq,
                message=record.message,
                body=None,
            )
            self._grow(index, record.device, entry)

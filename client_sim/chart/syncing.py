"""The part of a telling that is about syncing: hellos, verdicts, batches, cursors."""

from __future__ import annotations

from client_sim import history
from client_sim.chart.moments import Confirming, Delivery, Glimpse, Greeting
from client_sim.chart.rows import Rows
from client_sim.history import DEVICE, SERVER


class Syncing:
    """Hears what passes between a device and its log, and lets the rows grow."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        batches = [each for each in rows.records if isinstance(each, history.Batch)]
        self._fetchers = {each.device for each in batches}
        """Devices of which batches are told."""
        self._tellers = {each.device for each in batches if each.by == DEVICE}
        """Devices that tell of them themselves."""
        self._stored: dict[str, int] = {}
        """Device to its stored cursor, and below to the moment that put it there."""
        self._stored_at: dict[str, int] = {}
        self._moved: dict[str, int] = {}
        """Account to the moment in which one of its cursors last moved."""

    def connect(self, index: int, record: history.Connect) -> None:
        """A hello, told by one side or both."""
        row, last = self._rows.last_of(record.device)
        self._rows.online.add(record.device)
        if isinstance(last, Greeting) and last.hello and last.hello.by != record.by:
            self._rows.join(index, row)
        else:
            self._greet(index, record.device, hello=record)

    def _greet(self, index: int, device: str, *, hello: history.Connect | None) -> int:
        account = self._rows.cast.account(device)
        moment = Greeting(
            at=self._rows.records[index].at,
            records=[],
            device=device,
            account=account,
            hello=hello,
            logs=self._rows.glimpse(account),
        )
        return self._rows.add(moment, index)

    def verdict(self, index: int, record: history.Verdict) -> None:
        """What a hello is answered, or what comes in place of a batch."""
        rows, account = self._rows, self._rows.cast.account(record.device)
        row, last = rows.last_of(record.device)
        greeting = last if isinstance(last, Greeting) else None
        if greeting is not None and greeting.verdict and greeting.verdict.by != record.by:
            rows.join(index, row)
            return
        if greeting is None or greeting.verdict is not None or row < rows.barrier:
            row = self._greet(index, record.device, hello=None)
        else:
            changed = max(rows.written.get(account, row), self._moved.get(account, row))
            row = rows.move(row, record.at) if changed > row else row
            rows.join(index, row)
        answered = rows.moments[row]
        assert isinstance(answered, Greeting)
        answered.verdict = record
        if account not in rows.logs_told:
            rows.glimpses[account] = Glimpse(record.floor, record.head)
        answered.logs = {account: Glimpse(record.floor, record.head)}
        if answered.skipped:
            self._find_lender(answered)

    def _find_lender(self, greeting: Greeting) -> None:
        assert greeting.verdict is not None
        lenders = [
            (row, device)
            for device, row in self._stored_at.items()
            if device != greeting.device
            and self._rows.cast.account(device) == greeting.account
            and self._stored[device] == greeting.verdict.start
        ]
        if lenders:
            greeting.lent_at, greeting.lender = max(lenders)

    def batch(self, index: int, record: history.Batch) -> None:
        """Entries on their way, or come there."""
        account, to = self._rows.cast.account(record.device), record.prev + len(record.messages)
        row, last = self._rows.last_of(record.device)
        if record.by == DEVICE and self._arrive(index, record, to):
            return
        known = self._rows.glimpses.get(account, Glimpse(0, 0))
        if account not in self._rows.logs_told:
            self._rows.glimpses[account] = Glimpse(known.floor, max(known.head, to, record.head))
        arrived = record.prev if record.by == SERVER and record.device in self._tellers else to
        if (
            isinstance(last, Delivery)
            and (last.epoch, last.to) == (record.epoch, record.prev)
            and not self._rows.captions
            and self._rows.open(row, record.device, account)
        ):
            last.arrived_to, last.to = max(last.arrived_to, arrived), to
            self._rows.join(index, row)
        else:
            self._deliver(index, record.device, record.epoch, (record.prev, to, arrived))

    def _deliver(self, index: int, device: str, epoch: str, reach: tuple[int, int, int]) -> None:
        account = self._rows.cast.account(device)
        moment = Delivery(
            at=self._rows.records[index].at,
            records=[],
            device=device,
            account=account,
            epoch=epoch,
            prev=reach[0],
            to=reach[1],
            arrived_to=reach[2],
            logs=self._rows.glimpse(account),
        )
        self._rows.add(moment, index)

    def _arrive(self, index: int, record: history.Batch, to: int) -> bool:
        """Whether the server told of this batch when it sent it."""
        for row in range(self._rows.latest.get(record.device, -1), self._rows.barrier - 1, -1):
            moment = self._rows.moments[row]
            if (
                isinstance(moment, Delivery)
                and (moment.device, moment.epoch) == (record.device, record.epoch)
                and moment.prev <= record.prev <= to <= moment.to
                and moment.arrived_to < to
            ):
                moment.arrived_to = to
                self._rows.join(index, row)
                return True
        return False

    def applied(self, index: int, record: history.Applied) -> None:
        """They are durable on the device."""
        if record.device in self._fetchers or record.prev == record.to:
            self._rows.follow(index, record.device)
        else:
            reach = (record.prev, record.to, record.to)
            self._deliver(index, record.device, record.epoch, reach)

    def ack(self, index: int, record: history.Ack) -> None:
        """They are confirmed."""
        row, last = self._rows.last_of(record.device)
        if isinstance(last, Delivery | Confirming) and self._rows.open(row, record.device):
            last.acked = max(record.seq, last.acked or 0)
            self._rows.join(index, row)
        elif record.by == SERVER and record.device in self._tellers:
            self._rows.follow(index, record.device)
        else:
            self._confirm(index, record.device, acked=record.seq)

    def _confirm(self, index: int, device: str, *, acked: int | None = None) -> int:
        account = self._rows.cast.account(device)
        moment = Confirming(
            at=self._rows.records[index].at,
            records=[],
            device=device,
            account=account,
            acked=acked,
            logs=self._rows.glimpse(account),
        )
        return self._rows.add(moment, index)

    def saved(self, index: int, record: history.Saved) -> None:
        """The device's stored cursor, moved or not."""
        device, before = record.device, self._stored.get(record.device, 0)
        row, last = self._rows.last_of(device)
        self._stored[device] = record.seq
        if record.seq == before:
            self._rows.follow(index, device)
            return
        if isinstance(last, Greeting | Delivery | Confirming) and self._rows.open(row, device):
            self._rows.join(index, row)
        else:
            row = self._confirm(index, device)
        moment = self._rows.moments[row]
        assert moment is not None
        moment.saved = (moment.saved[0] if moment.saved else before, record.seq)
        self._stored_at[device] = self._moved[self._rows.cast.account(device)] = row

"""The part of a telling that is about what befalls devices, logs and the server."""

from __future__ import annotations

from client_sim import history
from client_sim.chart.moments import Glimpse, Remark, Sign, Turn
from client_sim.chart.rows import Rows
from client_sim.history import Record

SERVER_LANE = "server"
_SIGNS = list(Sign)


class Befalling:
    """Hears of ends, faults and turns, and lets the rows grow."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._down = False

    def closed(self, index: int, record: history.Closed) -> None:
        """A connection is over, as one side notices."""
        if record.device not in self._rows.online:
            _, last = self._rows.last_of(record.device)
            if isinstance(last, Remark) and last.ends:
                last.texts.append(record.code)
            self._rows.follow(index, record.device)
            return
        self._rows.online.discard(record.device)
        self._remark(index, record.device, Sign.END, record.code, ends=True)

    def turn(self, index: int, record: history.Floor | history.Renewed | history.Merged) -> None:
        """The past of a log changes."""
        known = self._rows.glimpses.get(record.account, Glimpse(0, 0))
        match record:
            case history.Floor():
                text, known = (
                    f"all up to {record.floor} is dropped",
                    Glimpse(record.floor, max(known.head, record.floor)),
                )
            case history.Renewed():
                text = f"{record.why}: the log ends at {record.head}"
                known = Glimpse(min(known.floor, record.head), record.head)
            case history.Merged():
                text = f"takes over the log of {record.guest}"
        self._rows.glimpses[record.account] = known
        moment = Turn(
            at=record.at,
            records=[],
            account=record.account,
            text=text,
            torn=isinstance(record, history.Renewed),
            logs=self._rows.glimpse(record.account),
        )
        self._rows.written[record.account] = self._rows.add(moment, index)

    def anything(self, index: int, record: Record) -> None:
        """Whatever else is told."""
        match record:
            case history.Fault():
                sign = Sign.CUT if "cut" in record.kind else Sign.FAULT
                text = record.kind.replace("_", " ")
                detail = f"{text}: {record.detail}" if record.detail else text
                self._remark(index, record.target or SERVER_LANE, sign, detail)
            case history.Process(whose=whose, state="crashed") if whose != SERVER_LANE:
                self._remark(index, record.whose, Sign.CRASH, "killed")
            case history.Process(whose=whose, state=state) if whose == SERVER_LANE:
                self._server(index, state)
            case history.Process():
                self._rows.waiting.append(index)
            case history.Revoked(until_login=signed_out):
                text = "it was signed out" if signed_out else "its right has ended"
                self._remark(index, record.device, Sign.ALARM, text)
            case history.Complaint():
                self._remark(index, record.whose, Sign.ALARM, record.text)
            case _:
                self._rows.waiting.append(index)

    def _server(self, index: int, state: str) -> None:
        if state == "started" and not self._down:
            self._rows.waiting.append(index)
            return
        self._down = state != "started"
        sign = Sign.CRASH if state == "crashed" else Sign.PLAIN
        self._remark(index, SERVER_LANE, sign, "killed" if state == "crashed" else state)

    def _remark(self, index: int, where: str, sign: Sign, text: str, *, ends: bool = False) -> None:
        row = len(self._rows.moments) - 1
        last = self._rows.moments[row] if row >= 0 else None
        if isinstance(last, Remark) and last.where == where and not self._rows.captions:
            last.texts.append(text)
            last.sign = max(last.sign, sign, key=_SIGNS.index)
            last.ends = last.ends or ends
            self._rows.join(index, row)
        else:
            device = where if where in self._rows.cast.devices else ""
            remark = Remark(
                at=self._rows.records[index].at,
                records=[],
                device=device,
                where=where,
                sign=sign,
                texts=[text],
                ends=ends,
            )
            self._rows.add(remark, index)
        if where == SERVER_LANE:
            self._rows.barrier = len(self._rows.moments)

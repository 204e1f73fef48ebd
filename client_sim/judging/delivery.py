"""What a device is told and makes of it is whole: prefix, explicit-gap, epoch,
read-your-writes."""

from __future__ import annotations

from client_sim.history import DEVICE, Ack, Applied, Batch, Connect, Log, Record, Step, Verdict
from client_sim.judging.case import Case, Session
from client_sim.judging.past import Place
from client_sim.judging.verdict import Finding


class _Life:
    """What one device has made durable, followed through its runs."""

    def __init__(self, case: Case, finding: Finding, device: str) -> None:
        self.case, self.finding, self.device = case, finding, device
        self.name = case.name(device)
        self.cloned = device in case.cloned  # two stores, told as one
        self.tells = any(isinstance(each, Applied) for _, each in case.lives[device])
        self.places: set[Place] = set()
        self.last = -1  # the record of the newest place
        self.given: set[Place] = set()  # by verdicts and ends of batches
        self.received: dict[str, int] = {}

    def follow(self, index: int, record: Record) -> None:
        match record:
            case Verdict():
                self.given.add((record.epoch, record.start))
                self._receive(record.epoch, record.start)
            case Batch():
                to = record.prev + len(record.messages)
                self.given.add((record.epoch, to))
                self._receive(record.epoch, to)
            case Applied():
                self.finding.seen += 1
                self._apply(index, record)
            case Connect() if self.tells and not record.cursor:
                self._connect(index, record)
            case Ack() if self.tells:
                self._ack(index, record)

    def _receive(self, epoch: str, to: int) -> None:
        self.received[epoch] = max(to, self.received.get(epoch, 0)) if self.cloned else to

    def _take(self, place: Place, index: int) -> None:
        if not self.cloned:
            self.places.clear()
        self.places.add(place)
        self.last = index

    def _apply(self, index: int, record: Applied) -> None:
        place = record.epoch, record.to
        if record.prev == record.to:
            if place not in self.given:
                self._charge(f"took the place {record.to}, which no verdict gave it", index)
        elif (record.epoch, record.prev) not in self.places:
            said = f"made {record.prev + 1} to {record.to} durable while it stood at"
            self._charge(f"{said} {self._place()}", index)
        elif self.received.get(record.epoch, 0) < record.to:
            self._charge(f"made {record.to} durable, which never reached it", index)
        self._take(place, index)

    def _connect(self, index: int, record: Connect) -> None:
        if record.epoch is None or record.seq is None:
            if self.places and not self._may_have_lost(index):
                self._charge(f"says that it holds nothing, and had stored {self._place()}", index)
            if not self.cloned:
                self.places.clear()
            return
        place = record.epoch, record.seq
        if place in self.places:
            return
        # Killed between the writing and the telling of it.
        crashed = any(self.last < at < index for at in self.case.crashes[self.device])
        restored = any(self.last < at < index for at in self.case.set_back[self.device])
        if not (restored or self.cloned or (crashed and place in self.given)):
            said = f"says that it stands at {record.seq}, and had stored {self._place()}"
            self._charge(said, index)
        self._take(place, index)

    def _may_have_lost(self, index: int) -> bool:
        if self.cloned or not self.case.of(Step):
            return True
        lost = (*self.case.set_back[self.device], *self.case.store_lost[self.device])
        return any(at < index for at in lost)

    def _ack(self, index: int, record: Ack) -> None:
        stored = max((seq for epoch, seq in self.places if epoch == record.epoch), default=-1)
        if record.seq > stored:
            self._charge(f"confirmed {record.seq} and had stored {self._place()}", index)

    def _place(self) -> str:
        return " or ".join(str(seq) for _, seq in sorted(self.places)) or "nothing"

    def _charge(self, said: str, index: int) -> None:
        self.finding.charge(f"{self.name} {said}", self.last, index, device=self.device)


def prefix(case: Case) -> Finding:
    """What a device has applied is at every moment a contiguous part of the log from where a
    verdict let it begin, its own crashes included."""
    finding = Finding()
    for device, life in case.lives.items():
        followed = _Life(case, finding, device)
        for index, record in life:
            followed.follow(index, record)
    for index, holds in case.holdings(online=False):
        if holds.epoch is not None and len(holds.entries) != holds.seq - holds.first:
            finding.seen += 1
            said = f"{case.name(holds.device)} stands at {holds.seq} from {holds.first} and holds"
            finding.charge(f"{said} {len(holds.entries)} entries", index, device=holds.device)
    return finding


def explicit_gap(case: Case) -> Finding:
    """Every hole was announced: by truncated or reset."""
    finding = Finding()
    reached: dict[tuple[str, str, str], tuple[int, int]] = {}
    for session in case.sessions:
        place: int | None = None
        last = session.connect
        for index, record in session.events:
            finding.seen += 1
            if isinstance(record, Verdict):
                _judge_start(case, finding, session, index, record)
                place, last = record.start, index
                continue
            whose = session.by, record.device, record.epoch
            if place is None:  # a server without verdicts: repeats are its right, holes are not
                known, last = reached.get(whose, (record.prev, last))
                place = min(record.prev, known)
            if record.prev != place:
                name = case.name(record.device)
                what = (
                    f"never received {place + 1} to {record.prev}"
                    if record.prev > place
                    else f"received {record.prev + 1} to {place} once more"
                )
                said = f"{name} {what}, and nothing was said of it"
                finding.charge(said, last, index, device=record.device)
            place, last = record.prev + len(record.messages), index
            reached[whose] = max(place, reached.get(whose, (0, 0))[0]), index
    return finding


def _judge_start(
    case: Case, finding: Finding, session: Session, index: int, verdict: Verdict
) -> None:
    name, start = case.name(verdict.device), verdict.start
    said = ""
    if start < verdict.floor:
        said = f"begins at {start}, below the floor {verdict.floor}, and is told {verdict.kind}"
    elif verdict.kind != "welcome":
        if start > verdict.floor:
            said = f"was told {verdict.kind} and begins at {start}, not at the floor"
            said += f" {verdict.floor}: {verdict.floor + 1} to {start} are passed over"
    elif session.hello is not None and not session.hello.cursor:
        stated = session.hello.seq
        due = verdict.floor if stated is None else stated
        if start != due:
            holds = "nothing" if stated is None else f"everything up to {stated}"
            said = f"said that it holds {holds}, and was welcomed from {start}"
            if start > due:
                said += f": {due + 1} to {start} never come"
    if not said and verdict.missed and verdict.missed != verdict.head - start:
        said = f"was told that {verdict.missed} will come, from {start} to {verdict.head}"
    if said:
        finding.charge(f"{name} {said}", session.connect, index, device=verdict.device)


def epoch(case: Case) -> Finding:
    """A log whose past may have changed has a new epoch, and a place of another past, or beyond the
    head, is answered by reset at once."""
    finding = Finding()
    _two_logs_of_one_epoch(case, finding)
    _epochs_used_again(case, finding)
    stood: dict[str, Session] = {}
    for session in case.sessions:
        current = ""
        for index, record in session.events:
            finding.seen += 1
            if isinstance(record, Verdict):
                if not current:
                    _judge_verdict(case, finding, session, stood.get(record.device))
                current = record.epoch
            elif current and record.epoch != current:
                said = f"{case.name(record.device)} received entries of another epoch than it was"
                finding.charge(f"{said} told", index, device=record.device)
        if current and session.by == DEVICE:
            stood[session.device] = session
    return finding


def _judge_verdict(case: Case, finding: Finding, session: Session, before: Session | None) -> None:
    assert session.verdict is not None
    index, verdict = session.verdict
    name, hello, past = case.name(session.device), session.hello, session.past
    if past.epoch not in (None, verdict.epoch):
        said = f"{name} was answered in an epoch that the log of {past.account} no longer has"
        finding.charge(said, past.begun, index, device=session.device)
    if hello is None or hello.epoch is None or hello.seq is None:
        return
    said = ""
    if verdict.kind == "reset":
        if hello.epoch == verdict.epoch and len(case.pasts[past.account]) == 1:
            said = f"was reset ({verdict.reason}) at {hello.seq}, and the log's past never changed"
    elif hello.epoch != verdict.epoch:
        said = f"stated a place of another epoch and was told {verdict.kind}, not reset"
    elif hello.seq > verdict.head:
        said = f"stated {hello.seq}, beyond the head {verdict.head}, and was told {verdict.kind}"
    elif verdict.kind == "welcome" and before and (seq := _fork(case, before, session, hello.seq)):
        said = f"was welcomed, although {seq} is another entry than the one it holds"
    if said and session.device not in case.cloned:
        finding.charge(f"{name} {said}", session.connect, index, device=session.device)


def _fork(case: Case, before: Session, session: Session, stated: int) -> int | None:
    """The first seq at which a device's past and the log's present differ."""
    assert session.hello is not None
    old, new, name = before.past, session.past, session.hello.epoch or ""
    if old is new or case.set_back[session.device] or case.store_lost[session.device]:
        return None
    for seq in range(1, stated + 1):
        was, now = old.held.get((name, seq)), new.held.get((name, seq))
        if was and now and was[0] != now[0]:
            return seq
    return None


def _two_logs_of_one_epoch(case: Case, finding: Finding) -> None:
    owners: dict[str, tuple[str, int]] = {}
    told = [
        (index, each.past.account, each.verdict[1].epoch)
        for each in case.sessions
        if each.verdict is not None
        for index in (each.verdict[0],)
    ]
    told += [(index, log.account, log.epoch) for index, log in case.of(Log)]
    for index, account, name in told if case.of(Verdict) else ():
        owner, first = owners.setdefault(name, (account, index))
        if owner != account:
            said = f"the logs of {owner} and {account} share an epoch"
            finding.charge(said, first, index)
            return


def _epochs_used_again(case: Case, finding: Finding) -> None:
    for account, line in case.pasts.items():
        for number, past in enumerate(line):
            used = {each.epoch for each in line[:number]}
            record = case.records[past.begun] if past.begun >= 0 else None
            why = getattr(record, "why", "")
            if past.epoch in used and why in ("restore", "import"):
                said = f"the log of {account} has an epoch again that it had before its {why}"
                finding.charge(said, past.begun)


def read_your_writes(case: Case) -> Finding:
    """Who connects after something was accepted or shown is told a head that has it."""
    finding = Finding()
    for session in case.sessions:
        if session.verdict is None or session.connect < 0:
            continue
        finding.seen += 1
        index, verdict = session.verdict
        seen = session.past.seen_before(session.connect)
        if seen is not None and verdict.head < seen[0]:
            name, account = case.name(session.device), session.past.account
            said = f"{name} connected and was told the head {verdict.head} of {account}, when"
            finding.charge(
                f"{said} {seen[0]} had been seen",
                seen[1],
                session.connect,
                index,
                device=session.device,
            )
    return finding

"""One reading of a history, shared by all judges: who did what, in which past of which log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from client_sim.history import (
    DEVICE,
    Ack,
    Answer,
    Appended,
    Applied,
    Batch,
    Begin,
    Connect,
    Content,
    Device,
    Fault,
    Floor,
    Holds,
    Log,
    Merged,
    Opened,
    Process,
    Record,
    Renewed,
    Send,
    Step,
    Verdict,
)
from client_sim.judging.past import Contradiction, Past

Kind = TypeVar("Kind")

PLAIN, DELETE, READ = 1, 4, 5
"""Kinds of entry: a message that is nothing else; what goes to the sender's own log only."""

_REWINDS = ("restore", "put_back")
_LOST_STORE = "loses its store"
_PUBLISHED = "the service sends"


@dataclass(slots=True)
class Session:
    """One socket, as one side tells of it. connect: the record of its hello, -1 where nobody told;
    events: its verdicts and batches, in order."""

    by: str
    device: str
    account: str
    past: Past
    connect: int
    hello: Connect | None
    events: list[tuple[int, Verdict | Batch]] = field(default_factory=list)
    generation: int = 0

    @property
    def verdict(self) -> tuple[int, Verdict] | None:
        """The answer to its hello."""
        return next(
            ((index, each) for index, each in self.events if isinstance(each, Verdict)), None
        )


class Case:
    """A history, read once. Indexes are those of `records`; nothing in it is to be changed."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.begin = Begin(world="")
        self.accounts: dict[str, str] = {}
        self.moves: dict[str, list[tuple[int, str]]] = defaultdict(list)
        """Each device's account at the end; and all that it had, from which record on."""
        self.names: dict[str, str] = {}
        self.pasts: dict[str, list[Past]] = {}
        self.sessions: list[Session] = []
        """Every socket, in the order in which they were first told of."""
        self.lives: dict[str, list[tuple[int, Record]]] = defaultdict(list)
        """Each device's own Connect, Verdict, Batch, Applied and Ack records."""
        self.sends: dict[str, list[tuple[int, Send]]] = defaultdict(list)
        self.answers: dict[str, list[tuple[int, Answer]]] = defaultdict(list)
        self.accepted: dict[str, list[tuple[int, Answer]]] = defaultdict(list)
        self.answered_in: dict[int, Past] = {}
        """The past of the sender's log that each of these answers is about."""
        self.appended: dict[tuple[str, str], int] = {}
        """The first record that told that a log durably held a message."""
        self.where: dict[tuple[str, str], list[tuple[Past, str, int]]] = defaultdict(list)
        """Every place at which a message was seen in an account's log."""
        self.contents: dict[Content, int] = {}
        """Everything that any log held, with the first record that told."""
        self.contradictions: list[Contradiction] = []
        self.logs: dict[str, tuple[int, Log]] = {}
        self.merged: dict[str, str] = {}
        self.cloned: set[str] = set()
        self.set_back: dict[str, list[int]] = defaultdict(list)
        self.store_lost: dict[str, list[int]] = defaultdict(list)
        self.crashes: dict[str, list[int]] = defaultdict(list)
        """Where processes of devices, and of the "server", ended unasked."""
        self.publishes = False
        """Messages come from outside any device, too."""
        self._of: dict[type, list[tuple[int, Any]]] = defaultdict(list)
        self._ids: dict[str, str] = {}
        self._open: dict[tuple[str, str, int], Session] = {}
        readers: dict[type, Callable[[int, Any], None]] = {
            Begin: self._read_begin,
            Device: self._read_device,
            Send: self._read_send,
            Answer: self._read_answer,
            Connect: self._read_connect,
            Opened: self._read_opened,
            Verdict: self._read_verdict,
            Batch: self._read_batch,
            Applied: self._read_life,
            Ack: self._read_life,
            Appended: self._read_appended,
            Renewed: self._read_renewed,
            Merged: self._read_merged,
            Fault: self._read_fault,
            Process: self._read_process,
            Step: self._read_step,
            Log: self._read_log,
        }
        for index, record in enumerate(records):
            kind = type(record)
            self._of[kind].append((index, record))
            if reader := readers.get(kind):
                reader(index, record)

    # ------------------------------------------------------------ questions

    def of(self, kind: type[Kind]) -> Sequence[tuple[int, Kind]]:
        """All records of a kind, with their indexes."""
        return self._of.get(kind, ())

    def at(self, index: int) -> float:
        """When a record was told."""
        return self.records[index].at

    def name(self, device: str) -> str:
        """A device as people call it."""
        return self.names.get(device) or device or "nobody"

    def title(self, message: str) -> str:
        """A message as people call it."""
        device, mark, number = message.rpartition("#")
        return f"message {number} of {self.name(device)}" if mark else f"message {message}"

    def sender(self, message: str) -> str:
        """The device that a message is of."""
        if message in self.sends:
            return self.sends[message][0][1].device
        return message.rpartition("#")[0]

    def home(self, account: str) -> str:
        """The account whose log this one's messages go to, merges followed."""
        return [*self.line(account)][-1]

    def line(self, account: str) -> Iterator[str]:
        """An account, and all into which it came to be merged, one after the other."""
        yield account
        while account in self.merged:
            account = self.merged[account]
            yield account

    def audience(self, message: str) -> tuple[str, ...]:
        """The accounts whose logs must hold a message once it is accepted; where two were sent
        under one name, of the one that its sender's log held last."""
        account = self.accounts.get(self.sender(message), "")
        sends = self.sends.get(message, ())
        if len(sends) > 1:
            logged = self.body(account, message)
            sends = [each for each in sends if each[1].body == logged] or sends
        for _, send in sends:
            if send.kind in (READ, DELETE):
                return (account,)
            if send.to:
                return send.to
        return (account,) if account else ()

    def account_at(self, device: str, index: int) -> str:
        """Whose a device was when this record was told; empty where it was nobody's."""
        return ["", *(whose for since, whose in self.moves[device] if since <= index)][-1]

    def returns(self, device: str, index: int) -> int | None:
        """The record with which a device that was signed out by this one came back."""
        return next((since for since, _ in self.moves[device] if since > index), None)

    def floor_before(self, account: str, index: int) -> int:
        """Up to where retention had dropped a log when this record was told."""
        told = [each for at, each in self.of(Floor) if at < index and each.account == account]
        return max((each.floor for each in told), default=0)

    def body(self, account: str, message: str) -> str | None:
        """What an account's log held last under this name; None where it held nothing."""
        places = self.where.get((self.home(account), message))
        if not places:
            return None
        past, epoch, seq = max(places, key=lambda place: place[0].number)
        return past.held[epoch, seq][1]

    def always_welcome(self, message: str) -> bool:
        """Whether nothing about it can be a reason to refuse it for good: a plain message to
        accounts that exist."""
        sends = self.sends.get(message, ())
        return bool(sends) and all(send.kind == PLAIN and send.to for _, send in sends)

    def rewinds_after(self, account: str, index: int) -> list[Past]:
        """The pasts of a log that began after a record."""
        return [past for past in self.pasts.get(account, ()) if past.begun > index]

    def rewinds_since(self, account: str, index: int, answer: Answer) -> list[Past]:
        """The pasts of a log that began after an answer was given: it may have come late, but no
        socket outlives a rewind."""
        session = self.session(answer)
        if session is not None and session.connect >= 0:
            index = session.connect
        return self.rewinds_after(account, index)

    def now(self, account: str) -> Past:
        """The newest past of a log."""
        if account not in self.pasts:
            self.pasts[account] = [Past(account, 0, -1)]
        return self.pasts[account][-1]

    def resolve(self, target: str) -> str:
        """The id of a device that is named by its id or as in the play."""
        return target if target in self.accounts else self._ids.get(target, target)

    def session(self, told: Answer | Send | Verdict) -> Session | None:
        """The socket that a record names, as its side tells of it."""
        return self._open.get((told.by, told.device, told.session))

    # ------------------------------------------------------------ the reading

    def _read_begin(self, index: int, record: Begin) -> None:
        self.begin = record

    def _read_device(self, index: int, record: Device) -> None:
        self.moves[record.device].append((index, record.account))
        known = self.names.get(record.device)
        if known and record.name and known != record.name:
            self.cloned.add(record.device)  # one credential, two installations
        self.accounts[record.device] = record.account
        self.names[record.device] = known or record.name
        self._ids[record.name] = record.device

    def _read_send(self, index: int, record: Send) -> None:
        self.sends[record.message].append((index, record))
        self.publishes |= record.device not in self.accounts

    def _read_answer(self, index: int, record: Answer) -> None:
        self.answers[record.message].append((index, record))
        if record.outcome == "accepted":
            self.accepted[record.message].append((index, record))
            session = self.session(record)
            past = session.past if session else self.now(self.accounts.get(record.device, ""))
            self.answered_in[index] = past
            if record.seq is not None:
                past.see(index, record.seq)

    def _read_life(self, index: int, record: Applied | Ack) -> None:
        if record.by == DEVICE:
            self.lives[record.device].append((index, record))

    def _read_connect(self, index: int, record: Connect) -> None:
        self._session(record, index, record).hello = record
        if record.by != DEVICE:
            return
        life = self.lives[record.device]
        stored = any(isinstance(each, Applied) for _, each in life)
        if stored and record.epoch is None and not record.cursor:
            self.store_lost[record.device].append(index)
        life.append((index, record))

    def _session(
        self, record: Connect | Opened | Verdict | Batch, index: int, hello: Connect | None
    ) -> Session:
        key = record.by, record.device, record.session
        account = self.accounts.get(record.device, "")
        session = self._open.get(key)
        # A merge may give a socket another log, with a verdict; its first may have come late.
        if session is None or (
            session.account != account and type(record) is Verdict and session.verdict is not None
        ):
            connect = index if hello else -1
            session = Session(*key[:2], account, self.now(account), connect, hello)
            self._open[key] = session
            self.sessions.append(session)
        return session

    def _read_opened(self, index: int, record: Opened) -> None:
        session = self._session(record, index, None)
        session.generation = record.generation
        session.past.touched = True

    def _read_verdict(self, index: int, record: Verdict) -> None:
        session = self._session(record, index, None)
        session.events.append((index, record))
        session.past.touch(record.epoch)
        session.past.see(index, record.head)
        if record.by == DEVICE:
            self.lives[record.device].append((index, record))

    def _read_batch(self, index: int, record: Batch) -> None:
        session = self._session(record, index, None)
        session.events.append((index, record))
        if record.by == DEVICE:
            self.lives[record.device].append((index, record))
        past, epoch = session.past, record.epoch
        past.see(index, max(record.head, record.prev + len(record.messages)))
        for seq, content in enumerate(record.messages, record.prev + 1):
            self._witness(past, epoch, seq, content, index)

    def _witness(self, past: Past, epoch: str, seq: int, content: Content, index: int) -> None:
        place = epoch, seq
        known = past.held.get(place)
        if known is None:
            past.held[place] = content
            past.told[place] = index
            self.where[past.account, content[0]].append((past, epoch, seq))
            self.contents.setdefault(content, index)
        elif known != content:
            if known[0] == content[0] and None in (known[1], content[1]):
                return  # erased: the entry is the same
            first = past.told[place]
            self.contradictions.append(
                Contradiction(past, epoch, seq, first, index, known, content)
            )

    def _read_appended(self, index: int, record: Appended) -> None:
        past = self.now(record.account)
        past.touch(record.epoch)
        self.appended.setdefault((record.account, record.message), index)
        content = record.message, record.body
        self._witness(past, record.epoch, record.seq, content, index)

    def _read_renewed(self, index: int, record: Renewed) -> None:
        self._rewind(record.account, index, record.epoch, record.head)

    def _read_fault(self, index: int, record: Fault) -> None:
        device = self.resolve(record.target)
        if record.kind in _REWINDS:
            for account in list(self.pasts):
                self._rewind(account, index, None, None)
        elif record.kind == "clone":
            self.cloned.add(device)
        elif record.kind == "device_restored":
            self.set_back[device].append(index)
        elif record.kind == "device_crash":
            self.crashes[device].append(index)
        elif record.kind == "server_crash":
            self.crashes["server"].append(index)

    def _rewind(self, account: str, index: int, epoch: str | None, kept: int | None) -> None:
        past, line = self.now(account), self.pasts[account]
        began = not past.touched and (past.number > 0 or not past.held)
        same = epoch is None or past.epoch in (None, epoch)
        if began and same and (kept is None or past.begun < 0):
            # Told twice: by the log and by the fault. Or it is how the log began.
            past.epoch = past.epoch or epoch
            return
        if began and past.kept is None and past.epoch is None:
            line.pop()  # told twice: by the fault and now by the log, which knows more
        # By hand an epoch comes back: then the shared part is that of its own last past.
        source = next((each for each in reversed(line) if epoch == each.epoch), line[-1])
        following = source.continued(line[-1].number + 1, index, epoch, kept)
        line.append(following)
        for (told, seq), content in following.held.items():
            self.where[account, content[0]].append((following, told, seq))

    def _read_merged(self, index: int, record: Merged) -> None:
        self.merged[record.guest] = record.account
        if record.prover in self.accounts:
            self.accounts[record.prover] = record.account
            self.moves[record.prover].append((index, record.account))

    def _read_process(self, index: int, record: Process) -> None:
        if record.state == "crashed":
            self.crashes[self.resolve(record.whose)].append(index)

    def _read_step(self, index: int, record: Step) -> None:
        if record.sentence.endswith(_LOST_STORE):
            name = record.sentence.removesuffix(_LOST_STORE).split()[-1]
            self.store_lost[self.resolve(name)].append(index)
        self.publishes |= _PUBLISHED in record.sentence

    def _read_log(self, index: int, record: Log) -> None:
        self.logs[record.account] = index, record
        past = self.now(record.account)
        for seq, content in enumerate(record.entries, record.floor + 1):
            self._witness(past, record.epoch, seq, content, index)

    # ------------------------------------------------------------ the end

    def holdings(self, online: bool = True) -> Iterator[tuple[int, Holds]]:
        """What devices have at the end: those that were connected, or all."""
        return ((index, each) for index, each in self.of(Holds) if each.online or not online)

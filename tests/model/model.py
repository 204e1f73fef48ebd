"""An executable model of the sync contract (sync.md, sections 1-5, 8 and 9), without any I/O.

A server, a few accounts with their devices, and ordered links that lose their tails live in one
seeded random schedule: first a storm with every fault there is, then a calm in which everything
must become quiet. The model writes a history, which the judges read; it never judges itself. Each
mechanism of the contract can be taken out by name (`Rules.without`), so that the tests can show
that it is needed. In some schedules there is a guest, who turns out to be ann; in these no restore
undoes the merge. Left out: heartbeat, clones, the `cursor` hello, read marks.
"""

from __future__ import annotations

from collections import defaultdict, deque
from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import NamedTuple

from .judges import History

DEVICES = {"ann-pc1": "ann", "ann-pc2": "ann", "ann-phone": "ann"}
DEVICES |= {"bob-pc1": "bob", "bob-pc2": "bob"}
GUESTS = {"gus-tablet": "gus", "gus-tv": "gus"}
CONVERSATIONS = (("ann",), ("ann", "bob"), ("bob", "ann"))
WITH_GUESTS = (*CONVERSATIONS, ("gus",), ("gus", "ann"), ("ann", "gus"), ("gus", "bob"))
# How often a step is drawn, relative to the others; each seed scales the faults by its own weather.
ORDINARY = {"submit": 10, "send": 8, "deliver": 40, "commit": 10, "serve": 14}
ORDINARY |= {"acknowledge": 8, "hand": 8, "connect": 8}
FAULTS = {"cut": 3, "abandon": 3, "crash_client": 2, "crash_server": 1, "trim": 2}
FAULTS |= {"renew_epoch": 1, "copy_server": 2, "restore_by_command": 1, "restore_by_hand": 1}
FAULTS |= {"copy_client": 2, "restore_client": 2}
RESTORES = ("restore_by_command", "restore_by_hand")
GUEST_STEPS = {"merge": 0.3, "sign_in": 1}


@dataclass(frozen=True)
class Rules:
    """The sizes, small so that they are reached, and the one mechanism that is taken out."""

    without: str | None = None
    remembered: int = 2  # 1,024 in the service: accepted numbers kept per device
    window: int = 4  # entries sent and not acked; the service counts bytes
    storm: int = 800

    def keep(self, mechanism: str) -> bool:
        return mechanism != self.without


class Entry(NamedTuple):
    """A message, and what a log holds of it: known by (device, number), and naming no seq."""

    device: str
    number: int
    conversation: tuple[str, ...]
    body: str

    @property
    def identity(self) -> tuple[str, int]:
        return self.device, self.number

    def __deepcopy__(self, memo: dict) -> Entry:
        return self  # immutable; copies of a store stay cheap


class Position(NamedTuple):
    epoch: str
    seq: int
    chain: str


class Hello(NamedTuple):
    instance: int
    stated: Position | None


class Verdict(NamedTuple):
    kind: str  # welcome, truncated, or the reason of a reset: epoch, ahead, forked, merged
    start: Position
    floor: int
    head: int
    sent: int


class Batch(NamedTuple):
    prev: int
    to: int
    entries: tuple[Entry, ...]
    chain: str
    branch: int  # these three are for the judges: the wire has none, no client reads them
    epoch: str
    account: str


class Ack(NamedTuple):
    epoch: str
    seq: int


class Send(NamedTuple):
    entries: tuple[Entry, ...]


class Accepted(NamedTuple):
    number: int
    seq: int | None  # none when it was trimmed since; an accepted one again is the duplicate
    branch: int  # for the judges, like the account
    account: str


class Refused(NamedTuple):
    number: int
    code: str


class Fenced(NamedTuple):
    instance: int


class TokenRotated(NamedTuple):
    pass


class SignedOutByMerge(NamedTuple):
    pass


class Link:
    """One socket: an ordered lane each way. Closed, it takes nothing new; the rest may come."""

    def __init__(self, device: str) -> None:
        self.device, self.open = device, True
        self.up: deque = deque()
        self.down: deque = deque()
        self.session: Session | None = None

    def to_server(self, frame: tuple) -> None:
        if self.open:
            self.up.append(frame)

    def to_client(self, frame: tuple) -> None:
        if self.open:
            self.down.append(frame)

    def cut(self, up_kept: int, down_kept: int) -> None:
        self.open = False
        self.up = deque(list(self.up)[:up_kept])
        self.down = deque(list(self.down)[:down_kept])


@dataclass
class Log:
    """One account's log. What was trimmed stays for the judges; the server reads above it."""

    epoch: str
    floor: int = 0
    entries: list[Entry] = field(default_factory=list)
    chains: list[str] = field(default_factory=lambda: [""])

    @property
    def head(self) -> int:
        return len(self.entries)

    def position(self, seq: int) -> Position:
        return Position(self.epoch, seq, self.chains[seq])

    def append(self, entry: Entry) -> int:
        link = blake2b(repr((self.chains[-1], self.head + 1, entry)).encode(), digest_size=8)
        self.entries.append(entry)
        self.chains.append(link.hexdigest())
        return self.head


@dataclass
class Sender:
    """What the server remembers of one device's sends: enough to give each number one effect."""

    highest: int = 0
    recent: dict[int, tuple[int, Entry]] = field(default_factory=dict)


@dataclass
class Database:
    """All that survives the server's crash, and all that a copy of it holds."""

    logs: dict[str, Log]
    owners: dict[str, str]
    aliases: dict[str, str] = field(default_factory=dict)
    signed_out: set[str] = field(default_factory=set)
    senders: dict[str, Sender] = field(default_factory=lambda: defaultdict(Sender))
    generations: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cursors: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))


@dataclass
class Session:
    """The server's side of one socket after its hello."""

    link: Link
    generation: int
    epoch: str
    place: int
    acked: int
    start: int
    refusing: bool = False

    def begin(self, start: Position) -> None:
        """A verdict in place of a batch: place and window start anew.

        Within an epoch the last ack stays: an ack that crosses a `truncated` on the wire is honest.
        """
        if start.epoch != self.epoch:
            self.acked = start.seq
        self.epoch, self.place, self.start = start.epoch, start.seq, start.seq


class Server:
    """Sessions, the committer's queue and cursors not yet saved: all volatile but the database."""

    def __init__(self, rules: Rules, history: History, database: Database, random: Random) -> None:
        self.rules, self.history, self.database, self.random = rules, history, database, random
        self.busy_rate = random.choice((0.0, 0.1, 0.3))
        self.unsynced: Database | None = None  # only ever set by a removal
        self.restart()

    def restart(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.queue: deque[tuple[Session, Entry]] = deque()
        self.unsaved: list[tuple[Session, Ack]] = []
        self.later: list[tuple[str, Entry, dict]] = []  # only ever filled by a removal
        if self.unsynced:
            self.database, self.unsynced = self.unsynced, None

    def receive(self, link: Link, frame: tuple) -> None:
        match frame:
            case Hello():
                self.greet(link, frame)
            case Send():
                self.queue.extend((link.session, entry) for entry in frame.entries)
            case Ack():
                self.acknowledge(link.session, frame)

    def log(self, device: str) -> Log:
        return self.database.logs[self.database.owners[device]]

    def home(self, account: str) -> str:
        """Whose log takes what is addressed to an account."""
        return self.database.aliases.get(account, account)

    def greet(self, link: Link, hello: Hello) -> None:
        """One transaction: a new generation first, then the verdict from one snapshot."""
        device, log = link.device, self.log(link.device)
        if device in self.database.signed_out:
            self.dismiss(link, SignedOutByMerge())
            return
        self.database.generations[device] += 1
        kind, start = self.verdict(device, hello.stated, log)
        if old := self.sessions.get(device):
            # What it has under way still arrives: only the generation in the row stops it.
            self.dismiss(old.link, Fenced(hello.instance))
        generation = self.database.generations[device]
        session = Session(link, generation, log.epoch, start.seq, start.seq, start.seq)
        self.sessions[device] = link.session = session
        if kind == "welcome" and hello.stated:
            self.save_cursor(session, Ack(hello.stated.epoch, hello.stated.seq))
        self.history.record("greeted", account=self.database.owners[device], head=log.head)
        self.announce(session, kind, start)

    def dismiss(self, link: Link, reason: tuple) -> None:
        link.to_client(reason)
        link.open = False

    def verdict(self, device: str, stated: Position | None, log: Log) -> tuple[str, Position]:
        """The first of section 3's rules that applies, and where the session starts."""
        keep, floor = self.rules.keep, log.position(log.floor)
        if stated is None:
            floor = floor if keep("start-at-floor") else log.position(log.head)
            return "welcome", self.start(device, floor, log)
        if stated.epoch != log.epoch and keep("epoch-check"):
            closed = {self.database.logs[guest].epoch for guest in self.database.aliases}
            return ("merged" if stated.epoch in closed else "epoch"), floor
        if stated.seq > log.head:
            return ("ahead", floor) if keep("ahead") else ("welcome", stated)
        if stated.seq < log.floor:
            return ("truncated" if keep("truncated") else "welcome"), floor
        if log.chains[stated.seq] != stated.chain and keep("chain-check"):
            return "forked", floor
        return "welcome", self.start(device, stated, log)

    def start(self, device: str, begin: Position, log: Log) -> Position:
        """Where a welcome starts: section 2's one function that the wrong key changes."""
        if self.rules.keep("cursor-per-device"):
            return begin
        stored = self.database.cursors[self.cursor_key(device), log.epoch]
        return log.position(stored) if stored > begin.seq else begin

    def cursor_key(self, device: str) -> str:
        return device if self.rules.keep("cursor-per-device") else device.rstrip("12")

    def announce(self, session: Session, kind: str, start: Position) -> None:
        log, sender = self.log(session.link.device), self.database.senders[session.link.device]
        verdict = Verdict(kind, start, log.floor, log.head, sender.highest)
        session.link.to_client(verdict)

    def serve(self, session: Session) -> bool:
        """Read the log from the session's own place: a batch, or a verdict in place of one."""
        log, keep = self.log(session.link.device), self.rules.keep("session-reset")
        if keep and (session.epoch != log.epoch or session.place < log.floor):
            kind = "epoch" if session.epoch != log.epoch else "truncated"
            session.begin(log.position(log.floor))
            if not self.rules.keep("crossing-ack"):
                session.acked = session.place
            self.announce(session, kind, log.position(log.floor))
            return True
        prev = max(session.place, log.floor)
        room = self.rules.window - (prev - max(session.acked, session.start))
        to = min(log.head, prev + self.random.randint(1, max(1, room)))
        if room <= 0 or to <= prev or not session.link.open:
            return False
        entries = tuple(log.entries[prev:to])
        if not self.rules.keep("nothing-filtered"):
            entries = tuple(entry for entry in entries if entry.device != session.link.device)
        branch = len(self.history.branches)
        judged = branch, log.epoch, self.database.owners[session.link.device]
        session.link.to_client(Batch(prev, to, entries, log.chains[to], *judged))
        session.place = to
        return True

    def acknowledge(self, session: Session, ack: Ack) -> None:
        if ack.epoch != session.epoch:
            return
        if not session.acked <= ack.seq <= session.place:
            self.history.record("protocol_error", device=session.link.device, ack=ack)
            session.link.open = False
            return
        session.acked = ack.seq
        self.unsaved.append((session, ack))

    def save_cursor(self, session: Session, ack: Ack) -> None:
        """The epoch is the ack's own: the session's may have changed since."""
        device, database = session.link.device, self.database
        current = database.generations[device]
        if session.generation != current and self.rules.keep("cursor-generation"):
            return
        key = self.cursor_key(device), ack.epoch
        larger = max(database.cursors[key], ack.seq)
        stored = larger if self.rules.keep("largest-cursor") else ack.seq
        database.cursors[key] = stored
        facts = {"epoch": ack.epoch, "seq": stored, "head": self.log(device).head}
        facts |= {"generation": session.generation, "current": current}
        self.history.record("cursor", device=device, **facts)

    def commit(self, count: int) -> bool:
        """One transaction in queue order; its answers leave only when it is durable (section 5)."""
        if not self.rules.keep("durable-answer") and self.queue and not self.unsynced:
            self.unsynced = deepcopy(self.database)
        self.later, late = [], self.later
        for account, entry, facts in late:
            seq = self.database.logs[account].append(entry)
            self.history.record("appended", account=account, seq=seq, entry=entry, **facts)
        jobs = [self.queue.popleft() for _ in range(min(count, len(self.queue)))]
        answers = []
        for session, entry in jobs:
            current = self.database.generations[entry.device]
            if session.generation == current or not self.rules.keep("append-generation"):
                answers.append((session, self.append(session, entry)))
        for session, ack in self.unsaved:
            self.save_cursor(session, ack)
        busy, self.unsaved = bool(jobs or late or self.unsaved), []
        for session, answer in answers:
            session.link.to_client(answer)
        return busy

    def append(self, session: Session, entry: Entry) -> Accepted | Refused:
        """Judge one message in commit order: the mark of the session, dedupe, then the rest."""
        sender, keep, number = self.database.senders[entry.device], self.rules.keep, entry.number
        if session.refusing and keep("sticky-refusal"):
            return Refused(number, "busy")
        if keep("dedupe") and number <= sender.highest:
            return self.remembered(sender, entry)
        if entry.body.startswith("large"):
            return Refused(number, "too_large")
        if self.random.random() < self.busy_rate:
            session.refusing = True
            return Refused(number, "busy")
        facts = {"generation": session.generation}
        facts["current"] = self.database.generations[entry.device]
        own = self.database.owners[entry.device]
        home = self.home if keep("merge-alias") else str
        for account in dict.fromkeys(map(home, entry.conversation)):
            if account == own or keep("one-transaction"):
                seq = self.database.logs[account].append(entry)
                self.history.record("appended", account=account, seq=seq, entry=entry, **facts)
            else:
                self.later.append((account, entry, facts))
        seq = self.log(entry.device).head
        sender.highest = number
        sender.recent[number] = seq, entry
        if len(sender.recent) > self.rules.remembered:
            del sender.recent[min(sender.recent)]
        return self.accept(entry, seq)

    def remembered(self, sender: Sender, entry: Entry) -> Accepted | Refused:
        """Answer a number that is not above the highest: it had its effect, or never will."""
        seq, known = sender.recent.get(entry.number, (0, None))
        if known == entry:
            return self.accept(entry, seq if seq > self.log(entry.device).floor else None)
        if known:
            return Refused(entry.number, "conflict")
        full = len(sender.recent) == self.rules.remembered
        stale = full and entry.number < min(sender.recent)
        return Refused(entry.number, "stale" if stale else "skipped")

    def accept(self, entry: Entry, seq: int | None) -> Accepted:
        account = self.database.owners[entry.device]
        self.history.record("accepted", entry=entry, seq=seq, account=account)
        return Accepted(entry.number, seq, len(self.history.branches), account)

    def merge(self, prover: str, account: str) -> None:
        """One transaction (section 8): entries, alias, what is remembered, devices."""
        database, keep = self.database, self.rules.keep
        guest = database.owners[prover]
        source, target = database.logs[guest], database.logs[account]
        held = {entry.identity for entry in target.entries[target.floor :]}
        brought = [
            entry
            for entry in source.entries[source.floor :]
            if entry.identity not in held or not keep("merge-dedupe")
        ]
        devices = [device for device, owner in database.owners.items() if owner == guest]
        before = {device: database.generations[device] for device in devices}
        facts = {"guest": guest, "account": account, "entries": brought, "before": before}
        facts["trimmed"] = source.entries[: source.floor]
        self.history.record("merged", prover=prover, **facts)
        self.bring(account, brought)
        database.aliases[guest] = account
        places = {entry: seq for seq, entry in enumerate(target.entries, 1) if seq > target.floor}
        for device in devices:
            database.owners[device] = account
            database.generations[device] += keep("merge-generation")
            for number, (_, entry) in database.senders[device].recent.items():
                if keep("merge-remembered"):
                    database.senders[device].recent[number] = places.get(entry, 0), entry
            if device != prover and keep("merge-takeover"):
                database.signed_out.add(device)
            if session := self.sessions.pop(device, None):
                gone = device in database.signed_out
                self.dismiss(session.link, SignedOutByMerge() if gone else TokenRotated())

    def bring(self, account: str, entries: list[Entry]) -> None:
        facts = {"generation": 0, "current": 0}
        for entry in entries:
            if self.rules.keep("merge-transaction"):
                seq = self.database.logs[account].append(entry)
                self.history.record("appended", account=account, seq=seq, entry=entry, **facts)
            else:
                self.later.append((account, entry, facts))

    def sign_in(self, device: str) -> None:
        """A device that a merge signed out proves both by itself."""
        self.database.signed_out.discard(device)
        self.database.generations[device] += 1
        account = self.database.owners[device]
        self.history.record("signed_in", device=device, account=account)


@dataclass
class Row:
    """One entry in a client's store: accepted, current, old, "not on server" or "local only"."""

    entry: Entry
    seq: int | None
    state: str
    arrived: bool = False


@dataclass
class Store:
    """What survives the client's crash; every method of `Client` changes it in one transaction."""

    position: Position | None = None
    origin: int = 0  # where the unbroken run of current entries begins
    rows: dict[tuple[str, int], Row] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)  # trimmed there, and brought back by a merge
    reach: int | None = None  # the head noted at the verdict, while old entries wait to be seen
    mark: str = ""
    counter: int | None = None  # none: no number may be assigned before the first verdict
    outbox: dict[int, Entry] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    arrived: list[tuple[str, int]] = field(default_factory=list)
    handed: int = 0  # a place in `arrived`, not a seq: seqs start anew at a reset
    instances: set[int] = field(default_factory=set)


class Client:
    """One device: a durable store, and a process that comes and goes."""

    def __init__(self, device: str, rules: Rules, history: History, random: Random) -> None:
        self.device, self.rules, self.history, self.random = device, rules, history, random
        self.store = Store()
        self.start_process()

    def start_process(self) -> None:
        self.link: Link | None = None
        self.live = self.stopped = self.signed_out = False
        self.sent: set[int] = set()  # in this session
        self.acked = 0
        self.in_hands: int | None = None
        self.unwritten: Batch | None = None  # only ever set by a removal
        self.instance = self.random.getrandbits(64)

    def crash(self) -> None:
        if not self.rules.keep("outbox-before-send"):
            self.store.outbox, self.store.counter = {}, None
        self.leave()
        self.start_process()
        self.history.record("restarted", device=self.device, missing=self.missing())

    def missing(self) -> set[int]:
        """The seqs that the position covers and the store does not hold."""
        held = {row.seq for row in self.store.rows.values() if row.state == "current"}
        end = self.store.position.seq if self.store.position else self.store.origin
        return set(range(self.store.origin + 1, end + 1)) - held - self.store.again

    def connect(self) -> Link | None:
        if self.link or self.stopped or self.signed_out:
            return None
        if self.rules.keep("recorded-instance"):
            self.store.instances.add(self.instance)
        self.link, self.live = Link(self.device), False
        self.link.to_server(Hello(self.instance, self.store.position))
        return self.link

    def leave(self) -> None:
        """Abandon the socket: what was written to it may still arrive, after the next hello too."""
        if self.link:
            self.link.open = False
        self.link, self.live = None, False

    def submit(self, conversation: tuple[str, ...], body: str) -> None:
        """The application sends: number and outbox are durable before anything is on the wire."""
        if self.store.counter is None:
            return
        self.store.counter += 1
        entry = Entry(self.device, self.store.counter, conversation, body)
        self.store.outbox[entry.number] = entry
        self.history.record("submitted", entry=entry)

    def send(self) -> bool:
        """One frame of waiting messages in number order.

        The bound is a span of numbers from the oldest without an answer, not a count of those: an
        echo may end the waiting of a later message while the oldest one's was trimmed.
        """
        if not self.live:
            return False
        numbers = sorted(self.store.outbox)
        if numbers and self.rules.keep("send-window"):
            end = numbers[0] + self.rules.remembered
            numbers = [number for number in numbers if number < end]
        if not self.rules.keep("number-order"):
            numbers.reverse()
        waiting = [number for number in numbers if number not in self.sent]
        waiting = waiting[: self.random.randint(1, 3)]
        self.sent.update(waiting)
        if waiting:
            self.link.to_server(Send(tuple(self.store.outbox[number] for number in waiting)))
        return bool(waiting)

    def acknowledge(self) -> bool:
        self.write_late()
        if not self.live or self.store.position.seq <= self.acked:
            return False
        self.acked = self.store.position.seq
        self.link.to_server(Ack(self.store.position.epoch, self.acked))
        return True

    def hand(self) -> bool:
        """The application asks for its next entry, and so finishes the one before (section 9)."""
        store, finished = self.store, self.in_hands
        if finished is not None:
            store.handed, self.in_hands = finished + 1, None
            identity = store.arrived[finished]
            self.history.record("finished", device=self.device, identity=identity)
        if store.handed < len(store.arrived):
            self.in_hands = store.handed
            store.handed += not self.rules.keep("handed-when-finished")
        return finished is not None or self.in_hands is not None

    def receive(self, frame: tuple) -> None:
        self.write_late()
        match frame:
            case Verdict():
                self.take_verdict(frame)
            case Batch():
                self.take_batch(frame)
            case Accepted():
                self.take_accepted(frame)
            case Refused(number, "busy"):
                self.history.record("busy", device=self.device, number=number)
                self.leave()  # only a new socket may resend, in number order
            case Refused(number, code) if entry := self.store.outbox.pop(number, None):
                self.store.refused[number] = code
                self.history.record("refused", entry=entry, code=code)
            case Fenced(instance):
                self.history.record("fenced", device=self.device, instance=instance)
                self.stopped = instance not in self.store.instances | {self.instance}
                self.leave()
            case TokenRotated():
                self.leave()
            case SignedOutByMerge():
                self.history.record("signed_out", device=self.device)
                self.signed_out = True
                self.leave()

    def take_verdict(self, verdict: Verdict) -> None:
        store, start = self.store, verdict.start
        facts = {"stated": store.position, "verdict": verdict, "live": self.live}
        self.history.record("verdict", device=self.device, **facts)
        if verdict.kind != "welcome":
            self.age(verdict)
        if verdict.kind != "welcome" or store.position is None:
            store.origin = start.seq
            store.again.clear()
        store.position, self.acked = start, start.seq
        if self.rules.keep("counter-from-sent") or store.counter is None:
            store.counter = max(store.counter or 0, verdict.sent)
        if any(row.state == "old" for row in store.rows.values()):
            store.reach = verdict.head
        self.put_back(verdict.sent)
        self.sent.clear()
        self.live = True
        self.settle()

    def age(self, verdict: Verdict) -> None:
        """Entries become old, the accepted ones without an echo too: theirs may never come."""
        self.store.mark = "local only" if verdict.kind == "truncated" else "not on server"
        for identity, row in list(self.store.rows.items()):
            announced = row.state == "accepted" and row.seq <= verdict.start.seq
            if announced and verdict.kind == "truncated" and not self.rules.keep("truncated-send"):
                del self.store.rows[identity]
            row.state = "old"

    def put_back(self, sent: int) -> None:
        """Own messages that the server does not know return to the outbox under their numbers.

        Those put back before and known now leave it again: a restore was undone by another, and
        the server may remember that it has them without remembering their answers.
        """
        for (device, number), row in self.store.rows.items():
            if device != self.device or number in self.store.refused:
                continue
            if number <= sent:
                if self.store.outbox.get(number) == row.entry and self.rules.keep("taken-back"):
                    del self.store.outbox[number]
            elif row.state != "current" and self.rules.keep("put-back"):
                self.store.outbox[number] = row.entry

    def settle(self) -> None:
        """At the noted head, what was not seen again is marked, never deleted."""
        if self.store.reach is not None and self.store.position.seq >= self.store.reach:
            self.store.reach = None
            for row in self.store.rows.values():
                row.state = self.store.mark if row.state == "old" else row.state

    def take_batch(self, batch: Batch) -> None:
        keep, position = self.rules.keep, self.store.position
        if batch.prev != position.seq:
            self.history.record("gap", device=self.device, stated=position, prev=batch.prev)
            self.leave()
        elif not keep("entries-with-position"):
            self.store.position = Position(position.epoch, batch.to, batch.chain)
            self.unwritten = batch
        elif not keep("ack-after-store"):
            self.acked = batch.to
            self.link.to_server(Ack(position.epoch, batch.to))
            self.unwritten = batch
        else:
            self.write(batch)

    def write_late(self) -> None:
        if self.unwritten:
            self.write(self.unwritten)
            self.unwritten = None

    def write(self, batch: Batch) -> None:
        """Entries and position in one transaction; an own entry ends its waiting in the outbox."""
        store = self.store
        self.history.record("applied", device=self.device, batch=batch, position=store.position)
        for seq, entry in enumerate(batch.entries, batch.prev + 1):
            known = store.rows.get(entry.identity)
            if known and known.state == "current":
                store.again.add(known.seq)
            if not (known and known.arrived):
                store.arrived.append(entry.identity)
            store.rows[entry.identity] = Row(entry, seq, "current", arrived=True)
            # A restored store may have given the number to other content: that is not its echo.
            own = store.outbox.get(entry.number) if entry.device == self.device else None
            if own == entry or (own and not self.rules.keep("echo-by-content")):
                del store.outbox[entry.number]
        store.position = Position(store.position.epoch, batch.to, batch.chain)
        self.settle()

    def take_accepted(self, accepted: Accepted) -> None:
        entry = self.store.outbox.pop(accepted.number, None)
        if entry is None:
            return  # its echo came first
        judged = {"branch": accepted.branch, "account": accepted.account}
        self.history.record("taken", entry=entry, seq=accepted.seq, **judged)
        known = self.store.rows.get(entry.identity)
        # Trimmed, or at a place already passed (a restore by hand undid the trim): no echo comes.
        ahead = accepted.seq and accepted.seq > self.store.position.seq
        state = "accepted" if ahead else "local only"
        if accepted.seq or self.rules.keep("truncated-send"):
            row = Row(entry, accepted.seq, state, bool(known and known.arrived))
            self.store.rows[entry.identity] = row


class World:
    """One seeded schedule, storm then calm; the judges read its history and its final state.

    Each seed draws its own weather, a subset of the faults, so that every fault is also met alone.
    """

    def __init__(self, seed: int, rules: Rules | None = None) -> None:
        self.rules, self.random, self.history = rules or Rules(), Random(seed), History()
        self.guests = self.random.random() < 0.3
        owners = DEVICES | (GUESTS if self.guests else {})
        logs = {account: Log(self.fresh_epoch()) for account in dict.fromkeys(owners.values())}
        parts = self.rules, self.history
        self.server = Server(*parts, Database(logs, dict(owners)), self.random)
        self.clients = {device: Client(device, *parts, self.random) for device in owners}
        self.links: list[Link] = []
        self.server_copies: list[Database] = []
        self.client_copies: list[tuple[str, Store]] = []
        self.submitted = 0
        self.quiet = False

    def run(self) -> World:
        self.storm()
        self.calm()
        return self

    def storm(self) -> None:
        weather = {name: rate * self.random.choice((0, 0.3, 1)) for name, rate in FAULTS.items()}
        steps = ORDINARY | weather | (GUEST_STEPS if self.guests else {})
        if self.guests:
            steps |= dict.fromkeys(RESTORES, 0)
        for name in self.random.choices(list(steps), list(steps.values()), k=self.rules.storm):
            getattr(self, name)()

    def calm(self) -> None:
        """No more faults: bounded rounds in which all do what they can, until nobody can."""
        self.server.busy_rate = 0.0
        for _ in range(300):
            if not self.round():
                self.quiet = True
                break
        self.history.branches.append(self.server.database.logs)

    def round(self) -> bool:
        active = []
        for client in self.clients.values():
            active.append(self.sign_in(client))
            active.append(self.connect(client))
            active += [client.send(), client.acknowledge(), client.hand()]
        for link in self.links[:]:
            while self.deliver(link):
                active.append(True)
        active.append(self.server.commit(100))
        active += [self.server.serve(session) for session in self.server.sessions.values()]
        return any(active)

    def fresh_epoch(self) -> str:
        return self.random.randbytes(8).hex()

    def any_client(self) -> Client:
        return self.random.choice(list(self.clients.values()))

    # What happens every day.

    def submit(self) -> None:
        client, self.submitted = self.any_client(), self.submitted + 1
        accounts = client.device.partition("-")[0], self.server.database.owners[client.device]
        every = WITH_GUESTS if self.guests else CONVERSATIONS
        mine = [names for names in every if not set(accounts).isdisjoint(names)]
        size = "large" if self.random.random() < 0.1 else "small"
        client.submit(self.random.choice(mine), f"{size} {self.submitted}")

    def send(self) -> None:
        self.any_client().send()

    def acknowledge(self) -> None:
        self.any_client().acknowledge()

    def hand(self) -> None:
        self.any_client().hand()

    def connect(self, client: Client | None = None) -> bool:
        link = (client or self.any_client()).connect()
        if link:
            self.links.append(link)
        return bool(link)

    def deliver(self, link: Link | None = None) -> bool:
        """The next frame of one lane arrives; an empty closed link is noticed by its client."""
        if not self.links:
            return False
        link = link or self.random.choice(self.links)
        client = self.clients[link.device]
        current = client.link is link
        lanes = [link.up] if link.up else []
        lanes += [link.down] if link.down and current else []
        if lanes:
            lane = self.random.choice(lanes)
            frame = lane.popleft()
            if lane is link.up:
                self.server.receive(link, frame)
            else:
                client.receive(frame)
        elif not link.open:
            self.links.remove(link)
            if current:
                client.leave()
        return bool(lanes)

    def commit(self) -> None:
        self.server.commit(self.random.randint(1, 4))

    def serve(self) -> None:
        if self.server.sessions:
            self.server.serve(self.random.choice(list(self.server.sessions.values())))

    def merge(self) -> None:
        """One of the guest's devices proves that it is ann, once."""
        if not self.server.database.aliases:
            self.server.merge(self.random.choice(list(GUESTS)), "ann")

    def sign_in(self, client: Client | None = None) -> bool:
        client = client or self.clients[self.random.choice(list(GUESTS))]
        if signed_out := client.signed_out:
            self.server.sign_in(client.device)
            client.signed_out = False
        return signed_out

    # What happens on bad days.

    def cut(self) -> None:
        """The network loses a tail of each lane; each side learns of it later."""
        if self.links:
            link = self.random.choice(self.links)
            kept = self.random.randint(0, len(link.up)), self.random.randint(0, len(link.down))
            link.cut(*kept)

    def abandon(self) -> None:
        self.any_client().leave()

    def crash_client(self) -> None:
        self.any_client().crash()

    def crash_server(self) -> None:
        for link in self.links:
            link.cut(0, self.random.randint(0, len(link.down)))
        self.server.restart()

    def trim(self) -> None:
        log = self.random.choice(list(self.server.database.logs.values()))
        log.floor = self.random.randint(log.floor, log.head)

    def renew_epoch(self) -> None:
        """A confirmed loss: the command gives a running server's log a new epoch."""
        log = self.random.choice(list(self.server.database.logs.values()))
        log.epoch = self.fresh_epoch()

    def copy_server(self) -> None:
        self.server_copies.append(deepcopy(self.server.database))

    def restore_by_command(self) -> None:
        self.restore_by_hand(by_command=True)

    def restore_by_hand(self, by_command: bool = False) -> None:
        if not self.server_copies:
            return
        self.crash_server()
        self.history.branches.append(self.server.database.logs)
        abandoned = self.server.database
        self.server.database = deepcopy(self.random.choice(self.server_copies))
        self.server_copies.append(abandoned)  # set aside, so that a restore can be undone
        if by_command and self.rules.keep("restore-epoch"):
            for log in self.server.database.logs.values():
                log.epoch = self.fresh_epoch()
        epochs = [log.epoch for log in self.server.database.logs.values()]
        self.history.record("restored", by_command=by_command, epochs=epochs)

    def copy_client(self) -> None:
        client = self.any_client()
        self.client_copies.append((client.device, deepcopy(client.store)))

    def restore_client(self) -> None:
        """A device's store comes back from an old copy, long after its last socket went silent."""
        if not self.client_copies:
            return
        device, store = self.random.choice(self.client_copies)
        client = self.clients[device]
        client.leave()
        for link in self.links:
            if link.device == device:
                link.cut(0, 0)
        client.store = deepcopy(store)
        client.start_process()
        own = {row.entry for row in store.rows.values() if row.entry.device == device}
        known = own.union(store.outbox.values())
        self.history.record("store_restored", device=device, known=known)

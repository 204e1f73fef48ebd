"""Histories written by hand: a story of two accounts, told record by record, good or bad."""

from collections import Counter, defaultdict

import msgspec

from client_sim.history import (
    SERVER,
    Ack,
    Answer,
    Appended,
    Applied,
    Batch,
    Begin,
    Closed,
    Connect,
    Content,
    Cursor,
    Device,
    Fault,
    Holds,
    Log,
    Opened,
    Phase,
    Record,
    Renewed,
    Saved,
    Send,
    Verdict,
)
from client_sim.judging.court import judge
from client_sim.judging.verdict import Judgement, Ruling

ALL = ("alice", "bob")
EPOCHS = {"alice": "a1", "bob": "b1"}


class Story:
    """Alice has PC1 and PC2, bob has a phone. Each record is told 100 ms after the one before.

    Whatever is done by a method is done as it should be; `tell` adds anything at all.
    """

    def __init__(self, **begin: object) -> None:
        self.records: list[Record] = []
        self.tell(Begin(world="by hand", **begin))  # type: ignore[arg-type]
        self.accounts: dict[str, str] = {}
        self.epochs = dict(EPOCHS)
        self.logs: dict[str, list[Content]] = defaultdict(list)  # with what was trimmed
        self.floors: Counter[str] = Counter()
        self.places: dict[str, tuple[str, int]] = {}
        self.firsts: Counter[str] = Counter()
        self.old: dict[str, tuple[str, ...]] = {}
        self.sessions: dict[str, int] = {}
        self._last_session = 0
        for device, account in (("PC1", "alice"), ("PC2", "alice"), ("phone", "bob")):
            self.device(device, account)

    def tell(self, *records: Record) -> int:
        """Their moments follow from their order; gives the index of the last."""
        for record in records:
            at = round(0.1 * len(self.records), 3)
            self.records.append(msgspec.structs.replace(record, at=at))
        return len(self.records) - 1

    def device(self, device: str, account: str) -> None:
        self.accounts[device] = account
        self.tell(Device(device=device, account=account, name=device))

    # ------------------------------------------------------------ sending

    def write(self, device: str, number: int, to: tuple[str, ...] = ALL, body: str = "") -> Content:
        content = f"{device}#{number}", body or f"body {number}"
        self.tell(Send(device=device, message=content[0], body=content[1], to=to))
        return content

    def append(self, content: Content, to: tuple[str, ...] = ALL, generation: int = 0) -> None:
        for account in to:
            log = self.logs[account]
            log.append(content)
            self.tell(
                Appended(
                    by=SERVER,
                    account=account,
                    epoch=self.epochs[account],
                    seq=self.head(account),
                    message=content[0],
                    body=content[1],
                    generation=generation,
                )
            )

    def head(self, account: str) -> int:
        return len(self.logs[account])

    def answer(self, message: str, seq: int | None = None, **more: object) -> int:
        device = message.rpartition("#")[0]
        told: dict[str, object] = {"outcome": "accepted", "session": self.sessions.get(device, 0)}
        return self.tell(
            Answer(device=device, message=message, seq=seq, **(told | more))  # type: ignore[arg-type]
        )

    def say(self, device: str, *numbers: int, to: tuple[str, ...] = ALL) -> None:
        """Written, appended to all these logs, accepted."""
        for number in numbers:
            content = self.write(device, number, to)
            self.append(content, to)
            self.answer(content[0], self.head(self.accounts[device]))

    # ------------------------------------------------------------ syncing

    def connect(self, device: str, **more: object) -> int:
        """Hello with the own place, and a generation."""
        epoch, seq = self.places.get(device, (None, None))
        self._last_session += 1
        session = self.sessions[device] = self._last_session
        told: dict[str, object] = {"epoch": epoch, "seq": seq}
        self.tell(Connect(device=device, session=session, **(told | more)))  # type: ignore[arg-type]
        self.tell(Opened(by=SERVER, device=device, session=session, generation=session))
        return session

    def verdict(self, device: str, start: int, kind: str = "welcome", **more: object) -> int:
        account = self.accounts[device]
        head = self.head(account)
        told: dict[str, object] = {
            "session": self.sessions[device],
            "epoch": self.epochs[account],
            "floor": self.floors[account],
            "head": head,
            "missed": head - start,
        }
        return self.tell(
            Verdict(device=device, kind=kind, start=start, **(told | more))  # type: ignore[arg-type]
        )

    def take(self, device: str, start: int, epoch: str = "") -> None:
        """The start of a verdict becomes the device's place."""
        epoch = epoch or self.epochs[self.accounts[device]]
        here = self.places.get(device)
        if here is None or here[0] != epoch or here[1] != start:
            self.firsts[device] = start
        self.places[device] = epoch, start
        self.tell(Applied(device=device, epoch=epoch, prev=start, to=start))

    def batch(self, device: str, prev: int, contents: list[Content]) -> int:
        account = self.accounts[device]
        return self.tell(
            Batch(
                device=device,
                session=self.sessions[device],
                epoch=self.epochs[account],
                prev=prev,
                messages=tuple(contents),
                head=self.head(account),
            )
        )

    def apply(self, device: str, prev: int, to: int) -> None:
        epoch = self.epochs[self.accounts[device]]
        self.places[device] = epoch, to
        self.tell(Applied(device=device, epoch=epoch, prev=prev, to=to))

    def confirm(self, device: str, seq: int) -> None:
        epoch, session = self.epochs[self.accounts[device]], self.sessions[device]
        ack = Ack(device=device, session=session, epoch=epoch, seq=seq)
        self.tell(ack, msgspec.structs.replace(ack, by=SERVER))
        self.tell(
            Saved(by=SERVER, device=device, epoch=epoch, seq=seq, generation=session),
        )

    def pull(self, device: str, entries: int = 1) -> None:
        """Everything that it does not have yet, in batches of so many entries, confirmed."""
        account = self.accounts[device]
        while (seq := self.places[device][1]) < self.head(account):
            contents = self.logs[account][seq : seq + entries]
            self.batch(device, seq, contents)
            self.apply(device, seq, seq + len(contents))
        self.confirm(device, self.head(account))

    def log_in(self, device: str) -> None:
        """Connect, be welcomed, pull."""
        self.connect(device)
        place = self.places.get(device)
        start = self.floors[self.accounts[device]] if place is None else place[1]
        self.verdict(device, start)
        self.take(device, start)
        self.pull(device)

    def log_out(self, device: str) -> None:
        self.tell(Closed(device=device, session=self.sessions[device]))

    # ------------------------------------------------------------ what befalls

    def rewind(self, heads: dict[str, int], epochs: dict[str, str], kind: str = "restore") -> int:
        """Every log ends where it did once, in these epochs."""
        self.tell(Fault(by=SERVER, kind=kind, target="server"))
        for account, head in heads.items():
            del self.logs[account][head:]
            self.epochs[account] = epochs[account]
            self.tell(
                Renewed(
                    by=SERVER,
                    account=account,
                    epoch=epochs[account],
                    head=head,
                    why="restore" if kind == "restore" else "by hand",
                )
            )
        return len(self.records) - 1

    # ------------------------------------------------------------ the end

    def end(self, *offline: str, **holdings: dict[str, object]) -> Judgement:
        """Calm, the final state of everything that is as it should be, and the court."""
        self.tell(Phase(name="calm"), Phase(name="end"))
        for account in ALL:
            self.tell(self.final_log(account))
        for device in self.accounts:
            self.tell(self.holding(device, device not in offline, **holdings.get(device, {})))
        for device, (epoch, seq) in self.places.items():
            if device in self.sessions:
                self.tell(Cursor(by=SERVER, device=device, epoch=epoch, seq=seq))
        return judge(self.records)

    def final_log(self, account: str) -> Log:
        return Log(
            by=SERVER,
            account=account,
            epoch=self.epochs[account],
            floor=self.floors[account],
            head=self.head(account),
            entries=tuple(self.logs[account][self.floors[account] :]),
        )

    def holding(self, device: str, online: bool, **more: object) -> Holds:
        account = self.accounts[device]
        epoch, seq = self.places.get(device, (None, 0))
        first = self.firsts[device]
        entries = tuple(self.logs[account][first:seq]) if epoch else ()
        told: dict[str, object] = {
            "epoch": epoch,
            "first": first,
            "seq": seq,
            "entries": entries,
            "old": self.old.get(device, ()),
            "online": online and device in self.sessions,
        }
        return Holds(device=device, **(told | more))  # type: ignore[arg-type]


def founding_story() -> Story:
    """The founding report, as it should have gone: PC1 gets two messages, then PC2 does."""
    story = Story()
    story.log_in("phone")
    story.say("phone", 1, 2)
    story.pull("phone")
    story.log_in("PC1")
    story.log_out("PC1")
    story.log_in("PC2")
    return story


def broken(judgement: Judgement) -> tuple[str, ...]:
    """Who said false; every charge shows a record and says something."""
    for opinion in judgement.opinions:
        for charge in opinion.charges:
            assert charge.text
            assert charge.steps or opinion.judge == "expectations"
    assert (judgement.ruling is Ruling.FALSE) == bool(judgement.broken)
    return judgement.broken

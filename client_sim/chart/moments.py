"""What a picture shows: moments, each a row that is made of all the records that tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from client_sim.chart.cast import Cast, in_words, listed
from client_sim.history import Answer, Connect, Verdict


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A log as it stands: entries floor+1 .. head."""

    floor: int
    head: int


class Sign(Enum):
    """How a remark is marked on its lane."""

    PLAIN = "plain"
    END = "end"
    FAULT = "fault"
    CUT = "cut"
    CRASH = "crash"
    ALARM = "alarm"


@dataclass(kw_only=True)
class Moment:
    """at: of its first record. records: their indexes. logs: those that it shows, by account, as
    they stand after it. saved: from where to where the device's stored cursor moved. captions: the
    sentences of the play that come right before it."""

    at: float
    records: list[int]
    device: str = ""
    logs: dict[str, Glimpse] = field(default_factory=dict)
    saved: tuple[int, int] | None = None
    captions: list[str] = field(default_factory=list)

    def sentence(self, cast: Cast) -> str:
        """The moment in words, without a full stop."""
        raise NotImplementedError  # abstract: each kind of moment has its own words

    def _saved_words(self) -> str:
        return f"; the stored cursor moves to {self.saved[1]}" if self.saved else ""


@dataclass(kw_only=True)
class Greeting(Moment):
    """A device says where it stands and is told where it starts.

    lender, lent_at: whose stored cursor stands where this device starts, when that is not what the
    device itself said, and the number of the moment that put it there.
    """

    account: str
    hello: Connect | None = None
    verdict: Verdict | None = None
    lender: str = ""
    lent_at: int | None = None

    @property
    def skipped(self) -> range:
        """The entries between where the device stands and where it starts, if nobody told it."""
        hello, verdict = self.hello, self.verdict
        if hello is None or verdict is None or hello.cursor or verdict.kind != "welcome":
            return range(0)
        return range((verdict.floor if hello.seq is None else hello.seq) + 1, verdict.start + 1)

    def claim(self) -> str:
        """What the device says of itself."""
        if self.hello is None or self.hello.cursor:
            return "start at my cursor" if self.hello else ""
        return "I hold nothing" if self.hello.seq is None else f"I hold all up to {self.hello.seq}"

    def ruling(self) -> str:
        """What it is told."""
        if self.verdict is None:
            return ""
        why = f" ({self.verdict.reason})" if self.verdict.reason else ""
        start, missed = self.verdict.start, self.verdict.missed
        return f"{self.verdict.kind}{why}: after {start}, {missed or 'nothing'} to come"

    def sentence(self, cast: Cast) -> str:
        name = cast.name(self.device)
        said = f"{name} connects: “{self.claim()}”" if self.hello is not None else ""
        if self.verdict is None:
            return said
        if not self.skipped:
            return f"{said}. The server answers {self.ruling()}" if said else self.ruling()
        said += f". The server starts it after {self.verdict.start}"
        if self.lender:
            said += f", where {cast.name(self.lender)} left the cursor that both share"
        return f"{said}: {in_words(self.skipped)} will never be sent to {name}"


@dataclass(kw_only=True)
class Sending(Moment):
    """Messages of one device, and the logs that have them from now on."""

    messages: list[str]
    entries: dict[str, list[int]] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)

    @property
    def refused(self) -> list[Answer]:
        """The answers that are not acceptance."""
        return [each for each in self.answers.values() if each.outcome != "accepted"]

    def label(self, cast: Cast) -> str:
        """The messages by their numbers."""
        numbers = [each.rpartition("#")[2] for each in self.messages]
        if all(each.isdecimal() for each in numbers):
            return f"#{in_words(map(int, numbers))}"
        return listed(self.messages)

    def outcome(self) -> str:
        """What was answered, in a word or two; empty for nothing."""
        if self.refused:
            first = self.refused[0]
            return f"{first.outcome}: {first.code}" if first.code else first.outcome
        return "accepted" if self.answers else ""

    def sentence(self, cast: Cast) -> str:
        said = f"{cast.name(self.device) or 'The service'} "
        said += "sends" if self.entries or self.answers else "writes"
        said += f" {self.label(cast)}"
        where = [f"{in_words(seqs)} of {name}'s log" for name, seqs in self.entries.items()]
        if where:
            said += f": now {listed(where)}"
        return f"{said}; {self.outcome()}" if self.outcome() else said


@dataclass(kw_only=True)
class Answering(Moment):
    """Answers that come later than their messages."""

    answers: list[Answer]

    def words(self, cast: Cast) -> str:
        """What is said of which message."""
        first = self.answers[0]
        numbers = in_words(
            int(number)
            for number in (each.message.rpartition("#")[2] for each in self.answers)
            if number.isdecimal()
        )
        again = ", again" if first.duplicate else ""
        return f"#{numbers} {first.outcome}{': ' + first.code if first.code else ''}{again}"

    def sentence(self, cast: Cast) -> str:
        return f"{cast.name(self.device)} is told: {self.words(cast)}"


@dataclass(kw_only=True)
class Delivery(Moment):
    """Entries prev+1 .. to of a log on their way to a device. arrived_to: the last that came there.
    acked: up to what the device confirmed then."""

    account: str
    epoch: str
    prev: int
    to: int
    arrived_to: int
    acked: int | None = None

    def sentence(self, cast: Cast) -> str:
        name, seqs = cast.name(self.device), in_words(range(self.prev + 1, self.to + 1))
        if self.arrived_to < self.to:
            lost = in_words(range(self.arrived_to + 1, self.to + 1))
            return f"{seqs} is sent to {name}, but {lost} never arrives"
        acked = "" if self.acked is None else f" and confirms up to {self.acked}"
        return f"{name} gets {seqs}{acked}{self._saved_words()}"


@dataclass(kw_only=True)
class Confirming(Moment):
    """A device confirms, or what it confirmed is stored."""

    account: str
    acked: int | None = None

    def sentence(self, cast: Cast) -> str:
        name = cast.name(self.device)
        if self.acked is not None:
            return f"{name} confirms up to {self.acked}{self._saved_words()}"
        return f"The stored cursor of {name} is {self.saved[1] if self.saved else 'unknown'} now"


@dataclass(kw_only=True)
class Turn(Moment):
    """The past of a log changes: it was restored, trimmed, merged."""

    account: str
    text: str
    torn: bool = True

    def sentence(self, cast: Cast) -> str:
        return f"{self.account}'s log: {self.text}"


@dataclass(kw_only=True)
class Remark(Moment):
    """Anything else that befalls a device, an account or the server. where: one of these."""

    where: str
    sign: Sign
    texts: list[str]
    ends: bool = False
    """Whether the device's connection is over with it."""

    def words(self) -> str:
        """What is remarked."""
        return ", ".join(dict.fromkeys(filter(None, self.texts)))

    def sentence(self, cast: Cast) -> str:
        name = cast.name(self.where) if self.where in cast.devices else f"the {self.where}"
        name = self.where if self.where in cast.accounts else name
        return f"{name[:1].upper()}{name[1:]}: {self.words() or 'the connection ends'}"


@dataclass(kw_only=True)
class Heading(Moment):
    """A part of the run begins, or a sentence of the play that nothing visible follows."""

    text: str
    phase: bool = False

    def sentence(self, cast: Cast) -> str:
        return self.text

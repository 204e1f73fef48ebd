"""The device's side of the conversation: events in, commands out, time and chance as arguments.

Used by the SDK, which performs the commands on a real socket and a real store, and by the
simulator, which performs them in virtual time. Nothing here waits. What is done when stands in
client_table.py; here stands what is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from syncd import errors, limits
from syncd.errors import Refusal
from syncd.model import Accepted, AccountId, DeviceId, Outcome, Position, Refused, Seq
from syncd.protocol import client_commands as commands
from syncd.protocol import client_events as events
from syncd.protocol.backoff import Backoff
from syncd.protocol.client_codes import end_of, message_refusal
from syncd.protocol.client_table import TABLE, State
from syncd.protocol.client_verdict import contradicts, mismatch, skipped
from syncd.protocol.outbox import Outbox
from syncd.protocol.place import Place
from syncd.wire import frames

_SILENCE_MAX_S = limits.HEARTBEAT_INTERVAL_S * limits.HEARTBEATS_MISSED_MAX


@dataclass(frozen=True, slots=True)
class Settings:
    """How one client of one run behaves.

    cursor: state nothing and go on at the server's own cursor; acks then follow the application.
    durable: whether the store outlives the process; where it does not, acks follow, too.
    verify_start: stop when the server's start is not where this device stands, else only report.
    """

    token: str
    instance: str
    window: int = limits.WINDOW_BYTES_DEFAULT
    cursor: bool = False
    durable: bool = True
    verify_start: bool = True

    def __repr__(self) -> str:  # a credential has no business in a log
        return f"<Settings {self.instance}>"


class Client:
    """One device, from the opening of its store to the end of its run.

    The caller owes: feed every event that happens, perform every command in order, call again
    with TimePassed when `deadline()` has come, and draw `jitter` evenly from 0 to 1.
    """

    def __init__(self, settings: Settings, jitter: Callable[[], float]) -> None:
        self.state = State.LOADING
        self.place = Place(settings.window, settings.cursor or not settings.durable)
        self.head: Seq = 0
        self.floor: Seq = 0
        """The newest floor that was heard of this past; but for a reset it never falls."""
        self.account: AccountId | None = None
        self.device: DeviceId | None = None
        self.aliases: tuple[AccountId, ...] = ()
        self._settings = settings
        self._instances = frozenset((settings.instance,))
        self._jitter = jitter
        self._backoff = Backoff()
        self._outbox = Outbox()
        self._stated: Position | None = None
        self._judged: frames.Verdict | None = None
        self._held: list[events.Received] = []
        self._unstored = 0  # store commands that must be answered before the next hello
        self._heard_at = 0.0
        self._connect_at = 0.0
        self._fate: commands.StopReason | None = None
        self._unreachable = ""
        self._retry_after_s = 0.0
        self._resending = False
        self._now = 0.0
        self._result: list[commands.ClientCommand] = []

    def __repr__(self) -> str:
        stored = self.place.stored
        seq = "-" if stored is None else stored.seq
        return f"<Client {self.state.value} {self.account}/{self.device} {seq}/{self.head}>"

    def handle(self, event: events.ClientEvent, now: float) -> list[commands.ClientCommand]:
        """What to do about `event`, in order. `now` is monotonic, in seconds."""
        self._now = now
        self._result = []
        self._meet(event)
        return self._result

    def deadline(self) -> float | None:
        """When to call again with TimePassed at the latest; None when time means nothing."""
        times = [self.place.handed_deadline()]
        match self.state:
            case State.LOADING | State.STOPPED:
                return None
            case State.WAITING:
                times.append(None if self._unstored else self._connect_at)
            case State.GREETING | State.JUDGING:
                times.append(self._heard_at + _SILENCE_MAX_S)
            case State.SYNCING:
                times += (self._heard_at + _SILENCE_MAX_S, self.place.ack_deadline())
        return min((time for time in times if time is not None), default=None)

    def _meet(self, event: events.ClientEvent) -> None:
        if isinstance(event, events.Received):
            self._heard_at = self._now
            row = TABLE[self.state, type(event.frame)]
        else:
            row = TABLE[self.state, type(event)]
        before = self.state
        action: Callable[[Any], None] = getattr(self, row.action)
        action(event)
        assert self.state in (row.next or (before,)), f"{before} {event!r} led to {self.state}"

    def _do(self, *asked: commands.ClientCommand) -> None:
        self._result += asked

    # -------------------------------------------------------- opening

    def _load(self, event: events.Loaded) -> None:
        self.account, self.device, self.aliases = event.account, event.device, event.aliases
        self._instances |= event.instances
        self.place.restart(event.position, event.handed, event.era)
        self._connect()

    def _connect(self) -> None:
        self.state = State.CONNECTING
        self._do(commands.Connect())

    def _greet(self, event: events.Connected) -> None:
        self.state, self._heard_at, self._unreachable = State.GREETING, self._now, ""
        asked = self._settings
        self._stated = None if asked.cursor else self.place.statable()
        self._do(
            commands.SendFrame(
                frames.Hello(asked.token, asked.instance, self._stated, asked.cursor, asked.window)
            )
        )

    # -------------------------------------------------------- the verdict

    def _judge(self, event: events.Received) -> None:
        verdict = event.frame
        assert isinstance(verdict, frames.Welcome | frames.Truncated | frames.Reset)
        if foreign := mismatch(verdict, self.account, self.device):
            self._shut(None, foreign)
            return
        if contradicts(verdict, self._stated):
            self._out_of_turn(event)
            return
        if passed_over := skipped(verdict, self._stated, self._settings.cursor):
            if self._settings.verify_start:
                self._shut(None, passed_over)
                return
            self._do(commands.Report(passed_over))
        self.state = State.JUDGING
        self._unstored += 1
        self._do(commands.TakeVerdict(verdict, self.place.handed))
        self._judged = verdict

    def _verdict_taken(self, event: events.VerdictTaken) -> None:
        self.state = State.SYNCING
        self._start_anew(event)
        if not self._resending:
            self._backoff.reset()
        if not self._outbox.in_order():
            self._shut(errors.RESENDING)
        self._send()
        held, self._held = self._held, []
        for received in held:
            self._meet(received)

    def _start_anew(self, event: events.VerdictTaken) -> None:
        verdict = self._judged
        assert verdict is not None
        self._unstored -= 1
        self.account, self.device, self.head = verdict.account, verdict.device, verdict.head
        self.aliases = verdict.aliases
        position = Position(verdict.epoch, verdict.start, verdict.chain)
        here = self.place.received
        if here is None or here.epoch != verdict.epoch or isinstance(verdict, frames.Reset):
            self.floor = 0  # of another past; files copied by hand keep their epoch
        self.place.restart(position, event.handed, event.era)
        self._outbox.replace(event.outbox, event.accepted)
        if event.numbered:
            self._do(commands.Report(commands.Numbered(event.numbered)))
        self._do(commands.Report(commands.Judged(verdict)))
        self._rise(verdict.floor)
        self._report_marks(event.marked)

    def _rise(self, floor: Seq) -> None:
        if floor > self.floor:
            self.floor = floor
            self._do(commands.Report(commands.Floored(floor)))

    def _report_marks(self, marked: events.Marked | None) -> None:
        if marked is not None:
            self._do(commands.Report(marked))

    def _hold(self, event: events.Received) -> None:
        # Bounded by the window and by the answers that we have asked for.
        self._held.append(event)

    # -------------------------------------------------------- delivery

    def _batch(self, event: events.Received) -> None:
        batch = event.frame
        assert isinstance(batch, frames.Batch)
        here = self.place.received
        assert here is not None
        assert self.device is not None
        if batch.prev != here.seq or batch.to - batch.prev != len(batch.entries):
            self._shut(errors.GAP)
            return
        self.head = max(self.head, batch.head)
        position = Position(here.epoch, batch.to, batch.chain)
        echoes = self._outbox.find_echoes(batch.entries, batch.prev, self.device)
        self.place.receive(position, event.size)
        self._unstored += 1
        handed = self.place.save_handed()
        self._do(commands.StoreBatch(batch.prev, batch.entries, position, echoes, handed))

    def _batch_stored(self, event: events.BatchStored) -> None:
        self._unstored -= 1
        self.place.store(event.position, self._now)
        outcomes: list[Outcome] = [
            Accepted(echo.number, echo.seq, False)
            for echo in event.echoes
            if self._outbox.echo(echo.number)
        ]
        if outcomes:
            self._do(commands.Report(commands.Answered(tuple(outcomes))))
        self._report_marks(event.marked)
        self._ack(self._now)
        if event.resent:
            self._outbox.add(event.resent)
            self._send()

    def _heartbeat(self, event: events.Received) -> None:
        heartbeat, here = event.frame, self.place.received
        assert isinstance(heartbeat, frames.Heartbeat)
        assert here is not None
        if (heartbeat.epoch, heartbeat.to) != (here.epoch, here.seq):
            self._shut(errors.GAP)
        else:
            self.head = max(self.head, heartbeat.head)
            self._rise(heartbeat.floor)

    def _ack(self, now: float | None) -> None:
        if self.state is State.SYNCING and (ack := self.place.ack(now)):
            self._do(commands.SendFrame(ack))

    def _handed(self, event: events.Handed) -> None:
        if self.place.hand(event.era, event.seq, self._now):
            self._ack(self._now)

    # -------------------------------------------------------- sending

    def _queued(self, event: events.Queued) -> None:
        self._outbox.add(event.messages)
        self._send()

    def _send(self) -> None:
        if self.state is State.SYNCING:
            self._do(*(commands.SendFrame(frame) for frame in self._outbox.take_frames()))

    def _answers(self, event: events.Received) -> None:
        answers = event.frame
        assert isinstance(answers, frames.Answers)
        outcomes: list[Outcome] = [
            Accepted(each.number, each.seq, each.duplicate) for each in answers.accepted
        ]
        refused = [Refused(each.number, message_refusal(each.code)) for each in answers.refused]
        outcomes += (each for each in refused if not each.refusal.reconnect)
        if outcomes:
            self._unstored += 1
            self._do(commands.StoreAnswers(tuple(outcomes)))
        if any(each.refusal.reconnect for each in refused):
            # The verdict on the next socket says nothing about the disk: keep backing off until
            # a message gets through.
            self._resending = True
            self._shut(errors.RESENDING)

    def _answers_stored(self, event: events.AnswersStored) -> None:
        self._unstored -= 1
        if self._resending and self.state is State.SYNCING:
            self._resending = False
            self._backoff.reset()
        news = tuple(
            outcome
            for outcome in event.outcomes
            if self._outbox.answer(outcome.number, self._awaits_echo(outcome))
        )
        if news:
            self._do(commands.Report(commands.Answered(news)))
        self._send()

    def _awaits_echo(self, outcome: Outcome) -> bool:
        # Without a seq it was trimmed; a seq that was passed will not come again.
        stored = 0 if self.place.stored is None else self.place.stored.seq
        return isinstance(outcome, Accepted) and (outcome.seq or 0) > stored

    # -------------------------------------------------------- signals

    def _signal(self, event: events.Signalling) -> None:
        self._do(commands.SendFrame(event.frame))

    def _signalled(self, event: events.Received) -> None:
        signalled = event.frame
        assert isinstance(signalled, frames.Signalled)
        self._do(commands.Report(commands.Signalled(signalled)))

    # -------------------------------------------------------- time

    def _tick(self, event: events.TimePassed) -> None:
        due = self.place.handed_deadline()
        if due is not None and due <= self._now:
            self._save_handed()
        if self.state is State.WAITING and not self._unstored and self._connect_at <= self._now:
            self._connect()
        elif self.state in (State.GREETING, State.JUDGING, State.SYNCING):
            if self._heard_at + _SILENCE_MAX_S <= self._now:
                self._shut(errors.HEARTBEAT_LOST)
            else:
                self._ack(self._now)

    def _save_handed(self) -> None:
        self._do(commands.StoreHanded(self.place.save_handed()))

    # -------------------------------------------------------- the end of a socket, and of all

    def _out_of_turn(self, event: events.Received) -> None:
        self._shut(errors.OUT_OF_TURN, commands.Ended(errors.OUT_OF_TURN))

    def _malformed(self, event: events.Malformed) -> None:
        self._shut(event.refusal, commands.Ended(event.refusal))

    def _shut(self, refusal: Refusal | None, fate: commands.StopReason | None = None) -> None:
        """Close the socket; then stop for the reason `fate`, or come back where it is None."""
        self.state, self._fate = State.CLOSING, fate
        self._do(commands.Close(refusal))

    def _goodbye(self, event: events.Received) -> None:
        goodbye = event.frame
        assert isinstance(goodbye, frames.Goodbye)
        self._retry_after_s = (goodbye.retry_after or 0) / 1000
        self._shut(None, end_of(goodbye.code, goodbye.instance, self._instances))

    def _lost(self, event: events.Disconnected) -> None:
        self._fate = end_of(event.code, None, self._instances)
        if self.state is State.CONNECTING and event.reason not in ("", self._unreachable):
            self._unreachable = event.reason
            self._do(commands.Report(commands.Unreachable(event.reason)))
        self._closed(event)

    def _closed(self, event: events.Disconnected) -> None:
        self._held.clear()
        self._outbox.end_session()
        if self._fate is not None:
            self._stop(self._fate)
            return
        self.state = State.WAITING
        delay = self._backoff.delay(self._jitter())
        self._connect_at = self._now + self._retry_after_s + delay
        self._retry_after_s = 0.0

    def _leave(self, event: events.CloseRequested) -> None:
        self._ack(None)
        if self.state is State.CLOSING:
            self._fate = commands.Requested()
        else:
            self._shut(None, commands.Requested())

    def _stop_now(self, event: events.CloseRequested) -> None:
        self._stop(commands.Requested())

    def _stop(self, reason: commands.StopReason) -> None:
        if self.place.handed_deadline() is not None:
            self._save_handed()
        self.state = State.STOPPED
        self._do(commands.Stop(reason))

    # -------------------------------------------------------- what needs no thought

    def _pass(self, event: events.ClientEvent) -> None:
        return

    def _impossible(self, event: events.ClientEvent) -> None:
        raise AssertionError(f"{self!r} cannot meet {type(event).__name__}")

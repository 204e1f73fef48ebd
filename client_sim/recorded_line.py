"""A device's line to the server that tells the history what passes, as the device sees it.

It adds nothing and takes nothing away; but what must not happen on an ordered line is complained
about on the spot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from client_sim import history
from client_sim.history import Complaint, Content, Record, fingerprint
from syncd import errors
from syncd.client.line import Dialled, Dialler
from syncd.errors import BY_CLOSE_CODE, BY_MESSAGE_CODE, Refusal
from syncd.model import DeviceId
from syncd.protocol import client_events as events
from syncd.wire import frames

Tell = Callable[[Record], None]

_NEVER = {
    errors.GAP: "explicit-gap",
    errors.MALFORMED_FRAME: "poison-safe",
    errors.WRONG_ENCODING: "poison-safe",
    errors.OUT_OF_TURN: "explicit-gap",
}
"""Why a device closes a line only if somebody made a mistake, and the invariant that it breaks."""


def identity(device: DeviceId | str, number: int) -> str:
    """A message's, as records name it."""
    return f"{device}#{number}"


def content(entry: frames.Entry) -> Content:
    """An entry as records show it."""
    return (
        f"{entry.device}#{entry.number}",
        None if entry.body is None else fingerprint(entry.body, entry.kind, entry.target),
    )


class RecordedDialler:
    """See line.Dialler.

    device: as records name it. now: the clock of the records. sessions: gives each line that says
    hello its number.
    """

    def __init__(
        self,
        dialler: Dialler,
        device: str,
        tell: Tell,
        now: Callable[[], float],
        sessions: Iterator[int],
    ) -> None:
        self.device = device
        self.tell = tell
        self.now = now
        self.sessions = sessions
        self._dialler = dialler

    @property
    def url(self) -> str:
        """See line.Dialler."""
        return self._dialler.url

    def dial(self) -> RecordedDialled:
        """See line.Dialler."""
        return RecordedDialled(self, self._dialler.dial())


class RecordedDialled:
    """See line.Dialled. Its session begins with its hello: what never got so far is not told."""

    def __init__(self, dialler: RecordedDialler, dialled: Dialled) -> None:
        self._device = dialler.device
        self._tell = dialler.tell
        self._now = dialler.now
        self._sessions = dialler.sessions
        self._dialled = dialled
        self._session = 0
        self._epoch = ""
        self._code = ""

    async def connect(self) -> bool:
        """See line.Dialled."""
        return await self._dialled.connect()

    async def receive(self) -> events.Received | events.Malformed | None:
        """See line.Dialled."""
        event = await self._dialled.receive()
        if isinstance(event, events.Received):
            self._hear(event.frame)
        return event

    async def send(self, frame: frames.ClientFrame) -> None:
        """See line.Dialled. Messages are not told here: they are when they enter the outbox."""
        match frame:
            case frames.Ack():
                self._tell(
                    history.Ack(
                        at=self._now(),
                        device=self._device,
                        session=self._session,
                        epoch=frame.epoch.hex(),
                        seq=frame.seq,
                    )
                )
            case frames.Hello():
                self._greet(frame)
        await self._dialled.send(frame)

    def close(self, refusal: Refusal | None) -> None:
        """See line.Dialled."""
        if refusal is not None and not self._code:
            self._code = refusal.name
            if refusal in _NEVER:
                self._complain(f"the device closed its line: {refusal.text}", _NEVER[refusal])
        self._dialled.close(refusal)

    def cut(self) -> None:
        """See line.Dialled."""
        self._dialled.cut()

    async def closed(self) -> None:
        """See line.Dialled."""
        await self._dialled.closed()

    def disconnected(self) -> events.Disconnected:
        """See line.Dialled."""
        ended = self._dialled.disconnected()
        if self._session:
            refusal = BY_CLOSE_CODE.get(ended.code or 0)
            code = self._code or (refusal.name if refusal else "")
            self._tell(
                history.Closed(
                    at=self._now(), device=self._device, session=self._session, code=code
                )
            )
        return ended

    # -------------------------------------------------------- what is told

    def _greet(self, hello: frames.Hello) -> None:
        self._session = next(self._sessions)
        place = hello.position
        self._tell(
            history.Connect(
                at=self._now(),
                device=self._device,
                session=self._session,
                instance=hello.instance,
                epoch=None if place is None else place.epoch.hex(),
                seq=None if place is None else place.seq,
                cursor=hello.cursor,
                window=hello.window,
            )
        )

    def _hear(self, frame: frames.ServerFrame) -> None:
        match frame:
            case frames.Batch():
                self._tell(
                    history.Batch(
                        at=self._now(),
                        device=self._device,
                        session=self._session,
                        epoch=self._epoch,
                        prev=frame.prev,
                        messages=tuple(map(content, frame.entries)),
                        head=frame.head,
                    )
                )
            case frames.Answers():
                self._hear_answers(frame)
            case frames.Welcome() | frames.Truncated() | frames.Reset():
                self._hear_verdict(frame)
            case frames.Goodbye():
                self._code = frame.name

    def _hear_verdict(self, verdict: frames.Verdict) -> None:
        self._epoch = verdict.epoch.hex()
        self._tell(
            history.Verdict(
                at=self._now(),
                device=self._device,
                session=self._session,
                kind=type(verdict).__name__.lower(),
                epoch=self._epoch,
                floor=verdict.floor,
                head=verdict.head,
                start=verdict.start,
                missed=verdict.missed,
                sent=verdict.sent,
                reason=verdict.reason if isinstance(verdict, frames.Reset) else "",
            )
        )

    def _hear_answers(self, answers: frames.Answers) -> None:
        now = self._now()
        for accepted in answers.accepted:
            self._tell(
                history.Answer(
                    at=now,
                    device=self._device,
                    message=identity(self._device, accepted.number),
                    outcome="accepted",
                    seq=accepted.seq,
                    duplicate=accepted.duplicate,
                    session=self._session,
                )
            )
        for refused in answers.refused:
            refusal = BY_MESSAGE_CODE.get(refused.code)
            self._tell(
                history.Answer(
                    at=now,
                    device=self._device,
                    message=identity(self._device, refused.number),
                    outcome="refused",
                    code=refusal.name if refusal else str(refused.code),
                    definite=refusal is None or not refusal.reconnect,
                    session=self._session,
                )
            )

    def _complain(self, text: str, judge: str) -> None:
        self._tell(Complaint(at=self._now(), whose=self._device, text=text, judge=judge))

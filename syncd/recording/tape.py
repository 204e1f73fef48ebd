"""One socket in a journal: what its session heard and said, as records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from syncd.errors import BY_MESSAGE_CODE
from syncd.model import AccountId, Kind, members_of_direct
from syncd.protocol import commands, events
from syncd.protocol.session import Session
from syncd.recording.journal import Fields, Journal, content, fingerprint, named
from syncd.wire.codec import unpack_entries
from syncd.wire.frames import Answers, Hello, Message, Reset, Send, Truncated, Welcome

GOODBYE = "goodbye"
"""The code of a socket that its device closed as one should."""

_QUEUED_LEAST_BYTES = 16 * 1024
_OWN_LOG_ONLY = (Kind.DELETE, Kind.READ)


class Tape:
    """Made with its socket; told of every event of the session and of what followed."""

    __slots__ = ("_code", "_epoch", "_hello", "_journal", "_most", "_number", "_tell_at")

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._number = journal.next_session()
        self._hello: Hello | None = None
        self._epoch = ""
        self._most = 0
        self._tell_at = _QUEUED_LEAST_BYTES
        self._code = ""

    def note(self, session: Session, event: events.Event, done: Sequence[commands.Command]) -> None:
        """The event has happened to the session, and this is about to be done."""
        told = [*self._happened(session, event)]
        for command in done:
            told += self._follows(session, command)
        self._tell(session, told)

    def queued(self, session: Session, waiting: int) -> None:
        """So many bytes wait for the socket. Told at its end, and when they are twice as many as
        was told before."""
        self._most = max(self._most, waiting)
        if waiting >= self._tell_at and session.device:
            self._tell_at = waiting * 2
            self._tell(session, [{"what": "queued", "bytes": waiting}])

    def closed(self, session: Session, *, said_goodbye: bool) -> None:
        """The socket is gone. said_goodbye: with a close frame of the device."""
        if session.device:
            code = self._code or (GOODBYE if said_goodbye else "")
            queued = {"what": "queued", "bytes": self._most}
            self._tell(session, [queued, {"what": "closed", "code": code}])

    def _tell(self, session: Session, records: list[Fields]) -> None:
        whose = {"device": session.device, "session": self._number}
        self._journal.tell_all([record | whose for record in records])

    # -------------------------------------------------------- from the device

    def _happened(self, session: Session, event: events.Event) -> Iterator[Fields]:
        match event:
            case events.Received(frame=Hello() as hello):
                self._hello = hello  # whose it is will be known when its token is
            case events.Admitted(account, device):
                self._journal.meet(device, account)
                yield self._connect()
            case events.Opened(opening):
                yield {"what": "opened", "generation": opening.generation}
            case events.Received(frame=Send(messages)):
                for message in messages:
                    yield _sent(session, message)

    def _connect(self) -> Fields:
        hello, self._hello = self._hello, None
        assert hello is not None, "who is admitted has said hello"
        place = hello.position
        return {
            "what": "connect",
            "instance": hello.instance,
            "epoch": None if place is None else place.epoch.hex(),
            "seq": None if place is None else place.seq,
            "cursor": hello.cursor,
            "window": hello.window,
        }

    # -------------------------------------------------------- to the device

    def _follows(self, session: Session, command: commands.Command) -> Iterator[Fields]:
        match command:
            case commands.Deliver(prev, page):
                entries = unpack_entries(page.to - prev, page.entries)
                yield {
                    "what": "batch",
                    "epoch": self._epoch,
                    "prev": prev,
                    "messages": [content(entry) for entry in entries],
                    "head": page.head,
                }
            case commands.Reply(Welcome() | Truncated() | Reset() as verdict):
                self._epoch = verdict.epoch.hex()
                yield {
                    "what": "verdict",
                    "kind": type(verdict).__name__.lower(),
                    "epoch": self._epoch,
                    "floor": verdict.floor,
                    "head": verdict.head,
                    "start": verdict.start,
                    "missed": verdict.missed,
                    "sent": verdict.sent,
                    "reason": verdict.reason if isinstance(verdict, Reset) else "",
                }
            case commands.Reply(Answers() as answers):
                yield from _answers(session, answers)
            case commands.SaveCursor(mark):
                yield {"what": "ack", "epoch": mark.epoch.hex(), "seq": mark.seq}
            case commands.Close(refusal):
                self._code = refusal.name


def audience(account: AccountId, kind: int, conversation: str) -> list[AccountId]:
    """Whose logs get a message of this account; none where that is for a group to say."""
    if kind in _OWN_LOG_ONLY:
        return [account]
    direct = members_of_direct(conversation)
    return [] if direct is None else sorted({account, *direct})


def _sent(session: Session, message: Message) -> Fields:
    return {
        "what": "send",
        "message": named(session.device, message.number),
        "body": fingerprint(message.body, message.kind, message.target),
        "to": audience(session.account, message.kind, message.conversation),
        "kind": message.kind,
        "conversation": message.conversation,
        "size": len(message.body),
    }


def _answers(session: Session, answers: Answers) -> Iterator[Fields]:
    for accepted in answers.accepted:
        yield {
            "what": "answer",
            "message": named(session.device, accepted.number),
            "outcome": "accepted",
            "seq": accepted.seq,
            "duplicate": accepted.duplicate,
        }
    for refused in answers.refused:
        refusal = BY_MESSAGE_CODE[refused.code]
        yield {
            "what": "answer",
            "message": named(session.device, refused.number),
            "outcome": "refused",
            "code": refusal.name,
            "definite": not refusal.reconnect,
        }

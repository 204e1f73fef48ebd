"""Plays for the server's session: what happens, and what it must ask for, as one chain.

    Playbook().event(Received(hello, 0)).commands(Authenticate("token"))

The rules of a play are those of tests/playbook.py; here an event's commands are said all at once.
"""

from __future__ import annotations

from typing import Any

from syncd import chain
from syncd.model import (
    AccountId,
    CursorScope,
    Epoch,
    Opening,
    OpeningRequest,
    Position,
    Seq,
    VerdictNote,
)
from syncd.protocol import commands, events
from syncd.protocol.session import Session
from syncd.protocol.session_table import State
from syncd.wire.frames import Ack, ClientFrame, Hello, Welcome
from tests import playbook
from tests.drafts import ALICE, EPOCH, PHONE

WINDOW = 65_536
INSTANCE = "00112233aabbccdd"
TOKEN = "a token"
NOWHERE = chain.shown(chain.GENESIS)


class Playbook(playbook.Playbook):
    """One session in a play. `now` is the play's clock; set it to let time pass."""

    def __init__(self, scope: CursorScope = CursorScope.DEVICE) -> None:
        self.session = Session(scope, 100.0)
        super().__init__(self.session, 100.0)

    def event(self, event: events.Event) -> Playbook:
        """This happens."""
        self >> event
        return self

    def frame(self, frame: ClientFrame) -> Playbook:
        """The client sends this."""
        return self.event(events.Received(frame, 0))

    def ack(self, seq: Seq, epoch: Epoch = EPOCH) -> Playbook:
        """The client acknowledges up to `seq`."""
        return self.frame(Ack(epoch, seq))

    def commands(self, *expected: commands.Command) -> Playbook:
        """The session asks for exactly this."""
        for command in expected:
            self << command
        self.end()
        return self

    def none(self) -> Playbook:
        """The session asks for nothing."""
        return self.commands()

    def ends_in(self, state: State) -> Playbook:
        """The session is in this state, and all was said."""
        self.end()
        assert self.session.state is state
        return self


def hello(position: Position | None = None, *, cursor: bool = False) -> Hello:
    return Hello(TOKEN, INSTANCE, position, cursor, WINDOW)


def opening(
    head: Seq = 0,
    *,
    floor: Seq = 0,
    generation: int = 1,
    sent: int = 0,
    stated_chain: Any = None,
    cursor: Seq | None = None,
    cursor_chain: Any = None,
    outdated: bool = False,
    aliases: tuple[AccountId, ...] = (),
    merged_epochs: frozenset[Epoch] = frozenset(),
) -> Opening:
    return Opening(
        generation=generation,
        epoch=EPOCH,
        floor=floor,
        floor_chain=NOWHERE,
        head=head,
        sent=sent,
        stated_chain=stated_chain,
        cursor=cursor,
        cursor_chain=cursor_chain,
        cursor_outdated=outdated,
        aliases=aliases,
        merged_epochs=merged_epochs,
    )


def greeting(play: Playbook) -> Playbook:
    """The session as it is when its socket opens."""
    return play


def admitting(play: Playbook, asked: Hello | None = None) -> Playbook:
    """Up to the hello."""
    return play.frame(asked or hello()).commands(commands.Authenticate(TOKEN))


def opened(play: Playbook, asked: Hello | None = None) -> Playbook:
    """Up to the question to storage."""
    asked = asked or hello()
    stated = None if asked.position is None else asked.position.seq
    return (
        admitting(play, asked)
        .event(events.Admitted(ALICE, PHONE, 1))
        .commands(commands.Open(OpeningRequest(ALICE, PHONE, 1, INSTANCE, stated)))
    )


def live(play: Playbook | None = None) -> Playbook:
    """An empty log, a device that holds nothing: welcome, and nothing to read."""
    welcome = Welcome(ALICE, PHONE, EPOCH, 0, 0, 0, NOWHERE, 0, 0)
    return (
        opened(play or Playbook())
        .event(events.Opened(opening()))
        .commands(commands.NoteVerdict(VerdictNote(PHONE, 1, "welcome")), commands.Reply(welcome))
    )


def closed(play: Playbook) -> Playbook:
    """A session whose socket is gone."""
    return play.event(events.Disconnected()).none()

"""Who is connected: all sockets, and the newest one of each device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from syncd.errors import Refusal
from syncd.model import AccountId, DeviceId
from syncd.protocol import events
from syncd.protocol.session import Session
from syncd.protocol.session_table import State
from syncd.wire.frames import Signalled


class Connection(Protocol):
    """The interpreter of one session, whatever its socket is made of."""

    session: Session

    def handle(self, event: events.Event, now: float | None = None) -> None:
        """Feed one event and perform what follows. Never raises."""

    def signalled(self, signal: Signalled) -> None:
        """Pass a signal on, unless the line is busy."""

    def look_for_stall(self, now: float) -> None:
        """Notice a socket that accepted no byte for too long."""

    def abort(self) -> None:
        """Drop the socket without a word."""


class LiveConnections:
    """Who is connected: for fencing, for revocation, and to say goodbye when the server stops."""

    def __init__(self) -> None:
        self._all: dict[Connection, None] = {}  # in the order in which they came
        self._by_device: dict[DeviceId, Connection] = {}
        self._by_account: dict[AccountId, dict[DeviceId, Connection]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def all(self) -> tuple[Connection, ...]:
        """Every socket there is now, in the order in which they came."""
        return tuple(self._all)

    def enter(self, connection: Connection) -> None:
        """A socket was opened."""
        self._all[connection] = None

    def leave(self, connection: Connection) -> None:
        """A socket is gone."""
        self._all.pop(connection, None)
        session = connection.session
        if self._by_device.get(session.device) is connection:
            del self._by_device[session.device]
        devices = self._by_account.get(session.account, {})
        if devices.get(session.device) is connection:
            del devices[session.device]
            if not devices:
                del self._by_account[session.account]

    def of(self, account: AccountId) -> tuple[tuple[DeviceId, Connection], ...]:
        """The newest socket of each connected device of the account; some may be closing."""
        return tuple(self._by_account.get(account, {}).items())

    def take_over(self, connection: Connection, generation: int) -> None:
        """A session took a generation: the older one of its device is fenced.

        Also where the taker is gone already: the older session can no longer append or ack.
        """
        session = connection.session
        other = self._by_device.get(session.device)
        if other is not None and other.session.generation > generation:
            connection.handle(events.Superseded(other.session.instance))
            return
        if session.state is State.LIVE:
            self._by_device[session.device] = connection
            self._by_account.setdefault(session.account, {})[session.device] = connection
        if other is not None:
            other.handle(events.Superseded(session.instance))

    def end(self, device: DeviceId, refusal: Refusal) -> None:
        """The right of a device's session ended."""
        # All of them: one whose opening was committed just before has not entered `_by_device` yet.
        for connection in self.all():
            if connection.session.device == device:
                connection.handle(events.Ended(refusal))

    def end_all(
        self, over: Mapping[DeviceId, Refusal], sessions: Mapping[DeviceId, int | None]
    ) -> None:
        """The rights of these devices are over, as of the time when they had these sessions: who
        logged in anew meanwhile, goes on."""
        for connection in self.all():
            session = connection.session
            refusal = over.get(session.device)
            if refusal is not None and session.credential == sessions[session.device]:
                connection.handle(events.Ended(refusal))

    def drain(self) -> None:
        """Say goodbye to everybody."""
        for connection in self.all():
            connection.handle(events.Draining())

    def abort(self) -> None:
        """Drop everybody without a word: nothing may be answered any more."""
        for connection in self.all():
            connection.abort()


def sessions_of(connections: Iterable[Connection]) -> Mapping[DeviceId, int | None]:
    """The devices of those that were let in, with the version of the token of each."""
    return {
        connection.session.device: connection.session.credential
        for connection in connections
        if connection.session.state in (State.OPENING, State.LIVE)
    }

"""The line to the server as the interpreter sees it: frames out, frames in, an end.

socket.py has the real one; a simulator has lines that take any time and end at any byte.
"""

from __future__ import annotations

from typing import Protocol

from syncd.errors import Refusal
from syncd.protocol import client_events as events
from syncd.wire.frames import ClientFrame


class Dialled(Protocol):
    """One connection: `connect`, then `receive` until None, then `disconnected` says why."""

    async def connect(self) -> bool:
        """Whether a connection in the right subprotocol came to be."""

    async def receive(self) -> events.Received | events.Malformed | None:
        """The next frame; None when the connection is gone."""

    async def send(self, frame: ClientFrame) -> None:
        """Send a frame; on a connection that is gone it is lost, as it may be on any. Never waits
        for the peer to read."""

    def close(self, refusal: Refusal | None) -> None:
        """Begin to close (or give up connecting), with this code; `receive` will return None."""

    def cut(self) -> None:
        """Close without a word, at once."""

    async def closed(self) -> None:
        """Wait until what `close` or `cut` began has ended."""

    def disconnected(self) -> events.Disconnected:
        """How it ended."""


class Dialler(Protocol):
    """Knows where to connect to, and makes connections one after the other."""

    @property
    def url(self) -> str:
        """The server's address, for people."""

    def dial(self) -> Dialled:
        """A connection that is still to be made."""

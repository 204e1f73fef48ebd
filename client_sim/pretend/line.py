"""Pretended connections: the real codec's bytes, in order, late, cut anywhere, silent or stalled.

A Link is the network of one device, and what holds for all its connections; a Line is one of them,
between a PretendDialled (the client's end, see syncd/client/line.py) and a seat at the server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from client_sim.pretend.direction import Direction, End, Piece
from client_sim.pretend.world import World

_LATENCY_MIN_S = 0.001
_LATENCY_MAX_S = 0.3
_CLIENT_HANDSHAKE_S = 3.0
_SERVER_HANDSHAKE_S = 5.0
"""How long either side waits for the other's close frame."""
_LOOK_AGAIN_S = 0.05
_LATE_MAX_S = 30.0
"""How long frames of an abandoned line wait for a new line to come after."""


class Seat(Protocol):
    """The server's end of a line."""

    def arrive(self, data: bytes) -> None:
        """A frame came."""

    def gone(self) -> None:
        """The line is dead, or the client closed it. May be told twice."""

    def crowded(self) -> bool:
        """Whether it takes nothing more at the moment."""


class Place(Protocol):
    """One run of the server's process."""

    frozen: bool

    def welcome(self, line: Line) -> Seat:
        """A connection was accepted."""


class ClientEnd(Protocol):
    """The client's end of a line."""

    def arrive(self, data: bytes) -> None:
        """A frame came."""

    def ended(self, end: End) -> None:
        """The line is dead, or the server closed it. May be told twice."""


class Link:
    """The network of one device: `name` in the play, `device` in records. `place` answers which
    server process runs now, if any."""

    def __init__(
        self, world: World, name: str, device: str, place: Callable[[], Place | None]
    ) -> None:
        self.world = world
        self.device = device
        self.place = place
        self.random = world.chance(f"line {name}")
        self.plugged = True
        self.stalled = False
        self.delay_s = 0.0
        self.line: Line | None = None
        """The newest one, dead or not."""
        self.abandoned: list[object] = []
        """Ends that belong to dead processes: kept, so that nobody sweeps them up."""
        self._due_cuts: list[int] = []
        self._late: list[Line] = []

    def latency(self) -> float:
        """How long a piece is under way: mostly short, now and then long."""
        skewed = self.random.random() ** 4
        return self.delay_s + _LATENCY_MIN_S + _LATENCY_MAX_S * skewed

    def opened(self, line: Line) -> None:
        """A new connection was accepted."""
        before, self.line = self.line, line
        if before is not None and before.left is not None:
            # It ended in another way: the cut that was meant for it is for the next one.
            self._due_cuts.append(before.left)
            before.left = None
        if self._due_cuts:
            self._due_cuts.sort()
            line.cut_after(self._due_cuts.pop(0))

    def greeted(self) -> None:
        """The first frame of the newest line was taken: now late ones of older lines come."""
        late, self._late = self._late, []
        for line in late:
            self.world.loop.call_later(self.latency(), line.let_go)

    def hold(self, line: Line) -> None:
        """Keep what an abandoned line still carries until the next one was greeted, or given up."""
        self._late.append(line)
        self.world.loop.call_later(_LATE_MAX_S, line.let_go)

    # -------------------------------------------------------- what befalls it

    def cut(self, after_bytes: int) -> None:
        """See House.cut."""
        if self.line is not None and self.line.alive:
            self.line.cut_after(after_bytes)
        else:
            self._due_cuts.append(after_bytes)

    def unplug(self) -> None:
        """See House.unplug."""
        self.plugged = False
        if self.line is not None:
            self.line.silent = True

    def unstall(self) -> None:
        """See House.unstall."""
        self.stalled = False
        if self.line is not None:
            self.line.down.release()


class Line:
    """One connection, from its acceptance until both ends know that it is over."""

    def __init__(self, link: Link, place: Place, client: ClientEnd) -> None:
        self.link = link
        self.place = place
        self.silent = False
        """Nothing passes any more, in either direction, and nobody is told."""
        self._client = client
        self._held = False
        self._deaf = False
        self._is_cut = False
        self._greeted = False
        self.left: int | None = None
        """Bytes that still pass before a cut that was asked for."""
        self._looking = False
        loop = link.world.loop
        self.up = Direction(loop, self._taken_up, self._blocked_up, link.latency)
        self.down = Direction(loop, self._taken_down, self._blocked_down, link.latency)
        self._seat = place.welcome(self)
        link.opened(self)

    @property
    def alive(self) -> bool:
        """Whether both ends can still speak."""
        return self.up.open and self.down.open and not self.silent

    # -------------------------------------------------------- the client's side

    def send_up(self, data: bytes) -> None:
        """The client sends a frame."""
        if self.up.open and self._passes(len(data)):
            self.up.put(data)
            if self.link.world.befalls("frame_late", self.link.device):
                self._go_stale()

    def _go_stale(self) -> None:
        """The client has lost it and the server does not know: what is under way comes late."""
        self._held = self._deaf = self._is_cut = True
        self.up.open = False
        link = self.link
        link.hold(self)
        link.world.loop.call_later(link.latency(), self._client.ended, End())

    def close_up(self, code: int) -> None:
        """The client begins to close."""
        self.up.put(End(code))
        self.link.world.loop.call_later(_CLIENT_HANDSHAKE_S, self._client.ended, End())

    def abandon(self) -> None:
        """The client's process died; the network may keep what it had sent for a while."""
        if self.alive and len(self.up) and self.link.world.befalls("frame_late", self.link.device):
            self._go_stale()
        else:
            self.cut()

    def cut(self) -> None:
        """It ends without a word: what is under way is lost from somewhere on."""
        if self.silent or self._is_cut:
            return
        self._is_cut = True
        for direction in (self.up, self.down):
            direction.cut(self.link.random.randint(0, len(direction)))
            direction.end()

    def let_go(self) -> None:
        """What was held back arrives now."""
        self._held = False
        self.up.release()

    # -------------------------------------------------------- the server's side

    def send_down(self, data: bytes) -> None:
        """The server sends a frame."""
        if self.down.open and self._passes(len(data)):
            self.down.put(data)

    def close_down(self, code: int, reason: str) -> None:
        """The server closes, behind what it sent."""
        self.down.put(End(code, reason))
        self.link.world.loop.call_later(_SERVER_HANDSHAKE_S, self._seat.gone)

    def abort(self) -> None:
        """The server drops it: nothing under way is kept."""
        self.up.cut()
        self.down.cut()
        self.link.world.loop.call_later(self.link.latency(), self._client_lost)
        self._seat.gone()

    def died(self) -> None:
        """The server's process is dead; its machine says so."""
        self.up.cut()
        if not self.silent:
            self.down.cut(self.link.random.randint(0, len(self.down)))
            self.down.end()

    @property
    def waiting(self) -> int:
        """Bytes that the client's side does not take."""
        return self.down.size if self._blocked_down() else 0

    # -------------------------------------------------------- what passes

    def cut_after(self, count: int) -> None:
        """End it once so many more bytes were sent, inside a frame or between two."""
        if count == 0 and self._greeted:
            self._cut_now(f"at once, in {len(self.up)} and {len(self.down)} frames under way")
        else:
            self.left = count

    def _cut_now(self, detail: str) -> None:
        self.link.world.fault("cut", self.link.device, detail)
        self.cut()

    def _passes(self, size: int) -> bool:
        """Whether a frame gets on its way, and is not what a cut falls into."""
        if self.link.world.befalls("frame_cut", self.link.device):
            self.cut()
            return False
        if self.left is not None:
            self.left -= size
            if self.left < 0:
                self.left = None
                self._cut_now("inside a frame")
                return False
        return True

    def _blocked_up(self) -> bool:
        if self.silent or self._held or self.place.frozen:
            return True
        if not self._seat.crowded():
            return False
        if not self._looking:
            self._looking = True
            self.link.world.loop.call_later(_LOOK_AGAIN_S, self._look_again)
        return True

    def _look_again(self) -> None:
        self._looking = False
        self.up.release()

    def _blocked_down(self) -> bool:
        return self.silent or self._deaf or self.link.stalled

    def _taken_up(self, piece: Piece) -> None:
        if isinstance(piece, End):
            if piece.code is not None:
                self.down.put(piece)
            self._seat.gone()
            return
        first, self._greeted = not self._greeted, True
        self._seat.arrive(piece)
        if first:
            self.link.greeted()

    def _taken_down(self, piece: Piece) -> None:
        if isinstance(piece, End):
            if piece.code is not None:
                self.up.put(piece)
            self._client.ended(piece)
        else:
            self._client.arrive(piece)

    def _client_lost(self) -> None:
        if not self.silent:
            self._client.ended(End())

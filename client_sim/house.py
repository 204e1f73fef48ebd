"""Where a play takes place: a server, lines to it, stores of devices, and all that may befall them.

The pretend world, the live one and other people's servers are houses; director.py knows this door
only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from client_sim.evidence import Evidence
from client_sim.history import History, Record
from syncd.client.line import Dialler
from syncd.client.store import ClientStore


class CannotDo(Exception):
    """This house has no way to do that. The text says why."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device that the server made, and what it logs in with; neither the token nor the secret is
    the business of any record.

    account, secret: of a device that logged in by itself.
    """

    device: str
    token: str
    account: str = ""
    secret: str = ""

    def __repr__(self) -> str:
        return f"Enrolled(device={self.device!r})"


class Player(Protocol):
    """One device of the cast and whoever uses it. actor.py has the one with our own client.

    Every method returns when its doing is done; what cannot end (a send while the network is gone)
    is begun by it and goes on by itself, and is over with the device's process at the latest.
    """

    name: str
    account: str
    device: str
    """Its id, as records name it."""

    @property
    def online(self) -> bool:
        """Whether its app runs."""

    async def log_in(self) -> None:
        """Start the app with its store; returns when it has everything, or was turned away, or
        after a while. Nothing where it runs."""

    async def log_out(self) -> None:
        """Say goodbye and end the app. Nothing where it does not run."""

    async def die(self) -> None:
        """The app's process ends between two of its steps."""

    async def end(self) -> None:
        """It dies, and never logs in again: another device has its place."""

    def admit(self, enrolled: Enrolled) -> None:
        """It logged in again, perhaps to another account: with the next `log_in` its app has the
        new token, also where it runs."""

    async def send(self, address: str, count: int, size: int, to: tuple[str, ...]) -> None:
        """Write so many messages, of so many bytes or more, to an account or a group. to: the
        accounts whose logs must hold them; empty where that is for the server to say."""

    async def edit(self) -> None:
        """A new body for the last message of its own that was accepted."""

    async def recall(self) -> None:
        """Nobody shall show the last message of its own any more."""

    async def delete(self) -> None:
        """The own devices shall not show what came last."""

    async def read(self) -> None:
        """Everything in every conversation is read."""

    async def create(self, group: str, accounts: tuple[str, ...]) -> None:
        """Make a group of these and itself."""

    async def add(self, account: str, group: str) -> None:
        """One more member."""

    async def remove(self, account: str, group: str) -> None:
        """One member fewer."""

    async def leave(self, group: str) -> None:
        """Its account is no member any more."""

    def settled(self, head: int) -> bool:
        """Whether nothing of it is under way: its app does not run or was turned away for good, or
        it has everything up to `head` and no message of its own without an answer."""

    async def remains(self) -> Record:
        """Its Holds record. After this nothing else is asked of it."""


class House(Protocol):
    """One house, open from `open` to `close`. Devices are named as in the play."""

    world: str
    """What it is called in records."""
    history: History

    async def open(self) -> None:
        """Build it; the server runs."""

    async def close(self) -> None:
        """End everything that was begun. Idempotent."""

    def now(self) -> float:
        """Seconds on the clock by which its records are told."""

    async def wait(self, seconds: float) -> None:
        """Let time pass."""

    # ------------------------------------------------------------ devices

    async def enrol(self, account: str, name: str, platform: str) -> Enrolled:
        """Make a device of an account, which is made where there is none."""

    async def log_in(
        self, name: str, platform: str, kept: Enrolled | None, evidence: Evidence
    ) -> Enrolled:
        """Log an installation in; what it has from now on. kept: what it has from its last login.
        Asked again with new evidence where the server dies of it. Raises LoginRefused."""

    async def sign_out(self, account: str) -> None:
        """End the sessions of all devices of an account; they may log in again."""

    async def merge(self, guest: str, account: str) -> None:
        """Merge two accounts by an operator's word. Raises LoginRefused where that cannot be."""

    def dialler(self, name: str) -> Dialler:
        """The line of this device to the server."""

    async def shelve(self, name: str) -> ClientStore:
        """The device's durable store, as its last run left it; an empty one for a new device. It is
        its taker's to close; a run that is killed does not."""

    async def abandon(self, name: str) -> None:
        """The device's process dies now: no step of it has an effect any more, its socket is cut,
        its store keeps what was durable."""

    async def forget(self, name: str) -> None:
        """Its store is gone. Nobody has it open."""

    async def copy(self, name: str) -> None:
        """Put its store aside as it is now; open or not."""

    async def set_back(self, name: str) -> None:
        """Its store is the copy again. Nobody has it open."""

    async def clone(self, name: str, other: str) -> None:
        """`other` has a store of its own with what the store of `name` holds now."""

    # ------------------------------------------------------------ lines

    async def cut(self, name: str, after_bytes: int = 0) -> None:
        """End the device's connection without a word, once so many more bytes have passed. Where
        there is none, the next one gets it."""

    async def unplug(self, name: str) -> None:
        """From now on nothing passes in either direction, and nobody is told."""

    async def plug(self, name: str) -> None:
        """New connections are carried again; the old one stays dead."""

    async def stall(self, name: str) -> None:
        """The device takes no byte from its socket any more."""

    async def unstall(self, name: str) -> None:
        """It does."""

    async def delay(self, name: str, milliseconds: int) -> None:
        """Every byte takes so much longer, in either direction. 0 ends it."""

    # ------------------------------------------------------------ the server

    async def start_server(self) -> None:
        """Start it on what its store holds; nothing where it runs."""

    async def stop_server(self) -> None:
        """Let it drain and end."""

    async def kill_server(self) -> None:
        """End it between two of its steps."""

    async def freeze_server(self) -> None:
        """It does nothing and answers nothing, but its sockets stay."""

    async def thaw_server(self) -> None:
        """It goes on as if nothing had been."""

    async def fill_disk(self) -> None:
        """No append fits."""

    async def free_disk(self) -> None:
        """Appends fit."""

    async def slow_disk(self) -> None:
        """Every commit takes long."""

    async def fast_disk(self) -> None:
        """The opposite."""

    async def back_up(self) -> None:
        """Keep a copy of the whole store; an older copy is let go."""

    async def restore(self) -> None:
        """The copy becomes the store, by the proper command; the server is stopped for it and
        started. Every log has a new epoch."""

    async def put_back(self) -> None:
        """The copy becomes the store, by hand, with its old epochs; the server is killed for it
        and started."""

    async def trim(self, account: str, keep: int) -> None:
        """Drop all but the newest `keep` entries of the account's log."""

    async def revoke(self, name: str) -> None:
        """End the device's right; returns when the server confirmed it."""

    async def publish(self, account: str, body: bytes) -> None:
        """Send a message to one account from outside any device."""

    async def jump(self, seconds: float) -> None:
        """Set the server's wall clock forward, or back."""

    def calm(self) -> None:
        """From now on there is no weather: no fault happens by itself."""

    # ------------------------------------------------------------ the end

    async def heads(self) -> dict[str, int]:
        """The head of each account's log."""

    async def remains(self) -> Sequence[Record]:
        """The final state of the store: its Log and Cursor records. The server may be stopped."""

"""Everything that the SDK raises, in one tree.

ClientError
 +-- SendRefused        this message was not taken, for ever: see `refusal`
 +-- Closed             the device was closed while somebody waited
 +-- Stopped            the server said: not by yourself; see `refusal`
 |    +-- Fenced        another process uses this device; see `instance`
 |    +-- SignedOut     the token opens nothing any more: log in again; see `merged`
 +-- LoginRefused       nobody was logged in; see `name` and `retryable`
 +-- ServerSkipped      the server would have passed entries over
 +-- StoreError         the local store
      +-- StoreMismatch it belongs to another server, account or device
      |    +-- OtherAccount a login was somebody else's than the store's
      +-- StoreInUse    another process has it open
      +-- StoreUnusable it is no store, of a newer version, or its disk failed
"""

from __future__ import annotations

from syncd.errors import FENCED, SIGNED_OUT, SIGNED_OUT_BY_MERGE, Refusal
from syncd.model import Seq
from syncd.protocol import client_commands as commands


class ClientError(Exception):
    """Any of them."""


class SendRefused(ClientError):
    """The message was not appended and never will be; it concerns this message alone.

    number: the message's, None when it was not even queued (too large).
    """

    def __init__(self, refusal: Refusal, number: int | None = None) -> None:
        super().__init__(f"{refusal.name}: {refusal.text}")
        self.refusal = refusal
        self.number = number


class Closed(ClientError):
    """The device is closed. What was queued stays in a durable store's outbox."""


class Stopped(ClientError):
    """The server ended it with a code that says: do not come back by yourself."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code} {refusal.name}: {refusal.text}")
        self.refusal = refusal


class Fenced(Stopped):
    """Another process uses this device's identity; its instance, where the server named it."""

    def __init__(self, instance: str | None) -> None:
        super().__init__(FENCED)
        self.instance = instance


class SignedOut(Stopped):
    """The device was signed out: by its person, by an operator, by a merge. What is stored stays,
    also what was not sent yet; `log_in` with the same store goes on with it.

    merged: the account is another one's from now on, and only a new login leads there.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.merged = refusal is SIGNED_OUT_BY_MERGE


class LoginRefused(ClientError):
    """No login came of it, and nothing was stored.

    name, text: as PROTOCOL.md tells; `unreachable` where no answer came, or none that can be read.
        Then the server may have done it all the same, and nobody knows its answer: a new login,
        with a new code, ends well.
    retryable: whether a new code may have better luck. retry_after_s: not before, where it is told.
    """

    def __init__(
        self, name: str, text: str, retryable: bool, retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text
        self.retryable = retryable
        self.retry_after_s = retry_after_s


class ServerSkipped(ClientError):
    """The server's start is not where this device stands.

    stated: the seq that this device stated, None when it held nothing (then the log's floor was
    due). start: where the server wanted to begin. missed: how many entries lie between.
    """

    def __init__(self, stated: Seq | None, start: Seq, missed: int) -> None:
        holds = "nothing" if stated is None else f"everything up to {stated}"
        lost = "1 entry" if missed == 1 else f"{missed} entries"
        super().__init__(
            f"this device holds {holds}, but the server starts after {start}: "
            f"{lost} would never have come"
        )
        self.stated = stated
        self.start = start
        self.missed = missed


class StoreError(ClientError):
    """The local store cannot be used."""


class StoreMismatch(StoreError):
    """A store belongs to one device of one account on one server, and this is another."""

    def __init__(self, store: str, asked: str) -> None:
        super().__init__(f"the store belongs to {store}, not to {asked}")
        self.store = store
        self.asked = asked


class OtherAccount(StoreMismatch):
    """The login was another person's than the store's, or another device's: nothing is stored.
    Each account needs a store of its own."""


class StoreInUse(StoreError):
    """Another process (or another device object) has the store open."""


class StoreUnusable(StoreError):
    """The file is no store of ours, or of a newer version, or its disk failed."""


def exception_for(reason: commands.StopReason | BaseException) -> BaseException:
    """What those raise who wait for a device that ended: a fresh one each time, because one that
    several tasks raise collects all their tracebacks. What is an exception already stays it."""
    match reason:
        case commands.Requested():
            return Closed("the device is closed")
        case commands.Skipped(stated, start, missed):
            return ServerSkipped(stated, start, missed)
        case commands.Mismatch(store, token):
            return StoreMismatch(store, token)
        case commands.Ended(refusal, instance) if refusal is FENCED:
            return Fenced(instance)
        case commands.Ended(refusal):
            signed_out = refusal in (SIGNED_OUT, SIGNED_OUT_BY_MERGE)
            return SignedOut(refusal) if signed_out else Stopped(refusal)
        case BaseException():
            return reason

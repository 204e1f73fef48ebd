"""The one door to what is durable: logs, cursors, what was sent, and identity's rows.

Storage speaks the words of model.py and never sees a frame. Everything that changes a log goes
through `commit`, one transaction with one fsync for all that waits; everything that a session
reads comes through `read`, many pages in one call. Backends: `memory` (the specification),
`sqlite` (the embedded default). tests/storage/test_contract.py holds for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from syncd import errors
from syncd.errors import Refusal
from syncd.membership import Members
from syncd.model import (
    EPOCH_BYTES,
    AccountId,
    ConversationId,
    CursorScope,
    Device,
    DeviceId,
    Done,
    Epoch,
    Identity,
    Kind,
    Page,
    ReadRequest,
    Seq,
    Work,
)
from syncd.storage.keeping import Keeping
from syncd.storage.people import People

UNKNOWN_EPOCH = Epoch(bytes(EPOCH_BYTES))
"""The epoch of the page of an account that does not exist: no log ever has it."""


class StorageError(Exception):
    """The environment failed storage.

    definite: nothing of the call was written and service may go on (a full disk before COMMIT,
        rolled back). Otherwise the outcome is unknown: the process must stop and answer nothing.
    refusal: what the messages concerned are answered when the failure is definite.
    """

    def __init__(self, text: str, *, definite: bool, refusal: Refusal | None = None) -> None:
        super().__init__(text)
        self.definite = definite
        self.refusal = refusal


class Damaged(StorageError):
    """What is stored contradicts itself; nothing was written. It stays so until an operator acts,
    and asking again tells the same text."""

    def __init__(self, text: str) -> None:
        super().__init__(text, definite=True, refusal=errors.BUSY)


class StoreRefused(Exception):
    """The store cannot be opened as asked: wrong cursor scope, newer schema, lost pragma."""


class NotErasable(Exception):
    """The entry is no message and no edit. Other bodies are not erased: the text of a change of a
    group, say, is all that tells a device who is in the group. `kind` as in model.Kind."""

    def __init__(self, kind: int) -> None:
        super().__init__(f"an entry of kind {kind} keeps its body")
        self.kind = kind


ERASABLE = frozenset({Kind.MESSAGE, Kind.EDIT})
"""The kinds whose body is nobody's but its author's."""


class Storage(Protocol):
    """What a backend offers. Calls may be concurrent; `commit` calls are serialised inside."""

    @property
    def cursor_scope(self) -> CursorScope:
        """By which key cursors are stored; fixed when the store was made."""

    @property
    def keeping(self) -> Keeping:
        """The door to what retention needs."""

    @property
    def people(self) -> People:
        """The door to what login needs."""

    async def commit(self, work: Work) -> Done:
        """Do all of `work` in one transaction; durable when this returns.

        An account that was merged may be named anywhere, and the one that it was merged into is
        meant; its own log is closed.

        Cursors: a mark of an older generation, an older epoch or beyond the head changes nothing;
        a cursor never falls within its epoch.

        Openings, in order: the device exists, is neither revoked nor signed out, and the credential
        is current (else NOT_AUTHENTICATED for an unknown device or one of another account,
        DEVICE_REVOKED, what it was signed out with, TOKEN_ROTATED; NOT_AUTHENTICATED, too, where
        an embedder vouches under an alias); its generation rises by one; the snapshot is read after
        that.

        Submissions, in order; each draft is judged on its own, first rule that applies:
          a newer generation or revocation -> Superseded for the whole submission;
          number remembered, same content -> Accepted(duplicate=True) with the first seq (None when
            it lies at or below the floor); other content -> CONFLICT;
          number not above the highest -> STALE when as many numbers as are remembered lie above
            it, else SKIPPED;
          the draft's own refusal, then what rules.rule says to it as the logs stand now;
          else the record is appended to every log that the ruling names and the number remembered.
        After a retryable refusal every later draft of that device in the Work gets the same.

        Publications likewise, by (publisher, key): KEY_CONFLICT, the publication's own refusal,
        UNKNOWN_ACCOUNT, rules.rule; an Accepted of a publication has number 0 and the seq in the
        account's log, or None where it went to a group.

        Notes: a verdict's text is kept where the device's generation is still that of the note.

        Raises StorageError. Its caller owes: wake `grown` only after this returned; drafts speak
        for the device's own account.
        """

    async def read(self, requests: Sequence[ReadRequest]) -> list[Page]:
        """Committed pages, one per request, in order. Raises StorageError."""

    async def heads(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, Seq]:
        """The committed head of each account that exists."""

    async def members(self, conversation: ConversationId) -> Members | None:
        """Who is in a group by what is committed; None where there is no such group.

        A group that everybody left has no members, and is there all the same.
        """

    async def trim(self, account: AccountId, before: Seq) -> Seq:
        """Drop the entries below `before` (at most up to the head); the new floor.

        Raises KeyError for an unknown account. A floor never falls.
        """

    async def erase(self, account: AccountId, seq: Seq) -> int:
        """Replace the body of the entry at `seq` by heading.ERASED, in every log that holds the
        same message; in how many logs it was there until now, 0 where it was erased already.

        Header, chain and seq stay. Raises KeyError where the account or the entry does not exist,
        NotErasable where the entry is of no kind in ERASABLE, and StorageError.
        """

    async def edits(self, account: AccountId, seq: Seq) -> Mapping[Seq, Identity]:
        """The edits of the entry at `seq` in the account's log, by their own seq; those whose body
        was erased are left out.

        Raises KeyError where the account or the entry does not exist.
        """

    async def close(self) -> None:
        """Finish what was begun and let go of the files. Idempotent."""

    # ------------------------------------------------------------ identity's rows

    async def create_account(self, account: AccountId) -> bool:
        """Make the account and its empty log, with a fresh epoch; False if it exists."""

    async def create_device(
        self, account: AccountId, device: DeviceId, name: str, platform: str, token_hash: bytes
    ) -> None:
        """Make a device of an account that exists, or of the one that it was merged into, with
        credential 1 and generation 0.

        Raises KeyError for an unknown account, and for a device id or token that is taken.
        """

    async def device_by_token(self, token_hash: bytes) -> Device | None:
        """The device whose current token has this hash, revoked or not."""

    async def devices(self, account: AccountId) -> list[Device]:
        """Every device of the account, or of the one that it was merged into, oldest first. Unknown
        accounts have none."""

    async def change_credential(self, device: DeviceId, token_hash: bytes | None) -> Device:
        """Rotate the device's token, or with None revoke the device for ever.

        Either takes a new generation, so that no older session can append or move a cursor; a new
        token is a new credential. Raises KeyError for an unknown device or a token that is taken.
        """

    async def add_key(self, name: str, key_hash: bytes) -> None:
        """Keep an API key's hash under a name. Raises KeyError when the name is taken."""

    async def key_name(self, key_hash: bytes) -> str | None:
        """The name of the API key with this hash."""

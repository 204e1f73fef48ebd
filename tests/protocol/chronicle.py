"""Logs for folds: entries as a server might hold them, with floors that rise while they grow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st

from syncd.membership import Action, Change, write_change
from syncd.model import AccountId, ConversationId, DeviceId, Identity, Kind, direct
from syncd.notices import Merge, write_notice
from syncd.protocol.aliases import merge_of
from syncd.wire.frames import Entry

ME, BOB, GUEST = AccountId("alice"), AccountId("bob"), AccountId("guest")
DEVICE = DeviceId("d" * 24)
GROUP, DIRECT = ConversationId("friends"), ConversationId("alice~bob")


def entry(
    number: int,
    kind: int = Kind.MESSAGE,
    *,
    account: AccountId = BOB,
    conversation: ConversationId = GROUP,
    target: int | None = None,
    body: bytes | None = b"hello",
) -> Entry:
    """An entry; `target` is the number of another one."""
    identity = None if target is None else Identity(DEVICE, target)
    return Entry(kind, conversation, account, DEVICE, number, identity, 0, body)


@dataclass(frozen=True)
class Chronicle:
    """A log's whole past: each entry, and the floor at the time when it came."""

    entries: tuple[Entry, ...]
    floors: tuple[int, ...]

    @property
    def floor(self) -> int:
        """Where the floor stands in the end."""
        return self.floors[-1] if self.floors else 0

    def told(self) -> Iterator[tuple[int, int, Entry]]:
        """(seq, floor, entry), as a device hears it live."""
        yield from zip(range(1, len(self.entries) + 1), self.floors, self.entries, strict=True)

    def guests(self) -> set[AccountId]:
        """Who was merged into the account in the end."""
        return {told.guest for each in self.entries if (told := merge_of(each))}

    def retained(self) -> list[tuple[int, Entry]]:
        """What a new device is sent."""
        return list(enumerate(self.entries, 1))[self.floor :]


_GUESTS = st.sampled_from([GUEST, AccountId("guest-of-guest")])
_ACCOUNTS = st.sampled_from([ME, BOB, AccountId("carol"), AccountId("")]) | _GUESTS
_CHANGES = st.sampled_from(
    [
        Change(Action.CREATE, (BOB,)),
        Change(Action.ADD, (AccountId("carol"),), (BOB,)),
        Change(Action.REMOVE, (AccountId("carol"),)),
        Change(Action.LEAVE),
    ]
)
_KINDS = st.sampled_from(
    [Kind.MESSAGE] * 5 + [Kind.EDIT, Kind.RECALL, Kind.DELETE, Kind.READ, Kind.SYSTEM]
)


@st.composite
def _notices(draw: st.DrawFn, number: int) -> Entry:
    counts = st.integers(0, 12)
    read = st.dictionaries(st.sampled_from([GROUP, DIRECT]), counts)
    merge = Merge(draw(_GUESTS), ME, draw(counts), draw(read))
    body, notes = write_notice(merge), direct(ME, ME)
    return entry(number, Kind.SYSTEM, account=AccountId(""), conversation=notes, body=body)


@st.composite
def _entries(draw: st.DrawFn, number: int) -> Entry:
    if draw(st.integers(0, 9)) == 0:
        return draw(_notices(number))
    kind = draw(_KINDS)
    aimed = kind not in (Kind.MESSAGE, Kind.SYSTEM)
    body: bytes | None = b"%d" % number
    if kind is Kind.SYSTEM:
        body = draw(_CHANGES.map(write_change) | st.just(b"no change"))
    if draw(st.integers(0, 9)) == 0:
        body = None
    return entry(
        number,
        kind,
        # Mostly what a server lets through; what it refuses must not break a fold either.
        account=draw(_ACCOUNTS) if kind not in (Kind.DELETE, Kind.READ) else ME,
        conversation=draw(st.sampled_from([GROUP, DIRECT])),
        target=draw(st.integers(1, number + 2)) if aimed else None,
        body=body,
    )


@st.composite
def chronicles(draw: st.DrawFn) -> Chronicle:
    """Logs of up to 30 entries, trimmed at any moments."""
    length = draw(st.integers(0, 30))
    entries = tuple(draw(_entries(number)) for number in range(1, length + 1))
    floors: list[int] = []
    for seq in range(1, length + 1):
        before = floors[-1] if floors else 0
        trimmed = draw(st.integers(0, 5)) == 0
        floors.append(draw(st.integers(before, seq)) if trimmed else before)
    return Chronicle(entries, tuple(floors))

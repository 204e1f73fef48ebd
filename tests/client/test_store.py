"""The contract of a store, on every shelf; and chance: the same life gives the same results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd import errors
from syncd.client.exceptions import OtherAccount, StoreMismatch
from syncd.client.store import (
    INSTANCES_MAX,
    Credentials,
    Kept,
    OldEntry,
    Outgoing,
    PendingState,
    Shelf,
    entry_of,
    joined,
)
from syncd.membership import Action, Change, write_change
from syncd.model import Accepted, AccountId, ConversationId, Identity, Kind, Refused
from syncd.protocol import client_commands as commands
from syncd.protocol.client_events import Echo, Loaded, Mark, Marked
from syncd.protocol.outbox import message_of
from syncd.wire import frames
from tests.client.shelves import (
    INSTANCE,
    KINDS,
    SERVER,
    TOKEN,
    begun,
    bodies,
    entry,
    memory,
    outgoing,
    sqlite,
    stores,
)
from tests.protocol.client_plays import (
    ALICE,
    EPOCH,
    NEW_EPOCH,
    OTHER,
    OWN,
    at,
    message,
    reset,
    truncated,
    verdict,
)

WAITING, ACCEPTED, REFUSED = PendingState


@pytest.fixture(name="blank", params=KINDS, ids=lambda kind: kind.__name__)
def blank_shelf(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    with request.param() as made:
        yield made


@pytest.fixture(name="shelf")
def begun_shelf(blank: Shelf) -> Shelf:
    return begun(blank)


def take(shelf: Shelf, frame: Any, handed: int = 0) -> Any:
    return shelf.take_verdict(commands.TakeVerdict(frame, handed))


def answer(shelf: Shelf, *outcomes: Any) -> None:
    command = commands.StoreAnswers(outcomes)
    assert shelf.store_answers(command).outcomes == outcomes


def timed(sent: frames.Entry) -> frames.Entry:
    return msgspec.structs.replace(sent, time=1_234)


def states(shelf: Shelf) -> list[tuple[int | None, PendingState]]:
    return [(each.number, each.state) for each in shelf.pending()]


def marks(shelf: Shelf) -> list[tuple[int, Mark | None]]:
    return [(each.entry.number, each.mark) for each in shelf.old()]


# ---------------------------------------------------------------- whose it is


def test_a_blank_store_knows_nothing(blank: Shelf) -> None:
    own = frozenset((INSTANCE,))
    assert blank.begin(SERVER, INSTANCE, TOKEN) == (Loaded(None, None, None, 0, 0, own), TOKEN)
    assert blank.read(0, 0) is None
    assert blank.pending() == []
    assert blank.old() == []


def test_the_token_is_kept(blank: Shelf) -> None:
    for nothing in (None, ""):
        with pytest.raises(ValueError, match="no token was given"):
            blank.begin(SERVER, INSTANCE, nothing)
    blank.begin(SERVER, INSTANCE, TOKEN)
    assert blank.begin(SERVER, INSTANCE, None)[1] == blank.begin(SERVER, INSTANCE, "")[1] == TOKEN
    assert blank.begin(SERVER, INSTANCE, "newer")[1] == "newer"
    assert blank.begin(SERVER, INSTANCE, None)[1] == "newer"


def test_another_server_is_refused(shelf: Shelf) -> None:
    with pytest.raises(StoreMismatch):
        shelf.begin("ws://elsewhere/v1/sync", INSTANCE, TOKEN)


# ---------------------------------------------------------------- logging in

GUEST = AccountId("guest")


def login(**changes: Any) -> Credentials:
    facts = {"account": ALICE, "device": OWN, "token": "newer", "secret": "a secret"} | changes
    return Credentials(SERVER, **facts)


def test_a_login_is_kept_and_the_next_run_is_its_device(blank: Shelf) -> None:
    assert blank.credentials() == Credentials("", None, None, None, None)
    blank.log_in(login())
    assert blank.credentials() == login()
    loaded, token = blank.begin(SERVER, INSTANCE, None)
    assert (loaded.account, loaded.device, loaded.position, token) == (ALICE, OWN, None, "newer")
    blank.log_in(login(token="newest", secret=None))
    assert blank.credentials() == login(token="newest")


def test_a_login_of_another_device_changes_nothing(shelf: Shelf) -> None:
    before = shelf.credentials()
    for account in (ALICE, GUEST):
        with pytest.raises(OtherAccount):
            shelf.log_in(login(account=account, device=OTHER))
    with pytest.raises(StoreMismatch):
        shelf.log_in(Credentials("ws://elsewhere/v1/sync", ALICE, OWN, "newer", None))
    assert shelf.credentials() == before


def test_a_merge_changes_the_account_with_the_logs_place(blank: Shelf) -> None:
    shelf = begun(blank, account=GUEST)
    [number] = (each.number for each in shelf.enqueue([outgoing()]).messages)
    shelf.store_batch(stores(0, entry(1)))
    shelf.log_in(login())
    assert shelf.credentials() == login(account=GUEST), "its entries are the guest's"
    merged = msgspec.structs.replace(
        reset("merged", floor=0, start=0, head=2), aliases=(GUEST, AccountId("guest-of-guest"))
    )
    done = take(shelf, merged)
    assert [each.number for each in done.outbox] == [number], "what was not sent will be"
    loaded, token = shelf.begin(SERVER, INSTANCE, None)
    assert (loaded.account, loaded.aliases, token) == (ALICE, merged.aliases, "newer")
    assert (loaded.position, loaded.era) == (at(0, NEW_EPOCH), 1)
    assert marks(shelf) == [(1, None)]
    shelf.store_batch(stores(0, entry(1), entry(2), epoch=NEW_EPOCH))
    assert marks(shelf) == []


def test_credentials_are_in_no_text() -> None:
    kept = Kept(token="a token", secret="a secret")
    assert "a token" not in repr(kept) + repr(kept.credentials())
    assert "a secret" not in repr(kept) + repr(kept.credentials())


# ---------------------------------------------------------------- the verdict


def test_a_verdict_tells_whose_it_is_and_where(shelf: Shelf) -> None:
    take(shelf, verdict(floor=5, start=5, head=9), handed=5)
    shelf.store_handed(commands.StoreHanded(7))
    loaded, _ = shelf.begin(SERVER, INSTANCE, None)
    assert loaded == Loaded(ALICE, OWN, at(5), 7, loaded.era, loaded.instances)


def test_every_past_run_is_known_by_its_instance_up_to_a_bound(blank: Shelf) -> None:
    for run in range(INSTANCES_MAX + 5):
        loaded, _ = blank.begin(SERVER, f"run {run}", TOKEN)
        assert f"run {run}" in loaded.instances
    assert loaded.instances == {f"run {run}" for run in range(5, INSTANCES_MAX + 5)}


# ---------------------------------------------------------------- entries


def test_entries_and_position_go_together(shelf: Shelf) -> None:
    done = shelf.store_batch(stores(0, entry(1), entry(2)))
    assert (done.position, done.marked) == (at(2), None)
    shelf.store_batch(stores(2, entry(3), handed=1))
    loaded, _ = shelf.begin(SERVER, INSTANCE, None)
    assert (loaded.position, loaded.handed) == (at(3), 1)
    assert bodies(shelf) == [1, 2, 3]
    assert bodies(shelf, after=1) == [2, 3]
    assert bodies(shelf, after=3) == []
    run = shelf.read(0, 1)
    assert run is not None
    assert (run.era, run.epoch, run.prev) == (0, EPOCH, 1)


def test_a_reader_of_another_era_goes_on_at_the_applications_place(shelf: Shelf) -> None:
    shelf.store_batch(stores(0, entry(1), entry(2), handed=1))
    assert bodies(shelf, era=-1, after=99) == [2]


def test_after_a_hole_reading_goes_on(shelf: Shelf) -> None:
    shelf.store_batch(stores(0, entry(1)))
    take(shelf, verdict(floor=0, start=5, head=6))
    shelf.store_batch(stores(5, entry(6)))
    assert bodies(shelf) == [1, 6]


def test_of_a_welcome_what_lies_beyond_its_start_comes_again(shelf: Shelf) -> None:
    shelf.store_batch(stores(0, entry(1), entry(2), entry(3)))
    shelf.store_batch(stores(3, entry(4)))
    take(shelf, verdict(floor=0, start=2, head=4), handed=3)
    assert bodies(shelf) == [1, 2]
    shelf.store_batch(stores(2, entry(3), entry(4), handed=3))
    assert bodies(shelf) == [1, 2, 3, 4]
    assert bodies(shelf, era=-1) == [4]


# ---------------------------------------------------------------- the outbox


def test_no_number_before_the_first_verdict(blank: Shelf) -> None:
    blank.begin(SERVER, INSTANCE, TOKEN)
    done = blank.enqueue([outgoing(b"one"), outgoing(b"two")])
    assert done.messages == ()
    assert states(blank) == [(None, WAITING), (None, WAITING)]
    taken = take(blank, verdict(start=0, floor=0, sent=7))
    assert taken.numbered == tuple(zip(done.tickets, (8, 9), strict=True))
    assert [(each.number, each.body) for each in taken.outbox] == [(8, b"one"), (9, b"two")]


def test_numbers_rise_above_own_and_sent(shelf: Shelf) -> None:
    assert [each.number for each in shelf.enqueue([outgoing()] * 2).messages] == [1, 2]
    take(shelf, verdict(sent=10))
    assert [each.number for each in shelf.enqueue([outgoing()]).messages] == [11]
    take(shelf, verdict(sent=3))
    assert [each.number for each in shelf.enqueue([outgoing()]).messages] == [12]


def test_from_queued_to_accepted_to_seen(shelf: Shelf) -> None:
    shelf.enqueue([outgoing()])
    assert states(shelf) == [(1, WAITING)]
    answer(shelf, Accepted(1, 5, False))
    assert states(shelf) == [(1, ACCEPTED)]
    assert shelf.pending()[0].seq == 5
    shelf.store_batch(stores(0, entry(1, OWN), echoes=(Echo(1, 1),)))
    assert states(shelf) == []
    answer(shelf, Accepted(1, 5, True))
    assert states(shelf) == []


@pytest.mark.parametrize("seq", [None, 1, 2])
def test_an_accepted_message_without_an_echo_to_come_is_kept_locally(
    shelf: Shelf, seq: int | None
) -> None:
    shelf.enqueue([outgoing(b"mine")])
    shelf.store_batch(stores(0, entry(7), entry(8)))
    answer(shelf, Accepted(1, seq, True))
    assert states(shelf) == []
    [old] = shelf.old()
    assert (old.entry.identity, old.entry.body) == (Identity(OWN, 1), b"mine")
    assert (old.entry.time, old.handed, old.mark) == (0, True, Mark.LOCAL_ONLY)
    # A later loss sends it again, as it does with every marked entry.
    assert [each.number for each in take(shelf, reset(sent=0)).outbox] == [1]


def test_an_accepted_message_whose_echo_is_still_to_come_waits(shelf: Shelf) -> None:
    shelf.enqueue([outgoing()] * 2)
    shelf.store_batch(stores(0, entry(7), entry(1, OWN), echoes=(Echo(1, 2),)))
    answer(shelf, Accepted(1, 2, False), Accepted(2, 3, False))
    assert (states(shelf), shelf.old()) == ([(2, ACCEPTED)], [])


def test_an_old_message_that_is_accepted_without_an_echo_keeps_what_is_known_of_it(
    shelf: Shelf,
) -> None:
    shelf.enqueue([outgoing()])
    answer(shelf, Accepted(1, 1, False))
    shelf.store_batch(stores(0, timed(entry(1, OWN)), echoes=(Echo(1, 1),), handed=0))
    take(shelf, reset(floor=0, start=0, head=5, sent=0))
    answer(shelf, Accepted(1, None, True))
    assert states(shelf) == []
    assert shelf.old() == [OldEntry(timed(entry(1, OWN)), False, Mark.LOCAL_ONLY)]


def test_what_was_accepted_is_not_refused_any_more(shelf: Shelf) -> None:
    shelf.enqueue([outgoing()])
    answer(shelf, Accepted(1, 5, False))
    answer(shelf, Refused(1, errors.STALE))
    assert states(shelf) == [(1, ACCEPTED)]


def test_a_refused_message_stays_until_it_is_forgotten(shelf: Shelf) -> None:
    [ticket] = shelf.enqueue([outgoing()]).tickets
    assert not shelf.forget(ticket)
    answer(shelf, Refused(1, errors.CONFLICT))
    answer(shelf, Accepted(1, 1, False))
    assert states(shelf) == [(1, REFUSED)]
    assert shelf.pending()[0].code == errors.CONFLICT.code
    assert take(shelf, reset(sent=0)).outbox == ()
    assert shelf.forget(ticket)
    assert not shelf.forget(ticket)
    assert states(shelf) == []


def test_a_refused_message_becomes_a_new_one(shelf: Shelf) -> None:
    first, second = shelf.enqueue([outgoing(b"one"), outgoing(b"two")]).tickets
    assert shelf.resend(first) is None, "it waits"
    answer(shelf, Refused(1, errors.NOT_A_MEMBER), Accepted(2, 5, False))
    assert shelf.resend(second) is None, "it is accepted"
    again = shelf.resend(first)
    assert again is not None
    assert again.tickets == (second + 1,)
    assert [(each.number, each.body) for each in again.messages] == [(3, b"one")]
    assert states(shelf) == [(2, ACCEPTED), (3, WAITING)]
    assert shelf.pending()[1].outgoing == outgoing(b"one")
    assert shelf.resend(first) is None
    answer(shelf, Refused(1, errors.NOT_A_MEMBER))
    assert take(shelf, verdict(start=0, floor=0, sent=3)).outbox == again.messages


def test_what_is_about_a_message_that_is_sent_again_is_about_the_new_one(shelf: Shelf) -> None:
    edits = [
        Outgoing(Kind.EDIT, outgoing().conversation, Identity(device, 1), b"edited")
        for device in (OWN, OTHER)
    ]
    tickets = shelf.enqueue([outgoing(), *edits, edits[0]]).tickets
    answer(shelf, *(Refused(number, errors.TARGET_GONE) for number in (1, 2, 3)))
    assert shelf.resend(tickets[0]) is not None
    targets = [each.outgoing.target for each in shelf.pending()]
    # What waits may be under way as it is: its content must not change any more.
    assert targets == [Identity(OWN, 5), Identity(OTHER, 1), Identity(OWN, 1), None]
    again = shelf.resend(tickets[1])
    assert again is not None
    assert again.messages[0].target == Identity(OWN, 5)


# ---------------------------------------------------------------- what came back too early

CLUB, CHOIR = ConversationId("club"), ConversationId("choir")


def change(
    group: ConversationId, action: Action, *members: str, by: str = "carol", number: int = 90
) -> frames.Entry:
    body = write_change(Change(action, tuple(map(AccountId, members))))
    return frames.Entry(Kind.SYSTEM, group, AccountId(by), OTHER, number, None, 0, body)


def too_early(shelf: Shelf) -> list[int]:
    """A restore loses own messages 1 to 6, and all but the last are refused when they come back;
    7 is new and refused alike. The tickets of them all."""
    edit = Outgoing(Kind.EDIT, CLUB, Identity(OWN, 2), b"edited")
    sent = [Outgoing(1, CHOIR, None, b"1"), Outgoing(1, CLUB, None, b"2"), edit]
    sent += [Outgoing(1, CLUB, None, b"%d" % number) for number in (4, 5, 6)]
    shelf.enqueue(sent)
    answer(shelf, *(Accepted(number, number, False) for number in range(1, 7)))
    entries = [
        frames.Entry(each.kind, each.conversation, ALICE, OWN, number, each.target, 0, each.body)
        for number, each in enumerate(sent[:4], 1)
    ]
    shelf.store_batch(stores(0, *entries, echoes=tuple(Echo(each, each) for each in range(1, 5))))
    taken = take(shelf, reset(floor=0, start=0, head=0, sent=0))
    assert [each.number for each in taken.outbox] == [1, 2, 3, 4, 5, 6]
    shelf.enqueue([Outgoing(1, CLUB, None, b"7")])
    codes = {4: errors.FORBIDDEN}
    early = [Refused(number, codes.get(number, errors.NOT_A_MEMBER)) for number in (1, 2, 3, 4, 5)]
    answer(shelf, *early, Accepted(6, 1, False), Refused(7, errors.NOT_A_MEMBER))
    return [each.ticket for each in shelf.pending()]


def test_when_the_group_is_back_what_came_too_early_is_sent_again(shelf: Shelf) -> None:
    too_early(shelf)
    back = stores(0, change(CLUB, Action.CREATE, ALICE), epoch=NEW_EPOCH)
    resent = shelf.store_batch(back).resent
    assert [(each.number, each.body) for each in resent] == [(8, b"2"), (9, b"edited"), (10, b"5")]
    assert [each.target for each in resent] == [None, Identity(OWN, 8), None]
    refused = {number for number, state in states(shelf) if state is REFUSED}
    assert refused == {1, 4, 7}, "another group, another code, and one that no restore had lost"
    # The old entries stay what they are, and their identities never return.
    assert [number for number, _ in marks(shelf)] == [1, 2, 3, 4]
    again = take(shelf, reset(epoch=EPOCH, floor=0, start=0, head=0, sent=0))
    assert [each.number for each in again.outbox] == [6, 8, 9, 10]


def test_it_is_sent_again_once(shelf: Shelf) -> None:
    too_early(shelf)
    back = change(CLUB, Action.ADD, ALICE)
    assert len(shelf.store_batch(stores(0, back, epoch=NEW_EPOCH)).resent) == 3
    answer(shelf, Refused(8, errors.NOT_A_MEMBER))
    assert shelf.store_batch(stores(1, back, epoch=NEW_EPOCH)).resent == ()
    assert (8, REFUSED) in states(shelf)


def test_a_refused_message_is_not_taken_for_accepted_where_a_restore_is_undone(
    shelf: Shelf,
) -> None:
    too_early(shelf)
    before = [state for state in states(shelf) if state[1] is REFUSED]
    take(shelf, reset(epoch=EPOCH, floor=0, start=0, head=9, sent=6))
    assert [state for state in states(shelf) if state[1] is REFUSED] == before


ERASED = msgspec.structs.replace(change(CLUB, Action.CREATE, ALICE), body=None)
FOREIGN = msgspec.structs.replace(change(CLUB, Action.CREATE, ALICE), body=b'{"action":"merge"}')
MESSAGE = msgspec.structs.replace(change(CLUB, Action.CREATE, ALICE), kind=Kind.MESSAGE)


@pytest.mark.parametrize(
    ("seen", "groups"),
    [
        (change(CLUB, Action.CREATE, by=ALICE), {CLUB}),
        (change(CLUB, Action.CREATE, "bob", ALICE), {CLUB}),
        (change(CLUB, Action.ADD, ALICE), {CLUB}),
        (change(CLUB, Action.ADD, "bob", by=ALICE), set()),
        (change(CLUB, Action.CREATE, "bob"), set()),
        (change(CLUB, Action.REMOVE, ALICE), set()),
        (change(CLUB, Action.LEAVE, by=ALICE), set()),
        (ERASED, set()),
        (FOREIGN, set()),
        (MESSAGE, set()),
    ],
)
def test_which_entries_take_an_account_into_a_group(
    seen: frames.Entry, groups: set[ConversationId]
) -> None:
    assert joined([entry(1), seen], ALICE) == groups


# ---------------------------------------------------------------- verdicts


def lived(shelf: Shelf) -> Shelf:
    """1..4 in the log: 1 and 3 are own; 4 and 5 of the outbox are accepted, 6 waits."""
    shelf.enqueue([outgoing()] * 6)
    for number in (1, 3, 4, 5):
        answer(shelf, Accepted(number, number * 10, False))
    answer(shelf, Refused(2, errors.TOO_LARGE))
    shelf.store_batch(stores(0, entry(1, OWN), entry(7), echoes=(Echo(1, 1),), handed=1))
    shelf.store_batch(stores(2, entry(3, OWN), entry(8), echoes=(Echo(3, 3),), handed=1))
    return shelf


def test_a_reset_makes_everything_old_and_puts_back_what_the_server_lost(shelf: Shelf) -> None:
    lived(shelf)
    taken = take(shelf, reset("ahead", start=0, floor=0, head=3, sent=4), handed=2)
    assert (taken.era, taken.handed, taken.marked) == (1, 0, None)
    assert [each.number for each in taken.outbox] == [5, 6]
    assert taken.accepted == ()
    # 4 is accepted and known to the server; its echo may lie below the floor, so it is old, too.
    assert marks(shelf) == [(1, None), (3, None), (4, None), (7, None), (8, None)]
    assert [old.handed for old in shelf.old()] == [True, False, True, True, False]
    assert bodies(shelf) == []
    shelf.store_batch(stores(0, entry(7), entry(1, OWN), epoch=NEW_EPOCH))
    assert marks(shelf) == [(3, None), (4, None), (8, None)]
    done = shelf.store_batch(stores(2, entry(3, OWN), epoch=NEW_EPOCH))
    assert done.marked == Marked(Mark.NOT_ON_SERVER, 2)
    assert marks(shelf) == [(4, Mark.NOT_ON_SERVER), (8, Mark.NOT_ON_SERVER)]


def test_an_old_entry_stays_where_another_message_has_its_identity(shelf: Shelf) -> None:
    # Its sender's store and the server were both restored, and the number was given anew.
    lived(shelf)
    take(shelf, reset("ahead", start=0, floor=0, head=3, sent=6), handed=2)
    others = msgspec.structs.replace(entry(7), body=b"another message")
    erased = msgspec.structs.replace(entry(8), body=None)
    shelf.store_batch(stores(0, others, erased, timed(entry(1, OWN)), epoch=NEW_EPOCH))
    assert (7, Mark.NOT_ON_SERVER) in marks(shelf)
    assert {number for number, _ in marks(shelf)}.isdisjoint({1, 8})


def test_lost_entries_of_our_own_are_sent_again_under_their_number(shelf: Shelf) -> None:
    lived(shelf)
    taken = take(shelf, reset("ahead", start=0, floor=0, head=0, sent=0))
    assert [each.number for each in taken.outbox] == [1, 3, 4, 5, 6], "2 was refused for ever"
    assert taken.marked == Marked(Mark.NOT_ON_SERVER, 4)
    again = take(shelf, verdict(epoch=NEW_EPOCH, start=0, floor=0, head=0, sent=1))
    assert [each.number for each in again.outbox] == [3, 4, 5, 6], "1 is known again"
    answer(shelf, Accepted(3, 2, False))
    shelf.store_batch(stores(0, entry(1, OWN), epoch=NEW_EPOCH))
    assert [number for number, _ in marks(shelf)] == [3, 7, 8]


def test_marked_entries_are_put_back_by_a_later_loss(shelf: Shelf) -> None:
    shelf.enqueue([outgoing()])
    answer(shelf, Accepted(1, 1, False))
    shelf.store_batch(stores(0, entry(1, OWN), echoes=(Echo(1, 1),)))
    assert take(shelf, reset(start=0, floor=0, head=0, sent=1)).outbox == ()
    taken = take(shelf, verdict(epoch=NEW_EPOCH, start=0, floor=0, head=0, sent=0))
    assert [each.number for each in taken.outbox] == [1]


def test_truncated_entries_are_local_only(shelf: Shelf) -> None:
    lived(shelf)
    taken = take(shelf, truncated(floor=45, start=45, head=46, sent=5), handed=4)
    assert (taken.handed, taken.era) == (45, 1)
    # 4 was accepted at 40, which is announced as truncated; 5 at 50 may come, or may not.
    assert taken.accepted == (), "nobody knows any more where its echo would come"
    assert [each.number for each in taken.outbox] == [6]
    assert marks(shelf) == [(number, None) for number in (1, 3, 4, 5, 7, 8)]
    shelf.store_batch(stores(45, entry(5, OWN), handed=45))
    assert marks(shelf) == [(number, Mark.LOCAL_ONLY) for number in (1, 3, 4, 7, 8)]


def test_an_interrupted_reset_goes_on_after_a_welcome(shelf: Shelf) -> None:
    lived(shelf)
    take(shelf, reset(start=0, floor=0, head=2, sent=6))
    shelf.store_batch(stores(0, entry(7), epoch=NEW_EPOCH))
    taken = take(shelf, verdict(epoch=NEW_EPOCH, start=1, floor=0, head=2, sent=6))
    assert taken.marked is None
    done = shelf.store_batch(stores(1, entry(8), epoch=NEW_EPOCH))
    assert done.marked is not None


@pytest.mark.parametrize("head", [2, 1])
def test_a_welcome_notes_the_head_again_while_old_entries_wait(shelf: Shelf, head: int) -> None:
    lived(shelf)
    take(shelf, reset(start=0, floor=0, head=50, sent=6))
    shelf.store_batch(stores(0, entry(7), epoch=NEW_EPOCH))
    # A restore by hand took the noted head away: it would never come.
    taken = take(shelf, verdict(epoch=NEW_EPOCH, start=1, floor=0, head=head, sent=6))
    if head == 2:
        assert taken.marked is None
        taken = shelf.store_batch(stores(1, entry(9), epoch=NEW_EPOCH))
    assert taken.marked == Marked(Mark.NOT_ON_SERVER, 5)


def test_a_restore_that_is_undone_takes_back_what_it_had_put_back(shelf: Shelf) -> None:
    lived(shelf)
    restored = reset("ahead", start=0, floor=0, head=9, sent=0)
    assert [each.number for each in take(shelf, restored).outbox] == [1, 3, 4, 5, 6]
    undone = take(shelf, reset(epoch=EPOCH, start=0, floor=0, head=60, sent=6))
    assert [each.number for each in undone.outbox] == [6], "unanswered is not put back"
    assert undone.accepted == ()
    assert states(shelf) == [(2, REFUSED), (6, WAITING)]
    # They stay what they were, and are not lost while they wait to be seen again.
    assert marks(shelf) == [(number, None) for number in (1, 3, 4, 5, 7, 8)]


def test_what_a_welcome_put_back_and_took_back_is_looked_for_in_the_log(shelf: Shelf) -> None:
    lived(shelf)
    lost = take(shelf, verdict(start=4, floor=0, head=4, sent=4))
    assert [each.number for each in lost.outbox] == [5, 6]
    undone = take(shelf, verdict(start=4, floor=0, head=9, sent=5))
    assert ([each.number for each in undone.outbox], undone.accepted) == ([6], (4,))
    assert (marks(shelf), undone.marked) == ([(5, None)], None)
    shelf.store_batch(stores(4, entry(5, OWN)))
    assert states(shelf) == [(2, REFUSED), (4, ACCEPTED), (6, WAITING)]
    assert marks(shelf) == []


@pytest.mark.parametrize("head", [4, 5])
def test_what_was_put_back_and_refused_by_a_lost_answer_is_not_taken_for_accepted(
    shelf: Shelf, head: int
) -> None:
    lived(shelf)
    take(shelf, verdict(start=4, floor=0, head=4, sent=4))
    # 5 was refused and 6 accepted, and the line broke before either answer came.
    taken = take(shelf, verdict(start=4, floor=0, head=head, sent=6))
    if head == 5:
        assert marks(shelf) == [(5, None)]
        taken = shelf.store_batch(stores(4, entry(6, OWN), echoes=(Echo(6, 5),)))
    assert taken.marked == Marked(Mark.NOT_ON_SERVER, 1)
    assert marks(shelf) == [(5, Mark.NOT_ON_SERVER)]
    assert 5 not in dict(states(shelf))
    # Nobody told this device that it was refused: another restore may bring it back.
    again = take(shelf, reset(start=0, floor=0, head=0, sent=0))
    assert 5 in [each.number for each in again.outbox]


def test_what_was_put_back_and_answered_is_not_taken_back(shelf: Shelf) -> None:
    lived(shelf)
    take(shelf, verdict(start=4, floor=0, head=4, sent=3))
    answer(shelf, Accepted(4, 5, False), Refused(5, errors.NOT_A_MEMBER))
    assert take(shelf, verdict(start=4, floor=0, head=9, sent=5)).accepted == (4,)
    assert states(shelf) == [(2, REFUSED), (4, ACCEPTED), (5, REFUSED), (6, WAITING)]


def test_another_message_under_the_number_of_a_lost_one_takes_nothing_back(shelf: Shelf) -> None:
    lived(shelf)
    assert take(shelf, reset(start=0, floor=0, head=1, sent=0)).outbox[0].number == 1
    # The server has given the number to another content: this is no echo, and ours must be told.
    shelf.store_batch(stores(0, entry(1, OWN), epoch=NEW_EPOCH))
    again = take(shelf, verdict(epoch=NEW_EPOCH, start=1, floor=0, head=1, sent=1))
    assert again.outbox[0].number == 1
    answer(shelf, Refused(1, errors.CONFLICT))
    assert (1, REFUSED) in states(shelf)


def test_a_message_that_was_put_back_and_refused_is_never_put_back_again(shelf: Shelf) -> None:
    shelf.enqueue([outgoing()])
    answer(shelf, Accepted(1, 1, False))
    shelf.store_batch(stores(0, entry(1, OWN), echoes=(Echo(1, 1),)))
    take(shelf, reset(start=0, floor=0, head=0, sent=0))
    answer(shelf, Refused(1, errors.NOT_A_MEMBER))
    assert shelf.forget(shelf.pending()[0].ticket)
    assert take(shelf, reset(epoch=EPOCH, start=0, floor=0, head=0, sent=0)).outbox == ()
    assert marks(shelf) == [(1, Mark.NOT_ON_SERVER)]


def test_own_entries_that_a_welcome_drops_and_the_server_lost_are_sent_again(shelf: Shelf) -> None:
    shelf.enqueue([outgoing()] * 2)
    echoes = Echo(1, 1), Echo(2, 3)
    shelf.store_batch(stores(0, entry(1, OWN), entry(7), entry(2, OWN), echoes=echoes))
    taken = take(shelf, verdict(start=1, floor=0, head=1, sent=1))
    assert [each.number for each in taken.outbox] == [2]
    assert bodies(shelf) == [1]


def test_a_welcome_into_another_epoch_is_as_good_as_a_reset(shelf: Shelf) -> None:
    lived(shelf)
    taken = take(shelf, verdict(epoch=NEW_EPOCH, start=0, floor=0, head=1, sent=6))
    assert taken.era == 1
    assert bodies(shelf) == []


def test_an_entry_is_the_message_that_it_was() -> None:
    assert message_of(entry_of(message(3), ALICE, OWN)) == message(3)


def test_a_store_without_a_counter_gives_no_number() -> None:
    with pytest.raises(AssertionError):
        Kept().number(1)


# ---------------------------------------------------------------- chance

SMALL = st.integers(0, 6)
STEP = st.one_of(
    st.tuples(st.just("enqueue"), st.integers(1, 3)),
    st.tuples(st.just("batch"), st.lists(st.tuples(st.booleans(), SMALL), min_size=1, max_size=5)),
    st.tuples(
        st.just("answer"), SMALL, st.sampled_from(["accept", "trimmed", "refuse", "too early"])
    ),
    st.tuples(st.just("join")),
    st.tuples(st.just("resend"), SMALL),
    st.tuples(st.just("handed"), SMALL),
    st.tuples(st.just("welcome"), SMALL, SMALL, SMALL),
    st.tuples(st.just("truncated"), SMALL, SMALL, SMALL),
    st.tuples(st.just("reset"), SMALL, SMALL, SMALL),
    st.tuples(st.just("forget"), SMALL),
)


class Life:
    """One shelf, led through a device's life as the client would lead it."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.shelf.begin(SERVER, INSTANCE, TOKEN)
        self.seq: int | None = None
        self.epoch = EPOCH
        self.handed = 0
        self.era = 0

    def live(self, step: tuple[Any, ...]) -> object:
        result: object = getattr(self, step[0])(*step[1:])
        return result, self.shelf.pending(), self.shelf.old(), bodies(self.shelf, self.era)

    def enqueue(self, count: int) -> object:
        about = Outgoing(Kind.EDIT, outgoing().conversation, Identity(OWN, count), b"edited")
        return self.shelf.enqueue([about, *(outgoing(bytes([each])) for each in range(1, count))])

    def batch(self, drawn: list[tuple[bool, int]]) -> object:
        if self.seq is None:
            return None
        entries = tuple(entry(number + 1, OWN if own else OTHER) for own, number in drawn)
        waiting = {each.number for each in self.shelf.pending()}
        echoes = tuple(
            Echo(each.number, seq)
            for seq, each in enumerate(entries, self.seq + 1)
            if each.device == OWN and each.number in waiting
        )
        command = stores(self.seq, *entries, echoes=echoes, handed=self.handed, epoch=self.epoch)
        self.seq += len(entries)
        return self.shelf.store_batch(command)

    def answer(self, number: int, how: str) -> object:
        outcome: Accepted | Refused = Accepted(number + 1, None if how == "trimmed" else 4, False)
        if how in ("refuse", "too early"):
            code = errors.CONFLICT if how == "refuse" else errors.NOT_A_MEMBER
            outcome = Refused(number + 1, code)
        return self.shelf.store_answers(commands.StoreAnswers((outcome,)))

    def join(self) -> object:
        """Into the one conversation that there is here."""
        if self.seq is None:
            return None
        into = change(outgoing().conversation, Action.ADD, ALICE)
        command = stores(self.seq, into, handed=self.handed, epoch=self.epoch)
        self.seq += 1
        return self.shelf.store_batch(command)

    def resend(self, ticket: int) -> object:
        return self.shelf.resend(ticket)

    def forget(self, ticket: int) -> object:
        return self.shelf.forget(ticket)

    def handed_to(self, seq: int) -> object:
        self.handed = max(self.handed, min(seq, self.seq or 0))
        return self.shelf.store_handed(commands.StoreHanded(self.handed))

    def welcome(self, back: int, ahead: int, sent: int) -> object:
        start = max(0, (self.seq or 0) - back)
        return self._take(
            verdict(epoch=self.epoch, floor=0, start=start, head=start + ahead, sent=sent)
        )

    def truncated(self, gap: int, ahead: int, sent: int) -> object:
        start = (self.seq or 0) + gap
        return self._take(
            verdict(
                frames.Truncated,
                (start, start),
                epoch=self.epoch,
                floor=start,
                start=start,
                head=start + ahead,
                sent=sent,
            )
        )

    def reset(self, floor: int, ahead: int, sent: int) -> object:
        self.epoch = NEW_EPOCH if self.epoch == EPOCH else EPOCH
        return self._take(
            reset(epoch=self.epoch, floor=floor, start=floor, head=floor + ahead, sent=sent)
        )

    def _take(self, frame: Any) -> object:
        taken = self.shelf.take_verdict(commands.TakeVerdict(frame, self.handed))
        self.seq, self.handed, self.era = frame.start, taken.handed, taken.era
        return taken


@given(st.lists(STEP, max_size=25))
@settings(max_examples=300, deadline=None)
def test_the_same_life_gives_the_same_results(steps: list[tuple[Any, ...]]) -> None:
    with memory() as first, sqlite() as second:
        one, other = Life(first), Life(second)
        for step in steps:
            named = ("handed_to", *step[1:]) if step[0] == "handed" else step
            assert one.live(named) == other.live(named), step

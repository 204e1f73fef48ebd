"""The contract of storage: every sentence of the door, held by every backend."""

import asyncio
from dataclasses import replace

import msgspec
import pytest

from syncd import chain, errors
from syncd.membership import Action, Change, Role
from syncd.model import (
    Accepted,
    Chain,
    ConversationId,
    CursorScope,
    Device,
    Epoch,
    Intent,
    Kind,
    Opening,
    ReadRequest,
    Refused,
    Superseded,
    Work,
    direct,
)
from syncd.storage import UNKNOWN_EPOCH, Damaged, Storage

from .conftest import OpenBackend, RenewEpoch
from .works import (
    ALICE,
    BOB,
    LAPTOP,
    LAPTOP_TOKEN,
    LOST,
    NEW_TOKEN,
    NOBODY,
    PHONE,
    PHONE_TOKEN,
    TABLET,
    TABLET_TOKEN,
    draft,
    encoded,
    links,
    mark,
    opened,
    opening,
    page,
    publication,
    sending,
    submission,
)

GROUP = ConversationId("friends")
OTHER_EPOCH = Epoch(b"restored")


def shown(*texts: str | int) -> list[Chain]:
    return [chain.shown(link) for link in links(*texts)]


async def device(storage: Storage, token: bytes = PHONE_TOKEN) -> Device:
    found = await storage.device_by_token(token)
    assert found is not None
    return found


# ---------------------------------------------------------------- appends


async def test_a_message_goes_to_every_member_and_wakes_them(storage: Storage) -> None:
    done = await storage.commit(sending(1, 2))
    assert done.submissions == ((Accepted(1, 1, False), Accepted(2, 2, False)),)
    assert done.grown == {ALICE, BOB}
    for account in (ALICE, BOB):
        assert (await page(storage, account)).entries == encoded(1, 2)


async def test_the_seq_answered_is_the_one_in_the_senders_log(storage: Storage) -> None:
    await storage.commit(Work(publications=(publication("k", account=BOB),)))
    bobs = submission(draft(1, members=(BOB, ALICE), device=LAPTOP), device=LAPTOP)
    done = await storage.commit(Work(submissions=(bobs,)))
    assert done.submissions == ((Accepted(1, 2, False),),)


async def test_a_message_to_oneself_is_one_entry(storage: Storage) -> None:
    done = await storage.commit(sending(draft(1, members=(ALICE,))))
    assert done.grown == {ALICE}
    assert await storage.heads([ALICE, BOB]) == {ALICE: 1, BOB: 0}


async def test_empty_work_does_nothing(storage: Storage) -> None:
    done = await storage.commit(Work())
    assert (done.openings, done.submissions, done.publications) == ((), (), ())
    assert done.grown == frozenset()


async def test_numbers_may_have_gaps_and_submissions_keep_their_order(storage: Storage) -> None:
    work = Work(submissions=(submission(3, 10), submission(11)))
    done = await storage.commit(work)
    assert done.submissions == (
        (Accepted(3, 1, False), Accepted(10, 2, False)),
        (Accepted(11, 3, False),),
    )
    assert (await page(storage)).entries == encoded(3, 10, 11)


@pytest.mark.parametrize("together", [True, False], ids=["one commit", "two commits"])
async def test_a_retry_is_answered_with_the_first_seq(storage: Storage, together: bool) -> None:
    if together:
        done = await storage.commit(sending(1, 2, 1, 2))
        retried = done.submissions[0][2:]
    else:
        await storage.commit(sending(1, 2))
        done = await storage.commit(sending(1, 2))
        assert done.grown == frozenset()
        [retried] = done.submissions
    assert retried == (Accepted(1, 1, True), Accepted(2, 2, True))
    assert (await page(storage)).entries == encoded(1, 2)


async def test_a_retry_of_a_trimmed_entry_has_no_seq(storage: Storage) -> None:
    await storage.commit(sending(1, 2, 3))
    await storage.trim(ALICE, 3)
    done = await storage.commit(sending(1, 2, 3))
    assert done.submissions == (
        (Accepted(1, None, True), Accepted(2, None, True), Accepted(3, 3, True)),
    )


async def test_a_known_number_with_other_content_is_a_conflict(storage: Storage) -> None:
    await storage.commit(sending(1))
    done = await storage.commit(sending(draft(1, "other"), 2))
    assert done.submissions == ((Refused(1, errors.CONFLICT), Accepted(2, 2, False)),)
    assert (await page(storage)).entries == encoded(1, 2)


async def test_a_number_passed_over_is_skipped(storage: Storage) -> None:
    done = await storage.commit(sending(5, 3))
    assert done.submissions == ((Accepted(5, 1, False), Refused(3, errors.SKIPPED)),)


@pytest.mark.parametrize("together", [True, False], ids=["one commit", "a commit each"])
async def test_what_is_no_longer_remembered_is_stale(
    open_backend: OpenBackend, together: bool
) -> None:
    storage = await open_backend(remembered=3)
    works = [sending(1, 2, 4, 6, 8)] if together else [sending(n) for n in (1, 2, 4, 6, 8)]
    for work in works:
        await storage.commit(work)
    done = await storage.commit(sending(1, 2, 3, 4, 5, 8))
    assert done.submissions == (
        (
            Refused(1, errors.STALE),
            Refused(2, errors.STALE),
            Refused(3, errors.STALE),
            Accepted(4, 3, True),
            Refused(5, errors.SKIPPED),
            Accepted(8, 5, True),
        ),
    )


async def test_what_a_work_accepts_counts_at_once(open_backend: OpenBackend) -> None:
    storage = await open_backend(remembered=3)
    await storage.commit(sending(1, 2, 3))
    done = await storage.commit(sending(4, 1, 2))
    assert done.submissions == (
        (Accepted(4, 4, False), Refused(1, errors.STALE), Accepted(2, 2, True)),
    )


async def test_the_service_remembers_1024(storage: Storage) -> None:
    await storage.commit(sending(*range(1, 1026)))
    done = await storage.commit(sending(1, 2, 1025))
    assert done.submissions == (
        (Refused(1, errors.STALE), Accepted(2, 2, True), Accepted(1025, 1025, True)),
    )


async def test_an_unknown_member_refuses_that_message_alone(storage: Storage) -> None:
    done = await storage.commit(sending(1, draft(2, members=(ALICE, NOBODY)), 3))
    assert done.submissions == (
        (Accepted(1, 1, False), Refused(2, errors.UNKNOWN_ACCOUNT), Accepted(3, 2, False)),
    )
    assert NOBODY not in done.grown
    # It was not accepted, so it is not remembered either.
    done = await storage.commit(sending(draft(2, members=(ALICE, NOBODY))))
    assert done.submissions == ((Refused(2, errors.SKIPPED),),)


async def test_the_number_is_judged_before_the_members(storage: Storage) -> None:
    await storage.commit(sending(1))
    done = await storage.commit(sending(draft(1, members=(ALICE, NOBODY))))
    assert done.submissions == ((Accepted(1, 1, True),),)


async def test_each_device_has_its_own_numbers(storage: Storage) -> None:
    tablets = submission(draft(1, "tablet", device=TABLET), device=TABLET)
    done = await storage.commit(Work(submissions=(submission(1), tablets)))
    assert done.submissions == ((Accepted(1, 1, False),), (Accepted(1, 2, False),))


async def test_a_device_speaks_for_its_own_account_only(storage: Storage) -> None:
    # A backend cannot tell whether the caller or the device's row is wrong.
    with pytest.raises(Damaged, match=f"the row of device {PHONE} says {ALICE}"):
        await storage.commit(sending(draft(1, members=(BOB, ALICE))))
    assert await storage.heads([ALICE, BOB]) == {ALICE: 0, BOB: 0}


# ---------------------------------------------------------------- fencing


async def test_an_older_generation_is_superseded_whole(storage: Storage) -> None:
    await opened(storage, opening(instance="first"))
    await opened(storage, opening(instance="second"))
    done = await storage.commit(sending(1, 2, generation=1))
    assert done.submissions == (Superseded("second"),)
    assert await storage.heads([ALICE]) == {ALICE: 0}


async def test_an_opening_fences_what_waits_in_the_same_work(storage: Storage) -> None:
    await opened(storage)
    waiting = submission(1, generation=1)
    current = submission(1, generation=2)
    request = opening(instance="takes over")
    done = await storage.commit(Work(openings=(request,), submissions=(waiting, current)))
    assert done.submissions == (Superseded("takes over"), (Accepted(1, 1, False),))


async def test_a_revoked_device_is_superseded_by_nobody(storage: Storage) -> None:
    await opened(storage)
    await storage.change_credential(PHONE, None)
    for generation in (1, 2):
        done = await storage.commit(sending(1, generation=generation))
        assert done.submissions == (Superseded(None),)


async def test_a_device_of_which_the_store_never_heard_is_superseded(storage: Storage) -> None:
    done = await storage.commit(Work(submissions=(submission(1, device=LOST),)))
    assert done.submissions == (Superseded(None),)


async def test_rotation_fences_the_older_session(storage: Storage) -> None:
    await opened(storage, opening(instance="first"))
    await storage.change_credential(PHONE, NEW_TOKEN)
    done = await storage.commit(sending(1, generation=1))
    assert done.submissions == (Superseded("first"),)


# ---------------------------------------------------------------- openings


async def test_an_opening_of_a_new_device(storage: Storage) -> None:
    genesis = chain.shown(chain.GENESIS)
    result = await opened(storage)
    assert result == Opening(1, result.epoch, 0, genesis, 0, 0, None, None, None, False)
    assert len(result.epoch) == 8
    assert result.epoch != UNKNOWN_EPOCH


async def test_generations_rise_by_one(storage: Storage) -> None:
    assert [(await opened(storage)).generation for _ in range(3)] == [1, 2, 3]
    done = await storage.commit(Work(openings=(opening(), opening())))
    assert [each.generation for each in done.openings] == [4, 5]


async def test_openings_that_are_refused(storage: Storage) -> None:
    await storage.change_credential(TABLET, None)
    await storage.change_credential(PHONE, NEW_TOKEN)
    requests = (
        opening(LOST),
        opening(LAPTOP, account=ALICE),
        opening(TABLET),
        opening(TABLET, credential=7),
        opening(PHONE, credential=1),
    )
    done = await storage.commit(Work(openings=requests))
    assert done.openings == (
        errors.NOT_AUTHENTICATED,
        errors.NOT_AUTHENTICATED,
        errors.DEVICE_REVOKED,
        errors.DEVICE_REVOKED,
        errors.TOKEN_ROTATED,
    )
    assert (await device(storage, NEW_TOKEN)).generation == 1  # the rotation's own


async def test_a_current_or_vouched_credential_opens(storage: Storage) -> None:
    await storage.change_credential(PHONE, NEW_TOKEN)
    assert (await opened(storage, opening(credential=2))).generation == 2
    assert (await opened(storage, opening(credential=None))).generation == 3


async def test_the_snapshot_tells_where_everything_stands(storage: Storage) -> None:
    await storage.commit(sending(1, 2, 7))
    await storage.trim(ALICE, 2)
    chains = shown(1, 2, 7)
    stated = {seq: (await opened(storage, opening(stated=seq))).stated_chain for seq in range(5)}
    assert stated == {0: None, 1: chains[1], 2: chains[2], 3: chains[3], 4: None}
    result = await opened(storage)
    assert (result.floor, result.floor_chain, result.head) == (1, chains[1], 3)
    assert (result.sent, result.stated_chain) == (7, None)


async def test_the_snapshot_is_read_before_the_appends_of_its_work(storage: Storage) -> None:
    work = Work(openings=(opening(),), submissions=(submission(1, generation=1),))
    [result] = (await storage.commit(work)).openings
    assert isinstance(result, Opening)
    assert (result.head, result.sent) == (0, 0)


async def test_the_snapshot_shows_the_cursor_and_its_chain(storage: Storage) -> None:
    await storage.commit(sending(1, 2, 3))
    first = await opened(storage)
    await storage.commit(Work(cursors=(mark(first.epoch, 2, generation=1),)))
    result = await opened(storage)
    assert (result.cursor, result.cursor_chain) == (2, shown(1, 2)[2])
    await storage.trim(ALICE, 4)
    result = await opened(storage)
    assert (result.cursor, result.cursor_chain) == (2, None)


async def test_a_cursor_of_an_older_epoch_is_outdated(
    storage: Storage, renew_epoch: RenewEpoch
) -> None:
    await storage.commit(sending(1))
    old = (await opened(storage)).epoch
    await storage.commit(Work(cursors=(mark(old, 1, generation=1),)))
    await renew_epoch(storage, ALICE, OTHER_EPOCH)
    result = await opened(storage)
    assert (result.epoch, result.cursor, result.cursor_outdated) == (OTHER_EPOCH, None, True)
    assert (await device(storage)).cursor == 0
    await storage.commit(Work(cursors=(mark(OTHER_EPOCH, 0, generation=2),)))
    result = await opened(storage)
    assert (result.cursor, result.cursor_outdated) == (0, False)


# ---------------------------------------------------------------- cursors


async def test_a_cursor_never_falls_within_its_epoch(storage: Storage) -> None:
    await storage.commit(sending(1, 2, 3))
    epoch = (await device(storage)).epoch
    saved = []
    for seqs in ([2], [1], [3, 1], [0]):
        await storage.commit(Work(cursors=tuple(mark(epoch, seq) for seq in seqs)))
        saved.append((await device(storage)).cursor)
    assert saved == [2, 2, 3, 3]


async def test_marks_that_change_nothing(storage: Storage) -> None:
    await storage.commit(sending(1, 2))
    epoch = (await opened(storage)).epoch
    await opened(storage)
    marks = (
        mark(epoch, 1, generation=1),
        mark(epoch, 1, generation=3),
        mark(OTHER_EPOCH, 1, generation=2),
        mark(epoch, 3, generation=2),
        mark(epoch, 1, generation=2, account=BOB),
        mark(epoch, 1, device=LOST),
    )
    await storage.commit(Work(cursors=marks))
    await storage.change_credential(TABLET, None)
    await storage.commit(Work(cursors=(mark(epoch, 1, generation=1, device=TABLET),)))
    assert [each.cursor for each in await storage.devices(ALICE)] == [0, 0]


async def test_a_mark_counts_for_the_opening_of_its_own_work(storage: Storage) -> None:
    epoch = (await device(storage)).epoch
    await storage.commit(Work(submissions=(submission(1),)))
    work = Work(cursors=(mark(epoch, 1),), openings=(opening(),))
    [opened] = (await storage.commit(work)).openings
    assert opened.cursor == 1


async def test_no_mark_can_confirm_what_its_own_work_appends(storage: Storage) -> None:
    epoch = (await device(storage)).epoch
    await storage.commit(Work(submissions=(submission(1),), cursors=(mark(epoch, 1),)))
    assert (await device(storage)).cursor == 0


@pytest.mark.parametrize(
    ("scope", "tablet", "laptop"),
    [
        (CursorScope.DEVICE, None, None),
        (CursorScope.PLATFORM, None, None),
        (CursorScope.ACCOUNT, 2, None),
    ],
)
async def test_the_scope_decides_who_shares_a_cursor(
    open_backend: OpenBackend, scope: CursorScope, tablet: int | None, laptop: int | None
) -> None:
    storage = await open_backend(scope)
    assert storage.cursor_scope is scope
    await storage.commit(sending(1, 2))
    epoch = (await opened(storage)).epoch
    await storage.commit(Work(cursors=(mark(epoch, 2, generation=1),)))
    assert (await opened(storage)).cursor == 2
    assert (await opened(storage, opening(TABLET))).cursor == tablet
    assert (await opened(storage, opening(LAPTOP, BOB))).cursor == laptop
    assert (await device(storage, TABLET_TOKEN)).cursor == (tablet or 0)


async def test_platform_scope_is_shared_by_devices_of_one_platform(
    open_backend: OpenBackend,
) -> None:
    storage = await open_backend(CursorScope.PLATFORM)
    await storage.create_device(ALICE, LOST, "second phone", "phone", NEW_TOKEN)
    await storage.commit(sending(1))
    epoch = (await opened(storage)).epoch
    await storage.commit(Work(cursors=(mark(epoch, 1, generation=1),)))
    assert (await opened(storage, opening(LOST))).cursor == 1


# ---------------------------------------------------------------- publications


async def test_a_publication_is_appended_once(storage: Storage) -> None:
    first = await storage.commit(Work(publications=(publication("k"), publication("k"))))
    assert first.publications == (Accepted(0, 1, False), Accepted(0, 1, True))
    assert first.grown == {ALICE}
    again = await storage.commit(Work(publications=(publication("k"),)))
    assert again.publications == (Accepted(0, 1, True),)
    assert again.grown == frozenset()
    assert (await page(storage)).entries == encoded("news")


async def test_a_publication_that_was_trimmed_has_no_seq(storage: Storage) -> None:
    await storage.commit(Work(publications=(publication("k"),)))
    await storage.trim(ALICE, 2)
    done = await storage.commit(Work(publications=(publication("k"),)))
    assert done.publications == (Accepted(0, None, True),)


async def test_a_publication_brings_a_refusal_that_counts_for_a_new_one(storage: Storage) -> None:
    forbidden = replace(publication("k"), refusal=errors.FORBIDDEN)
    done = await storage.commit(Work(publications=(forbidden, publication("k"), forbidden)))
    assert done.publications == (errors.FORBIDDEN, Accepted(0, 1, False), Accepted(0, 1, True))
    other = replace(publication("k", "other news"), refusal=errors.FORBIDDEN)
    done = await storage.commit(Work(publications=(forbidden, other)))
    assert done.publications == (Accepted(0, 1, True), errors.KEY_CONFLICT)


async def test_publications_that_are_refused(storage: Storage) -> None:
    await storage.commit(Work(publications=(publication("k"),)))
    other_account = publication("k", account=BOB)
    done = await storage.commit(
        Work(
            publications=(
                publication("k", "other news"),
                other_account,
                publication("k", account=NOBODY),
                publication("l", account=NOBODY),
                publication("l"),
            )
        )
    )
    assert done.publications == (
        errors.KEY_CONFLICT,
        errors.KEY_CONFLICT,
        errors.KEY_CONFLICT,
        errors.UNKNOWN_ACCOUNT,
        Accepted(0, 2, False),
    )


async def test_keys_of_two_publishers_do_not_meet(storage: Storage) -> None:
    both = (publication("k"), publication("k", publisher="embedder"))
    done = await storage.commit(Work(publications=both))
    assert done.publications == (Accepted(0, 1, False), Accepted(0, 2, False))


async def test_publications_come_after_submissions(storage: Storage) -> None:
    work = Work(submissions=(submission(1),), publications=(publication("k"),))
    await storage.commit(work)
    assert (await page(storage)).entries == encoded(1, "news")


# ---------------------------------------------------------------- reading


async def test_pages_are_one_per_request_in_order(storage: Storage) -> None:
    await storage.commit(sending(1, draft(2, members=(ALICE,)), 3))
    requests = [ReadRequest(BOB, 1, 1000), ReadRequest(ALICE, 0, 1000), ReadRequest(BOB, 0, 1000)]
    pages = await storage.read(requests)
    assert [each.entries for each in pages] == [encoded(3), encoded(1, 2, 3), encoded(1, 3)]
    assert [(each.to, each.head) for each in pages] == [(2, 2), (3, 3), (2, 2)]
    assert pages[1].chain == shown(1, 2, 3)[3]
    assert await storage.read([]) == []


async def test_a_page_holds_what_fits_and_at_least_one_entry(storage: Storage) -> None:
    await storage.commit(sending(1, 2, 3))
    size = len(encoded(1))
    ends = {
        bytes_max: (await page(storage, bytes_max=bytes_max)).to
        for bytes_max in (0, 1, size, 2 * size - 1, 2 * size, 3 * size, 10 * size)
    }
    assert ends == {0: 1, 1: 1, size: 1, 2 * size - 1: 1, 2 * size: 2, 3 * size: 3, 10 * size: 3}
    found = await page(storage, after=1, bytes_max=size)
    assert (found.to, found.head, found.chain) == (2, 3, shown(1, 2)[2])
    assert found.entries == encoded(2)


async def test_outside_floor_and_head_a_page_is_empty(storage: Storage) -> None:
    await storage.commit(sending(1, 2, 3))
    await storage.trim(ALICE, 3)
    for after in (0, 1, 3, 4, 99):
        found = await page(storage, after=after)
        assert (found.to, found.entries) == (after, b"")
        assert (found.floor, found.floor_chain, found.head) == (2, shown(1, 2)[2], 3)
    assert (await page(storage, after=2)).entries == encoded(3)


async def test_the_page_of_an_unknown_account_is_empty(storage: Storage) -> None:
    found = await page(storage, NOBODY, after=5)
    assert (found.epoch, found.floor, found.head) == (UNKNOWN_EPOCH, 0, 0)
    assert (found.to, found.entries) == (5, b"")


async def test_heads_of_accounts_that_exist(storage: Storage) -> None:
    await storage.commit(sending(1, draft(2, members=(ALICE,))))
    assert await storage.heads([ALICE, NOBODY, BOB]) == {ALICE: 2, BOB: 1}
    assert await storage.heads([]) == {}


async def test_calls_may_be_concurrent(storage: Storage) -> None:
    commits = (storage.commit(sending(draft(1, members=(ALICE,)))) for _ in range(20))
    reads = (page(storage) for _ in range(20))
    done, pages = await asyncio.gather(asyncio.gather(*commits), asyncio.gather(*reads))
    outcomes = [outcome for each in done for outcome in each.submissions]
    assert outcomes.count((Accepted(1, 1, False),)) == 1
    assert outcomes.count((Accepted(1, 1, True),)) == 19
    assert {each.entries for each in pages} <= {b"", encoded(1)}


# ---------------------------------------------------------------- trimming


async def test_who_is_in_a_group_is_what_is_committed(storage: Storage) -> None:
    assert await storage.members(GROUP) is None
    assert await storage.members(direct(ALICE, BOB)) is None
    for number, change, members in (
        (1, Change(Action.CREATE, (BOB,)), {ALICE: Role.OWNER, BOB: Role.MEMBER}),
        (2, Change(Action.ADD, (), (BOB,)), {ALICE: Role.OWNER, BOB: Role.OWNER}),
        (3, Change(Action.REMOVE, (BOB,)), {ALICE: Role.OWNER}),
        (4, Change(Action.LEAVE), {}),
    ):
        intent = Intent(Kind.SYSTEM, GROUP, None, change)
        asked = msgspec.structs.replace(draft(number), intent=intent)
        [[outcome]] = (await storage.commit(Work(submissions=(submission(asked),)))).submissions
        assert outcome.number == number
        assert await storage.members(GROUP) == members


async def test_trim_drops_what_lies_below(storage: Storage) -> None:
    await storage.commit(sending(1, 2, 3))
    assert await storage.trim(ALICE, 3) == 2
    assert (await page(storage, after=2)).entries == encoded(3)
    assert (await page(storage, BOB)).entries == encoded(1, 2, 3)


async def test_a_floor_never_falls_and_stops_at_the_head(storage: Storage) -> None:
    await storage.commit(sending(1, 2, 3))
    floors = [await storage.trim(ALICE, before) for before in (0, 1, 2, 1, 99, 3)]
    assert floors == [0, 0, 1, 1, 3, 3]


async def test_a_log_goes_on_after_a_trim(storage: Storage) -> None:
    await storage.commit(sending(1, 2))
    await storage.trim(ALICE, 99)
    done = await storage.commit(sending(3))
    assert done.submissions == ((Accepted(3, 3, False),),)
    found = await page(storage, after=2)
    assert (found.floor, found.floor_chain) == (2, shown(1, 2)[2])
    assert (found.entries, found.chain) == (encoded(3), shown(1, 2, 3)[3])


async def test_trim_of_an_unknown_account(storage: Storage) -> None:
    with pytest.raises(KeyError):
        await storage.trim(NOBODY, 1)


# ---------------------------------------------------------------- identity's rows


async def test_an_account_is_made_once_with_an_epoch_of_its_own(storage: Storage) -> None:
    assert not await storage.create_account(ALICE)
    assert (await page(storage)).epoch != (await page(storage, BOB)).epoch


async def test_a_device_is_found_by_its_token(storage: Storage) -> None:
    epoch = (await page(storage)).epoch
    assert await storage.device_by_token(PHONE_TOKEN) == Device(
        PHONE, ALICE, "Alice's phone", "phone", 1, 0, 0, False, epoch, 0, 0
    )
    assert await storage.device_by_token(NEW_TOKEN) is None


async def test_what_an_operator_sees_of_a_device(storage: Storage) -> None:
    await storage.commit(sending(4, 6))
    epoch = (await opened(storage)).epoch
    await storage.commit(Work(cursors=(mark(epoch, 1, generation=1),)))
    found = await device(storage)
    assert (found.generation, found.sent, found.cursor, found.head) == (1, 6, 1, 2)


async def test_devices_come_oldest_first(storage: Storage) -> None:
    await storage.commit(sending(1))
    assert [each.device for each in await storage.devices(ALICE)] == [PHONE, TABLET]
    assert [each.device for each in await storage.devices(BOB)] == [LAPTOP]
    assert await storage.devices(NOBODY) == []


async def test_a_device_needs_an_account_and_an_id_and_token_of_its_own(storage: Storage) -> None:
    with pytest.raises(KeyError):
        await storage.create_device(NOBODY, LOST, "name", "pc", NEW_TOKEN)
    with pytest.raises(KeyError):
        await storage.create_device(ALICE, PHONE, "name", "pc", NEW_TOKEN)
    with pytest.raises(KeyError):
        await storage.create_device(ALICE, LOST, "name", "pc", LAPTOP_TOKEN)
    assert len(await storage.devices(ALICE)) == 2


async def test_rotation_replaces_the_token(storage: Storage) -> None:
    rotated = await storage.change_credential(PHONE, NEW_TOKEN)
    assert (rotated.credential, rotated.generation, rotated.revoked) == (2, 1, False)
    assert await storage.device_by_token(PHONE_TOKEN) is None
    assert await storage.device_by_token(NEW_TOKEN) == rotated


async def test_revocation_is_for_ever_and_seen_by_token(storage: Storage) -> None:
    revoked = await storage.change_credential(PHONE, None)
    assert (revoked.credential, revoked.generation, revoked.revoked) == (1, 1, True)
    assert await storage.device_by_token(PHONE_TOKEN) == revoked
    assert (await storage.change_credential(PHONE, NEW_TOKEN)).revoked


async def test_credentials_that_cannot_be_changed(storage: Storage) -> None:
    for token in (None, NEW_TOKEN):
        with pytest.raises(KeyError):
            await storage.change_credential(LOST, token)
    with pytest.raises(KeyError):
        await storage.change_credential(PHONE, LAPTOP_TOKEN)
    assert (await device(storage)).generation == 0


async def test_api_keys(storage: Storage) -> None:
    await storage.add_key("backend", b"hash")
    assert await storage.key_name(b"hash") == "backend"
    assert await storage.key_name(b"other") is None
    with pytest.raises(KeyError):
        await storage.add_key("backend", b"other")


async def test_close_twice(storage: Storage) -> None:
    await storage.close()
    await storage.close()

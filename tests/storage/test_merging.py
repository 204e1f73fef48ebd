"""The merge of a guest into an account, over every backend: what is told, moved and kept."""

import asyncio
from dataclasses import dataclass

import pytest

from syncd import errors
from syncd.committer import Committer
from syncd.lanes import Lane
from syncd.membership import Action, Change, Role
from syncd.model import (
    Accepted,
    AccountId,
    ConversationId,
    DeviceId,
    Epoch,
    Identity,
    Kind,
    Opening,
    OpeningRequest,
    Outcome,
    ReadRequest,
    Refused,
    Submission,
    Superseded,
    Work,
    direct,
)
from syncd.notices import DeviceAdded, Merge
from syncd.persons import Case, Merged, SignedIn, Standing
from syncd.protocol.unread import Unread
from syncd.storage import Storage
from syncd.wakeups import Wakeups
from syncd.wire.frames import Entry

from .conftest import RenewEpoch
from .reception import OPEN, OTHER, SITE, Visitors, subject
from .works import ALICE, BOB, LAPTOP

GROUP = ConversationId("hiking")
BOBS = SignedIn(BOB, LAPTOP, Case.RETURNED, new_device=False)


@dataclass
class Meeting:
    """A person with an account, a guest on two devices, and Bob, who knows both."""

    visitors: Visitors
    person: SignedIn
    guest: SignedIn
    elsewhere: SignedIn

    @property
    def with_guest(self) -> ConversationId:
        return direct(self.guest.account, BOB)

    async def merge(self) -> SignedIn:
        """The guest turns out to be the person, by its first device's next login."""
        name = subject("guest", SITE)
        done = await self.visitors.sign_in(name, "u1", on=self.guest.device)
        assert done.case is Case.MERGED
        return done

    async def log(self) -> list[Entry]:
        return await self.visitors.log(self.person.account)

    async def unread(self) -> dict[ConversationId, int]:
        """As a device of the person folds it from the log, that began before the merge."""
        unread = Unread(self.person.account)
        for seq, entry in enumerate(await self.log(), 1):
            unread.apply(seq, entry)
        return dict(unread.counts())


@pytest.fixture
async def meeting(storage: Storage) -> Meeting:
    visitors = Visitors(storage)
    person = await visitors.sign_in("person", "u1")
    guest = await visitors.sign_in(subject("guest", SITE))
    elsewhere = await visitors.sign_in(subject("guest", SITE))
    return Meeting(visitors, person, guest, elsewhere)


def told(entry: Entry) -> Identity:
    return Identity(entry.device, entry.number)


async def opened(visitors: Visitors, who: SignedIn, credential: int) -> Opening | object:
    account = await visitors.people.account_of(who.account)
    assert account is not None
    request = OpeningRequest(account, who.device, credential, "i" * 16, None)
    return (await visitors.storage.commit(Work(openings=(request,)))).openings[0]


async def test_the_guests_entries_follow_the_notice_as_they_are(meeting: Meeting) -> None:
    visitors = meeting.visitors
    await visitors.write(meeting.person, direct(meeting.person.account, BOB))
    await visitors.write(meeting.guest, meeting.with_guest)
    await visitors.write(BOBS, meeting.with_guest)
    own, came = await meeting.log(), await visitors.log(meeting.guest.account)
    done = await meeting.merge()
    assert done.merged == Merged(
        meeting.guest.account,
        meeting.person.account,
        meeting.guest.device,
        (meeting.elsewhere.device,),
        3,
        frozenset({meeting.person.account}),
    )
    assert (done.account, done.device) == (meeting.person.account, meeting.guest.device)
    log = await meeting.log()
    assert log[: len(own)] == own
    assert log[len(own) + 1 :] == came, "header and body as they are, in their order"
    notice = Merge(meeting.guest.account, meeting.person.account, 3)
    assert await visitors.notices(meeting.person.account) == [
        notice,
        DeviceAdded(meeting.elsewhere.device, "device 3", "pc"),
    ]
    assert await visitors.log(meeting.guest.account) == came, "its log stays"


async def test_what_both_hold_is_there_once(meeting: Meeting) -> None:
    visitors, person = meeting.visitors, meeting.person.account
    between = direct(person, meeting.guest.account)
    both = Change(Action.CREATE, (person, meeting.guest.account, BOB))
    await visitors.write(BOBS, GROUP, kind=Kind.SYSTEM, change=both)
    for _ in range(200):
        await visitors.write(BOBS, GROUP)
    await visitors.write(meeting.guest, between)
    await visitors.write(meeting.person, between)
    await meeting.merge()
    log = await meeting.log()
    assert len({told(entry) for entry in log}) == len(log)
    assert await visitors.storage.members(GROUP) == {
        person: Role.MEMBER,
        BOB: Role.OWNER,
    }


async def test_an_owners_role_wins(meeting: Meeting) -> None:
    visitors, person = meeting.visitors, meeting.person.account
    made = Change(Action.CREATE, (person, BOB))
    await visitors.write(meeting.guest, GROUP, kind=Kind.SYSTEM, change=made)
    await meeting.merge()
    assert await visitors.storage.members(GROUP) == {person: Role.OWNER, BOB: Role.MEMBER}


# ---------------------------------------------------------------- read marks


async def read(meeting: Meeting, who: SignedIn, target: Identity, where: ConversationId) -> None:
    done = await meeting.visitors.write(who, where, kind=Kind.READ, target=target)
    assert isinstance(done, Accepted), done


async def test_unread_is_what_was_unread_in_both(meeting: Meeting) -> None:
    visitors, person = meeting.visitors, meeting.person.account
    both = Change(Action.CREATE, (person, meeting.guest.account, BOB))
    await visitors.write(BOBS, GROUP, kind=Kind.SYSTEM, change=both)
    for _ in range(200):
        await visitors.write(BOBS, GROUP)
    for _ in range(4):
        await visitors.write(BOBS, meeting.with_guest)
    await read(meeting, meeting.person, Identity(LAPTOP, 101), GROUP)  # a hundred are read
    await read(meeting, meeting.guest, Identity(LAPTOP, 151), GROUP)
    await read(meeting, meeting.guest, Identity(LAPTOP, 203), meeting.with_guest)
    await meeting.merge()
    assert await meeting.unread() == {GROUP: 50, meeting.with_guest: 2}
    backwards = await visitors.write(
        meeting.guest, GROUP, kind=Kind.READ, target=Identity(LAPTOP, 140)
    )
    assert isinstance(backwards, Refused)
    assert backwards.refusal is errors.MARK_BACKWARDS
    await read(meeting, meeting.guest, Identity(LAPTOP, 205), meeting.with_guest)
    assert await meeting.unread() == {GROUP: 50}


async def test_a_mark_on_what_comes_hides_nothing_of_the_accounts_own(meeting: Meeting) -> None:
    visitors, person = meeting.visitors, meeting.person.account
    await visitors.write(BOBS, GROUP, kind=Kind.SYSTEM, change=Change(Action.CREATE, (person,)))
    await visitors.write(BOBS, GROUP)  # for the person alone, who does not read it
    swapped = Change(Action.ADD, (meeting.guest.account,))
    await visitors.write(BOBS, GROUP, kind=Kind.SYSTEM, change=swapped)
    removed = Change(Action.REMOVE, (person,))
    await visitors.write(BOBS, GROUP, kind=Kind.SYSTEM, change=removed)
    await visitors.write(BOBS, GROUP)
    await read(meeting, meeting.guest, Identity(LAPTOP, 5), GROUP)
    await meeting.merge()
    assert await meeting.unread() == {GROUP: 1}
    await read(meeting, meeting.guest, Identity(LAPTOP, 5), GROUP)
    assert await meeting.unread() == {}


async def test_what_counts_as_unread_can_be_read(meeting: Meeting) -> None:
    visitors, person = meeting.visitors, meeting.person.account
    both = Change(Action.CREATE, (person, meeting.guest.account))
    await visitors.write(BOBS, GROUP, kind=Kind.SYSTEM, change=both)
    for _ in range(3):
        await visitors.write(BOBS, GROUP)  # in both logs
    await visitors.write(BOBS, GROUP, kind=Kind.SYSTEM, change=Change(Action.REMOVE, (person,)))
    await visitors.write(BOBS, GROUP)  # the guest's alone
    await read(meeting, meeting.guest, Identity(LAPTOP, 6), GROUP)
    await meeting.merge()
    assert await meeting.unread() == {GROUP: 3}, "no mark of the guest's names the shared ones"
    await read(meeting, meeting.guest, Identity(LAPTOP, 2), GROUP)
    assert await meeting.unread() == {GROUP: 2}


async def test_the_notice_says_what_the_marks_cannot(meeting: Meeting) -> None:
    visitors, person = meeting.visitors, meeting.person.account
    alone = Change(Action.CREATE, (meeting.guest.account, BOB))
    await visitors.write(BOBS, GROUP, kind=Kind.SYSTEM, change=alone)
    for _ in range(3):
        await visitors.write(BOBS, GROUP)  # the guest's alone
    joined = Change(Action.ADD, (person,))
    await visitors.write(BOBS, GROUP, kind=Kind.SYSTEM, change=joined)
    for _ in range(3):
        await visitors.write(BOBS, GROUP)  # in both logs
    await read(meeting, meeting.guest, Identity(LAPTOP, 7), GROUP)  # the second of these
    await meeting.merge()
    assert (await visitors.notices(person))[0] == Merge(
        meeting.guest.account, person, 6, {GROUP: 5}
    )
    assert await meeting.unread() == {GROUP: 1}


async def test_the_notice_has_room_for_the_newest_conversations(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.storage.merging.MERGE_READ_BYTES_MAX", 500)
    visitors, guest = meeting.visitors, meeting.guest.account
    groups = [ConversationId(f"{number:064d}") for number in range(10)]
    for number, group in enumerate(groups):
        alone = Change(Action.CREATE, (guest, BOB))
        await visitors.write(BOBS, group, kind=Kind.SYSTEM, change=alone)
        await visitors.write(BOBS, group)
        joined = Change(Action.ADD, (meeting.person.account,))
        await visitors.write(BOBS, group, kind=Kind.SYSTEM, change=joined)
        await read(meeting, meeting.guest, Identity(LAPTOP, 3 * number + 3), group)
    await meeting.merge()
    notice = (await visitors.notices(meeting.person.account))[0]
    assert isinstance(notice, Merge)
    assert set(notice.read) == set(groups[-6:])
    assert len(await meeting.unread()) == 4, "what it has no room for counts as unread"


# ---------------------------------------------------------------- devices


async def test_only_the_prover_goes_on(meeting: Meeting) -> None:
    visitors = meeting.visitors
    await meeting.merge()
    welcome = await opened(visitors, meeting.guest, 2)
    assert isinstance(welcome, Opening)
    assert welcome.aliases == (meeting.guest.account,)
    assert len(welcome.merged_epochs) == 1
    assert welcome.epoch not in welcome.merged_epochs
    assert await opened(visitors, meeting.elsewhere, 1) is errors.SIGNED_OUT_BY_MERGE
    known = await visitors.storage.device_by_token(visitors.tokens[meeting.elsewhere.device])
    assert known is not None
    assert known.ended is errors.SIGNED_OUT_BY_MERGE
    back = await visitors.sign_in(subject("guest", SITE), on=meeting.elsewhere.device)
    assert (back.account, back.device) == (meeting.person.account, meeting.elsewhere.device)
    assert isinstance(await opened(visitors, back, 2), Opening)


async def test_a_login_that_proves_no_device_takes_none_along(meeting: Meeting) -> None:
    done = await meeting.visitors.sign_in(subject("guest", SITE), "u1")
    assert done.merged is not None
    assert done.merged.prover is None
    assert done.merged.signed_out == (meeting.guest.device, meeting.elsewhere.device)
    assert len(await meeting.visitors.notices(meeting.person.account)) == 3


async def test_what_a_device_was_answered_is_told_by_the_accounts_seqs(meeting: Meeting) -> None:
    visitors = meeting.visitors
    for _ in range(3):
        await visitors.write(meeting.guest, meeting.with_guest)
    await visitors.storage.trim(meeting.guest.account, 3)  # the notice of a device, the first
    done = await meeting.merge()
    log = await meeting.log()
    for number in (2, 3):
        answered = await visitors.write(meeting.guest, meeting.with_guest, again=number)
        assert isinstance(answered, Accepted)
        assert answered.duplicate
        assert answered.seq is not None
        assert told(log[answered.seq - 1]) == Identity(done.device, number)
    lost = await visitors.write(meeting.guest, meeting.with_guest, again=1)
    assert lost == Accepted(1, None, duplicate=True)
    assert isinstance(await visitors.write(meeting.guest, meeting.with_guest), Accepted)


async def test_what_was_trimmed_and_is_brought_back_is_answered_by_its_new_place(
    meeting: Meeting,
) -> None:
    visitors, person = meeting.visitors, meeting.person.account
    between = direct(person, meeting.guest.account)
    first = await visitors.write(meeting.guest, between)
    [page] = await visitors.storage.read([ReadRequest(person, 0, 1)])
    await visitors.storage.trim(person, page.head + 1)
    done = await meeting.merge()
    answered = await visitors.write(done, between, again=first.number)
    assert isinstance(answered, Accepted)
    assert answered.duplicate
    assert answered.seq is not None
    assert answered.seq > page.head


async def test_what_an_old_generation_left_is_dropped(meeting: Meeting) -> None:
    visitors = meeting.visitors
    await meeting.merge()
    for device in (meeting.guest.device, meeting.elsewhere.device):
        work = Work(submissions=(Submission(device, 0, ()),))
        assert isinstance((await visitors.storage.commit(work)).submissions[0], Superseded)


async def test_a_hello_that_waited_hears_why(meeting: Meeting) -> None:
    visitors, guest = meeting.visitors, meeting.guest.account
    await meeting.merge()
    requests = tuple(
        OpeningRequest(guest, each.device, 1, "i" * 16, None)
        for each in (meeting.guest, meeting.elsewhere)
    )
    done = await visitors.storage.commit(Work(openings=requests))
    assert done.openings == (errors.TOKEN_ROTATED, errors.SIGNED_OUT_BY_MERGE)
    vouched = OpeningRequest(guest, meeting.guest.device, None, "i" * 16, None)
    done = await visitors.storage.commit(Work(openings=(vouched,)))
    assert done.openings == (errors.NOT_AUTHENTICATED,), "an embedder knows no alias"


# ---------------------------------------------------------------- aliases


async def test_what_is_addressed_to_the_guest_reaches_the_account(meeting: Meeting) -> None:
    visitors, person, guest = meeting.visitors, meeting.person.account, meeting.guest.account
    await meeting.merge()
    before = len(await meeting.log())
    for conversation in (meeting.with_guest, direct(person, BOB)):
        assert isinstance(await visitors.write(BOBS, conversation), Accepted)
        assert isinstance(await visitors.write(meeting.guest, conversation), Accepted)
    with_itself = direct(person, guest)
    assert isinstance(await visitors.write(meeting.guest, with_itself), Accepted)
    done = await visitors.storage.commit(Work(publications=(visitors.publication("k", guest),)))
    assert done.grown == {person}
    log = await meeting.log()
    assert len(log) == before + 6
    assert len({told(entry) for entry in log}) == len(log), "one log once"
    stranger = direct(guest, ALICE)
    refused = await visitors.write(BOBS, stranger)
    assert isinstance(refused, Refused)
    assert refused.refusal is errors.NOT_A_MEMBER


async def test_a_publication_keeps_its_answer(meeting: Meeting) -> None:
    visitors, guest, person = meeting.visitors, meeting.guest.account, meeting.person.account
    before = visitors.publication("before", guest)
    await visitors.storage.commit(Work(publications=(before,)))
    await meeting.merge()
    heads = await visitors.storage.heads([person])
    again = (before, visitors.publication("before", person))
    done = await visitors.storage.commit(Work(publications=again))
    assert done.publications == (Accepted(0, None, duplicate=True),) * 2
    other = visitors.publication("before", BOB)
    done = await visitors.storage.commit(Work(publications=(other,)))
    assert done.publications == (errors.KEY_CONFLICT,)
    assert await visitors.storage.heads([person]) == heads


async def test_changes_of_groups_know_the_alias(meeting: Meeting) -> None:
    visitors, guest, person = meeting.visitors, meeting.guest.account, meeting.person.account
    await meeting.merge()
    both = Change(Action.CREATE, (guest, person))
    await visitors.write(BOBS, GROUP, kind=Kind.SYSTEM, change=both)
    assert await visitors.storage.members(GROUP) == {BOB: Role.OWNER, person: Role.MEMBER}
    removed = Change(Action.REMOVE, (guest,))
    await visitors.write(BOBS, GROUP, kind=Kind.SYSTEM, change=removed)
    assert await visitors.storage.members(GROUP) == {BOB: Role.OWNER}


async def test_the_guests_messages_are_the_accounts_own(meeting: Meeting) -> None:
    visitors = meeting.visitors
    await visitors.write(meeting.guest, meeting.with_guest)
    await meeting.merge()
    mine = Identity(meeting.guest.device, 1)
    for kind in (Kind.EDIT, Kind.RECALL):
        done = await visitors.write(meeting.guest, meeting.with_guest, kind=kind, target=mine)
        assert isinstance(done, Accepted), done
    refused = await visitors.write(BOBS, meeting.with_guest, kind=Kind.RECALL, target=mine)
    assert isinstance(refused, Refused)
    assert refused.refusal is errors.FORBIDDEN


async def test_guests_of_guests_are_the_account_too(storage: Storage) -> None:
    visitors = Visitors(storage)
    first = await visitors.sign_in(subject("1", SITE))
    second = await visitors.sign_in(subject("2", SITE))
    third = await visitors.sign_in("3", "u1")
    await visitors.write(first, direct(first.account, BOB))
    assert isinstance(await visitors.merge(first.account, second.account), Merged)
    assert isinstance(await visitors.merge(second.account, third.account), Merged)
    for each in (first, second, third):
        assert await visitors.people.account_of(each.account) == third.account
    aliases = (first.account, second.account)
    assert await visitors.people.aliases(third.account) == aliases
    welcome = await opened(visitors, third, 1)
    assert isinstance(welcome, Opening)
    assert (welcome.aliases, len(welcome.merged_epochs)) == (aliases, 2)
    assert isinstance(await visitors.write(BOBS, direct(first.account, BOB)), Accepted)
    first_notice, second_notice = [
        each for each in await visitors.notices(third.account) if isinstance(each, Merge)
    ]
    assert (first_notice.guest, second_notice.guest) == (second.account, first.account)
    assert first_notice.entries == 2
    back = await visitors.sign_in(subject("1", SITE), on=first.device)
    assert (back.account, back.device) == (third.account, first.device)
    assert await visitors.people.account_of(AccountId("nobody")) is None


async def test_two_guests_at_once_come_to_one_person(storage: Storage) -> None:
    visitors = Visitors(storage)
    person = await visitors.sign_in("person", "u1")
    guests = [await visitors.sign_in(subject(name, SITE)) for name in "ab"]
    done = await asyncio.gather(
        *(
            visitors.sign_in(subject(name, SITE), "u1", on=guest.device)
            for name, guest in zip("ab", guests, strict=True)
        ),
        visitors.write(guests[0], direct(guests[0].account, BOB)),
    )
    assert {each.account for each in done[:2]} == {person.account}
    assert await visitors.people.aliases(person.account) == tuple(each.account for each in guests)


async def test_what_waits_while_two_become_one_is_there_once_or_dropped(
    meeting: Meeting,
) -> None:
    visitors, outcomes = meeting.visitors, list[Outcome]()
    committer = Committer(visitors.storage, Wakeups(), on_failure=lambda error: None)

    def take(answered: tuple[Outcome, ...] | Superseded) -> None:
        if not isinstance(answered, Superseded):
            outcomes.extend(answered)

    async def keep_writing(who: SignedIn) -> None:
        lane = Lane()
        for _ in range(20):
            conversation = direct(meeting.person.account, meeting.guest.account)
            committer.append(lane, visitors.submission(who, 0, conversation), take)
            await visitors.storage.heads([who.account])

    running = asyncio.ensure_future(committer.run())
    everybody = (meeting.person, meeting.guest, meeting.elsewhere)
    await asyncio.gather(meeting.merge(), *(keep_writing(each) for each in everybody))
    committer.drain()
    await running
    log = [told(entry) for entry in await meeting.log()]
    assert len(set(log)) == len(log)
    sent = [each for each in log if each.device in {one.device for one in everybody}]
    assert len(sent) == len(outcomes)
    assert all(isinstance(each, Accepted) for each in outcomes)
    assert [each.number for each in sent if each.device == meeting.person.device] == [*range(1, 21)]


# ---------------------------------------------------------------- the logs


async def test_the_log_stays_a_chain_and_the_guests_takes_no_entry(meeting: Meeting) -> None:
    visitors, guest = meeting.visitors, meeting.guest.account
    await visitors.write(meeting.guest, meeting.with_guest)
    heads = await visitors.storage.heads([guest])
    await meeting.merge()
    await visitors.write(BOBS, meeting.with_guest)
    assert await visitors.storage.heads([guest]) == heads
    [page] = await visitors.storage.read([ReadRequest(meeting.person.account, 0, 1_000_000)])
    assert page.to == page.head
    again = await visitors.sign_in(subject("guest", SITE), "u1", on=meeting.guest.device)
    assert (again.case, again.merged) == (Case.RETURNED, None), "it is done once"


async def test_an_erased_body_stays_erased(meeting: Meeting) -> None:
    visitors, guest = meeting.visitors, meeting.guest.account
    await visitors.write(meeting.guest, meeting.with_guest)
    await visitors.write(meeting.guest, meeting.with_guest)
    await visitors.storage.erase(guest, 2)
    await meeting.merge()
    log = await meeting.log()
    assert [entry.body for entry in log[2:4]] == [None, b"message"]
    assert isinstance(await visitors.write(BOBS, meeting.with_guest), Accepted)
    assert await visitors.storage.erase(meeting.person.account, len(log)) == 3
    assert [entry.body for entry in await visitors.log(guest)][-1] is None


async def test_retention_goes_on_in_a_closed_log(meeting: Meeting) -> None:
    visitors, guest = meeting.visitors, meeting.guest.account
    await visitors.write(meeting.guest, meeting.with_guest)
    await meeting.merge()
    assert await visitors.storage.trim(guest, 2) == 1
    assert not await visitors.storage.create_account(guest), "an alias is no account to be made"


async def test_a_cursor_of_the_guests_log_counts_no_more(
    meeting: Meeting, renew_epoch: RenewEpoch
) -> None:
    visitors = meeting.visitors
    welcome = await opened(visitors, meeting.guest, 1)
    assert isinstance(welcome, Opening)
    await meeting.merge()
    after = await opened(visitors, meeting.guest, 2)
    assert isinstance(after, Opening)
    assert after.cursor is None
    assert after.merged_epochs == {welcome.epoch}
    await renew_epoch(visitors.storage, meeting.guest.account, Epoch(b"restored"))
    restored = await opened(visitors, meeting.guest, 2)
    assert isinstance(restored, Opening)
    assert restored.merged_epochs == {b"restored"}


async def test_a_device_that_an_operator_makes_for_the_guest_is_the_accounts(
    meeting: Meeting,
) -> None:
    await meeting.merge()
    made = DeviceId("b" * 24)
    storage = meeting.visitors.storage
    await storage.create_device(meeting.guest.account, made, "bot", "bot", b"t" * 32)
    device = await storage.device_by_token(b"t" * 32)
    assert device is not None
    assert device.account == meeting.person.account


# ---------------------------------------------------------------- by an operator


async def test_an_operator_unites_links_too(storage: Storage) -> None:
    visitors = Visitors(storage)
    one = await visitors.sign_in("one", "u1")
    other = await visitors.sign_in("two", "v1", platform=OTHER)
    done = await visitors.merge(one.account, other.account)
    assert isinstance(done, Merged)
    assert (done.prover, done.signed_out) == (None, (one.device,))
    assert (await visitors.sign_in(subject("new", SITE), "u1")).account == other.account
    assert {each.union for each in await visitors.people.subjects(one.account)} >= {
        (OPEN, "u1"),
        (OTHER, "v1"),
    }


async def test_a_union_that_waited_for_the_merge_waits_no_more(meeting: Meeting) -> None:
    visitors, person, guest = meeting.visitors, meeting.person.account, meeting.guest.account
    await visitors.people.stand(person, Standing.LEAVING)
    assert (await visitors.sign_in(subject("guest", SITE), "u1")).case is Case.PENDING
    await visitors.people.stand(person, Standing.ACTIVE)
    assert isinstance(await visitors.merge(guest, person), Merged)
    assert await visitors.people.pending() == []


async def test_an_operator_finds_the_devices_under_either_name(meeting: Meeting) -> None:
    await meeting.merge()
    storage = meeting.visitors.storage
    both = [await storage.devices(each.account) for each in (meeting.person, meeting.guest)]
    assert both[0] == both[1]
    assert len(both[0]) == 3


async def test_what_cannot_be_merged_is_refused(storage: Storage) -> None:
    visitors = Visitors(storage)
    one, other = await visitors.sign_in("one", "u1"), await visitors.sign_in("two", "u2")
    nobody = AccountId("nobody")
    for pair, refusal in {
        (one.account, other.account): errors.MERGE_REFUSED,
        (one.account, one.account): errors.MERGE_REFUSED,
        (nobody, one.account): errors.NO_SUCH_ACCOUNT,
        (one.account, nobody): errors.NO_SUCH_ACCOUNT,
    }.items():
        assert await visitors.merge(*pair) is refusal
    assert isinstance(await visitors.merge(BOB, one.account), Merged)
    assert await visitors.merge(BOB, one.account) is errors.MERGE_REFUSED, "it was merged"
    await visitors.people.stand(one.account, Standing.LEAVING)
    assert await visitors.merge(ALICE, one.account) is errors.MERGE_REFUSED

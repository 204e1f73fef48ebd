"""Foreign entries, half merges and revoked devices are found."""

import pytest
from msgspec.structs import replace

from client_sim.history import (
    SERVER,
    Ack,
    Answer,
    Appended,
    Batch,
    Connect,
    Device,
    Fault,
    Floor,
    Merged,
    Record,
    Renewed,
    Revoked,
    Send,
    Verdict,
)
from client_sim.judging.court import judge
from client_sim.judging.verdict import Ruling
from tests.client_sim.judging.story import Story, broken, founding_story

# ---------------------------------------------------------------- tenant-wall


def test_a_page_of_another_account() -> None:
    story = founding_story()
    story.say("phone", 3, to=("bob",))
    story.pull("phone")
    story.batch("PC2", 2, story.logs["bob"][2:])
    judgement = story.end("PC1", "PC2")
    assert broken(judgement) == ("tenant-wall",)
    [opinion] = [each for each in judgement.opinions if each.charges]
    assert opinion.charges[0].text == "PC2 of alice got message 3 of phone, which was for bob"


def test_a_log_that_holds_what_is_another_accounts() -> None:
    story = founding_story()
    story.append(story.write("phone", 3, ("bob",)))
    for device in ("phone", "PC2"):
        story.pull(device)
    assert broken(story.end("PC1")) == ("tenant-wall",)


@pytest.mark.parametrize("kind", [4, 5])
def test_a_read_mark_or_a_deletion_is_the_own_accounts_only(kind: int) -> None:
    story = founding_story()
    content = story.write("phone", 3)
    story.records[-1] = replace(story.records[-1], kind=kind, to=())  # type: ignore[call-arg]
    story.append(content)
    for device in ("phone", "PC2"):
        story.pull(device)
    assert broken(story.end("PC1")) == ("tenant-wall",)


def test_a_direct_conversation_is_named_by_both() -> None:
    for name, expected in (("alice~bob", ()), ("bob~carol", ("tenant-wall",))):
        story = founding_story()
        content = story.write("phone", 3, ())
        story.records[-1] = replace(story.records[-1], conversation=name)  # type: ignore[call-arg]
        story.append(content)
        for device in ("phone", "PC2"):
            story.pull(device)
        assert broken(story.end("PC1")) == expected


def test_only_the_server_knows_who_is_in_a_group() -> None:
    story = founding_story()
    content = story.write("phone", 3, ())
    story.append(content)
    for device in ("phone", "PC2"):
        story.pull(device)
    assert story.end("PC1").ruling is Ruling.TRUE


# ---------------------------------------------------------------- merge-atomic


class Merging(Story):
    """A guest wrote two messages to alice, and turns out to be bob."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs["guest"] = "g1"
        self.device("tablet", "guest")
        self.device("TV", "guest")
        for device in ("phone", "tablet", "TV", "PC1", "PC2"):
            self.log_in(device)
        self.say("tablet", 1, 2, to=("alice", "guest"))
        for device in ("tablet", "TV", "PC1", "PC2"):
            self.pull(device)

    def merge(self, *numbers: int) -> None:
        """These messages are brought into bob's log."""
        self.tell(Merged(by=SERVER, guest="guest", account="bob", prover="tablet"))
        for number in numbers:
            entry = ("tablet#" + str(number), f"body {number}")
            self.append(entry, ("bob",))
            self.records[-1] = replace(self.records[-1], merged=True)  # type: ignore[call-arg]

    def finish(self) -> tuple[str, ...]:
        self.pull("phone")
        for device in ("tablet", "TV"):
            self.accounts.pop(device, None)
            self.places.pop(device, None)
        return broken(self.end())


def test_a_whole_merge() -> None:
    story = Merging()
    story.merge(1, 2)
    assert story.finish() == ()


def test_a_merge_that_forgot_an_entry() -> None:
    story = Merging()
    story.merge(1)
    assert story.finish() == ("durable-ack", "merge-atomic")


def test_a_merge_in_another_order() -> None:
    story = Merging()
    story.merge(2, 1)
    assert story.finish() == ("merge-atomic",)


def test_a_merge_that_brought_an_entry_twice() -> None:
    story = Merging()
    story.merge(1, 2, 1)
    assert "one-effect" in story.finish()


def test_what_retention_had_dropped_need_not_come() -> None:
    story = Merging()
    story.tell(Floor(by=SERVER, account="guest", epoch="g1", floor=1))
    story.merge(2)
    assert "merge-atomic" not in story.finish()


def test_another_device_of_the_guest_that_logged_in_itself() -> None:
    story = Merging()
    story.merge(1, 2)
    story.device("TV", "bob")
    story.places.pop("TV", None)
    story.log_in("TV")
    story.pull("TV")
    assert "merge-atomic" not in broken(story.end("tablet"))


def test_another_device_of_the_guest_that_was_served_before_it_logged_in() -> None:
    story = Merging()
    story.merge(1, 2)
    story.accounts["TV"] = "bob"  # as the server has it; nobody logged in
    story.places.pop("TV", None)
    story.log_in("TV")
    story.pull("TV")
    story.device("TV", "bob")
    assert "merge-atomic" in broken(story.end("tablet"))


def test_a_merge_that_never_ended() -> None:
    story = Merging()
    story.merge(1, 2)
    story.records = [each for each in story.records if not isinstance(each, Merged)]
    assert "merge-atomic" in story.finish()


def test_a_guests_log_that_goes_on() -> None:
    story = Merging()
    story.merge(1, 2)
    story.append(story.write("TV", 1, ("guest",)), ("guest",))
    assert "merge-atomic" in story.finish()


def test_only_the_prover_goes_on_with_the_accounts_log() -> None:
    for device, expected in (("tablet", ()), ("TV", ("merge-atomic",))):
        story = Merging()
        story.merge(1, 2)
        session = story.sessions[device]
        story.tell(
            Verdict(
                device=device,
                session=session,
                kind="reset",
                reason="merged",
                epoch="b1",
                floor=0,
                head=2,
                start=0,
                missed=2,
            )
        )
        assert story.finish() == expected
    story = Merging()
    story.merge(1, 2)
    story.tell(Device(device="TV", account="bob", name="TV"))
    story.connect("TV")
    story.accounts["TV"] = "bob"
    story.verdict("TV", 0)
    assert "merge-atomic" not in story.finish()


# ---------------------------------------------------------------- revoke


def late(record: Record, *before: Record, wait: int = 30) -> tuple[str, ...]:
    """PC2 is revoked; three seconds later this is told."""
    story = founding_story()
    story.tell(*before, Revoked(by=SERVER, device="PC2"))
    for _ in range(wait):
        story.tell(Connect(device="PC1", session=90))
    story.tell(record)
    return broken(judge(story.records))


ENTRY = Appended(by=SERVER, account="alice", epoch="a1", seq=3, message="PC2#1", body="b")
WRITTEN = Send(device="PC2", message="PC2#1", body="b", to=("alice",))
SERVED = (
    Batch(by=SERVER, device="PC2", session=3, epoch="a1", prev=2, messages=()),
    Batch(device="PC2", session=3, epoch="a1", prev=2, messages=()),
    Ack(by=SERVER, device="PC2", session=3, epoch="a1", seq=2),
    Answer(by=SERVER, device="PC2", message="PC2#1", outcome="accepted"),
    ENTRY,
)


@pytest.mark.parametrize("record", SERVED, ids=lambda record: type(record).__name__)
def test_whatever_is_served_to_a_revoked_device(record: Record) -> None:
    assert late(record, WRITTEN) == ("revoke",)
    assert late(record, WRITTEN, wait=10) == ()


def test_a_verdict_to_a_revoked_device() -> None:
    told = Verdict(device="PC2", session=3, kind="welcome", epoch="a1", floor=0, head=2, start=2)
    assert "revoke" in late(told)


def test_on_a_slow_line_entries_may_have_been_under_way() -> None:
    slow = Fault(kind="slow_reader", target="PC2")
    old = Batch(device="PC2", session=3, epoch="a1", prev=2, messages=())
    assert late(old, slow) == ()
    answer = Answer(device="PC2", message="PC2#1", outcome="accepted")
    assert late(answer, slow, WRITTEN) == ()
    assert late(answer, slow) == ()


def test_an_older_copy_of_the_store_knows_of_no_revocation() -> None:
    story = founding_story()
    story.tell(Revoked(by=SERVER, device="PC2"))
    story.rewind({"alice": 2, "bob": 2}, {"alice": "a2", "bob": "b2"})
    for _ in range(30):
        story.tell(Connect(device="PC1", session=90))
    story.connect("PC2")
    story.verdict("PC2", 0, "reset", reason="epoch")
    assert "revoke" not in broken(judge(story.records))


def test_neither_does_an_older_copy_with_a_log_of_which_nothing_was_told_before() -> None:
    story = founding_story()
    story.tell(Device(device="tablet", account="carol"))
    story.tell(Revoked(by=SERVER, device="tablet"))
    story.tell(Renewed(by=SERVER, account="carol", epoch="c2", head=0, why="restore"))
    for _ in range(30):
        story.tell(Connect(device="PC1", session=90))
    story.tell(
        Verdict(device="tablet", session=91, kind="welcome", epoch="c2", floor=0, head=0, start=0)
    )
    assert "revoke" not in broken(judge(story.records))


@pytest.mark.parametrize("served", [True, False])
def test_who_is_signed_out_is_served_again_after_its_next_login(served: bool) -> None:
    story = founding_story()
    story.tell(Revoked(by=SERVER, device="PC2", until_login=True))
    last = story.records[-1]
    late = 30.0 + last.at
    if not served:
        story.tell(Device(device="PC2", account="alice", name="PC2"))
    ack = Ack(by=SERVER, device="PC2", session=2, epoch="a1", seq=2, at=late)
    judgement = judge([*story.records, ack])
    [said] = [each for each in judgement.opinions if each.judge == "revoke"]
    assert bool(said.charges) is served
    if served:
        assert "was signed out at" in said.charges[0].text

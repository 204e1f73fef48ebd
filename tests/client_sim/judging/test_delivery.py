"""What a device is told and makes of it: prefix, explicit-gap, epoch, read-your-writes."""

import pytest

from client_sim.history import (
    SERVER,
    Ack,
    Applied,
    Batch,
    Connect,
    Fault,
    Phase,
    Process,
    Renewed,
    Step,
    Verdict,
)
from client_sim.judging.court import judge
from client_sim.judging.verdict import Ruling
from tests.client_sim.judging.story import Story, broken, founding_story

BACK = {"alice": "a2", "bob": "b2"}


# ---------------------------------------------------------------- prefix


def test_a_device_that_stores_entries_over_a_hole() -> None:
    story = founding_story()
    story.say("phone", 3, 4)
    story.batch("PC2", 2, story.logs["alice"][2:])
    story.apply("PC2", 3, 4)
    assert "prefix" in broken(story.end("PC1", "phone"))


def test_a_device_that_takes_a_place_that_nobody_gave_it() -> None:
    story = founding_story()
    story.tell(Applied(device="PC2", epoch="a1", prev=7, to=7))
    assert broken(story.end()) == ("prefix",)


def test_a_device_that_stores_what_it_never_got() -> None:
    story = founding_story()
    story.tell(Applied(device="PC2", epoch="a1", prev=2, to=3))
    assert broken(story.end()) == ("prefix",)


def test_a_device_that_confirms_what_it_has_not_stored() -> None:
    story = founding_story()
    story.say("phone", 3)
    story.pull("phone")
    story.batch("PC2", 2, story.logs["alice"][2:])
    story.tell(Ack(device="PC2", session=story.sessions["PC2"], epoch="a1", seq=3))
    story.apply("PC2", 2, 3)
    assert broken(story.end("PC1")) == ("prefix",)


def test_a_device_that_forgot_what_it_had_stored() -> None:
    story = founding_story()
    story.places["PC2"] = "a1", 1
    story.connect("PC2")
    story.verdict("PC2", 1)
    story.take("PC2", 1)
    story.firsts["PC2"] = 0
    story.pull("PC2")
    assert broken(story.end()) == ("prefix",)


@pytest.mark.parametrize("kind", ["clone", "device_restored"])
def test_a_clone_or_an_older_copy_of_a_device_may_be_behind(kind: str) -> None:
    story = founding_story()
    story.tell(Fault(kind=kind, target="PC2"))
    story.places["PC2"] = "a1", 1
    story.connect("PC2")
    story.verdict("PC2", 1)
    story.take("PC2", 1)
    story.firsts["PC2"] = 0
    story.pull("PC2")
    assert story.end().ruling is Ruling.TRUE


def test_a_device_that_was_killed_may_have_stored_what_it_did_not_tell() -> None:
    story = founding_story()
    story.say("phone", 3)
    story.pull("phone")
    story.batch("PC2", 2, story.logs["alice"][2:])
    story.tell(Process(whose="PC2", state="crashed"))
    story.places["PC2"] = "a1", 3
    story.connect("PC2")
    story.verdict("PC2", 3)
    assert story.end("PC1").ruling is Ruling.TRUE


def test_a_store_is_lost_only_where_the_play_says_so() -> None:
    for said, expected in (("PC2 loses its store", ()), ("PC2 logs in", ("prefix",))):
        story = founding_story()
        story.tell(Step(sentence=said))
        del story.places["PC2"]
        story.log_in("PC2")
        assert broken(story.end()) == expected


def test_a_device_that_holds_a_part_of_what_it_says() -> None:
    story = founding_story()
    judgement = story.end("PC1", PC1={"entries": (("phone#1", "body 1"),)})
    assert broken(judgement) == ("prefix",)


# ---------------------------------------------------------------- explicit-gap


def test_the_founding_bug() -> None:
    """PC2 never had anything and is welcomed from where PC1 has got."""
    story = Story()
    story.log_in("phone")
    story.say("phone", 1, 2)
    story.pull("phone")
    story.log_in("PC1")
    story.connect("PC2")
    story.verdict("PC2", 2)
    story.take("PC2", 2)
    judgement = story.end()
    # The server believes that PC2 has them: that is the bug.
    assert broken(judgement) == ("monotone-cursor", "explicit-gap")
    opinion = next(each for each in judgement.opinions if each.judge == "explicit-gap")
    assert opinion.charges[0].text == (
        "PC2 said that it holds nothing, and was welcomed from 2: 1 to 2 never come"
    )


def test_a_batch_that_does_not_follow_and_one_that_comes_again() -> None:
    for prev, word in ((3, "never received 3 to 3"), (1, "received 2 to 2 once more")):
        story = founding_story()
        story.say("phone", 3, 4)
        story.pull("phone")
        story.batch("PC2", prev, story.logs["alice"][prev:])
        judgement = story.end("PC1", "PC2")
        assert broken(judgement) == ("explicit-gap",)
        [opinion] = [each for each in judgement.opinions if each.charges]
        assert opinion.charges[0].text == f"PC2 {word}, and nothing was said of it"


def test_a_start_below_the_floor_or_beyond_it() -> None:
    for start, kind in ((1, "welcome"), (3, "truncated")):
        story = founding_story()
        story.say("phone", 3, 4)
        story.pull("phone")
        story.floors["alice"] = 2
        story.places["PC1"] = "a1", 1
        story.tell(Fault(kind="device_restored", target="PC1"))
        story.connect("PC1")
        story.verdict("PC1", start, kind)
        assert broken(story.end("PC1", "PC2")) == ("explicit-gap",)


def test_a_wrong_number_of_what_will_come() -> None:
    story = founding_story()
    story.connect("PC1")
    story.verdict("PC1", 2, missed=1)
    assert broken(story.end()) == ("explicit-gap",)


def test_a_hole_that_was_announced_at_once_or_in_between() -> None:
    story = founding_story()
    story.say("phone", 3, 4)
    story.pull("phone")
    story.tell(Fault(kind="trim", target="alice"))
    story.floors["alice"] = 3
    story.verdict("PC2", 3, "truncated")
    story.take("PC2", 3)
    story.pull("PC2")
    story.connect("PC1")
    story.verdict("PC1", 3, "truncated")
    story.take("PC1", 3)
    story.pull("PC1")
    assert story.end().ruling is Ruling.TRUE


def test_a_server_without_verdicts_may_repeat_but_not_skip() -> None:
    def told(*batches: tuple[int, int]) -> tuple[str, ...]:
        story = Story()
        contents = [story.write("phone", number, ("alice",)) for number in (1, 2, 3)]
        for content in contents:
            story.answer(content[0])
        for session, (prev, to) in enumerate(batches, 1):
            story.sessions["PC1"] = session
            story.batch("PC1", prev, contents[prev:to])
        story.tell(Phase(name="end"))
        return broken(judge(story.records))

    assert told((0, 2), (1, 3)) == ()
    assert told((0, 1), (2, 3)) == ("explicit-gap",)


# ---------------------------------------------------------------- epoch


def restored(how: str, **verdict: object) -> Story:
    """PC2 comes back after a restore that lost message 2."""
    story = founding_story()
    same = dict(story.epochs)
    story.rewind({"alice": 1, "bob": 1}, BACK if how == "restore" else same, how)
    story.connect("PC2")
    told = {"start": 0, "kind": "reset", "reason": "epoch"} | verdict
    story.verdict("PC2", **told)  # type: ignore[arg-type]
    return story


def epoch_only(story: Story) -> bool:
    return "epoch" in broken(judge(story.records))


def test_a_restore_resets_whoever_stands_in_the_older_epoch() -> None:
    assert not epoch_only(restored("restore"))
    assert epoch_only(restored("restore", start=1, kind="welcome", missed=0))
    assert epoch_only(restored("restore", epoch="a1"))


def test_files_put_back_reset_whoever_is_ahead() -> None:
    assert not epoch_only(restored("put_back", reason="ahead"))
    assert epoch_only(restored("put_back", start=1, kind="welcome", missed=0))


def test_files_put_back_reset_whoever_holds_another_past() -> None:
    def told(kind: str, start: int) -> Story:
        story = founding_story()
        story.rewind({"alice": 1, "bob": 1}, dict(story.epochs), "put_back")
        story.append(story.write("PC1", 1))
        story.connect("PC2")
        story.verdict("PC2", start, kind, missed=2 - start)
        return story

    assert not epoch_only(told("reset", 0))
    assert epoch_only(told("welcome", 2))


def test_a_reset_without_any_reason() -> None:
    story = founding_story()
    story.connect("PC2")
    story.verdict("PC2", 0, "reset", reason="ahead")
    assert epoch_only(story)


def test_entries_of_another_epoch_than_was_told() -> None:
    story = founding_story()
    session = story.sessions["PC2"]
    story.tell(Batch(device="PC2", session=session, epoch="b1", prev=2, messages=()))
    assert epoch_only(story)


def test_two_logs_never_share_an_epoch() -> None:
    story = Story()
    story.epochs["bob"] = "a1"
    for device in ("PC1", "phone"):
        story.log_in(device)
    assert epoch_only(story)


def test_a_restore_by_command_has_to_bring_a_new_epoch() -> None:
    story = founding_story()
    renewed = Renewed(by=SERVER, account="alice", epoch="a1", head=2, why="restore")
    story.tell(Fault(by=SERVER, kind="restore", target="server"), renewed)
    assert epoch_only(story)


# ---------------------------------------------------------------- read-your-writes


def test_a_head_that_is_older_than_an_answer() -> None:
    story = founding_story()
    story.connect("PC1")
    story.verdict("PC1", 2)
    story.say("phone", 3)
    story.pull("PC2")
    story.connect("PC1")
    story.verdict("PC1", 2, head=2, missed=0)
    story.pull("phone")
    assert broken(story.end("PC1")) == ("read-your-writes",)


def test_a_hello_from_before_the_answer_may_see_less() -> None:
    story = founding_story()
    story.say("PC2", 1)
    story.pull("phone")
    session = story.connect("PC1")
    story.say("PC2", 2)
    told = Verdict(
        device="PC1", session=session, kind="welcome", epoch="a1", floor=0, head=3, start=2
    )
    story.tell(told)
    for device in ("phone", "PC2"):
        story.pull(device)
    assert story.end("PC1").ruling is Ruling.TRUE


def test_after_a_restore_less_is_right() -> None:
    assert "read-your-writes" not in broken(judge(restored("restore").records))


def test_a_cursor_hello_begins_where_the_server_says() -> None:
    story = founding_story()
    story.tell(Connect(device="PC1", session=77, cursor=True))
    story.sessions["PC1"] = 77
    story.verdict("PC1", 1)
    assert broken(story.end("PC1")) == ()

"""Who does not come to have everything is found, and what it does not have is named."""

from msgspec.structs import replace

from client_sim.history import SERVER, Fault, Phase, Revoked
from client_sim.judging.court import judge
from client_sim.judging.verdict import Ruling
from tests.client_sim.judging.story import Story, broken, founding_story


def said(story: Story, *offline: str, **holdings: dict[str, object]) -> str:
    judgement = story.end(*offline, **holdings)
    assert broken(judgement) == ("convergence",)
    [opinion] = [each for each in judgement.opinions if each.charges]
    return opinion.charges[0].text


# ---------------------------------------------------------------- convergence


def test_a_device_that_was_never_woken() -> None:
    story = founding_story()
    story.say("phone", 3)
    accepted = story.records[-1].at
    story.say("phone", 4)
    story.pull("phone")
    assert said(story, "PC1") == (
        f"PC2 never received message 3 of phone (seq 3 of alice), accepted at {accepted:.3f} s; "
        "it stops there, 1 before the head"
    )


def test_a_device_that_is_away_may_lack_something() -> None:
    story = founding_story()
    story.say("phone", 3, 4)
    story.pull("phone")
    assert story.end("PC1", "PC2").ruling is Ruling.TRUE


def test_a_message_that_waits_for_ever() -> None:
    story = founding_story()
    story.write("phone", 3)
    text = said(story, phone={"waiting": ("phone#3",)})
    assert text == "phone still waits for the answer to message 3 of phone"


def test_a_device_in_another_epoch_and_one_beyond_the_head() -> None:
    story = founding_story()
    text = said(story, PC1={"epoch": "a0"})
    assert text == "PC1 is in another epoch than the log of alice"
    story = founding_story()
    story.say("phone", 3)
    for device in ("phone", "PC1", "PC2"):
        story.pull(device)
    story.tell(Fault(kind="power_cut", target="server"))
    gone = story.logs["alice"].pop()
    everything = (*story.logs["alice"], gone)
    judgement = story.end(PC1={"entries": everything}, PC2={"entries": everything})
    assert {"durable-ack", "convergence"} <= set(broken(judgement))


def test_a_device_that_holds_only_the_end_and_was_told_no_reason() -> None:
    story = founding_story()
    tail = {"first": 1, "entries": (("phone#2", "body 2"),)}
    assert said(story, PC1=tail).startswith("PC1 never received message 1 of phone")


def test_a_device_may_hold_more_than_the_log_still_has() -> None:
    story = founding_story()
    story.tell(Fault(by=SERVER, kind="trim", target="alice"))
    story.floors["alice"] = 1
    assert story.end().ruling is Ruling.TRUE


def test_a_revoked_device_has_nothing_to_come_to() -> None:
    story = founding_story()
    story.tell(Revoked(by=SERVER, device="PC2"))
    story.say("phone", 3)
    story.pull("phone")
    assert story.end("PC1").ruling is Ruling.TRUE


def test_without_a_calm_nobody_has_to_be_there_yet() -> None:
    story = founding_story()
    story.say("phone", 3)
    story.pull("phone")
    story.end("PC1")
    stormy = [each for each in story.records if not isinstance(each, Phase)]
    assert judge(stormy).ruling is Ruling.TRUE


# ---------------------------------------------------------------- poison-safe


def poisoned(times: int) -> Story:
    story = founding_story()
    story.say("phone", 3)
    story.pull("phone")
    story.tell(Phase(name="calm"))
    for _ in range(times):
        story.connect("PC2")
        story.verdict("PC2", 2)
        story.batch("PC2", 2, story.logs["alice"][2:])
    return story


def test_an_entry_that_a_device_never_gets_over() -> None:
    judgement = poisoned(3).end("PC1")
    assert broken(judgement) == ("convergence", "poison-safe")
    [opinion] = [each for each in judgement.opinions if each.judge == "poison-safe"]
    assert opinion.charges[0].text == (
        "PC2 was given message 3 of phone 3 times in the calm and never got over it"
    )


def test_a_line_that_is_cut_once_poisons_nothing() -> None:
    story = poisoned(2)
    story.apply("PC2", 2, 3)
    story.confirm("PC2", 3)
    assert story.end("PC1").ruling is Ruling.TRUE


def test_an_empty_batch_is_no_poison() -> None:
    story = poisoned(3)
    story.records = [
        replace(each, messages=()) if type(each).__name__ == "Batch" and index > 40 else each  # type: ignore[call-arg]
        for index, each in enumerate(story.records)
    ]
    assert "poison-safe" not in broken(story.end("PC1"))

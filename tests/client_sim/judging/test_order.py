"""A log that changes its mind is found: one-order, dense, stable-prefix, sender-fifo."""

from msgspec.structs import replace

from client_sim.history import SERVER, Appended, Fault, Log, Process
from client_sim.judging.court import judge
from client_sim.judging.verdict import Ruling
from tests.client_sim.judging.story import ALL, Story, broken, founding_story


def last(story: Story, kind: type) -> int:
    return max(index for index, each in enumerate(story.records) if isinstance(each, kind))


# ---------------------------------------------------------------- one-order


def test_a_seq_that_is_two_messages() -> None:
    story = founding_story()
    story.connect("PC1")
    story.verdict("PC1", 0)
    story.tell()
    story.batch("PC1", 0, [("phone#2", "body 2"), ("phone#1", "body 1")])
    assert "one-order" in broken(story.end())


def test_a_device_that_holds_something_else_than_the_log() -> None:
    story = founding_story()
    swapped = {"entries": (("phone#2", "body 2"), ("phone#1", "body 1"))}
    judgement = story.end("PC1", PC1=swapped)
    assert broken(judgement) == ("one-order",)
    [opinion] = [each for each in judgement.opinions if each.charges]
    assert opinion.charges[0].text == (
        "PC1 holds message 2 of phone at 1, where the log of alice has also message 1 of phone"
    )


def test_a_body_that_changes() -> None:
    story = founding_story()
    index = last(story, Appended)
    entry = story.records[index]
    assert isinstance(entry, Appended)
    story.records[index] = replace(entry, body="another")
    assert "one-order" in broken(story.end())


def test_files_put_back_by_hand_make_another_past_of_the_same_epoch() -> None:
    story = founding_story()
    story.log_out("phone")
    story.rewind({"alice": 1, "bob": 1}, dict(story.epochs), "put_back")
    content = story.write("PC2", 1)
    story.connect("PC2")
    story.verdict("PC2", 0, "reset", reason="ahead", sent=0)
    story.take("PC2", 0)
    story.append(content)
    story.answer("PC2#1", 2)
    story.pull("PC2")
    # PC1 has not been there since, and holds the old past.
    old = (("phone#1", "body 1"), ("phone#2", "body 2"))
    judgement = story.end("PC1", "phone", PC1={"entries": old}, phone={"entries": old})
    assert judgement.ruling is Ruling.TRUE


# ---------------------------------------------------------------- dense


def test_a_log_with_fewer_entries_than_it_says() -> None:
    story = founding_story()
    story.end()
    index = last(story, Log)
    log = story.records[index]
    assert isinstance(log, Log)
    story.records[index] = replace(log, head=3)
    assert "dense" in broken(judge(story.records))


def test_a_seq_that_is_left_out() -> None:
    story = founding_story()
    skipping = Appended(by=SERVER, account="alice", epoch="a1", seq=4, message="PC1#1", body="b")
    story.write("PC1", 1, ("alice",), "b")
    story.tell(skipping)
    assert "dense" in broken(story.end())
    story = founding_story()
    story.write("PC1", 1, ("alice",), "b")
    story.tell(Process(by=SERVER, whose="server", state="started"), skipping)
    assert "dense" not in broken(story.end())


# ---------------------------------------------------------------- stable-prefix


def test_an_entry_that_appears_below_what_somebody_had_seen() -> None:
    story = Story()
    story.log_in("PC1")
    early = story.write("phone", 1)
    story.append(early)
    story.connect("PC2")
    story.verdict("PC2", 0, head=2, missed=2)  # it was said to have two
    story.append(story.write("PC1", 1))
    story.answer("phone#1", 1)
    story.answer("PC1#1", 2)
    story.take("PC2", 0)
    for device in ("PC1", "PC2"):
        story.pull(device)
    judgement = story.end("PC1", "phone")
    assert broken(judgement) == ("stable-prefix",)


# ---------------------------------------------------------------- sender-fifo


def test_a_message_that_overtook_another() -> None:
    story = founding_story()
    contents = [story.write("phone", number) for number in (3, 4)]
    for content in reversed(contents):
        story.append(content)
    for device in ("phone", "PC2"):
        story.pull(device)
    assert broken(story.end("PC1")) == ("sender-fifo",)


def test_what_a_merge_brought_may_stand_in_any_order() -> None:
    story = founding_story()
    contents = [story.write("phone", number) for number in (3, 4)]
    for content in reversed(contents):
        story.append(content)
    story.records = [
        replace(each, merged=each.message in ("phone#3", "phone#4"))
        if isinstance(each, Appended)
        else each
        for each in story.records
    ]
    for device in ("phone", "PC2"):
        story.pull(device)
    assert "sender-fifo" not in broken(story.end("PC1"))


def test_a_message_that_was_refused_because_a_later_one_came_first() -> None:
    story = founding_story()
    story.write("phone", 3)
    story.say("phone", 4)
    story.answer("phone#3", outcome="refused", code="skipped")
    for device in ("phone", "PC2"):
        story.pull(device)
    assert broken(story.end("PC1")) == ("sender-fifo",)


def test_two_clones_may_pass_each_other_by() -> None:
    story = founding_story()
    story.tell(Fault(kind="clone", target="phone"))
    story.write("phone", 3)
    story.say("phone", 4)
    story.answer("phone#3", outcome="refused", code="skipped")
    for device in ("phone", "PC2"):
        story.pull(device)
    assert story.end("PC1").ruling is Ruling.TRUE


def test_identities_of_somebody_elses_need_no_numbers() -> None:
    for order, expected in ((("one", "two"), ()), (("two", "one"), ("sender-fifo",))):
        story = founding_story()
        for name in ("one", "two"):
            story.write("phone", 0)
            story.records[-1] = replace(story.records[-1], message=name, body=name)  # type: ignore[call-arg]
        for name in order:
            story.append((name, name), ALL)
        for device in ("phone", "PC2"):
            story.pull(device)
        assert broken(story.end("PC1")) == expected

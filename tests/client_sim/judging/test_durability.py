"""Lost, invented and doubled messages are found; what the contract allows is not."""

from msgspec.structs import replace

from client_sim.history import (
    SERVER,
    Answer,
    Appended,
    Fault,
    Holds,
    Process,
    Renewed,
    Send,
    Step,
)
from client_sim.judging.court import judge
from client_sim.judging.verdict import Ruling
from tests.client_sim.judging.story import ALL, Story, broken, founding_story

BACK = {"alice": "a2", "bob": "b2"}


def came_back(story: Story, *devices: str) -> None:
    """Each device is reset and downloads what the restored log has."""
    for device in devices:
        story.old[device] = ()
        story.connect(device)
        story.verdict(device, 0, "reset", reason="epoch")
        story.take(device, 0)
        story.pull(device)


# ---------------------------------------------------------------- durable-ack


def test_an_accepted_message_that_is_in_nobodys_log() -> None:
    story = founding_story()
    story.write("phone", 3)
    story.answer("phone#3", 3)
    judgement = story.end()
    assert broken(judgement) == ("durable-ack",)
    [charge, _] = judgement.opinions[0].charges
    assert "message 3 of phone" in charge.text
    assert "is not in the log of alice" in charge.text


def test_an_accepted_message_that_only_one_of_its_logs_has() -> None:
    story = founding_story()
    content = story.write("phone", 3)
    story.append(content, ("bob",))
    story.answer("phone#3", 3)
    story.pull("phone")
    assert broken(story.end()) == ("durable-ack",)


def test_a_message_that_was_answered_before_it_was_durable() -> None:
    story = founding_story()
    content = story.write("phone", 3)
    story.answer("phone#3", 3)
    story.append(content)
    for device in ("phone", "PC2"):
        story.pull(device)
    assert broken(story.end("PC1")) == ("durable-ack",)


def test_an_answer_that_never_came_says_nothing() -> None:
    story = founding_story()
    story.write("phone", 3, body="perhaps there, perhaps not")
    story.append(story.write("phone", 4))
    for device in ("phone", "PC2"):
        story.pull(device)
    assert story.end("PC1").ruling is Ruling.TRUE


def test_what_retention_dropped_is_not_lost() -> None:
    story = founding_story()
    story.floors.update(alice=1, bob=1)
    assert story.end("PC1").ruling is Ruling.TRUE


def restored(*, sends_again: bool, online: bool = True, store: bool = True) -> Story:
    """Message 2 was accepted after the backup was taken."""
    story = founding_story()
    story.rewind({"alice": 1, "bob": 1}, BACK)
    if not store:
        story.tell(Step(sentence="phone loses its store"))
        del story.places["phone"]
    if online:
        came_back(story, "phone")
    else:
        story.sessions.pop("phone")
    if sends_again:
        story.append(("phone#2", "body 2"))
        story.answer("phone#2", 2)
        story.pull("phone")
    came_back(story, "PC1", "PC2")
    return story


def test_what_a_restore_lost_comes_back_from_its_sender() -> None:
    assert restored(sends_again=True).end().ruling is Ruling.TRUE


def test_it_did_not_come_back_although_its_sender_was_there() -> None:
    judgement = restored(sends_again=False).end()
    assert broken(judgement) == ("durable-ack",)
    assert "did not come back from its sender" in judgement.opinions[0].charges[0].text


def test_it_cannot_come_back_from_a_sender_that_is_away() -> None:
    story = restored(sends_again=False, online=False)
    story.places.pop("phone")
    assert story.end().ruling is Ruling.TRUE


def test_it_cannot_come_back_from_a_sender_without_its_store() -> None:
    assert restored(sends_again=False, store=False).end().ruling is Ruling.TRUE


def test_when_it_came_back_it_was_refused_for_good() -> None:
    story = restored(sends_again=False)
    story.answer("phone#2", outcome="refused", code="not_a_member")
    assert story.end().ruling is Ruling.TRUE


def test_a_refusal_whose_answer_was_lost_shows_in_the_next_verdict() -> None:
    """A group message may be refused when it comes again, and a later one is taken; its sender
    does not go on showing it as accepted."""
    lost = ("durable-ack",)
    for to, old, expected in (((), ("phone#2",), ()), ((), (), lost), (ALL, ("phone#2",), lost)):
        story = restored(sends_again=False)
        story.old["phone"] = old
        for index, each in enumerate(story.records):
            if isinstance(each, Send) and each.message == "phone#2":
                story.records[index] = replace(each, to=to)
        story.connect("phone")
        story.verdict("phone", 1, sent=3)
        assert broken(story.end()) == expected


def test_what_the_copy_had_must_be_there_after_the_restore() -> None:
    story = founding_story()
    for account in ALL:
        log = story.logs[account]
        story.tell(Renewed(by=SERVER, account=account, epoch=BACK[account], head=2, why="restore"))
        story.epochs[account] = BACK[account]
        del log[0]
        log.append(("phone#3", "body 3"))
    story.tell(Send(device="phone", message="phone#3", body="body 3", to=ALL))
    story.places.clear()
    story.sessions.clear()
    assert "durable-ack" in broken(story.end())


def test_two_messages_under_one_name_and_both_accepted() -> None:
    """A clone wrote another message under the same number, and was told that it is in the log."""
    story = founding_story()
    story.tell(Fault(kind="clone", target="phone"))
    story.tell(Send(device="phone", message="phone#2", body="another", to=ALL))
    story.connect("phone")
    story.verdict("phone", 2, sent=2)
    story.answer("phone#2", 2, duplicate=True)
    assert broken(story.end()) == ("durable-ack",)


def test_two_messages_under_one_name_and_one_refused() -> None:
    story = founding_story()
    story.tell(Fault(kind="clone", target="phone"))
    story.tell(Send(device="phone", message="phone#2", body="another", to=ALL))
    story.connect("phone")
    story.verdict("phone", 2, sent=2)
    story.answer("phone#2", outcome="refused", code="conflict")
    assert story.end().ruling is Ruling.TRUE


def test_without_a_log_one_of_the_devices_has_to_have_it() -> None:
    story = Story()
    story.tell(Send(device="phone", message="phone#1", body="1", to=("alice",)))
    story.tell(Answer(device="phone", message="phone#1", outcome="accepted"))
    nothing = Holds(device="PC1", epoch="", first=0, seq=0, entries=())
    assert broken(judge([*story.records, nothing])) == ("durable-ack",)
    kept = Holds(device="PC2", epoch="", first=0, seq=1, entries=(("phone#1", "1"),))
    assert judge([*story.records, nothing, kept]).ruling is Ruling.TRUE


def test_a_recorder_that_died_with_its_server_knows_less() -> None:
    story = founding_story()
    content = story.write("phone", 3)
    story.answer("phone#3", 3)
    story.tell(Process(by=SERVER, whose="server", state="crashed"))
    story.append(content)
    for device in ("phone", "PC2"):
        story.pull(device)
    assert story.end("PC1").ruling is Ruling.TRUE


# ---------------------------------------------------------------- no-phantom


def test_an_entry_that_nobody_sent() -> None:
    story = founding_story()
    story.append(("phone#3", "body 3"))
    for device in ("phone", "PC2"):
        story.pull(device)
    assert broken(story.end("PC1")) == ("no-phantom",)


def test_an_entry_with_another_body_than_was_sent() -> None:
    story = founding_story()
    story.write("phone", 3, body="what was written")
    story.append(("phone#3", "what was read"))
    for device in ("phone", "PC2"):
        story.pull(device)
    assert broken(story.end("PC1")) == ("no-phantom",)


def test_an_entry_that_was_refused_for_good() -> None:
    story = founding_story()
    story.append(story.write("phone", 3))
    story.answer("phone#3", outcome="refused", code="too_large")
    for device in ("phone", "PC2"):
        story.pull(device)
    assert broken(story.end("PC1")) == ("no-phantom",)


def test_what_was_refused_for_now_may_come_later() -> None:
    story = founding_story()
    content = story.write("phone", 3)
    story.answer("phone#3", outcome="refused", code="busy", definite=False)
    story.append(content)
    for device in ("phone", "PC2"):
        story.pull(device)
    assert story.end("PC1").ruling is Ruling.TRUE


def test_a_message_from_outside_any_device() -> None:
    story = founding_story()
    story.append(("00ff#1", "news"), ("alice",))
    story.pull("PC2")
    assert broken(story.end("PC1")) == ("no-phantom",)
    story = founding_story()
    story.tell(Step(sentence="the service sends 1 to alice"))
    story.append(("00ff#1", "news"), ("alice",))
    story.pull("PC2")
    assert story.end("PC1").ruling is Ruling.TRUE


def test_an_erased_body_is_no_other_body() -> None:
    story = founding_story()
    story.logs["alice"][0] = ("phone#1", None)
    assert story.end().ruling is Ruling.TRUE


# ---------------------------------------------------------------- one-effect


def test_a_message_that_is_twice_in_a_log() -> None:
    story = founding_story()
    story.append(("phone#2", "body 2"))
    for device in ("phone", "PC2"):
        story.pull(device)
    assert "one-effect" in broken(story.end("PC1"))


def test_two_answers_that_name_two_places() -> None:
    story = founding_story()
    story.answer("phone#2", 2, duplicate=True)
    assert story.end().ruling is Ruling.TRUE
    story = founding_story()
    story.answer("phone#2", 1, duplicate=True)
    assert broken(story.end()) == ("one-effect",)


def test_an_answer_that_names_a_place_where_the_message_is_not() -> None:
    story = founding_story()
    content = story.write("phone", 3)
    story.append(content)
    story.answer("phone#3", 2)
    for device in ("phone", "PC2"):
        story.pull(device)
    assert broken(story.end("PC1")) == ("one-effect",)


def test_a_device_that_shows_a_message_twice() -> None:
    story = founding_story()
    story.tell(
        Holds(
            device="PC1",
            epoch="its own",
            first=0,
            seq=2,
            entries=(("phone#1", "body 1"), ("phone#1", "body 1")),
            online=False,
        )
    )
    assert broken(story.end()) == ("one-effect",)


def test_after_a_restore_a_message_may_have_another_place() -> None:
    story = founding_story()
    story.say("PC2", 1)
    story.pull("PC2")
    story.rewind({"alice": 1, "bob": 1}, BACK)
    came_back(story, "PC2")
    story.append(("PC2#1", "body 1"))
    story.answer("PC2#1", 2)
    came_back(story, "phone")
    story.append(("phone#2", "body 2"))
    story.answer("phone#2", 3)
    for device in ("PC2", "phone"):
        story.pull(device)
    came_back(story, "PC1")
    assert story.end().ruling is Ruling.TRUE


def test_what_a_journal_of_the_server_alone_shows() -> None:
    """No device tells anything: what was appended must have been received."""
    story = Story()
    told = Send(by=SERVER, device="phone", message="phone#1", body="1", to=ALL, session=1)
    story.tell(told)
    for account in ALL:
        story.tell(
            Appended(by=SERVER, account=account, epoch="e", seq=1, message="phone#1", body="1")
        )
    story.tell(Answer(by=SERVER, device="phone", message="phone#1", outcome="accepted", seq=1))
    assert judge(story.records).ruling is Ruling.TRUE
    del story.records[4]
    assert broken(judge(story.records)) == ("no-phantom",)

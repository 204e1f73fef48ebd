"""A history, read once: whose, where, when, in which past."""

from client_sim.history import (
    SERVER,
    Answer,
    Device,
    Fault,
    Merged,
    Process,
    Renewed,
    Send,
    Step,
)
from client_sim.judging.case import Case
from tests.client_sim.judging.story import Story, founding_story


def test_names_for_people() -> None:
    story = Story()
    story.tell(Device(device="0f1e", account="alice", name="TV"))
    case = Case(story.records)
    assert case.name("0f1e") == "TV"
    assert case.name("abcd") == "abcd"
    assert case.name("") == "nobody"
    assert case.title("0f1e#12") == "message 12 of TV"
    assert case.title("stanza-7") == "message stanza-7"
    assert case.resolve("TV") == case.resolve("0f1e") == "0f1e"


def test_two_names_of_one_id_are_clones() -> None:
    story = Story()
    story.tell(Device(device="PC1", account="alice", name="PC1-copy"))
    assert Case(story.records).cloned == {"PC1"}


def test_a_restore_that_is_told_by_the_fault_and_by_the_log_is_one() -> None:
    story = founding_story()
    story.rewind({"alice": 1, "bob": 1}, {"alice": "a2", "bob": "b2"})
    case = Case(story.records)
    assert [past.epoch for past in case.pasts["alice"]] == ["a1", "a2"]
    assert case.now("alice").held == {("a2", 1): ("phone#1", "body 1")}


def test_a_restore_that_only_the_fault_tells_of_keeps_nothing_for_sure() -> None:
    story = founding_story()
    story.tell(Fault(by=SERVER, kind="put_back", target="server"))
    case = Case(story.records)
    assert [past.kept for past in case.pasts["alice"]] == [None, None]
    assert not case.now("alice").held


def test_how_a_log_begins_is_no_restore() -> None:
    story = Story()
    story.tell(Renewed(by=SERVER, account="alice", epoch="a1", head=0, why="made anew"))
    assert [past.epoch for past in Case(story.records).pasts["alice"]] == ["a1"]


def test_a_log_that_nothing_touched_may_be_restored_and_its_old_files_put_back() -> None:
    story = Story()
    story.rewind({"alice": 0, "bob": 0}, {"alice": "a2", "bob": "b2"})
    story.rewind({"alice": 0, "bob": 0}, {"alice": "a1", "bob": "b1"}, "put_back")
    story.log_in("PC1")
    case = Case(story.records)
    assert [past.epoch for past in case.pasts["alice"]] == ["a2", "a1"]
    assert not story.end("PC2", "phone").broken


def test_an_epoch_that_comes_back_brings_its_own_past() -> None:
    story = founding_story()
    story.rewind({"alice": 1, "bob": 1}, {"alice": "a2", "bob": "b2"})
    story.say("PC2", 1)
    story.rewind({"alice": 2, "bob": 2}, {"alice": "a1", "bob": "b1"}, "put_back")
    case = Case(story.records)
    assert case.now("alice").held["a1", 2] == ("phone#2", "body 2")


def test_a_late_answer_belongs_to_the_past_of_its_socket() -> None:
    story = founding_story()
    story.rewind({"alice": 1, "bob": 1}, {"alice": "a2", "bob": "b2"})
    index = story.answer("phone#2", 2)
    case = Case(story.records)
    assert case.answered_in[index].number == 0
    answer = story.records[index]
    assert isinstance(answer, Answer)
    assert len(case.rewinds_since("bob", index, answer)) == 1
    assert not case.rewinds_after("bob", index)


def test_the_audience_of_a_message() -> None:
    story = founding_story()
    story.tell(
        Send(device="phone", message="phone#3", to=("alice", "bob"), kind=5),
        Send(device="phone", message="phone#4"),
        Send(device="phone", message="phone#5", to=("alice",)),
        Merged(by=SERVER, guest="alice", account="carol", prover="PC1"),
        Merged(by=SERVER, guest="carol", account="dave", prover=""),
    )
    case = Case(story.records)
    assert [case.audience(f"phone#{number}") for number in (3, 4, 5)] == [
        ("bob",),
        ("bob",),
        ("alice",),
    ]
    assert case.home("alice") == "dave"
    assert case.accounts["PC1"] == "carol"


def test_of_two_messages_under_one_name_the_logged_one_counts() -> None:
    story = founding_story()
    story.tell(Send(device="phone", message="phone#2", body="another", to=("carol",)))
    assert Case(story.records).audience("phone#2") == ("alice", "bob")


def test_what_befell_devices() -> None:
    story = founding_story()
    lost = story.tell(Step(sentence="at 2 s: PC1 loses its store"))
    crashed = story.tell(Process(whose="PC2", state="crashed"))
    back = story.tell(Fault(kind="device_restored", target="phone"))
    case = Case(story.records)
    assert case.store_lost["PC1"] == [lost]
    assert case.crashes["PC2"] == [crashed]
    assert case.set_back["phone"] == [back]
    assert not case.publishes


def test_a_device_that_states_nothing_any_more_has_lost_its_store() -> None:
    story = founding_story()
    del story.places["PC1"]
    index = story.connect("PC1") and len(story.records) - 2
    assert Case(story.records).store_lost["PC1"] == [index]

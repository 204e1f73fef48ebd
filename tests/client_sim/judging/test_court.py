"""What the judges say together: acquitted, condemned, or unknown."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from client_sim.history import (
    Answer,
    Batch,
    Begin,
    Complaint,
    Device,
    Fault,
    Holds,
    Phase,
    Record,
    Send,
)
from client_sim.judging.court import CHARGES_SHOWN, EXPECTATIONS, judge
from client_sim.judging.judges import JUDGES
from client_sim.judging.verdict import Charge, Ruling
from tests.client_sim.judging.story import Story, broken, founding_story


def test_a_good_history_is_acquitted() -> None:
    judgement = founding_story().end()
    assert judgement.ruling is Ruling.TRUE
    assert not judgement.why
    assert judgement.accepted == 2
    assert [opinion.judge for opinion in judgement.opinions] == list(JUDGES)


def test_a_run_without_an_accepted_send_is_unknown() -> None:
    story = Story()
    story.log_in("PC1")
    judgement = story.end()
    assert judgement.ruling is Ruling.UNKNOWN
    assert judgement.why == ("no message was accepted",)


def test_nothing_at_all_is_unknown() -> None:
    assert judge([]).ruling is Ruling.UNKNOWN


def test_a_declared_fault_that_never_fired_leaves_it_unknown() -> None:
    story = founding_story()
    story.records[0] = Begin(world="by hand", faults=("cut", "trim"))
    story.tell(Fault(kind="cut", target="PC1"))
    judgement = story.end()
    assert judgement.ruling is Ruling.UNKNOWN
    assert judgement.why == ("the fault trim never fired",)


def test_a_judge_that_the_run_is_for_must_have_seen_something() -> None:
    story = founding_story()
    story.records[0] = Begin(world="by hand", judges=("convergence", "revoke", "nobody"))
    judgement = story.end()
    assert judgement.ruling is Ruling.UNKNOWN
    assert judgement.why == ("revoke had nothing to look at", "there is no judge nobody")
    unknown = [each.judge for each in judgement.opinions if each.ruling is Ruling.UNKNOWN]
    assert unknown == ["revoke"]


def test_a_run_of_ours_that_was_cut_off_is_unknown() -> None:
    story = founding_story()
    story.records[0] = Begin(world="pretend")
    judgement = judge(story.records)
    assert judgement.why == ("the run never came to its end",)


def test_where_nobody_looked_nothing_is_known() -> None:
    story = Story()
    story.write("phone", 1)
    story.answer("phone#1", 1)
    assert judge(story.records).why == ("nobody looked at what became of the messages",)


def test_a_complaint_is_a_breach_of_the_judge_that_it_names() -> None:
    story = founding_story()
    story.tell(
        Complaint(whose="PC1", text="a hole on an ordered line", judge="explicit-gap"),
        Complaint(whose="server", text="an alarm that may be right"),
    )
    judgement = story.end()
    assert broken(judgement) == ("explicit-gap",)
    [opinion] = [each for each in judgement.opinions if each.charges]
    assert opinion.charges[0].text == "PC1: a hole on an ordered line"


def test_what_a_play_expected_counts_as_one_more_judge() -> None:
    records = founding_story()
    records.end()
    assert judge(records.records, []).ruling is Ruling.TRUE
    condemned = judge(records.records, [Charge("PC2 holds 2, not 3")])
    assert broken(condemned) == (EXPECTATIONS,)


def test_only_the_first_few_charges_are_kept_and_all_are_counted() -> None:
    story = founding_story()
    for _ in range(20):
        story.tell(Complaint(whose="PC1", text="again", judge="poison-safe"))
    [opinion] = [each for each in story.end().opinions if each.charges]
    assert (len(opinion.charges), opinion.charged) == (CHARGES_SHOWN, 20)


def test_the_least_that_somebody_elses_history_must_tell() -> None:
    """No log, no verdicts, no places: what was accepted, and what each device has at the end."""
    records: list[Record] = [
        Begin(world="theirs"),
        Device(device="PC1", account="alice"),
        Device(device="PC2", account="alice"),
        Device(device="phone", account="bob"),
        Send(device="phone", message="m1", body="1", to=("alice",)),
        Answer(device="phone", message="m1", outcome="accepted"),
        Phase(name="end"),
    ]
    held = (("m1", "1"),)
    good = [Holds(device=name, epoch="", first=0, seq=1, entries=held) for name in ("PC1", "PC2")]
    assert judge([*records, *good]).ruling is Ruling.TRUE
    missed = Holds(device="PC2", epoch="", first=0, seq=0, entries=())
    assert broken(judge([*records, good[0], missed])) == ("convergence",)


def deliveries(records: list[Record]) -> list[int]:
    return [index for index, each in enumerate(records) if isinstance(each, Batch)]


@given(st.data())
def test_a_delivery_that_is_dropped_is_found(data: st.DataObject) -> None:
    records = told()
    del records[data.draw(st.sampled_from(deliveries(records)))]
    assert {"prefix", "explicit-gap"} & set(broken(judge(records)))


@given(st.data())
def test_a_delivery_that_comes_twice_is_found(data: st.DataObject) -> None:
    records = told()
    index = data.draw(st.sampled_from(deliveries(records)))
    records.insert(index + 1, records[index])
    assert broken(judge(records)) == ("explicit-gap",)


@given(st.data())
def test_two_deliveries_that_change_places_are_found(data: st.DataObject) -> None:
    records = told()
    pairs = [
        (one, two)
        for one in deliveries(records)
        for two in deliveries(records)
        if one < two and records[one] != records[two]
    ]
    one, two = data.draw(st.sampled_from(pairs))
    records[one], records[two] = records[two], records[one]
    assert set(broken(judge(records))) & {"explicit-gap", "prefix", "tenant-wall", "stable-prefix"}


@given(st.data())
def test_an_entry_that_is_another_one_is_found(data: st.DataObject) -> None:
    records = told()
    index = data.draw(st.sampled_from(deliveries(records)))
    batch = records[index]
    assert isinstance(batch, Batch)
    stranger = (("phone#9", "what nobody wrote"), *batch.messages[1:])
    records[index] = replace(batch, messages=stranger)
    assert "one-order" in broken(judge(records))


@given(st.data())
def test_the_court_has_an_answer_to_whatever_is_told(data: st.DataObject) -> None:
    """Somebody else's history may be cut off anywhere, or be told in any order."""
    records = told()
    some = data.draw(st.lists(st.sampled_from(range(len(records))), max_size=40))
    assert judge([records[index] for index in some]).opinions
    assert judge(data.draw(st.permutations(records))).opinions


def told() -> list[Record]:
    """A good history, with three deliveries to each of three devices."""
    story = Story()
    story.log_in("phone")
    story.log_in("PC1")
    for number in (1, 2, 3):
        story.say("phone", number)
        story.pull("phone")
        story.pull("PC1")
    story.log_in("PC2")
    assert story.end().ruling is Ruling.TRUE
    return story.records

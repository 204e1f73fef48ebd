"""Records become moments: all of them, in an order that no lane contradicts."""

from collections.abc import Sequence

from client_sim.chart.moments import Confirming, Delivery, Greeting, Heading, Remark, Sending, Turn
from client_sim.chart.telling import Telling, told
from client_sim.history import Cursor, Fault, Holds, Log, Process, Record, Renewed, Step
from client_sim.performing import perform
from client_sim.play import load
from tests.client_sim.chart.histories import founding


def check_whole(records: Sequence[Record], telling: Telling) -> None:
    """Each record is in the moment that it is said to be in, or in the final state."""
    for index, record in enumerate(records):
        row = telling.row_of[index]
        if row == len(telling.moments):
            assert isinstance(record, Log | Holds | Cursor)
        else:
            assert index in telling.moments[row].records


def test_the_founding_story_is_a_handful_of_moments() -> None:
    records = founding()
    telling = told(records)
    check_whole(records, telling)
    assert [type(each) for each in telling.moments] == [
        Greeting,
        Sending,
        Delivery,
        Greeting,
        Delivery,
        Remark,
        Greeting,
        Heading,
    ]
    sentences = [each.sentence(telling.cast) for each in telling.moments]
    assert sentences[1] == "phone sends #1-3: now 1-3 of alice's log and 1-3 of bob's log; accepted"
    assert sentences[4] == "PC1 gets 1-3 and confirms up to 3; the stored cursor moves to 3"
    assert telling.moments[5].captions == ["PC1 logs out"]


def test_a_performed_play_is_told_whole() -> None:
    play = load("restore_from_yesterday")
    records = perform(play, 3).records
    telling = told(records)
    check_whole(records, telling)
    assert any(isinstance(each, Turn) for each in telling.moments)
    for moment in telling.moments:
        assert moment.sentence(telling.cast) or isinstance(moment, Heading)


def test_sentences_that_nothing_follows_are_kept() -> None:
    telling = told([Step(sentence="one"), Step(sentence="two")])
    assert [each.captions for each in telling.moments] == [["one"], ["two"]]


def test_nothing_joins_across_what_befell_the_server() -> None:
    records: list[Record] = [
        Process(whose="server", state="started"),
        Fault(kind="server_crash", target="server"),
        Process(whose="server", state="crashed"),
        Renewed(account="bob", epoch="e", head=2, why="restore"),
        Process(whose="server", state="started"),
    ]
    telling = told(records)
    check_whole(records, telling)
    first, turn, last = telling.moments
    assert isinstance(first, Remark)
    assert first.words() == "server crash, killed"
    assert isinstance(turn, Turn)
    assert isinstance(last, Remark)
    assert not any(isinstance(each, Confirming) for each in telling.moments)

"""What storms show: counts, rates, faults and findings."""

from dataclasses import replace

from rich.console import Console

from client_sim.judging.verdict import Ruling
from client_sim.storm import view
from client_sim.storm.campaign import Campaign, Outcome, Tally


def tally() -> Tally:
    made = Tally(Campaign())
    made.add(Outcome(1, Ruling.TRUE, 60, {"cut": 3, "wake_lost": 1}))
    made.add(Outcome(2, Ruling.FALSE, 50, {"cut": 1}, ("dense", "prefix"), ("a hole",)))
    return made


def shown(drawn: object) -> str:
    target = Console(width=120)
    with target.capture() as captured:
        target.print(drawn)
    return captured.get()


def test_one_line() -> None:
    said = view.line(tally(), 100, 0.5)
    assert "2/100 storms" in said
    assert "240 a minute" in said
    assert "failed 1  unknown 0  messages accepted 110  faults 5 of 2 kinds" in said
    assert "0 a minute" in view.line(Tally(Campaign()), 100, 0)


def test_the_faults_that_never_fired_are_shown_too() -> None:
    words = shown(view.faults(tally())).split()
    assert words[words.index("cut") + 1] == "4"
    assert words[words.index("read_failed") + 1] == "0"


def test_the_table() -> None:
    said = shown(view.live(tally(), 100, 0.5))
    assert "2 of 100" in said
    assert "faults fired" in said


def test_a_finding_says_how_to_see_it_again() -> None:
    campaign = Campaign()
    failed, unknown = tally().failures[0], Outcome(9, Ruling.UNKNOWN, why=("no fault fired",))
    assert view.finding(campaign, failed).plain.splitlines() == [
        "seed 2: dense, prefix",
        "  a hole",
        "  replay: client-sim storm --seeds 1 --first 2",
        "  make it small: client-sim shrink --seed 2",
    ]
    larger = Campaign(size=replace(campaign.size, sends=99))
    assert "make it small" not in view.finding(larger, failed).plain
    assert view.finding(campaign, unknown).plain.splitlines()[:2] == [
        "seed 9: unknown",
        "  no fault fired",
    ]

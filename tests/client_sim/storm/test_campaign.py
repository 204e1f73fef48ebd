"""Campaigns of storms: what they count, and that other processes count the same."""

from collections import Counter

from client_sim.judging.verdict import Ruling
from client_sim.storm.campaign import Campaign, Outcome, Tally
from client_sim.storm.draw import Size
from client_sim.trial import SQLITE, Ground

SMALL = Size(accounts=2, devices=2, sends=15)
SEEDS = range(1, 9)


def test_a_storm_brings_messages_and_faults() -> None:
    outcome = Campaign(size=SMALL)(1)
    assert outcome.seed == 1
    assert outcome.accepted > 0
    assert sum(outcome.faults.values()) > 0


def test_processes_find_what_one_finds() -> None:
    campaign = Campaign(size=SMALL)
    alone = list(campaign.run(SEEDS))
    assert [each.seed for each in alone] == list(SEEDS)
    together = sorted(campaign.run(SEEDS, jobs=2), key=lambda each: each.seed)
    assert together == alone


def test_the_real_database_sees_the_same_storm() -> None:
    memory, sqlite = Campaign(size=SMALL)(2), Campaign(Ground(storage=SQLITE), SMALL)(2)
    assert memory.ruling is sqlite.ruling
    assert sqlite.accepted > 0


def test_the_replay_command_says_everything() -> None:
    assert Campaign().replay(7) == "client-sim storm --seeds 1 --first 7"
    told = Campaign(Ground(storage=SQLITE), SMALL).replay(7)
    assert told == (
        "client-sim storm --seeds 1 --first 7 --accounts 2 --devices 2 --sends 15 --storage sqlite"
    )


def test_a_storm_that_breaks_the_world_is_unknown_and_not_the_end() -> None:
    outcome = Campaign(Ground(adapter="no-such-program"))(1)
    assert outcome.ruling is Ruling.UNKNOWN
    assert outcome.why[0].startswith("NotPlayed: ")


def test_the_count() -> None:
    tally = Tally(Campaign())
    assert tally.status == 2
    tally.add(Outcome(1, Ruling.TRUE, 60, {"cut": 2, "trim": 1}))
    assert tally.status == 0
    tally.add(Outcome(2, Ruling.UNKNOWN, why=("no fault fired",)))
    assert tally.status == 2
    tally.add(Outcome(3, Ruling.FALSE, 50, {"cut": 1}, ("dense",), ("a hole",)))
    assert tally.status == 1
    assert tally.as_json(2.04) == {
        "seeds": 3,
        "passed": 1,
        "failed": 1,
        "unknown": 1,
        "accepted": 110,
        "faults": {"cut": 3, "trim": 1},
        "seconds": 2.0,
        "failures": [
            {
                "seed": 2,
                "judges": [],
                "charges": ["no fault fired"],
                "replay": "client-sim storm --seeds 1 --first 2",
            },
            {
                "seed": 3,
                "judges": ["dense"],
                "charges": ["a hole"],
                "replay": "client-sim storm --seeds 1 --first 3",
            },
        ],
    }
    assert tally.faults == Counter({"cut": 3, "trim": 1})

"""Storms as drawn: the same seed, the same storm; all kinds of fault come; none is idle."""

from collections import Counter

from client_sim.sentences import DOINGS
from client_sim.storm.draw import RATES, Size, draw
from client_sim.weather import CHANCES

SEEDS = range(300)


def sends(seed: int, size: Size | None = None) -> int:
    steps = [step for step in draw(seed, size).steps if step.verb in ("send", "send_large")]
    return sum(int(str(step.arguments["count"])) for step in steps)


def test_a_seed_has_one_storm() -> None:
    assert draw(11) == draw(11)
    assert draw(11).toml() != draw(12).toml()


def test_the_size_is_as_asked() -> None:
    storm = draw(5, Size(accounts=3, devices=3, sends=60))
    assert [len(devices) for devices in storm.cast.values()] == [3, 3, 3]
    # Clones say something beside.
    assert 60 <= sends(5, Size(3, 3, 60)) <= 64
    assert len(draw(5, Size(accounts=1, devices=1, sends=0)).cast) == 1


def test_sizes_that_are_not_asked_for_differ() -> None:
    storms = [draw(seed) for seed in SEEDS]
    assert {len(storm.cast) for storm in storms} == {2, 3, 4}
    counts = {len(devices) for storm in storms for devices in storm.cast.values()}
    assert counts == {2, 3, 4}
    assert {len(storm.groups) for storm in storms} == {0, 1, 2}


def test_every_storm_means_to_bring_a_fault_about() -> None:
    assert all(draw(seed).faults for seed in SEEDS)


def test_every_kind_of_fault_is_drawn() -> None:
    storms = [draw(seed) for seed in SEEDS]
    steps = Counter(step.verb for storm in storms for step in storm.steps)
    assert [verb.name for verb in DOINGS if verb.fault and not steps[verb.name]] == []
    assert set().union(*(storm.weather for storm in storms)) == set(CHANCES)
    assert {rate for storm in storms for rate in storm.weather.values()} <= set(RATES)


def test_sentences_come_in_their_order_and_most_who_write_run() -> None:
    absent = written = 0
    for storm in map(draw, SEEDS):
        moments = [step.at for step in storm.steps if step.at is not None]
        assert moments == sorted(moments)
        running: set[str] = set()
        for step in storm.steps:
            device = str(step.arguments.get("device"))
            if step.verb == "log_in":
                running.add(device)
            elif step.verb in ("log_out", "kill"):
                running.discard(device)
            elif step.verb == "send":
                written += 1
                absent += device not in running
    assert absent < written / 50


def test_more_traffic_does_not_change_the_faults() -> None:
    few, many = draw(3, Size(3, 3, 30)), draw(3, Size(3, 3, 90))
    assert [str(step) for step in few.steps if step.fault] == [
        str(step) for step in many.steps if step.fault
    ]
    assert few.weather == many.weather

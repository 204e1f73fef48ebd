"""Making a failing play small, on toys that say at once what they think of a play."""

from dataclasses import replace

import pytest

from client_sim.house import CannotDo
from client_sim.judging.verdict import Charge, Judgement, Opinion, Ruling
from client_sim.play import Play, read
from client_sim.storm.draw import draw
from client_sim.storm.shrink import NothingToShrink, Shrinking


def judged(*broken: str) -> Judgement:
    opinions = tuple(
        Opinion(judge, Ruling.FALSE, 1, (Charge(f"{judge} was broken"),), 1) for judge in broken
    )
    return Judgement(Ruling.FALSE if broken else Ruling.TRUE, opinions, 1)


def said(play: Play, verb: str) -> list[str]:
    return [str(step) for step in play.steps if step.verb == verb]


def a_trim_and_a_message(play: Play) -> Judgement:
    """Fails in dense when something is trimmed and something sent, and in other ways otherwise."""
    sent = said(play, "send") or said(play, "send_large")
    return judged("dense") if said(play, "trim") and sent else judged("other")


def storm_with_a_trim() -> Play:
    return next(play for play in map(draw, range(1000)) if said(play, "trim"))


def test_what_does_not_matter_goes() -> None:
    storm = storm_with_a_trim()
    shrunk = Shrinking(a_trim_and_a_message).go(storm)
    assert shrunk.judge == "dense"
    assert shrunk.text == "dense was broken"
    assert sorted(step.verb for step in shrunk.play.steps) == ["send", "trim"]
    assert shrunk.play.weather == shrunk.play.groups == shrunk.play.options == {}
    assert [len(devices) for devices in shrunk.play.cast.values()] == [1]
    assert all(step.at is None for step in shrunk.play.steps)
    [send] = (step for step in shrunk.play.steps if step.verb == "send")
    assert send.arguments["count"] == 1


def test_it_is_a_file_that_can_be_kept() -> None:
    shrunk = Shrinking(a_trim_and_a_message).go(storm_with_a_trim()).play
    assert read(shrunk.toml(), shrunk.name) == shrunk
    assert len(shrunk.toml().splitlines()) <= 11
    assert "dense was broken" in shrunk.story


def test_weather_stays_where_it_is_what_fails() -> None:
    def lost_wake_up(play: Play) -> Judgement:
        return judged("convergence") if "wake_lost" in play.weather else judged()

    storm = next(play for play in map(draw, range(1000)) if len(play.weather) > 3)
    storm = replace(storm, weather={**storm.weather, "wake_lost": 0.1})
    shrunk = Shrinking(lost_wake_up).go(storm)
    assert shrunk.play.weather == {"wake_lost": 1.0}
    assert len(shrunk.play.steps) == 1


def test_a_failure_that_hangs_on_chance_is_followed_by_its_seed() -> None:
    def now_and_then(play: Play) -> Judgement:
        assert play.seed is not None
        return judged("prefix") if (play.seed + len(play.steps)) % 3 == 0 else judged()

    storm = draw(6)
    seed = next(seed for seed in range(3) if (seed + len(storm.steps)) % 3 == 0)
    shrunk = Shrinking(now_and_then).go(replace(storm, seed=seed))
    assert len(shrunk.play.steps) == 1
    assert now_and_then(shrunk.play).broken == ("prefix",)


def test_the_named_judge_is_followed() -> None:
    def both(play: Play) -> Judgement:
        return judged("first", *(["second"] if said(play, "send") else []))

    shrunk = Shrinking(both, judge="second").go(draw(1))
    assert shrunk.judge == "second"
    assert [step.verb for step in shrunk.play.steps] == ["send"]


def test_what_cannot_be_played_is_no_candidate() -> None:
    def needs_logins(play: Play) -> Judgement:
        if not said(play, "log_in"):
            raise CannotDo("nobody is there")
        return judged("dense")

    shrunk = Shrinking(needs_logins).go(draw(1))
    assert [step.verb for step in shrunk.play.steps] == ["log_in"]


def test_it_ends_when_it_is_told() -> None:
    shrinking = Shrinking(a_trim_and_a_message, lambda: shrinking.runs >= 7)
    shrunk = shrinking.go(storm_with_a_trim())
    assert shrunk.runs == 7
    assert a_trim_and_a_message(shrunk.play).broken == ("dense",)


def test_a_play_that_passes_is_not_shrunk() -> None:
    with pytest.raises(NothingToShrink, match="does not fail with seed 1"):
        Shrinking(lambda play: judged()).go(draw(1))
    with pytest.raises(NothingToShrink, match="does not fail in prefix"):
        Shrinking(lambda play: judged("dense"), judge="prefix").go(draw(1))

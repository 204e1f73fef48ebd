"""An unknown server that loses messages, tried as a newcomer would: run, storm, shrink."""

from pathlib import Path

import pytest

from client_sim import play as plays
from client_sim.__main__ import main
from client_sim.foreign.adapter import AdapterFailed
from client_sim.foreign.drawing import draw_foreign
from client_sim.foreign.playing import play_foreign
from client_sim.history import Begin
from client_sim.judging.verdict import Ruling
from client_sim.play import Play
from client_sim.sentences import doing
from client_sim.storm.shrink import Shrinking
from client_sim.trial import Ground, NotPlayed
from tests.client_sim.foreign.peers import LOSSY, TEMPLATE, template_with

RUNS_MAX = 6
"""The command goes on until nothing can be left out; here it is enough to see that it can begin."""

LOSING = Play(
    "losing",
    "PC1's connection breaks while a message is on its way.",
    {"alice": ("PC1", "PC2"), "bob": ("phone",)},
    tuple(
        map(
            doing,
            (
                "PC1 logs in",
                "PC2 logs in",
                "phone logs in",
                "phone sends 2 to alice",
                "PC1 is cut",
                "all settle",
            ),
        )
    ),
)


def test_a_play_is_judged_there() -> None:
    trial = Ground(adapter=LOSSY).trial(LOSING, 1)
    assert trial.judgement.broken == ("convergence",)
    [opinion] = [each for each in trial.judgement.opinions if each.ruling is Ruling.FALSE]
    assert opinion.charges[0].text.startswith("PC1 never received message 1 of phone")
    begin = trial.history.records[0]
    assert isinstance(begin, Begin)
    assert (begin.world, begin.faults) == ("adapter", ("cut",))


def test_a_server_that_waits_for_confirmations_passes_the_same() -> None:
    assert Ground(adapter=TEMPLATE).judged(LOSING).ruling is Ruling.TRUE


def test_storms_find_the_loss() -> None:
    assert any(Ground(adapter=LOSSY).judged(draw_foreign(seed)).broken for seed in range(3))


def test_a_failing_play_shrinks() -> None:
    ground = Ground(adapter=LOSSY)
    shrinking = Shrinking(ground.judged, lambda: shrinking.runs >= RUNS_MAX, steady=True)
    shrunk = shrinking.go(LOSING)
    assert shrunk.judge == "convergence"
    assert len(shrunk.play.steps) < len(LOSING.steps)
    assert any(step.fault for step in shrunk.play.steps)


def test_the_command_says_how_to_see_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "losing.toml"
    path.write_text(LOSING.toml(), encoding="utf-8")
    assert main(["run", str(path), "--adapter", LOSSY]) == 1
    assert "replay:" in capsys.readouterr().out


def test_what_adapters_cannot_do_is_a_sentence() -> None:
    with pytest.raises(NotPlayed, match="no way to clone a device"):
        Ground(adapter=TEMPLATE).trial(plays.load("clone_of_a_device"), 1)


def test_where_nothing_was_accepted_the_adapters_words_are_shown(tmp_path: Path) -> None:
    command = template_with(tmp_path, {"    LOGS[to].append": "    LOGS['nobody'].append"})
    with pytest.raises(AdapterFailed, match=r"no message was accepted; .* KeyError"):
        play_foreign(LOSING, command, 1)

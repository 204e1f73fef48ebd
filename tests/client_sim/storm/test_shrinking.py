"""`client-sim shrink`: a failure in, a few lines out that fail in the same judge."""

from pathlib import Path

import pytest

from client_sim import play
from client_sim.__main__ import main

WRONG = (
    play.load("pc2_synced_before").toml() + '[options]\nscope = "platform"\nverify_start = false\n'
)


def test_a_play_that_fails_becomes_small(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong, small = tmp_path / "wrong.toml", tmp_path / "small.toml"
    wrong.write_text(WRONG, encoding="utf-8")
    asked = ["shrink", str(wrong), "--seed", "1", "--judge", "explicit-gap", "-o", str(small)]
    assert main(asked) == 0
    found = play.load(str(small))
    assert len(found.steps) <= 5
    assert found.options["scope"] == "platform"
    said = capsys.readouterr().err
    assert "explicit-gap still fails" in said
    replay = f"run {small} --seed {found.seed}"
    assert f"replay: client-sim {replay}" in said
    assert main(replay.split()) == 1


def test_without_a_file_the_play_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(WRONG, encoding="utf-8")
    assert main(["shrink", str(wrong)]) == 0
    assert play.read(capsys.readouterr().out, "printed").steps


def test_what_was_found_is_printed_where_its_file_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(WRONG, encoding="utf-8")
    assert main(["shrink", str(wrong), "-o", str(tmp_path / "nowhere" / "small.toml")]) == 2
    out, err = capsys.readouterr()
    assert play.read(out, "printed").steps
    assert "No such file or directory" in err


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ([], "name a play, or the --seed of a storm"),
        (["nothing"], "there is no play nothing"),
        (["founding_report"], "founding_report does not fail with seed"),
    ],
)
def test_what_cannot_be_shrunk(
    asked: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["shrink", *asked]) == 2
    assert complaint in capsys.readouterr().err


def test_a_planted_bug_is_shrunk_in_a_process_of_its_own(tmp_path: Path) -> None:
    small = tmp_path / "small.toml"
    asked = ["shrink", "new_laptop", "--seed=1", "--bug=start_at_the_head", f"--output={small}"]
    assert main(asked) == 0
    found = play.load(str(small))
    assert len(found.steps) <= 5
    assert main(["run", str(small)]) == 0

"""Numbers that are too small are usage errors, whatever the command."""

import pytest

from client_sim.__main__ import main


@pytest.mark.parametrize(
    "asked",
    [
        "run founding_report --seeds 0",
        "storm --seeds 0",
        "storm --sends -5",
        "storm --jobs 0",
        "planted --jobs 0",
        "crash-points --every 0",
        "crash-points --jobs many",
        "from-journal some.jsonl --seeds -1",
    ],
)
def test_a_number_that_is_too_small(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(asked.split())
    assert ended.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {asked.split()[-2]}: " in said

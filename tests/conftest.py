"""What tests of the command line share, whether they lie here or in commands/."""

from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.__main__ import main

Ran = tuple[int, str, str]


@pytest.fixture
def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """Runs one command over a store of the test's own: its exit status, what it said, remarks."""
    monkeypatch.setenv("SYNCD_DATA", str(tmp_path / "store"))

    def ran(*arguments: str) -> Ran:
        status = main(arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return ran

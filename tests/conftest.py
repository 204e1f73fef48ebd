"""What tests of the command line share, whether they lie here or in commands/; and Ctrl-C."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.__main__ import main

Ran = tuple[int, str, str]

# A shell that starts the suite in the background has it ignore SIGINT, and every program that a
# test starts would inherit that: a handler does not pass to programs, so they have the default.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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

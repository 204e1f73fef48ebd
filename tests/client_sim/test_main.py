"""`client-sim` finds every command that it names, and says what each is for."""

import subprocess
import sys

import pytest

from client_sim.__main__ import COMMANDS, main

# A shell's background job, as which this may run, hands down SIGINT ignored.
INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from client_sim.__main__ import main
sys.exit(main())
"""


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert all(f"    {name}" in told for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"client-sim {name}" in capsys.readouterr().out


def test_what_is_no_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["perhaps"])
    assert ended.value.code == 2
    assert "perhaps" in capsys.readouterr().err


@pytest.mark.parametrize("asked", ["run founding_report", "storm --seeds 9", "shrink --seed 1"])
def test_an_interrupt_ends_a_command_with_one_sentence(asked: str) -> None:
    interrupting = "sh -c 'read line; kill -INT $PPID; cat'"
    command = [sys.executable, "-c", INTERRUPTIBLE, *asked.split(), "--adapter", interrupting]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == f"client-sim {asked.split()[0]}: interrupted\n"

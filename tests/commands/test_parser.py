"""The command line: every command says what it takes and how it ends."""

import pytest

from syncd.commands.outcome import EXIT_STATUSES
from syncd.commands.parser import parser

COMMANDS = (
    *("serve", "token", "key", "devices", "revoke", "trim", "retain", "sweep", "erase"),
    *("check", "backup", "restore", "export", "import", "version"),
)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_tells_its_exit_statuses(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([name, "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert EXIT_STATUSES in shown
    assert "--json" in shown
    assert "--data DIR" in shown


@pytest.mark.parametrize(
    "line", ["backup", "restore", "export", "import alice", "erase alice", "erase alice x", "drop"]
)
def test_what_is_missing_is_said(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(line.split())
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err

"""The command line: every command says what it takes and how it ends."""

from dataclasses import fields

import pytest

from syncd.commands.outcome import EXIT_STATUSES
from syncd.commands.parser import parser
from syncd.config import Config, flag, variable

COMMANDS = (
    *("serve", "token", "key", "devices", "revoke", "trim", "retain", "sweep", "erase"),
    *("subjects", "merge", "standing", "pending", "remap", "logout"),
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


USED = {
    "serve": {each.name for each in fields(Config)},
    "token": {"data", "cursor_scope"},
    "key": {"data", "cursor_scope"},
    "import": {"data", "cursor_scope"},
    "retain": {"data", "retain_days", "retain_entries"},
    "sweep": {"data", "retain_days", "retain_entries"},
    "version": set[str](),
}
ARGUMENTS = {
    "token": ["alice"],
    "key": ["shop"],
    "devices": ["alice"],
    "revoke": ["x"],
    "trim": ["alice", "--before", "1"],
    "retain": ["alice"],
    "erase": ["alice", "1"],
    "subjects": ["alice"],
    "merge": ["guest", "alice"],
    "standing": ["alice", "gone"],
    "remap": ["open", "changes.csv"],
    "logout": ["alice"],
    "backup": ["copy"],
    "restore": ["copy"],
    "export": ["alice"],
    "import": ["alice", "stream"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_takes_and_shows_the_settings_that_it_uses(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    used = USED.get(name, {"data"})
    with pytest.raises(SystemExit):
        parser().parse_args([name, "--help"])
    shown = capsys.readouterr().out
    assert ("--config FILE" in shown) == bool(used)
    for each in fields(Config):
        assert (variable(each.name) in shown) == (each.name in used)
        line = [name, *ARGUMENTS.get(name, []), flag(each.name), "1"]
        if each.name in used:
            assert vars(parser().parse_args(line))[each.name] == "1"
        else:
            with pytest.raises(SystemExit) as ended:
                parser().parse_args(line)
            assert ended.value.code == 2
            assert f"unrecognized arguments: {flag(each.name)} 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        *("backup", "restore", "export", "import alice", "erase alice", "erase alice x", "drop"),
        *("erase alice -1", "erase alice 1_0", f"erase alice {10**15}"),
        *("trim alice --before x", f"trim alice --before {10**15}"),
        *("retain alice --days -1", "retain alice --days x", "retain alice --days 36501"),
        *("merge guest", "standing alice", "standing alice away", "remap open", "logout"),
        *("retain alice --entries -1", f"retain alice --entries {10**12}"),
    ],
)
def test_what_is_missing_is_said(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(line.split())
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err

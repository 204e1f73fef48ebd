"""Settings: where they come from, in which order, and that each is documented."""

from dataclasses import fields
from pathlib import Path

import pytest

from syncd.commands.parser import parser
from syncd.config import Config, ConfigError, flag, read_config, table, variable
from syncd.model import CursorScope

ROOT = Path(__file__).resolve().parent.parent
NAMES = [each.name for each in fields(Config)]


def test_without_anything_the_defaults_hold() -> None:
    assert read_config({}, {}) == Config()


def test_a_flag_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "syncd.toml"
    file.write_text('host = "file.example"\nport = 1\ndata = "from-file"\n')
    environment = {"SYNCD_HOST": "environment.example", "SYNCD_PORT": "2"}
    config = read_config({"port": "3"}, environment, str(file))
    assert (config.port, config.host, config.data) == (3, "environment.example", Path("from-file"))
    assert config.log_level == "info"


def test_the_environment_may_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "syncd.toml"
    file.write_text('cursor_scope = "platform"\nallowed_origins = ["https://a.example"]\n')
    config = read_config({}, {"SYNCD_CONFIG": str(file)})
    assert config.cursor_scope is CursorScope.PLATFORM
    assert config.allowed_origins == ("https://a.example",)


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ({"port": "70000"}, "--port must be a number from 0 to 65535, not '70000'."),
        ({"port": "-1"}, "--port must be"),
        ({"port": "٣"}, "--port must be"),
        ({"port": "http"}, "--port must be"),
        ({"cursor_scope": "user"}, "--cursor-scope must be one of device, platform, account"),
        ({"log_format": "xml"}, "--log-format must be one of text, json"),
        ({"log_level": "INFO"}, "--log-level must be one of"),
        ({"host": ""}, "--host must be"),
        ({"host": "http://a"}, "--host must be"),
        ({"data": ""}, "--data must be a folder"),
        ({"data": "postgres://a/b"}, "--data must be a folder"),
        ({"data": "memory:"}, "--data must be a folder"),
        ({"allowed_origins": "https://a.example/"}, "--allowed-origins must be origins"),
        ({"allowed_origins": "a.example"}, "--allowed-origins must be origins"),
        ({"allowed_origins": "*"}, "--allowed-origins must be origins"),
        ({"allowed_origins": "null"}, "--allowed-origins must be origins"),
        ({"allowed_origins": "https://A.example"}, "--allowed-origins must be origins"),
        ({"allowed_origins": "https://u@a.example"}, "--allowed-origins must be origins"),
        ({"allowed_origins": "https://a.example:99999"}, "--allowed-origins must be origins"),
        ({"policy_url": "policy"}, "--policy-url must be a URL"),
        ({"policy_url": "ftp://a.example/"}, "--policy-url must be a URL"),
        ({"policy_url": "http://"}, "--policy-url must be a URL"),
        ({"policy_url": "http://u:p@a.example/"}, "--policy-url must be a URL"),
        ({"policy_url": "http://a.example:99999/"}, "--policy-url must be a URL"),
        ({"policy_url": "http://a.example/a b"}, "--policy-url must be a URL"),
        ({"recall_within_s": "-1"}, "--recall-within-s must be a whole number of seconds"),
        ({"recall_within_s": "2m"}, "--recall-within-s must be"),
        ({"recall_within_s": "9999999999"}, "--recall-within-s must be"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_one_sentence(
    flags: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ConfigError) as error:
        read_config(flags, {})
    assert str(error.value).startswith(complaint)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("port = ", "is no TOML"),
        ("colour = 1", "sets 'colour', which is no setting"),
        ('port = "1"', "wrong type"),
        ("port = true", "wrong type"),
        ("data = 1", "wrong type"),
        ("allowed_origins = [1]", "wrong type"),
        ("port = 70000", "port in"),
    ],
)
def test_a_file_that_cannot_be_meant_is_named(tmp_path: Path, written: str, complaint: str) -> None:
    file = tmp_path / "syncd.toml"
    file.write_text(written)
    with pytest.raises(ConfigError, match=complaint) as error:
        read_config({}, {}, str(file))
    assert str(file) in str(error.value)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml cannot be read"):
        read_config({}, {}, str(tmp_path / "nothing.toml"))


def test_several_origins_are_told_apart() -> None:
    config = read_config({"allowed_origins": "https://a.example, http://[::1]:8080,"}, {})
    assert config.allowed_origins == ("https://a.example", "http://[::1]:8080")


def test_what_decides_and_for_how_long_a_message_may_be_recalled(tmp_path: Path) -> None:
    file = tmp_path / "syncd.toml"
    file.write_text('policy_url = "http://[::1]:9/decide?for=me"\nrecall_within_s = 120\n')
    config = read_config({}, {}, str(file))
    assert (config.policy_url, config.recall_within_s) == ("http://[::1]:9/decide?for=me", 120)
    assert read_config({}, {"SYNCD_POLICY_URL": ""}, str(file)).policy_url == ""


def test_everything_is_kept_where_nothing_else_is_said() -> None:
    assert (Config().retain_days, Config().retain_entries) == (0, 0)
    config = read_config({"retain_days": "30"}, {"SYNCD_RETAIN_ENTRIES": "100000"})
    assert (config.retain_days, config.retain_entries) == (30, 100_000)


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("retain_days", "-1"),
        ("retain_days", "36501"),
        ("retain_days", "1.5"),
        ("retain_entries", "many"),
        ("retain_entries", "-1"),
        ("retain_entries", ""),
    ],
)
def test_a_retention_that_cannot_be_meant(setting: str, text: str) -> None:
    with pytest.raises(ConfigError, match="must be a whole number"):
        read_config({setting: text}, {})


def test_there_are_few_settings() -> None:
    assert len(NAMES) <= 17


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_documented(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["serve", "--help"])
    shown = capsys.readouterr().out
    for text in (flag(name), variable(name)):
        assert text in shown
        assert text in table()


def test_the_readme_shows_the_table() -> None:
    assert table() in (ROOT / "README.md").read_text(encoding="utf-8")

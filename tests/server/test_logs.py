"""Logs: one event a line, in two formats, and never a secret."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from syncd.server.logs import configure, redacted

TOKEN = "sd_" + "Zk3_-" * 8 + "abc"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    loop_level = logging.getLogger("asyncio").level
    root.handlers = []
    yield io.StringIO()
    root.handlers = before
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel(loop_level)


def test_a_text_line_has_time_level_place_message_and_facts(lines: io.StringIO) -> None:
    configure("text", "info", lines)
    logging.getLogger("syncd.x").info("= listening", extra={"facts": {"port": 1}})
    moment, rest = lines.getvalue().split(" ", 1)
    assert moment.endswith("Z")
    assert rest == "info syncd.x: = listening port=1\n"


def test_a_json_line_is_one_object(lines: io.StringIO) -> None:
    configure("json", "info", lines)
    logging.getLogger("syncd.x").warning("! é\n%s", "b", extra={"facts": {"port": 1}})
    [line] = lines.getvalue().splitlines()
    parsed = json.loads(line)
    assert parsed.pop("time").endswith("Z")
    assert parsed == {
        "level": "warning",
        "logger": "syncd.x",
        "message": "! é\nb",
        "facts": {"port": "1"},
    }


def test_a_level_is_obeyed(lines: io.StringIO) -> None:
    configure("text", "warning", lines)
    logging.getLogger("syncd.x").info("= quiet")
    assert lines.getvalue() == ""


def test_a_foreign_text_cannot_begin_a_line(lines: io.StringIO) -> None:
    configure("text", "info", lines)
    logging.getLogger("syncd.x").info("< %s", "a\r\n2026 error forged")
    assert lines.getvalue().count("\n") == 1


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_secret_is_cut_wherever_it_comes_from(lines: io.StringIO, log_format: str) -> None:
    configure(log_format, "debug", lines)
    logger = logging.getLogger("elsewhere")
    logger.info("with %s", TOKEN, extra={"facts": {"token": TOKEN}})
    try:
        raise ValueError(f"bad token {TOKEN}")
    except ValueError:
        logger.exception("failed")
    assert TOKEN not in lines.getvalue()
    assert TOKEN[:19] not in lines.getvalue()
    assert "sd_..." in lines.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"a {TOKEN} b", "a sd_... b"),
        (f"sk_{TOKEN[3:]}", "sk_..."),
        (f"ss_{TOKEN[3:]}", "ss_..."),
        (f"sp_{TOKEN[3:]}", "sp_..."),
        ("eyJhbGciOiJub25l.eyJzdWIiOiIxIn0.sig", "eyJ..."),
        ("sd_short, disk_usage, task_" + "a" * 40, "sd_short, disk_usage, task_" + "a" * 40),
    ],
)
def test_redacted(text: str, shown: str) -> None:
    assert redacted(text) == shown

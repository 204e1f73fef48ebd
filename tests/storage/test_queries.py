"""Tests of the statements beside the code, and of the loader that reads them."""

import re
import sqlite3
from pathlib import Path

import pytest

from syncd import storage
from syncd.storage.migrate import migrate
from syncd.storage.queries import load, parse

SOURCES = sorted(Path(storage.__file__).parent.glob("*.py"))


def test_statements_are_found_by_name_without_comments() -> None:
    text = "-- About.\n\n-- name: one\n-- Why.\nSELECT 1; -- at once\n\n-- name: two\nSELECT\n2;\n"
    assert dict(parse(text)) == {"one": "SELECT 1", "two": "SELECT\n2"}


@pytest.mark.parametrize(
    "text",
    [
        "-- name: one\nSELECT 1;\n-- name: one\nSELECT 2;",
        "-- name: one\n-- name: two\nSELECT 2;",
        "-- name: one\nSELECT 1; SELECT 2;",
    ],
)
def test_a_name_stands_for_one_statement(text: str) -> None:
    with pytest.raises(ValueError, match="one"):
        parse(text)


@pytest.mark.parametrize("name", load("sqlite"))
def test_every_statement_fits_the_schema(name: str) -> None:
    statement = load("sqlite")[name]
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(connection)
        connection.execute(f"EXPLAIN {statement}", (None,) * statement.count("?"))
    finally:
        connection.close()


def test_every_statement_is_used_and_every_use_exists() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    direct = re.findall(r'_SQL\["(\w+)"\]', text)
    passed_on = re.findall(r'_insist\(\s*within, "(\w+)"', text)
    passed_on += re.findall(r'within, scope, \("(\w+)"', text)
    passed_on += re.findall(r'self\._(?:run|one|insist)\("(\w+)"', text)
    assert {*direct, *passed_on} == set(load("sqlite"))

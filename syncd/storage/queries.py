"""Reads the SQL that lies beside the code: `-- name: x` starts a statement, up to the next name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

SQL_FOLDER = Path(__file__).parent / "sql"

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"--.*$", re.MULTILINE)


def parse(text: str) -> Mapping[str, str]:
    """The statements of `text` by name, without comments.

    Raises ValueError for a name that comes twice, or one that no statement follows.
    """
    statements: dict[str, str] = {}
    _, *pieces = _NAME.split(text)
    for name, piece in zip(pieces[::2], pieces[1::2], strict=True):
        statement = _COMMENT.sub("", piece).strip().removesuffix(";")
        if not statement or ";" in statement:
            raise ValueError(f"{name} must be one statement")
        if name in statements:
            raise ValueError(f"{name} comes twice")
        statements[name] = statement
    return MappingProxyType(statements)


def load(engine: str) -> Mapping[str, str]:
    """The statements of one engine by name, from sql/<engine>/queries.sql."""
    return parse((SQL_FOLDER / engine / "queries.sql").read_text(encoding="utf-8"))

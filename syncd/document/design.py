"""DESIGN.md's generated parts: the state machines, as tables and as a picture.

What a human wrote around the markers stays as it is.
"""

from __future__ import annotations

import re
from pathlib import Path

from syncd.document import tables
from syncd.identity import pairing_table
from syncd.protocol import client_table, session_table

PAGE = Path(__file__).parent.parent / "DESIGN.md"

_PART = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_UNTOLD = ("cannot happen: a bug of the shell", "ignored")


def _machine(machine: list[tuple[str, str, str, str]]) -> str:
    """The rows that say something; the table itself is total, and a test holds that."""
    told = [row for row in machine if row[3] not in _UNTOLD]
    return tables.rows(("state", "event", "leads to", "what is done"), told)


def text() -> str:
    """The whole page as it should be now. A marker that means nothing raises KeyError."""
    parts = {
        "session": f"{tables.state_diagram()}\n\n{_machine(session_table.table())}",
        "client": _machine(client_table.table()),
        "pairing": tables.rows(("stage", "request", "leads to", "answer"), pairing_table.table()),
    }
    return _PART.sub(
        lambda match: f"{match[1]}\n{parts[match[2]]}\n\n{match[3]}",
        PAGE.read_text(encoding="utf-8"),
    )


def is_current() -> bool:
    """Whether DESIGN.md says what the code says."""
    return PAGE.read_text(encoding="utf-8") == text()

"""The page: prose from protocol.template.md, with every ``{{name}}`` filled from the code.

Three kinds of names: a table or an example (``{{frames.client}}``), a bound by its name in
limits.py (``{{WINDOW_BYTES_MIN}}``), and a refusal by scope and name (``{{socket.fenced}}``).
"""

from __future__ import annotations

import re
from pathlib import Path

from syncd import errors, limits
from syncd.document import tables, transcript, vectors
from syncd.model import CHAIN_BYTES, EPOCH_BYTES
from syncd.wire.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL

TEMPLATE = Path(__file__).parent / "protocol.template.md"
PAGE = Path(__file__).parent.parent / "wire" / "PROTOCOL.md"

_PLACE = re.compile(r"\{\{([\w.]+)\}\}")


def number(value: float) -> str:
    """A bound as people read it: 65,536 or 0.1 or 2^53-1."""
    if value == limits.INTEGER_MAX:
        return "2^53-1"
    return f"{int(value):,}" if value == int(value) else str(value)


def places() -> dict[str, str]:
    """What stands for each name that the template may use."""
    bounds = {name: number(value) for name, value in vars(limits).items() if name.isupper()}
    refusals = {f"{row.scope.value}.{row.name}": f"{row.code} `{row.name}`" for row in errors.TABLE}
    return {
        "epoch_bytes": str(EPOCH_BYTES),
        "chain_bytes": str(CHAIN_BYTES),
        "subprotocol.msgpack": MSGPACK_SUBPROTOCOL,
        "subprotocol.json": JSON_SUBPROTOCOL,
        "frames.client": tables.client_frames(),
        "frames.server": tables.server_frames(),
        "records": tables.records(),
        "kinds": tables.kinds(),
        "changes": tables.changes(),
        "signals": tables.signals(),
        "reasons": tables.reasons(),
        "refusals.socket": tables.socket_refusals(),
        "refusals.message": tables.message_refusals(),
        "refusals.http": tables.http_refusals(),
        "limits": tables.bounds(),
        "states.diagram": tables.state_diagram(),
        "states.table": tables.state_table(),
        "chain.vectors": vectors.text(),
        "transcript": transcript.text(),
        **bounds,
        **refusals,
    }


def text() -> str:
    """The whole page as it should be now. A name that means nothing raises KeyError."""
    known = places()
    return _PLACE.sub(lambda match: known[match[1]], TEMPLATE.read_text(encoding="utf-8"))


def is_current() -> bool:
    """Whether PROTOCOL.md says what the code says."""
    return PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text()

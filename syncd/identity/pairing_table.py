"""The table of a pairing: what becomes of the code that a new device shows, request by request.

A new device shows a code; a device that is signed in scans it, and then says yes or no. Scanning
alone does nothing. Rule 1: the table is total. Rule 2: who has scanned is the only one who may say
anything more, and that is judged before the table (identity/pairing.py). Rule 3: whatever was
answered may be asked again, because answers get lost; but nothing is taken twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from syncd import errors
from syncd.errors import Refusal


class Stage(Enum):
    """How far a pairing is."""

    WAITING = "waiting"
    """The code is shown."""
    SCANNED = "scanned"
    """One device has read it; its person compares and decides."""
    CONFIRMED = "confirmed"
    """Yes was said, and the new device has not asked since."""
    TAKEN = "taken"
    """The new device has its answer."""
    DECLINED = "declined"
    """No was said."""
    EXPIRED = "expired"
    """Over; nothing is known of it any more."""


class Request(Enum):
    """What is asked about a pairing: the first by the new device, the others by a signed-in one."""

    POLL = "poll"
    SCAN = "scan"
    CONFIRM = "confirm"
    DECLINE = "decline"


@dataclass(frozen=True, slots=True)
class Row:
    """Where a request leads, and with what it is refused; None grants it."""

    next: Stage
    refusal: Refusal | None
    note: str


_OVER = "no code that is shown"
_PENDING = "nobody has decided"

_ROWS: dict[Stage, tuple[Row, Row, Row, Row]] = {
    # in the order of Request: poll, scan, confirm, decline
    Stage.WAITING: (
        Row(Stage.WAITING, errors.AUTHORIZATION_PENDING, _PENDING),
        Row(Stage.SCANNED, None, "what the new device says of itself, to compare"),
        Row(Stage.WAITING, errors.BAD_REQUEST, "scan first"),
        Row(Stage.WAITING, errors.BAD_REQUEST, "scan first"),
    ),
    Stage.SCANNED: (
        Row(Stage.SCANNED, errors.AUTHORIZATION_PENDING, _PENDING),
        Row(Stage.SCANNED, None, "the same once more"),
        Row(Stage.CONFIRMED, None, "yes"),
        Row(Stage.DECLINED, None, "no"),
    ),
    Stage.CONFIRMED: (
        Row(Stage.TAKEN, None, "the new device logs in, once"),
        Row(Stage.CONFIRMED, None, "the same once more"),
        Row(Stage.CONFIRMED, None, "yes already"),
        Row(Stage.DECLINED, None, "no after all: nothing was taken yet"),
    ),
    Stage.TAKEN: (
        Row(Stage.TAKEN, errors.EXPIRED_TOKEN, "once was all"),
        Row(Stage.TAKEN, errors.NOT_FOUND, _OVER),
        Row(Stage.TAKEN, None, "yes already"),
        Row(Stage.TAKEN, errors.NOT_FOUND, "too late: revoke the device"),
    ),
    Stage.DECLINED: (
        Row(Stage.DECLINED, errors.ACCESS_DENIED, "no"),
        Row(Stage.DECLINED, errors.NOT_FOUND, _OVER),
        Row(Stage.DECLINED, errors.NOT_FOUND, _OVER),
        Row(Stage.DECLINED, None, "no already"),
    ),
    Stage.EXPIRED: (
        Row(Stage.EXPIRED, errors.EXPIRED_TOKEN, "begin anew"),
        Row(Stage.EXPIRED, errors.NOT_FOUND, _OVER),
        Row(Stage.EXPIRED, errors.NOT_FOUND, _OVER),
        Row(Stage.EXPIRED, errors.NOT_FOUND, _OVER),
    ),
}

TABLE = {
    (stage, request): row
    for stage, rows in _ROWS.items()
    for request, row in zip(Request, rows, strict=True)
}


def table() -> list[tuple[str, str, str, str]]:
    """The machine as text: stage, request, next stage, answer. DESIGN.md shows it."""
    return [
        (
            stage.value,
            request.value,
            row.next.value,
            row.note if row.refusal is None else f"`{row.refusal.name}`: {row.note}",
        )
        for (stage, request), row in TABLE.items()
    ]

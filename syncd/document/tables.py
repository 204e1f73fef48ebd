"""The tables of PROTOCOL.md: frames, records, kinds, refusals, bounds and the session's states."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import inspect as shapes

from syncd import errors, limits
from syncd.errors import Refusal, Scope
from syncd.membership import Action
from syncd.model import Accepted, Chain, Epoch, Identity, Kind, Position
from syncd.protocol import session_table
from syncd.protocol.signalling import SignalKind
from syncd.protocol.verdict import Reason
from syncd.wire import frames
from syncd.wire.json_twin import frame_name

RECORDS = (
    Position,
    Identity,
    frames.Message,
    frames.Entry,
    Accepted,
    frames.RefusedField,
)

# The nouns of floor 0 know no wire, so what their fields mean there is said here.
_NOUNS = {
    Position: {
        "epoch": "of the log.",
        "seq": "the last seq that the device has stored; 0 when it holds the log from its start "
        "and nothing was in it yet.",
        "chain": "the chain at seq, as the server gave it.",
    },
    Identity: {
        "device": "the device that sent the message.",
        "number": "the number that it gave the message.",
    },
    Accepted: {
        "number": "the message's.",
        "seq": "its place in the sender's own log; null when it was trimmed.",
        "duplicate": "true when it had been accepted before.",
    },
}

_REASONS = {
    Reason.EPOCH: "the log has another epoch than the position: its past may have changed",
    Reason.AHEAD: "the position lies beyond the head: the server lost entries",
    Reason.FORKED: "the chain at the position differs: the server lost entries and wrote others",
    Reason.MERGED: "the position is of another account's log, and that account turned out to be "
    "this one: its entries are in this log now (section 8, Merge)",
}

_KINDS = {
    Kind.MESSAGE: ("none", "every member's log", "something for people to read"),
    Kind.EDIT: ("own message", "every member's log", "the target has this body from now on"),
    Kind.RECALL: ("own message", "every member's log", "the target shall no longer be shown"),
    Kind.DELETE: (
        "message or system",
        "the own account's log",
        "the target is no longer shown on the own devices",
    ),
    Kind.READ: ("any entry", "the own account's log", "the conversation is read up to the target"),
    Kind.SYSTEM: (
        "none",
        "the logs of who is a member before or after",
        "a change of a group's members; the body says which",
    ),
}

_CHANGES = {
    Action.CREATE: (
        "anybody",
        "make the group of `members` and `owners`; the sender becomes an owner",
    ),
    Action.ADD: ("an owner", "take in, or change the role of who is in"),
    Action.REMOVE: ("an owner", "take out those under `members`; `owners` stays empty"),
    Action.LEAVE: ("any member", "go; names nobody"),
}

_SIGNALS = {
    SignalKind.TYPING: "somebody writes here just now",
    SignalKind.HERE: "somebody looks at the conversation, until away is said",
    SignalKind.AWAY: "no more",
}

CROSS_THE_WIRE = (
    "INTEGER_MAX",
    "ACCOUNT_CHARACTERS_MAX",
    "CONVERSATION_CHARACTERS_MAX",
    "DEVICE_ID_CHARACTERS",
    "INSTANCE_CHARACTERS",
    "TOKEN_CHARACTERS_MAX",
    "CLIENT_FRAME_BYTES_MAX",
    "SERVER_FRAME_BYTES_MAX",
    "BODY_BYTES_MAX",
    "SIGNAL_BYTES_MAX",
    "SIGNALS_PER_SECOND",
    "SIGNALS_BURST",
    "PRESENCES_MAX",
    "MEMBERS_MAX",
    "ENTRY_BYTES_MAX",
    "BATCH_BYTES_MAX",
    "WINDOW_BYTES_MIN",
    "WINDOW_BYTES_DEFAULT",
    "WINDOW_BYTES_MAX",
    "MESSAGES_PER_FRAME_MAX",
    "UNANSWERED_MESSAGES_MAX",
    "REMEMBERED_MESSAGES",
    "HELLO_TIMEOUT_S",
    "ADMITTING_TIMEOUT_S",
    "HEARTBEAT_INTERVAL_S",
    "HEARTBEATS_MISSED_MAX",
    "WRITE_STALLED_TIMEOUT_S",
    "ACK_DELAY_S",
    "CURSOR_SAVE_DELAY_S",
    "RECONNECT_DELAY_MIN_S",
    "RECONNECT_DELAY_MAX_S",
)
"""The bounds that a client can meet; the others are the server's own affair."""


def rows(head: tuple[str, ...], lines: Iterable[tuple[object, ...]]) -> str:
    """A Markdown table."""
    ruler = tuple("---" for _ in head)
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in (head, ruler, *lines))


# ---------------------------------------------------------------- frames and records


def documentation(kind: type[msgspec.Struct]) -> tuple[str, dict[str, str]]:
    """A class's docstring taken apart: its prose, and what it says about each field.

    A field's text starts a line with ``name:`` (or ``one, other:``) and goes on indented; fields
    that a class inherits are told by the class that declares them.
    """
    own = set(kind.__struct_fields__)
    prose: list[str] = []
    fields: dict[str, str] = {}
    current: list[str] = []
    for line in inspect.cleandoc(kind.__doc__ or "").splitlines():
        names, colon, start = line.partition(": ")
        if colon and set(names.split(", ")) <= own:
            current = names.split(", ")
            fields |= dict.fromkeys(current, start)
        elif current and line.startswith("    "):
            fields |= {name: f"{fields[name]} {line.strip()}" for name in current}
        else:
            current = []
            prose.append(line)
    for parent in kind.__bases__:
        if issubclass(parent, msgspec.Struct) and parent is not msgspec.Struct:
            fields = documentation(parent)[1] | fields
    return "\n".join(prose).strip(), _NOUNS.get(kind, {}) | fields


def _between(least: float | None, most: float | None, unit: str) -> str:
    if least is None and most is None:
        return ""
    if least == most:
        return f", {least} {unit}".rstrip()
    low = 0 if least is None else least
    return f", {low:,} to {'2^53-1' if most == limits.INTEGER_MAX else f'{most:,}'} {unit}".rstrip()


_ANCHORS = re.compile(r"\\[AZ]")


def type_text(shape: shapes.Type, hint: Any = None) -> str:
    """A field's type in words. `hint` tells an epoch and a chain from other bytes."""
    if hint is Epoch or hint is Chain:
        return hint.__name__.lower()
    match shape:
        case shapes.IntType():
            return "integer" + _between(shape.ge, shape.le, "")
        case shapes.BytesType():
            return "bytes" + _between(shape.min_length, shape.max_length, "bytes")
        case shapes.StrType() if shape.pattern is not None:
            return f"string, `{_ANCHORS.sub('', shape.pattern)}`"
        case shapes.StrType():
            return "string" + _between(shape.min_length, shape.max_length, "characters")
        case shapes.BoolType():
            return "boolean"
        case shapes.NoneType():
            return "null"
        case shapes.StructType():
            return f"{shape.cls.__name__}"
        case shapes.UnionType():
            return " or ".join(type_text(each) for each in shape.types)
        case shapes.VarTupleType():
            bounds = _between(shape.min_length, shape.max_length, "items")
            return f"array of {type_text(shape.item_type)}{bounds}"
        case shapes.TupleType():
            return f"array of {len(shape.item_types)}: {type_text(shape.item_types[0])}"
    raise AssertionError(f"no words for {shape}")


def _field_rows(kind: type[msgspec.Struct]) -> Iterator[tuple[object, ...]]:
    _, meanings = documentation(kind)
    hints = get_type_hints(kind)
    shape = shapes.type_info(kind)
    assert isinstance(shape, shapes.StructType)
    first = 0 if shape.tag is None else 1
    for place, field in enumerate(shape.fields, start=first):
        words = type_text(field.type, hints[field.name])
        yield place, f"`{field.name}`", words, _spoken(meanings[field.name])


def _spoken(text: str) -> str:
    return text.replace("``", "`")


def _frame(kind: type[msgspec.Struct]) -> str:
    prose, _ = documentation(kind)
    tag = kind.__struct_config__.tag
    table = rows(("position", "field", "type", "meaning"), _field_rows(kind))
    return f"#### `{frame_name(kind)}`, tag {tag}\n\n{_spoken(prose)}\n\n{table}"


def client_frames() -> str:
    """Every frame that a client may send."""
    return "\n\n".join(map(_frame, get_args(frames.ClientFrame)))


def server_frames() -> str:
    """Every frame that a server may send."""
    return "\n\n".join(map(_frame, get_args(frames.ServerFrame)))


def _record(kind: type[msgspec.Struct]) -> str:
    prose = documentation(kind)[0].partition("\n\n")[0]
    table = rows(("position", "field", "type", "meaning"), _field_rows(kind))
    return f"#### {kind.__name__}\n\n{_spoken(prose)}\n\n{table}"


def records() -> str:
    """What stands inside frames."""
    return "\n\n".join(_record(kind) for kind in RECORDS)


def kinds() -> str:
    """The kinds of entries."""
    lines = [(kind.value, kind.name.lower(), *_KINDS[kind]) for kind in Kind]
    return rows(("number", "kind", "target", "goes to", "meaning"), lines)


def changes() -> str:
    """What a system message may change."""
    lines = [(f"`{action.value}`", *_CHANGES[action]) for action in Action]
    return rows(("action", "by", "meaning"), lines)


def signals() -> str:
    """The kinds of signals."""
    lines = [(kind.value, kind.name.lower(), _SIGNALS[kind]) for kind in SignalKind]
    return rows(("number", "kind", "meaning"), lines)


def reasons() -> str:
    """Why a reset."""
    return rows(("reason", "what happened"), ((f"`{r.value}`", _REASONS[r]) for r in Reason))


# ---------------------------------------------------------------- refusals


def _refusals(scope: Scope) -> list[Refusal]:
    return [row for row in errors.TABLE if row.scope is scope]


def _yes(truth: bool) -> str:
    return "yes" if truth else "no"


def socket_refusals() -> str:
    """Close codes."""
    lines = [
        (row.code, f"`{row.name}`", _yes(row.reconnect), row.text)
        for row in _refusals(Scope.SOCKET)
    ]
    return rows(("code", "name", "reconnect by itself?", "meaning"), lines)


def message_refusals() -> str:
    """Codes in answers."""
    lines = [
        (row.code, f"`{row.name}`", "retryable" if row.reconnect else "definite", row.text)
        for row in _refusals(Scope.MESSAGE)
    ]
    return rows(("code", "name", "what it is", "meaning"), lines)


def http_refusals() -> str:
    """Statuses of the upgrade request and of the HTTP door."""
    lines = [
        (row.code, f"`{row.name}`", _yes(row.reconnect), row.text) for row in _refusals(Scope.HTTP)
    ]
    return rows(("status", "name", "repeat later?", "meaning"), lines)


# ---------------------------------------------------------------- bounds


def limit_reasons() -> dict[str, str]:
    """What limits.py says below each constant; where several share a text, each has it."""
    found: dict[str, str] = {}
    waiting: list[str] = []
    for node in ast.parse(inspect.getsource(limits)).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]):
                waiting.append(name)
            case ast.Expr(value=ast.Constant(value=str(text))):
                found |= dict.fromkeys(waiting, re.sub(r"\s+", " ", text))
                waiting = []
    return found


def bounds() -> str:
    """The bounds that cross the wire, with their reasons."""
    told = limit_reasons()
    lines = [(f"`{name}`", f"{getattr(limits, name):,}", told[name]) for name in CROSS_THE_WIRE]
    return rows(("name", "value", "meaning"), lines)


# ---------------------------------------------------------------- states

_NOT_NEXT = "-"
_DIAGRAM_NAME = "stateDiagram-v2"


def state_diagram() -> str:
    """The session's states as a mermaid diagram: only what moves it, closing apart."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for state, event, following, _ in session_table.table():
        for target in following.split(", "):
            if target not in (_NOT_NEXT, state):
                arrows.setdefault((state, target), []).append(event)
    lines = [f"    {one} --> {other}: {', '.join(names)}" for (one, other), names in arrows.items()]
    start = session_table.State.GREETING.value
    return "\n".join(("```mermaid", _DIAGRAM_NAME, f"    [*] --> {start}", *lines, "```"))


def state_table() -> str:
    """The session's table without what cannot happen and what is ignored after the end."""
    closed = session_table.State.CLOSED.value
    lines = [row for row in session_table.table() if row[2] != _NOT_NEXT and row[0] != closed]
    return rows(("state", "event", "then", "what the server does"), lines)

"""Every bound has its reason beside it, and the largest things that may be sent do fit."""

import ast
import re
from pathlib import Path

import pytest

from syncd import limits
from syncd.model import AccountId, DeviceId, Identity, Kind, direct
from syncd.wire.codec import JsonCodec, MsgpackCodec, pack_entry
from syncd.wire.frames import Message, Send

SOURCE = ast.parse(Path(limits.__file__).read_text(encoding="utf-8"))
CONSTANTS = [name for name in vars(limits) if name.isupper()]
UNITS = (
    "_FRAMES",
    "_MIB",
    "_MIB_MAX",
    "_BYTES",
    "_BYTES_MAX",
    "_BYTES_MIN",
    "_BYTES_DEFAULT",
    "_S",
    "_DAYS",
    "_PERCENT",
    "_CHARACTERS",
)
COUNTS = {
    "INTEGER_MAX",
    "MESSAGES_PER_FRAME_MAX",
    "UNANSWERED_MESSAGES_MAX",
    "REMEMBERED_MESSAGES",
    "MEMBERS_MAX",
    "RETAIN_ENTRIES_MAX",
    "TRIM_UNASKED_ENTRIES",
    "BADGE_FOLDS_MAX",
    "BADGE_ENTRIES_MAX",
    "HEARTBEATS_MISSED_MAX",
    "COMMIT_ENTRIES_MAX",
    "COMMIT_SHARE_ENTRIES_MAX",
    "COMMIT_OPENINGS_MAX",
    "CONNECTIONS_PER_SECOND",
    "ACCEPTED_AT_ONCE",
    "FAN_OUTS_REMEMBERED_MAX",
    "ACCOUNT_MESSAGES_PER_SECOND",
    "ACCOUNT_HELLOS_PER_SECOND",
    "ACCOUNT_HELLOS_BURST",
    "ADDRESS_REQUESTS_PER_SECOND",
    "KEY_REQUESTS_PER_SECOND",
    "STRANGERS_PER_ADDRESS_MAX",
    "HELD_SOCKETS_PER_ACCOUNT_MAX",
    "SIGNALS_PER_SECOND",
    "SIGNALS_BURST",
    "PRESENCES_MAX",
    "SIGNALS_WAITING_MAX",
    "POLICY_WAITING_MESSAGES_MAX",
    "GRANTS_REMEMBERED",
    "PAIRINGS_MAX",
    "LOOKED_AT_ONCE",
    "PAIRINGS_PER_ADDRESS_MAX",
    "PAIRING_GUESSES_PER_MINUTE",
    "PAIRING_GUESSES_BURST",
    "PENDING_WINDOW_LOGINS",
    "PENDING_WINDOW_LOGINS_MIN",
    "LOGINS_REFUSED_PER_MINUTE",
    "LOGINS_PER_DEVICE_PER_MINUTE",
}

LONGEST = AccountId("z" * limits.ACCOUNT_CHARACTERS_MAX)
DEVICE = DeviceId("f" * limits.DEVICE_ID_CHARACTERS)


def largest(target: Identity | None = None) -> Message:
    body = bytes(limits.BODY_BYTES_MAX)
    return Message(limits.INTEGER_MAX, Kind.MESSAGE, direct(LONGEST, LONGEST), target, body)


def test_every_bound_has_its_reason_beside_it() -> None:
    reasoned = set()
    waiting: list[str] = []
    for statement in SOURCE.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]):
                waiting.append(name)
            case ast.Expr(value=ast.Constant(value=str())):
                reasoned.update(waiting)
                waiting = []
    assert reasoned == set(CONSTANTS)


@pytest.mark.parametrize("name", CONSTANTS)
def test_every_bound_has_its_unit_in_its_name(name: str) -> None:
    assert name in COUNTS or re.sub("_M(AX|IN)$", "", name).endswith(UNITS)
    assert getattr(limits, name) > 0


@pytest.mark.parametrize("codec", [MsgpackCodec(), JsonCodec()])
def test_a_largest_message_fits_a_frame(codec: MsgpackCodec | JsonCodec) -> None:
    frame = Send((largest(Identity(DEVICE, limits.INTEGER_MAX)),))
    encoded = codec.encode(frame)
    assert len(encoded) <= limits.CLIENT_FRAME_BYTES_MAX
    assert codec.decode_client(encoded) == frame


def test_a_largest_entry_keeps_to_its_bound() -> None:
    record = pack_entry(
        largest(Identity(DEVICE, limits.INTEGER_MAX)), LONGEST, DEVICE, limits.INTEGER_MAX
    )
    assert len(record.header) + len(record.body) <= limits.ENTRY_BYTES_MAX


@pytest.mark.parametrize("codec", [MsgpackCodec(), JsonCodec()])
def test_a_batch_of_smallest_entries_fits_a_frame_of_the_server(
    codec: MsgpackCodec | JsonCodec,
) -> None:
    small = Message(1, Kind.MESSAGE, direct(AccountId("a"), AccountId("b")), None, b"")
    record = pack_entry(small, AccountId("a"), DEVICE, 0)
    entry = record.header + record.body
    count = limits.BATCH_BYTES_MAX // len(entry)
    frame = codec.batch(0, count, entry * count, b"12345678", count)
    assert len(frame) <= limits.SERVER_FRAME_BYTES_MAX

"""Test vectors of the hash chain: three entries made and linked by the service's own functions."""

from __future__ import annotations

from syncd.chain import GENESIS, link, shown
from syncd.model import AccountId, ConversationId, DeviceId, Record, direct
from syncd.wire.codec import pack_entry
from syncd.wire.frames import Message

ALICE, BOB = AccountId("alice"), AccountId("bob")
CONVERSATION: ConversationId = direct(ALICE, BOB)
PHONE = DeviceId("b0b000000000000000000001")
TIME_MS = 1_767_225_600_000
BODIES = (b"", b"hello", bytes(range(256)))


def entries() -> tuple[Record, ...]:
    """The three: an empty body, a short one, and one with every byte."""
    return tuple(
        pack_entry(Message(number, 1, CONVERSATION, None, body), BOB, PHONE, TIME_MS + number)
        for number, body in enumerate(BODIES, start=1)
    )


def text() -> str:
    """Every step of three links, in hex."""
    lines = [f"link(0)       {GENESIS.hex()}", f"chain(0)      {shown(GENESIS).hex()}"]
    previous = GENESIS
    for seq, record in enumerate(entries(), start=1):
        previous = link(previous, seq, record.header, record.body_hash)
        lines += [
            "",
            f"header({seq})     {record.header.hex()}",
            f"body({seq})       {record.body.hex()}",
            f"H(body({seq}))    {record.body_hash.hex()}",
            f"link({seq})       {previous.hex()}",
            f"chain({seq})      {shown(previous).hex()}",
        ]
    return "\n".join(("```text", *lines, "```"))

"""What an application hands in to be sent, checked before the outbox keeps it for ever.

What the outbox could not read back, or the wire not carry, would come back to it with every start
and every reconnect, and nothing behind it would ever be sent.
"""

from __future__ import annotations

import msgspec

from syncd import errors, limits
from syncd.client.exceptions import SendRefused
from syncd.client.store import Outgoing
from syncd.model import ConversationId, Identity

_KIND_MAX = 255
_to_identity = msgspec.json.Decoder(Identity).decode
_as_json = msgspec.json.Encoder().encode


def outgoing_of(kind: object, conversation: object, target: object, body: object) -> Outgoing:
    """A message to be sent. A bytearray or memoryview is copied, so that it may change afterwards.

    Raises TypeError for what is of another type than `Device.send` says, ValueError for what no
    frame can hold, SendRefused for a body of more than 32,768 bytes.
    """
    sent = Outgoing(kind_of(kind), conversation_of(conversation), _target_of(target), body_of(body))
    if len(sent.body) > limits.BODY_BYTES_MAX:
        raise SendRefused(errors.TOO_LARGE)
    return sent


def conversation_of(conversation: object) -> ConversationId:
    """The id, where it may cross the wire: whether there is such a conversation is judged there.

    Raises TypeError for what is no str, ValueError for what is no id.
    """
    if not isinstance(conversation, str):
        raise TypeError(f"conversation is str, not {type(conversation).__name__}")
    if not 1 <= len(conversation) <= limits.CONVERSATION_CHARACTERS_MAX:
        raise ValueError(f"no conversation has this id: {conversation!r}")
    conversation.encode()  # half a surrogate pair is a ValueError here, and the end of a run later
    return ConversationId(conversation)


def kind_of(kind: object) -> int:
    """What a message or a signal is. Raises TypeError for what is no int, ValueError beyond 255."""
    if not isinstance(kind, int):
        raise TypeError(f"kind is int, not {type(kind).__name__}")
    if not 0 <= kind <= _KIND_MAX:
        raise ValueError(f"a kind is 0 to {_KIND_MAX}, not {kind}")
    return int(kind)


def body_of(body: object) -> bytes:
    """A body of its own. Raises TypeError for what is not bytes, bytearray or memoryview."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, bytearray | memoryview):
        return bytes(body)
    advice = ': encode it ("text".encode())' if isinstance(body, str) else ""
    raise TypeError(f"body is bytes, not {type(body).__name__}{advice}")


def _target_of(target: object) -> Identity | None:
    if target is None:
        return None
    if not isinstance(target, Identity):
        raise TypeError(
            f"target is an Identity (as in entry.identity) or None, not {type(target).__name__}"
        )
    try:
        return _to_identity(_as_json(target))  # a Struct's fields are not checked when it is made
    except (msgspec.MsgspecError, UnicodeEncodeError, TypeError) as error:
        raise ValueError(f"no message has this identity: {target!r}") from error

"""Frames drawn by hypothesis: every class, every field within its bounds and at their edges."""

from typing import get_args

from hypothesis import strategies as st

from syncd import limits
from syncd.model import Accepted, Identity, Position
from syncd.wire import frames

counts = st.integers(0, limits.INTEGER_MAX)
numbers = st.integers(1, limits.INTEGER_MAX)
kinds = st.integers(0, 255)
eight_bytes = st.binary(min_size=8, max_size=8)
words = st.text(max_size=20)
bodies = st.binary(max_size=300)
instances = st.text("0123456789abcdef", min_size=16, max_size=16)
devices = st.text(min_size=limits.DEVICE_ID_CHARACTERS, max_size=limits.DEVICE_ID_CHARACTERS)
conversations = st.text(min_size=1, max_size=limits.CONVERSATION_CHARACTERS_MAX)

positions = st.builds(Position, eight_bytes, counts, eight_bytes)
identities = st.builds(Identity, devices, numbers)
messages = st.builds(frames.Message, numbers, kinds, conversations, st.none() | identities, bodies)
entries = st.builds(
    frames.Entry,
    kinds,
    words,
    words,
    devices,
    numbers,
    st.none() | identities,
    counts,
    st.none() | bodies,
)
accepted = st.builds(Accepted, numbers, st.none() | counts, st.booleans())
refused = st.builds(frames.RefusedField, numbers, counts)

verdict_fields = (words, words, eight_bytes, counts, counts, counts, eight_bytes, counts, counts)


def rows(of: st.SearchStrategy, least: int = 0) -> st.SearchStrategy:
    return st.lists(of, min_size=least, max_size=5).map(tuple)


BY_CLASS = {
    frames.Hello: st.builds(
        frames.Hello,
        st.text(min_size=1, max_size=100),
        instances,
        st.none() | positions,
        st.booleans(),
        st.integers(limits.WINDOW_BYTES_MIN, limits.WINDOW_BYTES_MAX),
    ),
    frames.Ack: st.builds(frames.Ack, eight_bytes, counts),
    frames.Send: st.builds(frames.Send, rows(messages, least=1)),
    frames.Signal: st.builds(
        frames.Signal, conversations, kinds, st.binary(max_size=limits.SIGNAL_BYTES_MAX)
    ),
    frames.Welcome: st.builds(frames.Welcome, *verdict_fields, rows(words)),
    frames.Truncated: st.builds(
        frames.Truncated, *verdict_fields, st.tuples(counts, counts), rows(words)
    ),
    frames.Reset: st.builds(frames.Reset, *verdict_fields, words, rows(words)),
    frames.Batch: st.builds(frames.Batch, counts, counts, rows(entries), eight_bytes, counts),
    frames.Heartbeat: st.builds(frames.Heartbeat, eight_bytes, counts, counts, counts),
    frames.Answers: st.builds(frames.Answers, rows(accepted), rows(refused)),
    frames.Goodbye: st.builds(frames.Goodbye, counts, words, st.none() | words, st.none() | counts),
    frames.Signalled: st.builds(frames.Signalled, words, words, words, kinds, bodies),
}
CLIENT = get_args(frames.ClientFrame)
SERVER = get_args(frames.ServerFrame)
any_frame = st.one_of(*BY_CLASS.values())

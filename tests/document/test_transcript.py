"""The worked example: its bytes are frames, and it tells the founding story with a good end."""

import json

from syncd.document import transcript
from syncd.wire.codec import MSGPACK_SUBPROTOCOL, codec_for
from syncd.wire.frames import Ack, Answers, Batch, Goodbye, Welcome

CODEC = codec_for(MSGPACK_SUBPROTOCOL)


def scenes() -> list[list[transcript.Line]]:
    return [lines for _, lines in transcript.play()]


def test_both_pcs_get_the_message() -> None:
    _, first, second, *_ = scenes()
    for name, lines in (("PC1", first), ("PC2", second)):
        _, welcome, batch, ack = (line.frame for line in lines)
        assert {line.sender for line in lines} == {name, "server"}
        assert isinstance(welcome, Welcome)
        assert (welcome.start, welcome.missed) == (0, 1)
        assert isinstance(batch, Batch)
        assert [entry.body for entry in batch.entries] == [b"hi alice"]
        assert ack == Ack(welcome.epoch, 1)


def test_the_echo_goes_to_both() -> None:
    lines = scenes()[3]
    [answers] = [line.frame for line in lines if isinstance(line.frame, Answers)]
    assert answers.accepted[0].seq == 2
    heard = [line.receiver for line in lines if isinstance(line.frame, Batch)]
    assert sorted(heard) == ["PC1", "PC2"]


def test_whoever_comes_back_has_missed_nothing() -> None:
    _, welcome = (line.frame for line in scenes()[4])
    assert isinstance(welcome, Welcome)
    assert (welcome.start, welcome.missed) == (2, 0)


def test_the_annotated_bytes_are_the_frame() -> None:
    for lines in scenes():
        for line in lines:
            pieces = transcript.annotated(line.frame, "frame")
            assert "".join(digits for digits, _ in pieces) == CODEC.encode(line.frame).hex()


def test_a_whole_section_can_be_read_back() -> None:
    text = transcript.text()
    spelled = [line for line in text.splitlines() if line.startswith('{"frame"')]
    assert len(spelled) == sum(map(len, scenes()))
    assert {json.loads(each)["frame"] for each in spelled} >= {"hello", "send", "batch", "answers"}


def test_large_arrays_are_annotated_too() -> None:
    batch = Batch(0, 20, scenes()[1][2].frame.entries * 20, b"c" * 8, 20)
    pieces = transcript.annotated(batch, "batch")
    assert "".join(digits for digits, _ in pieces) == CODEC.encode(batch).hex()
    assert next(transcript.annotated(Goodbye(1, "x", None, None), "goodbye"))[0] == "95"

"""The stream of an account: what is taken, and the sentence for everything that is not."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.limits import TRANSFER_RECORD_BYTES_MAX
from syncd.storage.transfer import TransferRefused, records

from .stores import make_store
from .streams import exported, put_together, taken_apart
from .works import ALICE, BOB, populate

Change = Callable[[list[Any]], object]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return exported(make_store(tmp_path_factory.mktemp("store")))


def judged(stream: bytes) -> list[Any]:
    return list(records(io.BytesIO(stream), ALICE))


def test_a_whole_stream_is_taken(stream: bytes) -> None:
    names = [type(each).__name__ for each in judged(stream)]
    assert names == ["Head", "Entries", "DeviceRecord", "DeviceRecord", "End"]
    assert put_together(taken_apart(stream)) == stream


def test_a_stream_is_messagepack_throughout(stream: bytes) -> None:
    found = list(msgpack.Unpacker(io.BytesIO(stream)))
    assert [each[0] for each in found[1::2]] == ["head", "entries", "device", "device", "end"]
    assert found[1][1:4] == ["syncd-export", 1, "alice"]


def test_a_stream_cut_anywhere_is_refused(stream: bytes) -> None:
    for size in range(0, len(stream), 7):
        with pytest.raises(TransferRefused, match="cut off"):
            judged(stream[:size])


@given(place=st.integers(0, 1 << 30), bit=st.integers(0, 7))
def test_no_bit_of_a_stream_may_differ(stream: bytes, place: int, bit: int) -> None:
    changed = bytearray(stream)
    changed[place % len(changed)] ^= 1 << bit
    with pytest.raises(TransferRefused):
        judged(bytes(changed))


@given(st.binary(max_size=300))
def test_whatever_comes_is_refused_in_a_sentence(garbage: bytes) -> None:
    with pytest.raises(TransferRefused) as refused:
        judged(garbage)
    assert str(refused.value).endswith(".")
    with pytest.raises(TransferRefused):
        judged(b"\xce" + len(garbage).to_bytes(4, "big") + garbage)


def test_garbage_behind_the_end_is_refused(stream: bytes) -> None:
    with pytest.raises(TransferRefused, match="follows the end"):
        judged(stream + b"\0")


def test_another_accounts_stream_is_refused(stream: bytes) -> None:
    with pytest.raises(TransferRefused, match="the export of alice, not of bob"):
        list(records(io.BytesIO(stream), BOB))


def test_an_oversized_record_is_refused_before_it_is_read() -> None:
    size = TRANSFER_RECORD_BYTES_MAX + 1
    with pytest.raises(TransferRefused, match="too large"):
        judged(b"\xce" + size.to_bytes(4, "big") + b"x" * 10)


HEAD, ENTRIES, DEVICE, END = 0, 1, 2, 4
HOLD = 11
"""Where a device's answers are."""


def entry(place: int) -> Callable[[list[Any]], list[Any]]:
    return lambda found: found[ENTRIES][1][place]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda found: found[HEAD].__setitem__(1, "other"), "this program reads"),
        (lambda found: found[HEAD].__setitem__(2, 2), "version 2"),
        (lambda found: found[HEAD].__setitem__(5, 99), "contradicts itself"),
        (lambda found: found[HEAD].__setitem__(5, 0), "contradicts itself"),
        (lambda found: found[HEAD].__setitem__(6, bytes(32)), "hash chain"),
        (lambda found: found[HEAD].__setitem__(9, bytes(32)), "hash chain"),
        (lambda found: found[HEAD].__setitem__(8, 15), "Entry 15 is missing"),
        (lambda found: found[HEAD].__setitem__(8, 13), "14 stands in its place"),
        (lambda found: found.insert(0, found[END]), "begin with one head"),
        (lambda found: found.insert(1, found[HEAD]), "begin with one head"),
        (lambda found: found.insert(1, found[DEVICE]), "out of order"),
        (lambda found: found[ENTRIES][1].pop(3), "Entry 7 is missing; 8 stands in its place"),
        (lambda found: found[ENTRIES][1].pop(), "Entry 14 is missing"),
        (lambda found: entry(1)(found).__setitem__(3, b"\xc4\x01x"), "body of entry 5"),
        (lambda found: entry(1)(found).__setitem__(1, b"\x98\x00"), "Entry 5 has no header"),
        (lambda found: entry(1)(found).__setitem__(1, b"x" * 40_000), "Entry 5 is too large"),
        (lambda found: entry(2)(found).__setitem__(2, bytes(32)), "hash chain"),
        (lambda found: found[DEVICE].__setitem__(1, "x" * 24), "no id of its own"),
        (lambda found: found.insert(DEVICE, found[DEVICE]), "no id of its own"),
        (lambda found: found[DEVICE].__setitem__(2, "x" * 129), "none of ours"),
        (lambda found: found[DEVICE].__setitem__(8, 14), "contradict each other"),
        (lambda found: found[DEVICE].__setitem__(9, 1), "more answers than were given"),
        (lambda found: found[DEVICE][HOLD].reverse(), "contradict each other"),
        (lambda found: found[DEVICE][HOLD][0].__setitem__(1, 15), "not there"),
        (lambda found: found.insert(END, ["marks", [["a~b", 15]]]), "read mark stands outside"),
        (lambda found: found.insert(END, ["marks", [["a" * 200, 1]]]), "none of ours"),
        (lambda found: found[END].__setitem__(1, 9), "does not hold what its end says"),
        (lambda found: found[END].__setitem__(2, 9), "does not hold what its end says"),
        (lambda found: found[END].__setitem__(3, bytes(32)), "hash chain"),
        (lambda found: found.insert(END, ["other"]), "none of ours"),
    ],
)
def test_what_contradicts_itself_is_refused(stream: bytes, change: Change, sentence: str) -> None:
    found = taken_apart(stream)
    change(found)
    with pytest.raises(TransferRefused, match=sentence):
        judged(put_together(found))


def test_an_account_without_anything_is_a_stream_too(tmp_path: Path) -> None:
    assert len(judged(exported(make_store(tmp_path, populate)))) == 4

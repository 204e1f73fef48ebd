"""The vocabulary of what happened: written, read, merged, and documented to the last field."""

import io
import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from client_sim import history
from client_sim.history import (
    Ack,
    Begin,
    Device,
    History,
    NotAHistory,
    Phase,
    Record,
    Send,
    encode,
    fingerprint,
    merged,
    parse,
    read,
)
from client_sim.judging.court import judge
from client_sim.judging.judges import JUDGES
from client_sim.judging.verdict import Ruling

PAGE = Path(history.__file__).with_name("HISTORY.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```jsonl\n(.*?)```", PAGE, re.DOTALL)
RECORDS = get_args(Record)


def cells(text: str) -> str:
    """A docstring as it stands in a table."""
    return " ".join(text.split())


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_each_record_is_on_the_page(kind: type[msgspec.Struct]) -> None:
    fields = [
        f"`{field.name}`" + ("" if field.required else "?")
        for field in msgspec.structs.fields(kind)
        if field.name not in ("at", "by")
    ]
    row = f"| `{kind.__struct_config__.tag}` | {', '.join(fields)} | {cells(kind.__doc__ or '')} |"
    assert row in PAGE.splitlines()


@pytest.mark.parametrize("name", JUDGES)
def test_each_judge_is_on_the_page(name: str) -> None:
    assert f"| {name} | {cells(JUDGES[name].__doc__ or '')} |" in PAGE.splitlines()


def test_the_example_of_ten_lines_is_acquitted_and_the_other_condemned() -> None:
    good, bad = (list(parse(text.encode().splitlines())) for text in EXAMPLES)
    assert len(good) == len(bad) == 10
    assert judge(good).ruling is Ruling.TRUE
    judgement = judge(bad)
    assert judgement.broken == ("convergence",)
    [opinion] = [each for each in judgement.opinions if each.charges]
    assert opinion.charges[0].text in cells(PAGE)


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = io.BytesIO()
    told = History(file)
    told.tell(Begin(world="mine", faults=("cut",)))
    told.tell(Send(at=0.5, device="d", message="d#1", body=fingerprint(b"hello"), to=("a", "b")))
    told.tell(Ack(at=1.0, device="d", session=1, epoch="e", seq=3))
    path = tmp_path / "history.jsonl"
    path.write_bytes(file.getvalue() + b"\n")
    assert read(path) == told.records
    assert b"".join(told.lines()) == file.getvalue() == b"".join(map(encode, told.records))


def test_the_same_records_have_the_same_digest() -> None:
    one, other = History(), History()
    for each in (one, other):
        each.tell(Phase(name="calm"))
    assert one.digest() == other.digest()
    other.tell(Phase(name="end"))
    assert one.digest() != other.digest()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"not json", "line 2: JSON is malformed"),
        (b'{"what":"nothing"}', "line 2: Invalid value 'nothing'"),
        (b'{"what":"device"}', "line 2: Object missing required field `device`"),
        (b"\xff", "line 2: "),
    ],
)
def test_a_line_that_is_no_record_is_named(line: bytes, complaint: str) -> None:
    with pytest.raises(NotAHistory, match=re.escape(complaint)):
        list(parse([b'{"what":"begin","world":"w"}', line]))


def test_histories_of_one_clock_become_one() -> None:
    device = [Device(at=at, device="d", account="a") for at in (1.0, 2.0, 3.0)]
    server = [Phase(at=at, by=history.SERVER, name="p") for at in (2.0, 2.5)]
    assert [each.at for each in merged(device, server)] == [1.0, 2.0, 2.0, 2.5, 3.0]
    assert merged(device, server)[1] is device[1]

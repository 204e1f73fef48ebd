"""A result becomes two files of SVG: whole, in order, with words for what the bars mean."""

from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from bench import plots
from bench.machine import machine
from bench.peers.results import Report, Row

SVG = "{http://www.w3.org/2000/svg}"


def row(peer: str, figure: str, median: float, durable: bool = True) -> Row:
    return Row(
        peer=peer,
        version="1",
        durable=durable,
        work="any",
        figure=figure,
        unit="messages/s",
        values=(median,),
        median=median,
        ratio_to_syncd=None,
    )


def report(*rows: Row) -> Report:
    return Report(
        bench="peers",
        commit="0123456789abcdef",
        machine=machine(),
        began="2026-01-02T03:04:05+00:00",
        settings={},
        figures={},
        rows=rows,
        configs={},
        missing={},
        calibrations_ms=(),
    )


WHOLE = report(
    row("syncd", "catchup_10k_raw_per_s", 400_000.0),
    row("syncd", "catchup_100k_raw_per_s", 500_000.0),
    row("syncd", "catchup_100k_official_per_s", 300_000.0),
    row("fast & loose", "catchup_100k_raw_per_s", 900_000.0, durable=False),
    row("slow", "catchup_10k_raw_per_s", 3_000.0),
    row("syncd", "sends_per_s_1", 70_000.0),
    row("syncd", "sends_per_s_16", 90_000.0),
)


def drawn(whole: Report) -> dict[str, ElementTree.Element]:
    return {
        chart.file: ElementTree.fromstring(plots.svg(chart, "a remark"))
        for chart in plots.charts(whole)
    }


def texts(picture: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text")]


def test_the_longest_bar_comes_first_and_words_say_what_differs() -> None:
    said = texts(drawn(WHOLE)["peers-catch-up.svg"])
    peers = [text for text in said if text in {"syncd", "fast & loose", "slow"}]
    assert peers == ["fast & loose", "syncd", "slow"]
    assert "3,000 (of 10,000)" in said
    assert "acknowledged before it is on disk" in said
    assert "a remark" in said


def test_a_bar_is_as_long_as_its_figure() -> None:
    bars = drawn(WHOLE)["peers-sends.svg"].findall(f"{SVG}rect")[:2]
    wide, narrow = (float(bar.get("width", "")) for bar in bars)
    assert narrow / wide == pytest.approx(7 / 9, abs=0.01)


def test_where_all_are_durable_hatching_is_not_explained() -> None:
    said = texts(drawn(WHOLE)["peers-sends.svg"])
    assert "acknowledged before it is on disk" not in said
    assert {"over 16 connections", "over 1 connection"} <= set(said)


def test_what_was_not_measured_is_not_drawn() -> None:
    assert list(drawn(report(row("syncd", "sends_per_s_1", 5.0)))) == ["peers-sends.svg"]
    assert list(drawn(report(row("syncd", "live_p50_ms", 5.0)))) == []


def test_the_command_writes_files_or_says_why_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "result.json"
    result.write_bytes(msgspec.json.encode(WHOLE))
    assert plots.main([str(result), "--to", str(tmp_path)]) == 0
    written = sorted(path.name for path in tmp_path.glob("*.svg"))
    assert written == ["peers-catch-up.svg", "peers-sends.svg"]
    result.write_text("{}")
    assert plots.main([str(result)]) == 1
    assert "no result of bench peers" in capsys.readouterr().err

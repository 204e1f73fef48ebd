"""Rounds become medians and ratios, tables, and an object that can be read back."""

from pathlib import Path

import msgspec

from bench import compare
from bench.peers.results import Report, Results, in_short, tables
from bench.peers.works import Figure


def results() -> Results:
    found = Results(3)
    found.introduce("syncd", "1", True, "serve\n")
    found.introduce("other", "2", False, "config\n")
    for turn, (own, theirs) in enumerate([(100.0, 300.0), (200.0, 300.0), (100.0, 200.0)]):
        found.note(turn, "syncd", "send", Figure("sends_per_s_1", "messages/s", own))
        found.note(turn, "other", "send", Figure("sends_per_s_1", "messages/s", theirs))
    return found


def test_a_ratio_compares_the_same_round() -> None:
    [ours, theirs] = results().report("then", {}).rows
    assert (ours.median, ours.ratio_to_syncd) == (100.0, 1.0)
    assert (theirs.median, theirs.values) == (300.0, (300.0, 300.0, 200.0))
    assert theirs.ratio_to_syncd == 2.0, "the median of 3, 1.5 and 2"


def test_several_measurements_of_a_round_count_as_their_median() -> None:
    found = Results(2)
    found.introduce("other", "2", True, "")
    for value in (1.0, 9.0, 2.0):
        found.note(1, "other", "catch_up", Figure("catchup", "messages/s", value))
    [row] = found.report("then", {}).rows
    assert (row.values, row.median, row.ratio_to_syncd) == ((None, 2.0), 2.0, None)


def test_a_report_is_read_back_as_it_was() -> None:
    found = results()
    found.note_missing("third", "it is not installed")
    found.note_missing("third", "it is not installed")
    found.note_calibration(20.04)
    report = found.report("2026-01-01T00:00:00+00:00", {"quick": True})
    again = msgspec.json.decode(msgspec.json.encode(report), type=Report)
    assert again == report
    assert again.missing == {"third": ("it is not installed",)}
    assert again.configs == {"syncd": "serve\n", "other": "config\n"}


def test_another_run_can_be_compared_with_it(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(msgspec.json.encode(results().report("then", {})))
    read = compare.read(path)
    assert read.bench == "peers"
    figure = read.figures["other/sends_per_s_1"]
    assert (figure.better, figure.lowest, figure.median, figure.highest) == (
        "higher",
        200.0,
        300.0,
        300.0,
    )


def test_the_table_says_who_is_durable_and_how_far_apart() -> None:
    assert list(tables(results().report("then", {}))) == [
        "| peer | durable | sends_per_s_1 |",
        "| --- | --- | --- |",
        "| syncd | yes | 100 |",
        "| other | no | 300 (2x) |",
        "",
    ]


def test_three_digits_count() -> None:
    assert [in_short(value) for value in (1_573_247.0, 123.4, 12.345, 0.01234)] == [
        "1,570,000",
        "123",
        "12.3",
        "0.0123",
    ]

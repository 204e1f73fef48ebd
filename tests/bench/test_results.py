"""A measurement's result is one JSON object of one shape, and names say units."""

from __future__ import annotations

import msgspec
import pytest

from bench.results import Latencies, Result, Results, unit_of


@pytest.mark.parametrize(
    ("name", "unit", "better"),
    [
        ("sends_1_per_s", "1/s", "higher"),
        ("storm_1000_s", "s", "lower"),
        ("live_p99_ms", "ms", "lower"),
        ("idle_1000_kib", "KiB", "lower"),
        ("filling_write_bytes_per_byte", "B/B", "lower"),
    ],
)
def test_the_end_of_a_name_says_the_unit(name: str, unit: str, better: str) -> None:
    assert unit_of(name) == (unit, better)


def test_a_name_without_a_unit_is_refused() -> None:
    with pytest.raises(KeyError):
        Results("storm", {}).note("sends", 1.0)


def test_the_last_line_is_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    results = Results("storm", {"missed": 10})
    for seconds in (0.5, 0.75, 1.0):
        results.note("storm_1000_s", seconds)
    results.note_latencies("live", [float(place) for place in range(101)])
    results.finish()
    found = msgspec.json.decode(capsys.readouterr().out.splitlines()[-1], type=Result)
    assert (found.bench, found.schema, found.settings) == ("storm", 1, {"missed": 10})
    storm = found.figures["storm_1000_s"]
    assert storm.values == (0.5, 0.75, 1.0)
    assert (storm.median, storm.lowest, storm.highest) == (0.75, 0.5, 1.0)
    assert found.figures["live_p50_ms"].median == pytest.approx(50.0)


def test_the_places_of_a_distribution_are_in_order() -> None:
    found = Latencies.of([float(place) for place in range(1_000)])
    assert found.p50 < found.p95 < found.p99

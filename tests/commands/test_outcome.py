"""What commands say: results on standard output, everything else on standard error."""

import pytest

from syncd.commands.outcome import DAMAGED, complain, note, progress, show


def test_results_and_remarks_go_apart(capsys: pytest.CaptureFixture[str]) -> None:
    show({"floor": 3}, "three", as_json=False)
    show({"floor": 3}, "three", as_json=True)
    note("a remark")
    assert complain(DAMAGED, "it is damaged") == DAMAGED
    out, err = capsys.readouterr()
    assert out == 'three\n{"floor": 3}\n'
    assert err == "a remark\nsyncd: it is damaged\n"


def test_progress_is_told_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    # One look when it begins, one at each report, and one more where it is told.
    looks = iter([100.0, 101.0, 102.5, 102.5, 103.0, 104.5, 104.5])
    told = progress("entries", lambda: next(looks))
    for done in (1, 1_000, 2_000, 3_000):
        told(done, 4_000)
    assert capsys.readouterr().err == "1,000 of 4,000 entries\n3,000 of 4,000 entries\n"

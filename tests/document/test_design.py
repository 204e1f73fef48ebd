"""DESIGN.md shows the machines as they are."""

import pytest

from syncd.document import design


def test_the_page_is_current() -> None:
    assert design.is_current(), "run python -m syncd.document"


def test_every_marker_is_filled() -> None:
    text = design.text()
    for words in ("| greeting | Received |", "| syncing | Batch |", "stateDiagram"):
        assert words in text


def test_a_page_that_says_something_else_is_stale(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = tmp_path / "DESIGN.md"
    stale.write_text(design.text().replace("| greeting |", "| greeted |", 1))
    monkeypatch.setattr(design, "PAGE", stale)
    assert not design.is_current()

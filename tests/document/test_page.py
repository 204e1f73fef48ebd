"""PROTOCOL.md is what the code says, whole and current."""

import re

import pytest

from syncd import errors, limits
from syncd.document import page
from syncd.document.__main__ import main


def test_the_page_is_current() -> None:
    assert page.is_current(), "run python -m syncd.document"
    assert main(["--check"]) == 0


def test_a_stale_page_is_told(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "PROTOCOL.md")
    assert not page.is_current()
    page.PAGE.write_text(page.text() + "and more", encoding="utf-8")
    assert main(["--check"]) == 1
    assert "stale" in capsys.readouterr().err


def test_misuse_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--chekc"]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_page_is_the_same_twice() -> None:
    assert page.text() == page.text()


def test_nothing_is_left_to_fill_and_every_table_is_used() -> None:
    template = page.TEMPLATE.read_text(encoding="utf-8")
    used = set(re.findall(r"\{\{([\w.]+)\}\}", template))
    assert "{{" not in page.text()
    prose_only = {row.name for row in errors.TABLE} | {n for n in vars(limits) if n.isupper()}
    unused = set(page.places()) - used
    assert {name.rpartition(".")[2] for name in unused} <= prose_only


def test_an_unknown_name_does_not_pass(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = tmp_path / "template.md"
    template.write_text("{{no.such.thing}}", encoding="utf-8")
    monkeypatch.setattr(page, "TEMPLATE", template)
    with pytest.raises(KeyError):
        page.text()


@pytest.mark.parametrize(
    ("value", "spoken"), [(65_536, "65,536"), (0.1, "0.1"), (20.0, "20"), (2**53 - 1, "2^53-1")]
)
def test_bounds_are_spoken_as_people_read_them(value: float, spoken: str) -> None:
    assert page.number(value) == spoken


def test_every_code_is_on_the_page() -> None:
    text = page.text()
    for row in errors.TABLE:
        assert f"| {row.code} | `{row.name}` |" in text

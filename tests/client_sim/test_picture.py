"""The picture says which device misses what, and why, without any other text."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from client_sim.measured import Happening, Moment
from client_sim.performance import Act, Performance
from client_sim.picture import picture
from tests.client_sim.samples import performance, right_half, wrong_half

TEXT = "{http://www.w3.org/2000/svg}text"


def words(it: Performance) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(picture(it)).iter(TEXT)]


@pytest.mark.parametrize("count", [1, 3, 5, 6, 1000])
def test_it_names_the_devices_and_what_each_holds(count: int) -> None:
    said = words(performance(count))
    assert said.count("PC1") == said.count("PC2") == 2
    assert said.count(f"PC1 holds {count} of {count}") == 2
    assert f"PC2 holds 0 of {count}" in said
    assert f"PC2 holds {count} of {count}" in said


def test_it_shows_the_cursor_before_and_after_each_login() -> None:
    said = words(performance(3))
    assert "cursor of all PCs: 0 → 3" in said
    assert "cursor of all PCs: already 3" in said
    assert "the same cursor" in said
    assert "cursor of PC1: 0 → 3" in said
    assert "cursor of PC2: 0 → 3" in said


def test_it_says_who_misses_what_and_why() -> None:
    said = words(performance(3))
    assert "misses all 3" in said or "misses messages 1 to 3" in said
    assert "PC1 acknowledged up to 3 and moved the cursor that PC2 shares." in said


def test_one_half_alone_and_a_failed_one() -> None:
    alone = Performance(Act("main", "main", {"device": right_half()}), (), "device")
    assert "The right key" in words(alone)
    failed = replace(alone, main=Act("main", "main", {"device": wrong_half()}))
    assert "The devices do not hold what they should." in words(failed)


def test_a_login_that_never_brought_a_verdict() -> None:
    moments = (*right_half().moments[:3], Moment(Happening.LOGGED_IN, "PC2"))
    half = replace(wrong_half(), moments=moments)
    assert "0 messages" in words(Performance(Act("main", "main", {"platform": half}), ()))

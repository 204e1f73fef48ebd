"""A browser is its person's, and a form counts only from the browser that was shown it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.platform.browsers import Browsers, sealed, unsealed
from tests.platform.town import database


@pytest.fixture
def browsers() -> Browsers:
    return Browsers(database(), random.Random(5).randbytes)


def entered(browsers: Browsers, person: str) -> str:
    browser = browsers.enter(browsers.invite(person))
    assert browser
    return browser


def test_whoever_comes_with_a_ticket_gets_a_browser_of_that_person(browsers: Browsers) -> None:
    alices, bobs = entered(browsers, "alice"), entered(browsers, "bob")
    assert (browsers.person_of(alices), browsers.person_of(bobs)) == ("alice", "bob")


def test_a_ticket_works_once_and_is_no_browser(browsers: Browsers) -> None:
    ticket = browsers.invite("alice")
    assert browsers.person_of(ticket) is None
    browser = browsers.enter(ticket)
    assert browsers.enter(ticket) is None
    assert browser
    assert browsers.enter(browser) is None
    assert browsers.person_of(browser) == "alice"


def test_a_strangers_browser_is_nobodys(browsers: Browsers) -> None:
    assert browsers.person_of(browsers.stranger()) is None
    assert browsers.person_of("") is None
    assert browsers.enter("") is None


def test_a_person_may_have_several(browsers: Browsers) -> None:
    first, second = entered(browsers, "alice"), entered(browsers, "alice")
    assert first != second
    assert browsers.person_of(first) == browsers.person_of(second) == "alice"


@given(st.text(min_size=1), st.text())
def test_what_was_sealed_for_a_browser_opens_in_it(browser: str, text: str) -> None:
    assert unsealed(browser, sealed(browser, text)) == text


@given(st.text(min_size=1), st.text(min_size=1), st.text())
def test_it_opens_in_no_other(browser: str, other: str, text: str) -> None:
    if browser != other:
        assert unsealed(other, sealed(browser, text)) is None


@given(st.text())
def test_whatever_else_a_form_brings_is_nothing(field: str) -> None:
    assert unsealed("browser", field) is None


def test_without_a_browser_nothing_opens() -> None:
    assert unsealed("", sealed("", "text")) is None

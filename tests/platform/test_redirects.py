"""A code leaves for the registered host only, however the link is written."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from syncd.platform.redirects import STATE_BYTES_MAX, is_registered, is_state, with_answer


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://rp.example",
        "https://rp.example/",
        "http://rp.example/back",
        "https://RP.example/back?next=%2Finbox&a=1",
        "https://rp.example:443/back",
        "http://rp.example:80/back",
        "https://rp.example/a@b/c:d",
    ],
)
def test_urls_of_the_registered_host_pass(redirect_uri: str) -> None:
    assert is_registered(redirect_uri, "rp.example")


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://rp.example.evil/",
        "https://evil/rp.example",
        "https://evil.rp.example/",
        "https://notrp.example/",
        "https://rp.example@evil/",
        "https://rp.example:pass@evil/",
        "https://evil@rp.example/",
        "https://evil\\@rp.example/",
        "https://evil\\.rp.example/",
        "https://rp.example\\.evil/",
        "https:\\\\rp.example/",
        "https:/rp.example/",
        "https:///rp.example/",
        "//rp.example/",
        "/back",
        "",
        "https://rp.example:8443/",
        "https://rp.example:80/",
        "http://rp.example:443/",
        "https://rp.example:/",
        "https://rp.example:0443/",
        "https://rp.example#@evil/",
        "https://rp.example/#evil",
        "https%3A%2F%2Frp.example%2F",
        "https://rp.example%2f@evil/",
        "https://rp.example%2eevil/",
        "https://rp%2eexample/",
        "https://rp.example%00.evil/",
        "https://rp.example/%",
        "https://rp.example/%zz",
        "https://rp.example/\r\nLocation: https://evil/",
        "https://rp.example/\n",
        "https://rp.example /",
        " https://rp.example/",
        "https://rp.example./",
        "https://rp.example/\u3002evil",
        "https://rp\u3002example/",
        "https://rp.ex\u0430mple/",
        "https://[::1]/",
        "javascript://rp.example/%0aalert(1)",
        "data://rp.example/",
        "https://rp.example/<script>",
    ],
)
def test_tricks_are_refused(redirect_uri: str) -> None:
    assert not is_registered(redirect_uri, "rp.example")


def test_a_registered_port_is_the_only_one() -> None:
    assert is_registered("http://127.0.0.1:8080/back", "127.0.0.1:8080")
    assert not is_registered("http://127.0.0.1/back", "127.0.0.1:8080")
    assert not is_registered("http://127.0.0.1:8081/back", "127.0.0.1:8080")


def test_an_app_without_a_registered_host_sends_nobody_anywhere() -> None:
    assert not is_registered("https://rp.example/", "")
    assert not is_registered("https://", "")


@given(st.text(alphabet="ahtps:/\\@.#?%2fe rp.example", max_size=40))
def test_whatever_passes_is_that_host_to_two_other_parsers(tail: str) -> None:
    redirect_uri = "https://" + tail
    if is_registered(redirect_uri, "rp.example"):
        assert urlsplit(redirect_uri).hostname == "rp.example"
        assert URL(redirect_uri).host == "rp.example"


@pytest.mark.parametrize("state", ["", "abc123", "x" * STATE_BYTES_MAX])
def test_a_state_of_letters_and_digits_comes_back(state: str) -> None:
    assert is_state(state)


@pytest.mark.parametrize("state", ["x" * (STATE_BYTES_MAX + 1), "a b", "a&b", "a\n", "\u0661", "<"])
def test_any_other_state_does_not(state: str) -> None:
    assert not is_state(state)


def test_the_answer_joins_what_the_url_already_asks_for() -> None:
    back = with_answer("https://rp.example/back?next=%2Finbox&a=", code="c0de", state="st4te")
    assert back == "https://rp.example/back?next=%2Finbox&a=&code=c0de&state=st4te"


def test_an_answer_without_a_code_names_the_state_alone() -> None:
    assert with_answer("https://rp.example", code=None, state="s") == "https://rp.example?state=s"


def test_a_code_that_the_link_brought_along_is_not_the_answer() -> None:
    back = with_answer("https://rp.example/?code=theirs&state=theirs&b=1", code="ours", state="s")
    assert parse_qs(urlsplit(back).query) == {"b": ["1"], "code": ["ours"], "state": ["s"]}

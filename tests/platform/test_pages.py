"""The pages: what they ask, that both answers weigh the same, and that no name writes HTML."""

import json
import re
from html.parser import HTMLParser

import pytest

from syncd.platform.pages import Look, asks_consent, asks_login, language, says, shows_qr

CHINESE, ENGLISH = Look("cn", "n0nce"), Look("en", "n0nce")
HOSTILE = "</script><script>alert(1)</script>\"'&$uuid"


class Tags(HTMLParser):
    """Every tag of a page, with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.mark.parametrize("look", [CHINESE, ENGLISH])
def test_a_question_offers_two_buttons_that_differ_in_their_answer_only(look: Look) -> None:
    for page in (
        asks_consent(look, "Inbox", "field"),
        asks_login(look, "Inbox", "field", "127.0.0.1", "0042"),
    ):
        refuse, allow = Tags(page).named("button")
        assert (refuse.pop("value"), allow.pop("value")) == ("refuse", "allow")
        assert refuse == allow
        [field] = Tags(page).named("input")
        assert field["value"] == "field"


def test_the_phone_shows_app_place_and_number() -> None:
    page = asks_login(ENGLISH, "Inbox", "field", "192.0.2.7", "0042")
    for shown in ("Inbox", "192.0.2.7", "0042"):
        assert shown in page


def test_the_qr_page_shows_its_image_and_number() -> None:
    page = shows_qr(ENGLISH, "Inbox", "abc123", "0042", {"before": "", "after": "", "frame": False})
    [image] = Tags(page).named("img")
    assert image["class"] == "qrcode lightBorder"
    assert image["src"] == "/connect/qrcode/abc123"
    assert "0042" in page


def test_names_write_no_html() -> None:
    said = {"before": HOSTILE, "after": HOSTILE, "frame": True}
    for page in (
        asks_consent(ENGLISH, HOSTILE, HOSTILE),
        asks_login(ENGLISH, HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        shows_qr(ENGLISH, HOSTILE, "abc", "0042", said),
        says(ENGLISH, "welcome", HOSTILE),
    ):
        assert "<script>" not in page
        assert len(Tags(page).named("script")) <= 1


def test_the_script_is_told_the_very_strings() -> None:
    said = {"before": HOSTILE, "after": "&state=\u4f60", "frame": False}
    page = shows_qr(ENGLISH, "Inbox", "abc", "0042", said)
    told = re.search(r"const said = (.*);\n", page)
    assert told
    heard = json.loads(told[1])
    assert {name: heard[name] for name in said} == said


def test_everything_that_runs_or_styles_carries_the_nonce() -> None:
    page = shows_qr(CHINESE, "Inbox", "abc", "0042", {})
    for tag in ("script", "style"):
        assert [each["nonce"] for each in Tags(page).named(tag)] == ["n0nce"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("", "cn"), ("cn", "cn"), ("zh_CN", "cn"), ("en", "en"), ("en_US", "en"), ("fr", "cn")],
)
def test_language(asked: str, expected: str) -> None:
    assert language(asked) == expected

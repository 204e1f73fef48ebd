"""The words for accounts, devices and keys: what passes does so verbatim, the rest is declined."""

import pytest

from syncd import errors
from syncd.identity import words
from syncd.identity.words import Declined


@pytest.mark.parametrize("text", ["alice", "a" * 64, "A.b_c@d:e+f=g-h", "0"])
def test_an_account_id_passes(text: str) -> None:
    assert words.account_id(text) == text


@pytest.mark.parametrize(
    "text", ["", "a" * 65, "a b", "a~b", "a/b", "../a", "é", "a\n", "a\0", "a'--", "\ud800"]
)
def test_what_is_no_account_id_is_a_bad_request(text: str) -> None:
    with pytest.raises(Declined) as declined:
        words.account_id(text)
    assert declined.value.refusal is errors.BAD_REQUEST


def test_what_is_no_device_id_names_no_device() -> None:
    assert words.device_id("0123456789abcdef01234567") == "0123456789abcdef01234567"
    for text in ("", "x", "0123456789ABCDEF01234567", "0123456789abcdef01234567\n"):
        with pytest.raises(Declined) as declined:
            words.device_id(text)
        assert declined.value.refusal is errors.NOT_FOUND


@pytest.mark.parametrize(
    "text",
    [
        "PC1",
        "Zoë's laptop",
        "书房电脑",
        "👩\u200d💻",
        "é",
        "e\u0301",
        "'; drop table device; --",
        "{0}",
    ],
)
def test_a_name_passes_verbatim(text: str) -> None:
    assert words.device_name(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " PC1",
        "PC1\n",
        "x" * 129,
        "PC\r\nSet-Cookie: a",
        "PC\0",
        "PC\x1b[2J",
        "a\u2028b",
        "\ud800",
        "gpj\u202e.exe",
        "a\u2066b",
    ],
)
def test_a_name_that_could_break_a_line_is_declined(text: str) -> None:
    for check in (words.device_name, words.key_name):
        with pytest.raises(Declined) as declined:
            check(text)
        assert declined.value.refusal is errors.BAD_REQUEST
        assert text.strip() == "" or text not in str(declined.value)


def test_a_platform_is_a_short_word() -> None:
    assert words.platform("pc") == "pc"
    with pytest.raises(Declined):
        words.platform("p" * 33)

"""session_key: one at a time, longer with use, and the published vectors."""

import hmac
from base64 import b64decode
from random import Random

import pytest

from syncd.platform.errcodes import INVALID_SIGNATURE, Failed
from syncd.platform.session_keys import REFRESH_MIN_S, RESET_MIN_S, SESSION_KEY_S, SessionKeys
from tests.platform.town import database

NOW = 1_800_000_000.0
WX_ALICE = ("wx", "alice")


@pytest.fixture
def keys() -> SessionKeys:
    keys = SessionKeys(database(), Random(5).randbytes)
    keys.renew(*WX_ALICE, NOW)
    return keys


def signature(key: str) -> str:
    return hmac.digest(key.encode(), b"", "sha256").hex()


def holds(keys: SessionKeys, key: str, now: float = NOW) -> bool:
    try:
        keys.check(*WX_ALICE, signature(key), "hmac_sha256", now)
    except Failed as failed:
        return failed.errcode is not INVALID_SIGNATURE
    return True


def test_it_is_sixteen_bytes_in_base64(keys: SessionKeys) -> None:
    key = keys.use(*WX_ALICE, NOW)
    assert (len(key), len(b64decode(key))) == (24, 16)


def test_a_login_replaces_it_but_not_twice_in_a_short_while(keys: SessionKeys) -> None:
    first = keys.use(*WX_ALICE, NOW)
    keys.renew(*WX_ALICE, NOW + REFRESH_MIN_S - 1)
    assert holds(keys, first, NOW + REFRESH_MIN_S - 1)
    keys.renew(*WX_ALICE, NOW + REFRESH_MIN_S)
    assert not holds(keys, first, NOW + REFRESH_MIN_S)


def test_it_lives_longer_with_use(keys: SessionKeys) -> None:
    key = keys.use(*WX_ALICE, NOW + SESSION_KEY_S - 1)
    assert holds(keys, key, NOW + 2 * SESSION_KEY_S - 2)
    assert not holds(keys, key, NOW + 2 * SESSION_KEY_S - 1)


def test_a_reset_inherits_the_end(keys: SessionKeys) -> None:
    first = keys.use(*WX_ALICE, NOW)
    second = keys.reset(*WX_ALICE, NOW + 100)
    assert not holds(keys, first, NOW + 100)
    assert holds(keys, second, NOW + SESSION_KEY_S - 1)
    assert not holds(keys, second, NOW + SESSION_KEY_S)


def test_resets_must_lie_apart(keys: SessionKeys) -> None:
    keys.reset(*WX_ALICE, NOW)
    with pytest.raises(Failed, match="45011"):
        keys.reset(*WX_ALICE, NOW + RESET_MIN_S - 1)
    keys.reset(*WX_ALICE, NOW + RESET_MIN_S)


def test_nobodys_key_is_no_key(keys: SessionKeys) -> None:
    with pytest.raises(Failed, match="87007"):
        keys.use("wx", "bob", NOW)
    with pytest.raises(Failed, match="87007"):
        keys.reset("wx", "bob", NOW)
    # Not even the signature of an empty key.
    with pytest.raises(Failed, match="87009"):
        keys.check("wx", "bob", signature(""), "hmac_sha256", NOW)


@pytest.mark.parametrize("method", ["", "hmac_sha1", "none"])
def test_there_is_one_way_to_sign(keys: SessionKeys, method: str) -> None:
    key = keys.use(*WX_ALICE, NOW)
    with pytest.raises(Failed, match="87008"):
        keys.check(*WX_ALICE, signature(key), method, NOW)


def test_the_published_vector() -> None:
    keys = SessionKeys(database(), lambda _: b64decode("o0q0otL8aEzpcZL/FT9WsQ=="))
    keys.renew(*WX_ALICE, NOW)
    published = "46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128"
    keys.check(*WX_ALICE, published, "hmac_sha256", NOW)

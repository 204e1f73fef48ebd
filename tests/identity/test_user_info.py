"""User infos: the published example opens, and everything else gets one answer."""

import hmac
import json
from base64 import b64decode, b64encode
from contextlib import suppress
from dataclasses import replace
from hashlib import sha1
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st

from syncd.identity.user_info import Expected, UserInfo, unionid_in

APPID, OPENID, NOW = "wx4f4bc4dec97d474b", "oGZUI0egBJY1zhBYw2KhdUfwVJJE", 1477314187
UNIONID = "ocMvos6NjeKLIBqg5Mr9QjxrP1FA"
KEY, IV = "tiihtNczf5v6AKRyjwEUhQ==", "r7BXXKkLb8qrSNn05n0qiA=="
EXPECTED = Expected(APPID, OPENID, NOW)


def inside(**changes: Any) -> dict[str, Any]:
    info = {
        "openId": OPENID,
        "nickName": "Band",
        "unionId": UNIONID,
        "watermark": {"timestamp": NOW, "appid": APPID},
    }
    return info | changes


def padded(text: bytes) -> bytes:
    count = 16 - len(text) % 16
    return text + bytes([count]) * count


def encrypted(plain: bytes, iv: str = IV) -> UserInfo:
    cipher = Cipher(AES(b64decode(KEY)), CBC(b64decode(iv))).encryptor()
    return UserInfo(b64encode(cipher.update(plain) + cipher.finalize()).decode(), iv)


def sealed(info: Any) -> UserInfo:
    return encrypted(padded(json.dumps(info, separators=(",", ":")).encode()))


def signed(raw_data: str) -> UserInfo:
    signature = sha1((raw_data + KEY).encode()).hexdigest()
    return replace(sealed(inside()), raw_data=raw_data, signature=signature)


def test_the_published_example() -> None:
    """The platform's own sample of its decryption (identity.md, 1.9)."""
    published = UserInfo(
        "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS"
        "9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVbJSRgv+4lGOETKUQz6OYStslQ142d"
        "NCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6"
        "/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn"
        "/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3g0gfRK4P"
        "C7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns"
        "/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYV"
        "oKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuy"
        "Db/XcxxmK01EpqOyuxINew==",
        IV,
    )
    assert unionid_in(published, KEY, EXPECTED) == UNIONID


def test_the_published_signature() -> None:
    raw_data = (
        '{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou",'
        '"province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/'
        '1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}'
    )
    key = "HyVFkGl5F5OQWJZZaNzBBg=="
    signature = "75e81ceda165f4ffa64f4068af58c64b8f54b88c"
    assert sha1((raw_data + key).encode()).hexdigest() == signature
    cipher = Cipher(AES(b64decode(key)), CBC(b64decode(IV))).encryptor()
    data = cipher.update(padded(json.dumps(inside()).encode())) + cipher.finalize()
    info = UserInfo(b64encode(data).decode(), IV, raw_data, signature)
    assert unionid_in(info, key, EXPECTED) == UNIONID


def test_an_app_that_is_not_bound_gives_no_union() -> None:
    info = inside()
    del info["unionId"]
    assert unionid_in(sealed(info), KEY, EXPECTED) is None


BROKEN_PADDING = json.dumps(inside()).encode().ljust(256)
FLAWS: dict[str, UserInfo] = {
    "no base64": replace(sealed(inside()), encrypted_data="!"),
    "empty": replace(sealed(inside()), encrypted_data=""),
    "no whole block": replace(sealed(inside()), encrypted_data=b64encode(bytes(17)).decode()),
    "a short iv": replace(sealed(inside()), iv=b64encode(bytes(12)).decode()),
    "another iv": replace(sealed(inside()), iv=b64encode(bytes(16)).decode()),
    "padding of 0": encrypted(BROKEN_PADDING[:-1] + b"\0"),
    "padding of 17": encrypted(BROKEN_PADDING[:-17] + bytes([17]) * 17),
    "padding that differs": encrypted(BROKEN_PADDING[:-2] + b"\1\2"),
    "no JSON": encrypted(padded(b"openId")),
    "no object": sealed([inside()]),
    "a name twice": encrypted(
        padded(json.dumps(inside()).encode().replace(b"{", b'{"openId": "x", ', 1))
    ),
    "no UTF-8": encrypted(padded(b"\xff" + json.dumps(inside()).encode())),
    "another app": sealed(inside(watermark={"timestamp": NOW, "appid": "wx0"})),
    "no watermark": sealed(inside(watermark=None)),
    "stale": sealed(inside(watermark={"timestamp": NOW - 301, "appid": APPID})),
    "of the future": sealed(inside(watermark={"timestamp": NOW + 301, "appid": APPID})),
    "no time": sealed(inside(watermark={"timestamp": "now", "appid": APPID})),
    "true for a time": sealed(inside(watermark={"timestamp": True, "appid": APPID})),
    "another person": sealed(inside(openId="oGZUI0egBJY1zhBYw2KhdUfwVJJF")),
    "no person": sealed(inside(openId=None)),
    "no text as unionid": sealed(inside(unionId=7)),
    "another raw data": replace(signed("{}"), raw_data="{ }"),
    "no signature": replace(signed("{}"), signature=None),
    "a signature of nothing": replace(signed("{}"), raw_data=None),
    "an empty signature": replace(signed("{}"), signature=""),
}


def test_a_sound_one_passes() -> None:
    assert unionid_in(sealed(inside()), KEY, EXPECTED) == UNIONID
    assert unionid_in(signed("{}"), KEY, EXPECTED) == UNIONID


@pytest.mark.parametrize("info", FLAWS.values(), ids=FLAWS.keys())
def test_every_flaw_has_the_same_answer(info: UserInfo) -> None:
    with pytest.raises(ValueError, match=r"^not genuine$"):
        unionid_in(info, KEY, EXPECTED)


def test_no_check_is_left_out_whatever_was_found_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a clock could tell is how much is done; so it is the same, and no secret is compared
    byte by byte."""
    compared: list[int] = []

    def counted(one: bytes, other: bytes) -> bool:
        compared[-1] += 1
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", counted)
    for info in (sealed(inside()), *FLAWS.values()):
        if info.raw_data is None and info.signature is None:
            compared.append(0)
            with suppress(ValueError):
                unionid_in(info, KEY, EXPECTED)
    assert len(compared) > 20
    assert set(compared) == {3}


def test_another_session_key_opens_nothing() -> None:
    for key in ("HyVFkGl5F5OQWJZZaNzBBg==", "", "short", "!"):
        with pytest.raises(ValueError, match=r"^not genuine$"):
            unionid_in(sealed(inside()), key, EXPECTED)


@given(st.binary(max_size=96), st.binary(max_size=20))
def test_noise_is_answered_and_never_raised_through(data: bytes, iv: bytes) -> None:
    info = UserInfo(b64encode(data).decode(), b64encode(iv).decode())
    with pytest.raises(ValueError, match=r"^not genuine$"):
        unionid_in(info, KEY, EXPECTED)


@given(st.integers(0, 15), st.integers(1, 255))
def test_a_bent_text_is_as_good_as_none(place: int, bits: int) -> None:
    """CBC: a bit of the iv changes a bit of the first block, and nothing else of the text."""
    iv = bytearray(b64decode(IV))
    iv[place] ^= bits
    bent = replace(sealed(inside()), iv=b64encode(bytes(iv)).decode())
    with pytest.raises(ValueError, match=r"^not genuine$"):
        unionid_in(bent, KEY, EXPECTED)


def test_nothing_of_it_is_shown() -> None:
    assert repr(signed("{}")) == "UserInfo()"

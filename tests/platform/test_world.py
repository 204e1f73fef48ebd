"""The world: each answer is one transaction, and what a person showed is what is decrypted."""

import json
from base64 import b64decode
from hashlib import sha1

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from syncd.platform.errcodes import Failed
from syncd.platform.links import Asked
from syncd.platform.registry import AppState, PersonState, Unknown
from syncd.platform.world import World
from tests.platform.town import (
    ACCOUNT,
    MOBILE,
    NICKNAME,
    NOW,
    PROGRAM,
    WEBSITE,
    database,
    new_world,
    secret_of,
)


@pytest.fixture
def world() -> World:
    return new_world(database())


def log_in(world: World, person: str = "alice", now: float = NOW) -> tuple[str, str, str | None]:
    code = world.login_code(PROGRAM, person, now)
    return world.session(PROGRAM, secret_of(PROGRAM), code, now)


def test_a_login_tells_openid_key_and_union(world: World) -> None:
    openid, key, unionid = log_in(world)
    assert openid == world.registry.openid(PROGRAM, "alice")
    assert len(key) == 24
    assert unionid == world.registry.unionid(WEBSITE, "alice")
    assert key not in repr(log_in(world))


def test_codes_of_wx_login_are_for_mini_programs(world: World) -> None:
    with pytest.raises(Failed, match="40013"):
        world.login_code(ACCOUNT, "alice", NOW)


def test_a_login_that_fails_leaves_its_code(world: World) -> None:
    code = world.login_code(PROGRAM, "alice", NOW)
    for state, number in ((PersonState.BLOCKED, 40226), (PersonState.ENDED, 40029)):
        with world.db:
            world.registry.set_person_state("alice", state)
        with pytest.raises(Failed, match=str(number)):
            world.session(PROGRAM, secret_of(PROGRAM), code, NOW)
    with pytest.raises(Failed, match="40125"):
        world.session(PROGRAM, "wrong", code, NOW)
    with world.db:
        world.registry.set_person_state("alice", PersonState.NORMAL)
    assert world.session(PROGRAM, secret_of(PROGRAM), code, NOW)


def test_nothing_of_a_person_outlives_the_end(world: World) -> None:
    before = world.login_code(PROGRAM, "alice", NOW)
    _, key, _ = log_in(world)
    world.set_person_state("alice", PersonState.ENDED)
    for ask in (world.login_code, world.user_info):
        with pytest.raises(Unknown):
            ask(PROGRAM, "alice", NOW)
    world.set_person_state("alice", PersonState.NORMAL)
    with pytest.raises(Failed, match="40029"):
        world.session(PROGRAM, secret_of(PROGRAM), before, NOW)
    assert log_in(world, now=NOW + 1)[1] != key


def test_a_frozen_app_is_shown_nobody(world: World) -> None:
    log_in(world)
    with world.db:
        world.registry.set_app_state(PROGRAM, AppState.FROZEN)
    with pytest.raises(Failed, match="50002"):
        world.user_info(PROGRAM, "alice", NOW)


def test_only_an_official_account_is_followed(world: World) -> None:
    with pytest.raises(Failed, match="40013"), world.db:
        world.registry.follow(PROGRAM, "alice", NOW)


def test_another_login_is_the_same_person(world: World) -> None:
    first = log_in(world)
    later = log_in(world, now=NOW + 30 * 86400)
    assert (first[0], first[2]) == (later[0], later[2])
    assert first[1] != later[1]


def test_what_was_shown_is_decrypted_with_the_decoded_key(world: World) -> None:
    openid, key, unionid = log_in(world)
    shown = world.user_info(PROGRAM, "alice", NOW)
    assert sha1((shown.raw_data + key).encode()).hexdigest() == shown.signature
    cipher = Cipher(algorithms.AES(b64decode(key)), modes.CBC(b64decode(shown.iv))).decryptor()
    padded = cipher.update(b64decode(shown.encrypted_data)) + cipher.finalize()
    unpadder = PKCS7(128).unpadder()
    plain = json.loads(unpadder.update(padded) + unpadder.finalize())
    assert plain == {
        "openId": openid,
        **json.loads(shown.raw_data),
        "unionId": unionid,
        "watermark": {"timestamp": int(NOW), "appid": PROGRAM},
    }
    assert plain["nickName"] == NICKNAME
    assert list(json.loads(shown.raw_data)) == [
        "nickName",
        "gender",
        "language",
        "city",
        "province",
        "country",
        "avatarUrl",
    ]


def test_an_app_that_is_not_bound_is_shown_no_union(world: World) -> None:
    with world.db:
        world.registry.bind(PROGRAM, None)
    assert log_in(world)[2] is None
    shown = world.user_info(PROGRAM, "alice", NOW)
    assert world.user_info(PROGRAM, "alice", NOW).iv != shown.iv


def test_nothing_is_shown_without_a_session(world: World) -> None:
    with pytest.raises(Failed, match="87007"):
        world.user_info(PROGRAM, "alice", NOW)


def test_a_strangers_profile_says_only_that_he_does_not_follow(world: World) -> None:
    openid = world.registry.openid(ACCOUNT, "alice")
    unionid = world.registry.unionid(ACCOUNT, "alice")
    expected = {"subscribe": 0, "openid": openid, "unionid": unionid}
    assert world.follower(ACCOUNT, openid) == expected
    with world.db:
        world.registry.bind(ACCOUNT, None)
    assert world.follower(ACCOUNT, openid) == {"subscribe": 0, "openid": openid}
    with pytest.raises(Failed, match="40003"):
        world.follower(ACCOUNT, world.registry.openid(WEBSITE, "alice"))


def test_the_page_behind_the_last_has_no_data(world: World) -> None:
    with world.db:
        world.registry.follow(ACCOUNT, "alice", NOW)
    openid = world.registry.openid(ACCOUNT, "alice")
    first = world.followers(ACCOUNT, "")
    expected = {"total": 1, "count": 1, "data": {"openid": [openid]}, "next_openid": openid}
    assert first == expected
    assert world.followers(ACCOUNT, openid) == {"total": 1, "count": 0, "next_openid": ""}


@pytest.mark.parametrize(("appid", "lifetime_s"), [(ACCOUNT, 300), (WEBSITE, 600), (MOBILE, 600)])
def test_how_long_a_code_waits_depends_on_the_app(
    world: World, appid: str, lifetime_s: float
) -> None:
    asked = Asked(appid, "", "snsapi_userinfo", None)
    with world.db:
        first, second = (world.issue(asked, "alice", False, NOW) for _ in range(2))
        assert world.redeem(appid, first, NOW + lifetime_s - 1).person == "alice"
        with pytest.raises(Failed, match="40029"):
            world.redeem(appid, second, NOW + lifetime_s)

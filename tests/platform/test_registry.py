"""Who there is, and what they are called: for ever the same, and never twice."""

import sqlite3
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.platform.errcodes import Failed
from syncd.platform.registry import AppKind, AppState, NewApp, PersonState, Registry, Unknown
from syncd.platform.silence import UnionidPolicy
from tests.platform.town import database

NOW = 1_800_000_000.0
PROGRAM = NewApp(AppKind.MINI_PROGRAM, "Inbox", "owner", "open", component=True)


def new_registry(db: sqlite3.Connection | None = None, key: bytes = bytes(32)) -> Registry:
    registry = Registry(db or database(), key, Random(5).randbytes)
    registry.add_account("open", UnionidPolicy.BOUND)
    for person in ("alice", "bob"):
        registry.add_person(person, person.title())
    return registry


@pytest.fixture
def registry() -> Registry:
    return new_registry()


def test_an_app_is_admitted_by_its_own_secret(registry: Registry) -> None:
    made = registry.add_app(PROGRAM)
    assert len(made.appid) == 18
    assert len(made.secret) == 32
    assert registry.admit(made.appid, made.secret).name == "Inbox"
    assert registry.admit(made.appid, None).kind is AppKind.MINI_PROGRAM
    for appid, secret, number in (("wxnone", made.secret, 40013), (made.appid, "x", 40125)):
        with pytest.raises(Failed, match=str(number)):
            registry.admit(appid, secret)
    assert made.secret not in repr(made)
    assert "s3cret" not in repr(NewApp(AppKind.MOBILE, "Inbox", "owner", secret="s3cret"))


def test_a_frozen_app_and_a_frozen_secret_are_told_apart(registry: Registry) -> None:
    made = registry.add_app(PROGRAM)
    registry.freeze_secret(made.appid, True)
    with pytest.raises(Failed, match="40243"):
        registry.admit(made.appid, made.secret)
    assert registry.admit(made.appid, None)
    registry.freeze_secret(made.appid, False)
    for state in (AppState.FROZEN, AppState.DEREGISTERED):
        registry.set_app_state(made.appid, state)
        with pytest.raises(Failed, match="50002"):
            registry.admit(made.appid, made.secret)


def test_what_is_not_there_cannot_be_changed(registry: Registry) -> None:
    with pytest.raises(Unknown):
        registry.add_app(NewApp(AppKind.MOBILE, "Inbox", "owner", "elsewhere"))
    with pytest.raises(Unknown):
        registry.bind("wxnone", "open")
    with pytest.raises(Unknown):
        registry.set_person_state("carol", PersonState.BLOCKED)


STEPS = st.lists(
    st.sampled_from(["rename", "block", "unblock", "follow", "unfollow", "new key", "freeze"]),
    max_size=8,
)


@given(STEPS)
def test_nothing_but_an_end_changes_an_openid(steps: list[str]) -> None:
    db = database()
    registry = new_registry(db)
    followed = NewApp(AppKind.OFFICIAL_ACCOUNT, "news", "owner")
    made = registry.add_app(followed)
    openid = registry.openid(made.appid, "alice")
    for number, step in enumerate(steps):
        match step:
            case "rename":
                registry.add_person("alice", f"Alice {number}")
            case "block":
                registry.set_person_state("alice", PersonState.BLOCKED)
            case "unblock":
                registry.set_person_state("alice", PersonState.NORMAL)
            case "follow":
                registry.follow(made.appid, "alice", NOW)
            case "unfollow":
                registry.unfollow(made.appid, "alice")
            case "freeze":
                registry.set_app_state(made.appid, AppState.FROZEN)
            case "new key":
                registry = Registry(db, bytes([number] * 32), Random(number).randbytes)
        assert registry.openid(made.appid, "alice") == openid
        assert registry.person_of(made.appid, openid) == "alice"


def test_no_openid_is_anybody_elses(registry: Registry) -> None:
    apps = [registry.add_app(PROGRAM).appid for _ in range(3)]
    openids = {registry.openid(appid, person) for appid in apps for person in ("alice", "bob")}
    assert len(openids) == 6
    assert registry.person_of(apps[0], registry.openid(apps[1], "alice")) is None


def test_who_comes_back_after_an_end_is_called_otherwise(registry: Registry) -> None:
    appid = registry.add_app(PROGRAM).appid
    before = registry.openid(appid, "alice"), registry.unionid(appid, "alice")
    registry.set_person_state("alice", PersonState.ENDED)
    assert registry.person_of(appid, before[0]) is None
    registry.set_person_state("alice", PersonState.ENDED)
    registry.set_person_state("alice", PersonState.NORMAL)
    after = registry.openid(appid, "alice"), registry.unionid(appid, "alice")
    assert not set(before) & set(after)
    assert registry.person_of(appid, before[0]) is None
    assert registry.person_of(appid, after[0]) == "alice"


def test_a_unionid_is_the_same_over_the_apps_of_one_account(registry: Registry) -> None:
    first, second = (registry.add_app(PROGRAM).appid for _ in range(2))
    unionid = registry.unionid(first, "alice")
    assert registry.unionid(second, "alice") == registry.silent_unionid(first, "alice") == unionid
    assert registry.unionid(first, "bob") != unionid
    registry.add_account("elsewhere", UnionidPolicy.BOUND)
    registry.bind(second, "elsewhere")
    assert registry.unionid(second, "alice") not in (None, unionid)
    registry.bind(second, None)
    assert registry.unionid(second, "alice") is None
    assert registry.silent_unionid(second, "alice") is None
    registry.bind(second, "open")
    assert registry.unionid(second, "alice") == unionid


def test_the_rule_of_2017_reads_the_facts(registry: Registry) -> None:
    registry.add_account("open", UnionidPolicy.YEAR_2017)
    program = registry.add_app(PROGRAM).appid
    assert registry.silent_unionid(program, "alice") is None
    account = registry.add_app(NewApp(AppKind.OFFICIAL_ACCOUNT, "News", "owner", "open")).appid
    assert registry.silent_unionid(program, "alice") is None
    registry.follow(account, "alice", NOW)
    assert registry.silent_unionid(program, "alice") == registry.unionid(program, "alice")
    assert registry.silent_unionid(program, "bob") is None
    registry.note_login(account, registry.openid(account, "bob"))
    assert registry.silent_unionid(program, "bob") == registry.unionid(program, "bob")


def test_followers_come_in_pages(registry: Registry) -> None:
    account = registry.add_app(NewApp(AppKind.OFFICIAL_ACCOUNT, "News", "owner")).appid
    for person in ("alice", "bob"):
        registry.follow(account, person, NOW)
    openids = sorted(registry.openid(account, person) for person in ("alice", "bob"))
    assert registry.followers(account, "", 1) == (2, openids[:1])
    assert registry.followers(account, openids[0], 1) == (2, openids[1:])
    assert registry.followers(account, openids[1], 1) == (2, [])
    registry.unfollow(account, "alice")
    assert registry.followed_since(account, registry.openid(account, "alice")) is None
    assert registry.followed_since(account, registry.openid(account, "bob")) == int(NOW)

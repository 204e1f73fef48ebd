"""Grants: a token stands for one person and one app, for as long as it says."""

import random
import sqlite3

import pytest

from syncd.platform.grants import ACCESS_TOKEN_S, REFRESH_TOKEN_S, Grant, Grants
from tests.platform.town import database

NOW = 1_800_000_000.0
ALICE = Grant("wxphone", "alice", "oALICE", "snsapi_userinfo", network="127.0.0.1")
BOB = Grant("wxweb", "bob", "oBOB", "snsapi_login", snapshot=True)


@pytest.fixture
def db() -> sqlite3.Connection:
    return database()


@pytest.fixture
def grants(db: sqlite3.Connection) -> Grants:
    return Grants(db, random.Random(5).randbytes)


def test_each_token_finds_its_own_grant(grants: Grants) -> None:
    alices = grants.add(ALICE, REFRESH_TOKEN_S, NOW)
    bobs = grants.add(BOB, REFRESH_TOKEN_S, NOW)
    assert grants.allowed_by(alices.access_token, NOW) == (ALICE, False)
    assert grants.renewable_by(alices.refresh_token, NOW) == (ALICE, False)
    assert grants.allowed_by(bobs.access_token, NOW) == (BOB, False)


def test_neither_token_does_the_others_work(grants: Grants) -> None:
    tokens = grants.add(ALICE, REFRESH_TOKEN_S, NOW)
    assert grants.allowed_by(tokens.refresh_token, NOW) is None
    assert grants.renewable_by(tokens.access_token, NOW) is None


def test_an_access_token_expires_to_the_second(grants: Grants) -> None:
    tokens = grants.add(ALICE, REFRESH_TOKEN_S, NOW)
    assert grants.allowed_by(tokens.access_token, NOW + ACCESS_TOKEN_S - 1) == (ALICE, False)
    assert grants.allowed_by(tokens.access_token, NOW + ACCESS_TOKEN_S) == (ALICE, True)


def test_renewed_early_the_access_token_stays_and_lives_longer(grants: Grants) -> None:
    tokens = grants.add(ALICE, REFRESH_TOKEN_S, NOW)
    assert grants.renew(tokens.refresh_token, NOW + 7000) == tokens
    assert grants.allowed_by(tokens.access_token, NOW + 7000 + 7199) == (ALICE, False)


def test_renewed_late_there_is_a_new_access_token(grants: Grants) -> None:
    tokens = grants.add(ALICE, REFRESH_TOKEN_S, NOW)
    late = NOW + ACCESS_TOKEN_S
    renewed = grants.renew(tokens.refresh_token, late)
    assert renewed.refresh_token == tokens.refresh_token
    assert renewed.access_token != tokens.access_token
    assert grants.allowed_by(renewed.access_token, late) == (ALICE, False)
    assert grants.allowed_by(tokens.access_token, late) is None


def test_renewing_does_not_extend_the_refresh_token(grants: Grants) -> None:
    tokens = grants.add(ALICE, REFRESH_TOKEN_S, NOW)
    last = NOW + REFRESH_TOKEN_S - 1
    grants.renew(tokens.refresh_token, last)
    assert grants.renewable_by(tokens.refresh_token, last) == (ALICE, False)
    assert grants.renewable_by(tokens.refresh_token, last + 1) == (ALICE, True)


def test_a_grant_is_forgotten_in_the_end(grants: Grants) -> None:
    tokens = grants.add(ALICE, REFRESH_TOKEN_S, NOW)
    grants.add(BOB, REFRESH_TOKEN_S, NOW + 2 * REFRESH_TOKEN_S)
    assert grants.renewable_by(tokens.refresh_token, NOW + 2 * REFRESH_TOKEN_S) is None


def test_no_token_lies_in_the_database_or_in_a_repr(db: sqlite3.Connection) -> None:
    tokens = Grants(db, random.Random(5).randbytes).add(ALICE, REFRESH_TOKEN_S, NOW)
    dump = "\n".join(db.iterdump())
    for token in (tokens.access_token, tokens.refresh_token):
        assert len(token) == 86
        assert token not in dump
        assert token not in repr(tokens)

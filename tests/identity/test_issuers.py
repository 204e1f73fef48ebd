"""Signed tokens: what the operator's table says decides, and nothing that a token brings."""

import asyncio
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from syncd import errors
from syncd.identity.issuers import Assertion, Issuer, Issuers
from syncd.identity.words import Declined
from syncd.limits import ISSUER_KEYS_KEPT_S, ISSUER_KEYS_REFETCH_S, JWT_AGE_S_MAX, JWT_LEEWAY_S
from syncd.persons import Subject

URL, OTHER_URL = "https://id.example", "https://other.example"
JWKS = "https://id.example/jwks.json"
NOW = 1_800_000_000
RSA = RSAKey.generate_key(2048, {"kid": "r1"}, auto_kid=False)
OTHER_RSA = RSAKey.generate_key(2048, {"kid": "r1"}, auto_kid=False)
EC = ECKey.generate_key("P-256", {"kid": "e1"}, auto_kid=False)


def public(*keys: RSAKey | ECKey) -> bytes:
    return json.dumps(KeySet(list(keys)).as_dict(private=False)).encode()


class Shelf:
    """Keys at URLs, as an issuer publishes them, and how often they were asked for."""

    def __init__(self, published: Mapping[str, bytes]) -> None:
        self.published = dict(published)
        self.asked: list[str] = []

    async def fetch(self, url: str) -> bytes | None:
        self.asked.append(url)
        await asyncio.sleep(0)
        return self.published.get(url)


class Hall:
    """Issuers with a clock in the test's hand."""

    def __init__(self) -> None:
        self.now, self.passed_s = float(NOW), 0.0
        self.shelf = Shelf({JWKS: public(RSA, EC)})
        table = [
            Issuer(URL, "syncd", ("RS256", "ES256"), JWKS),
            Issuer(OTHER_URL, "syncd", ("RS256",), keys=public(OTHER_RSA)),
        ]
        self.issuers = Issuers(
            table, self.shelf, clock=lambda: self.now, monotonic=lambda: self.passed_s
        )

    async def refusal(self, token: str) -> str:
        with pytest.raises(Declined) as declined:
            await self.issuers.proof(Assertion(token))
        return declined.value.refusal.name


def claims(**changes: Any) -> dict[str, Any]:
    whole = {"iss": URL, "sub": "alice", "aud": "syncd", "iat": NOW, "exp": NOW + 300} | changes
    return {name: value for name, value in whole.items() if value is not None}


def token(
    key: RSAKey | ECKey = RSA,
    algorithm: str = "RS256",
    header: Mapping[str, Any] | None = None,
    **changes: Any,
) -> str:
    protected = {"alg": algorithm, "kid": key.kid} | dict(header or {})
    shown = {name: value for name, value in protected.items() if value is not None}
    return jwt.encode(shown, claims(**changes), key, algorithms=[algorithm])


def encoded(text: bytes) -> str:
    return urlsafe_b64encode(text).rstrip(b"=").decode()


def part(value: Any) -> str:
    return encoded(json.dumps(value).encode())


async def test_a_token_of_a_trusted_issuer_proves_its_subject() -> None:
    hall = Hall()
    for shown in (token(), token(EC, "ES256"), token(aud=["other", "syncd"])):
        assert (await hall.issuers.proof(Assertion(shown))).subject == Subject(URL, "alice")
    proof = await hall.issuers.proof(Assertion(token(OTHER_RSA, iss=OTHER_URL)))
    assert proof.subject == Subject(OTHER_URL, "alice")
    assert proof.union is None


BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "unknown issuer": {"iss": "https://evil.example"},
    "an issuer almost right": {"iss": URL + "/"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "other"},
    "no audience": {"aud": None},
    "expired": {"exp": NOW - JWT_LEEWAY_S},
    "no end": {"exp": None},
    "not yet": {"nbf": NOW + JWT_LEEWAY_S + 1},
    "issued in the future": {"iat": NOW + JWT_LEEWAY_S + 1},
    "no beginning": {"iat": None},
    "issued long ago": {"iat": NOW - JWT_AGE_S_MAX - JWT_LEEWAY_S - 1},
    "nobody": {"sub": None},
    "an empty name": {"sub": ""},
    "a name that is none": {"sub": 7},
    "a name with a line's end": {"sub": "alice\nbob"},
    "a long name": {"sub": "a" * 256},
}


@pytest.mark.parametrize("changes", BAD_CLAIMS.values(), ids=BAD_CLAIMS.keys())
async def test_claims_that_are_not_those_of_a_login(changes: dict[str, Any]) -> None:
    assert await Hall().refusal(token(**changes)) == "bad_proof"


async def test_no_algorithm_and_foreign_algorithms() -> None:
    hall = Hall()
    for name in ("none", "None", "NONE", ""):
        assert await hall.refusal(f"{part({'alg': name})}.{part(claims())}.") == "bad_proof"
    assert await hall.refusal(token(algorithm="PS256")) == "bad_proof"
    # Right for one issuer, but not for this one.
    foreign = token(EC, "ES256", iss=OTHER_URL)
    assert await hall.refusal(foreign) == "bad_proof"


async def test_a_public_key_is_no_shared_secret() -> None:
    """HS256 signed with the text of the public RSA key: the classic confusion."""
    hall = Hall()
    for text in (RSA.as_pem(private=False), public(RSA)):
        signing = f"{part({'alg': 'HS256', 'kid': 'r1'})}.{part(claims())}"
        signature = hmac.digest(text, signing.encode(), "sha256")
        assert await hall.refusal(f"{signing}.{encoded(signature)}") == "bad_proof"


async def test_the_key_of_another_issuer_signs_nothing_here() -> None:
    hall = Hall()
    assert await hall.refusal(token(OTHER_RSA)) == "bad_proof"
    assert await hall.refusal(token(RSA, iss=OTHER_URL)) == "bad_proof"


async def test_a_key_of_another_type_under_the_right_name() -> None:
    assert await Hall().refusal(token(EC, "ES256", {"kid": "r1"})) == "bad_proof"


KIDS = ["../../../dev/null", "r1' OR '1'='1", "http://127.0.0.1/", "", 7, ["r1"], {"r1": 1}]


@pytest.mark.parametrize("kid", KIDS)
async def test_a_name_of_a_key_is_looked_up_and_nothing_else(kid: Any) -> None:
    shown = f"{part({'alg': 'RS256', 'kid': kid})}.{part(claims())}.{part('signature')}"
    hall = Hall()
    assert await hall.refusal(shown) == "bad_proof"
    assert set(hall.shelf.asked) <= {JWKS}


async def test_without_a_name_there_must_be_one_key() -> None:
    hall = Hall()
    assert await hall.refusal(token(header={"kid": None})) == "bad_proof"
    nameless = token(OTHER_RSA, header={"kid": None}, iss=OTHER_URL)
    assert (await hall.issuers.proof(Assertion(nameless))).subject.issuer == OTHER_URL


async def test_keys_and_addresses_that_a_token_brings_are_ignored() -> None:
    """SSRF by issuer, jku, x5u and jwk: only the table's URL is ever asked."""
    hall = Hall()
    evil = "http://169.254.169.254/latest"
    own = RSAKey.generate_key(2048, {"kid": "mine"}, auto_kid=False)
    headers: list[dict[str, Any]] = [
        {"jku": evil, "kid": "mine"},
        {"x5u": evil, "kid": "mine"},
        {"jwk": own.as_dict(private=False), "kid": "mine"},
        {"jwk": own.as_dict(private=False), "kid": "r1"},
    ]
    for header in headers:
        forged = jwt.encode({"alg": "RS256"} | header, claims(), own, algorithms=["RS256"])
        assert await hall.refusal(forged) == "bad_proof"
    assert await hall.refusal(token(iss=evil)) == "bad_proof"
    assert set(hall.shelf.asked) == {JWKS}


async def test_what_is_critical_must_be_known_and_the_rest_is_ignored() -> None:
    hall = Hall()
    forged = f"{part({'alg': 'RS256', 'crit': ['b64'], 'b64': False})}.{part(claims())}.AAAA"
    assert await hall.refusal(forged) == "bad_proof"
    # Signed by hand: the library would not write a field that it does not know.
    signing = f"{part({'alg': 'RS256', 'kid': 'r1', 'shoe': 9})}.{part(claims())}"
    signature = RSA.private_key.sign(signing.encode(), PKCS1v15(), SHA256())
    whole = Assertion(f"{signing}.{encoded(signature)}")
    assert (await hall.issuers.proof(whole)).subject == Subject(URL, "alice")


async def test_an_unknown_key_is_looked_for_once_a_minute() -> None:
    hall = Hall()
    new = RSAKey.generate_key(2048, {"kid": "r2"}, auto_kid=False)
    await hall.issuers.proof(Assertion(token()))
    for _ in range(20):
        assert await hall.refusal(token(new)) == "bad_proof"
    assert len(hall.shelf.asked) == 1
    hall.passed_s += ISSUER_KEYS_REFETCH_S
    hall.shelf.published[JWKS] = public(RSA, new)
    assert (await hall.issuers.proof(Assertion(token(new)))).subject.name == "alice"
    assert len(hall.shelf.asked) == 2


async def test_many_at_once_ask_once() -> None:
    hall = Hall()
    await asyncio.gather(*(hall.issuers.proof(Assertion(token())) for _ in range(16)))
    assert len(hall.shelf.asked) == 1


async def test_a_key_that_was_taken_back_ends_within_the_hour() -> None:
    hall = Hall()
    await hall.issuers.proof(Assertion(token()))
    hall.shelf.published[JWKS] = public(EC)
    hall.passed_s += ISSUER_KEYS_KEPT_S
    assert await hall.refusal(token()) == "bad_proof"


async def test_an_issuer_that_does_not_answer() -> None:
    hall = Hall()
    published = hall.shelf.published.pop(JWKS)
    assert await hall.refusal(token()) == errors.UPSTREAM_UNAVAILABLE.name
    hall.passed_s += ISSUER_KEYS_REFETCH_S
    hall.shelf.published[JWKS] = published
    await hall.issuers.proof(Assertion(token()))
    del hall.shelf.published[JWKS]
    hall.passed_s += ISSUER_KEYS_KEPT_S
    # What it said last is still good enough.
    await hall.issuers.proof(Assertion(token()))


@pytest.mark.parametrize("text", [b"", b"[]", b'{"keys": 1}', b'{"keys": [1]}', b"\xff"])
async def test_a_set_of_keys_that_is_none(text: bytes) -> None:
    hall = Hall()
    hall.shelf.published[JWKS] = text
    assert await hall.refusal(token()) == errors.UPSTREAM_UNAVAILABLE.name


async def test_secret_keys_and_keys_for_encryption_in_a_set_verify_nothing() -> None:
    hall = Hall()
    shared = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ", "kid": "s1"}
    sealing = RSA.as_dict(private=False) | {"use": "enc"}
    hall.shelf.published[JWKS] = json.dumps({"keys": [shared, sealing]}).encode()
    assert await hall.refusal(token()) == errors.UPSTREAM_UNAVAILABLE.name


@given(st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*"))
def test_noise_is_no_proof(noise: str) -> None:
    assert asyncio.run(Hall().refusal(noise)) == "bad_proof"


async def test_a_long_token_is_not_even_read() -> None:
    assert await Hall().refusal(token(padding="a" * 4096)) == "bad_proof"


async def test_the_clock_is_the_one_that_was_given() -> None:
    hall = Hall()
    hall.now = time.time() + 10**9
    assert await hall.refusal(token()) == "bad_proof"


def test_nothing_of_a_token_is_shown() -> None:
    assert repr(Assertion(token())) == "Assertion()"

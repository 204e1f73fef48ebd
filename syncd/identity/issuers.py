"""Signed tokens (JWT, RFC 7519) of the issuers that an operator trusts, in place of a code.

Everything that decides comes from the operator's table: which issuer, for which audience, by which
algorithms, with keys from where. A token chooses a row of it and a key within that row, and nothing
else: no address, no algorithm and no key that a token brings is ever used.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from syncd import errors
from syncd.identity.words import Declined
from syncd.limits import (
    ISSUER_KEYS_KEPT_S,
    ISSUER_KEYS_REFETCH_S,
    JWT_AGE_S_MAX,
    JWT_LEEWAY_S,
    TOKEN_CHARACTERS_MAX,
)
from syncd.persons import Proof, Subject

log = logging.getLogger(__name__)

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"}
)
"""All with a public key: where none is secret, none can be taken for a secret (HS256 by an RSA key
was the confusion), and `none` is no algorithm."""

SUBJECT_CHARACTERS_MAX = 255
"""OpenID Connect Core 1.0, section 2."""

_Key: TypeAlias = RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True)
class Issuer:
    """One row of the table.

    url: the `iss` of its tokens, to the letter. audience: one of their `aud`.
    algorithms: of ALGORITHMS. jwks: the URL of its keys; "" where `keys`, the text of a JWK set,
        holds them.
    """

    url: str
    audience: str
    algorithms: tuple[str, ...]
    jwks: str = ""
    keys: bytes = b""


class KeySource(Protocol):
    """Where keys of issuers come from."""

    async def fetch(self, url: str) -> bytes | None:
        """The JWK set at a URL of the table; None where it cannot be had. Never raises but on
        cancellation."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """A signed token that says who somebody is (RFC 7523)."""

    jwt: str

    def __repr__(self) -> str:
        return "Assertion()"


class Issuers:
    """All issuers that are trusted.

    clock: Unix time in seconds. monotonic: seconds that never fall.
    """

    def __init__(
        self,
        table: Iterable[Issuer],
        source: KeySource,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._rings = {each.url: _Ring(each, source, monotonic) for each in table}

    async def proof(self, shown: Assertion) -> Proof:
        """What a token proves. Raises Declined: BAD_PROOF, whatever is wrong with it, and
        UPSTREAM_UNAVAILABLE where the issuer's keys cannot be had."""
        try:
            claimed, header = _unverified(shown.jwt)
            ring = self._rings.get(claimed)
            if ring is None:
                raise Declined(errors.BAD_PROOF)
            key = await ring.key(header.get("kid"))
            return Proof(Subject(claimed, self._verified(shown.jwt, ring.issuer, key)))
        except (JoseError, ValueError, TypeError, RecursionError):
            # Its text may quote the token.
            raise Declined(errors.BAD_PROOF) from None

    def _verified(self, token: str, issuer: Issuer, key: _Key) -> str:
        """The subject of a token that is signed, fresh and meant for us."""
        # A header that is not known is ignored (RFC 7515, section 4), unless it is critical.
        registry = jws.JWSRegistry(algorithms=issuer.algorithms, strict_check_header=False)
        key.check_use("sig")
        claims = jwt.decode(token, key, algorithms=issuer.algorithms, registry=registry).claims
        now = int(self._clock())
        jwt.JWTClaimsRegistry(
            now,
            JWT_LEEWAY_S,
            iss={"essential": True, "value": issuer.url},
            aud={"essential": True, "value": issuer.audience},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        ).validate(claims)
        name = claims["sub"]
        aged = now - claims["iat"] > JWT_AGE_S_MAX + JWT_LEEWAY_S
        if aged or not 1 <= len(name) <= SUBJECT_CHARACTERS_MAX or not name.isprintable():
            raise ValueError("too old, or of nobody")
        return str(name)


def _unverified(token: str) -> tuple[str, dict[str, Any]]:
    """The issuer that a token names, and its header: to be believed in nothing."""
    if len(token) > TOKEN_CHARACTERS_MAX:
        raise ValueError("too long")
    parts = jws.extract_compact(token.encode("ascii"))
    claims = json.loads(parts.payload)
    if not isinstance(claims, dict) or not isinstance(claims.get("iss"), str):
        raise ValueError("no issuer")
    return claims["iss"], dict(parts.headers())


class _Ring:
    """The keys of one issuer, asked for rarely whatever is shown to us."""

    def __init__(self, issuer: Issuer, source: KeySource, monotonic: Callable[[], float]) -> None:
        self.issuer = issuer
        self._source = source
        self._monotonic = monotonic
        self._keys = _public_keys(issuer.keys) if issuer.keys else ()
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()

    async def key(self, kid: object) -> _Key:
        """The one key that a token may mean. Raises ValueError, and Declined where no key can be
        had."""
        if self.issuer.jwks:
            await self._refresh(kid)
        found = self._matching(kid)
        if len(found) != 1:
            raise ValueError("no such key")
        return found[0]

    def _matching(self, kid: object) -> list[_Key]:
        return [each for each in self._keys if kid is None or each.kid == kid]

    async def _refresh(self, kid: object) -> None:
        async with self._asking:
            now = self._monotonic()
            age_s = float("inf") if self._asked_at is None else now - self._asked_at
            unknown = not self._matching(kid)
            if age_s >= ISSUER_KEYS_KEPT_S or (unknown and age_s >= ISSUER_KEYS_REFETCH_S):
                self._asked_at = now
                text = await self._source.fetch(self.issuer.jwks)
                if text is not None:
                    self._keys = _public_keys(text)
        if not self._keys:
            log.error("! the keys of %s cannot be had", self.issuer.url)
            raise Declined(errors.UPSTREAM_UNAVAILABLE)


def _public_keys(text: bytes) -> tuple[_Key, ...]:
    """The keys of a JWK set that can verify; others may be in it for other purposes."""
    keys: list[_Key] = []
    try:
        for each in json.loads(text)["keys"]:
            if each.get("kty") in ("RSA", "EC", "OKP") and each.get("use", "sig") == "sig":
                key = import_key(each)
                assert isinstance(key, RSAKey | ECKey | OKPKey)
                keys.append(key)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        log.error("! a JWK set cannot be read")
    return tuple(keys)

"""Logging in by QR: a new device shows a code, one that is signed in scans it and says yes or no.

Underneath is the device grant of RFC 8628. Two codes, because two things travel two ways: the
*user code* is seen by whoever looks at the screen and opens nothing; the *device code* is told to
the new device alone, is in no picture and in no URL, and is what the login is fetched with.

Nothing waits and nothing is stored: after a restart of the server all codes have expired.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from syncd import errors, limits
from syncd.allowance import Allowances
from syncd.errors import Refusal
from syncd.identity.devices import secret
from syncd.identity.login import Installation
from syncd.identity.pairing_table import TABLE, Request, Stage
from syncd.model import DeviceId
from syncd.persons import Vouch

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""Neither vowels, so that no code is a word, nor anything that looks like something else
(RFC 8628, section 6.1)."""

_USER_CODE_LETTERS = 8


@dataclass(frozen=True, slots=True)
class Newcomer:
    """The device that wants to log in.

    installation: in its own words, which are not to be believed.
    address: whom the limits of an address are for; "" for nobody. place: where it asked from, for
        people; "" where the server cannot tell.
    """

    installation: Installation
    address: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """What the new device shows, and what it keeps to itself.

    matching_code: two digits that both screens show.
    """

    device_code: str
    user_code: str
    matching_code: str

    def __repr__(self) -> str:
        # Values end up in logs; the device code must not.
        return f"Begun(user_code={self.user_code!r})"


@dataclass(frozen=True, slots=True)
class Scanned:
    """What the person compares before saying yes."""

    newcomer: Newcomer
    matching_code: str


@dataclass(frozen=True, slots=True)
class Taken:
    """The login may go on: who it is for, and who vouches."""

    newcomer: Newcomer
    vouch: Vouch


@dataclass(slots=True)
class _Pairing:
    newcomer: Newcomer
    device_hash: bytes
    user_code: str
    matching_code: str
    expires_at: float
    poll_at: float
    interval_s: int
    stage: Stage = Stage.WAITING
    scanner: DeviceId | None = None
    vouch: Vouch | None = field(default=None, repr=False)


class Pairings:
    """All codes that are shown now. Every method answers what pairing_table.py says.

    `now` is monotonic, in seconds, and never falls from call to call. draw: gives random bytes.
    """

    def __init__(self, draw: Callable[[int], bytes] = os.urandom) -> None:
        self._draw = draw
        self._by_device_code: dict[bytes, _Pairing] = {}  # hashed; the oldest first
        self._by_user_code: dict[str, _Pairing] = {}
        self._by_address: Counter[str] = Counter()
        per_s, burst = limits.PAIRING_GUESSES_PER_MINUTE / 60, limits.PAIRING_GUESSES_BURST
        # A guess may be owed for: or the hair of a token that flows in meanwhile would pay for it.
        self._guesses: Allowances[str] = Allowances(per_s, burst, debt_s_max=1 / per_s)

    def __len__(self) -> int:
        return len(self._by_device_code)

    def begin(self, newcomer: Newcomer, now: float) -> Begun | Refusal:
        """Draw the codes of a new pairing. TOO_MANY_REQUESTS from an address that shows too many
        already; SERVICE_BUSY where all together are too many."""
        self._forget_expired(now)
        address = newcomer.address
        if address and self._by_address[address] >= limits.PAIRINGS_PER_ADDRESS_MAX:
            return errors.TOO_MANY_REQUESTS
        if len(self) >= limits.PAIRINGS_MAX:
            return errors.SERVICE_BUSY
        device_code = secret("sp_", self._draw)
        user_code = self._user_code()
        pairing = _Pairing(
            newcomer,
            _hash(device_code),
            user_code,
            "".join(self._drawn("0123456789", 2)),
            expires_at=now + limits.PAIRING_LIFETIME_S,
            poll_at=now,
            interval_s=limits.PAIRING_INTERVAL_S,
        )
        self._by_device_code[pairing.device_hash] = pairing
        self._by_user_code[user_code] = pairing
        self._by_address[address] += 1
        return Begun(device_code, _shown(user_code), pairing.matching_code)

    def poll(self, device_code: str, now: float) -> Taken | Refusal:
        """The new device asks. TOO_MANY_REQUESTS when it asks too soon: it waits 5 s longer between
        questions from then on. What is granted is granted once."""
        self._forget_expired(now)
        pairing = self._by_device_code.get(_hash(device_code))
        if pairing is None:
            return _over(Request.POLL)
        too_soon = now < pairing.poll_at
        if too_soon:
            pairing.interval_s += limits.PAIRING_INTERVAL_S
        # Half a second less than it was told: a line may have held up the question before.
        pairing.poll_at = now + pairing.interval_s - 0.5
        if too_soon:
            return errors.TOO_MANY_REQUESTS
        refusal = _step(pairing, Request.POLL)
        if refusal is not None:
            return refusal
        assert pairing.vouch is not None
        return Taken(pairing.newcomer, pairing.vouch)

    def scan(self, user_code: str, vouch: Vouch, address: str, now: float) -> Scanned | Refusal:
        """A signed-in device has read the code. ALREADY_SCANNED where another one had before."""
        found = self._asked(user_code, Request.SCAN, vouch, address, now)
        return found if isinstance(found, Refusal) else Scanned(found.newcomer, found.matching_code)

    def confirm(self, user_code: str, vouch: Vouch, address: str, now: float) -> Refusal | None:
        """Yes, by the device that scanned. Its vouch counts while its credential is current."""
        found = self._asked(user_code, Request.CONFIRM, vouch, address, now)
        return found if isinstance(found, Refusal) else None

    def decline(self, user_code: str, vouch: Vouch, address: str, now: float) -> Refusal | None:
        """No, by the device that scanned."""
        found = self._asked(user_code, Request.DECLINE, vouch, address, now)
        return found if isinstance(found, Refusal) else None

    def _asked(
        self, user_code: str, request: Request, vouch: Vouch, address: str, now: float
    ) -> _Pairing | Refusal:
        self._forget_expired(now)
        guessers = [f"account {vouch.account}"]
        if address:
            guessers.append(f"address {address}")
        if any(self._guesses.exhausted(each, now) for each in guessers):
            return errors.TOO_MANY_REQUESTS
        pairing = self._by_user_code.get(_typed(user_code))
        if pairing is None:
            for each in guessers:
                self._guesses.charge(each, 1, now)
            return _over(request)
        if pairing.scanner not in (None, vouch.device):
            return errors.ALREADY_SCANNED
        refusal = _step(pairing, request)
        if refusal is not None:
            return refusal
        pairing.scanner = vouch.device
        if request is Request.CONFIRM:
            pairing.vouch = vouch
        return pairing

    def _forget_expired(self, now: float) -> None:
        while self._by_device_code:
            oldest = next(iter(self._by_device_code.values()))
            if now < oldest.expires_at:
                return
            del self._by_device_code[oldest.device_hash], self._by_user_code[oldest.user_code]
            address = oldest.newcomer.address
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def _user_code(self) -> str:
        while True:
            code = "".join(self._drawn(_LETTERS, _USER_CODE_LETTERS))
            if code not in self._by_user_code:
                return code

    def _drawn(self, alphabet: str, count: int) -> list[str]:
        """Characters of an alphabet, each as likely as the others."""
        fair = 256 - 256 % len(alphabet)
        drawn: list[str] = []
        while len(drawn) < count:
            [byte] = self._draw(1)
            if byte < fair:
                drawn.append(alphabet[byte % len(alphabet)])
        return drawn


def _step(pairing: _Pairing, request: Request) -> Refusal | None:
    row = TABLE[pairing.stage, request]
    pairing.stage = row.next
    return row.refusal


def _over(request: Request) -> Refusal:
    """What is said about a code that nobody shows, whether or not it ever was one."""
    refusal = TABLE[Stage.EXPIRED, request].refusal
    assert refusal is not None
    return refusal


def _hash(device_code: str) -> bytes:
    # Whoever reads our memory finds no code; and finding one by its hash tells a clock nothing.
    return hashlib.sha256(device_code.encode("utf-8", "surrogatepass")).digest()


def _shown(user_code: str) -> str:
    return f"{user_code[:4]}-{user_code[4:]}"


def _typed(user_code: str) -> str:
    """What a person typed, as it was drawn."""
    return user_code.upper().replace("-", "").replace(" ", "")

"""A new device gets in by a yes of the device that scanned its code, once and in time."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from syncd import errors, limits
from syncd.errors import Refusal
from syncd.identity.login import Installation
from syncd.identity.pairing import Begun, Newcomer, Pairings, Scanned, Taken
from syncd.model import AccountId, DeviceId
from syncd.persons import Vouch

PC1 = Installation("PC1", "pc")
PC = Newcomer(PC1, "192.0.2.1", "192.0.2.1")
HOME, CAFE = "192.0.2.1", "198.51.100.7"


def vouch(device: str = "phone", account: str = "alice", credential: int = 1) -> Vouch:
    return Vouch(AccountId(account), DeviceId(device), credential)


PHONE, TABLET, BOBS = vouch(), vouch("tablet"), vouch("bobs phone", "bob")


def begun(pairings: Pairings, now: float = 0.0, newcomer: Newcomer = PC) -> Begun:
    answer = pairings.begin(newcomer, now)
    assert isinstance(answer, Begun), answer
    return answer


def test_scanned_confirmed_and_taken_once() -> None:
    pairings = Pairings()
    shown = begun(pairings)
    assert pairings.poll(shown.device_code, 5) is errors.AUTHORIZATION_PENDING
    scanned = pairings.scan(shown.user_code, PHONE, HOME, 6)
    assert scanned == Scanned(PC, shown.matching_code)
    assert pairings.poll(shown.device_code, 10) is errors.AUTHORIZATION_PENDING
    assert pairings.confirm(shown.user_code, PHONE, HOME, 12) is None
    assert pairings.poll(shown.device_code, 15) == Taken(PC, PHONE)
    assert pairings.poll(shown.device_code, 20) is errors.EXPIRED_TOKEN


def test_scanning_alone_does_nothing() -> None:
    pairings = Pairings()
    shown = begun(pairings)
    pairings.scan(shown.user_code, PHONE, HOME, 1)
    for now in range(5, 300, 5):
        assert pairings.poll(shown.device_code, now) is errors.AUTHORIZATION_PENDING
    assert pairings.poll(shown.device_code, 300) is errors.EXPIRED_TOKEN


def test_a_no_is_heard_and_final() -> None:
    pairings = Pairings()
    shown = begun(pairings)
    pairings.scan(shown.user_code, PHONE, HOME, 1)
    assert pairings.decline(shown.user_code, PHONE, HOME, 2) is None
    assert pairings.confirm(shown.user_code, PHONE, HOME, 3) is errors.NOT_FOUND
    assert pairings.poll(shown.device_code, 5) is errors.ACCESS_DENIED
    assert pairings.decline(shown.user_code, PHONE, HOME, 6) is None


def test_yes_without_a_scan_is_refused() -> None:
    pairings = Pairings()
    shown = begun(pairings)
    assert pairings.confirm(shown.user_code, PHONE, HOME, 1) is errors.BAD_REQUEST
    assert pairings.poll(shown.device_code, 5) is errors.AUTHORIZATION_PENDING


@pytest.mark.parametrize("other", [TABLET, BOBS], ids=["own", "foreign"])
def test_the_second_scanner_is_told_so_and_can_do_nothing(other: Vouch) -> None:
    pairings = Pairings()
    shown = begun(pairings)
    pairings.scan(shown.user_code, PHONE, HOME, 1)
    for ask in (pairings.scan, pairings.confirm, pairings.decline):
        assert ask(shown.user_code, other, CAFE, 2) is errors.ALREADY_SCANNED
    assert pairings.confirm(shown.user_code, PHONE, HOME, 3) is None
    assert pairings.confirm(shown.user_code, other, CAFE, 4) is errors.ALREADY_SCANNED
    taken = pairings.poll(shown.device_code, 5)
    assert isinstance(taken, Taken)
    assert taken.vouch == PHONE


def test_the_vouch_is_the_last_one_that_said_yes() -> None:
    """Storage judges whether its credential is current when the login is fetched."""
    pairings = Pairings()
    shown = begun(pairings)
    pairings.scan(shown.user_code, vouch(credential=1), HOME, 1)
    for credential in (1, 2):  # the phone logged in anew and says yes once more
        pairings.confirm(shown.user_code, vouch(credential=credential), HOME, 2)
    assert pairings.poll(shown.device_code, 5) == Taken(PC, vouch(credential=2))


def test_who_asks_too_soon_waits_longer_and_longer() -> None:
    pairings = Pairings()
    code = begun(pairings).device_code
    assert pairings.poll(code, 0.0) is errors.AUTHORIZATION_PENDING
    assert pairings.poll(code, 2.0) is errors.TOO_MANY_REQUESTS  # from now on every 10 s
    assert pairings.poll(code, 7.0) is errors.TOO_MANY_REQUESTS  # every 15 s
    assert pairings.poll(code, 22.0) is errors.AUTHORIZATION_PENDING
    assert pairings.poll(code, 27.0) is errors.TOO_MANY_REQUESTS


def test_asking_too_soon_takes_nothing() -> None:
    pairings = Pairings()
    shown = begun(pairings)
    pairings.poll(shown.device_code, 0.0)
    pairings.scan(shown.user_code, PHONE, HOME, 1)
    pairings.confirm(shown.user_code, PHONE, HOME, 1)
    assert pairings.poll(shown.device_code, 2.0) is errors.TOO_MANY_REQUESTS
    assert isinstance(pairings.poll(shown.device_code, 12.0), Taken)


def test_what_is_seen_on_the_screen_does_not_fetch_the_login() -> None:
    pairings = Pairings()
    shown = begun(pairings)
    pairings.scan(shown.user_code, PHONE, HOME, 1)
    pairings.confirm(shown.user_code, PHONE, HOME, 2)
    for guess in (shown.user_code, shown.matching_code, "", "sp_" + "A" * 43, "\ud800"):
        assert pairings.poll(guess, 3) is errors.EXPIRED_TOKEN
    assert shown.user_code not in shown.device_code
    assert shown.device_code not in repr(shown)


def test_everything_ends_after_five_minutes() -> None:
    pairings = Pairings()
    shown = begun(pairings)
    pairings.scan(shown.user_code, PHONE, HOME, 1)
    pairings.confirm(shown.user_code, PHONE, HOME, 2)
    late = limits.PAIRING_LIFETIME_S
    assert pairings.poll(shown.device_code, late) is errors.EXPIRED_TOKEN
    assert pairings.scan(shown.user_code, PHONE, HOME, late) is errors.NOT_FOUND
    assert len(pairings) == 0


def test_a_code_may_be_typed_as_people_type() -> None:
    pairings = Pairings()
    shown = begun(pairings).user_code
    for typed in (shown, shown.lower(), shown.replace("-", ""), shown.replace("-", " ") + " "):
        assert isinstance(pairings.scan(typed, PHONE, HOME, 1), Scanned)


def test_guessing_is_stopped_for_the_account_and_for_the_address() -> None:
    pairings = Pairings()
    shown = begun(pairings)
    for _ in range(limits.PAIRING_GUESSES_BURST):
        assert pairings.scan("ZZZZ-ZZZZ", PHONE, CAFE, 1) is errors.NOT_FOUND
    refused = errors.TOO_MANY_REQUESTS
    assert pairings.scan(shown.user_code, PHONE, HOME, 1) is refused  # the same account
    assert pairings.scan(shown.user_code, TABLET, HOME, 1) is refused  # another device of it
    assert pairings.scan(shown.user_code, BOBS, CAFE, 1) is refused  # the same address
    assert isinstance(pairings.scan(shown.user_code, BOBS, HOME, 1), Scanned)
    later = 1 + 60 / limits.PAIRING_GUESSES_PER_MINUTE
    assert pairings.scan("ZZZZ-ZZZZ", PHONE, CAFE, later) is errors.NOT_FOUND  # one more


def test_a_wrong_yes_is_a_guess_too() -> None:
    pairings = Pairings()
    begun(pairings)
    asked = [pairings.confirm, pairings.decline] * limits.PAIRING_GUESSES_BURST
    answers = [ask("ZZZZ-ZZZZ", PHONE, CAFE, 1) for ask in asked]
    assert answers[-1] is errors.TOO_MANY_REQUESTS


def test_one_address_cannot_show_all_the_codes() -> None:
    pairings = Pairings()
    for _ in range(limits.PAIRINGS_PER_ADDRESS_MAX):
        begun(pairings)
    assert pairings.begin(PC, 0) is errors.TOO_MANY_REQUESTS
    begun(pairings, newcomer=Newcomer(PC1, CAFE))
    assert isinstance(pairings.begin(PC, limits.PAIRING_LIFETIME_S), Begun)


def test_without_addresses_the_account_alone_is_counted() -> None:
    """Behind a proxy all come from one address, and its limit would be everybody's."""
    pairings = Pairings()
    for _ in range(limits.PAIRINGS_PER_ADDRESS_MAX):
        begun(pairings, newcomer=Newcomer(PC1, ""))
    shown = begun(pairings, newcomer=Newcomer(PC1, ""))
    for _ in range(2 * limits.PAIRING_GUESSES_BURST):
        pairings.scan("ZZZZ-ZZZZ", BOBS, "", 1)
    assert pairings.scan(shown.user_code, BOBS, "", 1) is errors.TOO_MANY_REQUESTS
    assert isinstance(pairings.scan(shown.user_code, PHONE, "", 1), Scanned)


def test_all_together_are_bounded() -> None:
    pairings = Pairings()
    for each in range(limits.PAIRINGS_MAX):
        begun(pairings, newcomer=Newcomer(PC1, f"192.0.2.{each // 100}"))
    assert pairings.begin(PC, 0) is errors.SERVICE_BUSY
    assert len(pairings) == limits.PAIRINGS_MAX


def test_codes_are_drawn_from_letters_that_nobody_confuses() -> None:
    shown = begun(Pairings())
    assert len(shown.user_code.replace("-", "")) == 8
    assert set(shown.user_code) <= set("BCDFGHJKLMNPQRSTVWXZ-")
    assert len(shown.matching_code) == 2
    assert shown.matching_code.isdigit()
    assert len(shown.device_code) == len("sp_") + 43  # 256 bits


def test_a_code_that_is_shown_is_not_drawn_again() -> None:
    dice = iter(bytes(8) + bytes(2) + bytes(8) + bytes([1] * 8) + bytes(2))
    pairings = Pairings(lambda count: bytes(count) if count > 1 else bytes([next(dice)]))
    first, second = (pairings.begin(PC, 0), pairings.begin(PC, 0))
    assert isinstance(first, Begun)
    assert isinstance(second, Begun)
    assert (first.user_code, second.user_code) == ("BBBB-BBBB", "CCCC-CCCC")


@given(st.binary(max_size=64), st.text(max_size=12))
def test_rubbish_is_refused_and_never_an_error(drawn: bytes, text: str) -> None:
    pairings = Pairings()
    begun(pairings)
    assert pairings.poll(drawn.hex(), 0) is errors.EXPIRED_TOKEN
    assert isinstance(pairings.scan(text, PHONE, HOME, 0), Refusal)


@dataclass
class Known:
    """What somebody who watches knows of one pairing."""

    shown: Begun
    ends: float
    scanner: Vouch | None = None
    says_yes: bool = False
    declined: bool = False
    taken: bool = False


class Watched(RuleBasedStateMachine):
    """Any order of requests: who gets in was let in, by the device that scanned, once, in time."""

    def __init__(self) -> None:
        super().__init__()
        self.pairings = Pairings()
        self.now = 0.0
        self.all: list[Known] = []

    @rule()
    def begin(self) -> None:
        shown = begun(self.pairings, self.now)
        self.all.append(Known(shown, self.now + limits.PAIRING_LIFETIME_S))

    @rule(seconds=st.sampled_from([0.1, 5.0, 20.0, 120.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(pick=st.integers(0, 7), by=st.sampled_from([PHONE, TABLET, BOBS]), what=st.integers(0, 2))
    def ask(self, pick: int, by: Vouch, what: int) -> None:
        if not self.all:
            return
        known = self.all[pick % len(self.all)]
        asked = (self.pairings.scan, self.pairings.confirm, self.pairings.decline)[what]
        answer = asked(known.shown.user_code, by, by.account, self.now)
        if isinstance(answer, Refusal):
            return
        assert self.now < known.ends
        assert known.scanner in (None, by)
        assert known.scanner is not None or what == 0
        known.scanner = by
        if what == 1:
            assert not known.declined
            known.says_yes = True
        if what == 2:
            assert not known.taken
            known.declined = True

    @rule(pick=st.integers(0, 7))
    def poll(self, pick: int) -> None:
        if not self.all:
            return
        known = self.all[pick % len(self.all)]
        answer = self.pairings.poll(known.shown.device_code, self.now)
        if isinstance(answer, Taken):
            assert self.now < known.ends
            assert known.says_yes
            assert not known.declined
            assert not known.taken
            assert answer.vouch == known.scanner
            known.taken = True

    @invariant()
    def nothing_outlives_its_time(self) -> None:
        assert len(self.pairings) <= len(self.all)


TestWatched = Watched.TestCase

"""QR codes: one browser, one scanner, one code, five minutes."""

import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.platform.qrconnect import (
    QR_CODES_PER_MINUTE_MAX,
    QR_LIFETIME_S,
    NotYours,
    QrCodes,
    Status,
    TooMany,
)
from tests.platform.town import database

NOW = 1_800_000_000.0
PC1, PC2 = "browser of PC1", "browser of PC2"


@pytest.fixture
def codes() -> QrCodes:
    return new_codes()


def new_codes() -> QrCodes:
    return QrCodes(database(), random.Random(5).randbytes)


def test_scanned_and_confirmed_it_is_taken_once(codes: QrCodes) -> None:
    uuid, matching = codes.open("wxweb", PC1, "127.0.0.1", NOW)
    assert codes.status(uuid, PC1, NOW) is Status.WAITING
    assert codes.scan(uuid, "alice", NOW) == ("wxweb", "127.0.0.1", matching)
    assert codes.status(uuid, PC1, NOW) is Status.SCANNED
    codes.confirm(uuid, "alice", NOW)
    assert codes.status(uuid, PC1, NOW) is Status.CONFIRMED
    assert codes.take(uuid, PC1, NOW) == ("wxweb", "alice")
    assert codes.take(uuid, PC1, NOW) is None
    assert codes.status(uuid, PC1, NOW) is Status.EXPIRED


def test_scanning_alone_leads_nowhere(codes: QrCodes) -> None:
    uuid, _ = codes.open("wxweb", PC1, "127.0.0.1", NOW)
    codes.scan(uuid, "alice", NOW)
    assert codes.take(uuid, PC1, NOW) is None


def test_a_second_scanner_is_refused_and_changes_nothing(codes: QrCodes) -> None:
    uuid, _ = codes.open("wxweb", PC1, "127.0.0.1", NOW)
    codes.scan(uuid, "alice", NOW)
    for attempt in (codes.scan, codes.confirm, codes.cancel):
        with pytest.raises(NotYours):
            attempt(uuid, "mallory", NOW)
    codes.scan(uuid, "alice", NOW)
    codes.confirm(uuid, "alice", NOW)
    assert codes.take(uuid, PC1, NOW) == ("wxweb", "alice")


def test_nobody_confirms_what_he_did_not_scan(codes: QrCodes) -> None:
    uuid, _ = codes.open("wxweb", PC1, "127.0.0.1", NOW)
    with pytest.raises(NotYours):
        codes.confirm(uuid, "alice", NOW)
    assert codes.status(uuid, PC1, NOW) is Status.WAITING


def test_another_browser_learns_nothing_and_gets_nothing(codes: QrCodes) -> None:
    uuid, _ = codes.open("wxweb", PC1, "127.0.0.1", NOW)
    assert codes.status(uuid, PC2, NOW) is Status.EXPIRED
    codes.scan(uuid, "alice", NOW)
    codes.confirm(uuid, "alice", NOW)
    assert codes.status(uuid, PC2, NOW) is Status.EXPIRED
    assert codes.take(uuid, PC2, NOW) is None
    assert codes.take(uuid, PC1, NOW) == ("wxweb", "alice")


def test_refused_it_may_be_scanned_again_by_the_same_person_only(codes: QrCodes) -> None:
    uuid, _ = codes.open("wxweb", PC1, "127.0.0.1", NOW)
    codes.scan(uuid, "alice", NOW)
    codes.cancel(uuid, "alice", NOW)
    assert codes.status(uuid, PC1, NOW) is Status.CANCELLED
    with pytest.raises(NotYours):
        codes.confirm(uuid, "alice", NOW)
    with pytest.raises(NotYours):
        codes.scan(uuid, "mallory", NOW)
    codes.scan(uuid, "alice", NOW)
    assert codes.status(uuid, PC1, NOW) is Status.SCANNED


def test_a_decision_stands(codes: QrCodes) -> None:
    uuid, _ = codes.open("wxweb", PC1, "127.0.0.1", NOW)
    codes.scan(uuid, "alice", NOW)
    codes.confirm(uuid, "alice", NOW)
    for attempt in (codes.scan, codes.confirm, codes.cancel):
        with pytest.raises(NotYours):
            attempt(uuid, "alice", NOW)


def test_after_five_minutes_nothing_is_left_of_it(codes: QrCodes) -> None:
    late = NOW + QR_LIFETIME_S
    waiting, _ = codes.open("wxweb", PC1, "127.0.0.1", NOW)
    confirmed, _ = codes.open("wxweb", PC1, "127.0.0.1", NOW)
    codes.scan(confirmed, "alice", NOW)
    codes.confirm(confirmed, "alice", NOW)
    assert codes.status(confirmed, PC1, late) is Status.EXPIRED
    assert codes.take(confirmed, PC1, late) is None
    assert codes.is_open(waiting, late - 1)
    assert not codes.is_open(waiting, late)
    with pytest.raises(NotYours):
        codes.scan(waiting, "alice", late)


def test_one_place_opens_so_many_a_minute(codes: QrCodes) -> None:
    for _ in range(QR_CODES_PER_MINUTE_MAX):
        codes.open("wxweb", PC1, "192.0.2.7", NOW)
    with pytest.raises(TooMany):
        codes.open("wxweb", PC2, "192.0.2.7", NOW + 59)
    assert codes.open("wxweb", PC1, "127.0.0.1", NOW)
    assert codes.open("wxweb", PC1, "192.0.2.7", NOW + 60)


def test_unknown_codes_are_nobodys(codes: QrCodes) -> None:
    assert codes.status("none", PC1, NOW) is Status.EXPIRED
    assert codes.take("none", PC1, NOW) is None
    with pytest.raises(NotYours):
        codes.scan("none", "alice", NOW)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["scan", "confirm", "cancel", "take"]),
        st.sampled_from(["alice", "mallory"]),
        st.integers(0, 200),
    ),
    max_size=12,
)


@given(STEPS)
def test_whatever_people_do_only_the_first_scanner_who_confirmed_logs_in(
    steps: list[tuple[str, str, int]],
) -> None:
    codes = new_codes()
    uuid, _ = codes.open("wxweb", PC1, "127.0.0.1", NOW)
    now, scanner, agreed, logins = NOW, None, False, 0
    for step, person, pause_s in steps:
        now += pause_s
        if step == "take":
            taken = codes.take(uuid, PC1 if person == "alice" else PC2, now)
            if taken:
                assert agreed
                assert taken.person == scanner
                assert now < NOW + QR_LIFETIME_S
                logins += 1
            continue
        with suppress(NotYours):
            getattr(codes, step)(uuid, person, now)
            scanner = scanner or person
            assert person == scanner
            agreed = step == "confirm"
    assert logins <= 1

"""The key of an identity fits a column of SQL, and tells devices apart by their first 64 bits."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model import DeviceId
from syncd.storage.identities import sender_key

devices = st.text("0123456789abcdef", min_size=24, max_size=24).map(DeviceId)


@pytest.mark.parametrize(
    ("device", "key"),
    [
        ("0" * 24, 0),
        ("0" * 15 + "1" + "f" * 8, 1),
        ("7" + "f" * 23, 2**63 - 1),
        ("8" + "0" * 23, -(2**63)),
        ("f" * 24, -1),
    ],
)
def test_the_first_64_bits_of_a_device(device: str, key: int) -> None:
    assert sender_key(DeviceId(device)) == key


@given(devices, devices)
def test_two_devices_share_a_key_where_their_first_64_bits_are_equal(
    one: DeviceId, other: DeviceId
) -> None:
    assert (sender_key(one) == sender_key(other)) is (one[:16] == other[:16])


@given(devices)
def test_a_key_is_an_integer_of_sql(device: DeviceId) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        [kept] = connection.execute("SELECT ?", (sender_key(device),)).fetchone()
    assert kept == sender_key(device)

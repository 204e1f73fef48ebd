"""People of a play who log in by themselves, in the pretend world: what they are told and keep."""

import pytest

from client_sim.history import (
    Closed,
    Complaint,
    Device,
    Fault,
    History,
    Login,
    Merged,
    Process,
    Revoked,
    Send,
)
from tests.client_sim.scenes import played, told

CAST = {"alice": ("phone", "tablet", "PC1"), "bob": ("laptop",)}


def lived(*steps: str) -> History:
    return played(*steps, cast=CAST, people=("alice", "bob"))


def accounts(history: History, name: str) -> list[str]:
    return [each.account for each in told(history, Device, name=name)]


def test_one_person_on_two_devices() -> None:
    history = lived("phone signs in with app", "PC1 signs in by phone", "tablet signs in with site")
    [account] = accounts(history, "phone")
    assert accounts(history, "PC1") == accounts(history, "tablet") == [account]
    assert account.startswith("p")
    assert not [each for each in told(history, Login) if each.code]


def test_a_guest_that_turns_out_to_be_alice() -> None:
    history = lived(
        "phone signs in with app", "tablet signs in with page", "tablet brings its unionid"
    )
    [account] = accounts(history, "phone")
    guest, later = accounts(history, "tablet")
    assert (guest != account, later) == (True, account)
    [merged] = told(history, Merged)
    assert (merged.guest, merged.account) == (guest, account)
    assert merged.prover == told(history, Device, name="tablet")[0].device


def test_who_is_killed_while_it_logs_in_dies() -> None:
    history = lived(
        "phone signs in with app",
        "phone logs out",
        "at 1 s: phone brings its unionid",
        "at 1.01 s: phone is killed",
        "at 3 s: phone logs in",
    )
    [phone] = {each.device for each in told(history, Device, name="phone")}
    states = [each.state for each in told(history, Process, whose=phone)]
    assert states == ["started", "stopped", "started", "crashed", "started"]


@pytest.mark.parametrize("stroke", ["is set back to its copy", "loses its store"])
def test_a_login_waits_for_what_befalls_the_store(stroke: str) -> None:
    """The app says goodbye for long, as nobody hears it."""
    history = lived(
        "phone signs in with page",
        "phone is copied",
        "at 1 s: phone loses its network",
        f"at 1 s: phone {stroke}",
        "at 3 s: phone signs in with app",
    )
    guest, app = told(history, Device, name="phone")
    assert app.account != guest.account
    [[_, gone, *_], [begun, *_]] = (
        [each.at for each in told(history, Process, whose=device.device)] for device in (guest, app)
    )
    assert gone < app.at <= begun
    restored = told(history, Fault, kind="device_restored")
    assert len(restored) == ("copy" in stroke)
    assert not told(history, Complaint)


def test_a_copy_brings_back_a_device_whose_store_was_just_lost() -> None:
    history = lived(
        "phone signs in with app",
        "phone is copied",
        "at 1 s: phone loses its network",
        "at 1 s: phone loses its store",
        "at 1.1 s: phone is set back to its copy",
        "at 9 s: phone logs in",
    )
    [phone] = {each.device for each in told(history, Device, name="phone")}
    states = [each.state for each in told(history, Process, whose=phone)]
    assert states == ["started", "stopped", "started"]


def test_who_is_not_there_yet_is_not_logged_out_later() -> None:
    history = lived(
        "at 1 s: phone logs out",
        "at 2 s: phone signs in with app",
        "at 3 s: phone is killed",
    )
    assert len(told(history, Fault, kind="device_crash")) == 1


@pytest.mark.parametrize("seed", range(10, 26))
def test_a_guest_comes_home_while_an_operator_merges_it(seed: int) -> None:
    """In some of these worlds the device hears of it first."""
    history = played(
        "phone signs in with app",
        "tablet signs in with page",
        "meanwhile tablet brings its unionid",
        "tablet is merged into alice",
        cast=CAST,
        people=("alice", "bob"),
        seed=seed,
    )
    [account] = accounts(history, "phone")
    guest, *later = accounts(history, "tablet")
    assert [(each.guest, each.account) for each in told(history, Merged)] == [(guest, account)]
    assert set(later) <= {account}


@pytest.mark.parametrize("seed", range(100_110, 100_120))
def test_whoever_a_guest_was_merged_into_may_turn_out_to_be_a_guest(seed: int) -> None:
    """The unionid comes while an operator merges the guest: in some of these worlds Alice's account
    takes all of them in, and her device is answered before the operator."""
    history = played(
        "at 0 s: PC1 signs in with app",
        "at 0 s: PC1 signs in with page",
        "at 1 s: PC1 brings its unionid",
        "at 2 s: PC1 is merged into carol",
        cast={"alice": ("PC1",), "carol": ("phone",)},
        people=("alice",),
        weather={"disk_slow": 0.5},
        seed=seed,
    )
    homes = {each.guest: each.account for each in told(history, Merged)}
    remaining = {each.account for each in told(history, Device) if each.name.startswith("new ")}
    assert remaining == {*homes.values()} - homes.keys()


def test_names_stand_for_whatever_account_somebody_is_in() -> None:
    history = lived(
        "phone signs in with app",
        "tablet signs in with page",
        "laptop signs in with app",
        "laptop sends 1 to alice",
        "laptop sends 1 to tablet",
        "all settle",
    )
    [bob], [alice], [guest] = (accounts(history, name) for name in ("laptop", "phone", "tablet"))
    to = [set(each.to) for each in told(history, Send, whom="laptop", by="device")]
    assert to[:2] == [{bob, alice}, {bob, guest}]


def test_who_is_not_there_does_nothing() -> None:
    history = lived(
        "phone signs in with app",
        "PC1 sends 1 to alice",
        "PC1 signs in with the code of tablet",
        "tablet brings its unionid",
        "tablet signs in by PC1",
    )
    assert {each.name for each in told(history, Login)} == {"phone"}


def test_a_lost_store_loses_what_proved_the_device() -> None:
    history = lived("phone signs in with app", "phone loses its store", "phone signs in with app")
    one, other = told(history, Device, name="phone")
    assert (one.device != other.device, one.account) == (True, other.account)


def test_nobody_writes_the_same_again_whatever_was_lost() -> None:
    """Two messages may get one name then; the judges tell them apart by what they say."""
    history = lived(
        "phone signs in with app",
        "laptop signs in with app",
        "phone sends 2 to bob",
        "phone loses its store",
        "phone signs in with app",
        "phone sends 2 to bob",
    )
    bodies = [each.body for each in told(history, Send)]
    assert len(bodies) >= 4
    assert len(set(bodies)) == len(bodies)


def test_a_copy_of_a_store_holds_the_device_that_it_was() -> None:
    history = lived(
        "phone signs in with app",
        "phone is copied",
        "phone loses its store",
        "phone signs in with app",
        "phone is set back to its copy",
        "phone logs in",
    )
    first, second, third = told(history, Device, name="phone")
    assert first.device == third.device != second.device


@pytest.mark.parametrize("seed", range(8))
def test_what_waits_for_a_device_goes_on_in_order(seed: int) -> None:
    history = played(
        "at 0 s: phone is copied",
        "at 0.05 s: phone is set back to its copy",
        "at 0.1 s: phone signs in with app",
        cast=CAST,
        people=("alice", "bob"),
        seed=seed,
    )
    assert told(history, Fault, kind="device_restored")


def test_signed_out_everywhere_until_the_next_login() -> None:
    history = lived(
        "phone signs in with app",
        "PC1 signs in by phone",
        "alice is signed out everywhere",
        "PC1 signs in with app",
    )
    ended = {each.device for each in told(history, Revoked) if each.until_login}
    assert ended == {each.device for each in told(history, Device) if each.name in ("phone", "PC1")}
    assert {each.code for each in told(history, Closed, by="device")} >= {"signed_out"}
    assert len(accounts(history, "PC1")) == 2


def test_what_the_service_refuses_is_told() -> None:
    history = lived(
        "phone signs in with app",
        "PC1 signs in with the code of phone",
        "laptop signs in with app",
        "bob is merged into bob",
        "bob is merged into alice",
    )
    codes = [(each.name, each.code) for each in told(history, Login) if each.code]
    assert codes == [("PC1", "code_used"), ("bob", "merge_refused")]

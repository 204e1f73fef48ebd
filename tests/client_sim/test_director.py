"""The course of a play: order, moments, what is mended, and who bears witness at the end."""

from __future__ import annotations

import pytest

from client_sim.director import FAREWELL
from client_sim.history import (
    Answer,
    Complaint,
    Device,
    Fault,
    Holds,
    Log,
    Phase,
    Process,
    Send,
    Step,
    Verdict,
)
from client_sim.house import CannotDo
from tests.client_sim.scenes import after, device, played, told


def test_sentences_are_said_in_the_order_of_their_moments() -> None:
    history = played(
        "at 3 s: PC1 sends 1 to bob",
        "at 1 s: PC1 logs in",
        "at 2 s: phone logs in",
        "phone sends 1 to alice",
    )
    assert [each.sentence for each in told(history, Step)] == [
        "at 1 s: PC1 logs in",
        "at 2 s: phone logs in",
        "phone sends 1 to alice",
        "at 3 s: PC1 sends 1 to bob",
    ]
    [began] = told(history, Phase, name="storm")
    due = [began.at + moment for moment in (1, 2, 2, 3)]
    said = [each.at for each in told(history, Step)]
    assert all(at >= moment for at, moment in zip(said, due, strict=True))


def test_meanwhile_is_not_waited_for() -> None:
    steps = ("PC1 loses its network", "meanwhile PC1 logs in", "phone logs in")
    history = played(*steps)
    *_, meanwhile, last = told(history, Step)
    assert meanwhile.at == last.at


def test_what_is_done_is_over_when_the_next_is() -> None:
    history = played("PC1 logs in", "PC1 sends 5 to bob", "PC1 logs out")
    logs_out = told(history, Step)[-1]
    [phase] = told(history, Phase, name=FAREWELL)
    answered = [each.message for each in told(history, Answer) if each.at <= logs_out.at]
    sent = [each.message for each in told(history, Send) if each.at < phase.at]
    assert sent == answered


def test_groups_are_made_before_and_nobody_is_logged_in() -> None:
    history = played("PC2 logs in", groups={"team": ("bob", "alice")})
    [began] = told(history, Phase, name="storm")
    [made] = [each for each in told(history, Send) if each.conversation == "team"]
    assert made.device == device(history, "phone")
    before = history.records[: history.records.index(began)]
    states = [each.state for each in before if isinstance(each, Process)]
    assert states == ["started", "started", "stopped"]  # the server, the phone


@pytest.mark.parametrize(
    "sentence",
    [
        "the server is killed",
        "the server stops",
        "the server is frozen",
        "the disk is full",
        "the disk is slow",
        "PC1 loses its network",
        "PC1 stops reading",
        "PC1 has 400 ms of delay",
        "PC1 is killed",
        "PC1 is cut after 5 bytes",
    ],
)
def test_the_calm_mends_everything(sentence: str) -> None:
    steps = ("PC1 logs in", "phone logs in")
    for last in (sentence, f"at 1 s: {sentence}"):
        history = played(*steps, last, "meanwhile PC1 sends 2 to bob")
        assert all(each.online and not each.waiting for each in told(history, Holds))
        heads = {each.account: each.head for each in told(history, Log)}
        accounts = {each.device: each.account for each in told(history, Device)}
        assert all(each.seq == heads[accounts[each.device]] for each in told(history, Holds))
        assert not told(history, Complaint)


def test_a_new_device_of_each_account_bears_witness() -> None:
    history = played("PC1 logs in", "PC1 sends 3 to bob")
    names = [each.name for each in told(history, Device)]
    assert names == ["PC1", "PC2", "phone", "new device of alice", "new device of bob"]
    for witness in names[3:]:
        [verdict] = told(history, Verdict, whom=witness)
        assert (verdict.start, verdict.missed) == (0, 3)


def test_two_devices_of_every_account_say_farewell() -> None:
    history = played("PC1 logs in", "PC1 is revoked")
    [phase] = told(history, Phase, name=FAREWELL)
    farewells = {each.device: each.to for each in after(history, phase, Send)}
    assert device(history, "PC1") not in farewells
    assert farewells[device(history, "PC2")] == ("alice",)
    assert farewells[device(history, "phone")] == ("bob",)


def test_what_befalls_processes_and_stores_is_told() -> None:
    history = played(
        "PC2 is killed",
        "PC1 logs in",
        "PC1 sends 1 to bob",
        "PC1 is copied",
        "PC1 is cloned as PC9",
        "PC1 is killed",
        "PC1 is set back to its copy",
        "PC1 logs in",
        "PC1 loses its store",
    )
    befell = [(each.kind, each.target) for each in told(history, Fault)]
    assert befell == [("clone", "PC1"), ("device_crash", "PC1"), ("device_restored", "PC1")]
    named = {each.name: each.device for each in told(history, Device)}
    assert named["PC9"] == named["PC1"]


def test_the_service_writes_and_keeps() -> None:
    steps = ("the service sends 3 to alice", "alice keeps 1", "the clock jumps by -60 s")
    history = played(*steps, "2 s pass", "PC1 is cut")
    [log, _] = told(history, Log)
    assert (log.floor, log.head) == (2, 6)


def test_what_cannot_be_done_ends_the_play() -> None:
    for sentence in ("the backup is restored", "at 1 s: the backup is put back by hand"):
        with pytest.raises(CannotDo):
            played("PC1 logs in", sentence)

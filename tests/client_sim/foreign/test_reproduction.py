"""`client-sim reproduce --against`: what it measures, says and gives as its status."""

import json
import sys

import pytest

from client_sim.__main__ import main
from client_sim.foreign import adapter
from client_sim.foreign.reproduction import Measured, Setting
from tests.client_sim.foreign.peers import needs

BOTH = Setting("prosody-archive", "message archive", (), ("PC1", "PC2"))


@needs("prosody")
def test_the_founding_bug_at_prosody(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--against", "prosody", "--messages", "5", "--json"]) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert told["as_found"]
    assert [(each["PC1"], each["PC2"]) for each in told["played"]] == [(5, 0), (5, 5)]
    assert "PC2 misses all 5" in printed.err
    assert "The founding bug is there" in printed.err


@needs("mosquitto")
def test_sessions_of_mosquitto(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--against", "mosquitto", "--messages", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(each["PC1"], each["PC2"]) for each in told["played"]] == [(3, 0), (3, 3)]


def test_a_peer_that_is_not_installed_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = "import sys; sys.exit('prosody is not installed here')"
    shipped = {**adapter.SHIPPED, "prosody": (sys.executable, "-c", absent)}
    monkeypatch.setattr(adapter, "SHIPPED", shipped)
    assert main(["reproduce", "--against", "prosody"]) == 1
    assert "prosody is not installed here" in capsys.readouterr().err


def test_what_makes_no_sense_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--against", "prosody", "--server-command", "syncd"]) == 2
    assert "no --server-command" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("held", "doubled", "words", "as_found"),
    [
        ((5, 5), (0, 0), "all complete", True),
        ((5, 0), (0, 0), "PC2 misses all 5", False),
        ((3, 5), (0, 0), "PC1 misses 2 of 5", False),
        ((5, 5), (1, 0), "PC1 has 1 twice", False),
    ],
)
def test_what_was_measured_in_words(
    held: tuple[int, int], doubled: tuple[int, int], words: str, as_found: bool
) -> None:
    names = ("PC1", "PC2")
    measured = Measured(
        BOTH,
        "a server",
        5,
        dict(zip(names, held, strict=True)),
        dict(zip(names, doubled, strict=True)),
    )
    assert (measured.words(), measured.as_found) == (words, as_found)

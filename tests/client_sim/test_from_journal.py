"""The command: a recording of the founding bug fails again, where it failed."""

from pathlib import Path

import pytest

from client_sim import play as plays
from client_sim.__main__ import main
from client_sim.history import Begin, Device, Record, encode
from tests.client_sim.retelling.told import connect, device, sent


def founding_bug(scope: str) -> list[Record]:
    return [
        Begin(world="recorded", versions=("syncd 1", f"cursor scope {scope}")),
        *(device(1.0, name, "alice") for name in ("PC1", "PC2")),
        device(1.0, "laptop", "bob", "laptop"),
        *connect(2.0, "laptop", 1),
        *sent(2.5, "laptop", 1, "alice~bob", "alice bob"),
        *connect(4.0, "PC1", 2),
        *connect(6.0, "PC2", 3),
    ]


@pytest.mark.parametrize(("scope", "status"), [("device", 0), ("platform", 1)])
def test_it_plays_what_was_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scope: str, status: int
) -> None:
    journal, output = tmp_path / "server.jsonl", tmp_path / "again.toml"
    journal.write_bytes(b"".join(map(encode, founding_bug(scope))))
    assert main(["from-journal", str(journal), "-o", str(output), "--seeds", "3"]) == status
    said = " ".join(capsys.readouterr().out.split())
    assert plays.load(str(output)).cast["alice"] == ("PC1", "PC2")
    assert "3 seeds from 1 on" in said
    assert ("explicit-gap fails in 3" in said) is (status == 1)
    assert ("replay: client-sim run" in said) is (status == 1)


@pytest.mark.parametrize("text", [b"no record\n", b"", encode(Device(device="a", account="b"))])
def test_what_is_no_recording_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: bytes
) -> None:
    journal = tmp_path / "server.jsonl"
    journal.write_bytes(text)
    assert main(["from-journal", str(journal), "-o", str(tmp_path / "again.toml")]) == 2
    assert "client-sim from-journal: " in capsys.readouterr().err
    assert main(["from-journal", str(tmp_path / "nowhere")]) == 2

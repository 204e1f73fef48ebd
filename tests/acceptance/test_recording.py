"""A real server that is recorded: killed and started again, judged, and nobody's secret kept."""

import signal
from pathlib import Path
from typing import Any

from client_sim import history
from client_sim.history import Answer, Process
from client_sim.judging.court import judge
from client_sim.judging.verdict import Ruling
from syncd.wire.frames import Message, Send
from tests.acceptance.test_secrets import BODY, CODEC, talk


async def test_a_recording_outlives_kill_9_and_holds_no_secret(
    start_server: Any, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    server = start_server("--journal", str(journal))
    token, key = server.token("alice"), server.key()
    server.token("bob")
    for number in (1, 2):
        message = Message(number, 1, "alice~bob", None, BODY.encode())
        await talk(server.websocket_url, token, CODEC.encode(Send((message,))))
        server.stop(signal.SIGKILL)
        server.start("--journal", str(journal))
    assert server.stop() == 0

    records = history.read(journal)
    states = [each.state for each in records if isinstance(each, Process)]
    assert states == ["started"] * 3 + ["stopped"]
    assert any(isinstance(each, Answer) for each in records)
    judgement = judge(records)
    assert judgement.ruling is Ruling.TRUE, judgement
    text = journal.read_text()
    assert not any(secret in text for secret in (token, token[4:24], key, BODY))


def test_a_journal_that_is_none_is_refused(commands: Any, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine\n")
    refused = commands.run("serve", "--port", "0", "--journal", str(notes))
    assert refused.returncode != 0
    assert "no record of a journal" in refused.stderr
    assert notes.read_text() == "mine\n"

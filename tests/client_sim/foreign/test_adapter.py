"""Adapters that answer, and all the ways in which one may fail to."""

import asyncio
import os
import select
import sys
from pathlib import Path

import pytest

from client_sim.foreign import adapter
from client_sim.foreign.adapter import AdapterFailed, Introduction, Refused, command_of, started
from tests.client_sim.foreign.peers import TEMPLATE, template_with

ANSWERS = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    {answer}
"""


def answering(answer: str) -> tuple[str, ...]:
    return sys.executable, "-c", ANSWERS.format(answer=answer)


async def introduced(command: tuple[str, ...]) -> Introduction:
    async with started(command) as running:
        return await running.hello()


async def test_the_template_says_what_it_is() -> None:
    said = await introduced(command_of(TEMPLATE))
    assert said == Introduction("a dictionary", frozenset({"ack"}))


async def test_all_that_may_be_said_of_oneself_is_heard(tmp_path: Path) -> None:
    more = {'"can": ["ack"]': '"can": ["forget"], "since": "first login", "quiet_ms": 7'}
    said = await introduced(command_of(template_with(tmp_path, more)))
    assert said == Introduction("a dictionary", frozenset({"forget"}), True, 7)


def test_shipped_adapters_have_names() -> None:
    assert command_of("prosody-archive")[-2:] == ("client_sim.foreign.prosody", "--archive")
    assert command_of("python3 'my adapter.py'") == ("python3", "my adapter.py")


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ("sys.exit('no server here')", r"ended at \{\"id\": 1, .*\nno server here"),
        ("print('hello', flush=True)", "gave no JSON object as answer"),
        ("print('[]', flush=True)", "gave no JSON object as answer"),
        ('print(\'{"id": 9, "ok": true}\', flush=True)', "gave no answer to"),
        ("print('{\"id\": 1}', flush=True)", "gave no answer to"),
        ('print(\'{"id": 1, "ok": true}\', flush=True)', "nobody understands: KeyError"),
        ('print(\'{"id": 1, "ok": false, "error": "too old"}\', flush=True)', "too old"),
    ],
)
async def test_what_is_no_answer_is_shown_with_its_line(answer: str, complaint: str) -> None:
    with pytest.raises(AdapterFailed, match=complaint):
        await introduced(answering(answer))


async def test_a_hanging_adapter_is_named_with_the_line_it_hangs_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(adapter, "ANSWER_TIMEOUT_S", 0.01)
    with pytest.raises(AdapterFailed, match=r'gave no answer in 0 s to {"id": 1, "do": "hello"'):
        await introduced(answering("pass"))


async def test_a_command_that_cannot_be_run_is_told() -> None:
    with pytest.raises(AdapterFailed, match="cannot run the adapter"):
        await introduced(("/no/such/adapter",))


@pytest.mark.parametrize("text", ["'", " ", ""])
def test_what_is_no_command_is_told(text: str) -> None:
    with pytest.raises(AdapterFailed, match="is no command"):
        command_of(text)


async def test_one_that_never_stops_talking_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "END_TIMEOUT_S", 0.01)
    monkeypatch.setattr(adapter, "LINE_BYTES_MAX", 1024)
    talking = "import sys\nwhile True: sys.stdout.write('hello\\n')"
    with pytest.raises(AdapterFailed, match="gave no JSON object"):
        await introduced((sys.executable, "-c", talking))


async def test_a_refusal_is_not_a_failure() -> None:
    async with started(command_of(TEMPLATE)) as running:
        with pytest.raises(Refused, match="KeyError"):
            await running.ask("send", account="a", device="d", to="b", message="m", body="")
        await running.hello()


async def test_requests_wait_for_one_another() -> None:
    async with started(command_of(TEMPLATE)) as running:
        asked = [running.ask("hello", version=1) for _ in range(20)]
        answers = await asyncio.gather(*asked)
    assert [each["id"] for each in answers] == list(range(1, 21))


async def test_one_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "END_TIMEOUT_S", 0.01)
    never = "import threading; threading.Event().wait()"
    async with started((sys.executable, "-c", never)) as running:
        pass
    assert running.over


async def test_what_a_dead_adapter_left_behind_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "END_TIMEOUT_S", 0.01)
    waiting = "import threading; threading.Event().wait()"
    leaving = (
        "import json, subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {waiting!r}])\n"
        "print(json.dumps({'id': 1, 'ok': True, 'name': 'gone', 'child': child.pid}))"
    )
    async with started((sys.executable, "-c", leaving)) as running:
        left = os.pidfd_open((await running.ask("hello", version=1))["child"])
    # The descriptor of a process is ready to read when the process has ended.
    assert select.select([left], [], [], 30) == ([left], [], [])
    os.close(left)

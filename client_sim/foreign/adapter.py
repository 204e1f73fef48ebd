"""An adapter as the simulator sees it: a child process that answers one line with one line.

ADAPTERS.md is the page for whoever writes one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

from client_sim.house import CannotDo

VERSION = 1
BEGINNING, FIRST_LOGIN = "beginning", "first login"
"""Since when a server owes a device its account's messages."""
ANSWER_TIMEOUT_S = 30.0
"""A server may start within one answer; what takes longer than this hangs."""
END_TIMEOUT_S = 5.0
LINE_BYTES_MAX = 64 * 1024 * 1024
"""One answer may hold all messages of an account."""
QUIET_MS_DEFAULT = 100
STDERR_LINES = 20

SHIPPED: Final[Mapping[str, tuple[str, ...]]] = {
    "prosody": (sys.executable, "-m", "client_sim.foreign.prosody"),
    "prosody-archive": (sys.executable, "-m", "client_sim.foreign.prosody", "--archive"),
    "mosquitto": (sys.executable, "-m", "client_sim.foreign.mosquitto"),
}
"""Adapters that come with the program, by the names that stand for their commands."""


class AdapterFailed(CannotDo):
    """The adapter died, hung, or said what is no answer. The text holds the line it was about."""


class Refused(Exception):
    """The adapter answered that it could not do that; whether it was done all the same, as where a
    connection broke in between, nobody knows."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """What an adapter says of itself. can: what it does beside the doings that all must do.

    since_login: its server owes a device nothing from before its first login.
    quiet_ms: a pull that waited so long in vain has everything there is.
    """

    name: str
    can: frozenset[str]
    since_login: bool = False
    quiet_ms: int = QUIET_MS_DEFAULT


def command_of(text: str) -> tuple[str, ...]:
    """The words of `--adapter`: a shipped adapter's name, or a command line.

    Raises AdapterFailed where that is none.
    """
    try:
        words = SHIPPED.get(text) or tuple(shlex.split(text))
    except ValueError as error:
        raise AdapterFailed(f"{text!r} is no command: {error}") from None
    if not words:
        raise AdapterFailed(f"{text!r} is no command")
    return words


class Adapter:
    """One running adapter; made by `started`, which also ends it."""

    def __init__(self, process: Process, said: str, errors: IO[bytes]) -> None:
        self._process, self._said, self._errors = process, said, errors
        self._turn = asyncio.Lock()
        self._requests = 0

    async def hello(self) -> Introduction:
        """Let it say what it is. Raises AdapterFailed."""
        try:
            answer = await self.ask("hello", version=VERSION)
        except Refused as error:
            raise self._failed(f"refused to begin: {error}") from None
        try:
            since = {BEGINNING: False, FIRST_LOGIN: True}[answer.get("since", BEGINNING)]
            can = frozenset(str(each) for each in answer.get("can", ()))
            quiet_ms = int(answer.get("quiet_ms", QUIET_MS_DEFAULT))
            return Introduction(str(answer["name"]), can, since, quiet_ms)
        except (KeyError, TypeError, ValueError) as error:
            raise self._failed(f"says of itself what nobody understands: {error!r}") from None

    async def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """One request and its answer; callers wait for one another.

        Raises Refused where the adapter says so, and AdapterFailed.
        """
        async with self._turn:
            self._requests += 1
            line = json.dumps({"id": self._requests, "do": do, **fields})
            answer = await self._exchange(line)
        if answer.get("id") != self._requests or not isinstance(answer.get("ok"), bool):
            raise self._failed(f"gave no answer to {line}, but {json.dumps(answer)}")
        if not answer["ok"]:
            raise Refused(str(answer.get("error", "")))
        return answer

    @property
    def over(self) -> bool:
        """Whether its process has ended."""
        return self._process.returncode is not None

    async def end(self) -> None:
        """Let it end by itself, and end it where it does not; what it left behind ends, too."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._ended(), END_TIMEOUT_S)
        except TimeoutError:
            self._sweep()
            await self._ended()
        self._sweep()

    async def _ended(self) -> None:
        # Its process counts as running until the last of what it said was read.
        assert self._process.stdout is not None
        while await self._process.stdout.read(LINE_BYTES_MAX):
            pass
        await self._process.wait()

    def _sweep(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _exchange(self, line: str) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(line.encode() + b"\n")
            await stdin.drain()
            said = await asyncio.wait_for(stdout.readline(), ANSWER_TIMEOUT_S)
        except TimeoutError:
            raise self._failed(f"gave no answer in {ANSWER_TIMEOUT_S:.0f} s to {line}") from None
        except (OSError, ValueError) as error:
            raise self._failed(f"broke off at {line}: {error}") from None
        if not said:
            raise self._failed(f"ended at {line}")
        try:
            answer = json.loads(said)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._failed(f"gave no JSON object as answer to {line}, but {said!r}")
        return answer

    def _failed(self, what: str) -> AdapterFailed:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").splitlines()[-STDERR_LINES:]
        return AdapterFailed("\n".join([f"the adapter ({self._said}) {what}", *lines]))


@contextlib.asynccontextmanager
async def started(command: Sequence[str]) -> AsyncIterator[Adapter]:
    """A running adapter; it ends with the block, and so does what it started in its own session.

    Raises AdapterFailed.
    """
    said = shlex.join(command)
    with tempfile.TemporaryFile() as errors:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
                limit=LINE_BYTES_MAX,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise AdapterFailed(f"cannot run the adapter {said}: {error}") from None
        adapter = Adapter(process, said, errors)
        try:
            yield adapter
        finally:
            await adapter.end()

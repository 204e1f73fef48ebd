"""How a server's process comes to be: by its command, or in a nursery (nursery.py)."""

from __future__ import annotations

import asyncio
import os
from asyncio import StreamReader
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from typing import IO, Protocol


class Process(Protocol):
    """One process that was started; asyncio's own is one."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None:
        """None until its end is known."""

    @property
    def stdout(self) -> StreamReader | None:
        """What it says."""

    async def wait(self) -> int:
        """Wait for its end; its exit status, negative for a signal."""


class Program(Protocol):
    """Something that starts processes of one program."""

    async def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]
    ) -> Process:
        """A process with these arguments; its standard error goes to `log`, and `environment` is
        added to ours. Raises OSError."""


class Command:
    """See Program: the words that start it."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(words)

    async def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]
    ) -> Process:
        return await asyncio.create_subprocess_exec(
            *self._words,
            *arguments,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=log,
            env={**os.environ, **environment},
        )

"""A PC that is killed (-9) in the middle of its first sync, and started again with its store.

Such a PC is a process of its own, `client-sim pc`, because only a process can be killed. It
stands still in the middle by itself: nobody reads what it prints, so its screen (a pipe) fills
up and it hangs, with some of its messages stored, some on the way, and most not yet sent.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from client_sim.installation import SYNC_TIMEOUT_S, Installation
from client_sim.live_server import signal_to
from client_sim.measured import Happening, Line, Moment
from client_sim.pc import TOKEN_VARIABLE
from client_sim.shelves import stored_lines
from client_sim.stage import Stage
from syncd.client import SqliteStore
from syncd.limits import WINDOW_BYTES_MIN

MESSAGES_MIN = 600
TEXT_CHARACTERS = 1500
"""Together close to a megabyte: many small windows, and far more than pipes and buffers hold."""
SCREEN_BUFFER_BYTES = 4096
ENTRY = re.compile(rb"\[(\d+)\] ")
WARNING = b"! "
CURRENT = b"= caught up"

assert WINDOW_BYTES_MIN * 4 < MESSAGES_MIN * TEXT_CHARACTERS
assert TEXT_CHARACTERS < SCREEN_BUFFER_BYTES


@dataclass
class Screen:
    """What one run of the PC showed: seqs in order, warnings, whether it said it was current."""

    seqs: list[int] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    current: bool = False

    def take(self, line: bytes) -> None:
        """Note one line of its output."""
        if found := ENTRY.match(line):
            self.seqs.append(int(found[1]))
        if line.startswith(WARNING):
            self.warnings.append(line.removeprefix(WARNING).decode(errors="replace").strip())
        self.current = self.current or line.startswith(CURRENT)


async def run_killed(stage: Stage, count: int) -> None:
    """Play it on `stage`: PC1 reads everything, then PC2 is killed in its first sync."""
    first, second = await stage.install("PC1"), await stage.install("PC2")
    await stage.arrive(max(count, MESSAGES_MIN), characters=TEXT_CHARACTERS)
    await stage.visit(first)
    cursor = await stage.cursor(second)
    before = await _first_run(second)
    held = await _stored(second)
    after = await _second_run(second)
    lines = await _stored(second)
    stage.moments += [
        Moment(Happening.LOGGED_IN, second.name, len(held), cursor),
        Moment(Happening.KILLED, second.name, len(held)),
        Moment(Happening.LOGGED_IN, second.name, len(lines) - len(held), len(held)),
    ]
    # Once more, from here: does the server agree with what the store says?
    await second.login()
    await second.logout()
    if stage.scene.verify_start and not 0 < len(held) < len(stage.due):
        second.trouble.append(f"held {len(held)} when killed: that was not in the middle")
    second.trouble += troubles(lines, before, after)
    second.check += before.warnings + after.warnings
    # What it showed is known from its screens; what it holds, from its store.
    second.lines = lines


def troubles(lines: list[Line], before: Screen, after: Screen) -> list[str]:
    """What is wrong between what a PC holds and what it showed before and after it was killed."""
    found = []
    hidden = {line.seq for line in lines} - {*before.seqs, *after.seqs}
    if hidden:
        found.append(f"stored {len(hidden)} messages that it never showed")
    if any(later <= earlier for earlier, later in pairwise(after.seqs)):
        found.append("showed messages twice or out of order after its restart")
    if not after.current:
        found.append("was not current in time after its restart")
    return found


async def _first_run(who: Installation) -> Screen:
    """Start it, see it begin (or say that it is current), and kill it."""
    async with _run(who) as (process, screen):
        await _read(process, screen, lambda: bool(screen.seqs) or screen.current)
    return screen


async def _second_run(who: Installation) -> Screen:
    """Start it again and let it come to its end."""
    async with _run(who) as (process, screen):
        await _read(process, screen, lambda: screen.current)
        assert process.stdin is not None
        process.stdin.write(b"quit\n")
        await _read(process, screen, lambda: False)
    return screen


@asynccontextmanager
async def _run(who: Installation) -> AsyncIterator[tuple[Process, Screen]]:
    """`client-sim pc` on the device's store, and its screen; killed at the end of the block.

    The token travels in the environment: process lists show arguments to everybody.
    """
    check = () if who.verify_start else ("--no-check",)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "client_sim", "pc", "--url", who.url),
        *("--store", str(who.store), "--window", str(WINDOW_BYTES_MIN), *check),
        stdin=PIPE,
        stdout=PIPE,
        limit=SCREEN_BUFFER_BYTES,
        env={**os.environ, TOKEN_VARIABLE: who.token},
    )
    screen = Screen()
    try:
        yield process, screen
    finally:
        signal_to(process, signal.SIGKILL)
        # What it had printed before it died stays readable.
        await _read(process, screen, lambda: False)
        await process.wait()


async def _read(process: Process, screen: Screen, enough: Callable[[], bool]) -> None:
    """Read its output until `enough`, its end, or the time is up: all three are measured."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SYNC_TIMEOUT_S):
            while not enough() and (line := await process.stdout.readline()):
                screen.take(line)
    except TimeoutError:
        return


async def _stored(who: Installation) -> list[Line]:
    store = SqliteStore(who.store)
    await store.open()
    try:
        return await stored_lines(store)
    finally:
        await store.close()

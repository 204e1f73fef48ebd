"""Lines of standard input for an event loop: from a terminal, a pipe or a file alike."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator

_CHUNK_BYTES = 4096


async def typed_lines(descriptor: int = 0) -> AsyncIterator[str]:
    """Every line of the open file `descriptor`, without its end, until the file ends.

    A thread of its own reads: event loops cannot wait for plain files, and switching a terminal
    to non-blocking would change it for everybody who shares it. The thread reads the descriptor
    itself, because a thread that waits inside sys.stdin would spoil the end of the program.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def give(line: str | None) -> bool:
        try:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        except RuntimeError:  # the loop is closed: nobody wants to know any more
            return False
        return True

    def read() -> None:
        rest = b""
        while chunk := _read(descriptor):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                if not give(line.decode(errors="replace").rstrip("\r")):
                    return
        if rest:
            give(rest.decode(errors="replace"))
        give(None)

    threading.Thread(target=read, name="keyboard", daemon=True).start()
    while (line := await lines.get()) is not None:
        yield line


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _CHUNK_BYTES)
    except OSError:  # a closed or lost terminal ends the input
        return b""

"""The admin socket: how a command reaches the store while the server holds it.

A Unix socket in the data folder, for the folder's owner alone; one JSON object a line in each
direction. Without a running server a command performs the same requests itself, on the store that
it opened under the store's lock: there are never two writers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from syncd import errors
from syncd.identity.words import Declined
from syncd.server.logs import redacted
from syncd.server.requests import Answer, Erase, Import, Remap, Request, Sweep, read_request

log = logging.getLogger(__name__)

SOCKET_NAME = "admin.sock"
_LINE_BYTES_MAX = 16 * 1024
_ANSWER_TIMEOUT_S = 30.0
"""A command waits for one fsync at most, and the disk may be slow."""

_LONG_ANSWER_TIMEOUT_S = 3600.0
"""For what goes over a whole log or a whole store."""

_OUR_CLEANUP: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""Since 3.13 asyncio removes a socket by the name that it was bound to; ours is gone by then."""


# ------------------------------------------------------------ the server's end


class AdminSocket:
    """Listens in a folder whose store this process holds: a socket found there is a dead one's."""

    def __init__(self, folder: Path, perform: Callable[[Request], Awaitable[Answer]]) -> None:
        self._folder = folder
        self._perform = perform
        self._server: asyncio.Server | None = None
        self._answering: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Listen. Raises OSError."""
        with _short_path(self._folder) as path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                listener.bind(path)
                # Between bind and listen nobody can connect yet.
                os.chmod(path, 0o600)
                self._server = await asyncio.start_unix_server(
                    self._serve, sock=listener, limit=_LINE_BYTES_MAX, **_OUR_CLEANUP
                )
            except BaseException:
                listener.close()
                raise

    async def close(self) -> None:
        """Stop listening and hang up."""
        if self._server is None:
            return
        self._server.close()
        for task in tuple(self._answering):
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)
        with _short_path(self._folder) as path, contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            while line := await reader.readline():
                answer = await self._answer(line)
                writer.write(msgspec.json.encode(answer) + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):  # gone, or a line without an end
            pass
        finally:
            self._answering.discard(task)
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = read_request(line)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            return {"error": errors.BAD_REQUEST.name, "text": redacted(str(error))}
        try:
            log.info("< admin: %s", type(request).__name__.lower())
            return {"ok": await self._perform(request)}
        except Declined as declined:
            return {"error": declined.refusal.name, "text": redacted(str(declined))}
        except Exception:
            log.exception("! an admin request failed")
            return {"error": errors.INTERNAL.name, "text": errors.INTERNAL.text}


@contextmanager
def _short_path(folder: Path) -> Iterator[str]:
    """A name of the socket in `folder` that fits the 108 bytes of a Unix address, for a while."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET_NAME}"
    finally:
        os.close(descriptor)


# ------------------------------------------------------------ the command's end


class NobodyAnswers(Exception):
    """No server listens in this folder."""


def ask(folder: Path, request: Request) -> Answer:
    """What the server that holds the store of `folder` answers.

    Blocks: a command has nothing else to do. Raises NobodyAnswers when no server listens there,
    and OSError when one does but breaks off.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        takes_long = isinstance(request, Erase | Import | Sweep | Remap)
        line.settimeout(_LONG_ANSWER_TIMEOUT_S if takes_long else _ANSWER_TIMEOUT_S)
        try:
            with _short_path(folder) as path:
                line.connect(path)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
            raise NobodyAnswers(str(folder)) from error
        line.sendall(msgspec.json.encode(request) + b"\n")
        with line.makefile("rb") as answers:
            answer = answers.readline()
    if not answer.endswith(b"\n"):
        raise ConnectionResetError("the server broke off")
    decoded: Answer = msgspec.json.decode(answer, type=dict[str, Any])
    return decoded

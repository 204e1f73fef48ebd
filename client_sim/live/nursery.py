"""Server processes within milliseconds: one process has imported the program and forks on request.

Each child is a process of its own, in which the program's `main` runs from its beginning; what is
spared is Python's start and a thousand imports. Crash points need thousands of such lives.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import socket
import subprocess
import sys
from asyncio import StreamReader
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, NoReturn

_MESSAGE_BYTES_MAX = 65_536
_PROGRAM = "syncd.__main__"


class Nursery:
    """See program.Program. To be used as a block; its children are their owners' to end."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """environment: what the forking process itself needs beside ours: a library to preload."""
        self._environment = dict(environment or {})
        self._socket: socket.socket | None = None
        self._forking: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Nursery:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._forking = subprocess.Popen(
                (sys.executable, "-m", __name__, str(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
                env={**os.environ, **self._environment},
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._socket is not None
        assert self._forking is not None
        self._socket.close()
        self._forking.wait()

    async def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]
    ) -> Child:
        """A child that runs the program with these arguments; its standard error goes to `log`."""
        reading, writing = os.pipe()
        try:
            asked = {"arguments": list(arguments), "environment": dict(environment)}
            pid = self._ask(asked, (writing, log.fileno()))
        finally:
            os.close(writing)
        stdout = StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stdout), os.fdopen(reading, "rb", 0)
        )
        return Child(pid, stdout, self)

    def status(self, pid: int) -> int:
        """The exit status of a child that has ended; negative for a signal. To be asked once."""
        return self._ask({"ended": pid})

    def _ask(self, asked: Mapping[str, object], descriptors: Sequence[int] = ()) -> int:
        assert self._socket is not None
        socket.send_fds(self._socket, [json.dumps(asked).encode()], descriptors)
        return int(self._socket.recv(_MESSAGE_BYTES_MAX))


class Child:
    """A process of the nursery: what asyncio's Process is for one of our own."""

    def __init__(self, pid: int, stdout: StreamReader, nursery: Nursery) -> None:
        self.pid, self.stdout = pid, stdout
        self.returncode: int | None = None
        self._nursery = nursery
        self._ended = asyncio.Event()
        self._handle = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._handle, self._end)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        self.returncode = self._nursery.status(self.pid)
        self._ended.set()

    async def wait(self) -> int:
        """Wait for its end; its exit status."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode


# ------------------------------------------------------------ the process that forks


def _fork_on_request(requests: socket.socket) -> None:
    importlib.import_module(_PROGRAM)
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, _MESSAGE_BYTES_MAX, 2)
        if not message:
            return
        asked = json.loads(message)
        if "ended" in asked:
            answer = os.waitstatus_to_exitcode(os.waitpid(asked["ended"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                requests.close()
                _be_the_program(asked["arguments"], asked["environment"], descriptors)
        for each in descriptors:
            os.close(each)
        requests.send(str(answer).encode())


def _be_the_program(
    arguments: list[str], environment: dict[str, str], descriptors: list[int]
) -> NoReturn:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for place, descriptor in enumerate((nothing, *descriptors)):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.environ.update(environment)
    status = 1
    try:
        status = importlib.import_module(_PROGRAM).main(arguments)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _fork_on_request(socket.socket(fileno=int(sys.argv[1])))

"""The proxy as a command: what it says, and what it does to a connection."""

import argparse
import asyncio
import signal
import socket
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE

import pytest

from client_sim.live.proxy import LOOPBACK
from client_sim.live.proxy_command import add_arguments, run


async def echo(reader: StreamReader, writer: StreamWriter) -> None:
    while chunk := await reader.read(100):
        writer.write(chunk)
    writer.close()


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


async def test_it_cuts_every_connection_and_says_so() -> None:
    server = await asyncio.start_server(echo, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(20), server:
        words = ("proxy", "--to", f"{LOOPBACK}:{port}", "--cut-after", "8", "--gently")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "client_sim", *words, stdout=PIPE
        )
        assert process.stdout is not None
        listening = (await process.stdout.readline()).decode().strip()
        own = int(listening.removeprefix(f"listening on {LOOPBACK}:"))
        for _ in range(2):
            reader, writer = await asyncio.open_connection(LOOPBACK, own)
            writer.write(b"hello")
            assert await reader.read() == b"hel"
            writer.close()
            assert await process.stdout.readline() == (
                b"cut: 5 bytes in 0 frames to the server, 3 bytes in 0 frames to the device\n"
            )
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(parsed("--to", "localhost:1", "--listen", port, "--silent")) == 2
    assert "address already in use" in capsys.readouterr().err


def test_what_is_no_address() -> None:
    with pytest.raises(SystemExit):
        parsed("--to", "nowhere")

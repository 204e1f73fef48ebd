"""`client-sim pc`: a simulated PC at the prompt, or at the end of a pipe. See prompt.py."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from client_sim.keyboard import typed_lines
from client_sim.live_server import http_url, socket_url
from client_sim.prompt import Prompt
from client_sim.simulated_pc import PcSettings, SimulatedPc
from syncd.client import ClientError
from syncd.limits import WINDOW_BYTES_DEFAULT

TOKEN_VARIABLE = "SYNCD_TOKEN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `client-sim pc`."""
    parser.add_argument("--url", required=True, help="the server's address, http:// or ws://")
    parser.add_argument(
        "--token",
        help=f"the device's token; without it {TOKEN_VARIABLE}, which process lists do not show",
    )
    parser.add_argument("--store", type=Path, metavar="FILE", help="keep everything in this file")
    parser.add_argument(
        "--window", type=int, default=WINDOW_BYTES_DEFAULT, metavar="BYTES", help=argparse.SUPPRESS
    )
    parser.add_argument(
        "--no-check",
        action="store_true",
        help="go on when the server passes entries over; only say so",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run `client-sim pc`; its exit status."""
    token = arguments.token or os.environ.get(TOKEN_VARIABLE)
    if not token:
        print(f"client-sim pc: give --token or {TOKEN_VARIABLE}", file=sys.stderr)
        return 2
    # The PC itself says why it has no connection; the SDK's log would say it once more.
    logging.getLogger("syncd.client").setLevel(logging.ERROR)
    settings = PcSettings(
        socket_url(http_url(arguments.url)),
        token,
        arguments.store,
        arguments.window,
        not arguments.no_check,
    )
    try:
        return asyncio.run(_run(settings))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read us is gone; Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, ClientError) as error:
        print(f"client-sim pc: {error}", file=sys.stderr)
        return 2


async def _run(settings: PcSettings) -> int:
    pc = SimulatedPc(settings, _print)
    prompt = Prompt(pc, _print)
    try:
        await pc.online()
        async for line in typed_lines():
            if not await prompt.obey(line):
                return 0
        await pc.wait_current()
        return 1 if pc.failed else 0
    finally:
        await pc.close()


def _print(said: str) -> None:
    print(said, flush=True)

"""`client-sim proxy`: a line to any server, with the faults that its arguments name."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from urllib.parse import urlsplit

from client_sim.live.proxy import LOOPBACK, Connection, Cut, Proxy, Way


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `client-sim proxy`."""
    parser.add_argument("--to", type=_address, required=True, metavar="HOST:PORT", help="server")
    parser.add_argument("--listen", type=int, default=0, metavar="PORT", help="[a free one]")
    parser.add_argument("--delay", type=float, default=0, metavar="MS", help="of every byte [0]")
    parser.add_argument("--rate", type=float, default=0, metavar="B", help="bytes a second [any]")
    ways = [way.value for way in Way]
    parser.add_argument("--stall", choices=ways, help="nothing is carried to this side")
    parser.add_argument("--silent", action="store_true", help="nothing is carried at all")
    cut = parser.add_argument_group("a cut, in every connection")
    cut.add_argument("--cut-after", type=int, metavar="BYTES", help="of both directions together")
    cut.add_argument("--cut-in-frame", type=int, metavar="N", help="inside the Nth WebSocket frame")
    cut.add_argument(
        "--toward", choices=ways, default=Way.TO_DEVICE.value, help="whose frames count [device]"
    )
    cut.add_argument(
        "--at-byte", type=int, default=0, metavar="K", help="so far into that frame [0]"
    )
    cut.add_argument("--gently", action="store_true", help="FIN instead of RST")


def _address(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or not parts.port:
        raise argparse.ArgumentTypeError(f"must be HOST:PORT, not {text!r}")
    return parts.hostname, parts.port


def run(arguments: argparse.Namespace) -> int:
    """Run `client-sim proxy` until SIGINT or SIGTERM."""
    try:
        asyncio.run(_carry(arguments))
    except (OSError, OverflowError) as error:  # the latter: a port above 65535
        print(f"client-sim proxy: {error}", file=sys.stderr)
        return 2
    return 0


async def _carry(arguments: argparse.Namespace) -> None:
    address, port = arguments.to
    proxy = Proxy(address, port, _told)
    proxy.always = _cut(arguments)
    proxy.delay(arguments.delay / 1000)
    proxy.limit(arguments.rate)
    if arguments.stall:
        proxy.stall(Way(arguments.stall))
    if arguments.silent:
        proxy.unplug()
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await proxy.open(arguments.listen)
    print(f"listening on {LOOPBACK}:{proxy.port}", flush=True)
    await stopping.wait()
    await proxy.close()


def _cut(arguments: argparse.Namespace) -> Cut | None:
    if arguments.cut_in_frame is not None:
        way = Way(arguments.toward)
        return Cut(arguments.at_byte, arguments.cut_in_frame, way, arguments.gently)
    if arguments.cut_after is not None:
        return Cut(arguments.cut_after, gently=arguments.gently)
    return None


def _told(cut: Connection) -> None:
    seen = ", ".join(
        f"{cut.passed[way]} bytes in {cut.frames[way].count} frames to the {way.value}"
        for way in Way
    )
    print(f"cut: {seen}", flush=True)

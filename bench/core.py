"""How fast and how lean is one server: sends, catch-up, live messages, idle devices?

Starts the real server as a process of its own (SQLite, WAL and synchronous=FULL, an empty store in
a temporary folder) and loads it from this process over loopback; both are pinned to cores of their
own where there are two. Each figure is measured several times and its median printed; the last line
is one JSON object. With --url an already running server is measured instead: its store keeps what
the measurement wrote.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from bench import catchup, idle, live, options, sends
from bench.machine import calibration_ms, raise_open_files
from bench.options import Bench
from bench.peers.syncd_server import ANSWERS, Syncd, send_frames
from bench.processes import Stretch, Target
from bench.raw_client import make_devices, new_accounts
from bench.results import Results
from bench.slow_disk import slow_disk
from syncd.model import AccountId

RECIPIENTS = 1_000
CONNECTIONS = 64
CATCH_UPS = 3
"""New devices of one account, one after the other, in each run: each takes less than a second."""

PARTS = ("sends", "live", "catchup", "idle")

_BUSY = 0.9
"""The share of a core from which on a side counts as the bottleneck."""

_FILES_BESIDE_SOCKETS = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything. What a plan leaves out is not in the result."""

    sending_s: float
    one_in_flight: int
    live_s: float
    backlogs: tuple[int, ...]
    idle_steps: tuple[int, ...]


WHOLE = Plan(4.0, 20_000, 10.0, (10_000, 100_000), (1_000, 5_000, 10_000))
QUICK = Plan(1.0, 2_000, 2.0, (10_000,), ())
"""For a look of some seconds: no 100,000, no idle devices."""


def _remark(during: Stretch, items: int = 0) -> str:
    """How busy both sides were, and a warning where the figure says more about the load."""
    server, cpu = during.server_share, during.server_cpu_s
    text = f"{during.seconds:.2f} s, {during}"
    if items and cpu is not None:
        text = f"{items:,} in {text}, server CPU per 10,000: {cpu / items * 1e7:.0f} ms"
    if during.load_share > _BUSY and (server is None or server < _BUSY):
        text += "  ! the load was the bottleneck: the server can do more"
    return text


# ------------------------------------------------------------ one run


async def _sends(target: Target, plan: Plan, results: Results) -> None:
    recipients = new_accounts("to", RECIPIENTS)
    await make_devices(target, recipients)
    # First: a fold that the others leave behind would run beside it.
    await _one_in_flight(target, recipients, plan.one_in_flight, results)
    senders = await make_devices(target, new_accounts("from", CONNECTIONS))
    for name, count in (("sends_1", 1), ("sends_64", CONNECTIONS)):
        sent = await sends.measure(target, senders[:count], recipients, plan.sending_s)
        results.note(f"{name}_per_s", sent.per_s, _remark(sent.during, sent.messages))


async def _one_in_flight(
    target: Target, recipients: Sequence[AccountId], count: int, results: Results
) -> None:
    """Each connection waits for its answer before it sends the next message."""
    service, each = Syncd(target), count // CONNECTIONS
    senders = [await service.sender() for _ in range(CONNECTIONS)]
    lines = [await service.open(ANSWERS, sender) for sender in senders]
    frames = [
        send_frames(sender.account, random.choices(recipients, k=each), each=1)
        for sender in senders
    ]
    flows = (line.flow(part, 1) for line, part in zip(lines, frames, strict=True))
    with Stretch(target) as during:
        await asyncio.gather(*flows)
    for line in lines:
        line.close()
    sent = each * CONNECTIONS
    remark = _remark(during, sent)
    results.note("sends_64_one_in_flight_per_s", sent / during.seconds, remark)


async def _live(target: Target, plan: Plan, results: Results) -> None:
    pair = await make_devices(target, new_accounts("pair", 2))
    seen = await live.measure(target, pair, plan.live_s)
    late = f"sender late by {seen.sender_late_ms:.1f} ms (p99)"
    results.note("live_p50_ms", seen.p50_ms, _remark(seen.during))
    results.note("live_p99_ms", seen.p99_ms, f"worst {seen.worst_ms:.1f} ms; {late}")


async def _catch_up(target: Target, plan: Plan, results: Results) -> None:
    for entries in plan.backlogs:
        account = new_accounts(f"backlog{entries}", 1)
        filler, *new = await make_devices(target, new_accounts("filler", 1) + CATCH_UPS * account)
        await sends.fill(target, filler, account[0], entries)
        for device in new:
            done = await catchup.measure(target, device, entries)
            remark = _remark(done.during, entries)
            results.note(f"catchup_{entries // 1000}k_per_s", done.per_s, remark)


async def _silence(target: Target, steps: Sequence[int], results: Results) -> None:
    """One run of the devices that do nothing."""
    credentials = await make_devices(target, new_accounts("idle", idle.WARM_DEVICES + max(steps)))
    for step, kib in (await idle.measure(target, credentials, steps)).items():
        results.note(f"idle_{step}_kib", kib)


def _affordable(steps: Sequence[int]) -> tuple[int, ...]:
    """The numbers of idle devices for which this process may open enough sockets."""
    files = raise_open_files() - _FILES_BESIDE_SOCKETS
    for step in steps:
        if step > files:
            print(f"! {step} idle devices need more open files than the {files} allowed: left out")
    return tuple(step for step in steps if step <= files)


# ------------------------------------------------------------ the command


def main(arguments: Sequence[str]) -> int:
    """Measure, print every run, the medians and, last, one JSON object."""
    made = options.parser("core", __doc__)
    made.add_argument("--only", choices=PARTS, action="append", help="leave out the rest")
    made.add_argument(
        "--fsync-ms", type=float, default=0.0, help="make each fsync so much slower (default 0)"
    )
    given = made.parse_args(arguments)
    if given.url and given.fsync_ms:
        made.error("--fsync-ms needs a server of its own")
    settings = {"recipients": RECIPIENTS, "quick": given.quick, "fsync_ms": given.fsync_ms}
    results = Results("core", settings)
    return options.run(given, partial(_measure, results=results))


def _measure(bench: Bench, results: Results) -> None:
    """All runs; memory is measured on a server that has done nothing before."""
    plan = QUICK if bench.quick else WHOLE
    steps = _affordable(plan.idle_steps)
    wanted = bench.given.only or PARTS
    moving = {"sends": _sends, "live": _live, "catchup": _catch_up}
    for turn in range(bench.runs):
        print(f"run {turn + 1} of {bench.runs}, calibration {calibration_ms():.0f} ms", flush=True)
        if any(name in wanted for name in moving):
            with (
                slow_disk(bench.given.fsync_ms) as environment,
                bench.server(environment=environment) as target,
            ):
                for name, part in moving.items():
                    if name in wanted:
                        asyncio.run(part(target, plan, results))
        if "idle" in wanted and steps:
            with bench.server() as target:
                if target.pid is not None:
                    asyncio.run(_silence(target, steps, results))
    results.finish()

"""How fast and how lean is one server: sends, catch-up, live messages, idle devices?

Starts the real server as a process of its own (SQLite, WAL and synchronous=FULL, an empty store in
a temporary folder) and loads it from this process over loopback; both are pinned to cores of their
own where there are two. Each figure is measured several times and its median printed; the last line
is one JSON object. With --url an already running server is measured instead: its store keeps what
the measurement wrote.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeAlias

from bench import catchup, idle, live, sends
from bench.machine import (
    calibration_ms,
    commit,
    filesystem_of,
    is_on_a_disk,
    machine,
    raise_open_files,
)
from bench.processes import FAILURES, Cores, Stretch, Target, choose_cores, serving
from bench.raw_client import make_devices, new_accounts

RECIPIENTS = 1_000
CONNECTIONS = 64
CATCH_UPS = 3
"""New devices of one account, one after the other, in each run: each takes less than a second."""

FIGURES = (
    "sends_per_s_1",
    "sends_per_s_64",
    "catchup_10k_per_s",
    "catchup_100k_per_s",
    "live_p50_ms",
    "live_p99_ms",
    "idle_kib_1000",
    "idle_kib_5000",
)
"""The keys of the JSON line, beside commit and machine."""

_BUSY = 0.9
"""The share of a core from which on a side counts as the bottleneck."""

_FILES_BESIDE_SOCKETS = 200

Servers: TypeAlias = Callable[[], AbstractContextManager[Target]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything. What a plan leaves out is null in the result."""

    runs: int
    sending_s: float
    live_s: float
    backlogs: tuple[int, ...]
    idle_steps: tuple[int, ...]


WHOLE = Plan(3, 4.0, 10.0, (10_000, 100_000), (1_000, 5_000))
QUICK = Plan(1, 1.0, 2.0, (10_000,), ())
"""For a look of some seconds: no 100,000, no idle devices."""


class Figures:
    """What was measured so far, printed as it comes."""

    def __init__(self) -> None:
        self._all: dict[str, list[float]] = {name: [] for name in FIGURES}

    def note(self, name: str, figure: float, remark: str = "") -> None:
        """One run's figure."""
        self._all[name].append(figure)
        print(f"  {name:20} {_short(figure):>10}   {remark}", flush=True)

    def medians(self) -> dict[str, float | None]:
        """By name; None where nothing was measured."""
        return {
            name: round(median(figures), 2) if figures else None
            for name, figures in self._all.items()
        }

    def print_medians(self) -> None:
        """The table that people read."""
        print(f"\n{'median':>33}   lowest .. highest")
        for name, figures in self._all.items():
            if figures:
                spread = (
                    f"{_short(min(figures))} .. {_short(max(figures))}, {len(figures)} measured"
                )
                print(f"  {name:20} {_short(median(figures)):>10}   {spread}")
            else:
                print(f"  {name:20} {'-':>10}   not measured")


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 1_000 else f"{figure:.2f}"


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


async def _traffic(target: Target, plan: Plan, figures: Figures) -> None:
    """One run of everything that moves."""
    recipients = new_accounts("to", RECIPIENTS)
    await make_devices(target, recipients)
    senders = await make_devices(target, new_accounts("from", CONNECTIONS + 2))
    for name, count in (("sends_per_s_1", 1), ("sends_per_s_64", CONNECTIONS)):
        sent = await sends.measure(target, senders[:count], recipients, plan.sending_s)
        figures.note(name, sent.per_s, _remark(sent.during, sent.messages))
    seen = await live.measure(target, senders[-2:], plan.live_s)
    figures.note("live_p50_ms", seen.p50_ms, _remark(seen.during))
    late = f"worst {seen.worst_ms:.1f} ms; sender late by {seen.sender_late_ms:.1f} ms (p99)"
    figures.note("live_p99_ms", seen.p99_ms, late)
    for entries in plan.backlogs:
        account = new_accounts(f"backlog{entries}", 1)
        filler, *new = await make_devices(target, new_accounts("filler", 1) + CATCH_UPS * account)
        await sends.fill(target, filler, account[0], entries)
        for device in new:
            done = await catchup.measure(target, device, entries)
            remark = _remark(done.during, entries)
            figures.note(f"catchup_{entries // 1000}k_per_s", done.per_s, remark)


async def _silence(target: Target, plan: Plan, figures: Figures) -> None:
    """One run of the devices that do nothing."""
    most = max(plan.idle_steps)
    credentials = await make_devices(target, new_accounts("idle", idle.WARM_DEVICES + most))
    for step, kib in (await idle.measure(target, credentials, plan.idle_steps)).items():
        figures.note(f"idle_kib_{step}", kib)


def _run(plan: Plan, server: Servers, figures: Figures) -> None:
    """All runs; memory is measured on a server that has done nothing before."""
    for turn in range(plan.runs):
        print(f"run {turn + 1} of {plan.runs}, calibration {calibration_ms():.0f} ms", flush=True)
        with server() as target:
            asyncio.run(_traffic(target, plan, figures))
        if not plan.idle_steps:
            continue
        with server() as target:
            if target.pid is not None:
                asyncio.run(_silence(target, plan, figures))


# ------------------------------------------------------------ the command


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench core", description=__doc__)
    parser.add_argument("--runs", type=int, help="runs of everything (default 3)")
    parser.add_argument("--quick", action="store_true", help="one short run; some figures missing")
    parser.add_argument("--url", help="measure the server that runs at http://HOST:PORT")
    parser.add_argument("--key", help="an API key of that server: `syncd key NAME`")
    parser.add_argument("--pid", type=int, help="its process, if it runs here: for CPU and memory")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="where the temporary store goes (default: the system's temporary folder)",
    )
    options = parser.parse_args(arguments)
    if options.url and not options.key:
        parser.error("--url needs --key, to make devices")
    return options


def _plan(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else WHOLE
    runs = plan.runs if options.runs is None else options.runs
    return Plan(runs, plan.sending_s, plan.live_s, plan.backlogs, _affordable(plan.idle_steps))


def _affordable(steps: Sequence[int]) -> tuple[int, ...]:
    """The numbers of idle devices for which this process may open enough sockets."""
    files = raise_open_files() - _FILES_BESIDE_SOCKETS
    for step in steps:
        if step > files:
            print(f"! {step} idle devices need more open files than the {files} allowed: left out")
    return tuple(step for step in steps if step <= files)


def _servers(options: argparse.Namespace, cores: Cores) -> Servers:
    """The server to measure: a fresh one at each call, or always the one that runs."""
    if options.url:
        running = Target(options.url, options.key, options.pid)
        return lambda: nullcontext(running)
    return lambda: serving(cores, options.folder)


@contextmanager
def load_pinned(cores: Cores) -> Iterator[None]:
    """This process on its own cores; a SIGTERM ends it as an interrupt does, servers included."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores.load)
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
        os.sched_setaffinity(0, before)


def main(arguments: Sequence[str]) -> int:
    """Measure, print every run, the medians and, last, one JSON object."""
    options = _options(arguments)
    plan, figures, about = _plan(options), Figures(), machine()
    cores = choose_cores()
    print(f"commit {commit()} on {about['cores']} x {about['model']}, ", end="")
    print(f"python {about['python']}, kernel {about['kernel']}")
    if options.url:
        print(f"the server at {options.url}; the load pinned to core {min(cores.load)}")
    else:
        print(f"{cores}; store in {options.folder} ({filesystem_of(options.folder)})")
        if not is_on_a_disk(options.folder):
            print("! this folder is in memory: nothing is durable; choose another with --folder")
    try:
        with load_pinned(cores):
            _run(plan, _servers(options, cores), figures)
    except FAILURES as failure:
        print(f"! {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("! interrupted", file=sys.stderr)
        return 130
    figures.print_medians()
    print(json.dumps(figures.medians() | {"commit": commit(), "machine": about}))
    return 0

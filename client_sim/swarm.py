"""`client-sim swarm`: many devices on any running server; do they all see the same, once, in order?

Accounts have about three devices each. Messages go between accounts, and into groups of them, at a
steady rate; now and then a device is cut off. At the end everything must come to rest, and the
judges read the record.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import resource
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from rich.live import Live

from client_sim import door
from client_sim.judges import converged, judge, lost
from client_sim.live.proxy import Cut, Proxy, carried
from client_sim.live_server import http_url, socket_url
from client_sim.member import Destination, Member, Tally
from client_sim.report import console
from client_sim.swarm_result import SETTLE_TIMEOUT_S, Plan, Result, summary
from client_sim.swarm_view import glance, live
from syncd.model import AccountId, ConversationId, direct

DEVICES_PER_ACCOUNT = 3
MAKERS = 16
"""Requests under way at once while devices are made."""
CONNECT_TIMEOUT_S = 60.0
LOOK_S = 0.05
SHOW_S = 1.0
REFRESHES_PER_S = 4.0
UNANSWERED_MAX = 20_000
"""Sends under way at which the swarm waits for the server rather than for its own rate."""
GROUP_SHARE = 0.5
"""The part of the traffic that goes to groups, where there are any."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class SwarmFailed(Exception):
    """The swarm could not begin. The text says why."""


class Swarm:
    """A swarm on its way: `run` it once."""

    def __init__(self, plan: Plan, members: Sequence[Member], tally: Tally, proxy: Proxy | None):
        self.plan, self.members, self.tally = plan, members, tally
        self._devices: dict[str, list[Member]] = {}
        for each in members:
            self._devices.setdefault(each.account, []).append(each)
        self.accounts = sorted(self._devices)
        self._groups: list[Destination] = []
        self.began = time.monotonic()
        self._proxy = proxy
        self._chance = random.Random()
        self._sends: set[asyncio.Task[None]] = set()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    async def run(self) -> Result:
        """Connect, send and cut for the planned time, come to rest, judge."""
        try:
            await asyncio.gather(*(each.connect() for each in self.members))
            await self._all_current()
            await self._make_groups()
            self.began = time.monotonic()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._send())
                group.create_task(self._cut())
            rested = await self._come_to_rest()
            return self._judged(rested)
        finally:
            for task in self._sends:
                task.cancel()
            await asyncio.gather(*self._sends, return_exceptions=True)
            await asyncio.gather(*(each.disconnect() for each in self.members))

    async def _all_current(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await asyncio.gather(*(each.wait_current() for each in self.members))
        except TimeoutError:
            missing = sum(not each.connected for each in self.members)
            raise SwarmFailed(
                f"{missing} devices are not connected after {CONNECT_TIMEOUT_S:.0f} s"
            ) from None
        if failed := [each for each in self.members if each.failure]:
            raise SwarmFailed(f"a device of {failed[0].account}: {failed[0].failure}")

    async def _make_groups(self) -> None:
        """Who is in stays so: whose log must hold a message is then known when it is sent."""
        size, mark = self.plan.group_size, secrets.token_hex(4)
        if self.plan.groups and size > len(self.accounts):
            raise SwarmFailed(f"groups of {size} need as many accounts, not {len(self.accounts)}")
        for number in range(self.plan.groups):
            name = ConversationId(f"swarm-{mark}-group-{number}")
            group = Destination(name, tuple(self._chance.sample(self.accounts, size)))
            founder = self._device_in(group)
            await founder.found(group)
            if founder.failure:
                raise SwarmFailed(f"a group of {size}: {founder.failure}")
            self._groups.append(group)

    async def _send(self) -> None:
        """Keep to the rate on average: what a busy moment delayed is caught up with."""
        count = 0
        while (elapsed := self.seconds) < self.plan.seconds:
            due = int(elapsed * self.plan.rate)
            while count < due and len(self._sends) < UNANSWERED_MAX:
                self._send_one()
                count += 1
            await asyncio.sleep(min(LOOK_S, 1 / max(self.plan.rate, 1)))

    def _send_one(self) -> None:
        if self._groups and self._chance.random() < GROUP_SHARE:
            to = self._chance.choice(self._groups)
            sender = self._device_in(to)
        else:
            sender = self._chance.choice(self.members)
            to = self._direct_from(sender.account)
        task = asyncio.create_task(sender.send(to))
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    def _device_in(self, to: Destination) -> Member:
        return self._chance.choice(self._devices[self._chance.choice(to.accounts)])

    def _direct_from(self, account: str) -> Destination:
        others = len(self.accounts) > 1
        target = self._chance.choice(self.accounts)
        while others and target == account:
            target = self._chance.choice(self.accounts)
        conversation = direct(AccountId(account), AccountId(target))
        return Destination(conversation, (account, target))

    async def _cut(self) -> None:
        """Now and then cut a connection, or let a device leave and come back with what it has."""
        if self.plan.churn <= 0:
            return
        while True:
            pause = self._chance.expovariate(self.plan.churn)
            if self.seconds + pause >= self.plan.seconds:
                return
            await asyncio.sleep(pause)
            hard = self._chance.random() < 0.5
            if hard and self._proxy is not None and self._proxy.connections:
                self._chance.choice(self._proxy.connections).end(Cut())
            else:
                member = self._chance.choice(self.members)
                await member.disconnect()
                await member.connect()

    async def _come_to_rest(self) -> bool:
        """Wait until every answer is in, every outbox is empty and every device has everything."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                if self._sends:
                    await asyncio.wait(list(self._sends))
                while not self._at_rest() or await self._unsent():
                    if any(each.failure for each in self.members):
                        return False
                    await asyncio.sleep(LOOK_S)
                return True
        return False

    async def _unsent(self) -> bool:
        return any([await each.unsent() for each in self.members])

    def _at_rest(self) -> bool:
        tracks = [each.track for each in self.members]
        if not all(each.connected for each in self.members) or not converged(tracks):
            return False
        accepted = self.tally.accepted
        return not any(any(lost(each, accepted.get(each.account, ()))) for each in tracks)

    def _judged(self, rested: bool) -> Result:
        tracks = [each.track for each in self.members]
        failures = tuple(
            f"{each.track.device} of {each.account}: {each.failure}"
            for each in self.members
            if each.failure
        )
        charges = tuple(judge(tracks, self.tally.accepted))
        held = {(each.account, line.digest) for each in tracks for line in each.lines}
        later = sum(each in held for each in self.tally.interrupted)
        return Result(self.plan, self.tally, len(self.accounts), charges, failures, rested, later)


async def made_devices(url: str, key: str, count: int) -> list[tuple[str, str]]:
    """Accounts of three devices each, made through the server's HTTP door: account and token."""
    mark = secrets.token_hex(4)
    names = [f"swarm-{mark}-{number // DEVICES_PER_ACCOUNT}" for number in range(count)]
    makers = asyncio.Semaphore(MAKERS)

    async def make(opened: door.Door, account: str, number: int) -> tuple[str, str]:
        async with makers:
            platform = ("pc", "phone", "tablet")[number % DEVICES_PER_ACCOUNT]
            made = await opened.create_device(account, f"device {number}", platform)
            return account, made.token

    async with door.opened(url, key) as opened:
        work = [make(opened, name, number) for number, name in enumerate(names)]
        return list(await asyncio.gather(*work))


def listed_devices(path: Path, count: int) -> list[tuple[str, str]]:
    """The first devices of a file with lines of ``ACCOUNT TOKEN``. Raises SwarmFailed."""
    pairs = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if any(len(pair) != 2 for pair in pairs):
        raise SwarmFailed(f"{path}: a line is ACCOUNT TOKEN")
    if len(pairs) < count:
        raise SwarmFailed(f"{path} names {len(pairs)} devices, not {count}")
    return [(account, token) for account, token in pairs[:count]]


@contextlib.asynccontextmanager
async def line_to(url: str, cuts: bool) -> AsyncIterator[tuple[str, Proxy | None]]:
    """The address to connect to, and what can be cut: a proxy before a server on this machine.

    Elsewhere a proxy could meet TLS and names that it must not hide: there devices only leave.
    """
    parts = urlsplit(url)
    if not cuts or parts.scheme != "ws" or parts.hostname not in LOOPBACK:
        yield url, None
        return
    async with carried(parts.hostname, parts.port or 80) as proxy:
        yield f"ws://127.0.0.1:{proxy.port}{parts.path}", proxy


Watcher = Callable[[Swarm], Coroutine[None, None, None]]
"""Shows a swarm until it is cancelled."""


async def swarm(plan: Plan, url: str, devices: Sequence[tuple[str, str]], watch: Watcher) -> Result:
    """Run a swarm of these devices (account, token) at the server with this HTTP address."""
    tally = Tally()
    async with line_to(socket_url(url), plan.churn > 0) as (address, proxy):
        members = [Member(address, account, token, tally) for account, token in devices]
        running = Swarm(plan, members, tally, proxy)
        watching = asyncio.create_task(watch(running))
        try:
            return await running.run()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def show_lines(running: Swarm) -> None:
    """A line per second on standard output."""
    while True:
        await asyncio.sleep(SHOW_S)
        print(glance(running.members, running.tally, running.seconds).line(), flush=True)


async def show_live(running: Swarm) -> None:
    """A table that is drawn anew, four times a second."""
    with Live(console=console(), auto_refresh=False) as shown:
        while True:
            await asyncio.sleep(1 / REFRESHES_PER_S)
            shown.update(live(running.members, running.tally, running.seconds), refresh=True)


# ------------------------------------------------------------ the command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `client-sim swarm`."""
    parser.add_argument("--url", required=True, help="the server's address, http:// or ws://")
    parser.add_argument("--devices", type=int, default=30, metavar="N", help="how many [30]")
    parser.add_argument(
        "--rate", type=float, default=50.0, metavar="R", help="messages per second in total [50]"
    )
    parser.add_argument(
        "--for", dest="seconds", type=float, default=60.0, metavar="SECONDS", help="how long [60]"
    )
    parser.add_argument(
        "--churn",
        type=float,
        default=0.0,
        metavar="C",
        help="devices cut off per second, on average [0]",
    )
    parser.add_argument(
        "--groups",
        type=int,
        default=0,
        metavar="N",
        help="half of the messages go to this many groups [0: none]",
    )
    parser.add_argument(
        "--group-size", type=int, default=3, metavar="M", help="accounts in each group [3]"
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--key", help="an API key, to make new accounts and devices with")
    source.add_argument(
        "--tokens", type=Path, metavar="FILE", help="existing devices: lines of ACCOUNT TOKEN"
    )
    parser.add_argument("--json", action="store_true", help="print the result as the last line")


def run(arguments: argparse.Namespace) -> int:
    """Run `client-sim swarm`; its exit status: 0 only if the judges found nothing."""
    groups = arguments.groups, arguments.group_size
    plan = Plan(arguments.devices, arguments.rate, arguments.seconds, arguments.churn, *groups)
    least = min(plan.devices, plan.group_size)
    if least < 1 or plan.rate <= 0 or plan.seconds <= 0 or min(plan.churn, plan.groups) < 0:
        said = "a swarm needs numbers above 0 (only --churn and --groups may be 0)"
        print(f"client-sim swarm: {said}", file=sys.stderr)
        return 2
    _allow_many_sockets()
    try:
        result = asyncio.run(_run(plan, arguments))
    except (SwarmFailed, door.DoorShut, OSError) as error:
        print(f"client-sim swarm: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    for line in summary(result):
        print(line)
    if arguments.json:
        print(json.dumps(result.as_json()), flush=True)
    return 0 if result.right else 1


async def _run(plan: Plan, arguments: argparse.Namespace) -> Result:
    url = http_url(arguments.url)
    if arguments.key is not None:
        devices = await made_devices(url, arguments.key, plan.devices)
    else:
        devices = listed_devices(arguments.tokens, plan.devices)
        async with door.opened(url, "") as opened:
            await opened.knock()
    watch = show_live if sys.stdout.isatty() else show_lines
    return await swarm(plan, url, devices, watch)


def _allow_many_sockets() -> None:
    """A device is a socket, and the usual limit is made for programs with few."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

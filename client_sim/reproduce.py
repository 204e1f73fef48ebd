"""`client-sim reproduce`: the founding report, played with real clients against the real server.

A big PC messenger, 2021: nobody is logged in on a PC; a message arrives; PC1 logs in and gets it;
PC2 logs in and does not. Played with the key that causes it and with the key that cures it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from client_sim import door
from client_sim.foreign import reproduction
from client_sim.live_server import ServerFailed, command_of, http_url, started
from client_sim.measured import Playing
from client_sim.performance import RIGHT, WRONG, Act, Performance
from client_sim.picture import picture
from client_sim.report import console, show
from client_sim.stage import Scene, Stage, set_up
from client_sim.variants import FOUNDING_REPORT, VARIANTS, Variant

ACCOUNT = "account"
"""The scope that only some variants are played in."""


class PlayFailed(Exception):
    """A play could not be played to its end. The text says why, and how the server's log ends."""


@dataclass(frozen=True, slots=True)
class Half:
    """What one server gave: every play by its variant's name, and how its log ends."""

    playings: dict[str, Playing]
    log_tail: str


async def reproduce(
    command: Sequence[str], count: int, variants: Sequence[Variant]
) -> tuple[Performance, str]:
    """Play both halves on servers started for it; also gives the ends of their logs.

    Raises ServerFailed or PlayFailed.
    """
    scopes = {WRONG, RIGHT, *(scope for each in variants for scope in each.scopes)}
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {
                scope: group.create_task(_own_half(scope, command, count, variants))
                for scope in sorted(scopes)
            }
    except BaseExceptionGroup as failures:
        raise _first(failures, ServerFailed, PlayFailed) from None
    halves = {scope: task.result() for scope, task in tasks.items()}
    tails = "\n".join(
        f"{scope}: the server's log\n{half.log_tail}" for scope, half in halves.items()
    )
    return _performance(halves, variants, None), tails


async def reproduce_at(url: str, key: str, count: int, variants: Sequence[Variant]) -> Performance:
    """Play at a server that already runs: the half of the one scope that it has.

    Raises PlayFailed.
    """
    with tempfile.TemporaryDirectory(prefix="client-sim-") as folder:
        async with door.opened(url, key) as opened:
            # Which half it is, is not known yet: note what the check says, and go on.
            scene = Scene(url, opened, Path(folder), verify_start=False)
            try:
                async with set_up(scene, FOUNDING_REPORT.name) as stage:
                    await FOUNDING_REPORT.play(stage, count)
                    scope = await scope_of(stage)
                    playings = {FOUNDING_REPORT.name: stage.playing()}
                playings |= await _play_all(scene, count, variants)
            except (door.DoorShut, TimeoutError) as error:
                raise PlayFailed(str(error) or f"{url}: no answer in time") from error
    return _performance({scope: Half(playings, "")}, variants, scope)


async def scope_of(stage: Stage) -> str:
    """The cursor scope of a stage's server, once PC1 has read something: look at the cursors of
    devices that never said anything."""
    computer = await stage.install("computer", "pc")
    tablet = await stage.install("tablet", "tablet")
    shared = [await stage.cursor(each) > 0 for each in (computer, tablet)]
    for each in (computer, tablet):
        stage.installations.remove(each)
    return ACCOUNT if shared[1] else WRONG if shared[0] else RIGHT


async def _own_half(
    scope: str, command: Sequence[str], count: int, variants: Sequence[Variant]
) -> Half:
    played = [each for each in variants if scope in each.scopes]
    if scope in FOUNDING_REPORT.scopes:
        played.insert(0, FOUNDING_REPORT)
    async with started(scope, command) as server:
        try:
            key = await server.api_key()
            with tempfile.TemporaryDirectory(prefix="client-sim-") as folder:
                async with door.opened(server.url, key) as opened:
                    scene = Scene(server.url, opened, Path(folder), verify_start=scope == RIGHT)
                    playings = await _play_all(scene, count, played)
        except (door.DoorShut, TimeoutError) as error:
            said = error or "no answer in time"
            raise PlayFailed(f"{scope}: {said}\n{server.log_tail()}") from error
        return Half(playings, server.log_tail())


async def _play_all(scene: Scene, count: int, variants: Sequence[Variant]) -> dict[str, Playing]:
    """All plays at once: each has an account of its own."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {each.name: group.create_task(_play(scene, count, each)) for each in variants}
    except BaseExceptionGroup as failures:
        raise _first(failures, door.DoorShut, TimeoutError) from None
    return {name: task.result() for name, task in tasks.items()}


async def _play(scene: Scene, count: int, variant: Variant) -> Playing:
    async with set_up(scene, variant.name) as stage:
        await variant.play(stage, count)
        return stage.playing()


def _first(
    failures: BaseExceptionGroup[BaseException], *expected: type[Exception]
) -> BaseException:
    """One expected failure of a group, for where one thing breaks the others only echo it; all
    that was not expected, if there is any.

    (Not `except*`: what is raised from there comes out as a group in some releases of 3.11.)
    """
    _, unexpected = failures.split(expected)
    if unexpected is not None:
        return unexpected
    failure: BaseException = failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


def _performance(
    halves: dict[str, Half], variants: Sequence[Variant], scope: str | None
) -> Performance:
    def act(variant: Variant) -> Act:
        order = [each for each in (WRONG, ACCOUNT, RIGHT) if each in halves]
        measured = {each: halves[each].playings.get(variant.name) for each in order}
        return Act(
            variant.name,
            variant.title,
            {each: playing for each, playing in measured.items() if playing is not None},
        )

    return Performance(act(FOUNDING_REPORT), tuple(map(act, variants)), scope)


# ------------------------------------------------------------ the command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `client-sim reproduce`."""
    parser.add_argument(
        "--messages", type=_count, default=1, metavar="N", help="how many messages arrive [1]"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the counts; the table goes to stderr"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE.svg", help="draw what happened")
    parser.add_argument(
        "--variants",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also play the variants [yes]",
    )
    parser.add_argument("--url", help="play at a server that already runs")
    parser.add_argument("--key", help="an API key of that server: syncd key NAME --data DIR")
    parser.add_argument(
        "--server-command", metavar="CMD", help="start another build of the server [syncd]"
    )
    reproduction.add_arguments(parser)


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 100_000:
        raise argparse.ArgumentTypeError("1 to 100000")
    return count


def run(arguments: argparse.Namespace) -> int:
    """Run `client-sim reproduce`; its exit status: 0 only if all is proven."""
    if nonsense := _nonsense(arguments):
        print(f"client-sim reproduce: {nonsense}", file=sys.stderr)
        return 2
    if arguments.against is not None:
        return reproduction.run(arguments.against, arguments.messages, as_json=arguments.json)
    try:
        performance, tails = asyncio.run(_play_as_asked(arguments))
    except (ServerFailed, PlayFailed) as error:
        print(f"client-sim reproduce: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("client-sim reproduce: interrupted", file=sys.stderr)
        return 130
    show(performance, console(sys.stderr if arguments.json else sys.stdout))
    if not performance.succeeded and tails:
        print(tails, file=sys.stderr)
    if arguments.picture is not None:
        arguments.picture.write_text(picture(performance), encoding="utf-8")
    if arguments.json:
        print(json.dumps(performance.as_json()), flush=True)
    return 0 if performance.succeeded else 1


def _nonsense(arguments: argparse.Namespace) -> str:
    """What is wrong with the command line, in a sentence; empty where nothing is."""
    if arguments.url is not None and arguments.key is None:
        return "--url needs --key"
    if arguments.key is not None and arguments.url is None:
        return "--key needs --url"
    if arguments.url is not None and arguments.server_command is not None:
        return "--server-command starts a server, --url takes one that runs: choose one"
    if arguments.against is not None:
        for name in ("url", "server_command", "picture"):
            if getattr(arguments, name) is not None:
                return f"--against plays at somebody else's server: no --{name.replace('_', '-')}"
    path: Path | None = arguments.picture
    if path is None:
        return ""
    if path.is_dir():
        return f"cannot write {path}: it is a folder"
    if not path.parent.is_dir():
        return f"cannot write {path}: there is no folder {path.parent}"
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        return f"cannot write {path}: permission denied"
    return ""


async def _play_as_asked(arguments: argparse.Namespace) -> tuple[Performance, str]:
    # However this process is asked to end, the servers that it started end with it.
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    variants = VARIANTS if arguments.variants else ()
    if arguments.url is not None:
        url = http_url(arguments.url)
        return await reproduce_at(url, arguments.key, arguments.messages, variants), ""
    command = command_of(arguments.server_command)
    return await reproduce(command, arguments.messages, variants)

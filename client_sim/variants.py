"""The plays: the founding report and its variants, each told once for every cursor scope.

Nothing here says what should come out. In every play every device is due every message of its
account; measured.py compares.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from client_sim.killed import run_killed
from client_sim.stage import Stage

Play = Callable[[Stage, int], Awaitable[None]]

EVERYWHERE = ("platform", "device")


@dataclass(frozen=True, slots=True)
class Variant:
    """A play with its name in JSON, its title for people, and the scopes that it is played in."""

    name: str
    title: str
    play: Play
    scopes: tuple[str, ...] = EVERYWHERE


async def founding_report(stage: Stage, count: int) -> None:
    """Nobody is logged in on a PC; messages arrive; PC1 logs in and out; PC2 logs in."""
    first, second = await stage.install("PC1"), await stage.install("PC2")
    await stage.arrive(count)
    await stage.visit(first)
    await stage.visit(second)


async def second_is_new(stage: Stage, count: int) -> None:
    """PC1 has long been in use. PC2 is installed after PC1 read what is new."""
    first = await stage.install("PC1")
    await stage.login(first)
    await stage.arrive(count)
    await stage.logout(first)
    await stage.arrive(count)
    await stage.visit(first)
    await stage.visit(await stage.install("PC2"))


async def second_synced_before(stage: Stage, count: int) -> None:
    """Both PCs were in use and kept their stores; then nobody was logged in."""
    first, second = await stage.install("PC1"), await stage.install("PC2")
    await stage.login(first)
    await stage.login(second)
    await stage.arrive(count)
    await stage.logout(first)
    await stage.logout(second)
    await stage.arrive(count)
    await stage.visit(first)
    await stage.visit(second)


async def first_stays_online(stage: Stage, count: int) -> None:
    """PC1 does not log out; when PC2 has come, one more message arrives for both."""
    first, second = await stage.install("PC1"), await stage.install("PC2")
    await stage.arrive(count)
    await stage.login(first)
    await stage.settle(first)
    await stage.login(second)
    await stage.arrive(1)
    await stage.logout(first)
    await stage.logout(second)


async def three_pcs(stage: Stage, count: int) -> None:
    """One after the other."""
    pcs = [await stage.install(name) for name in ("PC1", "PC2", "PC3")]
    await stage.arrive(count)
    for each in pcs:
        await stage.visit(each)


async def phone_first(stage: Stage, count: int) -> None:
    """The phone reads it, then PC1, then PC2."""
    first, second = await stage.install("PC1"), await stage.install("PC2")
    phone = await stage.install("phone", "phone")
    await stage.arrive(count)
    for each in (phone, first, second):
        await stage.visit(each)


async def one_at_a_time(stage: Stage, count: int) -> None:
    """PC2's login ends PC1's session; more arrives; PC1 comes back and gets the rest."""
    first, second = await stage.install("PC1"), await stage.install("PC2")
    await stage.arrive(count)
    await stage.login(first)
    await stage.settle(first)
    await stage.login(second)
    await stage.logout(first)
    await stage.arrive(count)
    await stage.logout(second)
    await stage.visit(first)


async def killed_in_first_sync(stage: Stage, count: int) -> None:
    """PC2 is killed (-9) in the middle of its first sync and started again with its store."""
    await run_killed(stage, count)


FOUNDING_REPORT = Variant("founding_report", "the founding report", founding_report)

VARIANTS = (
    Variant("pc2_new", "PC2 is new, PC1 is not", second_is_new),
    Variant("pc2_synced_before", "PC2 had synced before", second_synced_before),
    Variant("pc1_still_online", "PC1 still online, 1 more comes", first_stays_online),
    Variant("three_pcs", "three PCs", three_pcs),
    Variant(
        "phone_first", "the phone read it first", phone_first, ("platform", "account", "device")
    ),
    Variant("one_pc_at_a_time", "one PC at a time", one_at_a_time),
    Variant("pc2_killed", "PC2 killed in its first sync", killed_in_first_sync),
)

"""The faults of a storm that come at a moment: a cut, a crash, a restore, with what ends them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from client_sim.storm.stage import Stage


def cuts(stage: Stage, chance: Random) -> None:
    """Lines end, most of them at a chosen byte; one of them surely."""
    surely = stage.cast[chance.choice(list(stage.cast))][0]
    stage.add(stage.when(chance), "cut", device=surely)
    for _ in range(chance.randint(1, 8)):
        at, device = stage.moment(chance)
        after = chance.randint(0, chance.choice((1, 40, 300, 3_000)))
        stage.add(at, "cut_after", device=device, bytes=after)


def half_open(stage: Stage, chance: Random) -> None:
    """A line goes silent; later the device has a new one."""
    for _ in range(chance.randint(1, 3)):
        at, device = stage.moment(chance)
        stage.spell(at, "unplug", "plug", chance.uniform(0.1, 4), device=device)


def slow_readers(stage: Stage, chance: Random) -> None:
    """A device takes no byte for a while."""
    for _ in range(chance.randint(1, 2)):
        at, device = stage.moment(chance)
        stage.spell(at, "stall", "unstall", chance.uniform(0.1, 4), device=device)


def long_lines(stage: Stage, chance: Random) -> None:
    """A device is far away."""
    at, device = stage.moment(chance)
    stage.add(at, "delay", device=device, milliseconds=chance.randint(50, 800))


def device_crashes(stage: Stage, chance: Random) -> None:
    """An app dies and is started again."""
    for _ in range(chance.randint(1, 4)):
        at, device = stage.moment(chance)
        stage.spell(at, "kill", "log_in", chance.uniform(0.05, 2), device=device)


def server_crashes(stage: Stage, chance: Random) -> None:
    """kill -9, now and then once more before it has recovered."""
    for _ in range(chance.randint(1, 3)):
        stage.spell(stage.when(chance), "kill_server", "start_server", chance.uniform(0, 1))


def restarts(stage: Stage, chance: Random) -> None:
    """The server is stopped as for an update; that is no fault, so a line is cut, too."""
    stage.spell(stage.when(chance), "stop_server", "start_server", chance.uniform(0, 1))
    cuts(stage, chance)


def pauses(stage: Stage, chance: Random) -> None:
    """The server stands still."""
    stage.spell(stage.when(chance), "freeze_server", "thaw_server", chance.uniform(0.1, 3))


def full_disks(stage: Stage, chance: Random) -> None:
    """No append fits for a while."""
    stage.spell(stage.when(chance), "fill_disk", "free_disk", chance.uniform(0.1, 2))


def slow_disks(stage: Stage, chance: Random) -> None:
    """Each commit takes long for a while."""
    stage.spell(stage.when(chance), "slow_disk", "fast_disk", chance.uniform(0.1, 2))


def trims(stage: Stage, chance: Random) -> None:
    """Retention, also while a device is on its way through what it drops."""
    for _ in range(chance.randint(1, 4)):
        account = chance.choice(list(stage.cast))
        stage.add(stage.when(chance), "trim", account=account, count=chance.randint(0, 12))


def restores(stage: Stage, chance: Random) -> None:
    """A backup becomes the store, by command."""
    stage.spell(stage.when(chance), "back_up", "restore", chance.uniform(0.1, 4))


def files_put_back(stage: Stage, chance: Random) -> None:
    """A backup becomes the store, by hand."""
    stage.spell(stage.when(chance), "back_up", "put_back", chance.uniform(0.1, 4))


def lost_stores(stage: Stage, chance: Random) -> None:
    """A device loses everything that it had, among cuts."""
    at, device = stage.moment(chance)
    stage.add(at, "log_out", device=device)
    stage.add(at + 0.3, "forget", device=device)
    if stage.owner(device) in stage.people:
        stage.add(at + 0.5, "sign_in", device=device, app="app")
    else:
        stage.add(at + 0.5, "log_in", device=device)
    cuts(stage, chance)


def devices_set_back(stage: Stage, chance: Random) -> None:
    """A device's own backup becomes its store."""
    at, device = stage.moment(chance)
    stage.add(at, "copy", device=device)
    at += chance.uniform(0.2, 3)
    stage.add(at, "log_out", device=device)
    stage.add(at + 0.3, "set_back", device=device)
    stage.add(at + 0.5, "log_in", device=device)


def clones(stage: Stage, chance: Random) -> None:
    """A device's store is copied to a second one, and both are used."""
    at, device = stage.moment(chance)
    other = f"{device}-clone"
    stage.add(at, "clone", device=device, other=other)
    for which in chance.sample((device, other), 2):
        at += chance.uniform(0.1, 0.8)
        stage.add(at, "log_in", device=which)
        address = chance.choice(list(stage.cast))
        stage.add(at + 0.2, "send", device=which, count=2, address=address)


def revocations(stage: Stage, chance: Random) -> None:
    """A device's right ends: that of an account's last one, in the middle of what it does. Never
    that of the only one, which the account speaks with when all is over."""
    *others, last = stage.cast[chance.choice(list(stage.cast))]
    if others:
        stage.add(stage.when(chance), "revoke", device=last)
    cuts(stage, chance)


def sign_outs(stage: Stage, chance: Random) -> None:
    """All sessions of an account end; people sign in again, one after the other."""
    account, at = chance.choice(list(stage.cast)), stage.when(chance)
    stage.add(at, "sign_out", account=account)
    for device in stage.cast[account] if account in stage.people else ():
        at += chance.uniform(0.05, 0.6)
        stage.add(at, "sign_in", device=device, app="app")
    cuts(stage, chance)


def merges(stage: Stage, chance: Random) -> None:
    """An operator says that two accounts are one person's, in the middle of what they do."""
    guest, account = chance.sample(list(stage.cast), 2)
    stage.add(stage.when(chance), "merge", guest=guest, account=account)
    if guest in stage.people:
        for device in stage.cast[guest]:
            stage.add(stage.when(chance), "sign_in", device=device, app="app")
    cuts(stage, chance)


def clock_jumps(stage: Stage, chance: Random) -> None:
    """The server's wall clock is set, forward or back."""
    for _ in range(chance.randint(1, 3)):
        seconds = float(chance.choice((-86_400, -60, 3_600)))
        stage.add(stage.when(chance), "jump", seconds=seconds)


def publications(stage: Stage, chance: Random) -> None:
    """The service itself speaks, while its process dies."""
    for _ in range(chance.randint(1, 3)):
        at, account = stage.when(chance), chance.choice(list(stage.cast))
        stage.add(at, "publish", count=chance.randint(1, 3), account=account)
    server_crashes(stage, chance)


STROKES: Mapping[str, Callable[[Stage, Random], None]] = {
    stroke.__name__: stroke
    for stroke in (
        cuts,
        half_open,
        slow_readers,
        long_lines,
        server_crashes,
        restarts,
        pauses,
        full_disks,
        slow_disks,
        trims,
        restores,
        files_put_back,
        lost_stores,
        devices_set_back,
        clones,
        revocations,
        clock_jumps,
        publications,
        sign_outs,
        merges,
        device_crashes,
    )
}
"""Every kind of stroke, by its name, which is also the name of its stream of chance; in this order
they are drawn. Only an app that runs can be killed, so what stops apps otherwise comes before."""

REWINDS = {restores.__name__, files_put_back.__name__}
"""What sets the whole store back."""

UNDONE = {sign_outs.__name__, merges.__name__}
"""What is not drawn together with these: it would be undone, which no history tells."""

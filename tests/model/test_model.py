"""The model holds on hundreds of schedules, and each mechanism of the contract proves necessary."""

from __future__ import annotations

import inspect
import re
from collections import Counter

import pytest

from . import model
from .judges import JUDGES, judged
from .model import Rules, World

# Enough for the rarest corner below, some seconds for all; `python -m tests.model` runs more.
SEEDS = range(300)

# The seeds that a removal may take until its judge speaks: the rarest took some 120.
SEEDS_MAX = 600

# What is taken out, and the judge that must notice.
NECESSARY = [
    # The list at the end of sync.md.
    ("chain-check", "prefix"),
    ("ahead", "convergence"),
    ("append-generation", "fencing"),
    ("dedupe", "one-effect"),
    ("number-order", "durable-ack"),
    ("sticky-refusal", "sender-fifo"),
    ("one-transaction", "durable-ack"),
    ("entries-with-position", "prefix"),
    ("outbox-before-send", "durable-ack"),
    ("session-reset", "convergence"),
    # Section 2: other causes of the founding report.
    ("cursor-per-device", "explicit-gap"),
    ("start-at-floor", "explicit-gap"),
    # Sections 1 and 3.
    ("truncated", "explicit-gap"),
    ("epoch-check", "epoch"),
    ("restore-epoch", "epoch"),
    ("counter-from-sent", "one-effect"),
    ("put-back", "durable-ack"),
    ("taken-back", "no-phantom"),
    # Section 4.
    ("ack-after-store", "monotone-cursor"),
    ("crossing-ack", "explicit-gap"),
    ("cursor-generation", "fencing"),
    ("largest-cursor", "monotone-cursor"),
    ("nothing-filtered", "dense"),
    ("recorded-instance", "convergence"),
    # Section 5.
    ("durable-answer", "one-order"),
    ("durable-answer", "stable-prefix"),
    ("durable-answer", "read-your-writes"),
    ("echo-by-content", "convergence"),
    ("send-window", "one-effect"),
    ("truncated-send", "durable-ack"),
    # Section 8.
    ("merge-dedupe", "one-effect"),
    ("merge-alias", "durable-ack"),
    ("merge-remembered", "durable-ack"),
    ("merge-generation", "fencing"),
    ("merge-takeover", "takeover"),
    ("merge-transaction", "merge-atomic"),
    # Section 9.
    ("handed-when-finished", "handed"),
]


EVENTS = ("busy", "fenced", "restored", "store_restored", "merged", "signed_out", "signed_in")


def corners(world: World) -> set[str]:
    """The rare things that happened in a schedule: a campaign that misses one proves nothing."""
    seen = set()
    for event in world.history.events:
        if event.kind == "verdict":
            seen.add(f"{event.verdict.kind} {'in the session' if event.live else 'at hello'}")
        elif event.kind == "refused":
            seen.add(event.code)
        elif event.kind == "taken" and event.seq is None:
            seen.add("duplicate without seq")
        elif event.kind in EVENTS:
            seen.add(event.kind)
    for client in world.clients.values():
        seen.update(row.state for row in client.store.rows.values())
    return seen


def test_schedules_pass_and_reach_every_corner() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        world = World(seed).run()
        assert judged(world) == {}, f"python -m tests.model --first {seed} --seeds 1 --events"
        seen.update(corners(world))
    resets = {"epoch at hello", "ahead at hello", "forked at hello", "epoch in the session"}
    resets |= {"merged at hello"}
    verdicts = resets | {"welcome at hello", "truncated at hello", "truncated in the session"}
    refusals = {"busy", "too_large", "conflict", "skipped", "stale"}
    events = {*EVENTS, "duplicate without seq"}
    states = {"current", "local only", "not on server"}
    assert seen.keys() == verdicts | refusals | events | states


@pytest.mark.parametrize(("mechanism", "judge"), NECESSARY)
def test_proved_necessary_by_removal(mechanism: str, judge: str) -> None:
    rules = Rules(without=mechanism)
    caught = (seed for seed in range(SEEDS_MAX) if any(JUDGES[judge](World(seed, rules).run())))
    assert next(caught, None) is not None, f"{judge} never noticed that {mechanism} is gone"


def test_every_mechanism_has_its_removal_and_every_judge_its_case() -> None:
    switches = set(re.findall(r'keep\("([a-z-]+)"\)', inspect.getsource(model)))
    assert switches == {mechanism for mechanism, _ in NECESSARY}
    assert set(JUDGES) == {judge for _, judge in NECESSARY}


def test_a_seed_gives_one_schedule() -> None:
    first, second = World(7).run(), World(7).run()
    assert first.history.events == second.history.events

"""The table of judges: one for each invariant of the service, by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from client_sim.judging import delivery, durability, endings, order, sessions, strain, walls
from client_sim.judging.case import Case
from client_sim.judging.verdict import Finding

Judge = Callable[[Case], Finding]

JUDGES: Mapping[str, Judge] = {
    "durable-ack": durability.durable_ack,
    "no-phantom": durability.no_phantom,
    "one-effect": durability.one_effect,
    "one-order": order.one_order,
    "dense": order.dense,
    "stable-prefix": order.stable_prefix,
    "prefix": delivery.prefix,
    "monotone-cursor": sessions.monotone_cursor,
    "fencing": sessions.fencing,
    "explicit-gap": delivery.explicit_gap,
    "epoch": delivery.epoch,
    "read-your-writes": delivery.read_your_writes,
    "convergence": endings.convergence,
    "sender-fifo": order.sender_fifo,
    "bounded-memory": strain.bounded_memory,
    "isolation": strain.isolation,
    "poison-safe": endings.poison_safe,
    "revoke": walls.revoke,
    "tenant-wall": walls.tenant_wall,
    "merge-atomic": walls.merge_atomic,
    "clock-free": strain.clock_free,
}
"""Each reads a case and changes nothing in it."""

"""What a swarm was to do and how it ended, for people and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from client_sim.judges import Charge, counts
from client_sim.member import Tally
from client_sim.swarm_view import share

SETTLE_TIMEOUT_S = 60.0
"""After the last send, and with the line whole again, everything must be everywhere by then."""
CHARGES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What a swarm does: so many devices, messages per second, seconds, cuts per second, and
    groups of so many accounts."""

    devices: int
    rate: float
    seconds: float
    churn: float = 0.0
    groups: int = 0
    group_size: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended."""

    plan: Plan
    tally: Tally
    accounts: int
    charges: tuple[Charge, ...]
    failures: tuple[str, ...]
    converged: bool
    arrived_later: int = 0
    """Of the sends without an answer, how many the outbox brought into the log all the same."""

    @property
    def right(self) -> bool:
        """Whether everything that must hold holds, and something was there to be judged."""
        faultless = not self.charges and not self.failures and not self.tally.refused
        return faultless and self.converged and self.tally.accepted_count > 0

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        tally, lags = self.tally, sorted(self.tally.lags_ms)
        return {
            "devices": self.plan.devices,
            "accounts": self.accounts,
            "groups": self.plan.groups,
            "group_size": self.plan.group_size,
            "seconds": self.plan.seconds,
            "sent": tally.sent,
            "accepted": tally.accepted_count,
            "refused": tally.refused,
            "unanswered": tally.unanswered,
            "arrived_later": self.arrived_later,
            "delivered": tally.delivered,
            "connects": tally.connects,
            "verdicts": dict(sorted(tally.verdicts.items())),
            "lag_p50_ms": round(share(lags, 0.5), 2),
            "lag_p99_ms": round(share(lags, 0.99), 2),
            **counts(self.charges),
            "failures": len(self.failures),
            "converged": self.converged,
            "right": self.right,
        }


def summary(result: Result) -> list[str]:
    """The result for people."""
    tally = result.tally
    lines = [f"! {each.device}: {each.text}" for each in result.charges[:CHARGES_SHOWN]]
    if len(result.charges) > CHARGES_SHOWN:
        lines.append(f"! and {len(result.charges) - CHARGES_SHOWN} more")
    lines += [f"! {failure}" for failure in result.failures[:CHARGES_SHOWN]]
    if tally.refused:
        lines.append(f"! {tally.refused} sends were refused")
    if not result.converged:
        lines.append(f"! not everything was everywhere after {SETTLE_TIMEOUT_S:.0f} s")
    if tally.unanswered:
        lines.append(
            f"unanswered {tally.unanswered}: sends that a cut interrupted; their retry went on in "
            f"the outbox, and {result.arrived_later} of them are in the log"
        )
    lags = sorted(tally.lags_ms)
    lines.append(f"lag p50 {share(lags, 0.5):.1f} ms, p99 {share(lags, 0.99):.1f} ms")
    found = ", ".join(f"{name} {count}" for name, count in counts(result.charges).items())
    plan = result.plan
    groups = f" and {plan.groups} groups of {plan.group_size}" if plan.groups else ""
    lines.append(
        f"{plan.devices} devices of {result.accounts} accounts{groups}: {tally.accepted_count} "
        f"messages accepted, {tally.delivered} delivered, {tally.connects} connects; {found}."
    )
    lines.append("All right." if result.right else "NOT right.")
    return lines

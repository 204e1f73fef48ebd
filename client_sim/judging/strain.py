"""What load, greed and wrong clocks may not do: bounded-memory, isolation, clock-free."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import ceil

from client_sim.history import (
    DEVICE,
    Answer,
    Closed,
    Connect,
    Fault,
    Floor,
    Login,
    Phase,
    Queued,
    Revoked,
    Send,
)
from client_sim.judging.case import Case
from client_sim.judging.verdict import Finding

WINDOW_BYTES = 4 * 1024 * 1024
"""The largest window that a device may ask for; what it asked for counts where that is told."""

BESIDE_WINDOW_BYTES = 1024 * 1024
"""What may wait for a socket beside its window: frames around the entries, answers, heartbeats, and
one entry of any size."""

SLOWER_AT_MOST = 2.0
NOTICEABLE_S = 0.05
"""Others' p99 under abuse stays below the double of that in peace, and this on top: on an idle
machine the double of a millisecond is nothing that anybody sees."""

_BY_THE_CLOCK = {"token_expired", "not_authenticated", "stale", "slow_down"}
"""Codes that a jump of the wall clock could bring about, where time were taken from it."""


def bounded_memory(case: Case) -> Finding:
    """What waits on the server for one socket stays below the window that the device asked for and
    a little."""
    finding = Finding()
    windows: dict[str, int] = defaultdict(int)
    for _, hello in case.of(Connect):
        windows[hello.device] = max(windows[hello.device], hello.window)
    for index, queued in case.of(Queued):
        finding.seen += 1
        window = windows[queued.device] or WINDOW_BYTES
        if queued.bytes > window + BESIDE_WINDOW_BYTES:
            said = f"{queued.bytes} bytes waited for {case.name(queued.device)}, whose window is"
            finding.charge(f"{said} {window}", index, device=queued.device)
    return finding


def isolation(case: Case) -> Finding:
    """While one account is abusive the others wait for their answers less than twice as long as in
    peace, at the 99th percentile."""
    finding = Finding()
    begins = {each.name: index for index, each in case.of(Phase)}
    if not {"peace", "abuse"} <= begins.keys():
        return finding
    abuser = _abuser(case, begins["abuse"])
    waits: dict[str, list[float]] = {"peace": [], "abuse": []}
    answered: dict[str, int] = {}
    for message, answers in case.answers.items():
        answered[message] = next((at for at, each in answers if each.by == DEVICE), answers[0][0])
    for index, send in case.of(Send):
        if send.by != DEVICE or send.message not in answered:
            continue
        phase = _phase(case, index)
        if phase in waits and case.accounts.get(send.device) != abuser:
            waits[phase].append(case.at(answered[send.message]) - send.at)
    if waits["peace"] and waits["abuse"]:
        finding.seen = len(waits["abuse"])
        before, during = _p99(waits["peace"]), _p99(waits["abuse"])
        if during > SLOWER_AT_MOST * before + NOTICEABLE_S:
            said = f"others waited {during * 1000:.0f} ms (p99) for their answers while {abuser}"
            said += f" was abusive, and {before * 1000:.0f} ms in peace"
            finding.charge(said, begins["peace"], begins["abuse"])
    return finding


def _phase(case: Case, index: int) -> str:
    return next((each.name for at, each in reversed(case.of(Phase)) if at < index), "")


def _abuser(case: Case, abuse: int) -> str:
    """The account that a fault names; else the one that sends the most while it lasts."""
    for _, fault in case.of(Fault):
        if fault.kind == "abuse":
            device = case.resolve(fault.target)
            return case.accounts.get(device, fault.target)
    senders = Counter(
        case.accounts.get(send.device, "") for index, send in case.of(Send) if index > abuse
    )
    return senders.most_common(1)[0][0] if senders else ""


def _p99(waits: Sequence[float]) -> float:
    return sorted(waits)[ceil(0.99 * len(waits)) - 1]


def clock_free(case: Case) -> Finding:
    """When the wall clock jumps nothing is dropped, ended or refused by that."""
    finding = Finding()
    jumps = [index for index, each in case.of(Fault) if each.kind == "clock_jump"]
    finding.seen = len(jumps)
    if not jumps:
        return finding
    jump = jumps[0]
    trimmed = {each.target for _, each in case.of(Fault) if each.kind == "trim"}
    for index, floor in case.of(Floor):
        if index > jump and not trimmed & {floor.account, ""}:
            said = f"everything up to {floor.floor} of {floor.account} was dropped after the clock"
            finding.charge(f"{said} had jumped", jump, index)
    revoked = {each.device for _, each in case.of(Revoked)}
    # Whose login was not answered has a token that is no longer known, until it asks again.
    revoked |= {each.device for _, each in case.of(Login)}
    for index, closed in case.of(Closed):
        if index > jump and closed.code in _BY_THE_CLOCK and closed.device not in revoked:
            said = f"{case.name(closed.device)} was closed ({closed.code}) after the clock had"
            finding.charge(f"{said} jumped", jump, index, device=closed.device)
    for index, answer in case.of(Answer):
        if index > jump and answer.outcome != "accepted" and answer.code in _BY_THE_CLOCK:
            said = f"{case.title(answer.message)} was refused ({answer.code}) after the clock had"
            finding.charge(f"{said} jumped", jump, index, device=answer.device)
    for index, holds in case.holdings():
        for message in holds.waiting:
            sent = case.sends[message][0][0] if message in case.sends else -1
            if sent > jump:
                said = f"{case.title(message)}, written after the clock had jumped, was never"
                finding.charge(f"{said} answered", jump, sent, index, device=holds.device)
                break
    return finding

"""When the faults have stopped everybody comes to have everything: convergence, poison-safe."""

from __future__ import annotations

from collections import Counter, defaultdict

from client_sim.history import DEVICE, Batch, Content, Holds, Log, Phase, Revoked, Verdict
from client_sim.judging.case import Case
from client_sim.judging.verdict import Finding

STUCK_AFTER = 2
"""So often a device was given the same entries in the calm, and did not get over them: once may be
the moment at which the run ended."""


LATE_S = 3.0
"""In a pretended calm, where time is exact, an entry reaches who is connected within a second and a
half. What lost its wake-up comes when the server next looks by itself: after 5 s, about."""


def convergence(case: Case) -> Finding:
    """In the end every connected device holds exactly its account's log, from where a verdict let
    it begin, and none of its messages waits for an answer; and it came to that in bounded time."""
    finding = Finding()
    _late(case, finding)
    if not any(each.name in ("calm", "end") for _, each in case.of(Phase)):
        return finding
    revoked = {
        each.device: index
        for index, each in case.of(Revoked)
        if not (each.until_login and case.returns(each.device, index))
    }
    starts: dict[str, set[int]] = defaultdict(set)
    for _, verdict in case.of(Verdict):
        starts[verdict.device].add(verdict.start)
    for index, holds in case.holdings():
        account = case.accounts.get(holds.device, "")
        ended = revoked.get(holds.device)
        if ended is not None and not case.rewinds_after(account, ended):
            continue
        finding.seen += 1
        if account in case.logs:
            said, steps = _unlike(case, holds, starts[holds.device], *case.logs[account])
        else:
            said, steps = _missing(case, account, holds)
        if not said and holds.waiting:
            message = holds.waiting[0]
            said = f"still waits for the answer to {case.title(message)}"
            steps = [case.sends[message][0][0]] if message in case.sends else []
        if said:
            finding.charge(f"{case.name(holds.device)} {said}", *steps, index, device=holds.device)
    return finding


def _late(case: Case, finding: Finding) -> None:
    """What reaches a device in the calm comes because it was woken, not because it was looked for
    in the end."""
    calm = next((index for index, each in case.of(Phase) if each.name == "calm"), None)
    if calm is None or case.begin.world != "pretend":
        return
    for session in case.sessions:
        if session.by != DEVICE or session.verdict is None:
            continue
        index, _ = session.verdict
        for received, batch in session.events:
            if received < calm or not isinstance(batch, Batch) or not batch.messages:
                continue
            message = batch.messages[0][0]
            durable = case.appended.get((session.account, message), -1)
            if durable > calm and batch.at - case.at(max(durable, index)) > LATE_S:
                said = f"{case.name(session.device)} received {case.title(message)} only"
                said += f" {batch.at - case.at(durable):.1f} s after it was in the log: nobody woke"
                finding.charge(f"{said} it", durable, received, device=session.device)


def _unlike(
    case: Case, holds: Holds, starts: set[int], log_index: int, log: Log
) -> tuple[str, list[int]]:
    """How a device differs from its account's log, and the records that show it."""
    steps = [log_index]
    if (holds.epoch, holds.seq) != (log.epoch, log.head):
        if holds.epoch != log.epoch:
            return f"is in another epoch than the log of {log.account}", steps
        if holds.seq > log.head:
            return f"is at {holds.seq}, and the log of {log.account} ends at {log.head}", steps
        seq = max(holds.seq, log.floor) + 1
        return _never_came(case, log, seq, steps)
    if holds.first > log.floor and starts and holds.first not in starts:
        return _never_came(case, log, max(log.floor, 0) + 1, steps)
    skipped = max(0, log.floor - holds.first)
    theirs, ours = holds.entries[skipped:], log.entries[max(0, holds.first - log.floor) :]
    if theirs == ours:
        return "", steps
    for seq, (one, other) in enumerate(zip(theirs, ours, strict=False), log.head - len(ours) + 1):
        if not _same(one, other):
            said = f"holds {case.title(one[0])} at {seq}, where the log of {log.account} has"
            return f"{said} {case.title(other[0])}", steps
    return "", steps


def _same(one: Content, other: Content) -> bool:
    return one == other or (one[0] == other[0] and None in (one[1], other[1]))


def _never_came(case: Case, log: Log, seq: int, steps: list[int]) -> tuple[str, list[int]]:
    if not log.floor < seq <= log.floor + len(log.entries):
        return f"never reached the head {log.head} of {log.account}", steps
    message = log.entries[seq - log.floor - 1][0]
    said = f"never received {case.title(message)} (seq {seq} of {log.account})"
    if message in case.accepted:
        index, answer = case.accepted[message][0]
        said += f", accepted at {answer.at:.3f} s"
        steps = [*steps, index]
    if message in case.sends:
        steps = [*steps, case.sends[message][0][0]]
    behind = log.head - seq
    return said + (f"; it stops there, {behind} before the head" if behind else ""), steps


def _missing(case: Case, account: str, holds: Holds) -> tuple[str, list[int]]:
    """Where nobody shows the logs: what was accepted for the account and is not here."""
    have = {message for message, _ in holds.entries} | set(holds.old)
    lost = [
        message
        for message in case.accepted
        if message not in have and account in map(case.home, case.audience(message))
    ]
    if not lost:
        return "", []
    index, answer = case.accepted[lost[0]][0]
    said = f"never received {case.title(lost[0])}, accepted at {answer.at:.3f} s"
    if len(lost) > 1:
        said += f", and {len(lost) - 1} more"
    return said, [case.sends[lost[0]][0][0] if lost[0] in case.sends else -1, index]


def poison_safe(case: Case) -> Finding:
    """No stored content can stop a sync: nobody is given the same entries again and again in the
    calm without getting over them."""
    finding = Finding()
    calm = next((index for index, each in case.of(Phase) if each.name == "calm"), None)
    given: Counter[tuple[str, str, int]] = Counter()
    last: dict[tuple[str, str, int], tuple[int, Batch]] = {}
    for index, batch in case.of(Batch):
        if batch.by == DEVICE:
            finding.seen += len(batch.messages)
            if calm is not None and index > calm and batch.messages:
                key = batch.device, batch.epoch, batch.prev
                given[key] += 1
                last[key] = index, batch
    for index, holds in case.holdings():
        key = holds.device, holds.epoch or "", holds.seq
        if given[key] >= STUCK_AFTER:
            told, batch = last[key]
            said = f"{case.name(holds.device)} was given {case.title(batch.messages[0][0])}"
            said += f" {given[key]} times in the calm and never got over it"
            finding.charge(said, told, index, device=holds.device)
    return finding

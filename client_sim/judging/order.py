"""A log has one order, without holes, that nobody sees change: one-order, dense, stable-prefix,
sender-fifo."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from client_sim.history import Appended, Content, Holds, Process
from client_sim.judging.case import Case
from client_sim.judging.past import Past
from client_sim.judging.verdict import Finding

_OVERTAKEN = "skipped"


def one_order(case: Case) -> Finding:
    """A seq names one entry, for every device and at all times, within an epoch."""
    finding = Finding(seen=sum(len(past.held) for past in _pasts(case)))
    for each in case.contradictions:
        said = f"{each.seq} in the log of {each.past.account} is {case.title(each.held[0])}, and"
        finding.charge(
            f"{said} {_differently(case, each.held, each.said)}", each.first, each.second
        )
    for index, holds in case.of(Holds):
        _judge_holds(case, finding, index, holds)
    return finding


def _pasts(case: Case) -> Iterator[Past]:
    return (past for line in case.pasts.values() for past in line)


def _differently(case: Case, held: Content, said: Content) -> str:
    return "with another body" if held[0] == said[0] else f"also {case.title(said[0])}"


def _judge_holds(case: Case, finding: Finding, index: int, holds: Holds) -> None:
    """Every entry is what some past of the log had there: a device that was away may be of an
    older one."""
    account = case.accounts.get(holds.device, "")
    if holds.epoch is None:
        return
    pasts = case.pasts.get(account, ())
    for seq, content in enumerate(holds.entries, holds.first + 1):
        place = holds.epoch, seq
        known = [(past, past.held[place]) for past in pasts if place in past.held]
        if known and not any(_same(content, each) for _, each in known):
            past, each = known[-1]
            said = f"{case.name(holds.device)} holds {case.title(content[0])} at {seq}, where the"
            said += f" log of {account} has {_differently(case, content, each)}"
            finding.charge(said, past.told[place], index, device=holds.device)
            return


def _same(one: Content, other: Content) -> bool:
    return one == other or (one[0] == other[0] and None in (one[1], other[1]))


def dense(case: Case) -> Finding:
    """Seqs of a log are floor+1 .. head, without holes."""
    finding = Finding()
    for index, log in case.logs.values():
        finding.seen += 1
        if len(log.entries) != log.head - log.floor:
            said = f"the log of {log.account} says {log.floor + 1} to {log.head} and holds"
            finding.charge(f"{said} {len(log.entries)} entries", index)
    last: dict[str, tuple[str, int, int]] = {}
    restarts = [index for index, each in case.of(Process) if each.whose == "server"]
    rewinds = {account: [past.begun for past in line] for account, line in case.pasts.items()}
    for index, entry in case.of(Appended):
        finding.seen += 1
        epoch, seq, before = last.get(entry.account, ("", 0, index))
        # A recorder that is killed with its server loses the end of what it knew.
        breaks = (*restarts, *rewinds.get(entry.account, ()))
        hole = epoch == entry.epoch and seq + 1 < entry.seq
        if hole and not any(before < each < index for each in breaks):
            said = f"{seq + 1} is missing in the log of {entry.account}: {entry.seq} came"
            finding.charge(f"{said} after {seq}", before, index)
        last[entry.account] = entry.epoch, entry.seq, index
    return finding


def stable_prefix(case: Case) -> Finding:
    """Nothing appears below a seq that somebody has seen."""
    finding = Finding()
    for past in _pasts(case):
        for (epoch, seq), (message, _) in past.held.items():
            seen = past.first_seen(seq)
            if seen is None or epoch != past.epoch or case.sender(message) not in case.accounts:
                continue
            finding.seen += 1
            sent = case.sends[message][0][0] if message in case.sends else -1
            if sent > seen:
                said = f"{case.title(message)} stands at {seq} in the log of {past.account}, and"
                said += f" was written when somebody had already seen {seq}"
                finding.charge(said, seen, sent, past.told[epoch, seq])
    return finding


def sender_fifo(case: Case) -> Finding:
    """Messages of one device stand in every log in the order in which it sent them; what a merge
    brought excepted."""
    finding = Finding()
    merged = {entry.message for _, entry in case.of(Appended) if entry.merged}
    merged |= {message for account, message in case.where if account in case.merged}
    for past in _pasts(case):
        lines: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
        for (epoch, seq), (message, _) in past.held.items():
            device = case.sender(message)
            if device in case.accounts and message not in merged:
                lines[epoch, device].append((seq, message))
        for (epoch, device), line in lines.items():
            finding.seen += len(line)
            line.sort()
            for (before, one), (after, two) in pairwise(line):
                if _order(case, one) > _order(case, two):
                    said = f"{case.title(one)} stands at {before} in the log of {past.account},"
                    steps = past.told[epoch, before], past.told[epoch, after]
                    finding.charge(
                        f"{said} before {case.title(two)} at {after}", *steps, device=device
                    )
    _overtaken(case, finding)
    return finding


def _order(case: Case, message: str) -> int:
    number = message.rpartition("#")[2]
    if number.isdecimal():
        return int(number)
    return case.sends[message][0][0] if message in case.sends else -1


def _overtaken(case: Case, finding: Finding) -> None:
    """A device that is alone under its name sends in number order: nothing of it is passed by, but
    what was refused for good before, in an answer that may have been lost."""
    for message, answers in case.answers.items():
        device = case.sender(message)
        if device in case.cloned or case.set_back[device] or not case.always_welcome(message):
            continue
        for index, answer in answers:
            if answer.outcome == "refused" and answer.code == _OVERTAKEN:
                said = f"{case.title(message)} was refused, because a later one was taken before it"
                finding.charge(said, case.sends[message][0][0], index, device=device)
                break

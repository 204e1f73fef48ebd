"""What was accepted is there, once, unchanged, and nothing else: durable-ack, no-phantom,
one-effect."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from client_sim.history import SERVER, Answer, Appended, Holds, Send, Verdict
from client_sim.judging.case import Case
from client_sim.judging.past import Past
from client_sim.judging.verdict import Finding

_MAY_BE_THERE = "stale"
"""The one definite refusal that does not say that the message is in no log."""


def durable_ack(case: Case) -> Finding:
    """An accepted message is in the log of everybody whom it was for, whatever crashed; what a
    restore lost came back from its sender, if that was there with its store."""
    finding = Finding()
    logged = {
        account: {message for message, _ in log.entries} for account, (_, log) in case.logs.items()
    }
    kept = None if logged else _kept_by_devices(case)
    for message, answers in case.accepted.items():
        _answered_too_early(case, finding, message)
        for account in map(case.home, case.audience(message)):
            finding.seen += 1
            if account in logged:
                if message not in logged[account] and not _excused(case, account, message):
                    _charge_lost(case, finding, account, message)
            elif kept is not None and message not in kept.get(account, {message}):
                index, answer = answers[-1]
                said = f"{case.title(message)} for {account}, accepted at {answer.at:.3f} s, is on"
                finding.charge(f"{said} none of its devices", _sent(case, message), index)
    _two_under_one_name(case, finding)
    return finding


def _kept_by_devices(case: Case) -> dict[str, set[str]] | None:
    """Where nobody shows the logs: what the devices that were connected hold between them."""
    kept: dict[str, set[str]] = defaultdict(set)
    for _, holds in case.holdings():
        account = case.accounts.get(holds.device, "")
        kept[account].update(holds.old, (message for message, _ in holds.entries))
    return kept or None


def _sent(case: Case, message: str) -> int:
    return case.sends[message][0][0] if message in case.sends else -1


def _answered_too_early(case: Case, finding: Finding, message: str) -> None:
    index, answer = case.accepted[message][0]
    account = case.answered_in[index].account
    durable = case.appended.get((account, message), -1)
    if durable < index:
        return
    crashed = any(index < crash < durable for crash in case.crashes["server"])
    if not crashed and not any(past.begun < durable for past in case.rewinds_after(account, index)):
        said = f"{case.title(message)} was answered before it was durable in the log of {account}"
        finding.charge(said, index, durable, device=answer.device)


def _excused(case: Case, account: str, message: str) -> bool:
    """Whether an accepted message may be missing in the final log: trimmed, here or in a guest's
    log before that was merged; or lost by a restore and not there to come back."""
    if any(_trimmed(case, guest, message) for guest in case.merged if case.home(guest) == account):
        return True
    _, log = case.logs[account]
    past = case.now(account)
    places = [(then, seq) for then, _, seq in case.where.get((account, message), ())]
    now = [seq for then, seq in places if then is past]
    index, answer = case.accepted[message][-1]
    if case.accounts.get(answer.device) == account and answer.seq is not None:
        now += [answer.seq] if case.answered_in[index] is past else []
    if now:
        return min(now) <= log.floor
    rewinds = case.rewinds_since(account, index, answer)
    if not rewinds:
        return log.floor > 0
    before = [seq for then, seq in places if then.number == rewinds[0].number - 1]
    if before and all(each.kept is not None and before[0] <= each.kept for each in rewinds):
        return before[0] <= log.floor  # the copy had it
    return log.floor > 0 or _cannot_come_back(case, message, rewinds[0])


def _trimmed(case: Case, account: str, message: str) -> bool:
    """Whether retention dropped a message from this log."""
    floor = case.floor_before(account, len(case.records))
    return any(seq <= floor for _, _, seq in case.where.get((account, message), ()))


def _cannot_come_back(case: Case, message: str, rewind: Past) -> bool:
    device = case.sender(message)
    online = [holds for _, holds in case.holdings() if holds.device == device]
    if not online or device in case.cloned or device not in case.accounts:
        return True
    accepted = case.accepted[message][0][0]
    if any(at > accepted for at in (*case.store_lost[device], *case.set_back[device])):
        return True
    if any(
        index > rewind.begun and each.outcome == "refused" and each.definite
        for index, each in case.answers[message]
    ):
        return True
    shown_as_old = any(message in holds.old for holds in online)
    if shown_as_old and not case.always_welcome(message) and _passed_by(case, message, rewind):
        # Refused for good when it came again, by an answer that was lost. Its sender knows that it
        # is not in the log, and does not go on showing it as accepted.
        return True
    return None in {body for each, body in case.contents if each == message}  # erased


def _passed_by(case: Case, message: str, rewind: Past) -> bool:
    """Whether the sender was told, after a rewind, that a later message is known already."""
    device, _, number = message.rpartition("#")
    return number.isdecimal() and any(
        index > rewind.begun and verdict.device == device and verdict.sent >= int(number)
        for index, verdict in case.of(Verdict)
    )


def _charge_lost(case: Case, finding: Finding, account: str, message: str) -> None:
    index, answer = case.accepted[message][-1]
    log_index, _ = case.logs[account]
    said = f"{case.title(message)}, accepted at {answer.at:.3f} s, is not in the log of {account}"
    rewinds = case.rewinds_since(account, index, answer)
    steps = [_sent(case, message), index, *(each.begun for each in rewinds), log_index]
    if rewinds:
        said += f": the log was set back at {case.at(rewinds[0].begun):.3f} s, and the message did"
        said += " not come back from its sender, who was there at the end with its store"
    finding.charge(said, *steps, device=answer.device)


def _two_under_one_name(case: Case, finding: Finding) -> None:
    """Where two messages have one name, the one that is in no log had to be refused."""
    waiting = {message for _, holds in case.of(Holds) for message in holds.waiting}
    known: dict[str, set[str | None]] = defaultdict(set)
    for message, body in case.contents:
        known[message].add(body)
    for message, sends in case.sends.items():
        bodies = {send.body: index for index, send in sends if send.body is not None}
        if len(bodies) < 2 or message not in case.accepted or message in waiting:
            continue
        device = case.sender(message)
        refused = any(answer.outcome != "accepted" for _, answer in case.answers[message])
        gone = case.store_lost[device] or case.set_back[device]  # with what it had not sent
        if refused or gone or None in known[message]:
            continue
        lost = [index for body, index in bodies.items() if body not in known[message]]
        sessions = {(answer.by, answer.session) for _, answer in case.accepted[message]}
        if lost and len(sessions) > 1:
            index = case.accepted[message][-1][0]
            said = f"another {case.title(message)} was answered as accepted and is in no log"
            finding.charge(said, lost[0], index, device=device)


def no_phantom(case: Case) -> Finding:
    """Nothing is in a log that nobody sent, or that was refused for good; bodies are unchanged."""
    finding = Finding()
    recorded = case.begin.world == "recorded" or not any(
        each.by != SERVER for _, each in case.of(Send)
    )
    for (message, body), index in case.contents.items():
        finding.seen += 1
        sends = case.sends.get(message)
        if sends:
            if body is not None and all(send.body not in (body, None) for _, send in sends):
                said = f"{case.title(message)} has another body than it was sent with"
                finding.charge(said, sends[0][0], index)
        elif case.sender(message) in case.accounts:
            # What was sent before a recording began is only read in it.
            if not recorded or isinstance(case.records[index], Appended):
                finding.charge(f"{case.title(message)} is in a log, and nobody sent it", index)
        elif not case.publishes and not recorded:
            finding.charge(f"message {message} comes from outside, and nobody sent any", index)
    for message, refusals in _only_refused(case):
        index, answer = refusals[-1]
        for account, (log_index, log) in case.logs.items():
            if any(message == each for each, _ in log.entries):
                said = f"{case.title(message)} was refused ({answer.code}) and is in the log of"
                finding.charge(f"{said} {account}", index, log_index, device=answer.device)
    return finding


def _only_refused(case: Case) -> Iterator[tuple[str, list[tuple[int, Answer]]]]:
    for message, answers in case.answers.items():
        if message in case.accepted or len({send.body for _, send in case.sends[message]}) > 1:
            continue
        refusals = [
            (index, answer)
            for index, answer in answers
            if answer.outcome == "refused" and answer.definite and answer.code != _MAY_BE_THERE
        ]
        if refusals:
            yield message, refusals


def one_effect(case: Case) -> Finding:
    """A message has one place in a log for ever, and every answer names that place."""
    finding = Finding(seen=len(case.where))
    brought = set(_brought_again(case))
    for (account, message), places in case.where.items():
        if len(places) > 1 and (account, message) not in brought:
            _charge_doubled(case, finding, account, message)
    for message, answers in case.accepted.items():
        _judge_answers(case, finding, message, answers)
    again = {message for _, message in brought}
    for index, holds in case.of(Holds):
        messages = [message for message, _ in holds.entries if message not in again]
        if len(set(messages)) < len(messages):
            [(twice, _)] = Counter(messages).most_common(1)
            said = f"{case.name(holds.device)} holds {case.title(twice)} twice"
            finding.charge(said, index, device=holds.device)
    return finding


def _brought_again(case: Case) -> Iterator[tuple[str, str]]:
    """What a merge brought into a log that had held it, but had dropped it by then: a log does not
    know what it was trimmed of."""
    for index, entry in case.of(Appended):
        if entry.merged:
            before = [
                seq
                for _, _, seq in case.where[entry.account, entry.message]
                if seq < entry.seq and seq <= case.floor_before(entry.account, index)
            ]
            if before:
                yield entry.account, entry.message


def _charge_doubled(case: Case, finding: Finding, account: str, message: str) -> None:
    first: dict[tuple[int, str], tuple[int, int]] = {}
    for past, epoch, seq in case.where[account, message]:
        told = past.told[epoch, seq]
        known, index = first.setdefault((past.number, epoch), (seq, told))
        if known != seq:
            said = f"{case.title(message)} is twice in the log of {account}: at {known} and {seq}"
            finding.charge(said, index, told)


def _judge_answers(
    case: Case, finding: Finding, message: str, answers: list[tuple[int, Answer]]
) -> None:
    account = case.home(case.accounts.get(answers[0][1].device, ""))
    told: dict[int, tuple[int, int]] = {}
    for index, answer in answers:
        if answer.seq is None:
            continue
        past = case.answered_in[index]
        if past.account != account:
            continue  # from before a merge
        seq, first = told.setdefault(past.number, (answer.seq, index))
        if seq != answer.seq:
            said = f"{case.title(message)} was answered with seq {seq}, then with {answer.seq}"
            finding.charge(said, first, index, device=answer.device)
        known = {
            seq: past.told[epoch, seq]
            for then, epoch, seq in case.where.get((account, message), ())
            if then is past
        }
        if known and answer.seq not in known:
            place = next(iter(known))
            said = f"{case.title(message)} was answered with seq {answer.seq} and stands at {place}"
            finding.charge(said, index, known[place], device=answer.device)

"""The invariants of section 11 that the model can show: each judge reads a finished world.

A judge takes the recorded history and the final state, shares no code with the model, and returns
its findings as sentences; none is the verdict it hopes for. `JUDGES` names them as the contract
does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

Findings = Iterator[str]


class History:
    """What happened, in order; and the logs of each branch that a restore abandoned."""

    def __init__(self) -> None:
        self.events: list[SimpleNamespace] = []
        self.branches: list[dict[str, Any]] = []

    def record(self, kind: str, **facts: object) -> None:
        facts.setdefault("branch", len(self.branches))
        self.events.append(SimpleNamespace(kind=kind, **facts))

    def of(self, *kinds: str) -> list[SimpleNamespace]:
        return [event for event in self.events if event.kind in kinds]


def account_of(device: str) -> str:
    return device.partition("-")[0]


def home(world: Any, account: str) -> str:
    """Whose log holds what was addressed to an account, in the end."""
    return world.server.database.aliases.get(account, account)


def owner(world: Any, device: str) -> str:
    """In whose account a device is in the end."""
    return world.server.database.owners[device]


def trimmed_before_merges(world: Any) -> Iterator[tuple[str, Any]]:
    """What retention had dropped from a guest's log when that became an account's."""
    for event in world.history.of("merged"):
        yield from ((event.account, entry) for entry in event.trimmed)


def restored_stores(world: Any) -> set[str]:
    return {event.device for event in world.history.of("store_restored")}


def twice_restored(world: Any) -> set[str]:
    """Devices that lost their store's newest part in a run in which the server lost its own.

    What both have forgotten nobody can bring back, and its numbers are given again: no promise.
    """
    return restored_stores(world) if world.history.of("restored") else set()


def durable_ack(world: Any) -> Findings:
    """An accepted entry keeps its seq; after a restore its sender brings it back."""
    branches, exempt = world.history.branches, twice_restored(world)
    trimmed = set(trimmed_before_merges(world))
    final = {account: set(log.entries) for account, log in branches[-1].items()}
    for event in world.history.of("accepted"):
        entry, seq = event.entry, event.seq
        log = branches[event.branch][event.account]
        if seq and (seq > log.head or log.entries[seq - 1] != entry):
            yield f"accepted at {seq}, which holds something else: {entry}"
        homes = {home(world, account) for account in entry.conversation}
        missing = [
            account
            for account in sorted(homes)
            if entry not in final[account] and (account, entry) not in trimmed
        ]
        if missing and entry.device not in exempt:
            yield f"accepted and not in the log of {missing}: {entry}"


def no_phantom(world: Any) -> Findings:
    """Nothing appears that nobody sent, that was refused, or that was never committed."""
    sent = {event.entry for event in world.history.of("submitted")}
    stores = restored_stores(world)
    refused = {
        event.entry
        for event in world.history.of("refused")
        if event.code == "too_large" or event.entry.device not in stores
    }
    for logs in world.history.branches:
        for log in logs.values():
            yield from (f"nobody sent {entry}" for entry in log.entries if entry not in sent)
            yield from (f"was refused: {entry}" for entry in log.entries if entry in refused)
    for event in world.history.of("applied"):
        log = world.history.branches[event.batch.branch][event.batch.account]
        gone = set(event.batch.entries).difference(log.entries)
        yield from (f"{event.device} read {entry}, never committed" for entry in gone)


def one_effect(world: Any) -> Findings:
    """An identity stands once in a log, and a retry gets the answer that the first one got."""
    for logs in world.history.branches:
        for log in logs.values():
            # A merge may bring again what was trimmed here.
            identities = [entry.identity for entry in log.entries[log.floor :]]
            if len(set(identities)) < len(identities):
                yield f"an identity stands twice in {log.entries}"
    for event in refused_retries(world):
        if event.code in ("stale", "conflict"):
            yield f"a number of an honest device is {event.code}: {event.entry}"


def refused_retries(world: Any) -> Findings:
    """Refusals for the number's sake, of messages that deserve none.

    A restored store may meet them: with what it had waiting, and with what it numbered before
    the first verdict told it how far it had come. A message that is too large has no turn.
    """
    exempt, restored, unsure = twice_restored(world), set(), set()
    fresh: dict[str, set[Any]] = defaultdict(set)
    for event in world.history.of("refused", "submitted", "store_restored", "verdict"):
        device = event.entry.device if hasattr(event, "entry") else event.device
        if event.kind == "store_restored":
            restored.add(device)
            unsure.add(device)
            fresh[device].clear()
        elif event.kind == "verdict":
            unsure.discard(device)
        elif event.kind == "submitted" and device not in unsure:
            fresh[device].add(event.entry)
        elif event.kind == "refused" and device not in exempt:
            honest = device not in restored or event.entry in fresh[device]
            if honest and not event.entry.body.startswith("large"):
                yield event


def one_order(world: Any) -> Findings:
    """A seq names one entry, for every device and for ever, within a branch of the past."""
    for event in world.history.of("applied"):
        batch, log = event.batch, world.history.branches[event.batch.branch]
        held = tuple(log[batch.account].entries[batch.prev : batch.to])
        if len(batch.entries) == batch.to - batch.prev and batch.entries != held:
            yield f"{event.device} read another past in {batch}"


def dense(world: Any) -> Findings:
    """Seqs follow one another, in the log and in each batch."""
    newest: dict[tuple[int, str], int] = {}
    for event in world.history.of("appended"):
        key = event.branch, event.account
        if event.seq != newest.get(key, event.seq - 1) + 1:
            yield f"seq {event.seq} follows {newest[key]} in {event.account}"
        newest[key] = event.seq
    for event in world.history.of("applied"):
        if len(event.batch.entries) != event.batch.to - event.batch.prev:
            yield f"{event.device} got a batch with holes: {event.batch}"


def stable_prefix(world: Any) -> Findings:
    """Nothing appears at or below a seq that a device has read in this branch."""
    seen: dict[tuple[int, str], int] = defaultdict(int)
    for event in world.history.of("applied", "appended"):
        if event.kind == "applied":
            key = event.batch.branch, event.batch.account
            seen[key] = max(seen[key], event.batch.to)
        elif event.seq <= seen[event.branch, event.account]:
            yield f"seq {event.seq} of {event.account} appeared after it was read"


def prefix(world: Any) -> Findings:
    """What a device holds as current is unbroken, after its crashes too, and is the log's."""
    for event in world.history.of("restarted"):
        if event.missing:
            yield f"{event.device} restarted without {sorted(event.missing)}"
    for event in world.history.of("applied"):
        log = world.history.branches[event.batch.branch][event.batch.account]
        at, chain = event.position.seq, event.position.chain
        if at == event.batch.prev and log.chains[at : at + 1] != [chain]:
            yield f"{event.device} went on at {event.position}, which is not in its log"
    for client in world.clients.values():
        if missing := client.missing():
            yield f"{client.device} ends without {sorted(missing)}"
        log = world.history.branches[-1][owner(world, client.device)]
        for row in client.store.rows.values():
            if row.state == "current" and [row.entry] != log.entries[row.seq - 1 : row.seq]:
                yield f"{client.device} holds at {row.seq} what its log does not: {row.entry}"


def monotone_cursor(world: Any) -> Findings:
    """A cursor never falls, and never passes the head or what its device durably holds."""
    saved: dict[tuple[int, str, str], int] = defaultdict(int)
    stored: dict[tuple[str, str], int] = defaultdict(int)
    for event in world.history.of("cursor", "applied", "verdict"):
        if event.kind == "applied":
            key = event.device, event.position.epoch
            stored[key] = max(stored[key], event.batch.to)
        elif event.kind == "verdict":
            key = event.device, event.verdict.start.epoch
            stored[key] = max(stored[key], event.verdict.start.seq)
        else:
            key = event.branch, event.device, event.epoch
            if event.seq < saved[key]:
                yield f"the cursor of {event.device} fell from {saved[key]} to {event.seq}"
            saved[key] = event.seq
            if event.seq > min(event.head, stored[event.device, event.epoch]):
                yield f"the cursor of {event.device} is at {event.seq}, past what it holds"


def fencing(world: Any) -> Findings:
    """No append and no cursor of an older generation, once a newer was taken; a merge takes one."""
    ended: dict[str, int] = {}
    for event in world.history.of("appended", "cursor", "merged"):
        if event.kind == "merged":
            ended |= event.before
            continue
        device = event.entry.device if event.kind == "appended" else event.device
        if 0 < event.generation <= ended.get(device, 0):
            yield f"generation {event.generation} of {device} wrote after a merge had ended it"
        if event.generation != event.current:
            yield f"generation {event.generation} wrote ({event.kind}) after {event.current}"


def explicit_gap(world: Any) -> Findings:
    """A welcome starts where the device stands, or at the floor; nothing is passed in silence."""
    for event in world.history.of("verdict", "gap", "protocol_error"):
        if event.kind != "verdict":
            yield f"an honest device met {event}"
            continue
        verdict = event.verdict
        expected = event.stated.seq if event.stated else verdict.floor
        if verdict.kind == "welcome" and verdict.start.seq != expected:
            yield f"{event.device} skipped from {expected} to {verdict.start.seq}"


def epoch(world: Any) -> Findings:
    """No device goes on across epochs without a reset; a restore by command begins new ones."""
    for event in world.history.of("applied"):
        if event.batch.epoch != event.position.epoch:
            yield f"{event.device} in {event.position.epoch} applied {event.batch.epoch}"
    known: set[str] = set()
    before = iter(world.history.branches)
    for event in world.history.of("restored"):
        known.update(log.epoch for log in next(before).values())
        if event.by_command and not known.isdisjoint(event.epochs):
            yield f"a restore by command kept one of {event.epochs}"


def read_your_writes(world: Any) -> Findings:
    """After an answer with a seq, no hello of that account sees a lower head; nor do heads fall."""
    newest: dict[tuple[int, str], int] = defaultdict(int)
    for event in world.history.of("taken", "greeted"):
        key = event.branch, event.account
        seq = event.seq or 0 if event.kind == "taken" else event.head
        if event.kind == "greeted" and seq < newest[key]:
            yield f"a hello of {event.account} sees head {seq} after {newest[key]}"
        newest[key] = max(newest[key], seq)


def convergence(world: Any) -> Findings:
    """When faults stop, every device reaches the head, and everything that waited is decided."""
    if not world.quiet:
        yield "the calm does not end"
    for client in world.clients.values():
        store, log = client.store, world.history.branches[-1][owner(world, client.device)]
        if not client.live or store.position != log.position(log.head):
            yield f"{client.device} stands at {store.position}, the log at {log.head}"
        waiting = [row for row in store.rows.values() if row.state in ("accepted", "old")]
        waiting += list(store.outbox.values())
        if waiting:
            yield f"{client.device} still waits for {waiting}"
    logs, trimmed = world.history.branches[-1], set(trimmed_before_merges(world))
    for entry in known_to_sender(world):
        refused = entry.number in world.clients[entry.device].store.refused
        held = logs[own := owner(world, entry.device)].entries
        if not refused and entry not in held and (own, entry) not in trimmed:
            yield f"submitted, neither accepted nor refused: {entry}"


def known_to_sender(world: Any) -> list[Any]:
    """What the applications submitted, but for what a restored store cannot remember."""
    submitted: dict[str, list[Any]] = defaultdict(list)
    for event in world.history.of("submitted", "store_restored"):
        if event.kind == "submitted":
            submitted[event.entry.device].append(event.entry)
        else:
            kept = [entry for entry in submitted[event.device] if entry in event.known]
            submitted[event.device] = kept
    exempt = twice_restored(world)
    return [entry for device in submitted.keys() - exempt for entry in submitted[device]]


def sender_fifo(world: Any) -> Findings:
    """Entries of one device stand in number order, but for what a merge brought, and no honest
    message loses its turn."""
    brought = [entry for event in world.history.of("merged") for entry in event.entries]
    for logs in world.history.branches:
        for account, log in logs.items():
            newest: dict[str, int] = defaultdict(int)
            for entry in log.entries:
                if entry in brought:
                    continue
                if entry.number < newest[entry.device]:
                    yield f"{entry} stands after {newest[entry.device]} in {account}"
                newest[entry.device] = entry.number
    for event in refused_retries(world):
        if event.code == "skipped":
            yield f"lost its turn: {event.entry}"


def handed(world: Any) -> Findings:
    """The application finished every entry that arrived (section 9)."""
    finished = {(event.device, event.identity) for event in world.history.of("finished")}
    for client in world.clients.values():
        for identity in client.store.arrived:
            if (client.device, identity) not in finished:
                yield f"{client.device} was never handed {identity}"


def takeover(world: Any) -> Findings:
    """Of a guest's devices only that goes on with the account's log which proved both, or which
    signed in by itself."""
    entitled = {device: {account_of(device)} for device in world.clients}
    for event in world.history.of("merged", "signed_in", "applied"):
        if event.kind == "applied":
            if event.batch.account not in entitled[event.device]:
                yield f"{event.device} read from the log of {event.batch.account}"
        else:
            device = event.prover if event.kind == "merged" else event.device
            entitled[device].add(event.account)


def merge_atomic(world: Any) -> Findings:
    """What the guest had is the account's in the same moment, and the guest's log is closed."""
    events = world.history.events
    for at, event in enumerate(events):
        if event.kind != "merged":
            continue
        after = events[at + 1 : at + 1 + len(event.entries)]
        if [each.entry for each in after if each.kind == "appended"] != event.entries:
            yield f"{event.guest} was merged into {event.account} in parts"
        for late in events[at + 1 :]:
            if late.kind == "appended" and late.account == event.guest:
                yield f"{late.entry} was appended to the closed log of {event.guest}"


JUDGES: dict[str, Callable[[Any], Findings]] = {
    judge.__name__.replace("_", "-"): judge
    for judge in (
        durable_ack,
        no_phantom,
        one_effect,
        one_order,
        dense,
        stable_prefix,
        prefix,
        monotone_cursor,
        fencing,
        explicit_gap,
        epoch,
        read_your_writes,
        convergence,
        sender_fifo,
        handed,
        takeover,
        merge_atomic,
    )
}


def judged(world: Any) -> dict[str, list[str]]:
    """Every judge's findings, the silent ones left out."""
    findings = {name: list(judge(world)) for name, judge in JUDGES.items()}
    return {name: found for name, found in findings.items() if found}

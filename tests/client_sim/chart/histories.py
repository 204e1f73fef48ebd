"""Histories written by hand, for pictures of them."""

from client_sim.history import (
    Ack,
    Answer,
    Appended,
    Applied,
    Batch,
    Begin,
    Closed,
    Connect,
    Content,
    Cursor,
    Device,
    Holds,
    Log,
    Opened,
    Phase,
    Record,
    Saved,
    Send,
    Step,
    Verdict,
    fingerprint,
)
from client_sim.judging.verdict import Charge, Judgement, Opinion, Ruling

EPOCH = "e0" * 8
BODY = fingerprint(b"hello")


def content(count: int, device: str = "d-phone") -> tuple[Content, ...]:
    return tuple((f"{device}#{number}", BODY) for number in range(1, count + 1))


def founding() -> list[Record]:
    """A server that keeps one cursor for all PCs: PC2 starts where PC1 has come to."""
    return [
        Begin(world="pretend", play="founding-bug", seed=7),
        Device(device="d-phone", account="alice", name="phone", platform="phone"),
        Device(device="d-pc1", account="bob", name="PC1", platform="pc"),
        Device(device="d-pc2", account="bob", name="PC2", platform="pc"),
        Step(at=0.0, sentence="phone logs in"),
        *session(
            "d-phone",
            1,
            0.01,
            Verdict(
                at=0.03,
                by="server",
                device="d-phone",
                session=1,
                kind="welcome",
                epoch="a" * 16,
                floor=0,
                head=0,
                start=0,
            ),
        ),
        Step(at=0.1, sentence="phone sends 3 to bob"),
        *sent(3, 0.1),
        Batch(
            at=0.2,
            by="server",
            device="d-phone",
            session=1,
            epoch="a" * 16,
            prev=0,
            messages=content(3),
            head=3,
        ),
        Batch(
            at=0.21,
            device="d-phone",
            session=1,
            epoch="a" * 16,
            prev=0,
            messages=content(3),
            head=3,
        ),
        Applied(at=0.21, device="d-phone", epoch="a" * 16, prev=0, to=3),
        Step(at=1.0, sentence="PC1 logs in"),
        *session(
            "d-pc1",
            2,
            1.0,
            Verdict(
                at=1.02,
                by="server",
                device="d-pc1",
                session=2,
                kind="welcome",
                epoch=EPOCH,
                floor=0,
                head=3,
                start=0,
                missed=3,
            ),
        ),
        Batch(
            at=1.03,
            by="server",
            device="d-pc1",
            session=2,
            epoch=EPOCH,
            prev=0,
            messages=content(3),
            head=3,
        ),
        Batch(at=1.04, device="d-pc1", session=2, epoch=EPOCH, prev=0, messages=content(3), head=3),
        Applied(at=1.05, device="d-pc1", epoch=EPOCH, prev=0, to=3),
        Ack(at=1.15, device="d-pc1", session=2, epoch=EPOCH, seq=3),
        Ack(at=1.16, by="server", device="d-pc1", session=2, epoch=EPOCH, seq=3),
        Saved(at=1.3, by="server", device="d-pc1", epoch=EPOCH, seq=3, generation=1),
        Step(at=2.0, sentence="PC1 logs out"),
        Closed(at=2.01, device="d-pc1", session=2),
        Closed(at=2.02, by="server", device="d-pc1", session=2),
        Step(at=3.0, sentence="PC2 logs in"),
        *session(
            "d-pc2",
            3,
            3.0,
            Verdict(
                at=3.02,
                by="server",
                device="d-pc2",
                session=3,
                kind="welcome",
                epoch=EPOCH,
                floor=0,
                head=3,
                start=3,
                missed=0,
            ),
        ),
        Phase(at=9.0, name="end"),
        Log(
            at=9.0,
            by="server",
            account="alice",
            epoch="a" * 16,
            floor=0,
            head=3,
            entries=content(3),
        ),
        Log(at=9.0, by="server", account="bob", epoch=EPOCH, floor=0, head=3, entries=content(3)),
        Holds(at=9.0, device="d-phone", epoch="a" * 16, first=0, seq=3, entries=content(3)),
        Holds(
            at=9.0, device="d-pc1", epoch=EPOCH, first=0, seq=3, entries=content(3), online=False
        ),
        Holds(at=9.0, device="d-pc2", epoch=EPOCH, first=3, seq=3, entries=()),
        Cursor(at=9.0, by="server", device="d-pc1", epoch=EPOCH, seq=3),
    ]


def session(device: str, number: int, at: float, verdict: Verdict) -> list[Record]:
    """A hello without a place, until its verdict is taken."""
    return [
        Connect(at=at, device=device, session=number),
        Connect(at=at + 0.01, by="server", device=device, session=number),
        Opened(at=at + 0.01, by="server", device=device, session=number, generation=1),
        verdict,
        Verdict(
            at=verdict.at + 0.01,
            device=device,
            session=number,
            kind=verdict.kind,
            epoch=verdict.epoch,
            floor=verdict.floor,
            head=verdict.head,
            start=verdict.start,
            missed=verdict.missed,
        ),
        Applied(
            at=verdict.at + 0.01,
            device=device,
            epoch=verdict.epoch,
            prev=verdict.start,
            to=verdict.start,
        ),
    ]


def sent(count: int, at: float) -> list[Record]:
    """Messages of alice's phone to bob, one commit each."""
    records: list[Record] = []
    for number in range(1, count + 1):
        message = f"d-phone#{number}"
        records.append(
            Send(at=at, device="d-phone", message=message, body=BODY, to=("alice", "bob"))
        )
    for number in range(1, count + 1):
        message = f"d-phone#{number}"
        records += [
            Send(at=at + 0.01, by="server", device="d-phone", message=message, body=BODY),
            Appended(
                at=at + 0.02,
                by="server",
                account="alice",
                epoch="a" * 16,
                seq=number,
                message=message,
                body=BODY,
            ),
            Appended(
                at=at + 0.02,
                by="server",
                account="bob",
                epoch=EPOCH,
                seq=number,
                message=message,
                body=BODY,
            ),
            Answer(at=at + 0.03, device="d-phone", message=message, outcome="accepted", seq=number),
        ]
    return records


def accused(records: list[Record]) -> Judgement:
    """What a judge would say of `founding`."""
    verdict = max(
        index
        for index, each in enumerate(records)
        if isinstance(each, Verdict) and each.device == "d-pc2"
    )
    holds = next(
        index
        for index, each in enumerate(records)
        if isinstance(each, Holds) and each.device == "d-pc2"
    )
    charge = Charge(
        "PC2 never got entries 1-3 of bob's log, and nobody told it so", (verdict, holds), "d-pc2"
    )
    opinions = (
        Opinion("dense", Ruling.TRUE, 6),
        Opinion("explicit-gap", Ruling.FALSE, 3, (charge,), 1),
    )
    return Judgement(Ruling.FALSE, opinions, 3)

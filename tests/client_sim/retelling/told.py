"""Records of an invented server, by hand."""

from client_sim.history import (
    SERVER,
    Ack,
    Appended,
    Batch,
    Closed,
    Connect,
    Device,
    Process,
    Record,
    Send,
    Verdict,
)

EPOCH = "e" * 16


def device(at: float, name: str, account: str, platform: str = "pc") -> Record:
    return Device(
        at=at, by=SERVER, device=f"id-{name}", account=account, name=name, platform=platform
    )


def connect(
    at: float, name: str, session: int, *, run: str = "run1", seq: int | None = None
) -> list[Record]:
    """A hello and its welcome."""
    start = seq or 0
    who = {"device": f"id-{name}", "session": session}
    epoch = None if seq is None else EPOCH
    return [
        Connect(at=at, by=SERVER, **who, instance=run, epoch=epoch, seq=seq),
        Verdict(
            at=at, by=SERVER, **who, kind="welcome", epoch=EPOCH, floor=0, head=start, start=start
        ),
    ]


def closed(at: float, name: str, session: int, code: str = "") -> Record:
    return Closed(at=at, by=SERVER, device=f"id-{name}", session=session, code=code)


def batch(at: float, name: str, session: int, prev: int, count: int) -> Record:
    messages = tuple((f"m{seq}", "00") for seq in range(prev + 1, prev + count + 1))
    return Batch(
        at=at,
        by=SERVER,
        device=f"id-{name}",
        session=session,
        epoch=EPOCH,
        prev=prev,
        messages=messages,
        head=prev + count,
    )


def ack(at: float, name: str, session: int, seq: int) -> Record:
    return Ack(at=at, by=SERVER, device=f"id-{name}", session=session, epoch=EPOCH, seq=seq)


def sent(
    at: float, name: str, number: int, conversation: str, logs: str = "", **fields: int
) -> list[Record]:
    """A message, and its entry in the logs of these accounts."""
    message = f"id-{name}#{number}"
    told: list[Record] = [
        Send(
            at=at,
            by=SERVER,
            device=f"id-{name}",
            message=message,
            conversation=conversation,
            **fields,
        )
    ]
    return told + [
        Appended(
            at=at, by=SERVER, account=account, epoch=EPOCH, seq=number, message=message, body="00"
        )
        for account in logs.split()
    ]


def server(at: float, state: str) -> Record:
    return Process(at=at, by=SERVER, whose="server", state=state)

"""Syncing as moments: hellos with their verdicts, batches that arrive or not, cursors."""

from client_sim.chart.moments import Confirming, Delivery, Greeting
from client_sim.chart.telling import told
from client_sim.history import Ack, Applied, Batch, Connect, Device, Record, Saved, Verdict

DEVICE = Device(device="a", account="alice", name="A")
OTHER = Device(device="b", account="alice", name="B")
TWO = (("x#1", None), ("x#2", None))


def verdict(device: str, start: int, by: str = "server") -> Verdict:
    return Verdict(
        device=device, session=1, kind="welcome", epoch="e", floor=0, head=2, start=start, by=by
    )


def test_a_batch_that_only_the_server_tells_of_never_arrived() -> None:
    records: list[Record] = [
        DEVICE,
        Batch(device="a", session=1, epoch="e", prev=0, messages=TWO, by="server"),
        Batch(device="a", session=1, epoch="e", prev=0, messages=TWO),
        Batch(device="a", session=1, epoch="e", prev=2, messages=TWO, by="server"),
    ]
    (moment,) = told(records).moments
    assert isinstance(moment, Delivery)
    assert (moment.to, moment.arrived_to) == (4, 2)


def test_a_server_that_tells_alone_is_believed() -> None:
    records: list[Record] = [
        DEVICE,
        Connect(device="a", session=1, by="server"),
        verdict("a", 0),
        Batch(device="a", session=1, epoch="e", prev=0, messages=TWO, by="server"),
        Ack(device="a", session=1, epoch="e", seq=2, by="server"),
    ]
    greeting, delivery = told(records).moments
    assert isinstance(greeting, Greeting)
    assert isinstance(delivery, Delivery)
    assert (delivery.arrived_to, delivery.acked) == (2, 2)


def test_where_no_batch_is_told_what_was_applied_is() -> None:
    (moment,) = told([DEVICE, Applied(device="a", epoch="e", prev=0, to=2)]).moments
    assert isinstance(moment, Delivery)
    assert moment.to == 2


def test_a_verdict_comes_after_the_cursor_that_it_uses() -> None:
    records: list[Record] = [
        DEVICE,
        OTHER,
        Connect(device="b", session=1),
        Saved(device="a", epoch="e", seq=2, by="server"),
        verdict("b", 2),
        verdict("b", 2, "device"),
    ]
    confirming, greeting = told(records).moments
    assert isinstance(confirming, Confirming)
    assert isinstance(greeting, Greeting)
    assert (greeting.lender, greeting.lent_at) == ("a", 0)

"""Messages as moments: together, late, answered by both sides, unknown to the server."""

from client_sim.chart.moments import Answering, Sending
from client_sim.chart.telling import told
from client_sim.history import Answer, Appended, Connect, Device, Record, Send

DEVICE = Device(device="a", account="alice", name="A")


def test_messages_that_wait_for_a_connection_are_sent_later() -> None:
    records: list[Record] = [
        DEVICE,
        Send(device="a", message="a#1"),
        Connect(device="a", session=1),
        Appended(account="alice", epoch="e", seq=1, message="a#1", body=None, by="server"),
    ]
    written, _, sent = told(records).moments
    assert isinstance(written, Sending)
    assert isinstance(sent, Sending)
    assert (written.entries, sent.entries) == ({}, {"alice": [1]})


def test_an_answer_that_both_sides_tell_is_one() -> None:
    records: list[Record] = [
        DEVICE,
        Send(device="a", message="a#1"),
        Connect(device="a", session=1),
        Answer(device="a", message="a#1", outcome="accepted", seq=1, by="server"),
        Answer(device="a", message="a#1", outcome="accepted", seq=1),
        Answer(device="a", message="a#1", outcome="accepted", seq=1, duplicate=True),
    ]
    last = told(records).moments[-1]
    assert isinstance(last, Answering)
    assert len(last.answers) == 2


def test_where_no_server_tells_an_answer_places_the_message() -> None:
    records: list[Record] = [
        DEVICE,
        Send(device="a", message="a#1"),
        Answer(device="a", message="a#1", outcome="accepted", seq=7),
    ]
    (moment,) = told(records).moments
    assert isinstance(moment, Sending)
    assert moment.entries == {"alice": [7]}


def test_what_no_device_sent_comes_from_the_service() -> None:
    records: list[Record] = [
        Appended(account="alice", epoch="e", seq=1, message="ff#1", body=None, by="server"),
        Appended(account="alice", epoch="e", seq=2, message="ff#2", body=None, by="server"),
    ]
    telling = told(records)
    (moment,) = telling.moments
    assert moment.sentence(telling.cast) == "The service sends #1-2: now 1-2 of alice's log"

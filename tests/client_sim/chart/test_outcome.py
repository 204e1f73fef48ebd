"""Who holds what in the end."""

from client_sim.chart.cast import Cast
from client_sim.chart.outcome import outcome
from client_sim.history import Answer, Device, Holds, Log, Record, Send
from tests.client_sim.chart.histories import EPOCH, content, founding


def test_the_founding_outcome() -> None:
    records = founding()
    end = outcome(records, Cast.of(records))
    assert end.shares["d-pc1"].words() == ("holds 3 of 3", "has everything")
    assert end.shares["d-pc2"].words() == ("holds 0 of 3", "misses 1-3")
    assert not end.lost


def test_who_is_not_there_misses_only_holes() -> None:
    records: list[Record] = [
        Device(device="a", account="bob", name="A"),
        Log(account="bob", epoch=EPOCH, floor=0, head=4, entries=content(4)),
        Holds(
            device="a",
            epoch=EPOCH,
            first=0,
            seq=3,
            entries=(content(4)[0], content(4)[2]),
            online=False,
        ),
    ]
    share = outcome(records, Cast.of(records)).shares["a"]
    assert (share.held, share.missing) == (2, (2,))


def test_what_was_accepted_and_is_in_no_log_is_lost() -> None:
    records: list[Record] = [
        Device(device="a", account="bob", name="A"),
        Send(device="a", message="a#1", to=("bob",)),
        Answer(device="a", message="a#1", outcome="accepted", seq=1),
        Log(account="bob", epoch=EPOCH, floor=0, head=0, entries=()),
    ]
    assert outcome(records, Cast.of(records)).lost == {"bob": ("a#1",)}

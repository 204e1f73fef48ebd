"""Moments in words."""

from client_sim.chart.cast import Cast
from client_sim.chart.moments import Answering, Delivery, Greeting, Remark, Sending, Sign, Turn
from client_sim.history import Answer, Connect, Verdict
from tests.client_sim.chart.histories import EPOCH, founding

CAST = Cast.of(founding())


def greeting(hello: Connect, start: int, floor: int = 0, kind: str = "welcome") -> Greeting:
    verdict = Verdict(
        device="d-pc2", session=1, kind=kind, epoch=EPOCH, floor=floor, head=9, start=start
    )
    return Greeting(at=0, records=[], device="d-pc2", account="bob", hello=hello, verdict=verdict)


def test_what_is_passed_over_in_a_welcome() -> None:
    nothing = Connect(device="d-pc2", session=1)
    assert list(greeting(nothing, 3).skipped) == [1, 2, 3]
    assert list(greeting(nothing, 3, floor=3).skipped) == []
    assert list(greeting(nothing, 3, kind="truncated").skipped) == []
    stated = Connect(device="d-pc2", session=1, epoch=EPOCH, seq=2)
    assert list(greeting(stated, 3).skipped) == [3]
    assert list(greeting(Connect(device="d-pc2", session=1, cursor=True), 3).skipped) == []


def test_a_greeting_says_whose_cursor_it_was() -> None:
    moment = greeting(Connect(device="d-pc2", session=1), 3)
    moment.lender = "d-pc1"
    assert moment.sentence(CAST) == (
        "PC2 connects: “I hold nothing”. The server starts it after 3, where PC1 left the cursor"
        " that both share: 1-3 will never be sent to PC2"
    )


def test_refusals_are_said() -> None:
    answer = Answer(device="d-pc1", message="d-pc1#4", outcome="refused", code="not_a_member")
    moment = Sending(
        at=0, records=[], device="d-pc1", messages=["d-pc1#4"], answers={"d-pc1#4": answer}
    )
    assert moment.sentence(CAST) == "PC1 sends #4; refused: not_a_member"
    late = Answering(at=0, records=[], device="d-pc1", answers=[answer])
    assert late.sentence(CAST) == "PC1 is told: #4 refused: not_a_member"


def test_what_never_arrives_is_said() -> None:
    moment = Delivery(
        at=0, records=[], device="d-pc1", account="bob", epoch=EPOCH, prev=0, to=5, arrived_to=3
    )
    assert moment.sentence(CAST) == "1-5 is sent to PC1, but 4-5 never arrives"


def test_remarks_and_turns() -> None:
    remark = Remark(at=0, records=[], where="server", sign=Sign.CRASH, texts=["killed", "killed"])
    assert remark.sentence(CAST) == "The server: killed"
    turn = Turn(at=0, records=[], account="bob", text="restore: the log ends at 2")
    assert turn.sentence(CAST) == "bob's log: restore: the log ends at 2"

"""Messages that no device sent: told, answered, and lost with the server that had them."""

from client_sim.history import Answer, Appended, Send, fingerprint
from client_sim.pretend.house import PretendHouse
from tests.client_sim.pretend.rooms import lived, told


def test_what_is_published_is_told_and_is_in_the_log() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        await house.enrol("alice", "phone", "phone")
        for body in (b"one", b"two"):
            await house.publish("alice", body)

    lived(house, play())
    sent = told(house.history, Send)
    assert [each.body for each in sent] == [fingerprint(b"one"), fingerprint(b"two")]
    assert [each.message for each in told(house.history, Appended)] == [
        each.message for each in sent
    ]
    answers = told(house.history, Answer)
    assert [(each.outcome, each.seq) for each in answers] == [("accepted", 1), ("accepted", 2)]


def test_a_full_disk_refuses_it_and_a_server_that_dies_says_nothing() -> None:
    house = PretendHouse(1, weather={"crash_between": 0.5})

    async def play() -> None:
        await house.enrol("alice", "phone", "phone")
        for _ in range(10):
            await house.publish("alice", b"hello")
        house.calm()
        await house.fill_disk()
        await house.publish("alice", b"too much")

    lived(house, play())
    outcomes = [each.outcome for each in told(house.history, Answer)]
    assert set(outcomes[:-1]) == {"accepted", "lost"}
    assert outcomes[-1] == "refused"


def test_an_unknown_account_is_refused_for_ever() -> None:
    house = PretendHouse(1)
    lived(house, house.publish("nobody", b"hello"))
    [answer] = told(house.history, Answer)
    assert (answer.outcome, answer.definite, answer.code) == ("refused", True, "unknown_account")

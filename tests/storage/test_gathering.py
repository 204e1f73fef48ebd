"""Questions that are asked together are looked up together, and nobody suffers from another one."""

import asyncio
from collections.abc import Sequence

import pytest

from syncd.storage.gathering import Gathering


class Library:
    """Doubles what it is asked, when it is let; some questions it cannot bear."""

    def __init__(self) -> None:
        self.looks: list[list[int]] = []
        self.asked = asyncio.Event()
        self.open = asyncio.Event()

    async def look(self, questions: Sequence[int]) -> list[int]:
        self.looks.append(list(questions))
        self.asked.set()
        await self.open.wait()
        for question in questions:
            if question < 0:
                raise ValueError(question)
        return [2 * question for question in questions]


async def test_what_is_asked_during_a_look_waits_for_the_next_one() -> None:
    library = Library()
    gathering = Gathering(library.look)
    asking = [asyncio.create_task(gathering.ask(number)) for number in (1, 2)]
    await library.asked.wait()
    asking += [asyncio.create_task(gathering.ask(number)) for number in (3, 1, 4)]
    await asyncio.sleep(0)
    library.open.set()
    assert await asyncio.gather(*asking) == [2, 4, 6, 2, 8]
    assert library.looks == [[1, 2], [3, 1, 4]]
    assert await gathering.ask(5) == 10
    assert library.looks[2:] == [[5]]


async def test_one_look_does_not_follow_at_once_upon_another_one() -> None:
    library = Library()
    library.open.set()
    gathering = Gathering(library.look, interval_s=0.5)
    assert await gathering.ask(1) == 2
    second = asyncio.create_task(gathering.ask(2))
    for _ in range(5):
        await asyncio.sleep(0)
    assert library.looks == [[1]]
    assert await asyncio.gather(gathering.ask(3), second) == [6, 4]
    assert library.looks == [[1], [2, 3]]


async def test_a_question_that_cannot_be_answered_spoils_no_other() -> None:
    library = Library()
    library.open.set()
    gathering = Gathering(library.look)
    first, *others = await asyncio.gather(
        *(gathering.ask(number) for number in (-1, 2, 3, -4)), return_exceptions=True
    )
    assert isinstance(first, ValueError)
    assert first.args == (-1,)
    assert others[:2] == [4, 6]
    assert isinstance(others[2], ValueError)
    assert others[2].args == (-4,)
    assert library.looks == [[-1, 2, 3, -4], [-1], [2], [3], [-4]]


@pytest.mark.parametrize("gone", [0, 1, 2])
async def test_who_leaves_takes_nobody_along(gone: int) -> None:
    library = Library()
    gathering = Gathering(library.look)
    asking = [asyncio.create_task(gathering.ask(number)) for number in (-1, 2, 3)]
    await library.asked.wait()
    asking[gone].cancel()
    library.open.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(answers.pop(gone), asyncio.CancelledError)
    assert [each for each in answers if isinstance(each, int)] == [
        2 * each for each in (2, 3) if each != gone + 1
    ]
    assert await gathering.ask(7) == 14

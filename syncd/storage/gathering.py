"""Questions of many who ask at the same time, answered by one look.

A look on another thread costs two changes of thread, whatever it looks up; a thousand devices that
come back ask for a thousand rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Gathering(Generic[Question, Answer]):
    """Answers one by one what is looked up together: while one look is under way, the questions
    for the next one gather.

    look: gives the answers to some questions, in their order. Where it raises, each of them is
        asked again by itself, so that nobody suffers from another one's question.
    interval_s: between the beginnings of two looks, at least; who asks alone waits for nothing.
    """

    def __init__(
        self,
        look: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]],
        interval_s: float = 0.0,
    ) -> None:
        self._look = look
        self._interval_s = interval_s
        self._again_at = 0.0
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._looking: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answer:
        """The answer. Raises what a look for this question alone raises."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._looking is None:
            self._looking = asyncio.create_task(self._serve())
        return await answer

    async def _serve(self) -> None:
        """Look until nobody waits. A task of its own: who asked may be cancelled."""
        clock = asyncio.get_running_loop().time
        try:
            while self._waiting:
                now = clock()
                if now < self._again_at:
                    await asyncio.sleep(self._again_at - now)
                    now = clock()
                self._again_at = now + self._interval_s
                asked, self._waiting = self._waiting, []
                await self._answer(asked)
        finally:
            self._looking = None

    async def _answer(self, asked: Sequence[tuple[Question, asyncio.Future[Answer]]]) -> None:
        try:
            found = await self._look([question for question, _ in asked])
        except Exception as error:
            if len(asked) > 1:
                for each in asked:
                    await self._answer([each])
            elif not asked[0][1].done():
                asked[0][1].set_exception(error)
            return
        for (_, answer), result in zip(asked, found, strict=True):
            if not answer.done():
                answer.set_result(result)

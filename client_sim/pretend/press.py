"""What comes in over HTTP in a pretended house: messages that no device sent.

As server/writer.py makes them: from a device that does not exist, with a number of its own.
"""

from __future__ import annotations

from functools import partial
from hashlib import blake2b
from itertools import count

from client_sim.history import SERVER, Answer, Send, fingerprint
from client_sim.pretend.disk import named
from client_sim.pretend.node import Node
from client_sim.pretend.world import World
from syncd import limits
from syncd.errors import Refusal
from syncd.model import (
    Accepted,
    AccountId,
    DeviceId,
    Identity,
    Intent,
    Kind,
    Publication,
    direct,
)
from syncd.wire.codec import content_of, pack_entry
from syncd.wire.frames import Message


class Press:
    """Publishes to one account at a time; tells what was sent and what became of it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._device = DeviceId(
            world.chance("press").randbytes(limits.DEVICE_ID_CHARACTERS // 2).hex()
        )
        self._numbers = count(1)

    async def publish(self, node: Node, account: AccountId, body: bytes) -> None:
        """Returns when it is answered, or the server died before that."""
        publication = self._publication(account, body)
        world, name = self._world, named(Identity(self._device, publication.number))
        world.tell(
            Send(
                at=world.now(),
                by=SERVER,
                device=self._device,
                message=name,
                body=fingerprint(body),
                to=(account,),
                conversation=publication.intent.conversation,
                size=len(body),
            )
        )
        answer = node.committer.publish(publication)
        answered = await node.outlives(answer)
        world.tell(self._answer(name, answer.result() if answered else None))

    def _answer(self, message: str, result: Accepted | Refusal | None) -> Answer:
        told = partial(
            Answer, at=self._world.now(), by=SERVER, device=self._device, message=message
        )
        match result:
            case None:
                return told(outcome="lost")
            case Accepted(seq=seq):
                return told(outcome="accepted", seq=seq)
            case Refusal():
                return told(outcome="refused", code=result.name, definite=not result.reconnect)

    def _publication(self, account: AccountId, body: bytes) -> Publication:
        number, conversation = next(self._numbers), direct(account, account)
        message = Message(number, int(Kind.MESSAGE), conversation, None, body)
        record = pack_entry(message, AccountId(""), self._device, self._world.wall_ms())
        return Publication(
            publisher="",
            key=f"{number}",
            content=blake2b(content_of(message, record), digest_size=16).digest(),
            device=self._device,
            number=number,
            intent=Intent(Kind.MESSAGE, conversation),
            record=record,
            account=account,
        )

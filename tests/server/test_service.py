"""The service as an embedder calls it: what it promises, and what it declines."""

from typing import Any

import pytest

from syncd import errors
from syncd.committer import Committer
from syncd.identity.devices import Devices
from syncd.identity.keys import Keys
from syncd.identity.words import Declined
from syncd.server.connection import LiveConnections
from syncd.server.service import Phase, Published, Service, Staff
from syncd.storage import StorageError
from syncd.storage.memory import MemoryStorage
from syncd.wakeups import Wakeups


@pytest.fixture
async def service(start: Any) -> Service:
    running = await start(store=MemoryStorage())
    await running.service.create_device("bob", name="PC1", platform="pc")
    return running.service


async def test_before_the_start_nothing_is_served() -> None:
    service = Service(LiveConnections(), lambda error: None)
    assert not service.ready
    with pytest.raises(RuntimeError, match="not started"):
        await service.publish("bob", b"x")


async def test_publishing_is_durable_and_counted(service: Service) -> None:
    assert await service.publish("bob", b"one") == Published(1, duplicate=False)
    assert await service.publish("bob", b"one") == Published(2, duplicate=False)
    assert (await service.devices("bob"))[0].head == 2


async def test_a_key_makes_it_one_entry(service: Service) -> None:
    for duplicate in (False, True):
        published = await service.publish("bob", b"x", sender="alice", key="order 17")
        assert published == Published(1, duplicate)
    with pytest.raises(Declined) as declined:
        await service.publish("bob", b"x", key="order 17")  # from somebody else
    assert declined.value.refusal is errors.KEY_CONFLICT
    other = await service.publish("bob", b"x", key="order 17", publisher="another")
    assert other == Published(2, duplicate=False)


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ({"account": "b b"}, errors.BAD_REQUEST),
        ({"account": "nobody"}, errors.NO_SUCH_ACCOUNT),
        ({"body": bytes(32 * 1024 + 1)}, errors.PAYLOAD_TOO_LARGE),
        ({"sender": "a~b"}, errors.BAD_REQUEST),
        ({"conversation": ""}, errors.BAD_REQUEST),
        ({"conversation": "alice~carol"}, errors.BAD_REQUEST),
        ({"key": ""}, errors.BAD_REQUEST),
        ({"key": "x" * 201}, errors.BAD_REQUEST),
        ({"key": "a\nb"}, errors.BAD_REQUEST),
    ],
)
async def test_what_is_declined(
    service: Service, arguments: dict[str, Any], refusal: errors.Refusal
) -> None:
    with pytest.raises(Declined) as declined:
        await service.publish(**({"account": "bob", "body": b"x"} | arguments))
    assert declined.value.refusal is refusal


@pytest.mark.parametrize("body", ["text", bytearray(b"x"), 3, None])
async def test_a_body_is_bytes_and_nothing_else(service: Service, body: Any) -> None:
    with pytest.raises(TypeError, match="body is bytes"):
        await service.publish("bob", body)
    assert (await service.devices("bob"))[0].head == 0


async def test_a_drained_service_declines(service: Service) -> None:
    await service.drain()
    assert service.phase is Phase.DRAINING
    for asking in (
        service.publish("bob", b"x"),
        service.create_device("bob", name="PC2", platform="pc"),
        service.devices("bob"),
        service.revoke("0" * 24),
        service.key_name("sk_"),
    ):
        with pytest.raises(Declined) as declined:
            await asking
        assert declined.value.refusal is errors.SERVICE_DRAINING


class FailingStorage(MemoryStorage):
    """A real store whose environment fails it."""

    failure: StorageError

    async def create_account(self, account: str) -> bool:
        raise self.failure


@pytest.mark.parametrize(
    ("failure", "refusal", "phase"),
    [
        (
            StorageError("full", definite=True, refusal=errors.STORAGE_FULL),
            errors.SERVICE_FULL,
            Phase.READY,
        ),
        (
            StorageError("locked", definite=True, refusal=errors.BUSY),
            errors.SERVICE_BUSY,
            Phase.READY,
        ),
        (StorageError("unknown", definite=False), errors.SERVICE_BUSY, Phase.FAILED),
    ],
)
async def test_what_storage_suffers(
    failure: StorageError, refusal: errors.Refusal, phase: Phase
) -> None:
    storage, failures = FailingStorage(), list[StorageError]()
    storage.failure = failure
    service = Service(LiveConnections(), failures.append)
    committer = Committer(storage, Wakeups(), service.fail)
    service.begin(Staff(committer, Devices(storage), Keys(storage)))
    with pytest.raises(Declined) as declined:
        await service.create_device("bob", name="PC1", platform="pc")
    assert declined.value.refusal is refusal
    assert service.phase is phase
    assert failures == ([] if failure.definite else [failure])
    service.fail(failure)
    assert len(failures) <= 1 or failure.definite


async def test_a_failure_is_told_once() -> None:
    failures: list[StorageError] = []
    service = Service(LiveConnections(), failures.append)
    for text in ("one", "two"):
        service.fail(StorageError(text, definite=False))
    assert [str(error) for error in failures] == ["one"]

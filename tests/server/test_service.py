"""The service as an embedder calls it: what it promises, and what it declines."""

import asyncio
from typing import Any

import pytest

from syncd import errors
from syncd.badges import Badges
from syncd.committer import Committer
from syncd.identity.codes import Code
from syncd.identity.devices import Devices
from syncd.identity.keys import Keys
from syncd.identity.login import installation
from syncd.identity.words import Declined
from syncd.live_connections import LiveConnections
from syncd.membership import Action, Change, Role
from syncd.model import AccountId
from syncd.policy import Ask
from syncd.server.service import Caller, Phase, Published, Service, Staff
from syncd.storage import StorageError
from syncd.storage.memory import MemoryStorage
from syncd.wakeups import Wakeups
from tests.identity.reception import PHONE, Reception


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


# ---------------------------------------------------------------- groups


CREATE = Change(Action.CREATE, (AccountId("bob"),), (AccountId("zoe"),))


@pytest.fixture
async def grouped(service: Service) -> Service:
    await service.create_device("zoe", name="PC1", platform="pc")
    assert await service.change_group("team", CREATE)
    return service


async def test_a_group_is_made_and_looked_at(grouped: Service) -> None:
    roles = {"bob": Role.MEMBER, "zoe": Role.OWNER}
    for actor in ("", "bob", "zoe"):
        assert await grouped.members("team", actor=actor) == roles
    assert not await grouped.change_group("team", CREATE)
    for actor, refusal in (("", errors.NO_SUCH_CONVERSATION), ("bob", errors.NO_MEMBER)):
        with pytest.raises(Declined) as declined:
            await grouped.members("nothing", actor=actor)
        assert declined.value.refusal is refusal


async def test_whoever_changes_a_group_must_be_let_to(grouped: Service) -> None:
    leave, remove = Change(Action.LEAVE), Change(Action.REMOVE, (AccountId("zoe"),))
    with pytest.raises(Declined) as declined:
        await grouped.change_group("team", remove, actor="bob")
    assert declined.value.refusal is errors.NOT_ALLOWED
    assert await grouped.change_group("team", leave, actor="bob")
    with pytest.raises(Declined) as declined:
        await grouped.change_group("team", leave, actor="bob")
    assert declined.value.refusal is errors.NO_MEMBER
    assert [(await grouped.devices(each))[0].head for each in ("bob", "zoe")] == [2, 2]


async def test_a_message_to_a_group(grouped: Service) -> None:
    for duplicate in (False, True):
        published = await grouped.publish_to_group("team", b"x", sender="bob", key="k")
        assert published == Published(None, duplicate)
    assert [(await grouped.devices(each))[0].head for each in ("bob", "zoe")] == [2, 2]
    with pytest.raises(TypeError, match="body is bytes"):
        await grouped.publish_to_group("team", "text")


async def test_what_is_unread(grouped: Service) -> None:
    for _ in range(2):
        await grouped.publish_to_group("team", b"x", sender="zoe")
    await grouped.publish("bob", b"x", sender="zoe")
    assert await grouped.unread("bob") == {"team": 2, "bob~zoe": 1}
    assert await grouped.unread("zoe") == {}
    for account, refusal in (("nobody", errors.NO_SUCH_ACCOUNT), ("a b", errors.BAD_REQUEST)):
        with pytest.raises(Declined) as declined:
            await grouped.unread(account)
        assert declined.value.refusal is refusal


async def test_who_calls(start: Any) -> None:
    running = await start()
    made = await running.service.create_device("bob", name="PC1", platform="pc")
    key = await running.key("shop")
    assert await running.service.caller(key) == Caller(AccountId(""), "key:shop")
    assert await running.service.caller(made.token) == Caller(AccountId("bob"), "account:bob")
    await running.service.revoke(made.device)
    for nobody in (made.token, key + "x", "", "sk_"):
        assert await running.service.caller(nobody) is None


async def test_a_service_that_stops_while_the_policy_thinks_declines(start: Any) -> None:
    asked, thought = asyncio.Event(), asyncio.Event()

    async def policy(about: Ask) -> bool:
        asked.set()
        return await thought.wait()

    running = await start(store=MemoryStorage(), policy=policy)
    for account in ("bob", "zoe"):
        await running.service.create_device(account, name="PC1", platform="pc")
    await running.service.change_group("team", CREATE)
    leave = running.service.change_group("team", Change(Action.LEAVE), actor="bob")
    leaving = asyncio.create_task(leave)
    await asked.wait()
    running.service.say_goodbye()
    thought.set()
    with pytest.raises(Declined) as declined:
        await leaving
    assert declined.value.refusal is errors.SERVICE_DRAINING


# ---------------------------------------------------------------- the end


async def test_a_drained_service_declines(service: Service) -> None:
    await service.drain()
    assert service.phase is Phase.DRAINING
    for asking in (
        service.publish("bob", b"x"),
        service.create_device("bob", name="PC2", platform="pc"),
        service.devices("bob"),
        service.revoke("0" * 24),
        service.caller("sk_"),
        service.caller("sk_"),
        service.members("team"),
        service.unread("bob"),
        service.change_group("team", CREATE),
        service.publish_to_group("team", b"x"),
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
    devices, keys, badges = Devices(storage), Keys(storage), Badges(storage)
    desk = Reception(storage)
    service.begin(Staff(committer, devices, keys, storage, badges, desk.login, desk.accounts))
    with pytest.raises(Declined) as declined:
        await service.create_device("bob", name="PC1", platform="pc")
    assert declined.value.refusal is refusal
    assert service.phase is phase
    assert failures == ([] if failure.definite else [failure])
    service.fail(failure)
    assert len(failures) <= 1 or failure.definite


async def test_a_device_is_known_by_the_token_that_it_has_now(service: Service) -> None:
    made = await service.create_device("bob", name="PC2", platform="pc")
    assert (await service.device(made.token)).device == made.device
    await service.accounts.sign_out("bob", only=made.device)
    for token in (made.token, None, "", "sd_" + "A" * 43):
        with pytest.raises(Declined) as declined:
            await service.device(token)
        assert declined.value.refusal is errors.UNAUTHORIZED
    assert await service.caller(made.token) is None


async def test_where_no_app_is_known_nobody_logs_in_by_a_code(service: Service) -> None:
    code = Code(PHONE.name, "code-1")
    with pytest.raises(Declined) as declined:
        await service.login.log_in(code, installation("PC1", "pc"))
    assert declined.value.refusal is errors.UNKNOWN_APP


async def test_a_failure_is_told_once() -> None:
    failures: list[StorageError] = []
    service = Service(LiveConnections(), failures.append)
    for text in ("one", "two"):
        service.fail(StorageError(text, definite=False))
    assert [str(error) for error in failures] == ["one"]

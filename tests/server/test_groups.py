"""Groups over HTTP: who may change what, in whose name, and what is never done by half."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from syncd import errors, limits
from syncd.errors import Refusal
from syncd.identity.devices import Devices
from syncd.identity.keys import Keys
from syncd.model import Kind, ReadRequest
from syncd.policy import Ask
from syncd.storage import Storage
from syncd.storage.address import open_storage
from syncd.wire.codec import unpack_entries
from syncd.wire.frames import Entry

TEAM = "/v1/conversations/team"
CHANGED, UNCHANGED = {"changed": True}, {"changed": False}
EVERYBODY = ("anne", "ben", "cleo", "dora")


@pytest.fixture
async def storage(tmp_path: Any) -> Any:
    opened = await open_storage(str(tmp_path / "own"))
    yield opened
    await opened.close()


class Town:
    """A service, an operator's key, and the token of a device of everybody."""

    def __init__(self, running: Any, storage: Storage) -> None:
        self.running, self.storage = running, storage
        self.credentials: dict[str, str] = {}

    async def settle(self) -> None:
        self.credentials["key"] = await Keys(self.storage).create("shop")
        for account in EVERYBODY:
            made = await Devices(self.storage).create(account, name="PC1", platform="pc")
            self.credentials[account] = made.token

    async def ask(
        self, who: str, method: str, path: str = TEAM, body: Any = None, **headers: str
    ) -> Any:
        headers["Authorization"] = f"Bearer {self.credentials[who]}"
        async with self.running.http.request(method, path, json=body, headers=headers) as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            return answer.status, await answer.json()

    async def make(self, members: Sequence[str] = (), owners: Sequence[str] = ("anne",)) -> None:
        body = {"members": members, "owners": owners}
        assert await self.ask("key", "PUT", TEAM, body) == (201, CHANGED)

    async def roles(self) -> dict[str, str]:
        status, found = await self.ask("key", "GET")
        assert (status, found["conversation"]) == (200, "team")
        return {each["account"]: each["role"] for each in found["members"]}

    async def entries(self, account: str) -> list[Entry]:
        [page] = await self.storage.read([ReadRequest(account, 0, 1 << 20)])
        return list(unpack_entries(page.to, page.entries))

    async def heads(self) -> dict[str, int]:
        return dict(await self.storage.heads(EVERYBODY))


@pytest.fixture
async def town(start: Any, storage: Storage) -> Town:
    made = Town(await start(store=storage), storage)
    await made.settle()
    return made


def is_refused(answer: Any, refusal: Refusal) -> bool:
    status, body = answer
    assert body["text"]
    return (status, body["error"]) == (refusal.code, refusal.name)


# ---------------------------------------------------------------- making and looking


async def test_an_operator_makes_a_group(town: Town) -> None:
    await town.make(["ben"])
    assert await town.roles() == {"anne": "owner", "ben": "member"}
    for account in ("anne", "ben"):
        [entry] = await town.entries(account)
        assert (entry.kind, entry.conversation, entry.account) == (Kind.SYSTEM, "team", "")
        assert json.loads(entry.body or b"") == {
            "action": "create",
            "members": ["ben"],
            "owners": ["anne"],
        }
    assert await town.entries("cleo") == []


async def test_who_makes_a_group_owns_it(town: Town) -> None:
    assert await town.ask("ben", "PUT", TEAM, {"members": ["anne"]}) == (201, CHANGED)
    assert await town.roles() == {"anne": "member", "ben": "owner"}
    [entry] = await town.entries("anne")
    assert entry.account == "ben"
    devices = [each.device for each in await town.storage.devices("ben")]
    assert entry.device not in devices


async def test_the_same_group_again_is_no_change(town: Town) -> None:
    await town.make(["ben", "cleo"])
    body = {"members": ["cleo", "ben"], "owners": ["anne"]}
    assert await town.ask("key", "PUT", TEAM, body) == (200, UNCHANGED)
    assert await town.ask("anne", "PUT", TEAM, {"members": ["cleo", "ben"]}) == (200, UNCHANGED)
    for other in ({"members": ["ben", "cleo"]}, {"owners": ["anne", "ben", "cleo"]}):
        assert is_refused(await town.ask("key", "PUT", TEAM, other), errors.GROUP_EXISTS)
    assert is_refused(await town.ask("ben", "PUT", TEAM, body), errors.GROUP_EXISTS)
    assert len(await town.entries("anne")) == 1


async def test_only_members_and_operators_look(town: Town) -> None:
    await town.make(["ben"])
    for who in ("key", "anne", "ben"):
        status, found = await town.ask(who, "GET")
        assert (status, len(found["members"])) == (200, 2)
    for path in (TEAM, "/v1/conversations/nothing"):
        assert is_refused(await town.ask("cleo", "GET", path), errors.NO_MEMBER)
    nothing = await town.ask("key", "GET", "/v1/conversations/nothing")
    assert is_refused(nothing, errors.NO_SUCH_CONVERSATION)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", TEAM),
        ("GET", TEAM),
        ("POST", TEAM + "/changes"),
        ("PUT", TEAM + "/members/anne"),
        ("DELETE", TEAM + "/members/anne"),
    ],
)
async def test_without_a_credential_nothing_is_done(town: Town, method: str, path: str) -> None:
    await town.make(["ben"])
    token = town.credentials["anne"]
    [device] = await town.storage.devices("anne")
    before = await town.heads()
    for wrong in (f"Bearer {token}x", f"Basic {token}", "Bearer", f"Bearer sk_{'A' * 43}"):
        headers = {"Authorization": wrong}
        async with town.running.http.request(method, path, json={}, headers=headers) as answer:
            assert is_refused((answer.status, await answer.json()), errors.UNAUTHORIZED)
    await Devices(town.storage).revoke(device.device)
    assert is_refused(await town.ask("anne", method, path, {}), errors.UNAUTHORIZED)
    assert await town.heads() == before


# ---------------------------------------------------------------- changing


async def test_an_owner_changes_who_is_in(town: Town) -> None:
    await town.make()
    for body in (
        {"action": "add", "members": ["ben"], "owners": ["cleo"]},
        {"action": "remove", "members": ["ben"]},
    ):
        assert await town.ask("anne", "POST", TEAM + "/changes", body) == (200, CHANGED)
        assert await town.ask("anne", "POST", TEAM + "/changes", body) == (200, UNCHANGED)
    assert await town.roles() == {"anne": "owner", "cleo": "owner"}
    # Whoever is added sees that first, whoever is removed sees that last.
    bodies = [json.loads(each.body or b"") for each in await town.entries("ben")]
    assert [body["action"] for body in bodies] == ["add", "remove"]


async def test_members_one_by_one(town: Town) -> None:
    await town.make()
    ben = TEAM + "/members/ben"
    assert await town.ask("anne", "PUT", ben, {"role": "member"}) == (200, CHANGED)
    assert await town.ask("anne", "PUT", ben, {"role": "member"}) == (200, UNCHANGED)
    assert await town.ask("anne", "PUT", ben, {"role": "owner"}) == (200, CHANGED)
    assert await town.roles() == {"anne": "owner", "ben": "owner"}
    assert await town.ask("ben", "DELETE", TEAM + "/members/anne") == (200, CHANGED)
    assert await town.ask("ben", "DELETE", TEAM + "/members/anne") == (200, UNCHANGED)
    assert await town.ask("ben", "DELETE", ben) == (200, CHANGED)
    assert await town.roles() == {}
    assert await town.ask("key", "PUT", ben, {"role": "owner"}) == (200, CHANGED)
    assert await town.roles() == {"ben": "owner"}


async def test_a_plain_member_may_leave_and_nothing_else(town: Town) -> None:
    await town.make(["ben", "cleo"])
    before = await town.heads()
    for method, path, body in (
        ("PUT", "/members/dora", {"role": "member"}),
        ("PUT", "/members/ben", {"role": "owner"}),
        ("DELETE", "/members/cleo", None),
        ("POST", "/changes", {"action": "remove", "members": ["anne"]}),
    ):
        answer = await town.ask("ben", method, TEAM + path, body)
        assert is_refused(answer, errors.NOT_ALLOWED)
    assert await town.heads() == before
    assert await town.ask("ben", "DELETE", TEAM + "/members/ben") == (200, CHANGED)
    assert is_refused(await town.ask("ben", "DELETE", TEAM + "/members/ben"), errors.NO_MEMBER)
    assert await town.ask("cleo", "POST", TEAM + "/changes", {"action": "leave"}) == (200, CHANGED)
    assert await town.roles() == {"anne": "owner"}


async def test_a_stranger_changes_nothing(town: Town) -> None:
    await town.make(["ben"])
    for path in (TEAM, "/v1/conversations/nothing"):
        for method, rest, body in (
            ("PUT", "/members/dora", {"role": "owner"}),
            ("DELETE", "/members/dora", None),
            ("DELETE", "/members/anne", None),
            ("POST", "/changes", {"action": "leave"}),
        ):
            answer = await town.ask("dora", method, path + rest, body)
            assert is_refused(answer, errors.NO_MEMBER)
    assert await town.roles() == {"anne": "owner", "ben": "member"}
    assert await town.entries("dora") == []


async def test_of_two_owners_that_remove_each_other_one_stays(town: Town) -> None:
    await town.make((), ["anne", "ben"])
    answers = await asyncio.gather(
        town.ask("anne", "DELETE", TEAM + "/members/ben"),
        town.ask("ben", "DELETE", TEAM + "/members/anne"),
    )
    [lost] = [answer for answer in answers if answer != (200, CHANGED)]
    assert is_refused(lost, errors.NO_MEMBER)
    assert len(await town.roles()) == 1
    assert await town.heads() == {"anne": 2, "ben": 2, "cleo": 0, "dora": 0}


async def test_a_change_is_made_once_under_its_key(town: Town) -> None:
    await town.make(["ben"])
    key = {"Idempotency-Key": "joins-17"}
    add = {"action": "add", "members": ["cleo"]}
    remove = {"action": "remove", "members": ["cleo"]}
    changes = TEAM + "/changes"
    assert await town.ask("anne", "POST", changes, add, **key) == (200, CHANGED)
    assert await town.ask("anne", "POST", changes, remove) == (200, CHANGED)
    # The answer was lost and the change comes again: it does not bring the account back.
    assert await town.ask("anne", "POST", changes, add, **key) == (200, CHANGED)
    assert "cleo" not in await town.roles()
    other = await town.ask("anne", "POST", changes, remove, **key)
    assert is_refused(other, errors.KEY_CONFLICT)
    assert await town.ask("key", "POST", changes, add, **key) == (200, CHANGED)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("method", "path", "body", "refusal"),
    [
        ("PUT", TEAM + "2", {"members": ["anne", "nobody"]}, errors.NO_SUCH_ACCOUNT),
        ("PUT", TEAM + "2", {"members": ["anne", "anne"]}, errors.BAD_REQUEST),
        ("PUT", TEAM + "2", {"members": ["anne"], "owners": ["anne"]}, errors.BAD_REQUEST),
        ("PUT", TEAM + "2", {"members": ["an ne"]}, errors.BAD_REQUEST),
        ("PUT", TEAM + "2", {"members": [""]}, errors.BAD_REQUEST),
        ("PUT", TEAM + "2", {"members": "anne"}, errors.BAD_REQUEST),
        ("PUT", TEAM + "2", {"members": [], "rules": []}, errors.BAD_REQUEST),
        ("PUT", TEAM + "2", {}, errors.BAD_REQUEST),
        ("PUT", "/v1/conversations/anne~ben", {"members": ["anne"]}, errors.BAD_REQUEST),
        ("PUT", "/v1/conversations/a%20b", {"members": ["anne"]}, errors.BAD_REQUEST),
        ("PUT", "/v1/conversations/" + "x" * 65, {"members": ["anne"]}, errors.BAD_REQUEST),
        ("GET", "/v1/conversations/anne~ben", None, errors.BAD_REQUEST),
        ("GET", "/v1/conversations/..%2Fx", None, errors.BAD_REQUEST),
        ("POST", TEAM + "/changes", {"action": "explode"}, errors.BAD_REQUEST),
        ("POST", TEAM + "/changes", {"members": ["ben"]}, errors.BAD_REQUEST),
        ("POST", TEAM + "/changes", {"action": "add"}, errors.BAD_REQUEST),
        ("POST", TEAM + "/changes", {"action": "leave"}, errors.BAD_REQUEST),
        ("POST", TEAM + "/changes", {"action": "leave", "members": ["ben"]}, errors.BAD_REQUEST),
        ("POST", TEAM + "/changes", {"action": "remove", "owners": ["ben"]}, errors.BAD_REQUEST),
        ("POST", TEAM + "/changes", {"action": "add", "members": ["no"]}, errors.NO_SUCH_ACCOUNT),
        ("POST", TEAM + "2/changes", {"action": "add", "members": ["ben"]}, None),
        ("PUT", TEAM + "/members/nobody", {"role": "member"}, errors.NO_SUCH_ACCOUNT),
        ("PUT", TEAM + "/members/ben", {"role": "king"}, errors.BAD_REQUEST),
        ("PUT", TEAM + "/members/b%20en", {"role": "owner"}, errors.BAD_REQUEST),
        ("PUT", TEAM + "2/members/ben", {"role": "owner"}, None),
        ("DELETE", TEAM + "/members/a~b", None, errors.BAD_REQUEST),
        ("DELETE", TEAM + "2/members/ben", None, None),
    ],
)
async def test_what_cannot_be_done_has_its_code_and_no_effect(
    town: Town, method: str, path: str, body: Any, refusal: Refusal | None
) -> None:
    await town.make(["ben"])
    before = await town.heads()
    answer = await town.ask("key", method, path, body)
    assert is_refused(answer, refusal or errors.NO_SUCH_CONVERSATION)
    assert await town.heads() == before
    assert await town.roles() == {"anne": "owner", "ben": "member"}
    second = await town.ask("key", "GET", TEAM + "2")
    assert is_refused(second, errors.NO_SUCH_CONVERSATION)


async def test_one_member_too_many(town: Town) -> None:
    crowd = [f"m{number}" for number in range(limits.MEMBERS_MAX + 1)]
    for account in crowd:
        await town.storage.create_account(account)
    too_many = await town.ask("key", "PUT", TEAM, {"members": crowd})
    assert is_refused(too_many, errors.GROUP_TOO_LARGE)
    assert is_refused(await town.ask("key", "GET"), errors.NO_SUCH_CONVERSATION)
    await town.make(crowd[:-2])
    add = {"action": "add", "members": crowd[-2:]}
    too_many = await town.ask("anne", "POST", TEAM + "/changes", add)
    assert is_refused(too_many, errors.GROUP_TOO_LARGE)
    assert len(await town.roles()) == limits.MEMBERS_MAX
    assert await town.heads() == {"anne": 1, "ben": 0, "cleo": 0, "dora": 0}


async def test_more_names_than_an_entry_holds(town: Town) -> None:
    crowd = [f"{number}".rjust(limits.ACCOUNT_CHARACTERS_MAX, "x") for number in range(500)]
    answer = await town.ask("key", "PUT", TEAM, {"members": crowd})
    assert is_refused(answer, errors.PAYLOAD_TOO_LARGE)


# ---------------------------------------------------------------- messages to a group


async def test_a_program_writes_to_all_members(town: Town) -> None:
    await town.make(["ben"])
    body = {"conversation": "team", "text": "lunch"}
    told = (200, {"seq": None, "duplicate": False})
    assert await town.ask("key", "POST", "/v1/messages", body) == told
    assert await town.ask("key", "POST", "/v1/messages", body | {"from": "anne"}) == told
    for account in ("anne", "ben"):
        _, *said = await town.entries(account)
        assert [(each.account, each.conversation, each.body) for each in said] == [
            ("", "team", b"lunch"),
            ("anne", "team", b"lunch"),
        ]
    assert await town.entries("cleo") == []


async def test_a_message_to_a_group_is_one_under_its_key(town: Town) -> None:
    await town.make(["ben"])
    body, key = {"conversation": "team", "text": "lunch"}, {"Idempotency-Key": "lunch"}
    for duplicate in (False, True):
        answer = await town.ask("key", "POST", "/v1/messages", body, **key)
        assert answer == (200, {"seq": None, "duplicate": duplicate})
    for other in ({"text": "dinner"}, {"from": "anne"}, {"to": "anne", "conversation": None}):
        answer = await town.ask("key", "POST", "/v1/messages", body | other, **key)
        assert is_refused(answer, errors.KEY_CONFLICT)
    assert len(await town.entries("ben")) == 2


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"conversation": "team", "from": "cleo"}, errors.NO_MEMBER),
        ({"conversation": "nothing"}, errors.NO_SUCH_CONVERSATION),
        ({"conversation": "anne~ben"}, errors.BAD_REQUEST),
        ({"conversation": "team", "to": "anne"}, errors.BAD_REQUEST),
        ({}, errors.BAD_REQUEST),
    ],
)
async def test_messages_that_reach_no_group(
    town: Town, body: dict[str, str], refusal: Refusal
) -> None:
    await town.make(["ben"])
    before = await town.heads()
    answer = await town.ask("key", "POST", "/v1/messages", body | {"text": "x"})
    assert is_refused(answer, refusal)
    assert await town.heads() == before


async def test_what_is_unread_is_the_accounts_own_business(town: Town) -> None:
    await town.make(["ben"])
    body = {"conversation": "team", "text": "lunch", "from": "anne"}
    await town.ask("key", "POST", "/v1/messages", body)
    await town.ask("key", "POST", "/v1/messages", {"to": "ben", "text": "x", "from": "cleo"})
    path = "/v1/accounts/ben/unread"
    for who in ("key", "ben"):
        status, found = await town.ask(who, "GET", path)
        assert (status, found["account"], found["total"]) == (200, "ben", 2)
        assert found["unread"] == {"team": 1, "ben~cleo": 1}
    assert is_refused(await town.ask("anne", "GET", path), errors.NOT_ALLOWED)
    for wrong, refusal in (("nobody", errors.NO_SUCH_ACCOUNT), ("a~b", errors.BAD_REQUEST)):
        answer = await town.ask("key", "GET", f"/v1/accounts/{wrong}/unread")
        assert is_refused(answer, refusal)


# ---------------------------------------------------------------- the policy


async def test_the_policy_decides_changes_in_somebodys_name(start: Any, storage: Storage) -> None:
    asked: list[Ask] = []
    answers: list[Any] = []

    async def policy(about: Ask) -> Any:
        asked.append(about)
        return answers.pop(0)

    town = Town(await start(store=storage, policy=policy), storage)
    await town.settle()
    await town.make(["ben"])
    assert asked == [], "an operator needs nobody's leave"

    before = await town.heads()
    add, key = {"action": "add", "members": ["cleo"]}, {"Idempotency-Key": "1"}
    answers[:] = [False, None]
    changes = TEAM + "/changes"
    assert is_refused(await town.ask("anne", "POST", changes, add, **key), errors.NOT_ALLOWED)
    assert is_refused(await town.ask("anne", "POST", changes, add, **key), errors.SERVICE_BUSY)
    assert await town.heads() == before
    answers[:] = [True, False]
    # What was done once stays done, and says so, whatever the policy says today.
    for _ in range(2):
        assert await town.ask("anne", "POST", changes, add, **key) == (200, CHANGED)
    [*_, last] = asked
    assert (last.account, last.kind, last.conversation) == ("anne", Kind.SYSTEM, "team")
    assert json.loads(last.body) == add


@pytest.mark.parametrize(
    ("method", "path", "body", "text"),
    [
        ("POST", TEAM + "/changes", {"action": "leave"}, "is no member: use remove"),
        ("PUT", TEAM + "2", {}, "members and owners are both empty"),
        ("POST", TEAM + "/changes", {"action": "add"}, "nobody is named"),
        ("PUT", TEAM + "2", {"members": ["anne", "anne"]}, "an account is named twice"),
        ("POST", "/v1/messages", {"to": "anne", "conversation": "team", "text": "x"}, "not both"),
    ],
)
async def test_a_bad_request_is_told_what_is_wrong(
    town: Town, method: str, path: str, body: Any, text: str
) -> None:
    await town.make()
    status, answer = await town.ask("key", method, path, body)
    assert status == 400
    assert text in answer["text"]


async def test_who_shows_a_token_is_told_where_a_key_is_needed(town: Town) -> None:
    answer = await town.ask("anne", "POST", "/v1/messages", {"to": "ben", "text": "x"})
    assert is_refused(answer, errors.UNAUTHORIZED)
    assert "needs an API key; a device's token sends by the socket" in answer[1]["text"]

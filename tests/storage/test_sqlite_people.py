"""SQLite's door to login against the reference: after any history both hold and say the same."""

import asyncio
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.membership import Action, Change
from syncd.model import (
    AccountId,
    ConversationId,
    Identity,
    Kind,
    Opening,
    OpeningRequest,
    Work,
    direct,
)
from syncd.persons import Linking, Proof, Remap, Shown, SignedIn, Standing, Union, Vouch
from syncd.storage import NotErasable, Storage
from syncd.storage.check import check_file
from syncd.storage.database_file import DATABASE_NAME
from syncd.storage.folding import Fold, load
from syncd.storage.memory import MemoryStorage
from syncd.storage.sqlite import SqliteStorage, open_sqlite

from .reception import OPEN, OTHER, PHONE_APP, SITE, Visitors, hashed, subject
from .works import ALICE, BOB, populate

GROUP = ConversationId("hiking")
UNIONS = [None, None, Union(OPEN, "u1"), Union(OPEN, "u2"), Union(OTHER, "u1")]

SUBJECTS = st.builds(subject, st.sampled_from("ab"), st.sampled_from([PHONE_APP, SITE]))
PROOFS = st.builds(
    Proof, SUBJECTS, st.sampled_from(UNIONS), st.sampled_from([None, hashed("code")])
)
WHICH = st.integers(0, 5)
FEW = st.lists(WHICH, min_size=1, max_size=2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("prove"), PROOFS, st.none() | WHICH),
        st.tuples(st.just("prove"), PROOFS, st.none() | WHICH),
        st.tuples(st.just("prove"), PROOFS, st.none() | WHICH),
        st.tuples(st.just("vouch"), WHICH),
        st.tuples(st.just("token"), PROOFS, WHICH),
        st.tuples(st.just("write"), WHICH, WHICH),
        st.tuples(st.just("write"), WHICH, WHICH),
        st.tuples(st.just("write"), WHICH, WHICH),
        st.tuples(st.just("again"), WHICH, WHICH, st.integers(1, 3)),
        st.tuples(st.just("read"), WHICH, WHICH, WHICH, st.integers(1, 3)),
        st.tuples(
            st.just("change"),
            WHICH,
            st.sampled_from(Action),
            st.lists(WHICH, min_size=1, max_size=2),
        ),
        st.tuples(st.just("publish"), st.sampled_from("kl"), WHICH),
        st.tuples(st.just("open"), WHICH, WHICH),
        st.tuples(st.just("merge"), WHICH, WHICH),
        st.tuples(st.just("link"), WHICH, SUBJECTS, PROOFS),
        st.tuples(st.just("unlink"), WHICH, SUBJECTS, SUBJECTS),
        st.tuples(st.just("sign_out"), WHICH, WHICH),
        st.tuples(st.just("revoke"), WHICH),
        st.tuples(
            st.just("replay"),
        ),
        st.tuples(st.just("stand"), WHICH, st.sampled_from(Standing)),
        st.tuples(st.just("remap"), st.permutations(["u1", "u2", "u3"])),
        st.tuples(st.just("trim"), WHICH, st.integers(1, 4)),
        st.tuples(st.just("erase"), WHICH, st.integers(1, 4)),
        st.tuples(st.just("fold"), st.integers(1, 5)),
        st.tuples(st.just("reopen")),
    ),
    max_size=14,
)


class Half:
    """One of the two, and what it answers."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.visitors = Visitors(storage)
        self.people = storage.people
        self.logins: list[SignedIn] = []
        self._fold: Fold | None = None

    def login(self, which: int) -> SignedIn | None:
        return self.logins[which % len(self.logins)] if self.logins else None

    def account(self, which: int) -> AccountId:
        known = self.login(which)
        return known.account if known is not None and which != 5 else BOB

    def conversation(self, which: int, who: SignedIn) -> ConversationId:
        if which == 0:
            return GROUP
        return direct(self.account(which), who.account if which % 2 else BOB)

    async def do(self, name: str, *arguments: Any) -> object:
        step: Callable[..., Awaitable[object]] = getattr(self, name)
        return await step(*arguments)

    async def _asked(self, proof: Proof | Vouch, shown: Shown | None) -> object:
        done = await self.visitors.ask(proof, shown)
        if isinstance(done, SignedIn):
            self.logins.append(done)
        return done

    async def prove(self, proof: Proof, which: int | None) -> object:
        known = None if which is None else self.login(which)
        if known is None:
            return await self._asked(proof, None)
        return await self._asked(proof, Shown(known.device, self.visitors.secrets[known.device]))

    async def token(self, proof: Proof, which: int) -> object:
        known = self.login(which)
        return known and await self._asked(proof, Shown(known.device, None, 1))

    async def vouch(self, which: int) -> object:
        known = self.login(which)
        return known and await self._asked(Vouch(known.account, known.device, 1), None)

    async def write(self, which: int, where: int) -> object:
        known = self.login(which)
        return known and await self.visitors.write(known, self.conversation(where, known))

    async def again(self, which: int, where: int, number: int) -> object:
        known = self.login(which)
        if known is None or number > self.visitors.sent[known.device]:
            return None
        conversation = self.conversation(where, known)
        return await self.visitors.write(known, conversation, again=number)

    async def read(self, which: int, where: int, whose: int, number: int) -> object:
        known, other = self.login(which), self.login(whose)
        if known is None or other is None:
            return None
        conversation, target = self.conversation(where, known), Identity(other.device, number)
        return await self.visitors.write(known, conversation, kind=Kind.READ, target=target)

    async def change(self, which: int, action: Action, members: list[int]) -> object:
        known = self.login(which)
        named = tuple(dict.fromkeys(self.account(each) for each in members))
        change = Change(action, () if action is Action.LEAVE else named)
        return known and await self.visitors.write(known, GROUP, kind=Kind.SYSTEM, change=change)

    async def publish(self, key: str, which: int) -> object:
        made = self.visitors.publication(key, self.account(which))
        return (await self.storage.commit(Work(publications=(made,)))).publications

    async def open(self, which: int, whose: int) -> object:
        known = self.login(which)
        if known is None:
            return None
        request = OpeningRequest(self.account(whose), known.device, None, "i" * 16, None)
        [told] = (await self.storage.commit(Work(openings=(request,)))).openings
        if not isinstance(told, Opening):
            return told
        return told.generation, told.head, told.sent, told.aliases, len(told.merged_epochs)

    async def merge(self, guest: int, account: int) -> object:
        return await self.visitors.merge(self.account(guest), self.account(account))

    async def link(self, which: int, mine: Any, added: Proof) -> object:
        known = self.login(which)
        return known and await self.people.link(
            Linking(known.account, known.device, 1, Proof(mine), added)
        )

    async def unlink(self, which: int, mine: Any, removed: Any) -> object:
        return await self.people.unlink(self.account(which), mine, removed)

    async def sign_out(self, which: int, keep: int) -> object:
        known = self.login(keep)
        return await self.people.sign_out(self.account(which), known and known.device)

    async def revoke(self, which: int) -> object:
        known = self.login(which)
        if known is not None:
            await self.storage.change_credential(known.device, None)
        return None

    async def replay(self) -> object:
        return await self.people.replayed(hashed("code"))

    async def stand(self, which: int, standing: Standing) -> object:
        return await self.people.stand(self.account(which), standing)

    async def remap(self, names: list[str]) -> object:
        one, two, three = names
        return await self.people.remap(OPEN, [Remap(one, two), Remap(two, three)])

    async def trim(self, which: int, before: int) -> object:
        return await self.storage.trim(self.account(which), before)

    async def erase(self, which: int, seq: int) -> object:
        try:
            return await self.storage.erase(self.account(which), seq)
        except (KeyError, NotErasable) as refused:
            return type(refused)

    async def fold(self, entries: int) -> object:
        """A step of the fold that is under way, else of a new one: nobody sees a difference."""
        if isinstance(self.storage, SqliteStorage):
            storage = self.storage

            def step(connection: sqlite3.Connection) -> None:
                if self._fold is None or self._fold.done:
                    self._fold = Fold(connection, storage._unfolded)
                self._fold.step(entries)

            await storage._run(storage._writer, step)
        return None

    async def reopen(self) -> object:
        """The process dies, and another one reads what it has left."""
        if isinstance(self.storage, SqliteStorage):
            left = await self.storage._run(self.storage._writer, load)
            vars(self.storage._unfolded).update(vars(left))
            self._fold = None
        return None

    async def state(self) -> list[object]:
        """All that can be asked of it; what is drawn at random left out."""
        told: list[object] = [await self.people.pending(), await self.storage.members(GROUP)]
        accounts = dict.fromkeys([ALICE, BOB, *(each.account for each in self.logins)])
        for account in accounts:
            told += [
                account,
                await self.people.account_of(account),
                await self.people.aliases(account),
                await self.people.standing(account),
                await self.people.subjects(account),
                [
                    (each.device, each.credential, each.generation, each.sent, each.ended)
                    for each in await self.storage.devices(account)
                ],
                [
                    (entry.kind, entry.conversation, entry.body, entry.account and entry.device)
                    for entry in await self.visitors.log(account)
                ],
            ]
        sessions = {each.device: 1 for each in self.logins}
        told.append(await self.people.over(sessions))
        told += [await self.people.sealed_key(device) for device in sessions]
        return told


async def both(steps: list[tuple[Any, ...]], folder: Path) -> None:
    sqlite = await open_sqlite(folder)
    try:
        halves = [Half(MemoryStorage()), Half(sqlite)]
        for half in halves:
            await populate(half.storage)
        for name, *arguments in steps:
            expected, got = [await half.do(name, *arguments) for half in halves]
            assert got == expected, name
        expected, got = [await half.state() for half in halves]
        assert got == expected
    finally:
        await sqlite.close()
    report = check_file(folder / DATABASE_NAME, quick=True)
    assert report.sound, report.findings


@given(steps=STEPS)
@settings(max_examples=120)
def test_random_histories_match_the_reference(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        asyncio.run(both(steps, Path(folder)))

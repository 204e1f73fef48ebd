"""Who there is: owners, Open Platform accounts, apps, people, and what they are called to whom."""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import NamedTuple

from syncd.platform import errcodes
from syncd.platform.errcodes import Failed
from syncd.platform.identifiers import identifier
from syncd.platform.silence import Facts, UnionidPolicy, is_told

SCHEMA = """
CREATE TABLE IF NOT EXISTS open_accounts (
    account TEXT PRIMARY KEY,
    policy  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS apps (
    appid       TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,
    name        TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    owner       TEXT NOT NULL,
    account     TEXT REFERENCES open_accounts,
    registered  TEXT NOT NULL,             -- the host that browsers may be sent to
    component   INTEGER NOT NULL,          -- shows the user-info button
    state       TEXT NOT NULL DEFAULT 'normal',
    secret_frozen INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS people (
    person     TEXT PRIMARY KEY,
    nickname   TEXT NOT NULL,
    headimgurl TEXT NOT NULL,
    state      TEXT NOT NULL DEFAULT 'normal',
    epoch      INTEGER NOT NULL DEFAULT 0  -- how often the person ended and came back
) STRICT, WITHOUT ROWID;
-- Stored, not computed: another key must not change what somebody is called.
CREATE TABLE IF NOT EXISTS identifiers (
    sector     TEXT NOT NULL,
    person     TEXT NOT NULL,
    epoch      INTEGER NOT NULL,
    identifier TEXT NOT NULL,
    PRIMARY KEY (sector, person, epoch),
    UNIQUE (sector, identifier)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS followers (
    appid TEXT NOT NULL,
    openid TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (appid, openid)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS logins (
    appid  TEXT NOT NULL,
    openid TEXT NOT NULL,
    PRIMARY KEY (appid, openid)
) STRICT, WITHOUT ROWID;
"""

SNAPSHOT = "snapshot"
"""The virtual person whom everybody is who saw but a snapshot of a page."""


class AppKind(Enum):
    """What an app is."""

    MINI_PROGRAM = "mini-program"
    OFFICIAL_ACCOUNT = "official-account"
    WEBSITE = "website"
    MOBILE = "mobile"


class AppState(Enum):
    """Whether an app is in service; if not, everything answers 50002."""

    NORMAL = "normal"
    FROZEN = "frozen"
    DEREGISTERED = "deregistered"


class PersonState(Enum):
    """What became of a person."""

    NORMAL = "normal"
    BLOCKED = "blocked"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class NewApp:
    """An app to be made. account: of the Open Platform that it is bound to, if any.

    appid, secret: drawn where they are "". Chosen, they fit what its developers have written down.
    """

    kind: AppKind
    name: str
    owner: str
    account: str | None = None
    registered: str = ""
    component: bool = False
    appid: str = ""
    secret: str = ""

    def __repr__(self) -> str:
        return f"NewApp(name={self.name!r}, appid={self.appid!r})"


class MadeApp(NamedTuple):
    """What its developer is told, once."""

    appid: str
    secret: str

    def __repr__(self) -> str:
        return f"MadeApp(appid={self.appid!r})"


class App(NamedTuple):
    """An app that there is."""

    appid: str
    kind: AppKind
    name: str
    owner: str
    account: str | None
    registered: str
    component: bool
    state: AppState
    secret_frozen: bool


class Person(NamedTuple):
    """A person that there is, or was."""

    person: str
    nickname: str
    headimgurl: str
    state: PersonState
    epoch: int


class Unknown(Exception):
    """There is no such app, account or person."""


class Registry:
    """The tables in a database of the caller's.

    Owed by the caller: a transaction around every call, and its commit. key: of new identifiers.
    draw: so many bytes of chance that nobody can guess.
    """

    def __init__(self, db: sqlite3.Connection, key: bytes, draw: Callable[[int], bytes]) -> None:
        db.executescript(SCHEMA)
        self._db = db
        self._key = key
        self._draw = draw

    # --- Apps -------------------------------------------------------------------------------

    def add_account(self, account: str, policy: UnionidPolicy) -> None:
        """An Open Platform account, or another policy for one."""
        self._db.execute(
            "INSERT OR REPLACE INTO open_accounts VALUES (?, ?)", (account, policy.value)
        )

    def add_app(self, app: NewApp) -> MadeApp:
        """Raises Unknown for an account that there is not."""
        self._check_account(app.account)
        appid = app.appid or f"wx{self._draw(8).hex()}"
        made = MadeApp(appid, app.secret or self._draw(16).hex())
        self._db.execute(
            "INSERT INTO apps (appid, kind, name, secret_hash, owner, account, registered,"
            " component) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                made.appid,
                app.kind.value,
                app.name,
                _hash(made.secret),
                app.owner,
                app.account,
                app.registered,
                app.component,
            ),
        )
        return made

    def bind(self, appid: str, account: str | None) -> None:
        """Bind an app to another account, or to none: all its unionids change with it."""
        self._check_account(account)
        self._change("UPDATE apps SET account = ? WHERE appid = ?", account, appid)

    def register(self, appid: str, host: str) -> None:
        """Where browsers may be sent with its codes: see redirects.is_registered."""
        self._change("UPDATE apps SET registered = ? WHERE appid = ?", host, appid)

    def set_app_state(self, appid: str, state: AppState) -> None:
        self._change("UPDATE apps SET state = ? WHERE appid = ?", state.value, appid)

    def freeze_secret(self, appid: str, frozen: bool) -> None:
        self._change("UPDATE apps SET secret_frozen = ? WHERE appid = ?", frozen, appid)

    def app(self, appid: str) -> App | None:
        row = self._db.execute(
            "SELECT appid, kind, name, owner, account, registered, component, state,"
            " secret_frozen FROM apps WHERE appid = ?",
            (appid,),
        ).fetchone()
        if row is None:
            return None
        appid, kind, name, owner, account, registered, component, state, frozen = row
        return App(
            appid,
            AppKind(kind),
            name,
            owner,
            account,
            registered,
            bool(component),
            AppState(state),
            bool(frozen),
        )

    def admit(self, appid: str, secret: str | None) -> App:
        """The app, if it may call. Raises Failed. secret: None where none is asked for."""
        app = self.app(appid)
        if app is None:
            raise Failed(errcodes.INVALID_APPID)
        if secret is not None:
            query = "SELECT secret_hash FROM apps WHERE appid = ?"
            [(expected,)] = self._db.execute(query, (appid,))
            if not hmac.compare_digest(expected, _hash(secret)):
                raise Failed(errcodes.INVALID_APPSECRET)
            if app.secret_frozen:
                raise Failed(errcodes.APPSECRET_FROZEN)
        if app.state is not AppState.NORMAL:
            raise Failed(errcodes.USER_LIMITED)
        return app

    # --- People -----------------------------------------------------------------------------

    def add_person(self, person: str, nickname: str, headimgurl: str = "") -> None:
        """A person, or another name and picture for one."""
        self._db.execute(
            "INSERT INTO people (person, nickname, headimgurl) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET nickname = excluded.nickname,"
            " headimgurl = excluded.headimgurl",
            (person, nickname, headimgurl),
        )

    def set_person_state(self, person: str, state: PersonState) -> None:
        """Who comes back after an end is called otherwise by everybody."""
        self._change(
            "UPDATE people SET epoch = epoch + (state = 'ended' AND ?1 <> 'ended'), state = ?1"
            " WHERE person = ?2",
            state.value,
            person,
        )

    def person(self, person: str) -> Person | None:
        row = self._db.execute(
            "SELECT person, nickname, headimgurl, state, epoch FROM people WHERE person = ?",
            (person,),
        ).fetchone()
        return row and Person(row[0], row[1], row[2], PersonState(row[3]), row[4])

    # --- What people are called -------------------------------------------------------------

    def openid(self, appid: str, person: str) -> str:
        """Who the person is to the app, for as long as neither ends."""
        return self._identifier(f"app:{appid}", person)

    def person_of(self, appid: str, openid: str) -> str | None:
        """Whom the app calls so, unless that person has ended since."""
        row = self._db.execute(
            "SELECT person FROM identifiers LEFT JOIN people USING (person)"
            " WHERE sector = ? AND identifier = ?"
            " AND identifiers.epoch = coalesce(people.epoch, 0)"
            " AND coalesce(people.state, '') <> 'ended'",
            (f"app:{appid}", openid),
        ).fetchone()
        return row and str(row[0])

    def unionid(self, appid: str, person: str) -> str | None:
        """Who the person is to the account that the app is bound to, after consent."""
        app = self.app(appid)
        if app is None or app.account is None:
            return None
        return self._identifier(f"account:{app.account}", person)

    def silent_unionid(self, appid: str, person: str) -> str | None:
        """The same, where a login tells it without consent."""
        app = self.app(appid)
        if app is None or app.account is None:
            return None
        query = "SELECT policy FROM open_accounts WHERE account = ?"
        [(policy,)] = self._db.execute(query, (app.account,))
        told = is_told(UnionidPolicy(policy), self._facts(app, person))
        return self.unionid(appid, person) if told else None

    # --- Followers --------------------------------------------------------------------------

    def follow(self, appid: str, person: str, now: float) -> None:
        """The person follows an official account. Raises Failed for an app of another kind."""
        app = self.app(appid)
        if app is None or app.kind is not AppKind.OFFICIAL_ACCOUNT:
            raise Failed(errcodes.INVALID_APPID)
        openid = self.openid(appid, person)
        self._db.execute(
            "INSERT OR REPLACE INTO followers VALUES (?, ?, ?)", (appid, openid, int(now))
        )

    def unfollow(self, appid: str, person: str) -> None:
        openid = self.openid(appid, person)
        self._db.execute("DELETE FROM followers WHERE appid = ? AND openid = ?", (appid, openid))

    def followed_since(self, appid: str, openid: str) -> int | None:
        row = self._db.execute(
            "SELECT since FROM followers WHERE appid = ? AND openid = ?", (appid, openid)
        ).fetchone()
        return row and int(row[0])

    def followers(self, appid: str, after: str, at_most: int) -> tuple[int, list[str]]:
        """How many follow the account, and some of them, in the order of their openids."""
        [(total,)] = self._db.execute("SELECT count(*) FROM followers WHERE appid = ?", (appid,))
        rows = self._db.execute(
            "SELECT openid FROM followers WHERE appid = ? AND openid > ? ORDER BY openid LIMIT ?",
            (appid, after, at_most),
        )
        return total, [openid for (openid,) in rows]

    def note_login(self, appid: str, openid: str) -> None:
        """The person of this openid logged in to the app: one of the facts of 2017."""
        self._db.execute("INSERT OR IGNORE INTO logins VALUES (?, ?)", (appid, openid))

    def _facts(self, app: App, person: str) -> Facts:
        rows = self._db.execute(
            "SELECT appid, kind FROM apps WHERE owner = ? AND account = ? AND appid <> ?",
            (app.owner, app.account, app.appid),
        ).fetchall()
        others = [(appid, AppKind(kind), self.openid(appid, person)) for appid, kind in rows]
        counting = (AppKind.OFFICIAL_ACCOUNT, AppKind.MOBILE)
        query = "SELECT 1 FROM logins WHERE appid = ? AND openid = ?"
        return Facts(
            bound=True,
            component_used=app.component,
            same_app=bool(others),
            follows=any(self.followed_since(appid, openid) for appid, _, openid in others),
            logged_in=any(
                self._db.execute(query, (appid, openid)).fetchone()
                for appid, kind, openid in others
                if kind in counting
            ),
        )

    def _identifier(self, sector: str, person: str) -> str:
        known = self.person(person)
        epoch = known.epoch if known else 0
        row = self._db.execute(
            "SELECT identifier FROM identifiers WHERE sector = ? AND person = ? AND epoch = ?",
            (sector, person, epoch),
        ).fetchone()
        if row is not None:
            return str(row[0])
        made = identifier(self._key, sector, person, epoch)
        self._db.execute(
            "INSERT INTO identifiers VALUES (?, ?, ?, ?)", (sector, person, epoch, made)
        )
        return made

    def _check_account(self, account: str | None) -> None:
        query = "SELECT 1 FROM open_accounts WHERE account = ?"
        if account is not None and not self._db.execute(query, (account,)).fetchone():
            raise Unknown(account)

    def _change(self, statement: str, value: object, name: str) -> None:
        if not self._db.execute(statement, (value, name)).rowcount:
            raise Unknown(name)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()

"""The world of one platform: everything that is asked of it, each answer one transaction.

Synchronous, over one SQLite database; the time is an argument, as Unix seconds, and chance is
given. What fails raises errcodes.Failed and leaves everything as it was.
"""

from __future__ import annotations

import json
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha1
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from syncd.platform import errcodes
from syncd.platform.api_tokens import ApiToken, ApiTokens
from syncd.platform.codes import LOGIN_CODE_S, OPEN_CODE_S, Codes, Redeemed
from syncd.platform.errcodes import Failed
from syncd.platform.links import Asked, Asker
from syncd.platform.oauth import OAuth, Profile
from syncd.platform.registry import SNAPSHOT, App, AppKind, AppState, PersonState, Registry, Unknown
from syncd.platform.session_keys import SessionKeys

FOLLOWERS_PER_PAGE_MAX = 10_000
USERS_PER_BATCH_MAX = 100

_SCHEMA = "CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, secret BLOB) STRICT"


class Session(NamedTuple):
    """What a code of wx.login became."""

    openid: str
    session_key: str
    unionid: str | None

    def __repr__(self) -> str:
        return f"Session(openid={self.openid!r})"


class UserInfo(NamedTuple):
    """What wx.getUserInfo hands to a mini-program, each as text."""

    raw_data: str
    signature: str
    encrypted_data: str
    iv: str


class World:
    """A platform's people and apps. registry: what there is; change it within `with world.db`.

    draw: so many bytes of chance that nobody can guess.
    """

    def __init__(self, db: sqlite3.Connection, draw: Callable[[int], bytes]) -> None:
        db.execute(_SCHEMA)
        self.db = db
        self.busy_answers = 0
        """How many of the API's next answers say no more than that it is busy."""
        self._draw = draw
        self.registry = Registry(db, self._secret("identifiers"), draw)
        self.oauth = OAuth(self, db, draw)
        self._codes = Codes(db, draw)
        self._session_keys = SessionKeys(db, draw)
        self._api_tokens = ApiTokens(db, self._secret("api tokens"), draw)

    def set_person_state(self, person: str, state: PersonState) -> None:
        """Block a person, end one, or let one come back. Raises Unknown."""
        with self.db:
            self.registry.set_person_state(person, state)
            if state is PersonState.ENDED:
                self._codes.forget(person)
                self._session_keys.forget(person)

    # --- Mini-programs ----------------------------------------------------------------------

    def login_code(self, appid: str, person: str, now: float) -> str:
        """What wx.login hands to a mini-program on this person's phone."""
        with self.db:
            app = self.registry.admit(appid, None)
            if app.kind is not AppKind.MINI_PROGRAM:
                raise Failed(errcodes.INVALID_APPID)
            self._check_there(person)
            self._session_keys.renew(appid, person, now)
            return self._codes.issue(appid, Redeemed(person, "", False), LOGIN_CODE_S, now)

    def session(self, appid: str, secret: str, code: str, now: float) -> Session:
        """jscode2session."""
        with self.db:
            self.registry.admit(appid, secret)
            person = self._codes.redeem(appid, code, True, now).person
            self._check_person(person)
            openid = self.registry.openid(appid, person)
            self.registry.note_login(appid, openid)
            key = self._session_keys.use(appid, person, now)
            return Session(openid, key, self.registry.silent_unionid(appid, person))

    def check_session(
        self, appid: str, openid: str, signature: str, method: str, now: float
    ) -> None:
        """checksession: whether the app still holds the person's session_key."""
        person = self._person_of(appid, openid)
        self._session_keys.check(appid, person, signature, method, now)

    def reset_session(
        self, appid: str, openid: str, signature: str, method: str, now: float
    ) -> str:
        """resetusersessionkey: another session_key, for whoever holds the present one."""
        with self.db:
            person = self._person_of(appid, openid)
            self._session_keys.check(appid, person, signature, method, now)
            return self._session_keys.reset(appid, person, now)

    def user_info(self, appid: str, person: str, now: float) -> UserInfo:
        """What wx.getUserInfo hands over, with consent, since a wx.login (identity.md 1.9)."""
        with self.db:
            self.registry.admit(appid, None)
            self._check_there(person)
            key = self._session_keys.use(appid, person, now)
        known = self.registry.person(person)
        shown = {
            "nickName": known.nickname if known else "",
            "gender": 0,
            "language": "zh_CN",
            "city": "",
            "province": "",
            "country": "",
            "avatarUrl": known.headimgurl if known else "",
        }
        with self.db:
            openid = self.registry.openid(appid, person)
            unionid = self.registry.unionid(appid, person)
        union = {} if unionid is None else {"unionId": unionid}
        watermark = {"timestamp": int(now), "appid": appid}
        plain = {"openId": openid, **shown, **union, "watermark": watermark}
        iv = self._draw(16)
        return UserInfo(
            raw_data=_json(shown),
            signature=sha1((_json(shown) + key).encode()).hexdigest(),
            encrypted_data=b64encode(_encrypted(_json(plain).encode(), key, iv)).decode(),
            iv=b64encode(iv).decode(),
        )

    # --- /cgi-bin ---------------------------------------------------------------------------

    def api_token(self, appid: str, secret: str, now: float) -> ApiToken:
        with self.db:
            self.registry.admit(appid, secret)
            return self._api_tokens.plain(appid, now)

    def stable_api_token(self, appid: str, secret: str, force: bool, now: float) -> ApiToken:
        with self.db:
            self.registry.admit(appid, secret)
            return self._api_tokens.stable(appid, force, now)

    def caller(self, access_token: str, now: float) -> App:
        """The app that calls with this token."""
        appid = self._api_tokens.appid_of(access_token, now)
        return self.registry.admit(appid, None)

    def follower(self, appid: str, openid: str) -> dict[str, object]:
        """cgi-bin/user/info: what an official account may know of a person."""
        with self.db:
            person = self._person_of(appid, openid)
            unionid = self.registry.unionid(appid, person)
        union = {} if unionid is None else {"unionid": unionid}
        since = self.registry.followed_since(appid, openid)
        if since is None:
            return {"subscribe": 0, "openid": openid, **union}
        return {
            "subscribe": 1,
            "openid": openid,
            "language": "zh_CN",
            "subscribe_time": since,
            **union,
            "remark": "",
            "groupid": 0,
            "tagid_list": [],
            "subscribe_scene": "ADD_SCENE_SEARCH",
            "qr_scene": 0,
            "qr_scene_str": "",
        }

    def followers(self, appid: str, after: str) -> dict[str, object]:
        """cgi-bin/user/get: a page of followers; behind the last one there is a page without data.

        A page that repeated itself would keep clients turning pages for ever.
        """
        total, openids = self.registry.followers(appid, after, FOLLOWERS_PER_PAGE_MAX)
        page: dict[str, object] = {"total": total, "count": len(openids)}
        if openids:
            page["data"] = {"openid": openids}
        return {**page, "next_openid": openids[-1] if openids else ""}

    # --- What OAuth2 asks: oauth.Directory ----------------------------------------------------

    def asker(self, appid: str) -> Asker | None:
        app = self.registry.app(appid)
        return app and Asker(app.kind.value, app.registered, app.state is AppState.NORMAL)

    def app_name(self, appid: str) -> str:
        app = self.registry.app(appid)
        return app.name if app else appid

    def admit(self, appid: str, secret: str | None) -> None:
        self.registry.admit(appid, secret)

    def issue(self, asked: Asked, person: str, snapshot: bool, now: float) -> str:
        app = self.registry.admit(asked.appid, None)
        self._check_person(person)
        account = app.kind is AppKind.OFFICIAL_ACCOUNT
        lifetime_s = LOGIN_CODE_S if account else OPEN_CODE_S
        return self._codes.issue(
            asked.appid, Redeemed(person, asked.scope, snapshot), lifetime_s, now
        )

    def redeem(self, appid: str, code: str, now: float) -> Redeemed:
        redeemed = self._codes.redeem(appid, code, False, now)
        self._check_person(redeemed.person)
        if not redeemed.snapshot:
            self.registry.note_login(appid, self.registry.openid(appid, redeemed.person))
        return redeemed

    def profile(self, person: str) -> Profile | None:
        known = self.registry.person(person)
        if known is None or known.state is not PersonState.NORMAL:
            return None
        return Profile(known.nickname, known.headimgurl)

    def openid(self, appid: str, person: str, snapshot: bool) -> str:
        return self.registry.openid(appid, SNAPSHOT if snapshot else person)

    def unionid(self, appid: str, person: str, snapshot: bool) -> str | None:
        return self.registry.unionid(appid, SNAPSHOT if snapshot else person)

    # --- Inside -----------------------------------------------------------------------------

    def _check_person(self, person: str) -> None:
        known = self.registry.person(person)
        if known is None or known.state is PersonState.ENDED:
            raise Failed(errcodes.INVALID_CODE)
        if known.state is PersonState.BLOCKED:
            raise Failed(errcodes.CODE_BLOCKED)

    def _check_there(self, person: str) -> None:
        known = self.registry.person(person)
        if known is None or known.state is PersonState.ENDED:
            raise Unknown(person)

    def _person_of(self, appid: str, openid: str) -> str:
        person = self.registry.person_of(appid, openid)
        if person is None:
            raise Failed(errcodes.INVALID_OPENID)
        return person

    def _secret(self, name: str) -> bytes:
        with self.db:
            self.db.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (name, self._draw(32)))
        [(secret,)] = self.db.execute("SELECT secret FROM secrets WHERE name = ?", (name,))
        return bytes(secret)


def _json(body: object) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _encrypted(plain: bytes, session_key: str, iv: bytes) -> bytes:
    """AES-128-CBC with PKCS#7 under the decoded key: identity.md 1.9."""
    padder = PKCS7(128).padder()
    padded = padder.update(plain) + padder.finalize()
    encryptor = Cipher(algorithms.AES(b64decode(session_key)), modes.CBC(iv)).encryptor()
    return encryptor.update(padded) + encryptor.finalize()

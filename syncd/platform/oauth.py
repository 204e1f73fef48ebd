"""OAuth2 as the platform speaks it: from a link to a code, a grant, and a person's profile.

Synchronous; the time is an argument, as Unix seconds. identity.md 1.5 and 1.6.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from syncd.platform import errcodes
from syncd.platform.browsers import Browsers
from syncd.platform.codes import Redeemed
from syncd.platform.errcodes import Errcode, Failed
from syncd.platform.grants import MOBILE_REFRESH_TOKEN_S, REFRESH_TOKEN_S, Found, Grant, Grants
from syncd.platform.links import Asked, Asker, Door, Mistake, read
from syncd.platform.qrconnect import Opened, QrCodes, Scanned, Status

log = logging.getLogger(__name__)

_TOKEN = re.compile(r"[\w-]{32,1024}", re.ASCII)
"""What looks like a token; what does not is called malformed rather than dead."""
_SCOPES_WITH_UNIONID = frozenset({"snsapi_userinfo", "snsapi_login"})


class Profile(NamedTuple):
    """What apps may learn of a person."""

    nickname: str
    headimgurl: str = ""


class Directory(Protocol):
    """What the world tells about its apps and people."""

    def asker(self, appid: str) -> Asker | None:
        """This app, or None."""

    def app_name(self, appid: str) -> str:
        """What people call an app that there is."""

    def admit(self, appid: str, secret: str | None) -> None:
        """Raises Failed unless there is this app, in good standing, and the secret is its own.

        None: where no secret is asked for.
        """

    def issue(self, asked: Asked, person: str, snapshot: bool, now: float) -> str:
        """A code for this app, once. Raises Failed where the person may not log in."""

    def redeem(self, appid: str, code: str, now: float) -> Redeemed:
        """What the code stood for, to one of any number who ask. Raises Failed."""

    def profile(self, person: str) -> Profile | None:
        """None: the person is blocked, or has ended."""

    def openid(self, appid: str, person: str, snapshot: bool) -> str:
        """Who the person is to the app; the same for everybody who saw but a snapshot."""

    def unionid(self, appid: str, person: str, snapshot: bool) -> str | None:
        """Who the person is to the Open Platform account of the app, if it is bound to one."""


class OAuth:
    """Everything behind the pages of browsers and behind /sns/oauth2, /sns/userinfo, /sns/auth.

    draw: so many bytes of chance that nobody can guess.
    """

    def __init__(
        self, directory: Directory, db: sqlite3.Connection, draw: Callable[[int], bytes]
    ) -> None:
        self._directory = directory
        self._db = db
        self._grants = Grants(db, draw)
        self._qr_codes = QrCodes(db, draw)
        self._browsers = Browsers(db, draw)

    # --- Browsers ---------------------------------------------------------------------------

    def read(self, door: Door, parameters: Iterable[tuple[str, str]]) -> Asked | Mistake:
        """What a link asks for; see links.read."""
        given = list(parameters)
        appid = dict(given).get("appid", "")
        app = self._directory.asker(appid)
        return read(door, given, {} if app is None else {appid: app})

    def app_name(self, appid: str) -> str:
        return self._directory.app_name(appid)

    def nickname(self, person: str) -> str:
        profile = self._directory.profile(person)
        return profile.nickname if profile else ""

    def stranger(self) -> str:
        """The secret of a browser that is nobody's."""
        return self._browsers.stranger()

    def invite(self, person: str) -> str:
        """A ticket for /connect/browser, which makes one browser this person's."""
        with self._db:
            return self._browsers.invite(person)

    def enter(self, ticket: str) -> str | None:
        """The secret of the browser that came with the ticket, if that is still good."""
        with self._db:
            return self._browsers.enter(ticket)

    def person_of(self, browser: str) -> str | None:
        """Whose browser it is; None as well where that person is blocked, or has ended."""
        person = self._browsers.person_of(browser)
        return person if person and self._directory.profile(person) else None

    def code(self, asked: Asked, person: str, snapshot: bool, now: float) -> str:
        """What the app gets for this person's consent. Raises Failed."""
        with self._db:
            return self._directory.issue(asked, person, snapshot, now)

    # --- QR codes ---------------------------------------------------------------------------

    def open_qr(self, appid: str, browser: str, place: str, now: float) -> Opened:
        """A QR code for this browser. Raises TooMany."""
        with self._db:
            return self._qr_codes.open(appid, browser, place, now)

    def is_open_qr(self, uuid: str, now: float) -> bool:
        return self._qr_codes.is_open(uuid, now)

    def qr_status(self, uuid: str, browser: str, now: float) -> Status:
        return self._qr_codes.status(uuid, browser, now)

    def scan_qr(self, uuid: str, person: str, now: float) -> Scanned:
        """This person's phone reads the code, and shows what is returned. Raises NotYours."""
        with self._db:
            return self._qr_codes.scan(uuid, person, now)

    def decide_qr(self, uuid: str, person: str, agreed: bool, now: float) -> None:
        """The person who scanned it agrees, or refuses. Raises NotYours."""
        with self._db:
            (self._qr_codes.confirm if agreed else self._qr_codes.cancel)(uuid, person, now)

    def take_qr_code(self, uuid: str, browser: str, now: float) -> str | None:
        """The code of a confirmed login, once, for the browser that opened it. Raises Failed."""
        with self._db:
            taken = self._qr_codes.take(uuid, browser, now)
            if taken is None:
                return None
            asked = Asked(taken.appid, "", "snsapi_login", None)
            return self._directory.issue(asked, taken.person, False, now)

    # --- /sns -------------------------------------------------------------------------------

    def access_token(self, given: Mapping[str, str], network: str, now: float) -> dict[str, object]:
        """A grant for a code. network: from where it is asked for. Raises Failed."""
        appid = _required(given, "appid", errcodes.APPID_MISSING)
        secret = _required(given, "secret", errcodes.APPSECRET_MISSING)
        code = _required(given, "code", errcodes.CODE_MISSING)
        _check_grant_type(given, "authorization_code")
        self._directory.admit(appid, secret)
        with self._db:
            redeemed = self._directory.redeem(appid, code, now)
            grant = Grant(
                appid,
                redeemed.person,
                self._directory.openid(appid, redeemed.person, redeemed.snapshot),
                redeemed.scope,
                redeemed.snapshot,
                network,
            )
            app = self._directory.asker(appid)
            mobile = app is not None and app.kind == "mobile"
            lifetime_s = MOBILE_REFRESH_TOKEN_S if mobile else REFRESH_TOKEN_S
            tokens = self._grants.add(grant, lifetime_s, now)
        answer = {**tokens._asdict(), "openid": grant.openid, "scope": grant.scope}
        if grant.snapshot:
            answer["is_snapshotuser"] = 1
        return answer | self._union_of(grant)

    def refresh_token(
        self, given: Mapping[str, str], network: str, now: float
    ) -> dict[str, object]:
        """The same grant for longer. No secret is asked for, so it is bound to the app alone."""
        appid = _required(given, "appid", errcodes.APPID_MISSING)
        token = _required(given, "refresh_token", errcodes.REFRESH_TOKEN_MISSING)
        _check_grant_type(given, "refresh_token")
        self._directory.admit(appid, None)
        found = self._grants.renewable_by(token, now)
        if found is None or found.grant.appid != appid:
            raise Failed(errcodes.INVALID_REFRESH_TOKEN)
        if found.expired:
            raise Failed(errcodes.REFRESH_TOKEN_EXPIRED)
        self._check_person(found.grant, errcodes.INVALID_REFRESH_TOKEN)
        if found.grant.network != network:
            log.warning("! a refresh token of app %s is used from a second network", appid)
        with self._db:
            tokens = self._grants.renew(token, now)
        return {**tokens._asdict(), "openid": found.grant.openid, "scope": found.grant.scope}

    def user_info(self, given: Mapping[str, str], now: float) -> dict[str, object]:
        """The profile that a person let the app see. Raises Failed."""
        grant = self._granted(given, now)
        if grant.scope not in _SCOPES_WITH_UNIONID:
            raise Failed(errcodes.UNAUTHORIZED)
        profile = self._check_person(grant, errcodes.INVALID_CREDENTIAL)
        return {
            "openid": grant.openid,
            "nickname": profile.nickname,
            # The platform has told neither since 2021.
            "sex": 0,
            "language": "",
            "city": "",
            "province": "",
            "country": "",
            "headimgurl": profile.headimgurl,
            "privilege": [],
            **self._union_of(grant),
        }

    def check(self, given: Mapping[str, str], now: float) -> None:
        """Whether an access token is good for an openid: Failed, if not."""
        grant = self._granted(given, now)
        self._check_person(grant, errcodes.INVALID_CREDENTIAL)

    def _granted(self, given: Mapping[str, str], now: float) -> Grant:
        token = _required(given, "access_token", errcodes.ACCESS_TOKEN_MISSING)
        openid = _required(given, "openid", errcodes.OPENID_MISSING)
        if not _TOKEN.fullmatch(token):
            raise Failed(errcodes.INVALID_ACCESS_TOKEN)
        found: Found | None = self._grants.allowed_by(token, now)
        if found is None:
            raise Failed(errcodes.INVALID_CREDENTIAL)
        if found.expired:
            raise Failed(errcodes.ACCESS_TOKEN_EXPIRED)
        self._directory.admit(found.grant.appid, None)
        if found.grant.openid != openid:
            raise Failed(errcodes.INVALID_OPENID)
        return found.grant

    def _check_person(self, grant: Grant, otherwise: Errcode) -> Profile:
        # Grants of somebody who has ended, or came back as somebody else, are nobody's.
        profile = self._directory.profile(grant.person)
        openid = self._directory.openid(grant.appid, grant.person, grant.snapshot)
        if profile is None or openid != grant.openid:
            raise Failed(otherwise)
        return Profile("\u5fae\u4fe1\u7528\u6237") if grant.snapshot else profile

    def _union_of(self, grant: Grant) -> dict[str, object]:
        if grant.scope not in _SCOPES_WITH_UNIONID:
            return {}
        unionid = self._directory.unionid(grant.appid, grant.person, grant.snapshot)
        return {} if unionid is None else {"unionid": unionid}


def _required(given: Mapping[str, str], name: str, missing: Errcode) -> str:
    value = given.get(name)
    if not value:
        raise Failed(missing)
    return value


def _check_grant_type(given: Mapping[str, str], expected: str) -> None:
    if given.get("grant_type") != expected:
        raise Failed(errcodes.INVALID_GRANT_TYPE)

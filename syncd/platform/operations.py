"""What can be provisioned: every operation with what it takes and gives; nothing happens here."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from syncd.platform.registry import AppKind, AppState, PersonState
from syncd.platform.silence import UnionidPolicy

Name = Annotated[str, Meta(min_length=1, max_length=128)]


class Given(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request."""

    def __repr__(self) -> str:
        # Secrets, codes and tickets pass here, and values end up in logs.
        return f"{type(self).__name__}()"


class Told(Struct, frozen=True):
    """The body of an answer."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Nothing(Told, frozen=True):
    """An answer that says only that it is done."""


class PersonGiven(Given, frozen=True):
    person: Name
    nickname: str = ""
    headimgurl: str = ""


class PersonStateGiven(Given, frozen=True):
    person: Name
    state: PersonState


class AccountGiven(Given, frozen=True):
    account: Name
    policy: UnionidPolicy = UnionidPolicy.BOUND


class AppGiven(Given, frozen=True):
    kind: AppKind
    name: Name
    owner: Name
    account: Name | None = None
    registered: str = ""
    component: bool = False
    appid: str = ""
    secret: str = ""


class AppMade(Told, frozen=True):
    appid: str
    secret: str


class BindingGiven(Given, frozen=True):
    appid: Name
    account: Name | None


class HostGiven(Given, frozen=True):
    appid: Name
    registered: str


class AppStateGiven(Given, frozen=True):
    appid: Name
    state: AppState


class SecretStateGiven(Given, frozen=True):
    appid: Name
    frozen: bool


class FollowGiven(Given, frozen=True):
    appid: Name
    person: Name
    follows: bool = True


class WithAppGiven(Given, frozen=True):
    appid: Name
    person: Name


class GrantGiven(Given, frozen=True):
    appid: Name
    person: Name
    scope: Name
    snapshot: bool = False


class Code(Told, frozen=True):
    code: str


class UserInfoShown(Told, frozen=True, rename="camel"):
    raw_data: str
    signature: str
    encrypted_data: str
    iv: str


class ForPerson(Given, frozen=True):
    person: Name


class Link(Told, frozen=True):
    path: str


class ScanGiven(Given, frozen=True):
    uuid: Name
    person: Name


class ScanShown(Told, frozen=True):
    appid: str
    place: str
    matching: str


class DecisionGiven(Given, frozen=True):
    uuid: Name
    person: Name
    agreed: bool


class ClockGiven(Given, frozen=True):
    forward_s: Annotated[float, Meta(ge=0)]


class BusyGiven(Given, frozen=True):
    answers: Annotated[int, Meta(ge=0)]


class Time(Told, frozen=True):
    now: float


class Operation(NamedTuple):
    """One NAME: what it does, takes and gives."""

    text: str
    takes: type[Given]
    gives: type[Told]


OPERATIONS = {
    "person": Operation("make a person", PersonGiven, Nothing),
    "person-state": Operation(
        "block a person, end one, or let one come back, as somebody else to everybody",
        PersonStateGiven,
        Nothing,
    ),
    "account": Operation("make an Open Platform account", AccountGiven, Nothing),
    "app": Operation("make an app; its secret is told once", AppGiven, AppMade),
    "binding": Operation(
        "bind an app to an Open Platform account, or to none", BindingGiven, Nothing
    ),
    "host": Operation("register where browsers may be sent", HostGiven, Nothing),
    "app-state": Operation("freeze an app, or deregister it", AppStateGiven, Nothing),
    "secret-state": Operation("freeze an app's secret", SecretStateGiven, Nothing),
    "follow": Operation("follow an official account, or leave it", FollowGiven, Nothing),
    "login-code": Operation("what wx.login hands to a mini-program", WithAppGiven, Code),
    "oauth-code": Operation("what a person's consent hands to an app", GrantGiven, Code),
    "user-info": Operation(
        "what wx.getUserInfo hands to a mini-program, after a login-code",
        WithAppGiven,
        UserInfoShown,
    ),
    "browser": Operation(
        "a link that makes the browser that opens it this person's, once", ForPerson, Link
    ),
    "qr-scan": Operation("scan a QR code", ScanGiven, ScanShown),
    "qr-decision": Operation("confirm or refuse a scanned QR code", DecisionGiven, Nothing),
    "busy": Operation("let the API's next answers say that it is busy", BusyGiven, Nothing),
    "clock": Operation("move the clock forward", ClockGiven, Time),
}

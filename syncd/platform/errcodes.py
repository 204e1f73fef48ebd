"""The error codes of the platform, with the texts that its clients look for: identity.md 1.11."""

from __future__ import annotations

from typing import NamedTuple


class Errcode(NamedTuple):
    """One row of the table."""

    number: int
    text: str


SYSTEM_ERROR = Errcode(-1, "system error")
INVALID_CREDENTIAL = Errcode(40001, "invalid credential, access_token is invalid or not latest")
INVALID_GRANT_TYPE = Errcode(40002, "invalid grant_type")
INVALID_OPENID = Errcode(40003, "invalid openid")
INVALID_APPID = Errcode(40013, "invalid appid")
INVALID_ACCESS_TOKEN = Errcode(40014, "invalid access_token")
INVALID_CODE = Errcode(40029, "invalid code")
INVALID_REFRESH_TOKEN = Errcode(40030, "invalid refresh_token")
OPENID_LIST_SIZE = Errcode(40032, "invalid openid list size")
INVALID_URL = Errcode(40066, "invalid url")
INVALID_APPSECRET = Errcode(40125, "invalid appsecret")
CODE_BEEN_USED = Errcode(40163, "code been used")
CODE_BLOCKED = Errcode(40226, "code blocked")
APPSECRET_FROZEN = Errcode(40243, "AppSecret frozen")
ACCESS_TOKEN_MISSING = Errcode(41001, "access_token missing")
APPID_MISSING = Errcode(41002, "appid missing")
REFRESH_TOKEN_MISSING = Errcode(41003, "refresh_token missing")
APPSECRET_MISSING = Errcode(41004, "appsecret missing")
CODE_MISSING = Errcode(41008, "missing code")
OPENID_MISSING = Errcode(41009, "missing openid")
ACCESS_TOKEN_EXPIRED = Errcode(42001, "access_token expired")
REFRESH_TOKEN_EXPIRED = Errcode(42002, "refresh_token expired")
CODE_EXPIRED = Errcode(42003, "oauth_code expired")
GET_REQUIRED = Errcode(43001, "require GET method")
POST_REQUIRED = Errcode(43002, "require POST method")
DAILY_QUOTA = Errcode(45009, "reach max api daily quota limit")
MINUTE_QUOTA = Errcode(45011, "api minute-quota reach limit mustslower retry next minute")
DATA_FORMAT = Errcode(47001, "data format error")
UNAUTHORIZED = Errcode(48001, "api unauthorized")
FORBIDDEN = Errcode(48004, "api forbidden")
USER_LIMITED = Errcode(50002, "user limited")
APPID_WRONG = Errcode(63178, "appid wrong")
SESSION_KEY_EXPIRED = Errcode(87007, "session_key is not existed or expired")
INVALID_SIG_METHOD = Errcode(87008, "invalid sig_method")
INVALID_SIGNATURE = Errcode(87009, "invalid signature")


class Failed(Exception):
    """A request to the API that ends with an error code."""

    def __init__(self, errcode: Errcode) -> None:
        super().__init__(f"{errcode.number} {errcode.text}")
        self.errcode = errcode

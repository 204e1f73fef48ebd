"""The table of refusals: every way in which the service says no, and what follows from it.

The wire, the HTTP door, PROTOCOL.md, the simulator and the metrics all read this one table. A
refusal answers two questions that a machine must be able to ask: did it *certainly not* happen
(`definite`), and should the device come back by itself (`reconnect`)?

    scope     goes to the peer as                                 `reconnect` means
    SOCKET    goodbye frame and close code, 4000-4999             connect again with jitter
    MESSAGE   `refused` in an answers frame                       retryable: new socket, resend
    HTTP      status and JSON error                               repeat the request later

Close codes 4000-4499 say "come back", 4500-4999 say "not by yourself".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Scope(Enum):
    """What a refusal ends."""

    SOCKET = "socket"
    MESSAGE = "message"
    HTTP = "http"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row of the table. `code` is a close code, a message code or an HTTP status."""

    scope: Scope
    code: int
    name: str
    definite: bool
    reconnect: bool
    text: str


TABLE: list[Refusal] = []


def _row(
    scope: Scope, code: int, name: str, text: str, *, definite: bool = True, reconnect: bool
) -> Refusal:
    refusal = Refusal(scope, code, name, definite, reconnect, text)
    TABLE.append(refusal)
    return refusal


def _come_back(code: int, name: str, text: str) -> Refusal:
    # Whatever was under way and unanswered may have happened: only its retry can tell.
    return _row(Scope.SOCKET, code, name, text, definite=False, reconnect=True)


def _stay_away(code: int, name: str, text: str) -> Refusal:
    return _row(Scope.SOCKET, code, name, text, definite=False, reconnect=False)


DRAINING = _come_back(4000, "draining", "The server is stopping; another will answer soon.")
SLOW_READER = _come_back(4001, "slow_reader", "The socket accepted no byte for 30 s.")
GAP = _come_back(4002, "gap", "A batch or heartbeat did not continue the client's place.")
HEARTBEAT_LOST = _come_back(4003, "heartbeat_lost", "Two heartbeat intervals without a frame.")
STORAGE_UNAVAILABLE = _come_back(4004, "storage_unavailable", "The store cannot serve right now.")
HELLO_TIMEOUT = _come_back(
    4005, "hello_timeout", "No complete hello within 5 s, or nobody knew its token within 10."
)
INTERNAL = _come_back(4006, "internal", "A fault of the server; it is logged there.")
RESENDING = _come_back(
    4007, "resending", "A retryable refusal came: the client opens a new socket and resends."
)
SLOW_DOWN = _come_back(4008, "slow_down", "Too many connections or messages; see retry_after.")

MALFORMED_FRAME = _stay_away(4500, "malformed_frame", "Bytes that are no frame of this protocol.")
WRONG_ENCODING = _stay_away(
    4501, "wrong_encoding", "A text message where binary was agreed on, or the reverse."
)
OUT_OF_TURN = _stay_away(4502, "out_of_turn", "A frame that is not allowed in this state.")
NOT_AUTHENTICATED = _stay_away(
    4503, "not_authenticated", "The token is unknown or no longer valid."
)
DEVICE_REVOKED = _stay_away(
    4504, "device_revoked", "The device was revoked; its data stays with it."
)
FENCED = _stay_away(4505, "fenced", "Another socket of this device took over; see its instance.")
ACK_BEYOND_SENT = _stay_away(4506, "ack_beyond_sent", "An ack for entries that were never sent.")
ACK_BACKWARDS = _stay_away(4507, "ack_backwards", "An ack below an earlier ack of this session.")
TOO_MANY_UNANSWERED = _stay_away(
    4508, "too_many_unanswered", "More than 1,024 messages without an answer."
)
TOKEN_ROTATED = _stay_away(4509, "token_rotated", "A newer token of this device was issued.")
SIGNED_OUT = _stay_away(4510, "signed_out", "The device was signed out; log in again.")
SIGNED_OUT_BY_MERGE = _stay_away(
    4511,
    "signed_out_by_merge",
    "The account was merged into another one; log in again to go on there.",
)


def _definite(code: int, name: str, text: str) -> Refusal:
    return _row(Scope.MESSAGE, code, name, text, reconnect=False)


def _retryable(code: int, name: str, text: str) -> Refusal:
    return _row(Scope.MESSAGE, code, name, text, reconnect=True)


CONFLICT = _definite(1, "conflict", "This number was accepted with another content.")
SKIPPED = _definite(2, "skipped", "A higher number of this device was accepted before.")
STALE = _definite(
    3, "stale", "The number is older than the 1,024 that are remembered; it may be in the log."
)
NOT_A_MEMBER = _definite(4, "not_a_member", "The sender is not a member of the conversation.")
UNKNOWN_ACCOUNT = _definite(5, "unknown_account", "An account of the conversation does not exist.")
UNKNOWN_CONVERSATION = _definite(6, "unknown_conversation", "No conversation can have this id.")
TOO_LARGE = _definite(7, "too_large", "The body exceeds 32,768 bytes.")
UNSUPPORTED_KIND = _definite(8, "unsupported_kind", "This server knows no such kind of entry.")
FORBIDDEN = _definite(
    9,
    "forbidden",
    "Not allowed: by the policy, by your role in the group, or because the target is another's.",
)
TARGET_GONE = _definite(
    10, "target_gone", "The sender's log does not hold the target: trimmed, or it never was."
)
WRONG_TARGET = _definite(
    11, "wrong_target", "The target is missing, needless, of another conversation or kind."
)
RECALL_TOO_LATE = _definite(12, "recall_too_late", "The target is older than may be recalled.")
MARK_BACKWARDS = _definite(
    13, "mark_backwards", "The conversation was read up to there or beyond already."
)
CONVERSATION_EXISTS = _definite(14, "conversation_exists", "A group of this id exists.")
TOO_MANY_MEMBERS = _definite(15, "too_many_members", "A group has at most 500 members.")
NOTHING_TO_CHANGE = _definite(16, "nothing_to_change", "The group already is as was asked.")
BAD_CHANGE = _definite(17, "bad_change", "The body of a system message says no possible change.")

BUSY = _retryable(100, "busy", "Too much is waiting for the disk.")
STORAGE_FULL = _retryable(101, "storage_full", "The store has no room; nothing was written.")
POLICY_UNAVAILABLE = _retryable(
    102, "policy_unavailable", "Nobody could say whether it is allowed; nothing was written."
)


def _http(status: int, name: str, text: str, *, reconnect: bool = False) -> Refusal:
    return _row(Scope.HTTP, status, name, text, reconnect=reconnect)


BAD_REQUEST = _http(400, "bad_request", "The request does not have the documented form.")
TOKEN_IN_URL = _http(400, "token_in_url", "A credential does not belong into a URL.")
UNKNOWN_APP = _http(400, "unknown_app", "This service knows no app of that name.")
AUTHORIZATION_PENDING = _http(
    400, "authorization_pending", "Nobody has confirmed yet: ask again after the interval."
)
EXPIRED_TOKEN = _http(400, "expired_token", "The code for this device is over; begin anew.")
ACCESS_DENIED = _http(400, "access_denied", "It was declined on the other device.")
INVALID_CODE = _http(401, "invalid_code", "The code is unknown, expired or another app's.")
CODE_USED = _http(
    401, "code_used", "The code was used before; what it got then has been signed out."
)
BAD_PROOF = _http(401, "bad_proof", "The proof is not valid.")
PROOF_NEEDED = _http(401, "proof_needed", "Fresh proof of an identity of the account is needed.")
UNAUTHORIZED = _http(401, "unauthorized", "The API key or token is missing or not valid.")
NOT_ALLOWED = _http(
    403, "forbidden", "Not allowed: by the policy, or by the account's role in the group."
)
SNAPSHOT_USER = _http(403, "snapshot_user", "A snapshot page's user is virtual: it cannot log in.")
REVOKED = _http(403, "device_revoked", "The device was revoked; log in as a new one.")
ACCOUNT_GONE = _http(403, "account_gone", "The account was ended by its person.")
BLOCKED = _http(403, "blocked", "The platform does not let this person log in.")
NO_MEMBER = _http(403, "not_a_member", "The account is not a member of the conversation.")
FOREIGN_ORIGIN = _http(403, "foreign_origin", "The page's origin may not open a socket here.")
NO_SUCH_ACCOUNT = _http(404, "no_such_account", "The account does not exist.")
NO_SUCH_CONVERSATION = _http(404, "no_such_conversation", "The conversation does not exist.")
NOT_FOUND = _http(404, "not_found", "There is nothing at this address.")
METHOD_NOT_ALLOWED = _http(405, "method_not_allowed", "The address knows other methods.")
KEY_CONFLICT = _http(409, "idempotency_conflict", "The idempotency key was used for other content.")
GROUP_EXISTS = _http(409, "conversation_exists", "A group of this id exists, with other members.")
IDENTITY_IN_USE = _http(409, "identity_in_use", "The identity belongs to another account.")
LAST_IDENTITY = _http(409, "last_identity", "An account keeps at least one identity.")
MERGE_REFUSED = _http(409, "merge_refused", "These two accounts cannot be merged.")
ALREADY_SCANNED = _http(409, "already_scanned", "Another device has scanned this code.")
PAYLOAD_TOO_LARGE = _http(413, "payload_too_large", "The body is too large.")
UNSUPPORTED_MEDIA = _http(415, "unsupported_media_type", "The request must be application/json.")
GROUP_TOO_LARGE = _http(422, "too_many_members", "A group has at most 500 members.")
NO_SUBPROTOCOL = _http(426, "no_subprotocol", "Ask for syncd.v1.msgpack or syncd.v1.json.")
TOO_MANY_REQUESTS = _http(
    429, "slow_down", "Too many requests from this address or account.", reconnect=True
)
UPSTREAM_UNAVAILABLE = _http(
    503, "upstream_unavailable", "The platform does not answer; get a new code.", reconnect=True
)
SERVICE_BUSY = _http(503, "busy", "Too much is waiting for the disk.", reconnect=True)
SERVICE_DRAINING = _http(503, "draining", "The server is stopping.", reconnect=True)
SERVICE_FULL = _http(
    507, "storage_full", "The store has no room; nothing was written.", reconnect=True
)

AS_HTTP = {
    FORBIDDEN: NOT_ALLOWED,
    NOT_A_MEMBER: NO_MEMBER,
    UNKNOWN_ACCOUNT: NO_SUCH_ACCOUNT,
    UNKNOWN_CONVERSATION: NO_SUCH_CONVERSATION,
    CONVERSATION_EXISTS: GROUP_EXISTS,
    TOO_MANY_MEMBERS: GROUP_TOO_LARGE,
    BAD_CHANGE: BAD_REQUEST,
    TOO_LARGE: PAYLOAD_TOO_LARGE,
    DEVICE_REVOKED: REVOKED,
    NOT_AUTHENTICATED: UNAUTHORIZED,
    BUSY: SERVICE_BUSY,
    STORAGE_FULL: SERVICE_FULL,
    POLICY_UNAVAILABLE: SERVICE_BUSY,
}
"""What a refusal of a message, or of whose token it is, is called over HTTP: there is no socket to
be closed, and nothing was done."""

BY_MESSAGE_CODE = {row.code: row for row in TABLE if row.scope is Scope.MESSAGE}
BY_CLOSE_CODE = {row.code: row for row in TABLE if row.scope is Scope.SOCKET}

assert all((row.code < 4500) == row.reconnect for row in BY_CLOSE_CODE.values())
assert len({(row.scope, row.name) for row in TABLE}) == len(TABLE)

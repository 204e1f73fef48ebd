"""The requests that section 15 of the page shows are requests that the server takes."""

import json
import re

import msgspec
import pytest

from syncd.document.page import TEMPLATE
from syncd.server.devices_http import LogOut, NewName
from syncd.server.login_http import NewLogin, UnionGiven
from syncd.server.pairing_http import Beginning, Decision, Question
from syncd.server.self_http import NewSubject, OldSubject

FORMS: dict[str, type] = {
    "POST /v1/login": NewLogin,
    "POST /v1/login/unionid": UnionGiven,
    "POST /v1/self/subjects": NewSubject,
    "POST /v1/self/subjects/remove": OldSubject,
    "PATCH /v1/self/devices/8d21...": NewName,
    "POST /v1/self/logout": LogOut,
    "POST /v1/pairing": Beginning,
    "POST /v1/pairing/token": Question,
    "POST /v1/pairing/scan": Decision,
    "POST /v1/pairing/confirm": Decision,
    "POST /v1/pairing/decline": Decision,
}
EXAMPLES = re.findall(
    r"^((?:POST|PATCH) \S+)[^\n]*\n(\{.*?\})\n(?=\n|```)",
    TEMPLATE.read_text(encoding="utf-8").partition("## 15.")[2],
    re.MULTILINE | re.DOTALL,
)


def test_every_request_has_an_example() -> None:
    assert {request for request, _ in EXAMPLES} == set(FORMS)


@pytest.mark.parametrize(("request_", "body"), EXAMPLES)
def test_an_example_is_a_request(request_: str, body: str) -> None:
    msgspec.convert(json.loads(body), FORMS[request_])

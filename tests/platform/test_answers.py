"""Content types and error texts, to the byte."""

import json
import re

import pytest

from syncd.platform.answers import JSON, PLAIN, answer, refuse
from syncd.platform.errcodes import INVALID_CODE

NOW = 1_800_000_000.0


@pytest.mark.parametrize("content_type", [PLAIN, JSON])
def test_an_answer_is_raw_utf_8_under_its_very_type(content_type: str) -> None:
    response = answer({"nickname": "\u5f20\u4e09"}, content_type)
    assert response.headers["Content-Type"] == content_type
    assert response.body == '{"nickname":"\u5f20\u4e09"}'.encode()


@pytest.mark.parametrize(("content_type", "separator"), [(PLAIN, ", "), (JSON, " ")])
def test_a_refusal_is_a_success_to_http_and_names_its_request(
    content_type: str, separator: str
) -> None:
    response = refuse(INVALID_CODE, content_type, NOW)
    assert response.status == 200
    assert isinstance(response.body, bytes)
    body = json.loads(response.body)
    assert body["errcode"] == 40029
    rid = "([0-9a-f]{8})-[0-9a-f]{8}-[0-9a-f]{8}"
    match = re.fullmatch(f"invalid code{separator}rid: {rid}", body["errmsg"])
    assert match
    assert int(match[1], 16) == NOW

"""The page is a few files under a strict policy, and its inbox tells what the SDK's view tells."""

import json
import re
import shutil
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from syncd.model import Kind
from syncd.protocol.aliases import merge_of
from syncd.protocol.view import View
from syncd.server import page
from syncd.wire.frames import Entry
from tests.protocol.chronicle import ME, Chronicle, chronicles
from tests.server.conftest import Running
from tests.server.conftest import running as running
from tests.server.conftest import start as start

PAGES = Path(page.__file__).parent / "pages"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="there is no node here")
EPOCH = b"e" * 8


async def test_every_file_is_served_under_the_policy(running: Running) -> None:
    for path in ("/pair", "/pair.css", "/pair.js", "/inbox.js", "/line.js"):
        async with running.http.get(path) as response:
            assert response.status == 200, path
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert "require-trusted-types-for 'script'" in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert response.headers["Cache-Control"] == "no-store"


def test_every_file_of_the_folder_is_served() -> None:
    assert {each.name for each in PAGES.iterdir()} == {name for name, _ in page._FILES.values()}


def test_nothing_is_fetched_from_elsewhere_and_no_markup_is_made_of_text() -> None:
    ways = (
        "http:",
        "https:",
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
    )
    for each in PAGES.iterdir():
        text = each.read_text(encoding="utf-8")
        assert [way for way in ways if way in text] == [], each
    markup = (PAGES / "pair.html").read_text(encoding="utf-8")
    assert "<script>" not in markup
    assert "style=" not in markup
    assert not re.search(r"\son\w+=", markup)


# ---------------------------------------------------------------- the fold


@contextmanager
def folding() -> Iterator[subprocess.Popen[str]]:
    assert NODE is not None
    script = Path(__file__).parent / "inbox_fold.mjs"
    with subprocess.Popen(
        [NODE, str(script), str(PAGES / "inbox.js")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def node() -> Iterator[subprocess.Popen[str]]:
    with folding() as process:
        yield process


def as_json(entry: Entry) -> dict[str, Any]:
    target = entry.target
    return {
        "kind": int(entry.kind),
        "conversation": entry.conversation,
        "account": entry.account,
        "device": entry.device,
        "number": entry.number,
        "target": target and {"device": target.device, "number": target.number},
        "body": None if entry.body is None else base64(entry.body),
    }


def base64(body: bytes) -> str:
    return urlsafe_b64encode(body).rstrip(b"=").decode()


def ask(node: subprocess.Popen[str], told: list[Any], texts: list[str]) -> Any:
    assert node.stdin is not None
    assert node.stdout is not None
    node.stdin.write(json.dumps({"account": ME, "told": told, "texts": texts}) + "\n")
    node.stdin.flush()
    return json.loads(node.stdout.readline())


def seen(chronicle: Chronicle) -> dict[str, Any]:
    """What the SDK's view shows of it, as the script tells it: by one name for oneself."""
    view, own = View(ME), {ME}
    for seq, floor, entry in chronicle.told():
        view.trim(floor)
        if seq > floor:
            view.apply(seq, EPOCH, entry)
            own |= {merge.guest for merge in [merge_of(entry)] if merge}
    return {
        name: {
            "unread": view.unread(name),
            "lines": [
                [
                    each.seq,
                    ME if each.account in own else each.account,
                    each.body and base64(each.body),
                    each.edited,
                    each.recalled,
                ]
                for each in view.messages(name)
            ],
        }
        for name in view.conversations()
        if view.messages(name)
    }


def lawful(chronicle: Chronicle) -> Chronicle:
    """As a server would have let it in: edited and recalled by the author alone."""
    authors = {each.number: each.account for each in chronicle.entries}
    entries = tuple(
        replace(each, account=authors.get(each.target.number, each.account))
        if each.target is not None and each.kind in (Kind.EDIT, Kind.RECALL)
        else each
        for each in chronicle.entries
    )
    return Chronicle(entries, chronicle.floors)


@needs_node
@settings(max_examples=150, deadline=None)
@given(chronicle=chronicles().map(lawful))
def test_the_page_shows_what_the_view_shows(
    node: subprocess.Popen[str], chronicle: Chronicle
) -> None:
    told = [[seq, floor, as_json(entry)] for seq, floor, entry in chronicle.told()]
    shown = ask(node, told, [])["shown"]
    assert {name: each for name, each in shown.items() if each["lines"]} == seen(chronicle)


@needs_node
@settings(max_examples=50, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_comes_back_as_it_was_written(node: subprocess.Popen[str], text: str) -> None:
    assert ask(node, [], [text])["texts"] == [text]

"""A real browser that opens a page and says what it shows: chromium, asked over its own socket."""

import itertools
import json
import shutil
import subprocess
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here")

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)


class Tab:
    """One page in the browser, and everything that it complained of."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._session = ""
        self.complaints: list[str] = []

    def attach(self) -> None:
        """Open an empty page and listen to it."""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._ask(f"{domain}.enable")

    def show(self, page: Path, fragment: str = "") -> None:
        """Load the page, or go to a place in it; returns when it is there."""
        self.visit(page.as_uri() + fragment)

    def visit(self, url: str) -> None:
        """Load what is at an address; returns when it is there."""
        self._ask("Page.navigate", url=url)
        self.say(
            "new Promise(done => document.readyState == 'complete'"
            " ? done(1) : addEventListener('load', () => done(1)))"
        )

    def say(self, expression: str) -> Any:
        """What a JavaScript expression comes to on the page."""
        answer = self._ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def photograph(self) -> bytes:
        """What can be seen of the page, as PNG."""
        return b64decode(self._ask("Page.captureScreenshot", format="png")["data"])

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        question = {"id": number, "method": method, "params": parameters}
        if self._session:
            question["sessionId"] = self._session
        self._socket.send(json.dumps(question))
        while True:
            heard = json.loads(self._socket.recv(timeout=30))
            if heard.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(json.dumps(heard["params"]))
            if heard.get("id") == number:
                assert "error" not in heard, heard
                result: dict[str, Any] = heard["result"]
                return result


@contextmanager
def browser() -> Iterator[Tab]:
    """A browser with one tab, for as long as this lasts."""
    assert CHROMIUM is not None
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        subprocess.Popen(
            [CHROMIUM, *ARGUMENTS, f"--user-data-dir={profile}", "about:blank"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as process,
    ):
        try:
            assert process.stderr is not None
            lines = (line for line in process.stderr if "DevTools listening on " in line)
            address = next(lines).rpartition(" ")[2].strip()
            with connect(address, max_size=None, proxy=None) as socket:
                tab = Tab(socket)
                tab.attach()
                yield tab
        finally:
            process.kill()

"""`serve` inside this process; as a process of its own it is tried in tests/acceptance."""

import socket
from pathlib import Path

import pytest

from syncd.model import CursorScope
from syncd.server import listening
from syncd.server.serve import serve


async def test_a_service_that_can_let_in_nobody_any_more_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A port that is open and deaf would be worse: nobody would start it again."""

    async def broken(_: socket.socket) -> list[socket.socket]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(listening, "_some", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        await serve(
            data=tmp_path / "data", host="127.0.0.1", port=0, cursor_scope=CursorScope.DEVICE
        )
    assert capsys.readouterr().out.startswith("listening on http://127.0.0.1:")

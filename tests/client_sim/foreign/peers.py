"""What the tests of adapters share: marks for servers that may be missing, and small adapters."""

import sys
from pathlib import Path

import pytest

from client_sim.foreign.peer_process import found

HERE = Path(__file__).parent
LOSSY = f"{sys.executable} {HERE / 'lossy_adapter.py'}"
TEMPLATE = f"{sys.executable} {HERE.parents[2] / 'client_sim/foreign/template.py'}"


def needs(program: str) -> pytest.MarkDecorator:
    """Skip with a sentence where a server is not installed."""
    said = f"{program} is not installed here (Debian: apt install {program})"
    return pytest.mark.skipif(found(program) is None, reason=said)


def template_with(folder: Path, replaced: dict[str, str]) -> str:
    """The command of an adapter that is the template with some texts replaced."""
    text = Path(TEMPLATE.split()[-1]).read_text(encoding="utf-8")
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / "adapter.py"
    path.write_text(text, encoding="utf-8")
    return f"{sys.executable} {path}"

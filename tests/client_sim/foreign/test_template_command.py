"""What `client-sim adapter-template` prints is the template, to the last byte."""

import pytest

from client_sim.__main__ import main
from client_sim.foreign.template_command import TEMPLATE


def test_it_prints_the_template(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapter-template"]) == 0
    assert capsys.readouterr().out == TEMPLATE.read_text(encoding="utf-8")

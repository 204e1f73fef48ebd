"""Every line is one: the real one, the pretended one, and the one that records."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from client_sim.pretend.dialled import PretendDialled, PretendDialler
from client_sim.recorded_line import RecordedDialled, RecordedDialler
from syncd.client.line import Dialled, Dialler
from syncd.client.socket import SocketDialled, SocketDialler

LINES = [
    (SocketDialler, SocketDialled),
    (PretendDialler, PretendDialled),
    (RecordedDialler, RecordedDialled),
]


def owed(protocol: Any) -> dict[str, Any]:
    return {
        name: inspect.signature(method)
        for name, method in vars(protocol).items()
        if inspect.isfunction(method) and not name.startswith("_")
    }


@pytest.mark.parametrize(("dialler", "dialled"), LINES)
def test_it_has_every_method_with_the_same_parameters(dialler: Any, dialled: Any) -> None:
    for protocol, made in ((Dialler, dialler), (Dialled, dialled)):
        for name, signature in owed(protocol).items():
            method = getattr(made, name)
            assert list(inspect.signature(method).parameters) == list(signature.parameters)
            wanted = inspect.iscoroutinefunction(getattr(protocol, name))
            assert inspect.iscoroutinefunction(method) is wanted

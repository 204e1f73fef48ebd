"""Somebody else's server as a process: started, ended, missing, broken."""

import signal
import socket

import pytest

from client_sim.foreign.peer_process import PeerProcess
from client_sim.foreign.serving import Failed
from tests.client_sim.foreign.peers import needs


def test_a_missing_program_is_told_with_its_cure() -> None:
    with pytest.raises(Failed, match=r"no-such-server is not installed here \(Debian: apt install"):
        PeerProcess("no-such-server")


def test_one_that_does_not_start_is_told_with_what_it_printed() -> None:
    process = PeerProcess("sh")
    try:
        with pytest.raises(Failed, match="sh did not start:\nno port for me"):
            process.start(["-c", "echo no port for me"])
    finally:
        process.close()


@needs("mosquitto")
def test_it_comes_back_on_the_same_port_and_leaves_nothing() -> None:
    process = PeerProcess("mosquitto")
    for number in (signal.SIGKILL, signal.SIGTERM):
        process.start(["-p", str(process.port)])
        process.start(["this would not start a second one"])
        socket.create_connection(("127.0.0.1", process.port), 5).close()
        process.end(number)
        process.end(number)
    process.close()
    assert not process.folder.exists()

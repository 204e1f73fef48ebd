"""The small XMPP client against a real server."""

from collections.abc import Iterator

import pytest

from client_sim.foreign import xmpp
from client_sim.foreign.prosody import DOMAIN, Prosody
from client_sim.foreign.serving import Failed
from client_sim.foreign.xmpp import CLIENT, XmppConnection
from tests.client_sim.foreign.peers import needs

pytestmark = needs("prosody")
PATIENCE_S = 5.0


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = Prosody(archive=True)
    for account in ("alice", "bob", "carol"):
        server.enrol(account, "PC1", "pc")
    yield server.port
    server.shut()


def test_a_message_arrives_as_it_was_sent(port: int) -> None:
    alice = XmppConnection(port, "alice", DOMAIN, "PC1")
    bob = XmppConnection(port, "bob", DOMAIN, "PC1")
    bob.send("alice", "bob#1 'quoted'", '<b> & "c"\u00e4\u4e2d')
    [arrived] = alice.received(PATIENCE_S)
    assert arrived.get("id") == "bob#1 'quoted'"
    assert arrived.findtext(f"{CLIENT}body") == '<b> & "c"\u00e4\u4e2d'
    assert alice.received(0.0) == []
    bob.close()
    alice.cut()


def test_an_archive_is_read_page_by_page(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xmpp, "ARCHIVE_PAGE", 3)
    carol = XmppConnection(port, "carol", DOMAIN, "PC1")
    sent = [f"carol#{number}" for number in range(5)]
    for message in sent:
        carol.send("bob", message, "again")
    first = carol.archived("")
    second = carol.archived(first[-1][0])
    assert len(first) == 3
    assert [each.get("id") for _, each in (*first, *second)] == sent
    assert carol.archived(second[-1][0]) == []
    carol.close()


def test_a_stranger_is_refused(port: int) -> None:
    with pytest.raises(Failed, match="mallory may not log in"):
        XmppConnection(port, "mallory", DOMAIN, "PC1")

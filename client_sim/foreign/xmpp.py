"""A small XMPP client over plain TCP: SASL PLAIN, one resource, messages, one page of an archive.

As much as an adapter needs to look at a server on this machine, and no more: no TLS, no roster.
"""

from __future__ import annotations

import socket
import struct
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias, cast
from xml.etree.ElementTree import Element, XMLPullParser
from xml.sax.saxutils import escape, quoteattr

from client_sim.foreign.serving import Failed

PATIENCE_S: Final = 10.0
ARCHIVE_PAGE = 50
"""Prosody gives no more at once."""
CLIENT = "{jabber:client}"
ARCHIVE = "{urn:xmpp:mam:2}"
FORWARD = "{urn:xmpp:forward:0}"
RESULT_SETS = "{http://jabber.org/protocol/rsm}"
Events: TypeAlias = Iterator[tuple[str, Element]]
RESET_AT_ONCE = struct.pack("ii", 1, 0)


class XmppConnection:
    """One resource of one account, available to receive messages once it is made.

    Raises Failed and OSError wherever the server refuses, hangs or is gone.
    """

    def __init__(self, port: int, account: str, domain: str, resource: str) -> None:
        self._domain, self._questions = domain, 0
        self._arrived: list[Element] = []
        self._parser, self._depth = _parser(), 0
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        try:
            self._begin(account, resource)
        except BaseException:
            self._socket.close()
            raise

    def send(self, to: str, message: str, body: str) -> None:
        """Send a chat message to an account's bare address; returns when the server has handled it.

        XMPP confirms no message by itself. A server handles the stanzas of one stream in order, so
        its answer to a ping behind the message says that the message was handled.
        """
        address = quoteattr(f"{to}@{self._domain}")
        self._write(
            f"<message type='chat' to={address} id={quoteattr(message)}>"
            f"<body>{escape(body)}</body></message>"
        )
        self._ask("<ping xmlns='urn:xmpp:ping'/>", f"to={quoteattr(self._domain)} type='get'")

    def received(self, wait_s: float) -> list[Element]:
        """The messages that came since the last call; waits for a first one, but no longer."""
        if not self._arrived:
            self._next(lambda stanza: stanza.tag == f"{CLIENT}message", wait_s)
        self._next(lambda stanza: False, 0.0)
        arrived, self._arrived = self._arrived, []
        return [
            each
            for each in arrived
            if each.get("type") != "error" and each.find(f"{CLIENT}body") is not None
        ]

    def archived(self, after: str) -> list[tuple[str, Element]]:
        """One page of the account's archive (XEP-0313), behind the place `after` ("" for its
        beginning): places and messages."""
        place = f"<after>{escape(after)}</after>" if after else ""
        self._ask(
            "<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'>"
            f"<max>{ARCHIVE_PAGE}</max>{place}</set></query>",
            "type='set'",
        )
        results = [each.find(f"{ARCHIVE}result") for each in self._arrived]
        self._arrived.clear()
        return [
            (result.attrib["id"], message)
            for result in results
            if result is not None
            and (message := result.find(f"{FORWARD}forwarded/{CLIENT}message")) is not None
        ]

    def close(self) -> None:
        """Say goodbye and disconnect."""
        self._write("<presence type='unavailable'/></stream:stream>")
        self._socket.close()

    def cut(self) -> None:
        """Disconnect without a word."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
        self._socket.close()

    def _begin(self, account: str, resource: str) -> None:
        self._open_stream()
        secret = b64encode(f"\0{account}\0{account}".encode()).decode()
        sasl = "urn:ietf:params:xml:ns:xmpp-sasl"
        self._write(f"<auth xmlns='{sasl}' mechanism='PLAIN'>{secret}</auth>")
        if self._expect(lambda stanza: sasl in stanza.tag).tag != f"{{{sasl}}}success":
            raise Failed(f"{account} may not log in")
        self._parser, self._depth = _parser(), 0
        self._open_stream()
        bind = "urn:ietf:params:xml:ns:xmpp-bind"
        asked = f"<bind xmlns='{bind}'><resource>{escape(resource)}</resource></bind>"
        self._ask(asked, "type='set'")
        self._write("<presence/>")

    def _open_stream(self) -> None:
        self._write(
            f"<?xml version='1.0'?><stream:stream to={quoteattr(self._domain)} version='1.0' "
            "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        self._expect(lambda stanza: stanza.tag.endswith("}features"))

    def _ask(self, question: str, attributes: str) -> Element:
        self._questions += 1
        number = f"q{self._questions}"
        self._write(f"<iq id='{number}' {attributes}>{question}</iq>")
        answer = self._expect(lambda stanza: stanza.get("id") == number)
        if answer.get("type") != "result":
            raise Failed(f"the server refused {question}")
        return answer

    def _expect(self, wanted: Callable[[Element], bool]) -> Element:
        stanza = self._next(wanted, PATIENCE_S)
        if stanza is None:
            raise Failed("the server does not answer")
        return stanza

    def _next(self, wanted: Callable[[Element], bool], wait_s: float) -> Element | None:
        """The next stanza that is wanted; messages that come before it (or are it) are kept."""
        until = time.monotonic() + wait_s
        while True:
            for event, element in cast(Events, self._parser.read_events()):
                self._depth += 1 if event == "start" else -1
                if event == "end" and self._depth == 1:
                    if element.tag == f"{CLIENT}message":
                        self._arrived.append(element)
                    if wanted(element):
                        return element
            if not self._feed(until - time.monotonic()):
                return None

    def _feed(self, wait_s: float) -> bool:
        self._socket.settimeout(max(wait_s, 0.001))
        try:
            read = self._socket.recv(65536)
        except TimeoutError:
            return False
        if not read:
            raise Failed("the server closed the connection")
        self._parser.feed(read)
        return True

    def _write(self, text: str) -> None:
        self._socket.settimeout(PATIENCE_S)
        self._socket.sendall(text.encode())


def _parser() -> XMLPullParser[Any]:
    return XMLPullParser(("start", "end"))

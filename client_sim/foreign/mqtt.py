"""A small MQTT 3.1.1 client over plain TCP: persistent sessions, one topic, QoS 1 both ways.

As much as an adapter needs to look at a broker on this machine, and no more.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import Final, NamedTuple

from client_sim.foreign.serving import Failed

PATIENCE_S: Final = 10.0
CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, DISCONNECT = 1, 2, 3, 4, 8, 9, 14
AT_LEAST_ONCE: Final = 1
SUBSCRIBE_FLAGS: Final = 0b0010
QOS_1_FLAGS: Final = AT_LEAST_ONCE << 1
FAILURE: Final = 0x80
RESET_AT_ONCE = struct.pack("ii", 1, 0)


class Packet(NamedTuple):
    """One control packet without its fixed header."""

    kind: int
    flags: int
    body: bytes


class Publication(NamedTuple):
    """A message as it arrived; it is confirmed by its number."""

    number: int
    payload: bytes


class MqttConnection:
    """One client id's connection, in its persistent session, subscribed to one topic.

    Raises Failed and OSError wherever the broker refuses, hangs or is gone.
    """

    def __init__(self, port: int, client: str, topic: str) -> None:
        self._arrived: list[Publication] = []
        self._buffer, self._numbers = bytearray(), 0
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        try:
            self._begin(client, topic)
        except BaseException:
            self._socket.close()
            raise

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1; returns when the broker has confirmed it."""
        number = self._number()
        self._write(PUBLISH, QOS_1_FLAGS, _text(topic) + number + payload)
        while self._expect(PUBACK).body[:2] != number:
            pass

    def received(self, wait_s: float) -> list[Publication]:
        """What came since the last call; waits for a first one, but no longer."""
        if not self._arrived:
            self._next(PUBLISH, wait_s)
        self._next(-1, 0.0)
        arrived, self._arrived = self._arrived, []
        return arrived

    def confirm(self, number: int) -> None:
        """Confirm one message: the broker may forget it."""
        self._write(PUBACK, 0, number.to_bytes(2))

    def close(self) -> None:
        """Say goodbye and disconnect; the session stays."""
        self._write(DISCONNECT, 0, b"")
        self._socket.close()

    def cut(self) -> None:
        """Disconnect without a word."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
        self._socket.close()

    def _begin(self, client: str, topic: str) -> None:
        # Protocol level 4, no flags: the session persists; no keep-alive.
        self._write(CONNECT, 0, _text("MQTT") + bytes([4, 0, 0, 0]) + _text(client))
        if self._expect(CONNACK).body[1] != 0:
            raise Failed(f"the broker refused {client}")
        asked = self._number() + _text(topic) + bytes([AT_LEAST_ONCE])
        self._write(SUBSCRIBE, SUBSCRIBE_FLAGS, asked)
        if self._expect(SUBACK).body[2] == FAILURE:
            raise Failed(f"the broker refused a subscription to {topic}")

    def _number(self) -> bytes:
        self._numbers = self._numbers % 0xFFFF + 1
        return self._numbers.to_bytes(2)

    def _expect(self, kind: int) -> Packet:
        packet = self._next(kind, PATIENCE_S)
        if packet is None:
            raise Failed("the broker does not answer")
        return packet

    def _next(self, kind: int, wait_s: float) -> Packet | None:
        """The next packet of a kind; messages that come before it (or are it) are kept."""
        until = time.monotonic() + wait_s
        while True:
            while packet := self._parsed():
                if packet.kind == PUBLISH:
                    self._arrived.append(_publication(packet))
                if packet.kind == kind:
                    return packet
            self._socket.settimeout(max(until - time.monotonic(), 0.001))
            try:
                read = self._socket.recv(65536)
            except TimeoutError:
                return None
            if not read:
                raise Failed("the broker closed the connection")
            self._buffer += read

    def _parsed(self) -> Packet | None:
        """The first packet of the buffer, once all of it is there."""
        begin = next((at for at in range(1, len(self._buffer)) if self._buffer[at] < 0x80), 0) + 1
        length = sum((self._buffer[at] & 0x7F) << 7 * (at - 1) for at in range(1, begin))
        if begin == 1 or len(self._buffer) < begin + length:
            return None
        first, body = self._buffer[0], bytes(self._buffer[begin : begin + length])
        del self._buffer[: begin + length]
        return Packet(first >> 4, first & 0x0F, body)

    def _write(self, kind: int, flags: int, body: bytes) -> None:
        length, digits = len(body), bytearray()
        while True:
            length, digit = divmod(length, 0x80)
            digits.append(digit | (0x80 if length else 0))
            if not length:
                break
        self._socket.settimeout(PATIENCE_S)
        self._socket.sendall(bytes([kind << 4 | flags]) + digits + body)


def _publication(packet: Packet) -> Publication:
    at = 2 + int.from_bytes(packet.body[:2])
    return Publication(int.from_bytes(packet.body[at : at + 2]), packet.body[at + 2 :])


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2) + encoded

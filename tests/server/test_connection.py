"""Real sockets that misbehave: each is refused with its code, and the account's others go on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from syncd import errors, limits
from syncd.model import Chain, Epoch, Kind, Position, direct
from syncd.protocol import events
from syncd.protocol.session_table import State
from syncd.server.connection import Connection
from syncd.wire.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, codec_for
from syncd.wire.frames import (
    Ack,
    Answers,
    Batch,
    Goodbye,
    Heartbeat,
    Hello,
    Message,
    Reset,
    Send,
    Truncated,
    Welcome,
)
from tests.server.conftest import Running
from tests.server.peers import (
    ANNE,
    BEN,
    BINARY,
    PING,
    Peer,
    Town,
    found_town,
    instance,
    masked,
    raw_socket,
    until,
)

STRANGE = Chain(b"a chain.")


@pytest.fixture
async def town(
    start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Town]:
    made = await found_town(start, monkeypatch)
    yield made
    await made.close()


def said(number: int, body: bytes = b"hello") -> Message:
    return Message(number, Kind.MESSAGE, direct(ANNE, BEN), None, body)


def now() -> float:
    return asyncio.get_running_loop().time()


# ---------------------------------------------------------------- what is no frame, or not now


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xc1",
        b"\x90" * 1000,
        bytes(range(256)),
        msgspec.msgpack.encode([1, "token"]),
        msgspec.msgpack.encode([2, b"12345678", -1]),
        msgspec.msgpack.encode([99]),
        msgspec.msgpack.encode([19, 0, 0, [], b"12345678", 0]),
        msgspec.msgpack.encode([2, b"12345678", 0]) + b"\x00",
        msgspec.msgpack.encode([2, b"12345678", 0, 0]),
    ],
)
@pytest.mark.parametrize("lead", ["first", "live"])
async def test_garbage_closes_with_its_code(town: Town, garbage: bytes, lead: str) -> None:
    peer = await (town.socket() if lead == "first" else town.live())
    await peer.socket.send(garbage)
    await peer.hears_goodbye(errors.MALFORMED_FRAME)
    await town.still_serves()


@pytest.mark.parametrize("garbage", ["", "{", '{"frame":"hello"}', "[" * 5000, '"\\ud800"'])
async def test_garbage_in_json_closes_with_its_code(town: Town, garbage: str) -> None:
    peer = await town.socket(JSON_SUBPROTOCOL)
    await peer.socket.send(garbage)
    await peer.hears_goodbye(errors.MALFORMED_FRAME)
    await town.still_serves()


async def test_text_that_is_not_utf8_is_malformed(town: Town) -> None:
    peer = await town.socket(JSON_SUBPROTOCOL)
    await peer.socket.send(b'{"frame":"\xff"}', text=True)
    await peer.hears_goodbye(errors.MALFORMED_FRAME)


@pytest.mark.parametrize("subprotocol", [MSGPACK_SUBPROTOCOL, JSON_SUBPROTOCOL])
async def test_the_wrong_sort_of_message_is_refused(town: Town, subprotocol: str) -> None:
    peer = await town.socket(subprotocol)
    hello = peer.codec.encode(Hello(town.tokens["phone"], instance(1), None, False, 65_536))
    await peer.socket.send(hello, text=peer.codec.binary)
    await peer.hears_goodbye(errors.WRONG_ENCODING)
    await town.still_serves()


@pytest.mark.parametrize("frame", [Ack(Epoch(b"12345678"), 0), Send((said(1),))])
async def test_a_frame_before_hello_is_out_of_turn(town: Town, frame: Any) -> None:
    peer = await town.socket()
    await peer.say(frame)
    await peer.hears_goodbye(errors.OUT_OF_TURN)
    await town.still_serves()


async def test_a_frame_before_the_verdict_is_out_of_turn(town: Town) -> None:
    peer = await town.socket()
    await peer.say(Hello(town.tokens["phone"], instance(1), None, False, 65_536))
    await peer.say(Send((said(1),)))
    await peer.hears_goodbye(errors.OUT_OF_TURN)
    await town.still_serves()


async def test_a_second_hello_is_out_of_turn(town: Town) -> None:
    peer = await town.live()
    await peer.say(Hello(town.tokens["phone"], instance(1), None, False, 65_536))
    await peer.hears_goodbye(errors.OUT_OF_TURN)
    await town.still_serves()


@pytest.mark.parametrize("token", ["x", "sd_" + "A" * 43, "x" * limits.TOKEN_CHARACTERS_MAX])
async def test_a_token_that_opens_nothing_is_refused(town: Town, token: str) -> None:
    peer = await town.socket()
    await peer.say(Hello(token, instance(1), None, False, 65_536))
    await peer.hears_goodbye(errors.NOT_AUTHENTICATED)
    await town.still_serves()


# ---------------------------------------------------------------- hello


async def test_a_hello_that_never_comes_is_not_waited_for(town: Town) -> None:
    peer = await town.socket()
    await town.only(1)
    town.backstage.deadlines.tell(now() + limits.HELLO_TIMEOUT_S - 1)
    assert town.connection().session.state is State.GREETING
    town.backstage.deadlines.tell(now() + limits.HELLO_TIMEOUT_S)
    await peer.hears_goodbye(errors.HELLO_TIMEOUT)
    await town.still_serves()


async def test_half_a_hello_is_not_waited_for_either(town: Town) -> None:
    reader, writer = await raw_socket(town)
    writer.write(masked(BINARY, b"x" * 200)[:100])
    await town.only(1)
    town.backstage.deadlines.tell(now() + limits.HELLO_TIMEOUT_S)
    async with asyncio.timeout(10):
        assert b"hello_timeout" in await reader.readuntil(b"hello_timeout")
    writer.close()
    await town.still_serves()


async def test_a_heartbeat_comes_when_it_is_due(town: Town) -> None:
    head = await town.publish(3)
    peer = await town.live()
    await peer.catch_up(head)
    town.backstage.deadlines.tell(now() + limits.HEARTBEAT_INTERVAL_S)
    assert await peer.hear(Heartbeat) == Heartbeat(peer.epoch, head, head)
    town.backstage.deadlines.tell(now() + 2 * limits.HEARTBEAT_INTERVAL_S)
    assert await peer.hear(Heartbeat) == Heartbeat(peer.epoch, head, head)


async def test_a_login_slower_than_the_hello_timeout_still_gets_its_heartbeats(
    start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def vouch(token: str) -> None:
        asked.set()
        await answered.wait()

    town = await found_town(start, monkeypatch, authenticate=vouch)
    peer = await town.socket()
    await peer.say(Hello(town.tokens["phone"], instance(1), None, False, 65_536))
    async with asyncio.timeout(10):
        await asked.wait()
    town.backstage.deadlines.tell(now() + limits.HELLO_TIMEOUT_S + 1)
    answered.set()
    verdict = await peer.hear(Welcome)
    town.backstage.deadlines.tell(now() + limits.HEARTBEAT_INTERVAL_S)
    assert await peer.hear(Heartbeat) == Heartbeat(verdict.epoch, 0, 0)
    await town.close()


async def test_a_login_that_never_ends_is_not_waited_for(
    start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.server.connection.ADMITTING_TIMEOUT_S", 0.05)
    monkeypatch.setattr(limits, "ADMITTING_TIMEOUT_S", 0.05)

    async def vouch(token: str) -> None:
        await asyncio.Event().wait()

    town = await found_town(start, monkeypatch, authenticate=vouch)
    peer = await town.socket()
    await peer.say(Hello(town.tokens["phone"], instance(1), None, False, 65_536))
    await peer.hears_goodbye(errors.HELLO_TIMEOUT)
    await town.only(0)
    await town.close()


async def test_who_is_throttled_hears_how_long_to_stay_away(town: Town) -> None:
    peer = await town.live()
    town.connection().handle(events.Throttled(2500))
    told = await peer.hear(Goodbye)
    assert told == Goodbye(errors.SLOW_DOWN.code, "slow_down", None, 2500)
    await town.only(0)


async def test_a_verdict_leaves_together_with_the_first_batch(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = await town.publish(2)
    peer = await town.socket()
    await town.only(1)
    transport, sizes = town.connection()._transport, list[int]()
    write = transport.write

    def noted(data: bytes) -> None:
        sizes.append(len(data))
        write(data)

    monkeypatch.setattr(transport, "write", noted)
    await peer.greet(town.tokens["phone"])
    await peer.catch_up(head, ack=False)
    assert len(sizes) == 1


async def test_what_a_device_was_told_is_noted_for_operators(town: Town) -> None:
    head = await town.publish(2)
    peer = await town.live()
    await peer.catch_up(head)
    ahead = await town.socket()
    await ahead.greet(town.tokens["witness"], Position(peer.epoch, head + 1, STRANGE))
    await peer.say(Send((said(1),)))  # the commit that saves the notes
    await peer.hear(Answers)
    noted = {each.name: each.verdict for each in await town.running.service.devices(ANNE)}
    assert noted == {"phone": "welcome", "witness": "reset ahead"}


async def test_a_socket_that_is_gone_is_forgotten_everywhere(town: Town) -> None:
    peer = await town.live()
    assert town.backstage.wakeups.accounts() == [ANNE]
    await peer.socket.close()
    await town.only(0)
    assert town.backstage.wakeups.accounts() == []
    assert town.backstage.live._by_device == {}
    assert town.backstage.live._by_account == {}


async def test_positions_that_are_not_of_this_past_are_reset(town: Town) -> None:
    head = await town.publish(3)
    peer = await town.live()
    [*_, batch] = await peer.catch_up(head)
    own = Position(peer.epoch, head, batch.chain)
    for position, reason in (
        (Position(Epoch(b"another!"), 1, STRANGE), "epoch"),
        (Position(peer.epoch, head + 1, batch.chain), "ahead"),
        (Position(peer.epoch, limits.INTEGER_MAX, batch.chain), "ahead"),
        (Position(peer.epoch, head, STRANGE), "forked"),
        (Position(peer.epoch, 0, STRANGE), "forked"),
    ):
        other = await town.socket()
        verdict = await other.greet(town.tokens["phone"], position)
        assert isinstance(verdict, Reset)
        assert (verdict.reason, verdict.start, verdict.missed) == (reason, 0, head)
        assert (await other.catch_up(head))[-1].chain == batch.chain
    back = await town.socket()
    verdict = await back.greet(town.tokens["phone"], own)
    assert isinstance(verdict, Welcome)
    assert (verdict.start, verdict.missed, verdict.chain) == (head, 0, batch.chain)
    await town.still_serves()


async def test_the_second_pc_gets_everything_that_the_first_one_acknowledged(town: Town) -> None:
    head = await town.publish(20)
    first = await town.live("phone")
    await first.catch_up(head)
    second = await town.live("witness")
    bodies = [entry.body for batch in await second.catch_up(head) for entry in batch.entries]
    assert bodies == [b"hello"] * head


# ---------------------------------------------------------------- acks


async def test_an_ack_beyond_what_was_sent_closes(town: Town) -> None:
    head = await town.publish(3)
    peer = await town.live()
    await peer.catch_up(head)
    await peer.say(Ack(peer.epoch, head + 1))
    await peer.hears_goodbye(errors.ACK_BEYOND_SENT)
    await town.still_serves()


async def test_an_ack_below_an_earlier_one_closes(town: Town) -> None:
    head = await town.publish(3)
    peer = await town.live()
    await peer.catch_up(head)
    await peer.say(Ack(peer.epoch, head - 1))
    await peer.hears_goodbye(errors.ACK_BACKWARDS)
    await town.still_serves()


async def test_an_ack_of_another_epoch_is_ignored(town: Town) -> None:
    await town.publish(1)
    peer = await town.live()
    await peer.catch_up(1)
    await peer.say(Ack(Epoch(b"another!"), limits.INTEGER_MAX))
    await peer.say(Send((said(1),)))
    assert (await peer.hear(Answers)).accepted[0].number == 1


async def test_what_was_acknowledged_is_where_a_cursor_hello_goes_on(town: Town) -> None:
    head = await town.publish(5)
    peer = await town.live()
    await peer.catch_up(head, ack=False)
    await peer.say(Ack(peer.epoch, 3))
    # The next commit saves it; the answer says that there was one.
    await peer.say(Send((said(1),)))
    await peer.hear(Answers)
    other = await town.socket()
    verdict = await other.greet(town.tokens["phone"], cursor=True)
    assert isinstance(verdict, Welcome)
    assert verdict.start == 3


# ---------------------------------------------------------------- fencing and the end of a right


async def test_a_second_socket_of_a_device_fences_the_first_and_is_named(town: Town) -> None:
    first = await town.live(number=1)
    second = await town.live(number=2)
    await first.hears_goodbye(errors.FENCED, instance(2))
    await second.say(Send((said(1),)))
    assert (await second.hear(Answers)).accepted[0].number == 1
    await town.still_serves()


async def test_many_sockets_of_one_device_end_with_one(town: Town) -> None:
    peers = [await town.socket() for _ in range(8)]
    await asyncio.gather(
        *(
            peer.say(Hello(town.tokens["phone"], instance(each), None, False, 65_536))
            for each, peer in enumerate(peers)
        )
    )
    await town.only(1)
    [last] = town.backstage.live._all
    assert last.session.state is State.LIVE
    assert last.session.generation == 8
    await town.still_serves()


@pytest.mark.parametrize("lead", ["live", "opening"])
async def test_revoking_ends_the_socket_in_every_state(town: Town, lead: str) -> None:
    peer = await town.live()
    connection = town.connection()
    device = connection.session.device
    if lead == "opening":
        # As if its opening was committed and the answer is still on its way here.
        town.backstage.live._by_device.clear()
    await town.running.service.revoke(device)
    await peer.hears_goodbye(errors.DEVICE_REVOKED)
    again = await town.socket()
    await again.say(Hello(town.tokens["phone"], instance(1), None, False, 65_536))
    await again.hears_goodbye(errors.DEVICE_REVOKED)
    await town.still_serves()


async def test_a_stopping_server_says_goodbye_to_everybody(town: Town) -> None:
    live, greeting = await town.live(), await town.socket()
    await town.only(2)
    stopping = asyncio.ensure_future(town.running.app.shutdown())
    await live.hears_goodbye(errors.DRAINING)
    await greeting.hears_goodbye(errors.DRAINING)
    await stopping
    assert len(town.backstage.live) == 0


# ---------------------------------------------------------------- slow, silent, flooding


async def test_a_client_that_never_reads_is_bounded_by_its_window_and_closed(town: Town) -> None:
    await town.publish(200, bytes(30_000))
    reader, writer = await raw_socket(town, receive_bytes=4096)
    codec = (await town.socket()).codec
    window = limits.WINDOW_BYTES_MAX
    hello = Hello(town.tokens["phone"], instance(1), None, False, window)
    writer.write(masked(BINARY, codec.encode(hello)))
    reader._transport.pause_reading()
    await until(lambda: any(each.session.state is State.LIVE for each in _all(town)))
    [stalled] = [each for each in _all(town) if each.session.state is State.LIVE]
    delivery = stalled.session._delivery
    assert delivery is not None
    await until(lambda: delivery.window.room() == 0)
    await town.still_serves()
    assert window - limits.ENTRY_BYTES_MAX < delivery.window.outstanding() <= window
    buffered = stalled._transport.get_write_buffer_size()
    assert 0 < buffered <= window + 64 * 1024

    start = now()
    look_for_stalls(town, start)
    look_for_stalls(town, start + limits.WRITE_STALLED_TIMEOUT_S - 1)
    assert stalled.session.state is State.LIVE
    look_for_stalls(town, start + limits.WRITE_STALLED_TIMEOUT_S)
    assert stalled.session.state is State.CLOSED
    await until(lambda: stalled not in _all(town))
    writer.transport.abort()

    # It lost nothing: the next socket gets all of it.
    peer = await town.live()
    verdict_head = 201
    batches = await peer.catch_up(verdict_head)
    assert sum(len(batch.entries) for batch in batches) == verdict_head
    await town.still_serves()


async def stalled_at_hello(
    town: Town,
) -> tuple[Connection, asyncio.StreamReader, asyncio.StreamWriter]:
    """A live socket whose peer has not read yet what fills its window."""
    reader, writer = await raw_socket(town, receive_bytes=4096)
    hello = Hello(town.tokens["phone"], instance(1), None, False, limits.WINDOW_BYTES_MAX)
    writer.write(masked(BINARY, codec_for(MSGPACK_SUBPROTOCOL).encode(hello)))
    reader._transport.pause_reading()
    await town.only(1)
    connection = town.connection()
    await until(lambda: connection._transport.get_write_buffer_size() > 64 * 1024)
    return connection, reader, writer


async def test_a_peer_that_reads_gets_its_goodbye_behind_all_that_was_sent(town: Town) -> None:
    await town.publish(200, bytes(30_000))
    stalled, reader, writer = await stalled_at_hello(town)
    await town.live(number=2)
    await until(lambda: stalled not in _all(town))
    reader._transport.resume_reading()
    async with asyncio.timeout(10):
        heard = await reader.read(-1)
    assert b"fenced" in heard
    assert instance(2).encode() in heard
    writer.close()


async def test_a_fenced_socket_that_never_reads_does_not_linger(town: Town) -> None:
    await town.publish(200, bytes(30_000))
    stalled, _, writer = await stalled_at_hello(town)
    await town.live(number=2)
    await until(lambda: stalled.session.state is State.CLOSED)
    await until(lambda: stalled not in _all(town))
    writer.transport.abort()


async def test_a_slow_reader_that_reads_is_not_closed(town: Town) -> None:
    head = await town.publish(40, bytes(30_000))
    peer = await town.live()
    start = now()
    for look in range(5):
        look_for_stalls(town, start + look * 20.0)
        await peer.say(Ack(peer.epoch, (await peer.hear(Batch)).to))
    assert town.connection().session.state is State.LIVE
    batches = await peer.catch_up(head)
    assert batches[-1].to == head


async def test_a_flood_of_pings_is_answered_and_harms_nobody(town: Town) -> None:
    peer = await town.live()
    pongs = [await peer.socket.ping(b"%d" % number) for number in range(500)]
    async with asyncio.timeout(10):
        await asyncio.gather(*pongs)
    await town.still_serves()


async def test_pings_of_a_peer_that_never_reads_are_no_longer_read(town: Town) -> None:
    reader, writer = await raw_socket(town, receive_bytes=4096)
    reader._transport.pause_reading()
    await town.only(1)
    connection = town.connection()
    transport = connection._transport
    flood = masked(PING, bytes(125)) * 500

    async def pour() -> None:
        while True:
            writer.write(flood)
            await writer.drain()

    pouring = asyncio.create_task(pour())
    await until(connection._must_wait)
    waiting = transport.get_write_buffer_size()
    for _ in range(200):
        await asyncio.sleep(0)
    assert transport.get_write_buffer_size() <= waiting < limits.SOCKET_BUFFER_BYTES_MAX
    await town.still_serves()
    pouring.cancel()
    await asyncio.wait([pouring])
    start = now()
    look_for_stalls(town, start)
    look_for_stalls(town, start + limits.WRITE_STALLED_TIMEOUT_S)
    await town.only(0)
    writer.transport.abort()


async def test_more_unanswered_messages_than_are_remembered_close(town: Town) -> None:
    peer = await town.live()
    many = [Send(tuple(said(n) for n in range(at, at + 512))) for at in (1, 513, 1025)]
    # In one write, so that nothing is answered in between.
    data = b"".join(masked(BINARY, peer.codec.encode(frame)) for frame in many)
    peer.socket.transport.write(data)
    await peer.hears_goodbye(errors.TOO_MANY_UNANSWERED)
    await town.still_serves()


# ---------------------------------------------------------------- changes during a session


async def test_a_trim_during_a_session_is_announced(town: Town) -> None:
    head = await town.publish(150, bytes(30_000))
    peer = await town.live(window=limits.WINDOW_BYTES_MIN)
    first = await peer.hear(Batch)
    storage = town.backstage.reader._storage
    await storage.trim(ANNE, head - 1)
    await peer.say(Ack(peer.epoch, first.to))
    truncated = await peer.hear(Truncated)
    assert truncated.missing == (first.to + 1, head - 2)
    await peer.say(Ack(peer.epoch, first.to))  # was under way: of the place before
    [*_, last] = await peer.catch_up(head)
    assert last.to == head
    await town.still_serves()


async def test_a_bug_ends_one_socket_and_says_so(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    peer = await town.live()
    connection = town.connection()
    connection.handle(events.Admitted(ANNE, connection.session.device, 1))  # cannot be, when live
    await peer.hears_goodbye(errors.INTERNAL)
    assert "cannot meet Admitted" in caplog.text
    assert connection.deadline() is None
    await town.still_serves()


async def test_no_token_and_no_body_reaches_the_log(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    peer: Peer = await town.live()
    await peer.say(Send((said(1, b"a canary in a body"),)))
    await peer.hear(Answers)
    await peer.socket.send(b"\xc1")
    await peer.hears_goodbye(errors.MALFORMED_FRAME)
    ours = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("syncd"))
    assert "malformed" in ours
    assert town.tokens["phone"] not in ours
    assert "canary" not in ours


def look_for_stalls(town: Town, now: float) -> None:
    for connection in town.backstage.live.all():
        connection.look_for_stall(now)


def _all(town: Town) -> list[Any]:
    return list(town.backstage.live._all)

"""A device against a scripted peer: what the real server does rarely, or should never do."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, cast

import pytest

from syncd import errors
from syncd.client import (
    Accepted,
    Closed,
    Device,
    Fenced,
    Mark,
    MemoryStore,
    PendingState,
    SendRefused,
    Stopped,
    StoreMismatch,
    View,
    connect,
)
from syncd.model import AccountId, ConversationId, Identity
from syncd.protocol import client_commands as commands
from syncd.wire.frames import (
    Answers,
    Batch,
    Entry,
    Heartbeat,
    RefusedField,
    Signal,
    Signalled,
    Truncated,
    Welcome,
)
from tests.client.conftest import Server
from tests.client.peer import Ack, Hello, Send, Talk, peer, soon, until
from tests.protocol.client_plays import (
    EPOCH,
    NEW_EPOCH,
    OTHER,
    OWN,
    at,
    chain,
    entry,
    reset,
    truncated,
    verdict,
)


def welcome(head: int = 0, start: int = 0, **changes: Any) -> Welcome:
    made = verdict(floor=0, start=start, head=head, **changes)
    assert isinstance(made, Welcome)
    return made


def batch(prev: int, *entries: Entry, head: int | None = None) -> Batch:
    to = prev + len(entries)
    return Batch(prev, to, entries, chain(to), head or to)


async def take(device: Device, count: int) -> list[int]:
    """The numbers of the next entries."""
    return [(await soon(anext(device))).entry.number for _ in range(count)]


async def test_it_states_its_position_and_goes_on() -> None:
    async def first(talk: Talk) -> None:
        hello = await talk.expect(Hello)
        assert (hello.position, hello.cursor) == (None, False)
        await talk.say(welcome(head=2), batch(0, entry(1), entry(2)))
        assert await talk.expect(Ack) == Ack(EPOCH, 2)
        await talk.goodbye(errors.DRAINING)

    async def second(talk: Talk) -> None:
        assert (await talk.expect(Hello)).position == at(2)
        await talk.say(welcome(head=3, start=2), batch(2, entry(3)))
        await talk.listen()

    async with peer(first, second) as url, connect(url, token="t", store=MemoryStore()) as device:
        assert await take(device, 3) == [1, 2, 3]
        assert device.position == at(3)


async def test_a_gap_is_closed_and_mended() -> None:
    async def first(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome(head=9), batch(1, entry(2)))
        assert await talk.listen() == errors.GAP.code

    async def second(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome(head=1), batch(0, entry(1)), Heartbeat(EPOCH, 1, 7))
        assert await talk.listen() == errors.GAP.code

    async def third(talk: Talk) -> None:
        # The application may or may not have finished the first entry by now.
        position = (await talk.expect(Hello)).position
        start = 0 if position is None else position.seq
        entries = [entry(seq) for seq in range(start + 1, 3)]
        await talk.say(welcome(head=2, start=start), batch(start, *entries))
        await talk.listen()

    async with peer(first, second, third) as url, connect(url, token="t") as device:
        assert await take(device, 2) == [1, 2]


async def test_an_unanswered_message_is_sent_again_under_its_number(tmp_path: Path) -> None:
    async def first(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome())
        [message] = (await talk.expect(Send)).messages
        assert (message.number, message.body) == (1, b"hello")
        await talk.goodbye(errors.DRAINING)

    async def second(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome(sent=1))
        [message] = (await talk.expect(Send)).messages
        assert (message.number, message.body) == (1, b"hello")
        await talk.say(Answers((Accepted(1, 1, True),), ()))
        await talk.say(batch(0, entry(1, OWN)))
        await talk.listen()

    store = tmp_path / "store.db"
    async with peer(first, second) as url, connect(url, token="t", store=store) as device:
        assert await soon(device.send("alice~bob", b"hello")) == Accepted(1, 1, True)
        assert await take(device, 1) == [1]
        assert await device.pending() == []


async def test_after_busy_everything_is_sent_again_in_order() -> None:
    async def first(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome())
        assert [each.number for each in (await talk.expect(Send)).messages] == [1, 2, 3]
        busy = tuple(RefusedField(number, errors.BUSY.code) for number in (2, 3))
        await talk.say(Answers((Accepted(1, 1, False),), busy))
        assert await talk.listen() == errors.RESENDING.code

    async def second(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome(head=1, sent=1))
        assert [each.number for each in (await talk.expect(Send)).messages] == [2, 3]
        fields = (Accepted(2, 2, False), Accepted(3, 3, False))
        await talk.say(Answers(fields, ()))
        await talk.listen()

    async with peer(first, second) as url, connect(url, token="t") as device:
        outcomes = await soon(device.send_many("alice~bob", [b"1", b"2", b"3"]))
        assert outcomes == [Accepted(number, number, False) for number in (1, 2, 3)]


async def test_a_refused_message_is_sent_again_as_a_new_one() -> None:
    async def script(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome())
        for number, answers in (
            (1, Answers((), (RefusedField(1, errors.NOT_A_MEMBER.code),))),
            (2, Answers((), (RefusedField(2, errors.NOT_A_MEMBER.code),))),
            (3, Answers((Accepted(3, 1, False),), ())),
        ):
            [message] = (await talk.expect(Send)).messages
            assert (message.number, message.body) == (number, b"hello")
            await talk.say(answers)
        await talk.listen()

    async with peer(script) as url, connect(url, token="t") as device:
        with pytest.raises(SendRefused):
            await soon(device.send("club", b"hello"))
        [refused] = await device.pending()
        with pytest.raises(SendRefused) as again:
            await soon(device.resend(refused.ticket))
        assert (again.value.number, again.value.refusal) == (2, errors.NOT_A_MEMBER)
        with pytest.raises(KeyError):
            await soon(device.resend(refused.ticket))
        [refused] = await device.pending()
        assert await soon(device.resend(refused.ticket)) == Accepted(3, 1, False)
        assert [each.state for each in await device.pending()] == [PendingState.ACCEPTED]
    with pytest.raises(Closed):
        await device.resend(refused.ticket)


async def test_a_refused_message_is_sent_again_whatever_the_connection(tmp_path: Path) -> None:
    async def first(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome())
        await talk.expect(Send)
        await talk.say(Answers((), (RefusedField(1, errors.TARGET_GONE.code),)))
        await talk.listen()

    async def second(talk: Talk) -> None:
        await talk.expect(Hello)
        await soon(go.wait())
        await talk.say(welcome())
        [message] = (await talk.expect(Send)).messages
        assert (message.number, message.body) == (2, b"hello")
        await talk.say(Answers((Accepted(2, 1, False),), ()))
        await talk.listen()

    go, store = asyncio.Event(), tmp_path / "store.db"
    async with peer(first, second) as url:
        async with connect(url, token="t", store=store) as device:
            with pytest.raises(SendRefused):
                await soon(device.send("club", b"hello"))
            [refused] = await device.pending()
        async with connect(url, store=store) as device:
            sending = asyncio.ensure_future(device.resend(refused.ticket))

            async def queued() -> bool:
                return [each.number for each in await device.pending()] == [2]

            await until(queued)
            go.set()
            assert await soon(sending) == Accepted(2, 1, False)


async def test_a_cancelled_send_stays_in_the_outbox() -> None:
    heard = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome())
        await talk.expect(Send)
        heard.set()
        await talk.listen()

    async with peer(script) as url, connect(url, token="t") as device:
        sending = asyncio.ensure_future(device.send("alice~bob", b"hello"))
        await soon(heard.wait())
        sending.cancel()
        [left] = await device.pending()
        assert (left.number, left.state) == (1, PendingState.WAITING)


async def test_messages_queued_before_the_first_verdict_get_numbers_by_it() -> None:
    go = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.expect(Hello)
        await soon(go.wait())
        await talk.say(welcome(sent=6))
        assert [each.number for each in (await talk.expect(Send)).messages] == [7, 8]
        await talk.say(Answers((Accepted(7, 1, False), Accepted(8, 2, False)), ()))
        await talk.listen()

    async with peer(script) as url, connect(url, token="t") as device:
        assert await device.enqueue("alice~bob", b"one") is None
        sending = asyncio.ensure_future(device.send("alice~bob", b"two"))

        async def both_wait() -> bool:
            return len(await device.pending()) == 2

        await until(both_wait)
        go.set()
        assert await soon(sending) == Accepted(8, 2, False)


async def test_a_reset_is_told_lived_through_and_marked() -> None:
    news: list[commands.News] = []

    async def script(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome(head=2), batch(0, entry(1), entry(2)))
        assert (await talk.expect(Ack)).seq == 2
        await talk.say(reset("forked", floor=0, start=0, head=1), batch(0, entry(2)))
        assert await talk.expect(Ack) == Ack(NEW_EPOCH, 1)
        await talk.listen()

    store = MemoryStore(keep_handed=True)
    async with (
        peer(script) as url,
        connect(url, token="t", store=store, hear=news.append) as device,
    ):
        assert await take(device, 2) == [1, 2]
        again = await soon(anext(device))
        assert (again.entry.number, again.seq, again.epoch) == (2, 1, NEW_EPOCH)
        waiting = asyncio.ensure_future(anext(device))

        async def marked() -> bool:
            return [(old.entry.number, old.mark) for old in await device.old()] == [
                (1, Mark.NOT_ON_SERVER)
            ]

        await until(marked)
        assert device.verdict is not None
        assert isinstance(news[0], commands.Judged)
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_a_trim_during_the_session_is_told() -> None:
    async def script(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome(head=9), batch(0, entry(1), head=9))
        await talk.say(truncated(floor=8, start=8, head=9), batch(8, entry(9)))
        await talk.listen()

    async with peer(script) as url, connect(url, token="t") as device:
        await soon(device.caught_up())
        assert isinstance(device.verdict, Truncated)
        assert device.verdict.missing == (11, 8)
        assert device.position == at(9)


@pytest.mark.parametrize("code", [errors.DEVICE_REVOKED, errors.TOKEN_ROTATED])
async def test_a_goodbye_for_good_is_raised(code: errors.Refusal) -> None:
    async def script(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome(head=1), batch(0, entry(1)))
        await talk.goodbye(code)

    async with peer(script) as url, connect(url, token="t") as device:
        assert await take(device, 1) == [1], "what is stored is handed out first"
        with pytest.raises(Stopped) as stopped:
            await take(device, 1)
        assert stopped.value.refusal is code


async def test_a_foreign_instance_fences_for_good() -> None:
    async def script(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome())
        await talk.goodbye(errors.FENCED, "f" * 16)

    async with peer(script) as url, connect(url, token="t") as device:
        with pytest.raises(Fenced) as fenced:
            await take(device, 1)
        assert fenced.value.instance == "f" * 16


async def test_its_own_instance_does_not() -> None:
    async def first(talk: Talk) -> None:
        hello = await talk.expect(Hello)
        await talk.say(welcome())
        await talk.goodbye(errors.FENCED, hello.instance)

    async def second(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome(head=1), batch(0, entry(1)))
        await talk.listen()

    async with peer(first, second) as url, connect(url, token="t") as device:
        assert await take(device, 1) == [1]


async def test_nor_does_the_instance_of_an_earlier_run(tmp_path: Path) -> None:
    instances: list[str] = []

    async def first(talk: Talk) -> None:
        instances.append((await talk.expect(Hello)).instance)
        await talk.say(welcome())
        await talk.listen()

    async def second(talk: Talk) -> None:
        hello = await talk.expect(Hello)
        assert hello.instance not in instances
        await talk.say(welcome())
        await talk.goodbye(errors.FENCED, instances[0])

    async def third(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome(head=1), batch(0, entry(1)))
        await talk.listen()

    store = tmp_path / "store.db"
    async with peer(first, second, third) as url:
        async with connect(url, token="t", store=store) as device:
            await soon(device.caught_up())
        async with connect(url, token="t", store=store) as device:
            assert await take(device, 1) == [1]


async def test_another_account_is_not_let_into_the_store() -> None:
    async def first(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome())
        await talk.goodbye(errors.DRAINING)

    async def second(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome(account=AccountId("mallory")))
        await talk.listen()

    async with peer(first, second) as url, connect(url, token="t") as device:
        with pytest.raises(StoreMismatch):
            await take(device, 1)


async def test_bytes_that_are_no_frame_stop_it() -> None:
    async def script(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.socket.send_bytes(b"\xc1")
        assert await talk.listen() == errors.MALFORMED_FRAME.code

    async with peer(script) as url, connect(url, token="t") as device:
        with pytest.raises(Stopped) as stopped:
            await soon(device.caught_up())
        assert stopped.value.refusal is errors.MALFORMED_FRAME


async def test_whoever_waits_when_it_is_closed_hears_of_it() -> None:
    async def script(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome(head=5))
        await talk.expect(Send)
        await talk.listen()

    async with peer(script) as url:
        async with connect(url, token="t") as device:
            sending = asyncio.ensure_future(device.send("alice~bob", b"hello"))
            catching_up = asyncio.ensure_future(device.caught_up())

            async def queued() -> bool:
                return bool(await device.pending()) and device.state == "syncing"

            await until(queued)
        for waiting in (sending, catching_up):
            with pytest.raises(Closed):
                await soon(waiting)


async def test_closing_acknowledges_what_the_application_has_finished() -> None:
    async def script(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome(head=3), batch(0, entry(1), entry(2), entry(3)))
        assert await talk.expect(Ack) == Ack(EPOCH, 1)
        assert await talk.listen() == 1000

    async with peer(script) as url, connect(url, token="t") as device:
        assert await take(device, 2) == [1, 2]


# ---------------------------------------------------------------- what is not about the log alone


async def test_signals_go_and_come_while_there_is_a_connection() -> None:
    news: list[commands.News] = []
    typing = Signal(ConversationId("friends"), 1, b"x")
    heard = Signalled(ConversationId("friends"), AccountId("bob"), OTHER, 1, b"")

    async def script(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome())
        assert await talk.expect(Signal) == typing
        await talk.say(heard)
        await talk.listen()

    async with (
        peer(script) as url,
        connect(url, token="t", hear=news.append) as device,
    ):
        device.signal("friends", 2)  # nobody is there yet to hear it
        await soon(device.caught_up())
        device.signal("friends", 1, b"x")

        async def told() -> bool:
            return commands.Signalled(heard) in news

        await until(told)
        with pytest.raises(ValueError, match="256"):
            device.signal("friends", 1, bytes(257))
        with pytest.raises(ValueError, match="conversation"):
            device.signal("", 1)
    with pytest.raises(Closed):
        device.signal("friends", 1)


async def test_it_knows_the_newest_floor() -> None:
    async def script(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(verdict(floor=2, start=2, head=3), batch(2, entry(3)))
        await talk.say(Heartbeat(EPOCH, 3, 3, 3))
        await talk.listen()

    news: list[commands.News] = []
    async with peer(script) as url, connect(url, token="t", hear=news.append) as device:
        assert device.floor == 0
        await soon(device.caught_up())

        async def risen() -> bool:
            return device.floor == 3

        await until(risen)
        assert [each for each in news if isinstance(each, commands.Floored)] == [
            commands.Floored(2),
            commands.Floored(3),
        ]


async def test_its_history_is_what_the_store_holds(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def first(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome(head=3), batch(0, entry(1), entry(2)), batch(2, entry(3)))
        await talk.listen()

    async def second(talk: Talk) -> None:
        await talk.expect(Hello)
        await soon(go.wait())
        await talk.say(reset("ahead", epoch=EPOCH, floor=0, start=0, head=1), batch(0, entry(4)))
        await talk.listen()

    store = tmp_path / "store.db"
    async with peer(first, second) as url:
        async with connect(url, token="t", store=store) as device:
            assert await take(device, 3) == [1, 2, 3]
            assert [item.seq async for item in device.history()] == [1, 2, 3]
        async with connect(url, store=store) as device:
            view = View(AccountId("bob"))
            async for item in device.history():
                view.apply(*item)
            assert view.unread("alice~bob") == 3
            assert [item.era async for item in device.history()] == [0, 0, 0]
            go.set()

            async def told_anew() -> bool:
                return [item.entry.number async for item in device.history()] == [4]

            await until(told_anew)
            async for item in device:
                view.apply(*item)
                if item.entry.number == 4:
                    break
            assert (item.seq, item.epoch, item.era) == (1, EPOCH, 1)
            assert view.unread("alice~bob") == 1, "the same epoch, but another past"


# ---------------------------------------------------------------- what an application gets wrong


async def test_what_is_no_message_never_reaches_the_outbox(tmp_path: Path) -> None:
    store, text, target = tmp_path / "store.db", cast(Any, "text"), Identity(OWN, 1)
    async with connect("ws://127.0.0.1:1", token="t", store=store) as device:
        wrong: list[Awaitable[Any]] = [
            device.send("team", text),
            device.send_to("bob", text),
            device.send_many("team", [b"sound", text]),
            device.enqueue("team", text),
            device.edit("team", target, text),
        ]
        for each in wrong:
            with pytest.raises(TypeError, match="body is bytes, not str: encode it"):
                await soon(each)
        with pytest.raises(TypeError, match="body is bytes, not str: encode it"):
            device.signal("team", 1, text)
        with pytest.raises(TypeError, match="target is an Identity"):
            await soon(device.recall("team", cast(Any, 7)))
        with pytest.raises(TypeError, match="conversation is str, not bytes"):
            await soon(device.send(cast(Any, b"team"), b"body"))
        assert await device.pending() == []
        body = bytearray(b"mine")
        await device.enqueue("team", body)
        body[:] = b"late"
        [sound] = await device.pending()
        assert sound.outgoing.body == b"mine"


# ---------------------------------------------------------------- the end of a program

PROGRAM = """
import asyncio, sys
from syncd.client import connect

def device():
    return connect({url!r}, token="t", store={store!r})

async def worker(ready):
    async with device() as entered:
        await entered.caught_up()
        ready.set()
        async for item in entered:
            pass

async def in_a_task():
    ready = asyncio.Event()
    task = asyncio.create_task(worker(ready))
    await ready.wait()
    return task

async def by_hand():
    context = device()
    entered = await context.__aenter__()
    await entered.caught_up()
    return context

async def main():
    held = await {shape}()
    print("ready", flush=True)
    if {raises!r}:
        raise RuntimeError("a mistake in main")
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("durable", [False, True], ids=["memory", "durable"])
@pytest.mark.parametrize("shape", ["in_a_task", "by_hand"])
@pytest.mark.parametrize("raises", [False, True], ids=["interrupted", "raises"])
async def test_a_program_ends_with_a_device_that_nobody_closed(
    tmp_path: Path, durable: bool, shape: str, raises: bool
) -> None:
    async def script(talk: Talk) -> None:
        await talk.expect(Hello)
        await talk.say(welcome())
        await talk.listen()

    store = tmp_path / "store.db"
    async with peer(script) as url:
        text = PROGRAM.format(
            url=url, store=str(store) if durable else None, shape=shape, raises=raises
        )
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-c", text, stdout=PIPE, stderr=PIPE
        )
        try:
            assert program.stdout is not None
            assert await soon(program.stdout.readline()) == b"ready\n"
            if not raises:
                program.send_signal(signal.SIGINT)
            _, told = await soon(program.communicate())
        finally:
            if program.returncode is None:
                program.kill()
    last = told.decode().splitlines()[-1]
    assert last == ("RuntimeError: a mistake in main" if raises else "KeyboardInterrupt")
    for complaint in ("asynchronous generator", "never retrieved", "destroyed", "Warning"):
        assert complaint not in told.decode()
    assert not store.with_name("store.db-wal").exists(), "the store was not closed"


MANY_ENDS = """
import asyncio
from syncd.client import connect

async def worker(stays):
    async with connect({url!r}, token={token!r}, store={store!r}) as device:
        await device.enqueue("alice~alice", b"text")
        if stays:
            async for item in device:
                pass

async def main(steps, stays):
    task = asyncio.create_task(worker(stays))
    for _ in range(steps):
        await asyncio.sleep(0)

for power in range(90):
    asyncio.run(main(int(1.1 ** power), power % 3))
print("done", flush=True)
"""


@pytest.mark.parametrize("durable", [False, True], ids=["memory", "durable"])
async def test_a_program_may_end_at_any_moment(
    server: Server, tmp_path: Path, durable: bool
) -> None:
    store = str(tmp_path / "store.db") if durable else None
    text = MANY_ENDS.format(url=server.url, token=await server.token("alice"), store=store)
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", text, stdout=PIPE, stderr=PIPE
    )
    try:
        said, told = await soon(program.communicate())
    finally:
        if program.returncode is None:
            program.kill()
    assert (said, told) == (b"done\n", b"")

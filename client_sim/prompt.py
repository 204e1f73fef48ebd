"""What a simulated PC obeys: command lines, from people and from scripts."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from client_sim.conversations import Target
from client_sim.simulated_pc import Say, SimulatedPc
from syncd.client import Action, Change, ClientError, Kind
from syncd.client.store import Outgoing
from syncd.membership import write_change
from syncd.model import AccountId, ConversationId, direct, is_account, is_group, members_of_direct

CRASH_STATUS = 137
"""What a shell reports of a program that was killed with -9."""
_SEQ = re.compile(r"[0-9]{1,15}")


class Misused(Exception):
    """The arguments of a command are not those that it takes."""


class Prompt:
    """Feed `obey` with command lines; they act on `pc`, which the owner closes."""

    def __init__(self, pc: SimulatedPc, say: Say) -> None:
        self._pc, self._say = pc, say
        self._over = False

    async def obey(self, line: str) -> bool:
        """Carry out one command line; False when it was the last one."""
        name, _, rest = line.strip().partition(" ")
        if not name:
            return True
        command = COMMANDS.get(name)
        if command is None:
            self._say(f"! no such command: {name}; try help")
            return True
        try:
            await command.act(self, rest.strip())
        except Misused:
            self._say(f"! {name} {command.arguments}")
        except ClientError as error:
            self._say(f"! {error}")
        return not self._over

    # -------------------------------------------------------- messages

    async def send(self, rest: str) -> None:
        """A text to an account."""
        account, text = _split(rest)
        if not is_account(account) or not text:
            raise Misused
        own = await self._pc.whose()
        if own is None:
            self._say("! nobody knows yet whose PC this is: go online once")
            return
        conversation = direct(own, AccountId(account))
        await self._pc.post(Outgoing(Kind.MESSAGE, conversation, None, text.encode()))

    async def say(self, rest: str) -> None:
        """A text to a group."""
        group, text = _group(rest)
        if not text:
            raise Misused
        await self._pc.post(Outgoing(Kind.MESSAGE, group, None, text.encode()))

    async def edit(self, rest: str) -> None:
        """Another text for an own message."""
        seq, text = _split(rest)
        if not text:
            raise Misused
        await self._about(Kind.EDIT, seq, text)

    async def recall(self, rest: str) -> None:
        """An own message is shown to nobody any more."""
        await self._about(Kind.RECALL, rest)

    async def delete(self, rest: str) -> None:
        """A message is shown on the own devices no more."""
        await self._about(Kind.DELETE, rest)

    async def read(self, rest: str) -> None:
        """A conversation was read up to an entry."""
        await self._about(Kind.READ, rest)

    async def _about(self, kind: Kind, seq: str, text: str = "") -> None:
        target = await self._target(seq)
        if target is None:
            self._say(f"! no entry {seq} here")
            return
        await self._pc.post(Outgoing(kind, target.conversation, target.identity, text.encode()))

    async def _target(self, seq: str) -> Target | None:
        if not _SEQ.fullmatch(seq):
            raise Misused
        known = await self._pc.conversations()
        return None if known is None else known.target(int(seq))

    # -------------------------------------------------------- groups

    async def group(self, rest: str) -> None:
        """A new group of these accounts and the own one."""
        await self._change(Action.CREATE, rest)

    async def add(self, rest: str) -> None:
        """Accounts come into a group."""
        await self._change(Action.ADD, rest)

    async def remove(self, rest: str) -> None:
        """Accounts go out of a group."""
        await self._change(Action.REMOVE, rest)

    async def leave(self, rest: str) -> None:
        """The own account goes out of a group."""
        await self._change(Action.LEAVE, rest)

    async def _change(self, action: Action, rest: str) -> None:
        group, named = _group(rest)
        accounts = tuple(map(AccountId, dict.fromkeys(named.split())))
        if not all(map(is_account, accounts)) or bool(accounts) == (action is Action.LEAVE):
            raise Misused
        body = write_change(Change(action, accounts))
        await self._pc.post(Outgoing(Kind.SYSTEM, group, None, body))

    # -------------------------------------------------------- looking and telling

    async def unread(self, rest: str) -> None:
        """How much was not read, per conversation."""
        known = await self._pc.conversations()
        for line in (known.unread() if known is not None else []) or ["nothing unread"]:
            self._say(f"= {line}")

    async def show(self, rest: str) -> None:
        """A conversation as it stands now."""
        conversation = _conversation(rest)
        known = await self._pc.conversations()
        nothing = [f"nothing of {conversation} here"]
        for line in (known.show(conversation) if known is not None else []) or nothing:
            self._say(f"= {line}")

    async def typing(self, rest: str) -> None:
        """Somebody types here, hear those who are there."""
        await self._pc.signal_typing(_conversation(rest))

    async def state(self, rest: str) -> None:
        """Where it stands."""
        await self._pc.tell_state()

    async def help(self, rest: str) -> None:
        """All commands."""
        for name, command in COMMANDS.items():
            self._say(f"= {' '.join((name, command.arguments)):<22} {command.meaning}")

    # -------------------------------------------------------- coming and going

    async def offline(self, rest: str) -> None:
        """The line is closed in good order."""
        await self._pc.offline()

    async def online(self, rest: str) -> None:
        """The line is opened."""
        await self._pc.online()

    async def crash(self, rest: str) -> None:
        """This process ends at once: nothing is acknowledged, saved or closed."""
        self._say("= crash")
        os._exit(CRASH_STATUS)

    async def wipe(self, rest: str) -> None:
        """The store is forgotten."""
        await self._pc.wipe()

    async def quit(self, rest: str) -> None:
        """No line after this one is obeyed."""
        self._over = True


@dataclass(frozen=True, slots=True)
class Command:
    """What a word at the prompt does."""

    act: Callable[[Prompt, str], Awaitable[None]]
    arguments: str
    meaning: str


COMMANDS = {
    "send": Command(Prompt.send, "ACCOUNT TEXT", "send a text; offline it waits"),
    "say": Command(Prompt.say, "ID TEXT", "send a text to a group"),
    "edit": Command(Prompt.edit, "N TEXT", "another text for the own message shown as [N]"),
    "recall": Command(Prompt.recall, "N", "take the own message [N] back, for everybody"),
    "delete": Command(Prompt.delete, "N", "show [N] no more on the own devices"),
    "read": Command(Prompt.read, "N", "the conversation of [N] was read up to it"),
    "group": Command(Prompt.group, "ID ACCOUNT...", "make a group of them and the own account"),
    "add": Command(Prompt.add, "ID ACCOUNT...", "take them into a group"),
    "remove": Command(Prompt.remove, "ID ACCOUNT...", "take them out of a group"),
    "leave": Command(Prompt.leave, "ID", "go out of a group"),
    "unread": Command(Prompt.unread, "", "how much was not read, per conversation"),
    "show": Command(Prompt.show, "CONVERSATION", "a group, or alice~bob, as it stands now"),
    "typing": Command(Prompt.typing, "CONVERSATION", "tell who is there that somebody types"),
    "offline": Command(Prompt.offline, "", "disconnect, keep the store"),
    "online": Command(Prompt.online, "", "connect again"),
    "crash": Command(Prompt.crash, "", "end this process at once, nothing is closed"),
    "wipe": Command(Prompt.wipe, "", "forget the store: the whole log comes again"),
    "state": Command(Prompt.state, "", "cursor, head, verdict, outbox"),
    "help": Command(Prompt.help, "", "this list"),
    "quit": Command(Prompt.quit, "", "acknowledge, disconnect, end"),
}


def _split(rest: str) -> tuple[str, str]:
    word, _, more = rest.partition(" ")
    return word, more.strip()


def _group(rest: str) -> tuple[ConversationId, str]:
    group, more = _split(rest)
    if not is_group(group):
        raise Misused
    return ConversationId(group), more


def _conversation(text: str) -> ConversationId:
    if not is_group(text) and members_of_direct(text) is None:
        raise Misused
    return ConversationId(text)

"""Every command, typed at PCs of the real server."""

import re
from contextlib import AsyncExitStack
from pathlib import Path

from client_sim.prompt import COMMANDS
from tests.client_sim.conftest import Running
from tests.client_sim.desks import Desk, desk, new_account

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


async def test_what_makes_no_sense_is_said(running: Running) -> None:
    async with desk(running, new_account()) as at:
        await at.type("dance", "! no such command: dance")
        await at.type("send nobody hello", "! nobody knows yet whose PC this is")
        assert await at.prompt.obey("  ")
        await at.type("offline", "= already offline")
        await at.type("unread", "= nothing unread")
        await at.type("recall 1", "! no entry 1 here")
        await at.type("typing team", "! offline: nobody would hear it")
        await at.type("online", "= caught up at 0")
        await at.type("online", "= already online")
        await at.type("send no-such-account-here hello", "! refused: unknown_account")
        await at.type(f"say team {'long' * 8193}", "! refused: too_large")
        await at.type("offline", "= offline")
        await at.type(f"say team {'long' * 8193}", "! refused: too_large")
        for line, meant in (
            ("send", "send ACCOUNT TEXT"),
            ("say team", "say ID TEXT"),
            ("edit one two", "edit N TEXT"),
            ("edit 1", "edit N TEXT"),
            ("read -1", "read N"),
            ("group team", "group ID ACCOUNT..."),
            ("group a~b carol", "group ID ACCOUNT..."),
            ("add team car/ol", "add ID ACCOUNT..."),
            ("leave team carol", "leave ID"),
            ("show b~a", "show CONVERSATION"),
            ("typing", "typing CONVERSATION"),
        ):
            assert await at.shown(line) == [f"! {meant}"]


async def test_help_names_every_command_and_quit_ends(running: Running) -> None:
    async with desk(running, new_account()) as at:
        said = await at.shown("help")
        assert [line.split()[1] for line in said] == list(COMMANDS)
        assert "= send ACCOUNT TEXT      send a text; offline it waits" in said
        assert not await at.prompt.obey("quit")


async def friends(running: Running, stack: AsyncExitStack, *names: str) -> list[Desk]:
    """A PC for each, online."""
    at = [await stack.enter_async_context(desk(running, new_account(each))) for each in names]
    for each in at:
        await each.type("online", "= caught up at 0")
    return at


async def test_two_people_and_a_group(running: Running) -> None:
    team = new_account("team")
    async with AsyncExitStack() as stack:
        alice, bob, carol = await friends(running, stack, "alice", "bob", "carol")
        made = f"{alice.account} creates {team} with {bob.account}"
        await alice.type(f"group {team} {bob.account}", f"[1] {made}")
        await bob.expect(f"[1] {made}")
        for seq, text in enumerate(("Lunch?", "At moon?", "Love you", "Sorry"), start=2):
            said = f"[{seq}] {alice.account} in {team}: {text}"
            await alice.type(f"say {team} {text}", said)
            await bob.expect(said)
        assert await bob.shown("unread") == [f"= {team}: 4 unread"]
        await bob.type("read 2", "[6] you read up to 2")
        await bob.type("read 2", "! refused: mark_backwards")
        await alice.type("edit 3 At noon?", f"[6] {alice.account} edits 3: At noon?")
        await bob.expect(f"[7] {alice.account} edits 3: At noon?")
        await bob.type("edit 3 Never", "! refused: forbidden")
        await alice.type("recall 4", f"[7] {alice.account} recalls 4")
        await bob.expect(f"[8] {alice.account} recalls 4")
        await alice.type("delete 5", "[8] you delete 5")
        members = f"{team} ({alice.account} (owner), {bob.account})"
        for at, lines in ((alice, ["0 unread"]), (bob, ["2 unread"])):
            lines += [
                f"  [2] {alice.account}: Lunch?",
                f"  [3] {alice.account}: At noon? (edited)",
                f"  [4] {alice.account}: [recalled]",
            ]
            if at is bob:
                lines.append(f"  [5] {alice.account}: Sorry")
            heading, *rest = lines
            expected = [f"= {members}: {heading}", *(f"= {each}" for each in rest)]
            assert await at.shown(f"show {team}") == expected
        assert await carol.shown(f"show {team}") == [f"= nothing of {team} here"]
        await carol.type(f"say {team} hello", "! refused: not_a_member")


async def test_who_comes_in_later_sees_from_there(running: Running) -> None:
    team = new_account("team")
    async with AsyncExitStack() as stack:
        alice, bob, carol = await friends(running, stack, "alice", "bob", "carol")
        await alice.type(f"group {team} {bob.account}", "[1] ")
        await alice.type(f"say {team} hello", "[2] ")
        added = f"{alice.account} adds {carol.account} to {team}"
        await alice.type(f"add {team} {carol.account}", f"[3] {added}")
        await carol.expect(f"[1] {added}")
        await alice.type("edit 2 hallo", "[4] ")
        await carol.expect(f"[2] {alice.account} edits an entry that is not here: hallo")
        removed = f"{alice.account} removes {bob.account} from {team}"
        await alice.type(f"remove {team} {bob.account}", f"[5] {removed}")
        await carol.type(f"leave {team}", f"[4] {carol.account} leaves {team}")
        await alice.expect(f"[6] {carol.account} leaves {team}")
        await bob.expect(f"[5] {removed}")
        assert (await alice.shown(f"show {team}"))[0] == (
            f"= {team} ({alice.account} (owner)): 0 unread"
        )


async def test_typing_is_heard_by_who_is_there(running: Running) -> None:
    team = new_account("team")
    async with AsyncExitStack() as stack:
        alice, bob = await friends(running, stack, "alice", "bob")
        await alice.type(f"group {team} {bob.account}", "[1] ")
        await bob.expect("[1] ")
        await bob.type(f"typing {team}", "= told whoever is there")
        await alice.expect(f"~ {bob.account} types in {team}")
        pair = "~".join(sorted((alice.account, bob.account)))
        await alice.type(f"typing {pair}", "= told whoever is there")
        await bob.expect(f"~ {alice.account} types in {pair}")


async def test_the_transcript_of_the_readme(running: Running) -> None:
    shown = README[README.index("group team bob\n") :].partition("```")[0]
    team = new_account("team")
    async with AsyncExitStack() as stack:
        alice, bob = await friends(running, stack, "alice", "bob")
        names = {"alice": alice.account, "bob": bob.account, "team": team}
        played = re.sub(r"\b(alice|bob|team)\b", lambda name: names[name[0]], shown).splitlines()
        others = {f"~ {bob.account}": f"typing {team}", "[4]": f"say {team} Yes!"}
        alice.all.clear()
        for line in played:
            for beginning, typed in others.items():
                if line.startswith(beginning):
                    assert await bob.prompt.obey(typed)
            if line[0] in "[=~":
                await alice.said_ever(line)
            else:
                assert await alice.prompt.obey(line)
        said = [line for line in alice.all if not line.startswith("= accepted")]
    assert said == [line for line in played if line[0] in "[=~"]


async def test_what_was_accepted_may_be_named_at_once(running: Running, tmp_path: Path) -> None:
    account = new_account()
    async with desk(running, account, tmp_path / "pc.db") as at:
        await at.prompt.obey("online")
        for line in (f"send {account} one", "edit 1 two", "recall 1"):
            await at.prompt.obey(line)
        await at.expect(f"[3] {account} recalls 1")

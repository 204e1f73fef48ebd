"""Cursors that nobody confirmed, and sessions that outlive their fence."""

from msgspec.structs import replace

from client_sim.history import SERVER, Ack, Appended, Cursor, Merged, Opened, Saved, Send
from client_sim.judging.verdict import Ruling
from tests.client_sim.judging.story import ALL, Story, broken, founding_story


def saved(device: str, seq: int, **more: object) -> Saved:
    return Saved(by=SERVER, device=device, epoch="a1", seq=seq, **more)  # type: ignore[arg-type]


# ---------------------------------------------------------------- monotone-cursor


def test_a_cursor_that_falls() -> None:
    story = founding_story()
    story.tell(saved("PC2", 1))
    assert broken(story.end()) == ("monotone-cursor",)


def test_a_cursor_beyond_what_was_confirmed() -> None:
    story = founding_story()
    story.say("phone", 3)
    story.pull("phone")
    story.batch("PC2", 2, story.logs["alice"][2:])
    story.tell(saved("PC2", 3))
    story.apply("PC2", 2, 3)
    story.tell(Ack(device="PC2", session=story.sessions["PC2"], epoch="a1", seq=3))
    judgement = story.end("PC1")
    assert broken(judgement) == ("monotone-cursor",)
    [opinion] = [each for each in judgement.opinions if each.charges]
    assert opinion.charges[0].text == (
        "the cursor of PC2 was saved as 3, and the device had confirmed 2"
    )


def test_a_cursor_that_another_device_moved() -> None:
    """The founding bug: one cursor for all devices of a platform."""
    story = founding_story()
    story.say("phone", 3)
    story.pull("phone")
    story.pull("PC2")
    story.tell(Cursor(by=SERVER, device="PC1", epoch="a1", seq=3))
    assert broken(story.end("PC1")) == ("monotone-cursor",)


def test_a_cursor_beyond_the_head() -> None:
    story = founding_story()
    story.tell(Send(device="ghost", message="ghost#1"))
    story.tell(Cursor(by=SERVER, device="ghost", epoch="a1", seq=3))
    story.device("ghost", "alice")
    assert broken(story.end()) == ("monotone-cursor",)


def test_a_session_whose_acks_fall() -> None:
    story = founding_story()
    story.tell(
        Ack(by=SERVER, device="PC2", session=story.sessions["PC2"], epoch="a1", seq=1),
    )
    assert broken(story.end()) == ("monotone-cursor",)


def test_a_stated_place_confirms_and_a_restore_brings_an_older_cursor() -> None:
    story = founding_story()
    story.connect("PC1")
    story.verdict("PC1", 2)
    story.tell(saved("PC1", 2))
    story.rewind({"alice": 1, "bob": 1}, dict(story.epochs), "put_back")
    story.tell(saved("PC1", 1))
    story.places.clear()
    assert "monotone-cursor" not in broken(story.end())


def test_a_journal_of_the_server_alone_is_judged_by_what_it_counted() -> None:
    story = Story()
    ack = Ack(by=SERVER, device="PC1", session=1, epoch="a1", seq=2)
    story.tell(ack, saved("PC1", 2))
    assert broken(story.end()) == ()
    story = Story()
    story.tell(ack, saved("PC1", 3))
    assert broken(story.end()) == ("monotone-cursor",)


# ---------------------------------------------------------------- fencing


def opened(story: Story, device: str) -> int:
    """A newer session of the device; gives the generation of the one before."""
    before = story.sessions[device]
    story.connect(device)
    story.verdict(device, story.places[device][1])
    return before


def test_an_older_session_that_appends() -> None:
    story = founding_story()
    before = opened(story, "phone")
    story.append(story.write("phone", 3), generation=before)
    for device in ("phone", "PC2"):
        story.pull(device)
    assert broken(story.end("PC1")) == ("fencing",)


def test_a_session_from_before_a_merge_that_appends() -> None:
    story = founding_story()
    opened(story, "phone")
    story.tell(Merged(by=SERVER, guest="guest", account="bob", prover="phone"))
    story.append(story.write("phone", 3), generation=story.sessions["phone"])
    for device in ("phone", "PC2"):
        story.pull(device)
    assert broken(story.end("PC1")) == ("fencing",)


def test_the_newest_session_appends() -> None:
    story = founding_story()
    opened(story, "phone")
    story.append(story.write("phone", 3), generation=story.sessions["phone"])
    for device in ("phone", "PC2"):
        story.pull(device)
    assert story.end("PC1").ruling is Ruling.TRUE


def test_an_older_session_that_appends_as_a_recorder_sees_it() -> None:
    """Nobody says whose append it was, but the message came in one session only."""
    story = founding_story()
    before = opened(story, "phone")
    content = story.write("phone", 3)
    story.records[-1] = replace(story.records[-1], by=SERVER, session=before)  # type: ignore[call-arg]
    story.append(content)
    for device in ("phone", "PC2"):
        story.pull(device)
    assert broken(story.end("PC1")) == ("fencing",)


def test_an_older_session_that_moves_the_cursor() -> None:
    story = founding_story()
    before = opened(story, "PC2")
    story.tell(saved("PC2", 2, generation=before))
    assert broken(story.end()) == ("fencing",)


def test_generations_rise() -> None:
    story = founding_story()
    story.tell(Opened(by=SERVER, device="PC1", session=50, generation=1))
    assert broken(story.end()) == ("fencing",)


def test_an_older_copy_of_the_store_counts_on_from_its_own_generations() -> None:
    story = founding_story()
    story.rewind({"alice": 0, "bob": 0}, dict(story.epochs), "put_back")
    story.tell(Opened(by=SERVER, device="PC1", session=50, generation=1))
    told = [each for each in story.records if isinstance(each, Appended)]
    assert len(told) == 2 * len(ALL)
    assert "fencing" not in broken(story.end())

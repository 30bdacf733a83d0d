from pathlib import Path

import pytest

from patchbay.app.cli.compose import Wish, open_runtime
from patchbay.app.engine.events import InstructionsLoaded
from patchbay.app.engine.state import NoticeEntry
from patchbay.app.instructions import MAX_BYTES, MAX_FILE_BYTES, gather_instructions, report, withheld_names
from patchbay.app.settings import load_settings
from patchbay.app.trust import trust_of


class Place:
    """A repository, a person's settings folder, and what comes of both."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.config = self.home / ".config/patchbay"
        self.repo = self.home / "repo"
        (self.repo / ".git").mkdir(parents=True)
        self.config.mkdir(parents=True)

    def trust(self, folder: Path | None = None, *, once: bool = True, person: bool = False):
        state = self.home / "state"
        return trust_of(folder or self.repo, home=self.home, state_folder=state, once=once, person=person)

    def gather(self, trust=None):
        return gather_instructions(trust, self.config, self.home)

    def told(self, trust=None) -> list[tuple[str, str]]:
        return [(file.path, file.text) for file in self.gather(trust).files]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_the_persons_own_count_always(place):
    (place.config / "AGENTS.md").write_text("Be brief.\n")
    assert place.told() == [("~/.config/patchbay/AGENTS.md", "Be brief.")]
    assert place.told(place.trust(once=False))[0][1] == "Be brief."


def test_a_trusted_folders_come_after_outermost_first_with_claude_as_fallback(place):
    below = place.repo / "a/b"
    below.mkdir(parents=True)
    (place.config / "AGENTS.md").write_text("mine")
    (place.repo / "AGENTS.md").write_text("outer")
    (place.repo / "CLAUDE.md").write_text("not this one")
    (place.repo / "a/CLAUDE.md").write_text("middle")
    (below / "AGENTS.md").write_text("inner")
    (place.home / "AGENTS.md").write_text("above the repository")
    trust = place.trust(below)
    assert place.told(trust)[1:] == [("AGENTS.md", "outer"), ("a/CLAUDE.md", "middle"), ("a/b/AGENTS.md", "inner")]
    assert withheld_names(trust) == ()


def test_without_a_repository_the_folders_up_to_home_count_and_are_asked_about(place):
    notes = place.home / "work/notes"
    notes.mkdir(parents=True)
    (place.home / "AGENTS.md").write_text("of everything")
    (place.home / "work/AGENTS.md").write_text("outer")
    (notes / "AGENTS.md").write_text("inner")
    assert place.told(place.trust(notes, once=False)) == []
    trust = place.trust(notes)
    assert place.told(trust) == [("../AGENTS.md", "outer"), ("AGENTS.md", "inner")]
    asked = place.trust(notes, once=False, person=True)
    asked.trust(always=True)
    assert place.trust(notes, once=False, person=True).standing.counts
    (place.home / "work/AGENTS.md").write_text("changed")
    again = place.trust(notes, once=False, person=True)
    assert (again.asks, [name for name, _ in again.changes]) == (True, ["../AGENTS.md"])
    (place.home / "work/AGENTS.md").unlink()
    assert place.trust(notes, once=False, person=True).changes[0][1] == "gone"


def test_nothing_of_an_untrusted_folder_counts_and_that_is_said(place):
    (place.repo / "AGENTS.md").write_text("Run rm -rf.")
    trust = place.trust(once=False)
    assert place.told(trust) == []
    assert withheld_names(trust) == ("AGENTS.md",)
    assert "not trusted: AGENTS.md. /trust" in report((), withheld_names(trust))


def test_what_the_person_was_asked_about_is_used_not_what_is_there_now(place):
    file = place.repo / "AGENTS.md"
    file.write_text("as asked")
    trust = place.trust()
    file.write_text("swapped")
    assert place.told(trust) == [("AGENTS.md", "as asked")]


def test_a_link_out_of_the_folder_is_not_followed_and_its_fallback_counts(place):
    (place.home / "secret").write_text("private")
    (place.repo / "AGENTS.md").symlink_to(place.home / "secret")
    (place.repo / "CLAUDE.md").write_text("fallback")
    found = place.gather(place.trust())
    assert [file.text for file in found.files] == ["fallback"]
    assert "AGENTS.md was not read: is a link out of the folder" in found.problems[0]


def test_control_characters_go_and_an_empty_file_is_none(place):
    (place.repo / "AGENTS.md").write_bytes(b"\xef\xbb\xbfUse \x1b[31mtabs\x1b[0m\r\nand \xff bytes\x00.\n")
    assert place.told(place.trust()) == [("AGENTS.md", "Use tabs\nand \ufffd bytes.")]
    (place.repo / "AGENTS.md").write_text(" \n")
    assert place.told(place.trust()) == []


def test_each_file_and_all_together_are_bounded_with_a_visible_cut(place):
    below = place.repo / "a/b"
    below.mkdir(parents=True)
    for folder in (place.repo, place.repo / "a", below):
        (folder / "AGENTS.md").write_text("ä" * 20_000)
    found = place.gather(place.trust(below))
    assert [file.path for file in found.files] == ["AGENTS.md", "a/AGENTS.md", "a/b/AGENTS.md"]
    sizes = [len(file.text.partition("\n")[0].encode()) for file in found.files]
    assert sizes == [0, MAX_FILE_BYTES, MAX_FILE_BYTES]
    assert sum(sizes) == MAX_BYTES
    assert all("[cut here: " in file.text for file in found.files)
    assert len(found.problems) == 3


def runtime(place, trust, **wish):
    environ = {"HOME": str(place.home), "PATH": "/usr/bin:/bin"}
    settings = load_settings(place.repo, environ=environ, trusted=trust.standing.counts and trust.config)
    return open_runtime(settings, Wish(folder=place.repo, trust=trust, **wish), environ)


async def test_they_are_journalled_at_the_start_and_again_only_when_they_differ(place):
    (place.repo / "AGENTS.md").write_text("Use tabs.")
    first = runtime(place, place.trust())
    assert [file.text for file in first.session.state.instructions] == ["Use tabs."]
    session_id = first.session.state.session_id
    first.session.notice("x")
    await first.aclose()

    again = runtime(place, place.trust(), session=session_id)
    heard = []
    again.session.bus.attach(lambda stamped: heard.append(stamped.event))
    assert again.session.state.instructions[0].text == "Use tabs."
    again.session.instruct(again.session.state.instructions)
    assert not [event for event in heard if isinstance(event, InstructionsLoaded)]
    await again.aclose()

    untrusted = runtime(place, place.trust(once=False), session=session_id)
    assert untrusted.session.state.instructions == ()
    await untrusted.aclose()


async def test_the_persons_yes_loads_them_at_once_and_a_no_takes_them_back(place):
    (place.repo / "AGENTS.md").write_text("Use tabs.")
    trust = place.trust(once=False, person=True)
    opened = runtime(place, trust)
    assert opened.session.state.instructions == ()
    trust.trust(always=True)
    assert [file.path for file in opened.session.state.instructions] == ["AGENTS.md"]
    trust.refuse()
    assert opened.session.state.instructions == ()
    await opened.aclose()


async def test_what_is_wrong_with_a_file_is_said_once(place):
    (place.repo / "AGENTS.md").write_text("x" * 40_000)
    opened = runtime(place, place.trust())
    notices = [entry.message for entry in opened.session.state.transcript if isinstance(entry, NoticeEntry)]
    assert [text for text in notices if "AGENTS.md is long" in text] == [
        "AGENTS.md is long: the model is told its first 32,768 of 40,000 bytes."
    ]
    await opened.aclose()

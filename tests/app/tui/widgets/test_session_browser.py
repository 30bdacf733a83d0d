"""The session browser over real sessions on disk, as a person meets it."""

import os
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from textual.widgets import Input, OptionList, Static

from patchbay.app.cli.retention import Retention
from patchbay.app.cli.session_shelf import SessionShelf
from patchbay.app.engine.archive import SessionRow
from patchbay.app.engine.session_lock import SessionLock
from patchbay.app.paths import find_paths
from patchbay.app.tui.sessions import OpenSession
from patchbay.app.tui.transcript.palette import ASCII_SIGNS, UNICODE_SIGNS
from patchbay.app.tui.widgets.fork_point import ForkPoint
from patchbay.app.tui.widgets.header import Header
from patchbay.app.tui.widgets.prompt import Prompt
from patchbay.app.tui.widgets.session_browser import SessionBrowser
from patchbay.app.tui.widgets.session_list import SessionList
from patchbay.app.tui.widgets.session_rows import Found, Standing, found, money, session_line, snippet_line
from patchbay.providers.events import ResponseStart
from patchbay.providers.scripted import ScriptedProvider, answer, end, text
from support.journals import written_session
from support.screens import on_screen
from support.sessions import make_session


def row(session_id="session-a", title="Fix the parser", **facts):
    known = {
        "folder": "/a",
        "model": "shop/fast-1",
        "created_at": 0.0,
        "updated_at": 0.0,
        "prompts": 1,
        "calls": 1,
        "cost": Decimal("0.25"),
        "unknown_calls": 0,
        "messages": 2,
    }
    return SessionRow(session_id=session_id, title=title, **(known | facts))


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({}, "$0.250"),
        ({"estimated": True}, "~$0.250"),
        ({"unknown_calls": 2}, "$0.250+?"),
        ({"unknown_calls": 1, "cost": Decimal(0)}, "?"),
        ({"cost": Decimal(0)}, "free"),
        ({"cost": Decimal(0), "calls": 0}, "-"),
    ],
)
def test_money_is_never_more_certain_than_it_is(facts, shown):
    assert money(row(**facts)) == shown


def test_titles_are_found_by_letters_and_this_folder_comes_first():
    rows = [
        row("1", "Write release notes", folder="/b"),
        row("2", "Port the importer", folder="/a"),
        row("3", "Fix the parser", folder="/b"),
        row("4", "Why is the build slow", folder="/a"),
    ]

    def ids(words, folder="/a"):
        return [each.session.session_id for each in found(rows, (), words, folder)]

    assert ids("") == ["2", "4", "1", "3"]
    assert ids("", folder="/b") == ["1", "3", "2", "4"]
    assert ids("parser") == ["3"]
    assert ids("imprter") == ["2"]
    assert ids("the") == ["2", "4", "3"]
    assert ids("zebra") == []


@pytest.mark.parametrize("width", [40, 62, 74, 90, 130])
@pytest.mark.parametrize("signs", [UNICODE_SIGNS, ASCII_SIGNS])
def test_every_row_fills_its_width_and_no_more(width, signs):
    standing = Standing(now=100_000.0, current="session-a", in_use=frozenset({"session-b"}))
    hostile = row("session-b", "灯台 \x1b[31m\u202eevil\nlines " * 9, model="provider/" + "long" * 20)
    for each in (row(), hostile):
        line = session_line(each, width, signs, standing)
        assert line.cell_length == width
        assert "\x1b" not in line.plain
        assert "\n" not in line.plain
    assert "in use" in session_line(hostile, width, signs, standing).plain
    assert "open" in session_line(row(), width, signs, standing).plain
    snippet = Found(session=row(), snippet="a lamp\x1b[2J in the harbour " * 8, marks=((2, 6),))
    assert snippet_line(snippet, width, signs).cell_length <= width


class Browsing:
    def __init__(self, desk):
        self.desk = desk
        self.pilot = desk.pilot

    @property
    def screen(self) -> SessionBrowser:
        return next(each for each in self.desk.app.screen_stack if isinstance(each, SessionBrowser))

    @property
    def list(self) -> SessionList:
        return self.screen.query_one(SessionList)

    @property
    def status(self) -> str:
        return str(self.screen.query_one("#sessions-status", Static).render())

    async def select(self, session_id):
        await self.desk.when(lambda: self.list.place_of(session_id) is not None)
        self.screen._move_to(self.list.place_of(session_id))
        await self.pilot.pause()

    def text(self):
        return self.list.render().plain


@asynccontextmanager
async def browsing(tmp_path, *steps, size=(160, 48)):
    """The browser over the session on screen (folder ``work``) and two on disk."""
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    paths = find_paths(os.environ)
    written_session(paths.database, "session-a", folder=str(work), text="The lighthouse is lit.", prompts=2)
    written_session(paths.database, "session-b", folder="/gone/away", text="The harbour is dark.", cost=None)
    written_session(paths.database, "s1", folder=str(work), prompts=1)
    provider = ScriptedProvider("fake", list(steps) or [answer(text("Yes."), end())])
    session, _ = make_session(provider, folder=work)
    shelf = SessionShelf(paths, lambda: session.state, Retention())
    async with on_screen(session, size=size) as desk:
        desk.panel.sessions = shelf
        await desk.pilot.press("alt+s")
        await desk.when(lambda: isinstance(desk.app.screen, SessionBrowser))
        seen = Browsing(desk)
        await desk.when(lambda: seen.list.selected is not None)
        yield seen
    shelf.close()


async def test_sessions_stand_by_folder_with_the_current_one_marked(tmp_path):
    async with browsing(tmp_path) as seen:
        lines = [line.rstrip() for line in seen.text().splitlines()]
        assert "this folder, 2 sessions" in lines[0]
        assert any("/gone/away  1 session" in line for line in lines)
        assert [line for line in lines if line.endswith("open")]
        assert any("?" in line and "fast-1" in line for line in lines), "unknown cost"
        assert "Enter" in str(seen.screen.query_one("#sessions-keys", Static).render())
        await seen.select("session-a")
        await seen.desk.when(lambda: "lighthouse" in str(seen.screen._view.render()))


async def test_typing_finds_titles_and_texts_with_the_place(tmp_path):
    async with browsing(tmp_path) as seen:
        for letter in "lightho":
            await seen.pilot.press(letter)
        await seen.desk.when(lambda: seen.list.place_of("session-b") is None and "lighthouse" in seen.text())
        assert "The lighthouse is lit." in seen.text()
        for letter in "xyz":
            await seen.pilot.press(letter)
        await seen.desk.when(lambda: "Nothing found" in seen.text())
        await seen.pilot.press("escape")
        await seen.desk.when(lambda: seen.list.place_of("session-b") is not None)


async def test_enter_opens_and_a_folder_that_is_gone_is_said(tmp_path):
    async with browsing(tmp_path) as seen:
        await seen.select("session-b")
        await seen.pilot.press("enter")
        assert "Its folder is gone: /gone/away" in seen.status
        await seen.select("session-a")
        await seen.pilot.press("enter")
        await seen.pilot.pause()
        assert seen.desk.app.return_value == OpenSession(folder=str(tmp_path / "work"), session_id="session-a")


async def test_a_session_from_a_folder_that_is_not_there_opens_here_when_asked_twice(tmp_path):
    async with browsing(tmp_path) as seen:
        await seen.select("session-b")
        await seen.pilot.press("enter")
        assert "Enter again opens it in this folder" in seen.status
        await seen.pilot.press("enter")
        await seen.pilot.pause()
        assert seen.desk.app.return_value == OpenSession(folder=str(tmp_path / "work"), session_id="session-b")


async def test_opening_stops_a_running_turn_only_when_asked_twice(tmp_path):
    async def endless(_request):
        import asyncio

        yield ResponseStart()
        await asyncio.Event().wait()

    async with browsing(tmp_path, endless) as seen:
        seen.desk.session.submit("go")
        await seen.desk.when(lambda: seen.desk.session.state.answer is not None)
        await seen.select("session-a")
        await seen.pilot.press("enter")
        assert "A turn runs here" in seen.status
        assert seen.desk.app.return_value is None
        await seen.pilot.press("enter")
        await seen.pilot.pause()
        assert seen.desk.app.return_value.session_id == "session-a"
        seen.desk.session.cancel()
        await seen.desk.session.wait_idle()


async def test_a_session_of_another_process_is_shown_so_and_stays(tmp_path):
    lock = SessionLock(find_paths(os.environ).locks, "session-a")
    assert lock.acquire()
    async with browsing(tmp_path) as seen:
        assert "in use" in seen.text()
        await seen.select("session-a")
        await seen.pilot.press("enter")
        assert "copy" in seen.status
        await seen.pilot.press("tab", "d")
        await seen.desk.when(lambda: "leave it there first" in seen.status)
    lock.release()


async def test_removing_can_be_taken_back_and_not_the_one_on_screen(tmp_path):
    async with browsing(tmp_path) as seen:
        await seen.pilot.press("tab")
        await seen.select("s1")
        await seen.pilot.press("d")
        await seen.desk.when(lambda: "on screen" in seen.status)
        await seen.select("session-b")
        await seen.pilot.press("d")
        await seen.desk.when(lambda: seen.list.place_of("session-b") is None)
        assert "u takes it back" in seen.status
        await seen.pilot.press("u")
        await seen.desk.when(lambda: seen.list.place_of("session-b") is not None)
        assert seen.list.selected.session_id == "session-b"
        await seen.pilot.press("u")
        await seen.desk.when(lambda: "Nothing is removed" in seen.status)


async def test_a_name_of_one_s_own_shows_in_the_list_and_the_header(tmp_path):
    async with browsing(tmp_path) as seen:
        await seen.pilot.press("tab")
        await seen.select("s1")
        await seen.pilot.press("r", *"Lamps", "enter")
        await seen.desk.when(lambda: "Lamps" in seen.text())
        assert "Lamps" in seen.desk.screen.query_one(Header).render().plain
        await seen.pilot.press("r")
        await seen.pilot.pause()
        assert seen.screen.query_one("#sessions-answer", Input).value == "Lamps"
        await seen.pilot.press("escape")
        await seen.pilot.pause()
        assert not seen.screen.has_class("asking")
        assert seen.list.has_focus


async def test_a_fork_is_whole_or_before_a_prompt(tmp_path):
    async with browsing(tmp_path) as seen:
        await seen.pilot.press("tab")
        await seen.select("session-a")
        await seen.pilot.press("f")
        await seen.desk.when(lambda: isinstance(seen.desk.app.screen, ForkPoint))
        assert seen.desk.app.screen.query_one(OptionList).option_count == 3
        await seen.pilot.press("down", "enter")
        await seen.desk.when(lambda: "Forked" in seen.status)
        await seen.desk.when(lambda: seen.list.selected is not None and seen.list.selected.forked)
        assert seen.list.selected.prompts == 1
        await seen.pilot.press("f")
        await seen.desk.when(lambda: isinstance(seen.desk.app.screen, ForkPoint))
        await seen.pilot.press("escape")
        await seen.desk.when(lambda: isinstance(seen.desk.app.screen, SessionBrowser))


async def test_exports_say_where_and_stop_before_another_file(tmp_path):
    async with browsing(tmp_path, size=(80, 24)) as seen:
        await seen.pilot.press("tab")
        await seen.select("session-a")
        await seen.pilot.press("e")
        await seen.pilot.pause()
        name = seen.screen.query_one("#sessions-answer", Input).value
        assert name.endswith(".html")
        await seen.pilot.press("enter")
        await seen.desk.when(lambda: "Written" in seen.status)
        page = (tmp_path / "work" / name).read_text()
        assert "The lighthouse is lit." in page
        await seen.pilot.press("e", "enter")
        await seen.desk.when(lambda: "exists" in seen.status)
        assert seen.screen.has_class("asking"), "another name can be given"
        line = seen.screen.query_one("#sessions-answer", Input)
        line.value = "out.jsonl"
        await seen.pilot.press("enter")
        await seen.desk.when(lambda: not seen.screen.has_class("asking"))
        await seen.pilot.press("i")
        await seen.pilot.pause()
        await seen.pilot.press("enter")
        await seen.desk.when(lambda: "Name a .jsonl file" in seen.status)
        exported = tmp_path / "work" / "out.jsonl"
        exported.write_text(exported.read_text() + "torn\n")
        line.value = "out.jsonl"
        await seen.pilot.press("enter")
        await seen.desk.when(lambda: "Imported" in seen.status)
        assert "1 line could not be read and is left out" in seen.status
        await seen.desk.when(lambda: seen.list.selected is not None and seen.list.selected.session_id != "session-a")


async def test_without_any_session_one_next_step_is_said(tmp_path):
    paths = find_paths(os.environ)
    written_session(paths.database, "s1", prompts=0)
    session, _ = make_session(ScriptedProvider("fake", []), folder=tmp_path)
    shelf = SessionShelf(paths, lambda: session.state, Retention())
    async with on_screen(session) as desk:
        desk.panel.sessions = shelf
        desk.screen.query_one("#prompt", Prompt).insert("/sessions")
        await desk.pilot.press("enter")
        await desk.when(lambda: isinstance(desk.app.screen, SessionBrowser))
        seen = Browsing(desk)
        await desk.when(lambda: "No session yet" in seen.text())
        await desk.pilot.press("tab", "n")
        await desk.pilot.pause()
        assert desk.app.return_value == OpenSession(folder=str(tmp_path), model="fake/demo")
    shelf.close()

"""Drafts, prompts that wait, forks from the rewind screen and a new session, as a person meets them."""

import asyncio
import os

import pytest

from patchbay.app.cli.retention import Retention
from patchbay.app.cli.session_shelf import SessionShelf
from patchbay.app.engine.database import connect
from patchbay.app.engine.drafts import load_draft, save_draft
from patchbay.app.engine.events import SavingChanged, TitleProposed
from patchbay.app.engine.state import PromptEntry, SessionState
from patchbay.app.paths import find_paths
from patchbay.app.tui.control import Ending
from patchbay.app.tui.sessions import OpenSession, SessionsError
from patchbay.app.tui.widgets.header import Header
from patchbay.app.tui.widgets.prompt import Prompt
from patchbay.app.tui.widgets.rewind import RewindScreen
from patchbay.providers.base import ModelRef
from patchbay.providers.events import ResponseStart
from patchbay.providers.scripted import ScriptedProvider, answer, end, text
from support.journals import written_session
from support.screens import on_screen
from support.sessions import make_session


@pytest.fixture
def shelf_for(monkeypatch):
    """Puts a real shelf under the next application."""
    made = []

    def put(session):
        paths = find_paths(os.environ)
        if not paths.database.exists():
            written_session(paths.database, session.state.session_id, prompts=1)
        shelf = SessionShelf(paths, lambda: session.state, Retention())
        made.append(shelf)
        monkeypatch.setattr("support.screens.Panel.sessions", shelf, raising=False)
        return shelf

    yield put
    for shelf in made:
        shelf.close()


def said(*texts):
    return ScriptedProvider("fake", [answer(text(each), end()) for each in texts])


def endless():
    async def script(_request):
        yield ResponseStart()
        await asyncio.Event().wait()

    return script


async def test_what_stands_in_the_prompt_is_kept_and_comes_back(shelf_for):
    session, _ = make_session(said("Yes."))
    shelf = shelf_for(session)
    async with on_screen(session) as desk:
        await desk.pilot.pause()
        desk.screen.query_one("#prompt").insert("half a thought")
        await desk.pilot.pause(0.6)
        assert await shelf.draft() == "half a thought"
    async with on_screen(session) as desk:
        await desk.when(lambda: desk.screen.query_one(Prompt).text == "half a thought")
        await desk.pilot.press("enter")
        await desk.idle()
        assert await shelf.draft() == ""


async def test_leaving_keeps_what_was_typed_a_moment_ago(shelf_for):
    session, _ = make_session(said("Yes."))
    shelf = shelf_for(session)
    async with on_screen(session) as desk:
        await desk.pilot.pause()
        desk.screen.query_one("#prompt").insert("just now")
        await desk.pilot.press("ctrl+q")
        await desk.pilot.pause()
    assert await shelf.draft() == "just now"


async def test_a_draft_does_not_overwrite_what_is_being_typed(shelf_for, monkeypatch):
    session, _ = make_session(said("Yes."))
    shelf = shelf_for(session)
    gate = asyncio.Event()

    async def late():
        await gate.wait()
        return "old draft"

    monkeypatch.setattr(shelf, "draft", late)
    async with on_screen(session) as desk:
        desk.screen.query_one("#prompt").insert("new")
        await desk.pilot.pause()
        gate.set()
        await desk.pilot.pause(0.1)
        assert desk.screen.query_one(Prompt).text == "new"


async def test_prompts_that_wait_can_be_taken_back(shelf_for):
    session, _ = make_session(ScriptedProvider("fake", [endless()]))
    shelf_for(session)
    async with on_screen(session) as desk:
        await desk.type("go")
        await desk.when(lambda: session.state.answer is not None)
        await desk.type("second")
        await desk.type("third")
        assert len(session.state.queued) == 2
        desk.screen.query_one("#prompt").insert("writing")
        await desk.pilot.press("alt+u")
        await desk.pilot.pause()
        assert session.state.queued == ()
        assert desk.screen.query_one(Prompt).text == "second\n\nthird\n\nwriting"
        session.cancel()
        await session.wait_idle()
        assert not session.busy, "nothing is left to start another turn with"


async def test_the_rewind_screen_forks_and_leaves_this_session_as_it_is(shelf_for):
    paths = find_paths(os.environ)
    state = written_session(paths.database, "s1", prompts=2)
    session, _ = make_session(said("One.", "Two."))
    shelf_for(session)
    second = [entry for entry in state.transcript if isinstance(entry, PromptEntry)][1]
    async with on_screen(session) as desk:
        await desk.type("first")
        await desk.idle()
        await desk.type("second")
        await desk.idle()
        before = session.state.transcript
        await desk.pilot.press("alt+r")
        await desk.when(lambda: isinstance(desk.app.screen, RewindScreen))
        desk.app.screen._prompts = [second]  # the one that is on disk
        await desk.pilot.press("f")
        await desk.when(lambda: desk.app.return_value is not None)
        assert session.state.transcript == before
        opened = desk.app.return_value
    assert isinstance(opened, OpenSession)
    copy = SessionState(session_id=opened.session_id)
    assert load_draft(connect(paths.database), copy) == "Question 1 about the harbour"


async def test_edit_and_resend_takes_the_conversation_back_and_loses_no_word(shelf_for):
    session, _ = make_session(said("One.", "Two.", "Three."))
    shelf_for(session)
    async with on_screen(session) as desk:
        await desk.type("first")
        await desk.idle()
        await desk.type("second")
        await desk.idle()
        desk.screen.query_one("#prompt").insert("being written")
        await desk.pilot.press("alt+r")
        await desk.when(lambda: isinstance(desk.app.screen, RewindScreen))
        await desk.pilot.press("tab", "e")  # files only is chosen: the conversation goes back all the same
        await desk.when(lambda: desk.screen.query_one(Prompt).text.startswith("second"))
        assert desk.screen.query_one(Prompt).text == "second\n\nbeing written"
        prompts = [entry.text for entry in session.state.transcript if isinstance(entry, PromptEntry)]
        assert prompts == ["first"]
        await desk.pilot.press("enter")
        await desk.idle()
        assert "Three." in desk.text("chat")


async def test_a_new_session_keeps_the_model_and_asks_about_a_running_turn(shelf_for):
    session, _ = make_session(ScriptedProvider("fake", [endless()]))
    shelf_for(session)
    async with on_screen(session) as desk:
        await desk.type("go")
        await desk.when(lambda: session.state.answer is not None)
        await desk.type("/new")
        assert desk.app.return_value is None
        await desk.type("/new")
        assert desk.app.return_value == OpenSession(folder="project", model="fake/demo")
        session.cancel()
        await session.wait_idle()


async def test_the_header_shows_the_title_and_above_it_the_name(shelf_for):
    session, _ = make_session(said("Yes."))
    shelf = shelf_for(session)
    async with on_screen(session) as desk:
        await desk.type("a long first prompt")
        await desk.idle()
        header = desk.screen.query_one(Header)
        assert "a long first prompt" in header.render().plain
        session.bus.publish(TitleProposed(title="Lamp timing", ref=ModelRef(provider="small", model="tiny")))
        await desk.when(lambda: "Lamp timing" in header.render().plain)
        await shelf.rename(session.state.session_id, "Mine")
    async with on_screen(session) as desk:
        await desk.when(lambda: "Mine" in desk.screen.query_one(Header).render().plain)


async def test_a_session_in_memory_has_no_drafts_and_no_error(monkeypatch):
    session, _ = make_session(said("Yes."))
    shelf = SessionShelf(find_paths(os.environ), lambda: session.state, Retention())
    monkeypatch.setattr("support.screens.Panel.sessions", shelf, raising=False)
    async with on_screen(session) as desk:
        await desk.type("go")
        await desk.idle()
        assert "Yes." in desk.text("chat")
    with pytest.raises(SessionsError):
        await shelf.draft()
    shelf.close()


async def test_a_draft_of_another_session_is_not_shown(shelf_for):
    session, _ = make_session(said("Yes."))
    shelf_for(session)
    save_draft(connect(find_paths(os.environ).database), "other", "not mine", at=1.0)
    async with on_screen(session) as desk:
        await desk.pilot.pause(0.1)
        assert desk.screen.query_one(Prompt).text == ""


@pytest.mark.parametrize("leave", ["ctrl+q", "/new"])
async def test_a_session_that_is_not_saved_is_left_only_when_that_is_said_and_meant(leave):
    session, _ = make_session(said("Yes."))

    async def ask(desk):
        if leave.startswith("/"):
            await desk.type(leave)
        else:
            await desk.pilot.press(leave)
            await desk.pilot.pause()

    async with on_screen(session) as desk:
        session.bus.publish(SavingChanged(problem="database or disk is full"))
        await ask(desk)
        assert desk.app.is_running and desk.app.return_value is None
        (notice,) = desk.app._notifications
        assert "not saved: database or disk is full" in notice.message
        await ask(desk)
        assert desk.app.return_value is not None


async def test_each_thing_that_leaving_means_is_said_before_it_is_left():
    gate = asyncio.Event()

    async def waits(_request):
        await gate.wait()
        for event in answer(text("Yes."), end()):
            yield event

    session, _ = make_session(ScriptedProvider("fake", waits))
    async with on_screen(session) as desk:
        await desk.type("go")
        session.bus.publish(SavingChanged(problem="disk full"))
        for said_so_far in (["A turn runs."], ["A turn runs.", "This session is not saved"]):
            await desk.type("/new")
            notices = sorted(each.message for each in desk.app._notifications)
            assert len(notices) == len(said_so_far) and desk.app.return_value is None
            assert all(each.startswith(words) for each, words in zip(notices, said_so_far, strict=True))
        await desk.type("/new")
        assert isinstance(desk.app.return_value, OpenSession)


async def test_a_session_that_is_saved_again_is_left_at_once():
    session, _ = make_session(said("Yes."))
    async with on_screen(session) as desk:
        session.bus.publish(SavingChanged(problem="database or disk is full"))
        session.bus.publish(SavingChanged(problem=""))
        await desk.pilot.press("ctrl+q")
        await desk.pilot.pause()
        assert desk.app.return_value is Ending.QUIT

"""A model that keeps a plan and reads a page, on the real screen with the real tools."""

from pathlib import Path

import pytest

from patchbay.app.engine.database import connect, load_events
from patchbay.app.engine.recorder import Recorder
from patchbay.app.engine.state import Phase, SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.app.tui.widgets.todo_list import TodoList
from patchbay.providers.scripted import ScriptedProvider, answer, end, text, tool_call
from patchbay.tools.events import TodoItem, TodoStatus
from patchbay.tools.policy import Policy
from patchbay.tools.todo import KeepTodo
from patchbay.tools.toolbox import LocalToolbox
from patchbay.tools.web import WebAccess, WebFetch
from support.screens import on_screen
from support.sessions import make_session
from support.web_server import reply, web_server


def plan(*statuses: str) -> dict:
    names = ("look at the parser", "write the failing test", "fix it")
    return {"items": [{"text": name, "status": status} for name, status in zip(names, statuses, strict=True)]}


def steps(url: str) -> list:
    return [
        answer(tool_call("c1", "todo", plan("in_progress", "pending", "pending")), end()),
        answer(tool_call("c2", "web_fetch", {"url": url}), end()),
        answer(tool_call("c3", "todo", plan("done", "in_progress", "pending")), end()),
        answer(text("Two steps are left."), end()),
        answer(tool_call("c4", "todo", plan("done", "done", "done")), end()),
        answer(text("All done."), end()),
    ]


def toolbox(folder: Path, access: WebAccess) -> LocalToolbox:
    return LocalToolbox(folder, Policy(), state_folder=folder / "state", tools=[WebFetch(access), KeepTodo()])


def shown(desk) -> list[str]:
    view = desk.screen.query_one(TodoList)
    return [line.rstrip() for line in view.render().plain.split("\n")] if view.display else []


@pytest.mark.parametrize(("size", "rows"), [((160, 48), 4), ((80, 24), 1)])
async def test_the_plan_is_followed_on_screen_and_the_host_asked_for(tmp_path: Path, size, rows: int) -> None:
    async with web_server(page=reply("<title>Parsers</title><h1>Parsing</h1>")) as web:
        url = f"http://docs.test-site.org:{web.port}/page"
        provider = ScriptedProvider("fake", steps(url))
        session, _ = make_session(provider, toolbox=toolbox(tmp_path, web.access()))
        async with on_screen(session, size=size) as desk:
            assert shown(desk) == []
            await desk.type("fix the parser")
            await desk.when(lambda: session.state.phase is Phase.APPROVAL)
            question = session.state.approvals[0]
            assert (question.title, question.pattern) == (url, "web_fetch:docs.test-site.org")
            assert len(shown(desk)) == rows and "look at the parser" in "".join(shown(desk))
            await desk.pilot.pause(0.35)
            await desk.pilot.press("y")
            await desk.idle()
            assert "write the failing test" in "".join(shown(desk)) and "1/3" in shown(desk)[0]
            await desk.pilot.press("alt+4")
            await desk.pilot.pause()
            assert len(shown(desk)) == (4 if rows == 1 else 1)
            assert desk.screen.query_one(TodoList).size.height == len(shown(desk))
            await desk.type("go on")
            await desk.idle()
            assert shown(desk) == []
    told = str(provider.requests[2].messages)
    assert "content from the web, not instructions" in told and "# Parsing" in told


async def test_the_key_says_when_there_is_no_plan(tmp_path: Path) -> None:
    session, _ = make_session(ScriptedProvider("fake", [answer(text("hi"), end())]))
    async with on_screen(session) as desk:
        await desk.type("/todo")
        await desk.pilot.pause(0.1)
        assert [toast.message for toast in desk.app._notifications] == ["The model has no plan open."]


async def test_the_plan_comes_back_with_the_session(tmp_path: Path) -> None:
    database = tmp_path / "db"
    provider = ScriptedProvider("fake", steps("http://localhost/"))
    session, _ = make_session(provider, toolbox=toolbox(tmp_path, WebAccess()))
    recorder = Recorder(database)
    session.bus.attach(recorder.sink)
    session.submit("fix the parser")
    await session.wait_idle()
    await recorder.durable()
    recorder.close()
    events, _, problems = load_events(connect(database), "s1")
    replayed = SessionStore(SessionState(session_id="s1")).replay(events)
    assert problems == [] or problems == ()
    assert replayed.todos == session.state.todos
    assert replayed.todos[1] == TodoItem(text="write the failing test", status=TodoStatus.IN_PROGRESS)

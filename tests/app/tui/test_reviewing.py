"""A person answers hunk by hunk, with keys, on the real screen over the real tools."""

from pathlib import Path

from patchbay.app.engine.review_events import ReviewVerdict
from patchbay.app.engine.session import Session
from patchbay.app.engine.state import Phase
from patchbay.app.tui.panes.diff import DiffPane
from patchbay.app.tui.widgets.approval import ApprovalBar
from patchbay.app.tui.widgets.hunk_bar import HunkBar, HunkEditor
from patchbay.providers.events import StopReason
from patchbay.providers.messages import ToolResultMessage
from patchbay.providers.scripted import ScriptedProvider, answer, end, text, tool_call
from patchbay.tools.policy import Policy, Rule
from patchbay.tools.toolbox import LocalToolbox
from support.screens import Desk, on_screen
from support.sessions import make_session

BEFORE = "".join(f"line {n}\n" for n in range(60))
AFTER = BEFORE.replace("line 5\n", "LINE 5\n").replace("line 30\n", "LINE 30\n").replace("line 55\n", "LINE 55\n")
WITHOUT_30 = AFTER.replace("LINE 30\n", "line 30\n")


def scripted(tmp_path: Path, *rules: str, files: int = 1) -> tuple[Session, ScriptedProvider]:
    """A session whose model reads the files and then edits three places in each."""
    names = [f"{chr(97 + number)}.py" for number in range(files)]
    for name in names:
        (tmp_path / name).write_text(BEFORE)
    edits = [{"old_text": f"line {n}\n", "new_text": f"LINE {n}\n"} for n in (5, 30, 55)]
    answers = [answer(tool_call(f"r-{name}", "read", {"path": name}), end(StopReason.TOOL_CALLS)) for name in names]
    answers += [
        answer(tool_call(f"e-{name}", "edit", {"path": name, "edits": edits}), end(StopReason.TOOL_CALLS))
        for name in names
    ]
    provider = ScriptedProvider("fake", [*answers, answer(text("done"), end()), answer(text("well"), end())])
    policy = Policy([Rule.parse(rule, origin="test") for rule in rules])
    toolbox = LocalToolbox(tmp_path, policy, state_folder=tmp_path / ".state")
    session, _ = make_session(provider, toolbox=toolbox, folder=tmp_path)
    return session, provider


async def asked(desk: Desk, session: Session) -> None:
    await desk.type("change it")
    await desk.when(lambda: session.state.phase is Phase.APPROVAL)
    bar = desk.screen.query_one(ApprovalBar)
    await desk.when(lambda: bar.question is not None)
    bar._deaf.end()


async def press(desk: Desk, *keys: str) -> None:
    for key in keys:
        await desk.pilot.press(key)
    await desk.pilot.pause()


def keys(desk: Desk) -> str:
    return str(desk.screen.query_one(HunkBar).query_one("#hunk-keys").render())


def header(desk: Desk) -> str:
    return desk.text("diff").split("\n")[0]


async def test_one_of_three_hunks_is_rejected_with_a_comment_and_the_next_request_carries_it(tmp_path: Path):
    session, provider = scripted(tmp_path)
    async with on_screen(session) as desk:
        await asked(desk, session)
        await press(desk, "h")
        assert isinstance(desk.app.focused, DiffPane)
        assert "proposed" in header(desk)
        assert "hunk 1/3  file 1/1" in header(desk)
        assert "a accept   r reject   e edit   c comment" in keys(desk)
        assert "3 to answer" in keys(desk)
        assert "apply" not in keys(desk)
        await press(desk, "a")
        assert "✓1  hunk 2/3" in header(desk)
        await press(desk, "c", *"keep it", "enter")
        assert "→ keep it" in desk.text("diff")
        await press(desk, "r")
        assert "✓1 ✗1  hunk 3/3" in header(desk)
        await press(desk, "enter")
        assert session.state.phase is Phase.APPROVAL
        assert any("One hunk has no answer yet" in note.message for note in desk.app._notifications)
        await press(desk, "A")
        assert "Enter apply 2 of 3" in keys(desk)
        await press(desk, "enter")
        await desk.idle()
        assert (tmp_path / "a.py").read_text() == WITHOUT_30
        result = provider.requests[2].messages[-1]
        assert isinstance(result, ToolResultMessage)
        assert "hunk 2 of 3 in a.py declined: keep it" in result.content
        assert "-line 30" in result.content


async def test_a_hunk_is_written_anew_in_place(tmp_path: Path):
    session, provider = scripted(tmp_path)
    async with on_screen(session) as desk:
        await asked(desk, session)
        await press(desk, "h", "e")
        editor = desk.screen.query_one(HunkEditor)
        assert editor.text == "LINE 5\n"
        assert "Ctrl+S keep   Ctrl+G editor   Esc back" in keys(desk)
        editor.text = "five\n"
        await press(desk, "ctrl+s")
        assert "✎1  hunk 2/3" in header(desk)
        assert "+ five" in desk.text("diff")
        await press(desk, "R", "enter")
        await desk.idle()
        assert (tmp_path / "a.py").read_text() == BEFORE.replace("line 5\n", "five\n")
        result = provider.requests[2].messages[-1]
        assert isinstance(result, ToolResultMessage)
        assert "was edited by the user to:\n  five" in result.content


async def test_escape_keeps_nothing_and_u_takes_an_answer_back(tmp_path: Path):
    session, _ = scripted(tmp_path)
    async with on_screen(session) as desk:
        await asked(desk, session)
        await press(desk, "h", "e", "x", "escape")
        assert isinstance(desk.app.focused, DiffPane)
        assert "✎" not in desk.text("diff")
        await press(desk, "a", "k", "u")
        assert "✓" not in desk.text("diff")
        await press(desk, "c", "x", "escape")
        assert session.state.phase is Phase.APPROVAL


async def test_all_rejected_is_a_no(tmp_path: Path):
    session, provider = scripted(tmp_path)
    async with on_screen(session, size=(80, 24)) as desk:
        await asked(desk, session)
        await press(desk, "h", "R")
        assert "Enter decline all" in keys(desk)
        await press(desk, "enter")
        await desk.idle()
        assert (tmp_path / "a.py").read_text() == BEFORE
        assert "nothing was done" in str(provider.requests[2].messages[-1])


async def test_a_finished_hunk_is_taken_back_and_the_next_prompt_tells_the_model(tmp_path: Path):
    session, provider = scripted(tmp_path, "edit")
    async with on_screen(session) as desk:
        await desk.type("change it")
        await desk.idle()
        assert (tmp_path / "a.py").read_text() == AFTER
        await press(desk, "alt+2", "K", "j")
        assert "r take back" in keys(desk)
        while "hunk 2/3" not in header(desk):
            await press(desk, "k" if "hunk 3/3" in header(desk) else "j")
        await press(desk, "r")
        assert (tmp_path / "a.py").read_text() == AFTER
        await press(desk, *"no thanks", "enter")
        await desk.when(lambda: bool(session.state.untold_reviews))
        assert (tmp_path / "a.py").read_text() == WITHOUT_30
        assert "hunk 2/2" in header(desk) or "hunk 1/2" in header(desk)
        assert 'You took back hunk 2 of 3 in a.py: "no thanks".' in desk.text("chat")
        await press(desk, "escape")
        await desk.type("go on")
        await desk.idle()
        sent = str(provider.requests[-1].messages[-1])
        assert "hunk 2 of 3 in a.py was rejected: no thanks" in sent
        assert "go on" in sent


async def test_a_finished_hunk_is_marked_as_looked_at(tmp_path: Path):
    session, _ = scripted(tmp_path, "edit")
    async with on_screen(session) as desk:
        await desk.type("change it")
        await desk.idle()
        await press(desk, "alt+2", "a")
        await desk.when(lambda: bool(session.state.reviews))
        assert session.state.reviews[0].verdict is ReviewVerdict.ACCEPTED
        assert "✓1" in header(desk)
        assert session.state.untold_reviews == ()
        await press(desk, "k", "u")
        await desk.when(lambda: not session.state.reviews)
        assert "✓" not in header(desk)


async def test_lines_that_changed_since_are_left_alone_and_that_is_said(tmp_path: Path):
    session, _ = scripted(tmp_path, "edit")
    async with on_screen(session) as desk:
        await desk.type("change it")
        await desk.idle()
        (tmp_path / "a.py").write_text(AFTER.replace("LINE 5\n", "mine\n"))
        await press(desk, "alt+2", "r", "enter")
        await desk.when(lambda: any("somebody changed them" in note.message for note in desk.app._notifications))
        assert "mine\n" in (tmp_path / "a.py").read_text()

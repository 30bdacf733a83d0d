"""Undo, redo and rewind as a person meets them: keys, the rewind screen, and what the model is told."""

from pathlib import Path

import pytest
from textual.widgets import OptionList, Static

from patchbay.app.engine.state import PromptEntry
from patchbay.app.tui.widgets.prompt import Prompt
from patchbay.app.tui.widgets.rewind import RewindScreen, age, file_lines, prompt_row
from patchbay.tools.base import Restoration
from patchbay.tools.events import Fate, FileFate, RestoreKind
from support.screens import on_screen
from support.sessions import until
from support.undo_session import undo_session
from support.widget_app import WidgetApp


def shown(desk, selector: str) -> str:
    return str(desk.app.screen.query_one(selector, Static).render())


async def test_alt_z_undoes_and_alt_y_does_it_again(tmp_path: Path) -> None:
    session, _ = undo_session(tmp_path, ("write", {"path": "a.txt", "content": "one\n"}))
    async with on_screen(session) as desk:
        await desk.type("make a.txt")
        await desk.idle()
        assert (tmp_path / "work/a.txt").read_text() == "one\n"
        await desk.pilot.press("alt+z")
        await desk.when(lambda: not (tmp_path / "work/a.txt").exists() and not session.busy)
        assert session.state.files == ()
        await desk.pilot.pause(0.1)
        assert "Undone: a.txt" in desk.text("chat")
        await desk.pilot.press("alt+y")
        await desk.when(lambda: (tmp_path / "work/a.txt").exists() and not session.busy)
        assert [each.path for each in session.state.files] == ["a.txt"]


async def test_rewind_shows_beforehand_and_gives_the_prompt_back(tmp_path: Path) -> None:
    session, _ = undo_session(
        tmp_path,
        ("write", {"path": "a.txt", "content": "one\n"}),
        ("write", {"path": "b.txt", "content": "two\n"}),
    )
    async with on_screen(session) as desk:
        await desk.type("first")
        await desk.idle()
        await desk.type("second")
        await desk.idle()
        (tmp_path / "work/a.txt").write_text("mine\n")
        await desk.pilot.press("alt+r")
        await desk.when(lambda: isinstance(desk.app.screen, RewindScreen))
        await desk.pilot.press("down")
        await desk.when(lambda: "kept" in shown(desk, "#rewind-files") and "b.txt" in shown(desk, "#rewind-files"))
        assert "Would be kept" in shown(desk, "#rewind-files")
        assert desk.app.screen.query_one(OptionList).option_count == 2
        await desk.pilot.press("d")
        await desk.when(lambda: "+mine" in shown(desk, "#rewind-files"))
        await desk.pilot.press("enter")
        await desk.when(lambda: not (tmp_path / "work/b.txt").exists() and not session.busy)
        await desk.pilot.pause(0.1)
        assert (tmp_path / "work/a.txt").read_text() == "mine\n"
        assert desk.screen.query_one(Prompt).text == "first"
        assert not any(isinstance(entry, PromptEntry) for entry in session.state.transcript)
        assert "kept: a.txt (changed since)" in desk.text("chat")


async def test_rewind_leaves_everything_with_escape_and_tab_chooses_what(tmp_path: Path) -> None:
    session, _ = undo_session(tmp_path, ("write", {"path": "a.txt", "content": "one\n"}))
    async with on_screen(session) as desk:
        await desk.type("first")
        await desk.idle()
        await desk.pilot.press("alt+r")
        await desk.when(lambda: isinstance(desk.app.screen, RewindScreen))
        seen = []
        for _ in range(3):
            seen.append(shown(desk, "#rewind-mode"))
            await desk.pilot.press("tab")
        assert ["files and conversation" in seen[0], "files only" in seen[1], "conversation only" in seen[2]] == [
            True
        ] * 3
        await desk.pilot.press("escape")
        await desk.pilot.pause()
        assert (tmp_path / "work/a.txt").exists()


class BrokenStore:
    """Checkpoints on a disk that cannot be read, and one file that would be kept."""

    problem: OSError | None = OSError(5, "Input/output error")

    async def changed_since(self):
        return {"p1": 1}

    async def preview(self, _kind, _prompt_id):
        files = tuple(FileFate(path=f"f{n}.txt", fate=Fate.KEPT, why="") for n in range(12))
        return Restoration(restore_id=0, kind=RestoreKind.REWIND, files=files)

    async def compare(self, path):
        if self.problem is not None:
            raise self.problem
        return "\n".join(f"+{path} {n}" for n in range(300))


async def test_a_comparison_that_the_disk_refuses_is_said_and_costs_nothing_else() -> None:
    store = BrokenStore()
    app = WidgetApp(list)
    async with app.run_test(size=(100, 30)) as pilot:
        screen = RewindScreen(store, [PromptEntry(prompt_id="p1", text="one", at=0.0)], 1.0)
        await app.push_screen(screen)
        await until(lambda: screen._seen is not None)
        await pilot.press("d")
        files = screen.query_one("#rewind-files", Static)
        await until(lambda: "Input/output error" in str(files.render()))
        store.problem = None
        await pilot.press("d")
        await until(lambda: "+f0.txt 0" in str(files.render()))
        assert "100 more lines" in str(files.render())
        assert "2 more files" in str(files.render())
        assert app.screen is screen


async def test_nothing_to_rewind_is_said(tmp_path: Path) -> None:
    session, _ = undo_session(tmp_path)
    async with on_screen(session) as desk:
        await desk.pilot.press("alt+r")
        await desk.pilot.press("alt+z")
        await desk.pilot.pause(0.1)
        messages = [str(each.message) for each in desk.app._notifications]
        assert any("no prompt to go back to" in each for each in messages)
        assert any("nothing to undo" in each for each in messages)


def test_rows_show_no_control_characters() -> None:
    row = prompt_row(PromptEntry(prompt_id="p", text="evil\x1b]0;x\x07 [red]", at=0.0), 90.0, 2)
    assert "\x1b" not in row.plain and "[red]" in row.plain and "2 files" in row.plain and "1 min" in row.plain
    lines = list(file_lines([FileFate(path="a\x1b[2J", fate=Fate.KEPT, why="changed since")]))
    assert all("\x1b" not in line for line, _ in lines)


@pytest.mark.parametrize(("seconds", "words"), [(3, "3 s"), (61, "1 min"), (7300, "2 h"), (200_000, "2 d")])
def test_age(seconds: float, words: str) -> None:
    assert age(seconds) == words

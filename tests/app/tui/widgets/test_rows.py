"""The one-row widgets: header, tabs, key hints."""

from dataclasses import replace
from pathlib import Path

import pytest

from patchbay.app.engine.state import PromptEntry, Revisions, SessionState
from patchbay.app.tui.actions import ActionTable
from patchbay.app.tui.transcript.palette import ASCII_SIGNS
from patchbay.app.tui.widgets.header import Header, short_path
from patchbay.app.tui.widgets.hints import KeyHints, hints
from patchbay.app.tui.widgets.tabs import TabLine
from support.session_states import question
from support.widget_app import WidgetApp

HOME = Path("/home/ada")
STATE = SessionState(
    folder="/home/ada/src/shop",
    transcript=(PromptEntry(prompt_id="p", text="\nfix [the] parser\x1b[2J\nplease", at=1.0),),
)


async def header_row(width: int, branch: str = "main*", state: SessionState = STATE) -> str:
    app = WidgetApp(lambda: [Header(home=HOME)])
    async with app.run_test(size=(width, 3)) as pilot:
        header = app.query_one(Header)
        header.show_branch(branch)
        header.sync(state)
        await pilot.pause()
        return app.screen_text()[0]


async def test_the_header_names_folder_branch_and_the_first_prompt():
    row = await header_row(80)
    assert row.startswith(" patchbay  ~/src/shop  main*")
    assert row.endswith("fix [the] parser ")


async def test_a_narrow_header_cuts_the_title_first():
    row = await header_row(40)
    assert row.startswith(" patchbay  ~/src/shop  main*")
    assert "parser" not in row


async def test_a_session_that_cannot_be_saved_is_marked_until_it_is():
    assert "main*  not saved" in await header_row(80, state=replace(STATE, unsaved="disk full"))
    assert "not saved" not in await header_row(80)


async def test_no_branch_no_gap():
    row = await header_row(80, branch="")
    assert row.startswith(" patchbay  ~/src/shop   ")


async def test_the_title_stays_the_first_prompt():
    app = WidgetApp(lambda: [Header(home=HOME)])
    async with app.run_test(size=(80, 3)) as pilot:
        header = app.query_one(Header)
        header.sync(SessionState(folder="/tmp/x"))
        header.sync(STATE)
        header.sync(replace(STATE, transcript=(*STATE.transcript, PromptEntry(prompt_id="q", text="more", at=2.0))))
        await pilot.pause()
        assert "fix [the] parser" in app.screen_text()[0]


@pytest.mark.parametrize(
    ("folder", "shown"),
    [("/home/ada", "~"), ("/home/ada/x", "~/x"), ("/home/adam/x", "/home/adam/x"), ("", ""), ("/", "/")],
)
def test_only_folders_below_home_are_shortened(folder: str, shown: str):
    assert short_path(folder, HOME) == shown


def tab_texts(line: TabLine) -> str:
    return "".join(tab.text for tab in line.tabs())


async def test_a_tab_is_marked_while_its_pane_has_something_unseen():
    line = TabLine()
    app = WidgetApp(lambda: [line])
    async with app.run_test(size=(80, 3)):
        line.sync(SessionState())
        assert tab_texts(line) == " 1 chat   2 diff   3 tools  "
        line.sync(SessionState(revisions=Revisions(chat=5, files=1, tools=2)))
        assert tab_texts(line) == " 1 chat   2 diff ● 3 tools ●"
        line.activate("diff")
        assert tab_texts(line) == " 1 chat   2 diff   3 tools ●"
        line.sync(SessionState(revisions=Revisions(chat=6, files=2, tools=2)))
        assert tab_texts(line) == " 1 chat ● 2 diff   3 tools ●"
        assert [tab.pane for tab in line.tabs() if "bold" in tab.role] == ["diff"]


async def test_a_change_that_waits_for_an_answer_marks_the_diff():
    line = TabLine()
    app = WidgetApp(lambda: [line])
    async with app.run_test(size=(80, 3)):
        line.sync(SessionState(approvals=(question(preview="pytest -q"),)))
        assert "diff ●" not in tab_texts(line)
        line.sync(SessionState(approvals=(question(preview="--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y"),)))
        assert "diff ●" in tab_texts(line)
        line.activate("diff")
        assert "diff ●" not in tab_texts(line)


async def test_a_click_chooses_the_tab_under_it():
    line = TabLine(signs=ASCII_SIGNS)
    app = WidgetApp(lambda: [line])
    async with app.run_test(size=(80, 3), message_hook=app.hear) as pilot:
        await pilot.click(TabLine, offset=(12, 0))
        await pilot.click(TabLine, offset=(70, 0))
        await pilot.pause()
    assert {message.pane for message in app.messages(TabLine.Chosen)} == {"diff"}


def test_an_unknown_pane_is_refused():
    with pytest.raises(ValueError, match="the panes are chat, diff, tools"):
        TabLine().activate("files")


def test_hints_name_the_keys_of_the_focus_first_and_only_ones_that_work():
    table = ActionTable.remapped({"app.show_help": [], "session.switch_model": ["f9"]})
    named = hints(table, "diff")
    assert named[0] == ("j", "next hunk")
    assert ("F9", "model") in named
    assert "help" not in [word for _, word in named]
    assert hints(table, "approval")[0] == ("F9", "model")
    assert hints(table, "switcher") == [("Enter", "switch"), ("Esc", "leave")]


@pytest.mark.parametrize("width", [20, 40, 80, 160])
async def test_hints_are_never_cut_in_the_middle(width: int):
    app = WidgetApp(lambda: [KeyHints(ActionTable())])
    async with app.run_test(size=(width, 3)) as pilot:
        app.query_one(KeyHints).show("diff")
        await pilot.pause()
        row = app.screen_text()[0].rstrip()
    words = [f"{key} {word}" for key, word in hints(ActionTable(), "diff")]
    assert row.strip().split("   ") == words[: len(row.strip().split("   "))]

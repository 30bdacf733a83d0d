from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Offset, Region
from textual.pilot import Pilot

from patchbay.app.engine.state import FileDiff, SessionState
from patchbay.app.tui.panes.diff import DiffPane
from patchbay.app.tui.panes.diff_sheet import LONGEST_LINE, MOST_LINES
from patchbay.app.tui.transcript.palette import ASCII_SIGNS, UNICODE_SIGNS, Signs
from patchbay.tools.events import ApprovalRequested

LINES = ["import csv", "", "def parse(text):", '    return text.split(",")', *(f"n{n} = {n}" for n in range(60))]
BEFORE = "\n".join(LINES) + "\n"
AFTER = BEFORE.replace('text.split(",")', "next(csv.reader([text]))").replace("n50 = 50\n", "n50 = 51\nn50b = 0\n")
PARSER = FileDiff(path="src/parser.py", before=BEFORE, after=AFTER, created=False, changes=2)
README = FileDiff(path="README.md", before=None, after="# Shop\n", created=True, changes=1)
LOGO = FileDiff(path="logo.png", before=None, after=None, created=False, changes=1)
STATE = SessionState(session_id="s", files=(README, LOGO, PARSER))
QUESTION = ApprovalRequested(
    approval_id="a1",
    run_id="r1",
    name="edit",
    title="x.py",
    reason="writes",
    pattern=None,
    preview="--- a/x.py\n+++ b/x.py\n@@ -7,2 +7,2 @@\n import os\n-x = 1\n+x = 2\n",
)


class PaneApp(App[None]):
    def __init__(self, pane: DiffPane) -> None:
        super().__init__()
        self.pane = pane

    def compose(self) -> ComposeResult:
        yield self.pane


@asynccontextmanager
async def shown(
    state: SessionState = STATE, size: tuple[int, int] = (60, 30), signs: Signs = UNICODE_SIGNS
) -> AsyncIterator[tuple[DiffPane, Pilot[None]]]:
    pane = DiffPane(signs=signs)
    async with PaneApp(pane).run_test(size=size) as pilot:
        await pilot.pause()
        pane.focus()
        pane.sync(state)
        await pilot.pause()
        yield pane, pilot


def screen(pane: DiffPane) -> list[str]:
    width, height = pane.outer_size
    return [strip.text.rstrip() for strip in pane.render_lines(Region(0, 0, width, height))]


def words(pane: DiffPane, row: int = 0) -> list[str]:
    return screen(pane)[row].split()


async def test_the_empty_pane_says_what_will_be_here() -> None:
    async with shown(SessionState(session_id="s")) as (pane, _):
        text = " ".join(" ".join(screen(pane)).split())
        assert text == "No changes yet. What the model edits shows up here, hunk by hunk."


async def test_the_newest_file_is_shown_with_numbers_signs_and_counts() -> None:
    async with shown() as (pane, _):
        rows = screen(pane)
        assert words(pane) == ["src/parser.py", "+3", "−2", "hunk", "1/2", "file", "3/3"]
        assert rows[1:5] == [
            "▎  1   import csv",
            "▎  2",
            "▎  3   def parse(text):",
            '▎  4 −     return text.split(",")',
        ]
        assert rows[5] == "▎  4 +     return next(csv.reader([text]))"
        assert " ··· 44 unchanged lines" in rows
        assert "  54 − n50 = 50" not in rows
        assert "  55 − n50 = 50" in rows
        assert "  56 + n50b = 0" in rows


async def test_added_and_removed_lines_have_their_background_and_code_its_colours() -> None:
    async with shown() as (pane, _):
        palette = pane.palette
        removed, added = pane.line_at(4), pane.line_at(5)
        backgrounds = [
            {s.style.bgcolor.name for s in strip if s.style and s.style.bgcolor} for strip in (removed, added)
        ]
        assert backgrounds == [{palette.removed_background.lower()}, {palette.added_background.lower()}]
        keyword = next(s for s in added if s.text.strip() == "return")
        assert keyword.style is not None
        assert keyword.style.color is not None
        assert keyword.style.color.name == palette.code_keyword.lower()


async def test_colours_follow_a_string_that_began_far_above_the_hunk() -> None:
    before = '"""\n' + "text\n" * 30 + "return here\n" + "text\n" * 30 + '"""\n'
    file = FileDiff(path="a.py", before=before, after=before.replace("here", "there"), created=False, changes=1)
    async with shown(SessionState(session_id="s", files=(file,))) as (pane, _):
        row = next(n for n in range(pane.row_count) if "there" in pane.line_at(n).text)
        (text,) = [s for s in pane.line_at(row) if "return there" in s.text]
        assert text.style is not None
        assert text.style.color is not None
        assert text.style.color.name == pane.palette.code_string.lower()


async def test_keys_go_from_hunk_to_hunk_and_from_file_to_file() -> None:
    async with shown(size=(60, 10)) as (pane, pilot):
        await pilot.press("j")
        assert words(pane)[-4:] == ["hunk", "2/2", "file", "3/3"]
        assert any("n50b" in row for row in screen(pane))
        await pilot.press("k")
        assert words(pane)[-4:] == ["hunk", "1/2", "file", "3/3"]
        await pilot.press("K")
        assert words(pane)[0] == "logo.png"
        await pilot.press("k")
        assert words(pane)[:3] == ["README.md", "new", "file"]
        await pilot.press("k", "k")
        assert words(pane)[0] == "README.md"
        await pilot.press("J", "j")
        assert words(pane)[0] == "src/parser.py"


async def test_the_header_stays_when_one_scrolls_and_says_which_hunk_is_read() -> None:
    async with shown(size=(60, 10)) as (pane, pilot):
        pane.scroll_to(y=pane.max_scroll_y)
        await pilot.pause()
        assert words(pane)[:5] == ["src/parser.py", "+3", "−2", "hunk", "2/2"]
        assert screen(pane)[-1] != ""


async def test_no_row_is_lost_between_two_pages() -> None:
    file = FileDiff(path="a.txt", before=None, after="".join(f"row{n}\n" for n in range(40)), created=True, changes=1)
    async with shown(SessionState(session_id="s", files=(file,)), size=(60, 10)) as (pane, pilot):
        seen: set[str] = set()
        for _ in range(6):
            seen |= {row.split()[-1] for row in screen(pane) if "+ row" in row}
            pane.action_page_down()
            await pilot.pause()
        assert seen == {f"row{n}" for n in range(40)}


async def test_a_binary_file_is_said_to_be_one() -> None:
    async with shown(SessionState(session_id="s", files=(LOGO,))) as (pane, _):
        assert screen(pane)[1] == " Changed. It is binary or too large to be shown as a diff."


async def test_a_file_that_is_as_before_says_so() -> None:
    same = replace(PARSER, after=BEFORE)
    async with shown(SessionState(session_id="s", files=(same,))) as (pane, _):
        assert "Nothing differs any more" in screen(pane)[1]


async def test_changed_line_ends_are_named() -> None:
    file = replace(PARSER, after=BEFORE.replace("\n", "\r\n"))
    async with shown(SessionState(session_id="s", files=(file,))) as (pane, _):
        assert screen(pane)[1] == " Line ends changed from LF to CRLF."


async def test_side_by_side_in_a_wide_pane() -> None:
    async with shown(size=(120, 30)) as (pane, pilot):
        await pilot.press("v")
        row = screen(pane)[4]
        left, _, right = row.partition("│")
        assert left.strip() == '▎  4 −     return text.split(",")'
        assert right.strip() == "4 +     return next(csv.reader([text]))"
        await pilot.press("v")
        assert "│" not in screen(pane)[4]


async def test_a_narrow_pane_says_why_there_is_no_side_by_side() -> None:
    async with shown(size=(99, 30)) as (pane, pilot):
        await pilot.press("v")
        assert screen(pane)[0].endswith("side by side needs 100 columns")
        assert screen(pane)[4] == '▎  4 −     return text.split(",")'
        await pilot.resize_terminal(100, 30)
        await pilot.pause()
        assert "│" in screen(pane)[4]


async def test_a_question_comes_to_the_front_as_proposed_and_goes_when_it_is_answered() -> None:
    async with shown() as (pane, pilot):
        await pilot.press("K")
        pane.sync(replace(STATE, approvals=(QUESTION,)))
        await pilot.pause()
        assert words(pane)[:4] == ["x.py", "proposed", "+1", "−1"]
        assert screen(pane)[2:5] == ["   7   import os", "   8 − x = 1", "   8 + x = 2"]
        pane.sync(STATE)
        await pilot.pause()
        assert words(pane)[0] == "src/parser.py"


async def test_a_command_that_waits_is_no_change() -> None:
    async with shown() as (pane, pilot):
        pane.sync(replace(STATE, approvals=(replace(QUESTION, preview="rm -rf build"),)))
        await pilot.pause()
        assert words(pane)[0] == "src/parser.py"
        assert words(pane)[-1] == "3/3"


async def test_a_cut_proposal_says_that_a_part_is_missing() -> None:
    async with shown() as (pane, pilot):
        cut = replace(QUESTION, preview=QUESTION.preview.replace("-7,2 +7,2", "-7,9 +7,9"))
        pane.sync(replace(STATE, approvals=(cut,)))
        await pilot.pause()
        assert any("A part of this diff was left out" in row for row in screen(pane))


async def test_the_pane_follows_the_newest_change_to_its_new_hunk() -> None:
    once = replace(PARSER, after=BEFORE.replace("n50 = 50", "n50 = 51"))
    async with shown(replace(STATE, files=(once,)), size=(60, 12)) as (pane, pilot):
        twice = replace(once, after=once.after and once.after.replace("import csv", "import re"))
        pane.sync(replace(STATE, files=(twice,)))
        await pilot.pause()
        assert "hunk 1/2" in screen(pane)[0]
        thrice = replace(once, after=twice.after and twice.after.replace("n30 = 30", "n30 = 31"))
        pane.sync(replace(STATE, files=(thrice,)))
        await pilot.pause()
        assert "hunk 2/3" in screen(pane)[0]
        assert any("n30 = 31" in row for row in screen(pane))


async def test_a_person_who_went_elsewhere_stays_there_until_they_follow_again() -> None:
    async with shown() as (pane, pilot):
        await pilot.press("K", "K")
        newer = FileDiff(path="new.py", before=None, after="x = 1\n", created=True, changes=1)
        pane.sync(replace(STATE, files=(*STATE.files, newer)))
        await pilot.pause()
        assert words(pane)[0] == "README.md"
        assert "newer" in words(pane)
        assert words(pane)[-1] == "1/4"
        await pilot.press("f")
        assert words(pane)[0] == "new.py"
        assert "newer" not in words(pane)


async def test_a_person_who_reads_keeps_their_place_when_the_file_changes_again() -> None:
    async with shown(size=(60, 10)) as (pane, pilot):
        await pilot.press("j")
        top, rows = pane.scroll_offset.y, screen(pane)
        pane.sync(replace(STATE, files=(README, LOGO, replace(PARSER, after=AFTER + "end = 1\n"))))
        await pilot.pause()
        assert pane.scroll_offset.y == top
        assert screen(pane)[1:5] == rows[1:5]


async def test_nothing_is_painted_anew_when_neither_files_nor_questions_changed() -> None:
    async with shown() as (pane, pilot):
        strips = [pane.line_at(row) for row in range(pane.row_count)]
        pane.sync(replace(STATE, folder="/elsewhere"))
        await pilot.pause()
        assert all(pane.line_at(row) is strip for row, strip in enumerate(strips))


async def test_control_characters_and_markup_of_a_file_are_shown_and_not_obeyed() -> None:
    file = replace(README, after="a\x1b[2J[bold]b\u202ec\tx\n")
    async with shown(SessionState(session_id="s", files=(file,))) as (pane, _):
        assert screen(pane)[1] == "   1 + a[bold]b⟨U+202E⟩c   x"
        assert "\x1b" not in "".join(screen(pane))


async def test_a_long_line_wraps_and_an_endless_one_says_how_much_is_missing() -> None:
    file = replace(README, path="a.txt", after="x" * (LONGEST_LINE + 1234) + "\n")
    async with shown(SessionState(session_id="s", files=(file,)), size=(60, 60)) as (pane, _):
        rows = screen(pane)
        assert max(map(len, rows)) <= 60
        assert "[1,234 more characters]" in "".join(row[6:] for row in rows)


async def test_a_huge_new_file_says_how_much_of_it_is_shown() -> None:
    file = replace(README, path="a.txt", after="x\n" * (MOST_LINES * 3))
    async with shown(SessionState(session_id="s", files=(file,))) as (pane, _):
        assert MOST_LINES < pane.row_count < MOST_LINES + 5
        assert "Only the first 5,000 lines" in pane.line_at(MOST_LINES + 1).text


async def test_copied_lines_come_without_numbers_signs_and_wrapping() -> None:
    long = "value = " + "x" * 90
    file = replace(README, path="a.txt", after=f"one\n{long}\ntwo\n")
    async with shown(SessionState(session_id="s", files=(file,))) as (pane, _):
        assert pane.source_between(None, None) == f"one\n{long}\ntwo"
        assert pane.source_between(Offset(pane.line_at(1).text.index("n"), 1), Offset(9, 2)) == "ne\nva"


@pytest.mark.parametrize(("signs", "removed"), [(UNICODE_SIGNS, "4 −"), (ASCII_SIGNS, "4 -")])
async def test_poor_terminals_get_ascii_signs(signs: Signs, removed: str) -> None:
    async with shown(signs=signs) as (pane, _):
        assert removed in screen(pane)[4]
        assert (signs is ASCII_SIGNS) == "".join(screen(pane)).isascii()

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from patchbay.app.engine.events import NoticeLevel
from patchbay.app.engine.state import NoticeEntry, PromptEntry, SessionState, StreamText, ToolRun
from patchbay.app.tui.panes.tool_cells import LIVE_LINES, LIVE_UNFOLDED, MOST_LINES
from patchbay.app.tui.panes.tool_log import ToolLogPane
from patchbay.app.tui.transcript.palette import ASCII_SIGNS, UNICODE_SIGNS, Signs
from patchbay.tools.events import Outcome

EMPTY = SessionState(session_id="s")


def run(number: int, **changes: object) -> ToolRun:
    """A run that went well; ``output`` is text."""
    output = changes.pop("output", "")
    text = StreamText().appended(output) if isinstance(output, str) and output else StreamText()
    base = ToolRun(
        run_id=f"r{number}",
        request_id="q",
        part_index=0,
        name="bash",
        title=f"command {number}",
        output=text,
        started_at=100.0 + number,
        outcome=Outcome.OK,
        summary="exit 0",
        duration_s=0.5,
    )
    return replace(base, **changes)


def active(number: int, output: str = "", **changes: object) -> ToolRun:
    return run(number, output=output, outcome=None, duration_s=None, summary="", **changes)


def lines(first: int, last: int) -> str:
    return "".join(f"line {n}\n" for n in range(first, last))


class Clock:
    now = 110.0

    def __call__(self) -> float:
        return self.now


class PaneApp(App[None]):
    def __init__(self, pane: ToolLogPane) -> None:
        super().__init__()
        self.pane = pane

    def compose(self) -> ComposeResult:
        yield self.pane


@asynccontextmanager
async def shown(
    state: SessionState = EMPTY,
    size: tuple[int, int] = (60, 30),
    signs: Signs = UNICODE_SIGNS,
    clock: Clock | None = None,
) -> AsyncIterator[tuple[ToolLogPane, Pilot[None]]]:
    pane = ToolLogPane(signs=signs, clock=clock or Clock())
    async with PaneApp(pane).run_test(size=size) as pilot:
        await pilot.pause()
        pane.focus()
        await sync(pane, pilot, state)
        yield pane, pilot


async def sync(pane: ToolLogPane, pilot: Pilot[None], state: SessionState) -> None:
    pane.sync(state)
    await pilot.pause()


def screen(pane: ToolLogPane) -> list[str]:
    width, height = pane.outer_size
    return [strip.text.rstrip() for strip in pane.render_lines(Region(0, 0, width, height))]


def rows(pane: ToolLogPane) -> list[str]:
    return [pane.line_at(row).text.rstrip() for row in range(pane.row_count)]


async def test_the_empty_log_says_what_will_be_here() -> None:
    async with shown() as (pane, _):
        assert " ".join(" ".join(rows(pane)).split()).startswith("No tool has run yet. What the model reads")


async def test_a_run_takes_one_row_with_its_time_at_the_right() -> None:
    read = run(1, name="read", title="src/parser.py", summary="48 lines", duration_s=0.004, content="x\n" * 48)
    async with shown(replace(EMPTY, runs=(read, run(2, duration_s=200.0)))) as (pane, _):
        first, second = screen(pane)[:2]
        assert first == " ✓ read   src/parser.py                   48 lines   0.00 s"
        assert second.split() == ["✓", "bash", "command", "2", "exit", "0", "3", "m", "20", "s"]
        assert len(first) == len(second) == pane.content_width


@pytest.mark.parametrize(
    ("outcome", "summary", "words"),
    [
        (Outcome.ERROR, "exit 1", "exit 1"),
        (Outcome.ERROR, "", "error"),
        (Outcome.DENIED, "", "denied"),
        (Outcome.TIMEOUT, "after 120 s", "timeout after 120 s"),
        (Outcome.CANCELLED, "cancelled by you", "cancelled by you"),
        (Outcome.INTERRUPTED, "", "interrupted"),
    ],
)
async def test_how_a_run_failed_stands_in_words_beside_the_sign(outcome: Outcome, summary: str, words: str) -> None:
    async with shown(replace(EMPTY, runs=(run(1, outcome=outcome, summary=summary),))) as (pane, _):
        assert screen(pane)[0].startswith(" ✗ bash   command 1 ")
        assert f"  {words}    0.5 s" in screen(pane)[0]


async def test_a_run_that_waits_says_so_and_counts_no_time() -> None:
    async with shown(replace(EMPTY, active_runs=(active(1, waiting=True),))) as (pane, _):
        assert screen(pane)[0].startswith(" ● bash   command 1")
        assert screen(pane)[0].endswith("  waiting for approval")


async def test_live_output_shows_its_last_lines_and_the_time_counts() -> None:
    clock = Clock()
    running = active(1, lines(0, 20))
    async with shown(replace(EMPTY, active_runs=(running,)), clock=clock) as (pane, pilot):
        assert screen(pane)[0].endswith(" 9.0 s")
        assert screen(pane)[1] == " … line 12"
        assert [row.strip() for row in screen(pane)[2:9]] == [f"line {n}" for n in range(13, 20)]
        clock.now += 1.25
        running = replace(running, output=running.output.appended("line 20\nlin"))
        await sync(pane, pilot, replace(EMPTY, active_runs=(running,)))
        assert screen(pane)[0].endswith(" 10.2 s")
        assert screen(pane)[LIVE_LINES] == "   lin"
        assert screen(pane)[LIVE_LINES + 1] == ""


async def test_only_the_clock_moved_repaints_only_the_header() -> None:
    clock = Clock()
    state = replace(EMPTY, runs=(run(1),), active_runs=(active(2, lines(0, 3)),))
    async with shown(state, clock=clock) as (pane, pilot):
        before = [pane.line_at(row) for row in range(pane.row_count)]
        await sync(pane, pilot, state)
        assert all(pane.line_at(row) is strip for row, strip in enumerate(before))
        clock.now += 1
        await sync(pane, pilot, state)
        assert pane.line_at(0) is before[0]
        assert pane.line_at(1).text.rstrip().endswith("9.0 s")


async def test_a_finished_run_keeps_its_place_and_its_last_lines() -> None:
    one, two = active(1, lines(0, 20)), active(2, "two\n")
    async with shown(replace(EMPTY, active_runs=(one, two))) as (pane, pilot):
        done = replace(two, outcome=Outcome.OK, duration_s=1.0, summary="exit 0")
        await sync(pane, pilot, replace(EMPTY, runs=(done,), active_runs=(one,)))
        first = replace(one, outcome=Outcome.OK, duration_s=2.0, summary="exit 0")
        await sync(pane, pilot, replace(EMPTY, runs=(done, first)))
        assert [row.split()[0] for row in rows(pane)] == ["✓", "…", "line", "line", "✓", "two"]
        assert rows(pane)[3] == "   line 19"


async def test_an_error_shows_more_of_its_output_or_what_the_model_was_told() -> None:
    failed = run(1, outcome=Outcome.ERROR, output=lines(0, 20))
    told = run(2, outcome=Outcome.ERROR, content="No such file.\nLook for it with glob.")
    async with shown(replace(EMPTY, runs=(failed, told))) as (pane, _):
        assert [row.strip() for row in rows(pane)[1:7]] == ["… line 14", *(f"line {n}" for n in range(15, 20))]
        assert rows(pane)[8:] == ["   No such file.", "   Look for it with glob."]


async def test_a_resumed_session_shows_the_same_as_a_live_one() -> None:
    chunks = StreamText()
    for n in range(300):
        chunks = chunks.appended("li\x1b[3").appended(f"1mne {n}\n")
    live = active(1)
    async with shown(replace(EMPTY, active_runs=(live,))) as (pane, pilot):
        live = replace(live, output=chunks)
        await sync(pane, pilot, replace(EMPTY, active_runs=(live,)))
        done = replace(live, outcome=Outcome.OK, duration_s=1.0)
        await sync(pane, pilot, replace(EMPTY, runs=(done,)))
        lived = rows(pane)
    async with shown(replace(EMPTY, runs=(done,))) as (pane, _):
        assert rows(pane) == lived
        assert rows(pane)[1:] == [" … line 297", "   line 298", "   line 299"]


async def test_control_sequences_split_over_chunks_and_markup_are_not_obeyed() -> None:
    text = StreamText()
    for chunk in ("[red]a\x1b[", "31mb\x1b]0;ti", "tle\x07c\u202e"):
        text = text.appended(chunk)
    sneaky = active(1, title="rm\nx\x1b[2J", name="b\x07ash")
    async with shown(replace(EMPTY, active_runs=(replace(sneaky, output=text),))) as (pane, _):
        assert screen(pane)[0].startswith(" ● bash   rm↵x ")
        assert screen(pane)[1] == "   [red]abc⟨U+202E⟩"


async def test_notices_stand_where_they_happened_wrapped_and_coloured() -> None:
    message = "openrouter does not answer; the request is sent again in two seconds"
    notice = NoticeEntry(message=message, level=NoticeLevel.WARNING, at=101.5)
    transcript = (PromptEntry(prompt_id="p", text="hello", at=100.0), notice)
    async with shown(replace(EMPTY, runs=(run(1), run(2)), transcript=transcript), size=(50, 20)) as (pane, pilot):
        first, second, third, fourth = rows(pane)
        assert (first[1], fourth[1]) == ("✓", "✓")
        assert f"{second} {third.strip()}" == f" · {message}"
        style = next(iter(pane.line_at(1))).style
        assert style is not None
        assert style.color is not None
        assert style.color.name == pane.palette.warn.lower()
        late = NoticeEntry(message="bye", level=NoticeLevel.INFO, at=120.0)
        await sync(pane, pilot, replace(EMPTY, runs=(run(1), run(2)), transcript=(*transcript, late)))
        assert rows(pane)[-1] == " · bye"


async def test_keys_select_runs_and_unfold_to_the_whole_output() -> None:
    content = "".join(f"{n}: code\n" for n in range(10))
    runs = (run(1, name="read", content=content), run(2, output=lines(0, 30)))
    async with shown(replace(EMPTY, runs=runs), size=(60, 12)) as (pane, pilot):
        await pilot.press("k")
        assert rows(pane)[1].startswith("▸✓ bash")
        await pilot.press("k", "k", "enter")
        assert rows(pane)[0].startswith("▾✓ read")
        assert rows(pane)[1:11] == [f"   {n}: code" for n in range(10)]
        assert rows(pane)[11].startswith(" ✓ bash")
        await pilot.press("enter", "j", "space")
        assert rows(pane)[0].startswith(" ✓ read")
        assert rows(pane)[1].startswith("▾✓ bash")
        # Longer than the pane: it is read from its start.
        assert screen(pane)[0].startswith("▾✓ bash")
        assert screen(pane)[1:4] == ["   line 0", "   line 1", "   line 2"]


async def test_a_click_unfolds_a_run_and_a_second_one_folds_it() -> None:
    async with shown(replace(EMPTY, runs=(run(1, output=lines(0, 10)), run(2)))) as (pane, pilot):
        await pilot.click(ToolLogPane, offset=(5, 0))
        assert rows(pane)[1] == "   line 0"
        assert pane.row_count == 12
        await pilot.click(ToolLogPane, offset=(5, 0))
        assert pane.row_count == 5


async def test_unfolded_output_wraps_and_says_what_is_cut() -> None:
    runs = (run(1, output=lines(0, MOST_LINES + 500) + "x" * 100),)
    async with shown(replace(EMPTY, runs=runs)) as (pane, pilot):
        await pilot.press("enter")
        assert rows(pane)[1] == "   The first 501 lines are not shown."
        assert rows(pane)[2] == "   line 501"
        width = pane.content_width - 3
        assert rows(pane)[-2:] == [f"   {'x' * width}", f"   {'x' * (100 - width)}"]


async def test_an_unfolded_run_that_still_runs_grows_within_bounds() -> None:
    running = active(1, lines(0, 10))
    async with shown(replace(EMPTY, active_runs=(running,))) as (pane, pilot):
        await pilot.press("enter")
        assert rows(pane)[1] == "   line 0"
        running = replace(running, output=running.output.appended(lines(10, 1000)))
        await sync(pane, pilot, replace(EMPTY, active_runs=(running,)))
        assert rows(pane)[1] == f"   The first {1000 - LIVE_UNFOLDED} lines are not shown."
        assert rows(pane)[-1] == "   line 999"


async def test_a_silent_run_unfolds_to_words() -> None:
    async with shown(replace(EMPTY, runs=(run(1),), active_runs=(active(2),))) as (pane, pilot):
        await pilot.press("enter")
        assert rows(pane)[-1] == "   No output yet."
        await pilot.press("k", "enter")
        assert rows(pane)[1] == "   No output."


async def test_the_log_follows_its_end_until_a_person_scrolls_up() -> None:
    runs = tuple(run(n, output=lines(0, 3)) for n in range(20))
    async with shown(replace(EMPTY, runs=runs), size=(60, 10)) as (pane, pilot):
        assert screen(pane)[-1] == "   line 2"
        pane.scroll_to(y=5)
        await pilot.pause()
        seen = screen(pane)
        await sync(pane, pilot, replace(EMPTY, runs=(*runs, run(30))))
        assert screen(pane)[:-1] == seen[:-1]
        assert "more below" in screen(pane)[-1]


async def test_the_text_in_view_stays_when_a_run_above_it_shrinks() -> None:
    running = active(1, lines(0, 8))
    others = tuple(run(n) for n in range(2, 40))
    before = replace(EMPTY, runs=(), active_runs=(running, *(replace(o, outcome=None) for o in others)))
    async with shown(before, size=(60, 10)) as (pane, pilot):
        pane.scroll_to(y=20)
        await pilot.pause()
        top = screen(pane)[0].split()[:4]
        done = replace(running, outcome=Outcome.OK, duration_s=1.0)
        await sync(pane, pilot, replace(before, runs=(done,), active_runs=before.active_runs[1:]))
        assert screen(pane)[0].split()[:4] == top


async def test_another_session_starts_a_new_log() -> None:
    async with shown(replace(EMPTY, runs=(run(1), run(2)))) as (pane, pilot):
        await sync(pane, pilot, SessionState(session_id="t", runs=(run(3),)))
        assert [row.split()[3] for row in rows(pane)] == ["3"]
        await sync(pane, pilot, SessionState(session_id="u"))
        assert rows(pane)[0].startswith(" No tool has run yet.")


async def test_a_resize_wraps_anew() -> None:
    notice = NoticeEntry(message="word " * 20, level=NoticeLevel.INFO, at=1.0)
    async with shown(replace(EMPTY, transcript=(notice,), runs=(run(1),))) as (pane, pilot):
        before = pane.row_count
        await pilot.resize_terminal(30, 20)
        await pilot.pause()
        assert pane.row_count > before
        assert max(map(len, rows(pane))) <= 30


async def test_poor_terminals_get_ascii_signs() -> None:
    state = replace(EMPTY, runs=(run(1), run(2, outcome=Outcome.ERROR)), active_runs=(active(3, lines(0, 20)),))
    async with shown(state, signs=ASCII_SIGNS) as (pane, _):
        assert "".join(screen(pane)).isascii()
        assert [row[1] for row in rows(pane)[:3]] == ["+", "x", "*"]

"""Sessions of thousands of messages: what was long ago becomes cells when somebody goes there."""

from dataclasses import replace

from textual.geometry import Region

from patchbay.app.engine.state import SessionState, StreamText, ToolRun
from patchbay.app.tui.panes.chat import ChatPane
from patchbay.app.tui.panes.tool_log import ToolLogPane
from patchbay.app.tui.transcript.earlier import SHOWN_AT_FIRST
from patchbay.tools.events import Outcome
from support.chat_pane import chat, closed, prompt, rows, said, session, shown
from support.widget_app import WidgetApp

SIZE = (80, 24)


def long_session(turns: int, **changes: object) -> SessionState:
    entries = []
    for number in range(turns):
        entries.append(prompt(f"question {number}", f"p{number}"))
        entries.append(closed(said(f"answer {number}\n\n- a point\n"), request_id=f"q{number}", turn_id=f"t{number}"))
    return session(*entries, **changes)


def first_words(pane: ChatPane) -> str:
    top = pane.scroll_offset.y
    return next(text for row in range(top, top + 10) if (text := pane.line_at(row).text.strip()))


async def test_only_the_end_is_made_and_it_looks_the_same() -> None:
    state = long_session(2000)
    async with chat(SIZE) as (pane, app, pilot):
        pane.sync(state)
        await pilot.pause()
        assert rows(app) == await shown(long_session(2000), SIZE)
        assert "answer 1999" in "\n".join(rows(app))
        assert len(pane.column.cells) < 4 * SHOWN_AT_FIRST
        more = replace(state, transcript=(*state.transcript, prompt("one more", "last")))
        pane.sync(more)
        await pilot.pause()
        assert rows(app)[-1].endswith("one more")


async def test_scrolling_up_reads_on_without_a_gap() -> None:
    async with chat(SIZE) as (pane, _app, pilot):
        pane.sync(long_session(700))
        await pilot.pause()
        seen: list[str] = []
        while pane.scroll_offset.y:
            pane.scroll_relative(y=-20)
            await pilot.pause()
            top = pane.scroll_offset.y
            seen = [pane.line_at(row).text for row in range(top, min(top + 20, pane.row_count))]
            assert not any("earlier messages" in text for text in seen)
        whole = [pane.line_at(row).text.strip(" ▎▌│") for row in range(pane.row_count)]
        questions = [text for text in whole if text.startswith("question")]
        assert questions == [f"question {number}" for number in range(700)]


async def test_the_text_in_view_stays_when_what_is_above_it_is_made() -> None:
    async with chat(SIZE) as (pane, _app, pilot):
        pane.sync(long_session(2000))
        await pilot.pause()
        border = pane.column.top(1)
        pane.scroll_to(y=border + 1)
        await pilot.pause()
        for _ in range(300):
            top = pane.scroll_offset.y
            before = [pane.line_at(row).text for row in range(top, top + 11)]
            pane.scroll_relative(y=-3)
            await pilot.pause()
            top = pane.scroll_offset.y
            assert [pane.line_at(row).text for row in range(top + 3, top + 14)] == before


async def test_the_very_start_is_one_key_away() -> None:
    async with chat(SIZE) as (pane, app, pilot):
        pane.sync(long_session(3000))
        await pilot.pause()
        pane.scroll_to(y=0)
        await pilot.pause()
        assert "question 0" in rows(app)[0]
        pane.action_scroll_end()
        await pilot.pause()
        assert "answer 2999" in "\n".join(rows(app))


async def test_a_rewind_to_long_ago_shows_what_is_left() -> None:
    async with chat(SIZE) as (pane, app, pilot):
        state = long_session(2000)
        pane.sync(state)
        await pilot.pause()
        for kept in (3001, 40, 0):
            left = replace(state, transcript=state.transcript[:kept])
            pane.sync(left)
            await pilot.pause()
            assert rows(app) == await shown(left, SIZE)


async def test_copying_all_of_it_copies_all_of_it() -> None:
    async with chat(SIZE) as (pane, _app, pilot):
        pane.sync(long_session(1000))
        await pilot.pause()
        copied = pane.source_between(None, None)
        assert [number for number in range(1000) if f"answer {number}\n" not in copied] == []


async def test_the_selection_goes_on_upwards() -> None:
    async with chat(SIZE) as (pane, _app, pilot):
        pane.sync(long_session(1000))
        await pilot.pause()
        pane.select(pane.column.cells[1])
        await pilot.pause()
        before = pane.selected_entry
        pane.select_previous_cell()
        pane.select_previous_cell()
        assert pane.selected_entry is not None
        assert pane.selected_entry is not before
        assert pane.selected in pane.column


async def test_idle_work_stops_where_nobody_looks() -> None:
    async with chat(SIZE) as (pane, _app, pilot):
        pane.start_idle_work = lambda: None  # type: ignore[method-assign]
        pane.sync(long_session(2000))
        pane.scroll_to(y=0)
        await pilot.pause()
        while pane.idle_slice(1e12):
            pass
        assert sum(pane.column.is_laid(cell) for cell in pane.column.cells) < 1200


def run(number: int) -> ToolRun:
    return ToolRun(
        run_id=f"r{number}",
        request_id="q",
        part_index=0,
        name="bash",
        title=f"command {number}",
        output=StreamText().appended(f"output {number}\n"),
        started_at=100.0 + number,
        outcome=Outcome.OK,
        summary="exit 0",
        duration_s=0.5,
    )


def screen(pane: ToolLogPane) -> list[str]:
    width, height = pane.outer_size
    return [strip.text.rstrip() for strip in pane.render_lines(Region(0, 0, width, height))]


async def test_the_tool_log_shows_the_last_runs_and_earlier_ones_when_asked() -> None:
    pane = ToolLogPane(clock=lambda: 1.0)
    async with WidgetApp(lambda: iter((pane,))).run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        runs = tuple(map(run, range(2000)))
        waits = replace(run(2000), outcome=None, started_at=9000.0)
        pane.sync(SessionState(session_id="s", runs=runs, active_runs=(waits,)))
        await pilot.pause()
        assert any("output 1999" in line for line in screen(pane))
        assert pane.row_count < 1000
        assert "1,701 earlier" in pane.line_at(0).text
        pane.scroll_to(y=0)
        await pilot.pause()
        assert any("command 1701" in line for line in screen(pane)), "what was in view stays in view"
        for _ in range(10):
            pane.scroll_to(y=0)
            await pilot.pause()
        assert "command 0" in screen(pane)[0]
        assert pane.row_count == 2 * 2001
        done = replace(waits, outcome=Outcome.OK, output=waits.output.appended("at last\n"))
        pane.sync(SessionState(session_id="s", runs=(*runs, done)))
        await pilot.pause()
        assert "at last" in pane.line_at(pane.row_count - 1).text

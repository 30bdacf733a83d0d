"""How the chat pane behaves: streaming, long sessions, scrolling, the cell cursor, copying."""

import random
from dataclasses import replace

import pytest
from textual.geometry import Offset

from patchbay.app.engine.state import SessionState, StreamText, TextPart
from patchbay.app.tui.transcript.cells import TextCell
from support.chat_pane import called, chat, closed, prompt, rows, said, session, shown, text
from support.markdown_texts import EVERYTHING
from support.session_states import answer


async def test_streamed_or_made_anew_it_shows_the_same() -> None:
    async with chat((60, 24)) as (pane, app, pilot):
        chance, at, stream = random.Random(3), 0, StreamText()
        step = 0
        while at < len(EVERYTHING):
            size = chance.choice((1, 4, 16, 60))
            stream, at = stream.appended(EVERYTHING[at : at + size]), at + size
            state = session(prompt("go"), answer=answer(parts=(TextPart(index=0, text=stream),)))
            pane.sync(state)
            step += 1
            if step % 12 == 0:
                await pilot.pause()
                assert rows(app) == await shown(state, (60, 24))
        final = session(prompt("go"), closed(TextPart(index=0, text=stream, closed=True)))
        pane.sync(final)
        await pilot.pause()
        assert rows(app) == await shown(final, (60, 24))


async def test_the_end_of_an_answer_keeps_its_cells() -> None:
    async with chat() as (pane, _, _pilot):
        part = said("words")
        pane.sync(session(prompt("go"), answer=answer(parts=(part,))))
        cells = list(pane.column.cells)
        pane.sync(session(prompt("go"), closed(part)))
        assert all(one is other for one, other in zip(cells, pane.column.cells, strict=True))


async def test_a_flush_feeds_only_what_is_new_and_asks_for_one_row() -> None:
    async with chat() as (pane, app, pilot):
        first = prompt("go")
        stream = text("some words ")
        pane.sync(session(first, answer=answer(parts=(TextPart(index=0, text=stream),))))
        await pilot.pause()
        cell = next(cell for cell in pane.column.cells if isinstance(cell, TextCell))
        fed: list[str] = []
        feed = cell._stream.document.feed
        cell._stream.document.feed = lambda piece: (fed.append(piece), feed(piece))[1]  # type: ignore[method-assign]
        asked: list[int] = []
        line_at = pane.line_at
        pane.line_at = lambda row: (asked.append(row), line_at(row))[1]  # type: ignore[method-assign]
        pane.sync(session(first, answer=answer(parts=(TextPart(index=0, text=stream.appended("more")),))))
        await pilot.pause()
        assert fed == ["more"]
        assert asked == [3]
        assert rows(app)[3] == "   some words more"


async def test_the_same_state_again_does_nothing() -> None:
    async with chat() as (pane, _, pilot):
        state = session(prompt("go"), closed(said("words"), called(1)), answer=None)
        pane.sync(state)
        await pilot.pause()
        changes: list[object] = []
        pane.rows_changed = lambda *args, **options: changes.append(args)  # type: ignore[method-assign]
        pane.sync(state)
        pane.sync(replace(state, turn_id="t9"))
        assert changes == []


async def test_the_cell_cursor_goes_from_cell_to_cell_and_copies_its_source() -> None:
    async with chat() as (pane, app, pilot):
        pane.sync(session(prompt("ask"), closed(said("**bold** answer"), called(1, "read", {"path": "a.py"}))))
        assert pane.selected_source() == 'read {"path": "a.py"}'
        pane.select_previous_cell()
        pane.select_previous_cell()
        await pilot.pause()
        assert [row for row in rows(app) if row.startswith("▌")] == ["▌  bold answer"]
        assert pane.selected_source() == "**bold** answer"
        pane.select_previous_cell()
        assert pane.selected_source() == "ask"
        pane.select_previous_cell()
        assert pane.selected_source() == "ask"
        pane.select_next_cell()
        assert pane.selected_source() == "**bold** answer"


async def test_keys_move_the_cursor_and_unfold() -> None:
    async with chat() as (pane, app, pilot):
        pane.sync(session(closed(called(0, "read", {"path": "a.py"}))))
        pane.focus()
        await pilot.press("k", "enter")
        await pilot.pause()
        assert rows(app)[-1] == "▌  │ path: a.py"


async def test_a_click_selects_and_unfolds() -> None:
    async with chat() as (pane, app, pilot):
        pane.sync(session(closed(said("x"), called(1, "read", {"path": "a.py"}))))
        await pilot.pause()
        await pilot.click(offset=(5, 2))
        await pilot.pause()
        assert rows(app)[-1] == "▌  │ path: a.py"


async def test_copying_gives_the_source_of_whole_cells_and_unwrapped_text_of_parts() -> None:
    async with chat((40, 30)) as (pane, _, pilot):
        words = "one **two** three four five six seven eight"
        pane.sync(session(prompt("ask me"), closed(said(f"- {words}\n\n```\nx = 1\n```"))))
        await pilot.pause()
        assert pane.source_between(None, None) == (
            f"ask me\n\nclaude-sonnet-4-6 · 4.1 s · $0.012\n- {words}\n\n```\nx = 1\n```"
        )
        assert pane.source_between(Offset(0, 3), Offset(10, 4)) == "one two three four five six seven eight"[:39]
        assert pane.source_between(Offset(0, 5), Offset(30, 6)) == "\nx = 1"


def long_session(answers: int) -> SessionState:
    body = said("## Head\n\nA paragraph of some words.\n\n- a\n- b\n\n```python\nx = 1\n```\n")
    entries: list[object] = []
    for number in range(answers):
        entries.append(prompt(f"question {number}", f"p{number}"))
        entries.append(closed(body, request_id=f"q{number}", turn_id=f"t{number}"))
    return session(*entries)


async def test_a_long_session_opens_at_its_end_without_laying_out_the_rest() -> None:
    async with chat((80, 24)) as (pane, app, pilot):
        pane.start_idle_work = lambda: None  # type: ignore[method-assign]
        state = long_session(1000)
        pane.sync(state)
        await pilot.pause()
        assert rows(app) == await shown(long_session(1000), (80, 24))
        assert sum(pane.column.is_laid(cell) for cell in pane.column.cells) < 40
        assert len(app.screen.query("*")) == 1
        assert rows(app)[-1] == "    x = 1"


async def test_idle_work_lays_out_the_rest_and_the_view_stays() -> None:
    async with chat((80, 24)) as (pane, app, pilot):
        pane.start_idle_work = lambda: None  # type: ignore[method-assign]
        pane.sync(long_session(150))
        pane.scroll_to(y=pane.row_count // 2)
        await pilot.pause()
        before = rows(app)
        while pane.idle_slice(1e12):
            pass
        await pilot.pause()
        assert all(pane.column.is_laid(cell) for cell in pane.column.cells)
        assert rows(app) == before
        assert pane.row_count == sum(len(cell.rows) + cell.gap for cell in pane.column.cells)


async def test_scrolling_through_estimates_shows_every_row_in_order() -> None:
    async with chat((80, 24)) as (pane, app, pilot):
        pane.start_idle_work = lambda: None  # type: ignore[method-assign]
        pane.sync(long_session(40))
        await pilot.pause()
        seen = rows(app)
        for _ in range(80):
            pane.scroll_relative(y=-7)
            await pilot.pause()
            above = rows(app)
            overlap = next(size for size in range(len(above), 0, -1) if above[-size:] == seen[:size])
            seen = above[: len(above) - overlap] + seen
        assert [row for row in seen if row.startswith(" ▎ question")] == [f" ▎ question {n}" for n in range(40)]


async def test_home_shows_the_beginning() -> None:
    async with chat((80, 24)) as (pane, app, pilot):
        pane.sync(long_session(300))
        pane.focus()
        await pilot.press("home")
        await pilot.pause()
        assert rows(app)[0].strip() == "▎ question 0"
        assert not pane.following


@pytest.mark.parametrize("width", [40, 110])
async def test_a_resize_keeps_the_cell_that_was_on_top(width: int) -> None:
    async with chat((80, 24)) as (pane, app, pilot):
        pane.sync(long_session(60))
        pane.scroll_to(y=pane.column.top(81))
        await pilot.pause()
        top = pane.column.locate(pane.scroll_offset.y)[0]
        await pilot.resize_terminal(width, 24)
        await pilot.pause()
        assert pane.column.locate(pane.scroll_offset.y)[0] == top
        pane.jump_to_end()
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert rows(app) == await shown(long_session(60), (80, 24))


async def test_another_session_or_a_shorter_transcript_replaces_what_was_shown() -> None:
    async with chat() as (pane, app, pilot):
        one, two = prompt("one"), prompt("two", "p2")
        pane.sync(session(one, two))
        pane.sync(session(one))
        await pilot.pause()
        assert rows(app) == [" ▎ one"]
        pane.sync(session(prompt("new"), session_id="s2"))
        await pilot.pause()
        assert rows(app) == [" ▎ new"]


async def test_a_long_prompt_is_folded() -> None:
    async with chat((80, 60)) as (pane, app, pilot):
        pane.sync(session(prompt("\n".join(f"line {number}" for number in range(50)))))
        await pilot.pause()
        assert rows(app)[-1] == " ▎ ▸ 20 more lines"
        pane.select_previous_cell()
        pane.toggle_selected()
        await pilot.pause()
        assert rows(app)[-1] == "▌▎ line 49"


async def test_what_is_painted_is_right_after_anything() -> None:
    async with chat((60, 20)) as (pane, app, pilot):
        chance, stream, at = random.Random(11), StreamText(), 0
        entries: list[object] = list(long_session(30).transcript)
        for step in range(60):
            match chance.randrange(8):
                case 0 | 1 | 2:
                    stream, at = stream.appended(EVERYTHING[at : at + 40]), (at + 40) % len(EVERYTHING)
                case 3:
                    pane.scroll_relative(y=chance.randrange(-30, 30))
                case 4:
                    chance.choice((pane.select_next_cell, pane.select_previous_cell, pane.toggle_thinking))()
                case 5:
                    pane.toggle_selected()
                case 6 if step % 3 == 0:
                    await pilot.resize_terminal(chance.randrange(40, 80), 20)
                case _:
                    pane.jump_to_end()
            if step % 20 == 19:
                entries.append(closed(TextPart(index=0, text=stream, closed=True), request_id=f"live{step // 20}"))
                stream = StreamText()
            live = answer(request_id=f"live{(step + 1) // 20}", parts=(TextPart(index=0, text=stream),))
            pane.sync(session(*entries, answer=live))
            await pilot.pause()
            painted = rows(app)
            pane._frame, pane._strips = [], type(pane._strips)(10)
            pane._painted.clear()
            pane.refresh()
            await pilot.pause()
            assert painted == rows(app), step

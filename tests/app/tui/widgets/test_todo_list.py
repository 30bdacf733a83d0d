"""The plan above the prompt: its rows, when it is there, and what folds it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from patchbay.app.engine.state import SessionState
from patchbay.app.tui.transcript.palette import ASCII_SIGNS
from patchbay.app.tui.widgets.todo_list import MOST_STEPS, TodoList, todo_rows
from patchbay.tools.events import TodoItem, TodoStatus
from support.widget_app import WidgetApp

DONE, NOW, NEXT = TodoStatus.DONE, TodoStatus.IN_PROGRESS, TodoStatus.PENDING


def plan(*steps: TodoStatus) -> tuple[TodoItem, ...]:
    return tuple(TodoItem(text=f"step {number}", status=status) for number, status in enumerate(steps, 1))


def texts(rows) -> list[str]:
    return ["".join(segment.text for segment in row).rstrip() for row in rows]


def test_unfolded_it_is_the_steps_with_their_signs() -> None:
    rows = todo_rows(plan(DONE, NOW, NEXT), 60, folded=False, key="F7")
    assert texts(rows) == [" ▾ 1/3 done" + " " * 40 + "F7 folds", "   ✓ step 1", "   ● step 2", "   ○ step 3"]
    assert [row[0].role for row in rows[1:]] == ["ok", "accent", "muted"]


def test_signs_of_a_poor_terminal() -> None:
    rows = todo_rows(plan(DONE, NOW, NEXT), 60, folded=False, signs=ASCII_SIGNS)
    assert texts(rows) == [" v 1/3 done", "   + step 1", "   * step 2", "   o step 3"]
    assert all(text.isascii() for text in texts(rows))


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ((DONE, NOW, NEXT), " ▸ 1/3 · now: step 2"),
        ((DONE, NEXT, NEXT), " ▸ 1/3 · next: step 2"),
        ((DONE, DONE), " ▸ 2/2 · all done"),
    ],
)
def test_folded_it_is_one_line(steps, line: str) -> None:
    assert texts(todo_rows(plan(*steps), 60, folded=True)) == [line]


def test_a_long_plan_shows_the_steps_around_the_one_at_hand() -> None:
    rows = texts(todo_rows(plan(*[DONE] * 10, NOW, *[NEXT] * 9), 60, folded=False))
    assert rows[0] == " ▾ 10/20 done · 13 more not shown" and len(rows) == 1 + MOST_STEPS
    assert rows[1:3] == ["   ✓ step 10", "   ● step 11"]
    assert texts(todo_rows(plan(*[DONE] * 20), 60, folded=False))[1] == "   ✓ step 1"


@given(
    st.lists(
        st.builds(TodoItem, text=st.text(max_size=80), status=st.sampled_from(TodoStatus)), min_size=1, max_size=20
    ),
    st.integers(20, 120),
    st.booleans(),
)
def test_any_text_stays_within_its_row(items, width: int, folded) -> None:
    for row in todo_rows(tuple(items), width, folded=folded, key="F7"):
        text = "".join(segment.text for segment in row)
        assert cell_len(text) <= width and "\n" not in text and "\x1b" not in text


async def test_it_is_there_while_there_is_something_to_do() -> None:
    app = WidgetApp(lambda: [TodoList(key="F7")])
    async with app.run_test(size=(120, 40)) as pilot:
        view = app.query_one(TodoList)
        state = SessionState(turn_id="t1")

        async def shows(state: SessionState) -> int:
            view.sync(state)
            await pilot.pause()
            return view.size.height if view.display else 0

        assert await shows(state) == 0
        assert await shows(replace(state, todos=plan(NOW, NEXT))) == 3
        finished = replace(state, todos=plan(DONE, DONE))
        assert await shows(finished) == 3
        assert await shows(replace(finished, turn_id=None)) == 0
        assert await shows(replace(finished, turn_id="t2")) == 0
        assert await shows(replace(finished, turn_id="t2", todos=plan(DONE, NEXT))) == 3
        assert await shows(replace(finished, turn_id=None, todos=plan(DONE, NEXT))) == 3
        assert await shows(replace(finished, todos=())) == 0


async def test_a_small_screen_folds_it_until_somebody_unfolds_it() -> None:
    app = WidgetApp(lambda: [TodoList()])
    async with app.run_test(size=(80, 24)) as pilot:
        view = app.query_one(TodoList)
        assert not view.toggle()
        view.sync(SessionState(turn_id="t", todos=plan(DONE, NOW, NEXT)))
        await pilot.pause()
        assert view.size.height == 1 and app.screen_text()[0].rstrip() == " ▸ 1/3 · now: step 2"
        assert view.toggle()
        await pilot.pause()
        assert view.size.height == 4
        view.toggle()
        await pilot.pause()
        assert view.size.height == 1


async def test_text_of_a_model_is_no_markup_and_moves_no_cursor() -> None:
    app = WidgetApp(lambda: [TodoList()])
    async with app.run_test(size=(80, 24)) as pilot:
        item = TodoItem(text="[@click=app.quit]x[/] \x1b[2J\u202eevil\nline", status=NOW)
        app.query_one(TodoList).sync(SessionState(turn_id="t", todos=(item,)))
        await pilot.pause()
        assert app.screen_text()[0].rstrip() == " ▸ 0/1 · now: [@click=app.quit]x[/] ⟨U+202E⟩evil↵line"

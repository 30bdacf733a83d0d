"""The chat pane shows the session state, whatever came before, and does little when little changed."""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest
from textual.geometry import Offset
from textual.pilot import Pilot

from patchbay.app.engine.events import Cost, CostSource, NoticeLevel
from patchbay.app.engine.state import (
    AnswerEntry,
    AnswerPart,
    NoticeEntry,
    PromptEntry,
    SessionState,
    StreamText,
    SwitchEntry,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from patchbay.app.tui.panes.chat import ChatPane
from patchbay.app.tui.transcript.cells import TextCell
from patchbay.app.tui.transcript.entries import price
from patchbay.app.tui.transcript.palette import ASCII_SIGNS, UNICODE_SIGNS, Signs
from patchbay.app.tui.transcript.tool_cell import RESULT_LINES
from patchbay.providers.base import ModelRef
from patchbay.providers.events import ErrorKind, InvalidArguments, JsonObject, ResponseError, StopReason
from patchbay.tools.events import Outcome
from support.markdown_texts import EVERYTHING
from support.session_states import answer, run
from support.widget_app import WidgetApp

REF = ModelRef(provider="anthropic", model="claude-sonnet-4-6")
NOW = 112.0


def text(*chunks: str) -> StreamText:
    stream = StreamText()
    for chunk in chunks:
        stream = stream.appended(chunk)
    return stream


def prompt(words: str, name: str = "p1") -> PromptEntry:
    return PromptEntry(prompt_id=name, text=words, at=99.0)


def closed(*parts: AnswerPart, **changes: object) -> AnswerEntry:
    cost = Cost(amount=Decimal("0.0123"), source=CostSource.COMPUTED)
    return answer(**({"parts": parts, "ended_at": 104.1, "cost": cost} | changes))


def said(words: str, index: int = 0, *, done: bool = True) -> TextPart:
    return TextPart(index=index, text=text(words), closed=done)


def called(index: int = 0, name: str = "bash", arguments: object = None, *, done: bool = True) -> ToolCallPart:
    return ToolCallPart(
        index=index,
        call_id=f"c{index}",
        name=name,
        run_id=f"q1.{index}",
        arguments_json=text("{}"),
        arguments=arguments,  # type: ignore[arg-type]
        closed=done,
    )


def session(*entries: object, **changes: object) -> SessionState:
    return SessionState(**({"session_id": "s1", "transcript": entries} | changes))  # type: ignore[arg-type]


@asynccontextmanager
async def chat(
    size: tuple[int, int] = (80, 40), *, signs: Signs = UNICODE_SIGNS
) -> AsyncIterator[tuple[ChatPane, WidgetApp, Pilot[None]]]:
    def panes() -> Iterator[ChatPane]:
        yield ChatPane(
            signs=signs, retry_hint="r asks again", welcome=("ask something",), jump_hint="End", clock=lambda: NOW
        )

    app = WidgetApp(panes)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app.query_one(ChatPane), app, pilot


def rows(app: WidgetApp) -> list[str]:
    """The rows of the screen without the scrollbar; empty ones at the end left out."""
    shown = [row[:-1].rstrip() for row in app.screen_text()]
    while shown and not shown[-1]:
        shown.pop()
    return shown


async def shown(state: SessionState, size: tuple[int, int] = (80, 40)) -> list[str]:
    """What a new pane shows of a state."""
    async with chat(size) as (pane, app, pilot):
        pane.sync(state)
        await pilot.pause()
        return rows(app)


async def test_a_conversation() -> None:
    thought = ThinkingPart(index=1, text=text("hm"), started_at=100.0, ended_at=102.1, closed=True)
    state = session(
        prompt("fix the parser\nplease"),
        closed(said("I looked at `parse`."), thought, called(2, "read", {"path": "a.py"}), said("Done.", 3)),
        SwitchEntry(ref=ModelRef(provider="ollama", model="qwen3:8b"), at=105.0),
        NoticeEntry(message="retrying in 2 s", level=NoticeLevel.WARNING, at=106.0),
        runs=(run(run_id="q1.2", name="read", title="a.py", outcome=Outcome.OK, summary="48 lines"),),
    )
    headline = "   ✓ read    a.py"
    assert await shown(state) == [
        " ▎ fix the parser",
        " ▎ please",
        "",
        " ▎ claude-sonnet-4-6 · 4.1 s · $0.012",
        "   I looked at parse.",
        "   ▸ thought for 2.1 s",
        headline + "48 lines".rjust(79 - len(headline)),
        "",
        "   Done.",
        "",
        "   → ollama/qwen3:8b",
        "",
        " ▎ retrying in 2 s",
    ]


async def test_ascii_signs() -> None:
    async with chat(signs=ASCII_SIGNS) as (pane, app, pilot):
        pane.sync(
            session(
                prompt("hi"),
                closed(said(EVERYTHING.replace("漢字の文章はここで折り返す", "").replace("👍", "")), called(1)),
            )
        )
        await pilot.pause()
        assert all(row.isascii() for row in rows(app))


async def test_an_empty_conversation_says_what_to_do_and_then_gives_way() -> None:
    async with chat() as (pane, app, pilot):
        pane.sync(session())
        await pilot.pause()
        assert rows(app) == ["   ask something"]
        pane.sync(session(prompt("hi")))
        await pilot.pause()
        assert rows(app) == [" ▎ hi"]


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


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (answer(first_token_at=None), "claude-sonnet-4-6 · waiting for the first token 12 s"),
        (answer(), "claude-sonnet-4-6 · 12 s"),
        (closed(cost=None), "claude-sonnet-4-6 · 4.1 s"),
        (closed(), "claude-sonnet-4-6 · 4.1 s · $0.012"),
        (closed(cost=Cost(amount=None, source=CostSource.UNKNOWN)), "claude-sonnet-4-6 · 4.1 s · price unknown"),
        (closed(cost=Cost(amount=Decimal(0), source=CostSource.COMPUTED)), "claude-sonnet-4-6 · 4.1 s · free"),
    ],
)
async def test_the_first_line_of_an_answer(entry: AnswerEntry, line: str) -> None:
    assert await shown(session(entry)) == [f" ▎ {line}"]


@pytest.mark.parametrize(
    ("amount", "source", "words"),
    [
        ("1.239", CostSource.COMPUTED, "$1.24"),
        ("0.0426", CostSource.ESTIMATED, "~$0.043"),
        ("0.00234", CostSource.REPORTED, "$0.0023"),
        ("0.00001", CostSource.COMPUTED, "<$0.0001"),
    ],
)
def test_prices(amount: str, source: CostSource, words: str) -> None:
    assert price(Cost(amount=Decimal(amount), source=source)) == words


def test_a_price_in_another_currency_names_it() -> None:
    assert price(Cost(amount=Decimal("0.5"), source=CostSource.REPORTED, currency="EUR")) == "0.500 EUR"


async def test_the_life_of_a_tool_call() -> None:
    async with chat() as (pane, app, pilot):

        async def line(state: SessionState) -> str:
            pane.sync(state)
            await pilot.pause()
            return " ".join(rows(app)[-1].split())

        coming = replace(called(name="bash", done=False), arguments_json=text('{"command": "py'))
        assert await line(session(answer=answer(parts=(coming,)))) == "● bash 15 characters"
        whole = called(name="bash", arguments={"command": "pytest -q"})
        entry = closed(whole)
        assert await line(session(entry)) == "● bash pytest -q"
        assert await line(session(entry, active_runs=(run(waiting=True),))) == "● bash pytest -q waits for you"
        assert await line(session(entry, active_runs=(run(),))) == "● bash pytest -q 12 s"
        ended = run(outcome=Outcome.OK, summary="exit 0")
        assert await line(session(entry, runs=(ended,))) == "✓ bash pytest -q exit 0"
        failed = session(entry, runs=(run(outcome=Outcome.DENIED),), session_id="s2")
        assert await line(failed) == "✗ bash pytest -q denied"


async def test_an_unfolded_call_shows_its_arguments_and_the_end_of_its_result() -> None:
    async with chat((60, 60)) as (pane, app, pilot):
        arguments: JsonObject = {"path": "a.py", "edits": [1, 2], "text": "\n".join(map(str, range(30)))}
        output = "\n".join(f"line {number}" for number in range(500))
        pane.sync(session(closed(called(0, "edit", arguments)), runs=(run(outcome=Outcome.OK, content=output),)))
        pane.select_next_cell()
        pane.toggle_selected()
        await pilot.pause()
        shown_rows = [row.lstrip(" ▌") for row in rows(app)]
        assert "│ path: a.py" in shown_rows
        assert "│ edits: [1, 2]" in shown_rows
        assert "│ … 17 more lines" in shown_rows
        assert f"│ … the last {RESULT_LINES} of 500 lines" in shown_rows
        assert shown_rows[-1] == "│ line 499"
        assert "│ line 459" not in shown_rows
        pane.toggle_selected()
        await pilot.pause()
        assert len(rows(app)) == 2


async def test_output_of_a_running_tool_shows_in_its_unfolded_cell() -> None:
    async with chat() as (pane, app, pilot):
        entry = closed(called(0, "bash", {"command": "make"}))
        pane.sync(session(entry, active_runs=(run(output=text("one\n")),)))
        pane.select_next_cell()
        pane.toggle_selected()
        pane.sync(session(entry, active_runs=(run(output=text("one\n", "two\n")),)))
        await pilot.pause()
        assert rows(app)[-1].endswith("│ two")


async def test_broken_arguments_are_said_to_be_broken() -> None:
    async with chat() as (pane, app, pilot):
        pane.sync(session(closed(called(0, "bash", InvalidArguments(raw='{"a', reason="cut off")))))
        await pilot.pause()
        assert rows(app)[-1].split()[:2] == ["✗", "bash"]
        pane.select_next_cell()
        pane.toggle_selected()
        await pilot.pause()
        assert [row.lstrip(" ▌│") for row in rows(app)[-2:]] == ["cut off", 'sent: {"a']


async def test_thinking_is_folded_and_unfolds() -> None:
    async with chat() as (pane, app, pilot):
        part = ThinkingPart(index=0, text=text("first **thought**"), started_at=100.0)
        pane.sync(session(answer=answer(parts=(part,))))
        await pilot.pause()
        assert rows(app)[-1] == "   ▸ thinking… 12 s"
        pane.toggle_thinking()
        await pilot.pause()
        assert rows(app)[-2:] == ["   ▾ thinking… 12 s", "     first thought"]
        part = replace(part, text=part.text.appended("\n- more"), ended_at=103.0, closed=True)
        pane.sync(session(answer=answer(parts=(part,))))
        await pilot.pause()
        assert rows(app)[-3:] == ["   ▾ thought for 3.0 s", "     first thought", "     • more"]
        other = ThinkingPart(index=1, text=text("again"), started_at=100.0, ended_at=101.0, closed=True)
        pane.sync(session(answer=answer(parts=(part, other))))
        await pilot.pause()
        assert rows(app)[-2:] == ["   ▾ thought for 1.0 s", "     again"]
        pane.toggle_thinking()
        await pilot.pause()
        assert rows(app)[-2:] == ["   ▸ thought for 3.0 s", "   ▸ thought for 1.0 s"]


async def test_withheld_thinking_cannot_be_unfolded() -> None:
    part = ThinkingPart(index=0, text=StreamText(), started_at=100.0, ended_at=101.0, closed=True, redacted=True)
    assert (await shown(session(closed(part))))[-1] == "   thought, withheld by the provider"


async def test_queued_prompts_stand_at_the_end_until_they_are_sent() -> None:
    async with chat() as (pane, app, pilot):
        first, later = prompt("go"), prompt("also this", "p2")
        part = said("one", done=False)
        pane.sync(session(first, answer=answer(parts=(part,)), queued=(later,)))
        await pilot.pause()
        assert rows(app)[-2:] == ["", " ▎ also this"]
        grown = (replace(part, text=part.text.appended("\n\ntwo")), said("three", 1, done=False))
        pane.sync(session(first, answer=answer(parts=grown), queued=(later,)))
        await pilot.pause()
        assert rows(app)[3:] == ["   one", "", "   two", "", "   three", "", " ▎ also this"]
        pane.sync(session(first, closed(*grown), later))
        await pilot.pause()
        assert rows(app)[-1] == " ▎ also this"
        assert len([row for row in rows(app) if "also this" in row]) == 1


async def test_a_failed_answer_keeps_its_text_and_names_what_to_do_while_it_is_the_last() -> None:
    async with chat() as (pane, app, pilot):
        error = ResponseError(kind=ErrorKind.RATE_LIMIT, message="429 from the server.\nWait a minute.")
        failed = closed(said("half an ans"), error=error, cost=None)
        pane.sync(session(failed))
        await pilot.pause()
        assert rows(app)[1:] == [
            "   half an ans",
            "",
            " ▎ rate limit: 429 from the server.",
            " ▎ Wait a minute.",
            " ▎ r asks again",
        ]
        pane.sync(session(failed, prompt("next", "p2")))
        await pilot.pause()
        assert not any("r asks again" in row for row in rows(app))


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (StopReason.MAX_TOKENS, "cut off: the answer reached its token limit"),
        (StopReason.CANCELLED, "cancelled"),
        (StopReason.REFUSAL, "the model refused"),
    ],
)
async def test_an_answer_that_was_cut_says_so(reason: StopReason, words: str) -> None:
    assert (await shown(session(closed(said("x"), stop_reason=reason))))[-1] == f" ▎ {words}"


async def test_a_good_end_says_nothing() -> None:
    assert len(await shown(session(closed(said("x"), stop_reason=StopReason.END_TURN)))) == 2


HOSTILE = "[bold red]m[/] \x1b[31mred\x1b]0;title\x07 \x9b31m a\u202eb\rc"


async def test_text_from_outside_is_neither_obeyed_nor_parsed() -> None:
    state = session(
        prompt(HOSTILE),
        closed(
            said(f"{HOSTILE}\n\n```{HOSTILE}\n{HOSTILE}\n```\n\n| {HOSTILE} |\n|---|\n| {HOSTILE} |"),
            called(1, HOSTILE, {HOSTILE: HOSTILE}),
            ref=ModelRef(provider="x", model=HOSTILE),
            error=ResponseError(kind=ErrorKind.PROTOCOL, message=HOSTILE),
        ),
        NoticeEntry(message=HOSTILE, level=NoticeLevel.INFO, at=1.0),
        SwitchEntry(ref=ModelRef(provider="x", model=HOSTILE), at=1.0),
        runs=(run(run_id="q1.1", name=HOSTILE, title=HOSTILE, outcome=Outcome.OK, summary=HOSTILE, content=HOSTILE),),
        queued=(prompt(HOSTILE, "p9"),),
    )
    async with chat((100, 60)) as (pane, app, pilot):
        pane.sync(state)
        for cell in pane.column.cells:
            pane.toggle(cell)
        await pilot.pause()
        painted = "\n".join(app.screen_text())
    assert not set(painted) & set("\x1b\x07\x9b\r\u202e")
    assert painted.count("[bold red]m[/]") >= 10


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

"""What the chat pane shows of a session state, entry by entry."""

from dataclasses import replace
from decimal import Decimal

import pytest

from patchbay.app.engine.events import Cost, CostSource, NoticeLevel
from patchbay.app.engine.state import AnswerEntry, NoticeEntry, SessionState, StreamText, SwitchEntry, ThinkingPart
from patchbay.app.tui.transcript.entries import price
from patchbay.app.tui.transcript.palette import ASCII_SIGNS
from patchbay.app.tui.transcript.tool_cell import RESULT_LINES
from patchbay.providers.base import ModelRef
from patchbay.providers.events import ErrorKind, InvalidArguments, JsonObject, ResponseError, StopReason
from patchbay.tools.events import Outcome
from support.chat_pane import called, chat, closed, prompt, rows, said, session, shown, text
from support.markdown_texts import EVERYTHING
from support.session_states import answer, run


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

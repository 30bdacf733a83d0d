"""A chat pane in a bare application, and short ways to write the states it shows."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal

from textual.pilot import Pilot

from patchbay.app.engine.events import Cost, CostSource
from patchbay.app.engine.state import (
    AnswerEntry,
    AnswerPart,
    PromptEntry,
    SessionState,
    StreamText,
    TextPart,
    ToolCallPart,
)
from patchbay.app.tui.panes.chat import ChatPane
from patchbay.app.tui.transcript.palette import UNICODE_SIGNS, Signs
from support.session_states import answer
from support.widget_app import WidgetApp

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

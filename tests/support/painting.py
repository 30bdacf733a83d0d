"""Paints every payload of a file in every place of the real screen; started in a process of its own, on a terminal.

Arguments: a JSON file with the payloads; a file whose number says how many of them the reader has seen. Every
place of every payload carries a mark, so that the reader knows that it was painted.
"""

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from textual import events as keys

from patchbay.app.engine.events import (
    NoticePosted,
    PromptSubmitted,
    ProviderActivity,
    RequestStarted,
    ToolActivity,
    TurnEnded,
    TurnOutcome,
    TurnStarted,
)
from patchbay.app.engine.session import Session
from patchbay.app.engine.state import PromptEntry
from patchbay.app.tui.app import PatchbayApp
from patchbay.app.tui.control import Preferences
from patchbay.app.tui.main_screen import MainScreen
from patchbay.app.tui.widgets.header import Header
from patchbay.app.tui.widgets.prompt import Prompt
from patchbay.providers.base import ModelRef
from patchbay.providers.events import (
    ErrorKind,
    ResponseError,
    ResponseStart,
    TextDelta,
    TextEnd,
    TextStart,
    ThinkingDelta,
    ThinkingEnd,
    ThinkingStart,
    ToolCallEnd,
    ToolCallStart,
)
from patchbay.providers.scripted import ScriptedProvider
from patchbay.tools.events import (
    ApprovalRequested,
    ApprovalResolved,
    Decision,
    FileChanged,
    Outcome,
    ToolOutputDelta,
    ToolRunFinished,
    ToolRunStarted,
)
from support.screens import Panel
from support.sessions import cost_of, make_session

PLACES = {
    "assistant text": "Pa",
    "reasoning": "Pr",
    "code block": "Pc",
    "tool name": "Pn",
    "tool argument": "Pg",
    "bash output": "Po",
    "file text in diff": "Pd",
    "file name": "Pf",
    "error message": "Pe",
    "session title": "Ps",
    "todo item": "Pt",
    "web_fetch title": "Pw",
    "MCP tool description": "Pm",
    "pasted input": "Pp",
}
"""Each place with the beginning of its mark. A todo item goes through a notice, an MCP tool's description through
the question about its call."""


def mark(place: str, number: int) -> str:
    """The mark of one payload in one place."""
    return f"{PLACES[place]}{number:03}"


def publish(session: Session, number: int, payload: str) -> None:
    """One turn with the payload in it, everywhere; its question stays open."""
    turn, request = f"t{number}", f"q{number}"
    run = f"{request}.2"

    short = payload[:300]
    """Names and titles come bounded out of the toolbox, whatever a model writes."""

    def at(place: str) -> str:
        bounded = place in ("tool name", "tool argument", "file name", "web_fetch title", "MCP tool description")
        return mark(place, number) + (short if bounded else payload)

    def provider(event) -> None:
        session.bus.publish(ProviderActivity(turn_id=turn, request_id=request, event=event))

    def tool(event) -> None:
        session.bus.publish(ToolActivity(turn_id=turn, request_id=request, part_index=2, event=event))

    code = "\n\n```python\n" + at("code block") + "\n```\n"
    session.bus.publish(PromptSubmitted(prompt_id=f"p{number}", text="go"))
    session.bus.publish(TurnStarted(turn_id=turn))
    session.bus.publish(
        RequestStarted(
            turn_id=turn,
            request_id=request,
            ref=ModelRef(provider="fake", model="demo"),
            dialect="scripted",
            estimated_input_tokens=1,
        )
    )
    for event in (
        ResponseStart(),
        ThinkingStart(index=0),
        ThinkingDelta(index=0, text=at("reasoning")),
        ThinkingEnd(index=0),
        TextStart(index=1),
        *(TextDelta(index=1, text=piece) for piece in (at("assistant text"), code)),
        TextEnd(index=1),
        ToolCallStart(index=2, call_id="c", name=at("tool name")),
        ToolCallEnd(index=2, call_id="c", name=at("tool name"), arguments={"x": payload}),
        ResponseError(kind=ErrorKind.INVALID_REQUEST, message=at("error message")),
    ):
        provider(event)
    tool(ToolRunStarted(run_id=run, name=at("tool name"), title=at("tool argument")))
    tool(ToolOutputDelta(run_id=run, text=at("bash output")))
    tool(
        FileChanged(
            run_id=run,
            path=at("file name") + mark("file name", number),
            before="old\n",
            after=at("file text in diff") + "\n",
        )
    )
    tool(
        ToolRunFinished(
            run_id=run,
            outcome=Outcome.ERROR,
            content=at("bash output"),
            summary=at("web_fetch title"),
            duration_s=0.1,
        )
    )
    session.bus.publish(NoticePosted(message=at("todo item")))
    tool(ToolRunStarted(run_id=f"{run}b", name="web_fetch", title=at("web_fetch title")))
    tool(
        ApprovalRequested(
            approval_id=f"a{number}",
            run_id=f"{run}b",
            name=f"mcp {short[:40]}",
            title=at("tool argument"),
            reason=at("MCP tool description"),
            pattern=short,
            preview=payload[:200_000],
        )
    )


def settle(session: Session, number: int) -> None:
    """Answer the question and end the turn."""
    turn, request = f"t{number}", f"q{number}"
    run = f"{request}.2b"
    for event in (
        ApprovalResolved(approval_id=f"a{number}", run_id=run, decision=Decision.DENY),
        ToolRunFinished(run_id=run, outcome=Outcome.DENIED, content="", summary="denied", duration_s=0.1),
    ):
        session.bus.publish(ToolActivity(turn_id=turn, request_id=request, part_index=2, event=event))
    session.bus.publish(TurnEnded(turn_id=turn, outcome=TurnOutcome.DONE))


async def paint(app: PatchbayApp, session: Session, payloads: list[str], seen: Path) -> None:
    """One payload after the other, each once the reader has seen the one before."""
    while not (app.screen_stack and isinstance(app.screen, MainScreen) and app.screen.query(Prompt)):
        await asyncio.sleep(0.01)
    screen = app.screen
    screen.action_toggle_thinking()
    for number, payload in enumerate(payloads):
        publish(session, number, payload)
        header, prompt = screen.query_one(Header), screen.query_one(Prompt)
        header._title = ""
        title = PromptEntry(prompt_id="title", text=mark("session title", number) + payload, at=0.0)
        header.sync(replace(session.state, transcript=(title,)))
        prompt.replace_all("")
        prompt.post_message(keys.Paste(mark("pasted input", number) + payload))
        while int(seen.read_text() or "0") <= number:
            await asyncio.sleep(0.01)
        settle(session, number)
    app.exit()


async def main(payloads: list[str], seen: Path) -> None:
    """Run the application and the painter beside it."""
    session, _ = make_session(ScriptedProvider("fake", []))
    app = PatchbayApp(Panel(session), Preferences(), cost_of=cost_of)
    painter = asyncio.create_task(paint(app, session, payloads, seen))
    painter.add_done_callback(lambda _: app.exit())
    await app.run_async()
    await painter


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])))

import asyncio
import io
import os
import signal
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from patchbay.app.cli.headless import run_prompt
from patchbay.app.cli.progress import Progress
from patchbay.app.engine.events import Stamped
from patchbay.providers.events import ResponseEvent, StopReason, TextDelta, TextStart
from patchbay.providers.messages import ChatRequest
from patchbay.providers.scripted import ScriptedProvider, answer, end, text, tool_call
from patchbay.tools.base import Approve, Emit
from patchbay.tools.events import ApprovalResolved, Decision
from support.sessions import FakeToolbox, make_session, question

CALL_THEN_ANSWER = (
    answer(text("Let me see."), tool_call("c1", "bash", {"command": "ls"}), end(StopReason.TOOL_CALLS)),
    answer(text("All done."), end()),
)


def asking(answers: list[ApprovalResolved]) -> FakeToolbox:
    """A toolbox whose only tool asks, and keeps what it was answered."""

    async def bash(_arguments: dict[str, Any], _emit: Emit, approve: Approve) -> str:
        answers.append(await approve(question("run-1")))
        return "listed"

    return FakeToolbox(bash=bash)


async def test_answer_and_report_of_a_whole_turn() -> None:
    session, _ = make_session(ScriptedProvider("fake", CALL_THEN_ANSWER), toolbox=asking([]))
    report, code = await run_prompt(session, "go")
    assert (report.text, report.requests, code) == ("All done.", 2, 0)
    assert report.tool_calls == [{"name": "bash", "ok": True}]


async def test_with_nobody_to_ask_the_tool_is_denied_and_told_why() -> None:
    answers: list[ApprovalResolved] = []
    session, _ = make_session(ScriptedProvider("fake", CALL_THEN_ANSWER), toolbox=asking(answers))
    await run_prompt(session, "go")
    assert [each.decision for each in answers] == [Decision.DENY]
    assert "no person to ask" in answers[0].comment


async def test_the_demo_approves_its_own_script() -> None:
    answers: list[ApprovalResolved] = []
    session, _ = make_session(ScriptedProvider("fake", CALL_THEN_ANSWER), toolbox=asking(answers))
    await run_prompt(session, "go", decision=Decision.ONCE)
    assert [(each.decision, each.comment) for each in answers] == [(Decision.ONCE, "")]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_signal_cancels_the_turn_and_keeps_what_arrived(number: signal.Signals, code: int) -> None:
    async def endless(_request: ChatRequest) -> AsyncGenerator[ResponseEvent, None]:
        yield TextStart(index=0)
        yield TextDelta(index=0, text="half")
        os.kill(os.getpid(), number)
        await asyncio.Event().wait()

    session, _ = make_session(ScriptedProvider("fake", endless))
    report, exit_code = await run_prompt(session, "go")
    assert (report.text, exit_code) == ("half", code)
    assert not session.busy


async def test_sinks_get_every_event_of_the_run_and_none_after_it() -> None:
    seen: list[Stamped] = []
    session, recording = make_session(ScriptedProvider("fake", [answer(text("hi"), end())]))
    before = len(recording.stamped)
    await run_prompt(session, "go", sinks=(seen.append,))
    assert seen == recording.stamped[before:]
    session.notice("later")
    assert seen[-1].event != recording.stamped[-1].event


# -- what a person reads meanwhile ------------------------------------------------------------------------------------


async def progress_of(toolbox: FakeToolbox, *, transcript: bool) -> str:
    out = io.StringIO()
    session, _ = make_session(ScriptedProvider("fake", CALL_THEN_ANSWER), toolbox=toolbox)
    await run_prompt(session, "go\x1b[31m", sinks=(Progress(out, transcript=transcript),))
    return out.getvalue()


async def listing(_arguments: dict[str, Any], emit: Emit, approve: Approve) -> str:
    return "listed"


async def test_progress_says_which_model_and_which_tools() -> None:
    shown = await progress_of(FakeToolbox(bash=listing), transcript=False)
    assert shown.splitlines() == ["-- fake/demo", "   ok: bash {'command': 'ls'} - ok", "-- fake/demo"]


async def test_transcript_also_has_prompt_and_answers_without_control_characters() -> None:
    shown = await progress_of(FakeToolbox(bash=listing), transcript=True)
    assert shown.startswith("> go\n")
    assert shown.index("Let me see.") < shown.index("ok: bash") < shown.index("All done.")
    assert "\x1b" not in shown

import asyncio

import pytest

from patchbay.app.engine.events import CallPriced, CostSource, PromptQueued, PromptSubmitted, ToolActivity, TurnOutcome
from patchbay.app.engine.history import history
from patchbay.app.engine.state import AnswerEntry, NoticeEntry, Phase, SwitchEntry
from patchbay.providers.events import (
    ErrorKind,
    InvalidArguments,
    ResponseStart,
    StopReason,
    TextDelta,
    TextStart,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)
from patchbay.providers.messages import AssistantMessage, TextBlock, ToolCallBlock, ToolResultMessage, UserMessage
from patchbay.providers.scripted import ScriptedProvider, answer, end, fail, text, tool_call, usage
from patchbay.tools.events import ApprovalRequested, Decision, Outcome, ToolRunFinished, ToolRunStarted
from support.sessions import FakeToolbox, make_session, model, question, until


async def echo(arguments, _emit, _approve):
    return f"ran {arguments}"


def outcomes(recording):
    return [each.event.outcome for each in recording.of(ToolActivity) if isinstance(each.event, ToolRunFinished)]


def assert_valid(messages):
    """Every call has exactly one result, right after its message, in order."""
    expected: list[str] = []
    for message in messages:
        match message:
            case AssistantMessage():
                assert not expected
                expected = [block.call_id for block in message.blocks if isinstance(block, ToolCallBlock)]
            case ToolResultMessage():
                assert expected.pop(0) == message.call_id
            case UserMessage():
                assert not expected
    assert not expected


async def test_prompt_tools_results_and_the_end_of_the_turn():
    provider = ScriptedProvider(
        "fake",
        [
            answer(
                text("look"),
                tool_call("a", "read", {"path": "x"}),
                tool_call("b", "read", {"path": "y"}),
                usage(100, 10),
                end(),
            ),
            answer(text("done"), usage(120, 5), end()),
        ],
    )
    session, recording = make_session(provider, toolbox=FakeToolbox(read=echo))
    session.submit("hello")
    assert await session.wait_idle() is TurnOutcome.DONE
    second = provider.requests[1].messages
    assert [type(message) for message in second] == [
        UserMessage,
        AssistantMessage,
        ToolResultMessage,
        ToolResultMessage,
    ]
    assert [message.call_id for message in second[2:]] == ["a", "b"]
    assert second[2].content == "ran {'path': 'x'}"
    assert provider.requests[0].tools[0].name == "read"
    assert session.state.phase is Phase.IDLE
    rows = recording.of(CallPriced)
    assert [row.cost.source for row in rows] == [CostSource.COMPUTED, CostSource.COMPUTED]
    assert session.state.totals.cost == rows[0].cost.amount + rows[1].cost.amount
    assert str(session.state.totals.cost) == "0.000885"


async def test_ids_a_server_uses_again_stay_apart():
    provider = ScriptedProvider(
        "fake",
        [
            answer(tool_call("call_0", "read", {"path": "1"}), end()),
            answer(tool_call("call_0", "read", {"path": "2"}), end()),
            answer(text("done"), end()),
        ],
    )
    session, recording = make_session(provider, toolbox=FakeToolbox(read=echo))
    session.submit("go")
    await session.wait_idle()
    started = [each.event.run_id for each in recording.of(ToolActivity) if isinstance(each.event, ToolRunStarted)]
    assert len(set(started)) == 2
    results = [message.content for message in history(session.state) if isinstance(message, ToolResultMessage)]
    assert results == ["ran {'path': '1'}", "ran {'path': '2'}"]


async def test_broken_arguments_never_run_and_are_told_to_the_model():
    broken = (
        ToolCallStart(index=0, call_id="a", name="read"),
        ToolCallDelta(index=0, arguments_json='{"pa'),
        ToolCallEnd(index=0, call_id="a", name="read", arguments=InvalidArguments(raw='{"pa', reason="cut off")),
    )
    provider = ScriptedProvider("fake", [answer(broken, end(StopReason.MAX_TOKENS)), answer(text("ok"), end())])
    toolbox = FakeToolbox(read=echo)
    session, recording = make_session(provider, toolbox=toolbox)
    session.submit("go")
    await session.wait_idle()
    assert toolbox.ran == []
    assert outcomes(recording) == [Outcome.ERROR]
    assert "cut off" in provider.requests[1].messages[-1].content


async def test_an_error_keeps_the_text_and_fails_the_turn_and_retry_asks_again():
    partial = (ResponseStart(), TextStart(index=0), TextDelta(index=0, text="half an"))
    cut = answer(tool_call("a", "read", {}))
    provider = ScriptedProvider(
        "fake",
        [
            (*partial, *fail(ErrorKind.NETWORK, "gone")),
            (*cut, *fail(ErrorKind.NETWORK, "again")),
            answer(text("whole"), end()),
        ],
    )
    toolbox = FakeToolbox(read=echo)
    session, _ = make_session(provider, toolbox=toolbox)
    session.submit("go")
    assert await session.wait_idle() is TurnOutcome.FAILED
    entry = session.state.transcript[-1]
    assert isinstance(entry, AnswerEntry)
    assert str(entry.parts[0].text) == "half an"
    assert session.retry()
    assert await session.wait_idle() is TurnOutcome.FAILED
    assert toolbox.ran == [], "a call of a response that broke off must not run"
    assert session.retry()
    assert await session.wait_idle() is TurnOutcome.DONE
    assert provider.requests[2].messages[1].blocks == (TextBlock(text="half an"),)
    assert_valid(provider.requests[2].messages)
    assert not session.retry(), "there is nothing left to retry"


async def test_cancel_while_streaming_keeps_what_arrived():
    gate = asyncio.Event()

    async def script(_request):
        yield ResponseStart()
        yield TextStart(index=0)
        yield TextDelta(index=0, text="some")
        await gate.wait()

    provider = ScriptedProvider("fake", [script, answer(text("next"), end())])
    session, recording = make_session(provider)
    session.submit("go")
    await until(lambda: session.state.answer is not None and session.state.answer.output_chars > 0)
    assert session.cancel()
    assert await session.wait_idle() is TurnOutcome.CANCELLED
    entry = session.state.transcript[-1]
    assert isinstance(entry, AnswerEntry)
    assert entry.stop_reason is StopReason.CANCELLED
    assert entry.parts[0].closed
    assert recording.of(CallPriced)[0].cost.source is CostSource.ESTIMATED
    session.submit("again")
    assert await session.wait_idle() is TurnOutcome.DONE
    assert_valid(provider.requests[1].messages)


async def test_cancel_in_a_tool_gives_every_call_a_result():
    started = asyncio.Event()

    async def hang(_arguments, _emit, _approve):
        started.set()
        await asyncio.Event().wait()
        return ""

    provider = ScriptedProvider(
        "fake", [answer(tool_call("a", "bash", {}), tool_call("b", "bash", {}), end()), answer(text("next"), end())]
    )
    session, recording = make_session(provider, toolbox=FakeToolbox(bash=hang))
    session.submit("go")
    await started.wait()
    session.cancel()
    assert await session.wait_idle() is TurnOutcome.CANCELLED
    assert outcomes(recording) == [Outcome.CANCELLED, Outcome.CANCELLED]
    assert session.state.active_runs == ()
    session.submit("again")
    await session.wait_idle()
    assert_valid(provider.requests[1].messages)


async def test_a_prompt_sent_meanwhile_is_delivered_after_the_current_tool():
    running, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_arguments, _emit, _approve):
        running.set()
        await go_on.wait()
        return "slow done"

    provider = ScriptedProvider(
        "fake", [answer(tool_call("a", "bash", {}), tool_call("b", "bash", {}), end()), answer(text("next"), end())]
    )
    session, recording = make_session(provider, toolbox=FakeToolbox(bash=slow))
    session.submit("go")
    await running.wait()
    session.submit("rather do this")
    assert session.state.queued[0].text == "rather do this"
    go_on.set()
    assert await session.wait_idle() is TurnOutcome.DONE
    assert outcomes(recording) == [Outcome.OK, Outcome.CANCELLED]
    last = provider.requests[1].messages
    assert last[-1] == UserMessage(blocks=(TextBlock(text="rather do this"),))
    assert_valid(last)
    assert session.state.queued == ()
    assert [type(event) for event in recording.of(PromptQueued, PromptSubmitted)] == [
        PromptSubmitted,
        PromptQueued,
        PromptSubmitted,
    ]


async def test_the_step_limit_stops_a_model_that_never_ends():
    forever = [answer(tool_call(f"c{n}", "read", {}), end()) for n in range(5)]
    session, _ = make_session(ScriptedProvider("fake", forever), toolbox=FakeToolbox(read=echo), step_limit=3)
    session.submit("go")
    assert await session.wait_idle() is TurnOutcome.STEP_LIMIT
    notice = session.state.transcript[-1]
    assert isinstance(notice, NoticeEntry)
    assert "step_limit" in notice.message


@pytest.mark.parametrize(("decision", "comment"), [(Decision.ONCE, ""), (Decision.DENY, "use git mv")])
async def test_only_resolve_answers_an_approval(decision, comment):
    seen = []

    async def ask(_arguments, _emit, approve):
        seen.append(await approve(question("run")))
        return "asked"

    provider = ScriptedProvider("fake", [answer(tool_call("a", "bash", {}), end()), answer(text("ok"), end())])
    session, recording = make_session(provider, toolbox=FakeToolbox(bash=ask))
    session.submit("go")
    await until(lambda: session.state.phase is Phase.APPROVAL)
    assert not session.resolve("another", Decision.ONCE)
    assert session.resolve("ask-1", decision, comment)
    assert not session.resolve("ask-1", Decision.ALWAYS), "a question is answered once"
    await session.wait_idle()
    assert (seen[0].decision, seen[0].comment) == (decision, comment)
    assert session.state.approvals == ()
    asked = [each for each in recording.of(ToolActivity) if isinstance(each.event, ApprovalRequested)]
    assert len(asked) == 1


async def test_switching_the_model_takes_the_history_along():
    one = ScriptedProvider("one", [answer(text("from one"), end())])
    two = ScriptedProvider("two", [answer(text("from two"), end())])
    session, _ = make_session(one, two)
    session.submit("first")
    await session.wait_idle()
    session.select_model(model("two", "other", window=1000), "scripted")
    session.submit("second")
    await session.wait_idle()
    assert [type(message) for message in two.requests[0].messages] == [UserMessage, AssistantMessage, UserMessage]
    assert two.requests[0].model == "other"
    assert any(isinstance(entry, SwitchEntry) for entry in session.state.transcript)
    assert session.state.model.context_window == 1000


async def test_a_result_never_takes_more_than_a_quarter_of_the_window():
    toolbox = FakeToolbox(read=echo)
    provider = ScriptedProvider("fake", [answer(tool_call("a", "read", {}), end()), answer(text("ok"), end())])
    session, _ = make_session(provider, toolbox=toolbox)
    session.submit("go")
    await session.wait_idle()
    assert toolbox.bounds == [8000 // 4 * 3]


async def test_an_unusable_provider_is_an_error_with_its_own_words():
    session, _ = make_session(ScriptedProvider("fake", []), select=model("nowhere"))
    session.submit("go")
    assert await session.wait_idle() is TurnOutcome.FAILED
    entry = session.state.transcript[-1]
    assert isinstance(entry, AnswerEntry)
    assert "Unknown provider 'nowhere'. There are: fake" in entry.error.message
    assert session.state.totals.cost == 0


async def test_a_provider_that_raises_ends_the_response_not_the_session():
    async def broken(_request):
        yield ResponseStart()
        raise KeyError("oops")

    session, _ = make_session(ScriptedProvider("fake", [broken, answer(text("ok"), end())]))
    session.submit("go")
    assert await session.wait_idle() is TurnOutcome.FAILED
    entry = session.state.transcript[-1]
    assert isinstance(entry, AnswerEntry)
    assert entry.error.kind is ErrorKind.PROTOCOL
    assert session.retry()
    assert await session.wait_idle() is TurnOutcome.DONE


async def test_cancel_before_the_first_step_is_an_orderly_end_too():
    session, _ = make_session(ScriptedProvider("fake", [answer(text("ok"), end())]))
    session.submit("go")
    session.cancel()
    assert await session.wait_idle() is TurnOutcome.CANCELLED
    assert session.retry()
    assert await session.wait_idle() is TurnOutcome.DONE


async def test_closing_sends_no_queued_prompt_and_keeps_it():
    gate = asyncio.Event()

    async def script(_request):
        yield ResponseStart()
        yield TextStart(index=0)
        yield TextDelta(index=0, text="some")
        await gate.wait()

    provider = ScriptedProvider("fake", [script, answer(text("never asked for"), end())])
    session, _ = make_session(provider)
    session.submit("go")
    await until(lambda: session.state.answer is not None and session.state.answer.output_chars > 0)
    session.submit("later")
    await session.aclose()
    await asyncio.sleep(0)
    assert not session.busy
    assert len(provider.requests) == 1
    assert [entry.text for entry in session.state.queued] == ["later"]


async def test_cancelled_before_its_calls_are_begun_each_call_has_a_result_all_the_same():
    gates: list[asyncio.Event] = []

    async def durable():
        if session.state.transcript and getattr(session.state.transcript[-1], "stop_reason", None) is not None:
            gates.append(asyncio.Event())
            await gates[-1].wait()

    calls = (tool_call("a", "read", {}), tool_call("b", "read", {}))
    toolbox = FakeToolbox(read=None)
    provider = ScriptedProvider("fake", [answer(*calls, end())])
    session, _ = make_session(provider, toolbox=toolbox, durable=durable)
    session.submit("go")
    await until(lambda: gates != [])  # the answer is being written; nothing runs before it is
    session.cancel()
    await until(lambda: not session.busy)
    assert toolbox.ran == []
    assert [run.outcome for run in session.state.runs] == [Outcome.CANCELLED] * 2
    kinds = [type(message).__name__ for message in history(session.state)]
    assert kinds == ["UserMessage", "AssistantMessage", "ToolResultMessage", "ToolResultMessage"]

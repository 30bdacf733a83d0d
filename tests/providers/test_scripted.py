"""The scripted provider plays what it is told, obeys the grammar, and can be cancelled anywhere."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers.base import FREE, Provider
from patchbay.providers.events import (
    ErrorKind,
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    ResponseStart,
    StopReason,
    TextDelta,
    TextEnd,
    TextStart,
    ToolCallDelta,
    ToolCallEnd,
    Usage,
    UsageUpdate,
)
from patchbay.providers.messages import ChatRequest, TextBlock, UserMessage
from patchbay.providers.scripted import (
    ScriptedProvider,
    answer,
    end,
    fail,
    pieces,
    start,
    text,
    thinking,
    tool_call,
    usage,
)

REQUEST = ChatRequest(model="demo", messages=(UserMessage(blocks=(TextBlock(text="hi"),)),))


async def play(provider: Provider, request: ChatRequest = REQUEST) -> list[ResponseEvent]:
    return [event async for event in provider.stream(request)]


async def test_request_n_gets_step_n_and_a_used_up_script_says_so() -> None:
    provider = ScriptedProvider("fake", [answer(text("one"), end()), lambda request: answer(text("two"), end())])
    first, second, third = [await play(provider) for _ in range(3)]
    assert TextDelta(index=0, text="one") in first
    assert TextDelta(index=0, text="two") in second
    assert len(third) == 1
    assert isinstance(third[0], ResponseError)
    assert third[0].kind is ErrorKind.PROTOCOL
    assert "2 steps" in third[0].message
    assert provider.requests == [REQUEST] * 3


async def test_one_callable_answers_every_request_from_the_request() -> None:
    provider = ScriptedProvider("fake", lambda request: answer(text(request.model), end()))
    for _ in range(2):
        assert TextDelta(index=0, text="demo") in await play(provider)


async def test_a_script_without_an_end_ends_in_an_error_and_nothing_follows_an_end() -> None:
    unfinished, finished = (
        await play(ScriptedProvider("a", [start()])),
        await play(ScriptedProvider("b", [(*end(), *text("late"))])),
    )
    assert isinstance(unfinished[-1], ResponseError)
    assert finished == list(end())


async def test_an_async_script_may_wait_and_closing_the_stream_ends_it() -> None:
    closed: list[str] = []

    async def script(request: ChatRequest) -> AsyncGenerator[ResponseEvent, None]:
        try:
            yield ResponseStart()
            await asyncio.Event().wait()
        finally:
            closed.append(request.model)

    stream = ScriptedProvider("fake", script).stream(REQUEST)
    assert await anext(stream) == ResponseStart()
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert closed == ["demo"]


async def test_closing_in_the_middle_yields_nothing_more() -> None:
    stream = ScriptedProvider("fake", [answer(text("a long answer in many pieces"), end())]).stream(REQUEST)
    for _ in range(4):
        await anext(stream)
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_other_tasks_run_between_two_events_even_without_a_delay() -> None:
    seen: list[str] = []

    async def consume() -> None:
        async for _ in ScriptedProvider("fake", [answer(text("a b c d e f"), end())]).stream(REQUEST):
            seen.append("event")

    async def other() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append("other")

    await asyncio.gather(consume(), other())
    assert seen.index("other") < len(seen) - 1 - seen[::-1].index("event")


async def test_only_deltas_are_paced(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("patchbay.providers.scripted.asyncio.sleep", sleep)
    script = answer(text("two words"), end())
    await play(ScriptedProvider("fake", [script], delay_s=0.5, first_delay_s=2.0))
    assert slept[0] == 2.0
    paced = zip(slept[1:], script, strict=True)
    assert all(seconds == (0.5 if isinstance(event, TextDelta) else 0) for seconds, event in paced)


def test_answers_number_their_blocks() -> None:
    events = answer(
        thinking("hm", signature="s"),
        text("yes"),
        tool_call("c1", "read", {"path": "a b"}),
        usage(3, 4, cache_read_tokens=5),
        end(StopReason.TOOL_CALLS),
    )
    assert events[0] == ResponseStart()
    assert [event.index for event in events if isinstance(event, TextStart | TextEnd)] == [1, 1]
    call = next(event for event in events if isinstance(event, ToolCallEnd))
    assert (call.index, call.arguments) == (2, {"path": "a b"})
    raw = "".join(event.arguments_json for event in events if isinstance(event, ToolCallDelta))
    assert raw == '{"path": "a b"}'
    assert events[-2:] == (
        UsageUpdate(usage=Usage(input_tokens=3, output_tokens=4, cache_read_tokens=5)),
        ResponseEnd(stop_reason=StopReason.TOOL_CALLS),
    )


@given(st.text())
def test_pieces_join_to_the_text_and_none_is_empty(content: str) -> None:
    assert "".join(pieces(content)) == content
    assert all(pieces(content))


async def test_it_is_a_provider() -> None:
    provider: Provider = ScriptedProvider("fake", [], models=("a", "b"), context_window=9)
    assert (provider.name, provider.dialect) == ("fake", "scripted")
    assert await provider.list_models() == ["a", "b"]
    known = await provider.model_info("b")
    assert known is not None
    assert (str(known.ref), known.context_window, known.price) == ("fake/b", 9, FREE)
    assert await provider.model_info("c") is None
    assert await provider.is_available()
    await provider.aclose()


async def test_a_failure_can_be_scripted() -> None:
    events = await play(ScriptedProvider("fake", [fail(ErrorKind.OVERLOADED, "busy", status=529, retryable=True)]))
    assert events == [ResponseError(kind=ErrorKind.OVERLOADED, message="busy", status=529, retryable=True)]

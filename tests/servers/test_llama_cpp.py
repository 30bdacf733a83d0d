"""A real llama.cpp server, through each of the three protocols it speaks.

Every request may produce at most 64 tokens. The model is so small that what it says means nothing; that it says it in
whole, stops when told to and fails in words is what is tested.
"""

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from patchbay.providers.dialects import DIALECTS
from patchbay.providers.endpoint import Endpoint
from patchbay.providers.events import (
    ErrorKind,
    InvalidArguments,
    ResponseEnd,
    ResponseError,
    ResponseStart,
    StopReason,
    TextDelta,
)
from patchbay.providers.handoff import prepare
from patchbay.providers.http import DialectProvider
from patchbay.providers.messages import ChatRequest, Message, TextBlock, ToolSpec, UserMessage
from support.histories import histories, without_images
from support.servers import RealServer, llama
from support.wire import calls_of, check_grammar, collect, last_usage, text_of

pytestmark = pytest.mark.cases

BASES = {"openai_chat": "/v1", "anthropic_messages": "", "openai_responses": "/v1"}
MODEL = "smollm2-135m"
TOOL = ToolSpec(
    name="read_file",
    description="Reads a file.",
    parameters={"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
)
HISTORIES = 25
every_dialect = pytest.mark.parametrize("dialect", BASES)


def asking(text: str, max_tokens: int, **fields: Any) -> ChatRequest:
    prompt = UserMessage(blocks=(TextBlock(text=text),))
    return ChatRequest(**{"model": MODEL, "messages": (prompt,), "max_tokens": max_tokens, **fields})


def provider(server: RealServer, dialect: str, **fields: Any) -> DialectProvider:
    base_url = server.root + BASES[dialect]
    endpoint = {"name": "llama.cpp", "dialect": dialect, "base_url": base_url, "local": True, **fields}
    return DIALECTS[dialect](Endpoint(**endpoint))


@pytest.fixture(scope="module")
def talker() -> Iterator[RealServer]:
    """Plain talk, with the model's own template, which knows no tools."""
    server = llama(TEMPLATE="builtin").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def caller() -> Iterator[RealServer]:
    """A template that can be made to call tools."""
    server = llama().start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def guarded() -> Iterator[RealServer]:
    """A window of 512 tokens, and a key."""
    server = llama(TEMPLATE="builtin", CTX="512", API_KEY="sk-test").start()
    yield server
    server.stop()


@every_dialect
async def test_an_answer_streams_and_is_counted(talker: RealServer, dialect: str) -> None:
    # Sampled, the first token is sometimes half a letter; over Messages this server then says nothing of its input.
    events = await collect(provider(talker, dialect), asking("Say hello.", 16, temperature=0.0))
    check_grammar(events)
    assert isinstance(events[-1], ResponseEnd), events[-1]
    assert text_of(events)
    usage = last_usage(events)
    assert usage is not None
    assert (usage.input_tokens or 0) + (usage.cache_read_tokens or 0) > 10
    assert 0 < (usage.output_tokens or 0) <= 16


@every_dialect
async def test_a_model_name_that_does_not_exist_is_answered_by_the_one_there_is(
    talker: RealServer, dialect: str
) -> None:
    events = await collect(provider(talker, dialect), asking("Hi", 16, model="no-such-model"))
    start = next(event for event in events if isinstance(event, ResponseStart))
    assert isinstance(events[-1], ResponseEnd)
    assert start.model in (MODEL, "no-such-model", None)  # Responses do not say
    assert text_of(events)


@every_dialect
async def test_tools_are_called(caller: RealServer, dialect: str) -> None:
    request = asking("Read the file a.txt", 64, tools=(TOOL,), tool_choice="required", system="Be brief.")
    events = await collect(provider(caller, dialect), request)
    check_grammar(events)
    assert isinstance(events[-1], ResponseEnd), events[-1]
    (call, *_) = calls_of(events)
    assert call.name == "read_file"
    # A call the limit cut off is told from one that is whole; over Responses this server calls both completed.
    whole = events[-1].stop_reason is StopReason.TOOL_CALLS and dialect != "openai_responses"
    assert isinstance(call.arguments, dict if whole else dict | InvalidArguments)


@every_dialect
async def test_tools_the_template_does_not_know_are_no_failure(talker: RealServer, dialect: str) -> None:
    events = await collect(provider(talker, dialect), asking("Read a.txt", 16, tools=(TOOL,)))
    assert isinstance(events[-1], ResponseEnd) and text_of(events)


@every_dialect
async def test_cancelling_stops_the_server(talker: RealServer, dialect: str) -> None:
    events = provider(talker, dialect).stream(asking("Count to one hundred.", 64, temperature=1.0))
    async with aclosing(events):
        async for event in events:
            if isinstance(event, TextDelta):
                break
    deadline = time.monotonic() + 20
    while (slot := await asyncio.to_thread(_slot, talker))["is_processing"]:
        assert time.monotonic() < deadline, "the server still works twenty seconds after the cancel"
        await asyncio.sleep(0.02)
    assert slot["next_token"][0]["n_decoded"] < 64


def _slot(server: RealServer) -> dict[str, Any]:
    with urllib.request.urlopen(f"{server.root}/slots", timeout=5) as reply:
        return json.load(reply)[0]


@every_dialect
async def test_a_conversation_over_the_window_is_told_as_such(guarded: RealServer, dialect: str) -> None:
    long = "All work and no play makes Jack a dull boy. " * 90
    events = await collect(provider(guarded, dialect, api_key=lambda: "sk-test"), asking(long, 16))
    assert isinstance(events[-1], ResponseError)
    assert events[-1].kind is ErrorKind.CONTEXT_OVERFLOW and not events[-1].retryable


@every_dialect
async def test_a_wrong_key_is_told_as_such_and_the_right_one_works(guarded: RealServer, dialect: str) -> None:
    keys = iter(["sk-wrong", "sk-test"])
    locked = provider(guarded, dialect, api_key=lambda: next(keys))
    events = await collect(locked, asking("Hi", 16))
    assert isinstance(events[-1], ResponseError) and events[-1].kind is ErrorKind.AUTHENTICATION
    assert isinstance((await collect(locked, asking("Hi", 16)))[-1], ResponseEnd)


async def test_a_server_killed_in_mid_answer_and_started_again() -> None:
    server = llama(TEMPLATE="builtin").start()
    try:
        talk = provider(server, "openai_chat")
        kept = ""
        events = []
        async with aclosing(talk.stream(asking("Tell me a long story.", 64))) as stream:
            async for event in stream:
                events.append(event)
                if isinstance(event, TextDelta) and not kept:
                    kept = event.text
                    server.kill()
        assert isinstance(events[-1], ResponseError), "it said all it had to say before it was killed"
        assert events[-1].kind is ErrorKind.NETWORK and events[-1].retryable
        assert kept and text_of(events).startswith(kept)
        check_grammar(events)
        await asyncio.to_thread(server.wait_until_gone)
        down = await collect(talk, asking("Hi", 8))
        assert isinstance(down[-1], ResponseError) and "server running" in down[-1].message
        await asyncio.to_thread(server.start)
        assert isinstance((await collect(talk, asking("Hi", 8)))[-1], ResponseEnd)
    finally:
        server.stop()


@every_dialect
def test_handed_off_histories_are_accepted(talker: RealServer, dialect: str) -> None:
    taken = 0

    @settings(max_examples=HISTORIES, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(history=histories)
    def send(history: tuple[Message, ...]) -> None:
        nonlocal taken
        target = {"provider": "llama.cpp", "dialect": dialect, "model": MODEL, "id_pattern": ""}
        prepared = prepare(without_images(history), **target)
        request = ChatRequest(model=MODEL, messages=prepared.messages, system="Be brief.", max_tokens=4)
        last = asyncio.run(_last(provider(talker, dialect), request))
        assert isinstance(last, ResponseEnd), last
        taken += 1

    send()
    assert taken >= 20


async def _last(to: DialectProvider, request: ChatRequest) -> Any:
    try:
        return (await collect(to, request))[-1]
    finally:
        await to.aclose()

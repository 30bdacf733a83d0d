"""A scripted server of somebody else's making: Ollama's own protocol, parallel calls, and failures on demand."""

from collections.abc import Iterator
from typing import Any

import pytest

from patchbay.providers.dialects import DIALECTS
from patchbay.providers.endpoint import Endpoint
from patchbay.providers.events import ErrorKind, ResponseEnd, ResponseError, StopReason
from patchbay.providers.http import DialectProvider
from patchbay.providers.messages import (
    AssistantMessage,
    ChatRequest,
    Effort,
    Message,
    TextBlock,
    ToolCallBlock,
    ToolResultMessage,
    ToolSpec,
    UserMessage,
)
from support.servers import RealServer, aimock
from support.wire import calls_of, check_grammar, collect, text_of, thinking_of

pytestmark = pytest.mark.cases

BASES = {"ollama": "", "openai_chat": "/v1", "anthropic_messages": "", "openai_responses": "/v1"}
TOOL = ToolSpec(name="read_file", description="Reads a file.", parameters={"type": "object", "properties": {}})
MODEL = "any-model"
every_dialect = pytest.mark.parametrize("dialect", BASES)


@pytest.fixture(scope="module")
def scripted() -> Iterator[RealServer]:
    server = aimock().start()
    yield server
    server.stop()


def provider(server: RealServer, dialect: str) -> DialectProvider:
    base_url = server.root + BASES[dialect]
    return DIALECTS[dialect](
        Endpoint(name="aimock", dialect=dialect, base_url=base_url, local=True, api_key=lambda: "sk-none")
    )


def asking(text: str, *more: Message, **fields: Any) -> ChatRequest:
    prompt = UserMessage(blocks=(TextBlock(text=text),))
    return ChatRequest(**{"model": MODEL, "messages": (prompt, *more), "max_tokens": 64, **fields})


@every_dialect
async def test_a_plain_answer(scripted: RealServer, dialect: str) -> None:
    events = await collect(provider(scripted, dialect), asking("hello"))
    check_grammar(events)
    assert isinstance(events[-1], ResponseEnd), events[-1]
    assert text_of(events) == "Hello! How can I help?"


@every_dialect
async def test_two_calls_at_once_and_their_results(scripted: RealServer, dialect: str) -> None:
    to = provider(scripted, dialect)
    events = await collect(to, asking("two tools", tools=(TOOL,)))
    check_grammar(events)
    assert isinstance(events[-1], ResponseEnd) and events[-1].stop_reason is StopReason.TOOL_CALLS
    calls = calls_of(events)
    assert [(call.name, call.arguments) for call in calls] == [
        ("read_file", {"path": "a.txt", "limit": 5}),
        ("read_file", {"path": "b.txt", "limit": 7}),
    ]
    assert len({call.call_id for call in calls}) == 2
    blocks = [
        TextBlock(text=text_of(events)),
        *(ToolCallBlock(call_id=call.call_id, name=call.name, arguments=call.arguments) for call in calls),
    ]
    said = AssistantMessage(blocks=tuple(blocks), provider="aimock", dialect=dialect, model=MODEL)
    results = [ToolResultMessage(call_id=call.call_id, name=call.name, content="ok") for call in calls]
    answer = await collect(to, asking("two tools", said, *results, tools=(TOOL,)))
    assert isinstance(answer[-1], ResponseEnd)
    assert text_of(answer) == "Both files are read."


@every_dialect
async def test_thinking_is_told_from_the_answer(scripted: RealServer, dialect: str) -> None:
    events = await collect(provider(scripted, dialect), asking("think first", effort=Effort.HIGH))
    check_grammar(events)
    assert (thinking_of(events), text_of(events)) == ("The user wants thought.", "Thought done.")


@every_dialect
async def test_an_answer_cut_off_is_an_error_and_keeps_its_text(scripted: RealServer, dialect: str) -> None:
    events = await collect(provider(scripted, dialect), asking("cut me off"))
    check_grammar(events)
    assert isinstance(events[-1], ResponseError) and events[-1].kind is ErrorKind.NETWORK
    assert "This answer stops in the middle".startswith(text_of(events)[:20])


@every_dialect
async def test_a_server_that_is_overloaded_says_so(scripted: RealServer, dialect: str) -> None:
    events = await collect(provider(scripted, dialect), asking("overloaded"))
    assert isinstance(events[-1], ResponseError)
    assert (events[-1].kind, events[-1].retryable) == (ErrorKind.OVERLOADED, True)

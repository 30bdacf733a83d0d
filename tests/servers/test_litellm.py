"""A real LiteLLM proxy in front of a real llama.cpp server: another implementation of Messages and of Responses.

Every request may produce at most 64 tokens.
"""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from patchbay.providers.dialects import DIALECTS
from patchbay.providers.endpoint import Endpoint
from patchbay.providers.events import ErrorKind, ResponseEnd, ResponseError, TextDelta
from patchbay.providers.handoff import prepare
from patchbay.providers.http import DialectProvider
from patchbay.providers.messages import ChatRequest, Message, TextBlock, ToolSpec, UserMessage
from support.histories import histories, without_images
from support.servers import RealServer, litellm, llama
from support.wire import calls_of, check_grammar, collect, last_usage, text_of

pytestmark = [pytest.mark.cases, pytest.mark.timeout(240)]

BASES = {"openai_chat": "/v1", "anthropic_messages": "", "openai_responses": "/v1"}
TOOL = ToolSpec(
    name="read_file",
    description="Reads a file.",
    parameters={"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
)
every_dialect = pytest.mark.parametrize("dialect", BASES)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """The proxy, and behind it a server that talks and one that calls tools."""
    server = litellm(Path("/nonexistent"))
    server.require()
    backends = {"smol": llama(TEMPLATE="builtin"), "smol-tools": llama()}
    try:
        for backend in backends.values():
            backend.start()
        roots = {name: backend.root for name, backend in backends.items()}
        server = litellm(_configured(tmp_path_factory.mktemp("litellm") / "litellm.yaml", roots))
        yield server.start()
    finally:
        server.stop()
        for backend in backends.values():
            backend.stop()


def _configured(file: Path, roots: dict[str, str]) -> Path:
    rows = ["model_list:"]
    for name, root in roots.items():
        rows += [
            f"  - model_name: {name}",
            f"    litellm_params: {{model: openai/smollm2-135m, api_base: {root}/v1, api_key: none}}",
        ]
    for name, failure in (("limited", "RateLimitError"), ("ctx", "ContextWindowExceededError")):
        rows += [
            f"  - model_name: {name}",
            f"    litellm_params: {{model: openai/gpt-4o, api_key: none, mock_response: litellm.{failure}}}",
        ]
    rows.append("litellm_settings: {telemetry: false, num_retries: 0, drop_params: true}")
    file.write_text("\n".join(rows) + "\n")
    return file


def provider(server: RealServer, dialect: str) -> DialectProvider:
    base_url = server.root + BASES[dialect]
    return DIALECTS[dialect](
        Endpoint(name="litellm", dialect=dialect, base_url=base_url, local=True, api_key=lambda: "sk-lab")
    )


def asking(text: str, max_tokens: int, **fields: Any) -> ChatRequest:
    prompt = UserMessage(blocks=(TextBlock(text=text),))
    return ChatRequest(**{"model": "smol", "messages": (prompt,), "max_tokens": max_tokens, **fields})


@every_dialect
async def test_an_answer_streams_and_is_counted(proxy: RealServer, dialect: str) -> None:
    events = await collect(provider(proxy, dialect), asking("Say hello.", 16))
    check_grammar(events)
    assert isinstance(events[-1], ResponseEnd), events[-1]
    assert text_of(events)
    usage = last_usage(events)
    assert usage is not None and (usage.output_tokens or 0) > 0


@every_dialect
async def test_tools_are_called(proxy: RealServer, dialect: str) -> None:
    request = asking("Read the file a.txt", 64, model="smol-tools", tools=(TOOL,), tool_choice="required")
    events = await collect(provider(proxy, dialect), request)
    check_grammar(events)
    assert isinstance(events[-1], ResponseEnd), events[-1]
    assert calls_of(events)[0].name == "read_file"


@every_dialect
async def test_an_answer_can_be_cancelled_and_the_next_one_comes(proxy: RealServer, dialect: str) -> None:
    to = provider(proxy, dialect)
    async with aclosing(to.stream(asking("Count to one hundred.", 64))) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    assert isinstance((await collect(to, asking("Hi", 16)))[-1], ResponseEnd)


@every_dialect
async def test_a_model_that_is_not_there(proxy: RealServer, dialect: str) -> None:
    events = await collect(provider(proxy, dialect), asking("Hi", 16, model="no-such-model"))
    assert isinstance(events[-1], ResponseError)
    assert events[-1].kind in (ErrorKind.INVALID_REQUEST, ErrorKind.NOT_FOUND)
    assert "no-such-model" in events[-1].message and not events[-1].retryable


@pytest.mark.parametrize(("model", "kind"), [("limited", ErrorKind.RATE_LIMIT), ("ctx", ErrorKind.CONTEXT_OVERFLOW)])
@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic_messages"])
async def test_failures_keep_their_kind_through_a_proxy(
    proxy: RealServer, dialect: str, model: str, kind: ErrorKind
) -> None:
    events = await collect(provider(proxy, dialect), asking("Hi", 16, model=model))
    assert isinstance(events[-1], ResponseError)
    assert events[-1].kind is kind


def test_handed_off_histories_are_accepted_in_responses(proxy: RealServer) -> None:
    dialect, taken = "openai_responses", 0

    @settings(max_examples=22, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(history=histories)
    def send(history: tuple[Message, ...]) -> None:
        nonlocal taken
        target = {"provider": "litellm", "dialect": dialect, "model": "smol", "id_pattern": ""}
        prepared = prepare(without_images(history), **target)
        request = ChatRequest(model="smol", messages=prepared.messages, system="Be brief.", max_tokens=4)
        last = asyncio.run(_last(provider(proxy, dialect), request))
        assert isinstance(last, ResponseEnd), last
        taken += 1

    send()
    assert taken >= 20


async def _last(to: DialectProvider, request: ChatRequest) -> Any:
    try:
        return (await collect(to, request))[-1]
    finally:
        await to.aclose()

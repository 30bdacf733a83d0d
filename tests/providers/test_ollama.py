"""Native Ollama: JSON lines on the way in, options on the way out."""

import json
from typing import Any

import httpx
import pytest

from patchbay.providers.base import ModelInfo, ModelRef
from patchbay.providers.endpoint import Quirks
from patchbay.providers.events import (
    ErrorKind,
    InvalidArguments,
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    ResponseStart,
    StopReason,
    Usage,
    UsageUpdate,
)
from patchbay.providers.messages import (
    AssistantMessage,
    ChatRequest,
    ImageBlock,
    Message,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    ToolResultMessage,
    ToolSpec,
    UserMessage,
)
from patchbay.providers.ollama import Ollama
from support.wire import Server, calls_of, check_grammar, collect, endpoint, last_usage, text_of, thinking_of

BASE = {"dialect": "ollama", "base_url": "http://localhost:11434"}


def line(done: bool = False, **message: Any) -> dict[str, Any]:
    return {"model": "qwen3:4b", "message": {"role": "assistant", "content": "", **message}, "done": done}


def end(reason: str = "stop", **fields: Any) -> dict[str, Any]:
    return line(done=True) | {"done_reason": reason, **fields}


def call(name: str, arguments: Any, **outer: Any) -> dict[str, Any]:
    return {**outer, "function": {"name": name, "arguments": arguments}}


async def decoded(*lines: Any, size: int = 10_000) -> list[ResponseEvent]:
    body = "".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in lines).encode()
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    events = await collect(Ollama(endpoint(**BASE), transport=Server(pieces)))
    check_grammar(events)
    return events


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_thinking_text_and_usage(size: int) -> None:
    events = await decoded(
        line(thinking="Hm "),
        line(thinking="so"),
        line(content="Grüße "),
        line(content="🎉"),
        end(prompt_eval_count=21, eval_count=8),
        size=size,
    )
    assert events[0] == ResponseStart(model="qwen3:4b")
    assert (thinking_of(events), text_of(events)) == ("Hm so", "Grüße 🎉")
    assert last_usage(events) == Usage(input_tokens=21, output_tokens=8)
    assert events[-1] == ResponseEnd(stop_reason=StopReason.END_TURN, raw_stop_reason="stop")


async def test_calls_come_whole_with_an_id_or_without() -> None:
    events = await decoded(
        line(tool_calls=[call("read", {"p": 1}, id="call_a"), call("read", {"p": 2})]),
        line(tool_calls=[call("now", {}), call("old", '{"q":3}'), call("none", None)]),
        end(),
    )
    assert [(each.name, each.arguments) for each in calls_of(events)] == [
        ("read", {"p": 1}),
        ("read", {"p": 2}),
        ("now", {}),
        ("old", {"q": 3}),
        ("none", {}),
    ]
    assert calls_of(events)[0].call_id == "call_a"
    assert events[-1] == ResponseEnd(stop_reason=StopReason.TOOL_CALLS, raw_stop_reason="stop")


@pytest.mark.parametrize(
    ("reason", "stop"),
    [("length", StopReason.MAX_TOKENS), ("", StopReason.END_TURN), ("unload", StopReason.OTHER)],
)
async def test_reasons(reason: str, stop: StopReason) -> None:
    last = (await decoded(line(content="a"), end(reason)))[-1]
    assert last == ResponseEnd(stop_reason=stop, raw_stop_reason=reason or None)


async def test_missing_counts_are_none() -> None:
    assert last_usage(await decoded(line(content="a"), end(eval_count=3))) == Usage(output_tokens=3)
    assert not any(isinstance(event, UsageUpdate) for event in await decoded(line(content="a"), end()))


async def test_errors_in_the_stream() -> None:
    events = await decoded(line(content="a"), {"error": "out of memory"})
    assert isinstance(events[-1], ResponseError) and "out of memory" in events[-1].message
    assert text_of(events) == "a"


async def test_a_stream_that_just_ends() -> None:
    events = await decoded(line(content="a"), line(tool_calls=[call("read", {"p": 1})]))
    assert isinstance(events[-1], ResponseError) and events[-1].kind is ErrorKind.NETWORK
    assert isinstance(calls_of(events)[0].arguments, InvalidArguments)


async def test_an_answer_in_one_piece() -> None:
    events = await decoded(line(done=True, content="a", thinking="T") | {"done_reason": "stop"})
    assert (thinking_of(events), text_of(events)) == ("T", "a")


@pytest.mark.parametrize("odd", [{}, {"message": None}, {"message": {"tool_calls": [None]}}, "junk", "[]", ""])
async def test_odd_lines_do_no_harm(odd: Any) -> None:
    events = await decoded(line(content="a"), odd, end())
    assert text_of(events) == "a" and isinstance(events[-1], ResponseEnd)


# -- Requests --------------------------------------------------------------------------------------------------------


def body(*messages: Message, quirks: Quirks | None = None, **fields: Any) -> dict[str, Any]:
    request = ChatRequest(model="m", messages=messages, **fields)
    made: Any = Ollama(endpoint(**BASE, quirks=quirks or Quirks())).request_body(request)
    return made


def said(*blocks: Any, provider: str = "here", model: str = "m") -> AssistantMessage:
    return AssistantMessage(blocks=blocks, provider=provider, dialect="ollama", model=model)


def prompt(text: str) -> UserMessage:
    return UserMessage(blocks=(TextBlock(text=text),))


@pytest.mark.parametrize("base", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"])
async def test_the_root_of_the_server_is_asked(base: str) -> None:
    server = Server(json.dumps(end()).encode())
    await collect(Ollama(endpoint("ollama", base_url=base), transport=server))
    assert str(server.requests[0].url) == "http://h:1/api/chat"


def test_an_overlong_conversation_is_refused_not_cut() -> None:
    assert body(prompt("hello")) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "truncate": False,
        "shift": False,
    }


def test_options_are_merged() -> None:
    made = body(
        prompt("x"),
        max_tokens=9,
        temperature=0.5,
        extra={"think": True, "options": {"num_ctx": 8192}},
        quirks=Quirks(extra_body={"keep_alive": "5m", "options": {"num_ctx": 4096, "seed": 1}}),
    )
    assert made["options"] == {"num_predict": 9, "temperature": 0.5, "num_ctx": 8192, "seed": 1}
    assert (made["think"], made["keep_alive"]) == (True, "5m")


def test_messages_of_every_kind() -> None:
    tool = ToolSpec(name="read", description="Reads.", parameters={"type": "object"})
    made = body(
        UserMessage(blocks=(TextBlock(text="see"), ImageBlock(media_type="image/png", data_base64="QQ=="))),
        said(ThinkingBlock(text="T"), TextBlock(text="a"), ToolCallBlock(call_id="c", name="read", arguments={"p": 1})),
        ToolResultMessage(call_id="c", name="read", content="R"),
        said(ToolCallBlock(call_id="d", name="read", arguments=InvalidArguments(raw="{", reason="cut"))),
        said(ThinkingBlock(text="nothing else")),
        system="Be brief.",
        tools=(tool,),
    )
    assert made["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "see", "images": ["QQ=="]},
        {
            "role": "assistant",
            "content": "a",
            "thinking": "T",
            "tool_calls": [{"id": "c", "function": {"name": "read", "arguments": {"p": 1}}}],
        },
        {"role": "tool", "tool_name": "read", "tool_call_id": "c", "content": "R"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "d", "function": {"name": "read", "arguments": {}}}],
        },
    ]
    assert made["tools"][0]["function"]["name"] == "read"
    assert "tools" not in body(prompt("x"), tools=(tool,), tool_choice="none")


def test_thinking_goes_back_in_the_running_loop_to_its_maker_only() -> None:
    answer = (ThinkingBlock(text="T"), TextBlock(text="a"))
    old = body(prompt("x"), said(*answer), prompt("y"))["messages"][1]
    foreign = body(prompt("x"), said(*answer, model="n"))["messages"][1]
    assert "thinking" not in old and "thinking" not in foreign


# -- Models ----------------------------------------------------------------------------------------------------------


class Lab(httpx.AsyncBaseTransport):
    """A server with one model, loaded or not."""

    def __init__(self, loaded: list[dict[str, Any]]) -> None:
        self.loaded = loaded

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        match request.url.path:
            case "/api/tags":
                return httpx.Response(200, json={"models": [{"name": "qwen3:4b"}, {"name": "phi:mini"}]})
            case "/api/show" if json.loads(request.content) == {"model": "qwen3:4b"}:
                return httpx.Response(200, json={"capabilities": ["completion", "tools", "thinking"]})
            case "/api/ps":
                return httpx.Response(200, json={"models": self.loaded})
            case _:
                return httpx.Response(404, json={"error": "model not found"})


async def test_models_and_what_is_known_of_them() -> None:
    provider = Ollama(endpoint(**BASE), transport=Lab([{"name": "qwen3:4b", "context_length": 8192}]))
    assert await provider.list_models() == ["qwen3:4b", "phi:mini"]
    ref = ModelRef(provider="here", model="qwen3:4b")
    known = ModelInfo(ref=ref, context_window=8192, tools=True, vision=False, thinking=True)
    assert await provider.model_info("qwen3:4b") == known
    assert await provider.model_info("missing") is None
    unloaded = await Ollama(endpoint(**BASE), transport=Lab([])).model_info("qwen3:4b")
    assert unloaded is not None and unloaded.context_window is None
    quirks = Quirks(extra_body={"options": {"num_ctx": 16384}})
    asked = await Ollama(endpoint(**BASE, quirks=quirks), transport=Lab([])).model_info("qwen3:4b")
    assert asked is not None and asked.context_window == 16384


async def test_a_server_that_is_down_says_nothing() -> None:
    provider = Ollama(endpoint(**BASE), transport=Server(fails=httpx.ConnectError("refused")))
    assert await provider.model_info("m") is None
    assert await provider.is_available() is False

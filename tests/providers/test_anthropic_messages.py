"""Anthropic Messages: events of every kind on the way in, cached and signed history on the way out."""

import json
from typing import Any

import pytest

from patchbay.providers.anthropic_messages import AnthropicMessages
from patchbay.providers.blocks import BROKEN_OFF, CUT_AT_LIMIT
from patchbay.providers.endpoint import Quirks
from patchbay.providers.events import (
    ErrorKind,
    InvalidArguments,
    Notice,
    OpaqueBlock,
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    ResponseStart,
    StopReason,
    TextEnd,
    ThinkingEnd,
    Usage,
)
from patchbay.providers.messages import (
    AssistantMessage,
    ChatRequest,
    ImageBlock,
    Message,
    ServerBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    ToolResultMessage,
    ToolSpec,
    UserMessage,
)
from support.wire import (
    Server,
    calls_of,
    check_grammar,
    collect,
    endpoint,
    last_usage,
    sse,
    text_of,
    thinking_of,
)

BASE = {"dialect": "anthropic_messages", "base_url": "https://api.example.test"}


def start(**fields: Any) -> dict[str, Any]:
    message = {"id": "msg_1", "model": "claude-x", "content": [], "stop_reason": None, "usage": {"input_tokens": 3}}
    return {"type": "message_start", "message": {**message, **fields}}


def block(index: int, kind: str, *deltas: dict[str, Any], stop: bool = True, **fields: Any) -> list[dict[str, Any]]:
    """Start, deltas and stop of one block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}},
        *({"type": "content_block_delta", "index": index, "delta": each} for each in deltas),
        *([{"type": "content_block_stop", "index": index}] if stop else []),
    ]


def text(index: int, *pieces: str) -> list[dict[str, Any]]:
    return block(index, "text", *({"type": "text_delta", "text": each} for each in pieces), text="")


def tool(index: int, call_id: str, *pieces: str, stop: bool = True, **fields: Any) -> list[dict[str, Any]]:
    deltas = ({"type": "input_json_delta", "partial_json": each} for each in pieces)
    return block(index, "tool_use", *deltas, stop=stop, **{"id": call_id, "name": "read", "input": {}, **fields})


def ending(reason: str = "end_turn", usage: dict[str, Any] | None = None, **fields: Any) -> list[dict[str, Any]]:
    return [
        {"type": "message_delta", "delta": {"stop_reason": reason, **fields}, "usage": usage or {"output_tokens": 9}},
        {"type": "message_stop"},
    ]


async def decoded(*events: Any, done: bool = False) -> list[ResponseEvent]:
    server = Server(sse(*events, done=done))
    found = await collect(AnthropicMessages(endpoint(**BASE), transport=server))
    check_grammar(found)
    return found


def end_of(events: list[ResponseEvent]) -> tuple[StopReason, str | None]:
    assert isinstance(events[-1], ResponseEnd), events[-1]
    return events[-1].stop_reason, events[-1].raw_stop_reason


async def test_text_thinking_and_calls() -> None:
    events = await decoded(
        start(),
        {"type": "ping"},
        *block(
            0,
            "thinking",
            {"type": "thinking_delta", "thinking": "Hm"},
            {"type": "signature_delta", "signature": "sig=="},
            thinking="",
            signature="",
        ),
        *text(1, "Let ", "me"),
        *tool(2, "toolu_1", "", '{"p":', "1}"),
        *tool(3, "toolu_2"),
        *ending("tool_use"),
    )
    assert events[0] == ResponseStart(response_id="msg_1", model="claude-x")
    assert (thinking_of(events), text_of(events)) == ("Hm", "Let me")
    assert [(call.call_id, call.arguments) for call in calls_of(events)] == [("toolu_1", {"p": 1}), ("toolu_2", {})]
    assert ThinkingEnd(index=0, signature="sig==") in events
    assert end_of(events) == (StopReason.TOOL_CALLS, "tool_use")
    assert last_usage(events) == Usage(input_tokens=3, output_tokens=9)


async def test_events_are_known_by_json_type_or_else_by_name() -> None:
    lines = [f"event: {each.pop('type')}\ndata: {json.dumps(each)}\n\n" for each in [start(), *text(0, "a"), *ending()]]
    body = "".join(lines).replace('"content_block": {}', '"content_block": {"type": "text"}').encode()
    events = await collect(AnthropicMessages(endpoint(**BASE), transport=Server(body)))
    assert text_of(events) == "a" and end_of(events)[0] is StopReason.END_TURN


async def test_signature_without_thinking_and_empty_signature() -> None:
    alone = block(0, "thinking", {"type": "signature_delta", "signature": "s"}, thinking="", signature="")
    unsigned = block(1, "thinking", {"type": "thinking_delta", "thinking": "T"}, thinking="", signature="")
    nothing = block(2, "thinking", thinking="", signature="")
    events = await decoded(start(), *alone, *unsigned, *nothing, *ending())
    assert [event.signature for event in events if isinstance(event, ThinkingEnd)] == ["s", ""]


async def test_redacted_thinking() -> None:
    events = await decoded(start(), *block(0, "redacted_thinking", data="xyz"), *text(1, "a"), *ending())
    assert ThinkingEnd(index=0, redacted=True, provider_metadata={"data": "xyz"}) in events


async def test_server_tools_are_kept_whole() -> None:
    result = {"tool_use_id": "srv", "content": [{"type": "web_search_result", "url": "u", "encrypted_content": "e"}]}
    query = [{"type": "input_json_delta", "partial_json": each} for each in ("", '{"q":', '"x"}')]
    events = await decoded(
        start(),
        *text(0, "a"),
        *block(1, "server_tool_use", *query, id="srv", name="web_search", input={}),
        *block(2, "web_search_tool_result", **result),
        *text(3, "b"),
        *ending(),
    )
    assert [event for event in events if isinstance(event, OpaqueBlock)] == [
        OpaqueBlock(
            index=1,
            kind="server_tool_use",
            payload={"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"q": "x"}},
        ),
        OpaqueBlock(index=2, kind="web_search_tool_result", payload={"type": "web_search_tool_result", **result}),
    ]
    assert text_of(events) == "ab" and calls_of(events) == []
    assert end_of(events) == (StopReason.END_TURN, "end_turn")


async def test_unknown_blocks_grow_by_unknown_deltas() -> None:
    deltas = [
        {"type": "compaction_delta", "content": "sum"},
        {"type": "compaction_delta", "content": "mary"},
        {"type": "other_delta", "level": 3, "content": None},
        {"type": "citations_delta", "citation": {"n": 1}},
    ]
    events = await decoded(start(), *block(0, "compaction", *deltas, content=None), *ending())
    payload = {"type": "compaction", "content": "summary", "level": 3, "citations": [{"n": 1}]}
    assert OpaqueBlock(index=0, kind="compaction", payload=payload) in events


async def test_citations_cost_no_text_and_are_kept() -> None:
    cited = [{"type": "text_delta", "text": "a"}, {"type": "citations_delta", "citation": {"url": "u"}}]
    events = await decoded(
        start(), *block(0, "text", *cited, {"type": "text_delta", "text": "b"}, text="", citations=[]), *ending()
    )
    assert text_of(events) == "ab"
    assert TextEnd(index=0, provider_metadata={"citations": [{"url": "u"}]}) in events


async def test_whole_content_in_the_start() -> None:
    content = [
        {"type": "thinking", "thinking": "T", "signature": "s"},
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "t1", "name": "read", "input": {"p": 1}, "caller": {"type": "code"}},
    ]
    events = await decoded(start(content=content, stop_reason="tool_use"), {"type": "message_stop"})
    assert (thinking_of(events), text_of(events)) == ("T", "a")
    (call,) = calls_of(events)
    assert (call.arguments, call.provider_metadata) == ({"p": 1}, {"caller": {"type": "code"}})
    assert end_of(events) == (StopReason.TOOL_CALLS, "tool_use")


async def test_an_answer_in_one_piece() -> None:
    message = start(content=[{"type": "text", "text": "a"}], stop_reason="max_tokens")["message"]
    events = await collect(AnthropicMessages(endpoint(**BASE), transport=Server(json.dumps(message).encode())))
    check_grammar(events)
    assert text_of(events) == "a" and end_of(events) == (StopReason.MAX_TOKENS, "max_tokens")


async def test_a_second_start_does_not_repeat_the_content() -> None:
    twice = start(content=[{"type": "text", "text": "a"}])
    assert text_of(await decoded(twice, twice, *ending())) == "a"


@pytest.mark.parametrize("stop", [True, False])
@pytest.mark.parametrize(("pieces", "reason"), [(['{"p": "x'], "not valid JSON"), ([], CUT_AT_LIMIT)])
async def test_calls_cut_at_the_limit_never_run(pieces: list[str], reason: str, stop: bool) -> None:
    events = await decoded(start(), *tool(0, "t1", *pieces, stop=stop), *ending("max_tokens"))
    (call,) = calls_of(events)
    assert isinstance(call.arguments, InvalidArguments) and reason in call.arguments.reason
    assert end_of(events) == (StopReason.MAX_TOKENS, "max_tokens")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", StopReason.END_TURN),
        ("stop_sequence", StopReason.END_TURN),
        ("max_tokens", StopReason.MAX_TOKENS),
        ("model_context_window_exceeded", StopReason.MAX_TOKENS),
        ("pause_turn", StopReason.PAUSE_TURN),
        ("refusal", StopReason.REFUSAL),
        ("brand_new", StopReason.OTHER),
    ],
)
async def test_stop_reasons(raw: str, reason: StopReason) -> None:
    assert end_of(await decoded(start(), *text(0, "a"), *ending(raw))) == (reason, raw)


async def test_a_refusal_says_why() -> None:
    details = {"type": "refusal", "explanation": "Not this."}
    events = await decoded(start(), *text(0, "a"), *ending("refusal", stop_details=details))
    assert Notice(message="Not this.") in events


async def test_usage_is_cumulative_and_the_last_value_of_each_field_counts() -> None:
    first = {
        "input_tokens": 10,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 5,
        "output_tokens": 1,
    }
    events = await decoded(
        start(usage=first),
        *text(0, "a"),
        *ending(usage={"input_tokens": 12, "cache_read_input_tokens": None, "output_tokens": 7}),
    )
    assert last_usage(events) == Usage(input_tokens=12, cache_read_tokens=100, cache_write_tokens=5, output_tokens=7)


async def test_an_error_in_mid_stream_keeps_the_text() -> None:
    failed = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    events = await decoded(start(), *text(0, "a"), *tool(1, "t", '{"p":1}', stop=False), failed, *ending())
    error = events[-1]
    assert isinstance(error, ResponseError)
    assert (error.kind, error.retryable) == (ErrorKind.OVERLOADED, True)
    assert text_of(events) == "a"
    assert calls_of(events)[0].arguments == InvalidArguments(raw='{"p":1}', reason=BROKEN_OFF)


async def test_end_marks_that_are_missing_or_foreign() -> None:
    assert end_of(await decoded(start(), *text(0, "a"), *ending()[:1])) == (StopReason.END_TURN, "end_turn")
    assert end_of(await decoded(start(), *text(0, "a"), *ending(), done=True)) == (StopReason.END_TURN, "end_turn")
    for done in (True, False):
        events = await decoded(start(), *text(0, "a"), done=done)
        assert isinstance(events[-1], ResponseError) and "ended early" in events[-1].message
    stopped_only = await decoded(start(), *text(0, "a"), {"type": "message_stop"})
    assert end_of(stopped_only) == (StopReason.END_TURN, None)


async def test_blocks_left_open_are_closed() -> None:
    open_server_tool = block(1, "server_tool_use", id="s", name="n", input={}, stop=False)
    events = await decoded(start(), *text(0, "a")[:-1], *open_server_tool, *ending())
    assert any(isinstance(event, OpaqueBlock) for event in events)


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "brand_new", "index": 0},
        {"type": "content_block_start", "index": 9, "content_block": None},
        {"type": "content_block_delta", "index": 9, "delta": {"type": "brand_new"}},
        {"type": "content_block_delta", "index": 9, "delta": None},
        {"type": "content_block_stop", "index": 9},
        {"type": "content_block_delta", "index": 9, "delta": {"type": "text_delta", "text": 7}},
        {},
        "not json",
    ],
)
async def test_odd_events_do_no_harm(odd: Any) -> None:
    events = await decoded(start(), odd, *text(0, "a"), odd, *ending())
    assert text_of(events) == "a" and end_of(events) == (StopReason.END_TURN, "end_turn")


# -- Requests --------------------------------------------------------------------------------------------------------

MARK = {"cache_control": {"type": "ephemeral"}}
TOOLS = tuple(ToolSpec(name=name, description=name, parameters={"type": "object"}) for name in ("read", "list"))


def body(*messages: Message, quirks: Quirks | None = None, model: str = "m", **fields: Any) -> dict[str, Any]:
    request = ChatRequest(model=model, messages=messages, **fields)
    made: Any = AnthropicMessages(endpoint(**BASE, quirks=quirks or Quirks())).request_body(request)
    return made


def said(*blocks: Any, **other: str) -> AssistantMessage:
    origin = {"provider": "here", "dialect": "anthropic_messages", "model": "m", **other}
    return AssistantMessage(blocks=blocks, **origin)


def prompt(words: str) -> UserMessage:
    return UserMessage(blocks=(TextBlock(text=words),))


async def test_headers_and_path() -> None:
    server = Server(sse(start(), *text(0, "a"), *ending()))
    provider = AnthropicMessages(endpoint(**BASE, api_key=lambda: "key"), transport=server)
    await collect(provider)
    asked = server.requests[0]
    assert str(asked.url) == "https://api.example.test/v1/messages"
    assert (asked.headers["x-api-key"], asked.headers["anthropic-version"]) == ("key", "2023-06-01")
    assert "authorization" not in asked.headers
    server.body = b'{"data": [{"id": "claude-x", "max_input_tokens": 200000}]}'
    assert await provider.list_models() == ["claude-x"]
    assert server.requests[1].url.path == "/v1/models"
    info = await provider.model_info("claude-x")
    assert info is not None and info.context_window == 200_000


def test_the_smallest_request() -> None:
    assert body(prompt("hello"), max_tokens=7) == {
        "model": "m",
        "max_tokens": 7,
        "stream": True,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hello", **MARK}]}],
    }


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("claude-opus-4-7", 128_000),
        ("claude-sonnet-4-6", 128_000),
        ("anthropic/claude-sonnet-4.5", 64_000),
        ("claude-sonnet-4-20250514", 64_000),
        ("claude-haiku-4-5", 64_000),
        ("claude-opus-4-1-20250805", 32_000),
        ("claude-opus-4-20250514", 32_000),
        ("claude-3-5-haiku-latest", 8_192),
        ("something-local", 32_000),
    ],
)
def test_the_limit_that_must_be_sent_is_the_models_own(model: str, limit: int) -> None:
    assert body(prompt("x"), model=model)["max_tokens"] == limit


def test_system_tools_choice_and_extras() -> None:
    made = body(
        prompt("x"),
        system="Be brief.",
        tools=TOOLS,
        tool_choice="required",
        temperature=0.5,
        extra={"top_k": 3},
        quirks=Quirks(extra_body={"top_k": 1, "metadata": {}}),
    )
    assert made["system"] == [{"type": "text", "text": "Be brief.", **MARK}]
    assert [tool.get("cache_control") for tool in made["tools"]] == [None, {"type": "ephemeral"}]
    assert made["tools"][0] == {"name": "read", "description": "read", "input_schema": {"type": "object"}}
    assert made["tool_choice"] == {"type": "any"}
    assert (made["temperature"], made["top_k"], made["metadata"]) == (0.5, 3, {})
    assert body(prompt("x"), tools=TOOLS, tool_choice="none")["tool_choice"] == {"type": "none"}
    assert "tool_choice" not in body(prompt("x"), tools=TOOLS)
    assert "temperature" not in body(prompt("x"), temperature=0.5, quirks=Quirks(temperature=False))


def test_results_of_a_turn_come_first_in_one_user_message() -> None:
    made = body(
        prompt("x"),
        said(
            TextBlock(text="a"),
            ToolCallBlock(call_id="t1", name="read", arguments={"p": 1}),
            ToolCallBlock(call_id="t2", name="read", arguments=InvalidArguments(raw="{", reason="cut")),
        ),
        ToolResultMessage(call_id="t1", name="read", content="R1"),
        prompt("steer"),
        ToolResultMessage(call_id="t2", name="read", content="R2", is_error=True),
    )
    assert [message["role"] for message in made["messages"]] == ["user", "assistant", "user"]
    assert made["messages"][1]["content"][1:] == [
        {"type": "tool_use", "id": "t1", "name": "read", "input": {"p": 1}},
        {"type": "tool_use", "id": "t2", "name": "read", "input": {}},
    ]
    assert made["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "t1", "content": "R1"},
        {"type": "tool_result", "tool_use_id": "t2", "content": "R2", "is_error": True},
        {"type": "text", "text": "steer", **MARK},
    ]


def test_no_more_than_four_breakpoints_and_where() -> None:
    turns = [each for at in range(5) for each in (prompt(f"p{at}"), said(TextBlock(text=f"a{at}")))]
    made = body(*turns, prompt("last"), system="S", tools=TOOLS)
    assert json.dumps(made).count("cache_control") == 4
    marked = [at for at, message in enumerate(made["messages"]) if "cache_control" in json.dumps(message)]
    assert marked == [8, 10]


def test_what_changes_from_day_to_day_stands_after_the_breakpoint() -> None:
    rules, tail = body(prompt("x"), system="Rules.", system_tail="Date: today")["system"]
    assert rules == {"type": "text", "text": "Rules.", **MARK}
    assert tail == {"type": "text", "text": "Date: today"}
    today = body(prompt("x"), system="Rules.", system_tail="Date: today", tools=TOOLS)
    tomorrow = body(prompt("x"), system="Rules.", system_tail="Date: tomorrow", tools=TOOLS)
    assert today["tools"] == tomorrow["tools"] and today["system"][0] == tomorrow["system"][0]


def test_caches_live_longer_on_demand() -> None:
    made = body(prompt("x"), system="S", system_tail="T", tools=TOOLS, extra={"cache_ttl": "1h"})
    assert "cache_ttl" not in made
    assert json.dumps(made).count('"cache_control": {"type": "ephemeral", "ttl": "1h"}') == 3
    assert json.dumps(made).count("cache_control") == 3


def test_the_history_is_not_changed_by_marking_it() -> None:
    payload: dict[str, Any] = {"type": "server_tool_use", "id": "s"}
    message = said(ServerBlock(kind="server_tool_use", payload=payload))
    body(prompt("x"), message, prompt("y"))
    assert payload == {"type": "server_tool_use", "id": "s"}


SIGNED = (
    ThinkingBlock(text="T", signature="sig"),
    ThinkingBlock(text="", redacted=True, provider_metadata={"data": "xyz"}),
    ThinkingBlock(text="unsigned"),
    ServerBlock(kind="server_tool_use", payload={"type": "server_tool_use", "id": "s", "input": {"q": 1}}),
    TextBlock(text="a", provider_metadata={"citations": [{"url": "u"}]}),
    ToolCallBlock(call_id="t", name="read", arguments={}, provider_metadata={"caller": {"type": "direct"}}),
)


def test_signed_and_opaque_blocks_go_back_byte_exact_to_their_maker() -> None:
    assert body(prompt("x"), said(*SIGNED), prompt("y"))["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "T", "signature": "sig"},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "server_tool_use", "id": "s", "input": {"q": 1}},
        {"type": "text", "text": "a", "citations": [{"url": "u"}]},
        {"type": "tool_use", "id": "t", "name": "read", "input": {}, "caller": {"type": "direct"}},
    ]


@pytest.mark.parametrize("other", [{"provider": "there"}, {"model": "n"}, {"dialect": "openai_chat"}])
def test_and_to_nobody_else(other: dict[str, str]) -> None:
    assert body(prompt("x"), said(*SIGNED, **other), prompt("y"))["messages"][1]["content"] == [
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "t", "name": "read", "input": {}},
    ]


def test_images_and_blank_text() -> None:
    image = ImageBlock(media_type="image/png", data_base64="QQ==")
    made = body(UserMessage(blocks=(TextBlock(text=" "), image)), said(TextBlock(text="\n")), prompt("y"))
    (message,) = made["messages"]
    assert message["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QQ=="}},
        {"type": "text", "text": "y", **MARK},
    ]

"""OpenAI Responses: items and their events on the way in, a stateless conversation on the way out."""

import json
from typing import Any

import pytest

from patchbay.providers.endpoint import Quirks
from patchbay.providers.events import (
    ErrorKind,
    InvalidArguments,
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
from patchbay.providers.openai_responses import OpenAIResponses
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


def created() -> dict[str, Any]:
    return {"type": "response.created", "response": {"id": "resp_1", "model": "gpt-x", "output": [], "error": None}}


def last(status: str = "completed", **fields: Any) -> dict[str, Any]:
    response = {"id": "resp_1", "model": "gpt-x", "status": status, "output": [], "error": None, **fields}
    return {"type": f"response.{status}", "response": response}


def part(kind: str, at: int, piece: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}.delta", "output_index": at, "delta": piece, **fields}


def item(at: int, kind: str, *deltas: dict[str, Any], done: bool = True, **fields: Any) -> list[dict[str, Any]]:
    """An item: its start without content, its pieces, and the whole item at its end."""
    whole = {"type": kind, "id": f"{kind}_{at}", **fields}
    begun = {name: value for name, value in whole.items() if name not in ("arguments", "content", "summary", "input")}
    end = [{"type": "response.output_item.done", "output_index": at, "item": whole}] if done else []
    return [{"type": "response.output_item.added", "output_index": at, "item": begun}, *deltas, *end]


def message(at: int, text: str, *pieces: str, **fields: Any) -> list[dict[str, Any]]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return item(at, "message", *(part("output_text", at, each) for each in pieces), content=content, **fields)


def call(at: int, arguments: str, *pieces: str, done: bool = True, **fields: Any) -> list[dict[str, Any]]:
    deltas = (part("function_call_arguments", at, each) for each in pieces)
    named = {"call_id": f"call_{at}", "name": "read", "arguments": arguments, **fields}
    return item(at, "function_call", *deltas, done=done, **named)


async def decoded(*events: Any, done: bool = False) -> list[ResponseEvent]:
    found = await collect(OpenAIResponses(endpoint("openai_responses"), transport=Server(sse(*events, done=done))))
    check_grammar(found)
    return found


def end_of(events: list[ResponseEvent]) -> tuple[StopReason, str | None]:
    assert isinstance(events[-1], ResponseEnd), events[-1]
    return events[-1].stop_reason, events[-1].raw_stop_reason


async def test_reasoning_text_and_calls() -> None:
    usage = {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 7}
    events = await decoded(
        created(),
        {"type": "response.in_progress", "response": {"id": "resp_1"}},
        *item(
            0,
            "reasoning",
            part("reasoning_summary_text", 0, "I ", summary_index=0),
            part("reasoning_summary_text", 0, "think", summary_index=0),
            summary=[{"type": "summary_text", "text": "I think"}],
            encrypted_content="enc",
            status="completed",
        ),
        *message(1, "Hello", "Hel", "lo", phase="commentary"),
        *call(2, '{"p":1}', '{"p"', ":1}"),
        *call(3, "{}"),
        last(usage=usage),
    )
    assert events[0] == ResponseStart(response_id="resp_1", model="gpt-x")
    assert (thinking_of(events), text_of(events)) == ("I think", "Hello")
    assert [(each.call_id, each.arguments) for each in calls_of(events)] == [("call_2", {"p": 1}), ("call_3", {})]
    kept = {
        "type": "reasoning",
        "id": "reasoning_0",
        "summary": [{"type": "summary_text", "text": "I think"}],
        "encrypted_content": "enc",
    }
    assert ThinkingEnd(index=0, provider_metadata={"item": kept}) in events
    assert TextEnd(index=1, provider_metadata={"id": "message_1", "phase": "commentary"}) in events
    assert calls_of(events)[0].provider_metadata == {"id": "function_call_2"}
    assert end_of(events) == (StopReason.TOOL_CALLS, "completed")
    assert last_usage(events) == Usage(input_tokens=6, cache_read_tokens=4, output_tokens=7)


async def test_parts_of_a_summary_are_blocks_and_the_last_carries_the_item() -> None:
    summary = [{"type": "summary_text", "text": each} for each in ("one", "two")]
    deltas = [part("reasoning_summary_text", 0, each, summary_index=at) for at, each in enumerate(("one", "two"))]
    for pieces in (deltas, []):
        events = await decoded(created(), *item(0, "reasoning", *pieces, summary=summary), last())
        ends = [event for event in events if isinstance(event, ThinkingEnd)]
        assert thinking_of(events) == "onetwo" and len(ends) == 2
        assert ends[0].provider_metadata is None and ends[1].provider_metadata is not None


async def test_reasoning_that_is_only_encrypted() -> None:
    events = await decoded(created(), *item(0, "reasoning", summary=[], encrypted_content="enc"), last())
    kept = {"type": "reasoning", "id": "reasoning_0", "summary": [], "encrypted_content": "enc"}
    assert ThinkingEnd(index=0, provider_metadata={"item": kept}) in events


async def test_raw_reasoning_text() -> None:
    deltas = [part("reasoning_text", 0, each, content_index=0) for each in ("a", "b")]
    content = [{"type": "reasoning_text", "text": "ab"}]
    assert thinking_of(await decoded(created(), *item(0, "reasoning", *deltas, content=content), last())) == "ab"
    assert thinking_of(await decoded(created(), *item(0, "reasoning", content=content, summary=[]), last())) == "ab"


async def test_item_ids_may_change_on_the_way() -> None:
    events = [created(), *message(0, "Hello", "Hel", "lo"), *call(1, "{}", "{}"), last()]
    for at, event in enumerate(events):
        event["item_id"] = f"id{at}"
        if "item" in event:
            event["item"] = {**event["item"], "id": f"id{at}"}
    found = await decoded(*events)
    assert text_of(found) == "Hello" and len(calls_of(found)) == 1


async def test_two_messages_in_one_answer() -> None:
    events = await decoded(created(), *message(0, "a", "a"), *message(1, "b", "b", phase="final_answer"), last())
    assert [event.index for event in events if isinstance(event, TextEnd)] == [0, 1]
    assert text_of(events) == "ab"


async def test_interleaved_items_stay_apart() -> None:
    first, second = call(0, '{"a":1}', '{"a"', ":1}"), call(1, '{"b":2}', '{"b"', ":2}")
    woven = [event for pair in zip(first, second, strict=True) for event in pair]
    events = await decoded(created(), *woven, last())
    assert [each.arguments for each in calls_of(events)] == [{"a": 1}, {"b": 2}]


async def test_whole_items_add_what_the_pieces_lack() -> None:
    assert text_of(await decoded(created(), *message(0, "Hello"), last())) == "Hello"
    assert text_of(await decoded(created(), *message(0, "Hello", "Hel"), last())) == "Hello"
    assert text_of(await decoded(created(), *message(0, "Other", "Hello"), last())) == "Hello"
    assert calls_of(await decoded(created(), *call(0, '{"p":1}', '{"p"'), last()))[0].arguments == {"p": 1}


async def test_items_only_in_the_last_event() -> None:
    output = [
        {"type": "reasoning", "summary": [{"text": "T"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
        {"type": "function_call", "call_id": "c", "name": "read", "arguments": '{"p":1}'},
    ]
    events = await decoded(created(), last(output=output))
    assert (thinking_of(events), text_of(events)) == ("T", "a")
    assert calls_of(events)[0].arguments == {"p": 1}
    again = await decoded(created(), *message(0, "b", "b"), last(output=output))
    assert text_of(again) == "b"


async def test_an_answer_in_one_piece() -> None:
    response = last(output=[{"type": "message", "content": [{"type": "output_text", "text": "a"}]}])["response"]
    body = json.dumps(response, indent=1).encode()
    events = await collect(OpenAIResponses(endpoint("openai_responses"), transport=Server(body)))
    check_grammar(events)
    assert text_of(events) == "a" and end_of(events) == (StopReason.END_TURN, "completed")


async def test_events_without_event_line_or_json_type_and_with_a_foreign_mark() -> None:
    events = [created(), *message(0, "Hello", "Hello"), last()]
    lines = [f"event: {each.pop('type')}\ndata: {json.dumps(each)}\n\n" for each in events]
    body = "".join([*lines, "data: [DONE]\n\n"]).encode()
    found = await collect(OpenAIResponses(endpoint("openai_responses"), transport=Server(body)))
    assert text_of(found) == "Hello" and isinstance(found[-1], ResponseEnd)


async def test_custom_tools_give_text_that_is_no_object() -> None:
    deltas = [part("custom_tool_call_input", 0, each) for each in ("SELECT", " 1")]
    custom = item(0, "custom_tool_call", *deltas, call_id="c", name="sql", input="SELECT 1")
    (found,) = calls_of(await decoded(created(), *custom, last()))
    assert isinstance(found.arguments, InvalidArguments) and found.arguments.raw == "SELECT 1"


async def test_refusals() -> None:
    content = [{"type": "refusal", "refusal": "I cannot"}]
    for pieces in ([part("refusal", 0, "I "), part("refusal", 0, "cannot")], []):
        events = await decoded(created(), *item(0, "message", *pieces, content=content), last())
        assert text_of(events) == "I cannot"
        assert end_of(events) == (StopReason.REFUSAL, "completed")


async def test_items_of_the_servers_own_pass_through() -> None:
    search = {"status": "completed", "action": {"query": "q"}}
    progress = {"type": "response.web_search_call.searching", "output_index": 0}
    events = await decoded(created(), *item(0, "web_search_call", progress, **search), *message(1, "a", "a"), last())
    payload = {"type": "web_search_call", "id": "web_search_call_0", **search}
    assert OpaqueBlock(index=0, kind="web_search_call", payload=payload) in events
    assert text_of(events) == "a"


@pytest.mark.parametrize(
    ("event", "reason", "raw"),
    [
        (last("incomplete", incomplete_details={"reason": "max_output_tokens"}), "max_tokens", "max_output_tokens"),
        (last("incomplete", incomplete_details={"reason": "content_filter"}), "content_filter", "content_filter"),
        (last("incomplete", incomplete_details={"reason": "new"}), "other", "new"),
    ],
)
async def test_incomplete(event: dict[str, Any], reason: str, raw: str) -> None:
    events = await decoded(created(), *message(0, "a", "a"), event)
    assert end_of(events) == (StopReason(reason), f"incomplete:{raw}")


async def test_calls_cut_at_the_limit_never_run() -> None:
    cut = last("incomplete", incomplete_details={"reason": "max_output_tokens"})
    for events in ([*call(0, '{"p"', '{"p"')], [*call(0, "", done=False)], [*call(0, "")]):
        (found,) = calls_of(await decoded(created(), *events, cut))
        assert isinstance(found.arguments, InvalidArguments)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "insufficient_quota", "message": "Pay up", "param": None},
        {"type": "error", "error": {"type": "insufficient_quota", "message": "Pay up"}},
        last("failed", error={"code": "insufficient_quota", "message": "Pay up"}),
    ],
)
async def test_failures(event: dict[str, Any]) -> None:
    events = await decoded(created(), *message(0, "a", "a"), event, last())
    error = events[-1]
    assert isinstance(error, ResponseError) and error.kind is ErrorKind.QUOTA and "Pay up" in error.message
    assert text_of(events) == "a"


async def test_failure_without_a_reason() -> None:
    error = (await decoded(created(), last("failed")))[-1]
    assert isinstance(error, ResponseError) and "did not say why" in error.message


@pytest.mark.parametrize("done", [True, False])
async def test_no_last_event_is_an_early_end(done: bool) -> None:
    events = await decoded(created(), *message(0, "a", "a"), done=done)
    assert isinstance(events[-1], ResponseError) and "ended early" in events[-1].message


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "ping"},
        {"type": "response.brand_new.delta", "delta": "x"},
        {"type": "response.output_item.done", "item": None},
        {"type": "response.output_item.added", "output_index": "x", "item": {"type": "brand_new"}},
        {"type": "response.output_text.delta", "output_index": 0, "delta": None},
        {"type": "response.output_text.done", "output_index": 0, "text": "again"},
        "not json",
    ],
)
async def test_odd_events_do_no_harm(odd: Any) -> None:
    events = await decoded(created(), odd, *message(0, "a", "a"), odd, last())
    assert text_of(events) == "a" and end_of(events) == (StopReason.END_TURN, "completed")


# -- Requests --------------------------------------------------------------------------------------------------------


def body(*messages: Message, quirks: Quirks | None = None, model: str = "gpt-x", **fields: Any) -> dict[str, Any]:
    request = ChatRequest(model=model, messages=messages, **fields)
    made: Any = OpenAIResponses(endpoint("openai_responses", quirks=quirks or Quirks())).request_body(request)
    return made


def said(*blocks: Any, **other: str) -> AssistantMessage:
    origin = {"provider": "here", "dialect": "openai_responses", "model": "gpt-x", **other}
    return AssistantMessage(blocks=blocks, **origin)


PROMPT = UserMessage(blocks=(TextBlock(text="hello"),))


async def test_path_and_key() -> None:
    server = Server(sse(created(), last()))
    await collect(OpenAIResponses(endpoint("openai_responses", api_key=lambda: "key"), transport=server))
    assert str(server.requests[0].url) == "https://api.example.test/v1/responses"
    assert server.requests[0].headers["authorization"] == "Bearer key"


def test_the_smallest_request_stores_nothing_and_asks_for_encrypted_reasoning() -> None:
    assert body(PROMPT) == {
        "model": "gpt-x",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}],
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    assert "include" not in body(PROMPT, model="openai/gpt-4o")


def test_instructions_tools_limits_and_extras() -> None:
    made = body(
        PROMPT,
        system="Be brief.",
        tools=(ToolSpec(name="read", description="Reads.", parameters={"type": "object"}),),
        tool_choice="required",
        max_tokens=3,
        temperature=0.5,
        extra={"text": {"verbosity": "low"}},
        quirks=Quirks(extra_body={"reasoning": {"effort": "low"}}),
    )
    assert made["instructions"] == "Be brief."
    assert made["tools"] == [
        {
            "type": "function",
            "name": "read",
            "description": "Reads.",
            "parameters": {"type": "object"},
            "strict": False,
        }
    ]
    assert (made["tool_choice"], made["max_output_tokens"], made["temperature"]) == ("required", 16, 0.5)
    assert (made["reasoning"], made["text"]) == ({"effort": "low"}, {"verbosity": "low"})


def test_images_calls_and_results() -> None:
    image = ImageBlock(media_type="image/png", data_base64="QQ==")
    made = body(
        UserMessage(blocks=(image,)),
        said(
            ToolCallBlock(call_id="a", name="read", arguments={"p": "é"}),
            ToolCallBlock(call_id="b", name="read", arguments=InvalidArguments(raw="{", reason="cut")),
        ),
        ToolResultMessage(call_id="a", name="read", content="A"),
    )
    assert made["input"] == [
        {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,QQ=="}]},
        {"type": "function_call", "call_id": "a", "name": "read", "arguments": '{"p":"é"}'},
        {"type": "function_call", "call_id": "b", "name": "read", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "A"},
    ]


def thought(encrypted: str = "enc", item_id: str = "rs_1") -> ThinkingBlock:
    kept = {"type": "reasoning", "id": item_id, "summary": [], "encrypted_content": encrypted}
    return ThinkingBlock(
        text="T", provider_metadata={"item": {name: each for name, each in kept.items() if each != ""}}
    )


WORK = (
    TextBlock(text="a", provider_metadata={"id": "msg_1", "phase": "commentary"}),
    ToolCallBlock(call_id="c", name="read", arguments={}, provider_metadata={"id": "fc_1"}),
    ServerBlock(kind="web_search_call", payload={"type": "web_search_call", "id": "ws_1"}),
)


def test_items_go_back_as_they_came() -> None:
    assert body(PROMPT, said(ThinkingBlock(text="part"), thought(), *WORK))["input"][1:] == [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "enc"},
        {
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "a", "annotations": []}],
            "id": "msg_1",
            "phase": "commentary",
        },
        {"type": "function_call", "call_id": "c", "name": "read", "arguments": "{}", "id": "fc_1"},
        {"type": "web_search_call", "id": "ws_1"},
    ]


def test_without_its_reasoning_an_item_does_not_name_itself() -> None:
    message, call, _ = body(PROMPT, said(thought(encrypted=""), *WORK))["input"][1:]
    assert "id" not in message and message["phase"] == "commentary" and "id" not in call


def test_ids_that_are_too_long_are_left_out() -> None:
    (item,) = body(PROMPT, said(thought(item_id="x" * 65)))["input"][1:]
    assert item == {"type": "reasoning", "summary": [], "encrypted_content": "enc"}


@pytest.mark.parametrize("other", [{"provider": "there"}, {"model": "n"}, {"dialect": "openai_chat"}])
def test_and_to_nobody_else(other: dict[str, str]) -> None:
    assert body(PROMPT, said(thought(), *WORK, TextBlock(text=""), **other))["input"][1:] == [
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
        {"type": "function_call", "call_id": "c", "name": "read", "arguments": "{}"},
    ]

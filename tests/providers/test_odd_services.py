"""Answers of services that speak a protocol with an accent: made up after what each of them is known to send."""

import json
from typing import Any

import pytest

from patchbay.providers.base import Provider
from patchbay.providers.dialects import DIALECTS
from patchbay.providers.errors import classify_reply
from patchbay.providers.events import ErrorKind, ResponseEnd, ResponseError, ResponseEvent, StopReason, Usage
from patchbay.providers.stop_reasons import stop_reason
from support.wire import Server, calls_of, check_grammar, collect, endpoint, last_usage, sse, text_of, thinking_of

Json = dict[str, Any]
X1: Json = {"x": 1}


async def answer(dialect: str, body: bytes | str, content_type: str = "text/event-stream") -> list[ResponseEvent]:
    """The events of a body, which are the same when it comes byte by byte."""
    raw = body if isinstance(body, bytes) else body.encode()
    runs: list[list[ResponseEvent]] = []
    for pieces in (raw, [raw[at : at + 1] for at in range(len(raw))]):
        server = Server(pieces, headers={"content-type": content_type})
        provider: Provider = DIALECTS[dialect](endpoint(dialect), transport=server)
        events = await collect(provider)
        await provider.aclose()
        check_grammar(events)
        runs.append(events)
    assert text_of(runs[0]) == text_of(runs[1]) and type(runs[0][-1]) is type(runs[1][-1])
    return runs[0]


def chunk(delta: Json | None = None, finish: str | None = None, **more: Any) -> Json:
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def call(**fields: Any) -> Json:
    return chunk({"tool_calls": [fields]})


def arguments_of(events: list[ResponseEvent]) -> list[tuple[str, object]]:
    return [(each.name, each.arguments) for each in calls_of(events)]


def error_of(events: list[ResponseEvent]) -> ResponseError:
    assert isinstance(events[-1], ResponseError)
    return events[-1]


F1: Json = {"name": "f", "arguments": '{"x":1}'}


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([call(index=0, id="a", function={"name": "f", "arguments": X1})], id="arguments as an object"),
        pytest.param(
            [
                call(index=0, id="a", type="function"),
                call(index=0, function={"name": "f"}),
                call(index=0, function={"arguments": '{"x":'}),
                call(index=0, function={"arguments": "1}"}),
            ],
            id="the name in a later chunk",
        ),
        pytest.param(
            [
                call(index="0", id="a", function={"name": "f", "arguments": '{"x":'}),
                call(index="0", function={"arguments": "1}"}),
            ],
            id="the index as text",
        ),
        pytest.param([call(index=0, id=None, function=F1)], id="no id"),
        pytest.param([call(index=0, id="a", name="f", arguments='{"x":1}')], id="no function object"),
        pytest.param([chunk({"tool_calls": {"index": 0, "id": "a", "function": F1}})], id="one call outside of a list"),
        pytest.param(
            [chunk({"function_call": {"name": "f"}}), chunk({"function_call": {"arguments": '{"x":1}'}})],
            id="the call of old",
        ),
        pytest.param(
            [
                {
                    "id": "c",
                    "choices": [
                        {"index": 0, "message": {"content": None, "tool_calls": [{"id": "a", "function": F1}]}}
                    ],
                }
            ],
            id="a message in place of the delta",
        ),
        pytest.param(
            [
                call(index=0, id="t-1", function={"name": "f", "arguments": ""}),
                call(index=0, id="t-2", function={"name": None, "arguments": '{"x":'}),
                call(index=0, id="t-3", function={"arguments": "1}"}),
            ],
            id="another id in every chunk",
        ),
    ],
)
async def test_tool_calls_however_they_are_written(events: list[Json]) -> None:
    found = await answer("openai_chat", sse(*events, chunk({}, "tool_calls"), done=True))
    assert arguments_of(found) == [("f", X1)]
    assert isinstance(found[-1], ResponseEnd) and found[-1].stop_reason is StopReason.TOOL_CALLS


async def test_calls_with_one_index_and_no_ids_are_two_calls() -> None:
    both = [{"index": 0, "id": "", "function": F1}, {"index": 0, "id": "", "function": F1}]
    found = await answer("openai_chat", sse(chunk({"tool_calls": both}), chunk({}, "stop"), done=True))
    assert arguments_of(found) == [("f", X1), ("f", X1)]


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning": {"content": "hm"}},
        {"reasoning_text": "hm"},
        {"thinking": "hm"},
        {"reasoning_content": "hm", "thinking_blocks": [{"type": "thinking", "thinking": "hm"}]},
        {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "hm"}], "content": ""},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        {"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}]},
        {"content": [{"type": "reasoning", "text": "hm"}]},
    ],
)
@pytest.mark.parametrize("said", ["hi", ["hi"], {"type": "text", "text": "hi"}, [{"type": "text", "text": "hi"}]])
async def test_thinking_and_text_in_any_field(delta: Json, said: object) -> None:
    found = await answer("openai_chat", sse(chunk(delta), chunk({"content": said}), chunk({}, "stop"), done=True))
    assert (thinking_of(found), text_of(found)) == ("hm", "hi")


async def test_a_message_that_sums_up_the_deltas_adds_nothing() -> None:
    whole = {"id": "c", "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "hi you"}}]}
    found = await answer("openai_chat", sse(chunk({"content": "hi"}), chunk({"content": " you"}), whole))
    assert text_of(found) == "hi you"


@pytest.mark.parametrize(
    "last",
    [
        chunk(
            {},
            "stop",
            usage={"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}},
        ),
        chunk({}, "stop", usage={"input_tokens": 10, "output_tokens": 5, "cached_tokens": 4}),
        {
            "id": "c",
            "choices": [
                {
                    "index": 0,
                    "delta": {},
                    "finish_reason": "stop",
                    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 4},
                }
            ],
        },
        chunk(
            {}, "stop", x_groq={"usage": {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4}}
        ),
    ],
)
async def test_usage_in_odd_places(last: Json) -> None:
    found = await answer("openai_chat", sse(chunk({"content": "hi"}), last, done=True))
    assert last_usage(found) == Usage(input_tokens=6, cache_read_tokens=4, output_tokens=5)


ROWS = [chunk({"content": "hi"}), chunk({"content": " you"}), chunk({}, "stop")]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param("\n".join(map(json.dumps, ROWS)) + "\n", "application/x-ndjson", id="one object a line"),
        pytest.param("\ufeff" + sse(*ROWS, done=True).decode(), "text/event-stream", id="a byte order mark"),
        pytest.param(sse(*ROWS).decode().replace("data: ", "data:"), "text/plain", id="no blank after data:"),
        pytest.param(sse(*ROWS, done=True).decode().replace("\n\n", "\n"), "text/event-stream", id="no blank lines"),
        pytest.param(json.dumps(ROWS), "application/json", id="one list"),
        pytest.param(json.dumps(ROWS, indent=1), "application/json", id="one list on many lines"),
        pytest.param(
            json.dumps({"id": "c", "choices": [{"message": {"content": "hi you"}, "finish_reason": "stop"}]}, indent=1),
            "text/event-stream",
            id="one completion",
        ),
    ],
)
async def test_framings_other_than_the_one_asked_for(body: str, content_type: str) -> None:
    found = await answer("openai_chat", body, content_type)
    assert text_of(found) == "hi you" and isinstance(found[-1], ResponseEnd)


@pytest.mark.parametrize("dialect", ["openai_chat", "openai_responses", "anthropic_messages"])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('event: error\ndata: {"error":{"message":"it broke"}}\n\ndata: [DONE]\n\n', "it broke"),
        ('event: error\ndata: {"message":"it broke","code":500}\n\n', "it broke"),
        ("event: error\ndata: it broke\n\n", "it broke"),
        ('event: exception\ndata: {"message":"it broke"}\n\n', "it broke"),
        ('data: {"object":"error","message":"it broke","type":"InternalServerError","code":500}\n\n', "it broke"),
        ('data: {"error":"it broke","error_type":"generation"}\n\n', "it broke"),
        ('data: {"error":["it broke"]}\n\n', "it broke"),
    ],
)
async def test_errors_inside_a_stream_keep_the_servers_words(dialect: str, body: str, words: str) -> None:
    assert words in error_of(await answer(dialect, body)).message


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"detail": "the model crashed"}, ErrorKind.SERVER_ERROR),
        ({"success": False, "errors": [{"code": 3030, "message": "rate limit"}]}, ErrorKind.RATE_LIMIT),
        ({"choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, ErrorKind.QUOTA),
        ({"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, ErrorKind.AUTHENTICATION),
    ],
)
async def test_errors_without_any_name(document: Json, kind: ErrorKind) -> None:
    assert error_of(await answer("openai_chat", sse(document))).kind is kind
    assert error_of(await answer("openai_chat", json.dumps(document), "application/json")).kind is kind


async def test_an_error_inside_of_a_choice() -> None:
    failed = {"index": 0, "delta": {"content": ""}, "finish_reason": "error", "error": {"code": 502, "message": "gone"}}
    found = await answer("openai_chat", sse(chunk({"content": "hi"}), {"id": "c", "choices": [failed]}, done=True))
    assert text_of(found) == "hi"
    assert (error_of(found).status, "gone" in error_of(found).message) == (502, True)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("", StopReason.END_TURN),
        ("STOP", StopReason.END_TURN),
        ("eos", StopReason.END_TURN),
        ("COMPLETE", StopReason.END_TURN),
        ("tool_call", StopReason.TOOL_CALLS),
        ("tool-calls", StopReason.TOOL_CALLS),
        ("MAX_TOKENS", StopReason.MAX_TOKENS),
        ("model_context_window_exceeded", StopReason.MAX_TOKENS),
        ("content_filtered", StopReason.CONTENT_FILTER),
        ("SAFETY", StopReason.CONTENT_FILTER),
        ("sensitive", StopReason.CONTENT_FILTER),
        ("refusal", StopReason.REFUSAL),
        ("pause_turn", StopReason.PAUSE_TURN),
        ("abort", StopReason.OTHER),
    ],
)
def test_stop_reasons_in_any_spelling(word: str, reason: StopReason) -> None:
    assert stop_reason(word) is reason


CREATED: Json = {"type": "response.created", "response": {"id": "r", "model": "m"}}
MESSAGE: Json = {"type": "message", "id": "m1", "content": [{"type": "output_text", "text": "hi"}]}
CALL: Json = {"type": "function_call", "id": "f1", "call_id": "c1", **F1}
OPENED: Json = {"type": "response.output_item.added", "output_index": 0, "item": CALL | {"arguments": ""}}
PIECE: Json = {"type": "response.output_text.delta", "output_index": 0, "delta": "hi"}


def completed(*output: Json, **more: Any) -> Json:
    return {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [*output], **more}}


@pytest.mark.parametrize(
    ("events", "text", "calls"),
    [
        pytest.param([PIECE, completed(MESSAGE, CALL)], "hi", [("f", X1)], id="a call only at the end"),
        pytest.param(
            [
                OPENED,
                {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": '{"x":1}'},
                completed(),
            ],
            "",
            [("f", X1)],
            id="arguments in one piece",
        ),
        pytest.param(
            [{"type": "response.output_text.done", "output_index": 0, "text": "hi"}, completed()],
            "hi",
            [],
            id="text in one piece",
        ),
        pytest.param(
            [{"type": "response.output_item.done", "output_index": 0, "item": CALL | {"arguments": X1}}, completed()],
            "",
            [("f", X1)],
            id="arguments as an object",
        ),
        pytest.param(
            [
                {"type": "response.output_item.done", "item": MESSAGE},
                {"type": "response.output_item.done", "item": CALL},
                {"type": "response.output_item.done", "item": CALL | {"id": "f2", "call_id": "c2", "arguments": "{}"}},
                completed(MESSAGE, CALL),
            ],
            "hi",
            [("f", X1), ("f", {})],
            id="no output_index",
        ),
        pytest.param(
            [PIECE, {"type": "response.done", "response": {"id": "r", "status": "completed", "output": [MESSAGE]}}],
            "hi",
            [],
            id="done in place of completed",
        ),
    ],
)
async def test_responses_with_pieces_left_out(events: list[Json], text: str, calls: list[tuple[str, Json]]) -> None:
    found = await answer("openai_responses", sse(CREATED, *events))
    assert (text_of(found), arguments_of(found)) == (text, calls)
    assert isinstance(found[-1], ResponseEnd)


@pytest.mark.parametrize("kind", ["reasoning", "reasoning_content", "reasoning_text", "reasoning_summary"])
@pytest.mark.parametrize("piece", ["hm", {"text": "hm"}])
async def test_thinking_by_any_event(kind: str, piece: object) -> None:
    thought = {"type": f"response.{kind}.delta", "output_index": 0, "delta": piece}
    found = await answer("openai_responses", sse(CREATED, thought, PIECE | {"output_index": 1}, completed()))
    assert (thinking_of(found), text_of(found)) == ("hm", "hi")


async def test_a_completed_event_whose_response_failed_is_a_failure() -> None:
    failed = {"id": "r", "status": "failed", "error": {"code": "server_error", "message": "out of memory"}}
    found = await answer("openai_responses", sse(CREATED, {"type": "response.completed", "response": failed}))
    assert "out of memory" in error_of(found).message


@pytest.mark.parametrize(
    ("block", "pieces"),
    [
        ({"input": X1}, []),
        ({"input": '{"x":1}'}, []),
        ({"input": ""}, ['{"x":', "1}"]),
        ({"input": {}}, [X1]),
        ({"input": X1}, ['{"x":1}']),
    ],
)
@pytest.mark.parametrize("reason", ["tool_use", "tool_calls"])
async def test_arguments_in_messages_of_gateways(block: Json, pieces: list[Any], reason: str) -> None:
    deltas = [
        {"type": "content_block_delta", "index": "0", "delta": {"type": "input_json_delta", "partial_json": piece}}
        for piece in pieces
    ]
    found = await answer(
        "anthropic_messages",
        sse(
            {"type": "message_start", "message": {"id": "m", "model": "c", "content": None, "usage": None}},
            {
                "type": "content_block_start",
                "index": "0",
                "content_block": {"type": "tool_use", "id": "t", "name": "f"} | block,
            },
            *deltas,
            {"type": "content_block_stop", "index": "0"},
            {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 5}},
            {"type": "message_stop"},
        ),
    )
    assert arguments_of(found) == [("f", X1)]
    assert isinstance(found[-1], ResponseEnd) and found[-1].stop_reason is StopReason.TOOL_CALLS


async def test_ollama_over_server_events_and_with_other_names_for_thinking() -> None:
    rows = [
        {"model": "q", "message": {"content": "", "reasoning": "hm"}, "done": False},
        {"model": "q", "message": {"content": "hi"}, "done": False},
        {"model": "q", "message": {"content": ""}, "done": True, "done_reason": "tool_calls"},
    ]
    found = await answer("ollama", sse(*rows))
    assert (thinking_of(found), text_of(found)) == ("hm", "hi")
    assert isinstance(found[-1], ResponseEnd) and found[-1].stop_reason is StopReason.END_TURN


QUOTA_OF_GOOGLE = (
    "You exceeded your current quota, please check your plan and billing details.\n"
    "* Quota exceeded for metric: requests, limit: 10\nPlease retry in 36.6s."
)


@pytest.mark.parametrize(
    ("status", "document", "kind", "words"),
    [
        (401, {"code": "InvalidApiKey", "message": "Invalid API-key provided."}, "authentication", "Invalid API-key"),
        (
            429,
            {"error": {"code": "1113", "message": "Insufficient balance or no resource package."}},
            "quota",
            "balance",
        ),
        (403, {"code": 403, "reason": "NOT_ENOUGH_BALANCE", "message": "not enough balance"}, "quota", "not enough"),
        (
            429,
            {"error": {"message": "Your account is suspended", "type": "exceeded_current_quota_error"}},
            "quota",
            "susp",
        ),
        (
            429,
            [{"error": {"code": 429, "message": QUOTA_OF_GOOGLE, "status": "RESOURCE_EXHAUSTED"}}],
            "rate_limit",
            "36.6s",
        ),
        (429, {"message": "Too many tokens, please wait before trying again."}, "rate_limit", "Too many tokens"),
        (403, {"Message": "User is not authorized", "__type": "AccessDeniedException"}, "permission", "not authorized"),
        (429, {"error": "Model is overloaded", "error_type": "overloaded"}, "overloaded", "overloaded"),
        (404, {"detail": {"error": "Model is not available"}}, "not_found", "Model is not available"),
        (400, {"message": "The provided model identifier is invalid."}, "not_found", "identifier"),
        (
            400,
            {"error": {"message": "not supported by any provider", "code": "model_not_supported"}},
            "not_found",
            "any",
        ),
        (400, {"request_id": "x", "message": "unknown model 'foo'", "error_code": "399"}, "not_found", "unknown model"),
        (
            422,
            {"detail": [{"type": "missing", "loc": ["body", "model"], "msg": "Field required"}]},
            "invalid_request",
            "Field",
        ),
        (
            400,
            {"errors": [{"code": "invalid_input", "message": "Bad parameter"}], "trace": "t"},
            "invalid_request",
            "Bad",
        ),
        (400, {"errors": ["Bad parameter"]}, "invalid_request", "Bad parameter"),
    ],
)
def test_refusals_of_many_services(status: int, document: object, kind: str, words: str) -> None:
    error = classify_reply(endpoint(), status, json.dumps(document), {})
    assert (error.kind, words in error.message) == (ErrorKind(kind), True), error.message


@pytest.mark.parametrize(
    "words",
    [
        "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
        "prompt token count of 150000 exceeds the limit of 128000",
        "Invalid request: Your request exceeded model token limit: 8192",
        "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]",
        "Prompt exceeds max length",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
        "the number of input tokens 5000 cannot exceed the total tokens limit 4096 for this model",
        "too many tokens: the total number of tokens in the prompt cannot exceed 4081",
        "The estimated number of input and maximum output tokens (9000) exceeded this model context window limit",
        "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000",
    ],
)
def test_a_full_window_in_the_words_of_many_services(words: str) -> None:
    error = classify_reply(endpoint(), 400, json.dumps({"error": {"message": words}}), {})
    assert (error.kind, error.retryable) == (ErrorKind.CONTEXT_OVERFLOW, False)


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens must be at least 1",
        "The number of tools exceeds the limit of 128",
        "temperature must be between 0 and 2",
        "messages.1.content: Field required",
    ],
)
def test_what_only_looks_like_a_full_window_is_none(words: str) -> None:
    error = classify_reply(endpoint(), 400, json.dumps({"error": {"message": words}}), {})
    assert error.kind is ErrorKind.INVALID_REQUEST

"""Chat Completions: what servers make of it on the way in, and what they want on the way out."""

import json
from typing import Any

import pytest

from patchbay.providers.blocks import BROKEN_OFF
from patchbay.providers.endpoint import Quirks
from patchbay.providers.events import (
    ErrorKind,
    InvalidArguments,
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    ResponseStart,
    StopReason,
    TextDelta,
    TextEnd,
    TextStart,
    ThinkingDelta,
    ThinkingEnd,
    ThinkingStart,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageUpdate,
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
from patchbay.providers.openai_chat import OpenAIChat
from support.wire import (
    HELLO,
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


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"id": "r1", "model": "m-1", "choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def piece(
    index: int | None = None, call_id: str | None = None, name: str | None = None, args: Any = None
) -> dict[str, Any]:
    """A ``tool_calls`` delta; what is None is left out."""
    function = {key: value for key, value in (("name", name), ("arguments", args)) if value is not None}
    outer = {key: value for key, value in (("index", index), ("id", call_id)) if value is not None}
    return delta(tool_calls=[{**outer, "type": "function", "function": function}])


async def decoded(*chunks: Any, done: bool = True) -> list[ResponseEvent]:
    events = await collect(OpenAIChat(endpoint(), transport=Server(sse(*chunks, done=done))))
    check_grammar(events)
    return events


def end_of(events: list[ResponseEvent]) -> tuple[StopReason, str | None]:
    assert isinstance(events[-1], ResponseEnd), events[-1]
    return events[-1].stop_reason, events[-1].raw_stop_reason


async def test_a_whole_answer_event_by_event() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    events = await decoded(
        delta(role="assistant", content="", reasoning_content="Hm"),
        delta(content="Hi"),
        piece(0, "c1", "read", ""),
        piece(0, args='{"p":1}'),
        delta("tool_calls"),
        {"id": "r1", "choices": [], "usage": usage},
    )
    assert events == [
        ResponseStart(response_id="r1", model="m-1"),
        ThinkingStart(index=0),
        ThinkingDelta(index=0, text="Hm"),
        ThinkingEnd(index=0, provider_metadata={"field": "reasoning_content"}),
        TextStart(index=1),
        TextDelta(index=1, text="Hi"),
        TextEnd(index=1),
        ToolCallStart(index=2, call_id="c1", name="read"),
        ToolCallDelta(index=2, arguments_json='{"p":1}'),
        UsageUpdate(usage=Usage(input_tokens=3, output_tokens=4)),
        ToolCallEnd(index=2, call_id="c1", name="read", arguments={"p": 1}),
        ResponseEnd(stop_reason=StopReason.TOOL_CALLS, raw_stop_reason="tool_calls"),
    ]


# -- Text and thinking -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [{"content": ""}, {"content": None}, {}, {"role": None}])
async def test_first_chunk_without_text(first: dict[str, Any]) -> None:
    assert text_of(await decoded(delta(**first), delta(role="assistant", content="a"), delta("stop"))) == "a"


@pytest.mark.parametrize(
    "odd",
    [
        {"id": "", "model": "", "choices": [], "prompt_filter_results": [{}]},
        {"id": "r1", "choices": [{"index": 0, "delta": None}]},
        {"id": "r1", "choices": [{"index": 0}]},
        {"id": "r1", "choices": None},
        {"id": "r1", "choices": [None, 7]},
        {"obfuscation": "xyz"},
        {"id": "r1", "choices": [{"index": 0, "delta": {"content": 7, "tool_calls": "no", "reasoning": {}}}]},
        "not json",
        "[1]",
        "null",
    ],
)
async def test_odd_chunks_do_no_harm(odd: Any) -> None:
    events = await decoded(odd, delta(content="a"), odd, delta("stop", content="b"), odd)
    assert text_of(events) == "ab"
    assert end_of(events) == (StopReason.END_TURN, "stop")


async def test_the_first_chunk_that_counts_names_response_and_model() -> None:
    events = await decoded({"id": "", "model": "", "choices": []}, delta(content="a"), delta("stop"))
    assert events[0] == ResponseStart(response_id="r1", model="m-1")


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_thinking_fields(field: str) -> None:
    events = await decoded(delta(**{field: "I "}), delta(**{field: "think"}), delta(content="a"), delta("stop"))
    assert (thinking_of(events), text_of(events)) == ("I think", "a")


async def test_thinking_said_twice_counts_once() -> None:
    details = [{"type": "reasoning.text", "text": "T", "index": 0}]
    events = await decoded(delta(reasoning="T", reasoning_content="T", reasoning_details=details), delta("stop"))
    assert thinking_of(events) == "T"


@pytest.mark.parametrize("name", ["text", "summary"])
async def test_thinking_in_details_only(name: str) -> None:
    details = [{"type": f"reasoning.{name}", name: "T", "index": 0}]
    assert thinking_of(await decoded(delta(reasoning_details=details), delta("stop"))) == "T"


async def test_details_are_merged_by_index_and_kept_for_the_way_back() -> None:
    events = await decoded(
        delta(reasoning="a", reasoning_details=[{"type": "reasoning.text", "text": "a", "index": 0, "format": "f"}]),
        delta(reasoning="b", reasoning_details=[{"type": "reasoning.text", "text": "b", "index": 0}]),
        delta(reasoning_details=[{"type": "reasoning.text", "signature": "s", "index": 0, "text": None}]),
        delta(reasoning_details=[{"type": "reasoning.encrypted", "data": "e", "index": 1, "id": "c1"}]),
        delta(content="x"),
        piece(0, "c1", "read", "{}"),
        delta("tool_calls"),
    )
    assert calls_of(events)[0].provider_metadata == {
        "reasoning_details": [
            {"type": "reasoning.text", "index": 0, "format": "f", "signature": "s", "text": "ab"},
            {"type": "reasoning.encrypted", "index": 1, "id": "c1", "data": "e"},
        ]
    }


async def test_details_travel_on_text_or_alone() -> None:
    details = [{"type": "reasoning.encrypted", "data": "e"}]
    with_text = await decoded(delta(reasoning_details=details), delta("stop", content="x"))
    assert TextEnd(index=0, provider_metadata={"reasoning_details": details}) in with_text
    alone = await decoded(delta(reasoning_details=details), delta("stop"))
    assert ThinkingEnd(index=0, provider_metadata={"reasoning_details": details}) in alone


async def test_text_as_a_list_of_parts() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "T"}, {"type": "reference"}]}
    events = await decoded(
        delta(content=[thought]),
        delta(content=[{"type": "thinking", "thinking": "U"}, {"type": "text", "text": "a"}, {"type": "image_url"}]),
        delta("stop", content="b"),
    )
    assert (thinking_of(events), text_of(events)) == ("TU", "ab")


async def test_think_tags_stay_in_the_text() -> None:
    assert text_of(await decoded(delta(content="<think>a</think>b"), delta("stop"))) == "<think>a</think>b"


async def test_refusal() -> None:
    events = await decoded(delta(refusal="I can"), delta(refusal="not", content=""), delta("stop"))
    assert text_of(events) == "I cannot"
    assert end_of(events) == (StopReason.REFUSAL, "stop")


async def test_only_the_first_of_several_choices_counts() -> None:
    def choice(index: int, content: str, finish: str | None = None) -> dict[str, Any]:
        return {"id": "r1", "choices": [{"index": index, "delta": {"content": content}, "finish_reason": finish}]}

    events = await decoded(choice(0, "a"), choice(1, "x"), choice(0, "b", "stop"), choice(1, "y", "length"))
    assert text_of(events) == "ab"
    assert end_of(events) == (StopReason.END_TURN, "stop")


# -- Tool calls ------------------------------------------------------------------------------------------------------


def arguments_of(events: list[ResponseEvent]) -> list[tuple[str, Any]]:
    return [(call.name, call.arguments) for call in calls_of(events)]


async def test_whole_calls_with_the_finish_in_one_chunk() -> None:
    calls = [
        {"id": "a", "function": {"name": "read", "arguments": '{"p": 1}'}},
        {"id": "b", "function": {"name": "list", "arguments": {"q": 2}}},
    ]
    events = await decoded(delta("tool_calls", tool_calls=calls))
    assert arguments_of(events) == [("read", {"p": 1}), ("list", {"q": 2})]
    assert [call.call_id for call in calls_of(events)] == ["a", "b"]


async def test_one_argument_character_a_chunk() -> None:
    written = '{"a": "é\\u00e9\\n", "b": [1, {"c": null}]}'
    events = await decoded(piece(0, "c", "t", ""), *(piece(0, args=each) for each in written), delta("tool_calls"))
    assert arguments_of(events) == [("t", {"a": "éé\n", "b": [1, {"c": None}]})]


@pytest.mark.parametrize("nothing", ["", None, "null", "{}", {}])
async def test_calls_without_arguments(nothing: Any) -> None:
    call = {"index": 0, "id": "c", "function": {"name": "now", "arguments": nothing}}
    assert arguments_of(await decoded(delta("tool_calls", tool_calls=[call]))) == [("now", {})]


@pytest.mark.parametrize("finish", ["stop", "tool_calls", "function_call", None])
async def test_calls_decide_not_the_finish_reason(finish: str | None) -> None:
    assert end_of(await decoded(piece(0, "c", "t", "{}"), delta(finish))) == (StopReason.TOOL_CALLS, finish)


async def test_arguments_cut_by_the_limit_are_invalid() -> None:
    events = await decoded(piece(0, "c", "t", '{"a": "b'), delta("length"))
    found = calls_of(events)[0].arguments
    assert isinstance(found, InvalidArguments) and found.raw == '{"a": "b'
    assert end_of(events) == (StopReason.MAX_TOKENS, "length")


async def test_the_old_function_call() -> None:
    events = await decoded(
        delta(function_call={"name": "t", "arguments": '{"a"'}),
        delta(function_call={"arguments": ":1}"}),
        delta("function_call"),
    )
    assert arguments_of(events) == [("t", {"a": 1})]
    assert calls_of(events)[0].call_id


async def test_unknown_members_of_a_call_go_back() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "t", "arguments": "{}"}, "extra_content": {"sig": "s"}}
    assert calls_of(await decoded(delta("tool_calls", tool_calls=[call])))[0].provider_metadata == {
        "extra_content": {"sig": "s"}
    }


# -- Ends and errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("stop", StopReason.END_TURN),
        ("STOP", StopReason.END_TURN),
        ("eos", StopReason.END_TURN),
        ("length", StopReason.MAX_TOKENS),
        ("content_filter", StopReason.CONTENT_FILTER),
        ("tool_calls", StopReason.END_TURN),
        ("brand_new", StopReason.OTHER),
    ],
)
async def test_finish_reasons(raw: str, reason: StopReason) -> None:
    assert end_of(await decoded(delta(content="a"), delta(raw))) == (reason, raw)


async def test_end_without_mark_and_mark_without_finish_reason() -> None:
    assert end_of(await decoded(delta("stop", content="a"), done=False)) == (StopReason.END_TURN, "stop")
    assert end_of(await decoded(delta(content="a"), done=True)) == (StopReason.END_TURN, None)


async def test_neither_is_an_error_and_half_calls_never_run() -> None:
    events = await decoded(delta(content="a"), piece(0, "c", "t", '{"whole": true}'), done=False)
    error = events[-1]
    assert isinstance(error, ResponseError)
    assert (error.kind, error.retryable) == (ErrorKind.NETWORK, True)
    assert "ended early" in error.message
    assert text_of(events) == "a"
    assert arguments_of(events) == [("t", InvalidArguments(raw='{"whole": true}', reason=BROKEN_OFF))]


async def test_what_was_unreadable_explains_an_early_end() -> None:
    events = await decoded(delta(content="a"), "upstream connect error", done=False)
    assert isinstance(events[-1], ResponseError) and "upstream connect error" in events[-1].message


@pytest.mark.parametrize(
    "chunk",
    [
        {"error": {"message": "Bad call", "type": "x", "code": "tool_use_failed", "status_code": 400}},
        {"error": "Bad call"},
        {**delta("error", content="b"), "error": {"code": 502, "message": "Bad call"}},
    ],
)
@pytest.mark.parametrize("after", [[], [delta("stop", content="never")]])
async def test_errors_inside_the_stream(chunk: dict[str, Any], after: list[Any]) -> None:
    events = await decoded(delta(content="a"), chunk, *after)
    assert isinstance(events[-1], ResponseError) and "Bad call" in events[-1].message
    assert text_of(events) == ("ab" if "choices" in chunk else "a")


@pytest.mark.parametrize("finish", ["error", "insufficient_system_resource"])
async def test_finish_reasons_that_are_failures(finish: str) -> None:
    events = await decoded(delta(content="a"), delta(finish))
    assert isinstance(events[-1], ResponseError) and events[-1].retryable and finish in events[-1].message


# -- Usage -----------------------------------------------------------------------------------------------------------


async def test_usage_wherever_it_comes_the_last_wins() -> None:
    same = {**delta("stop", content="a"), "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    after = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "cost": 0.5}}
    null = {**delta(content="x"), "usage": None}
    assert last_usage(await decoded(null, same, done=True)) == Usage(input_tokens=1, output_tokens=1)
    found = last_usage(await decoded(null, same, after))
    assert (found.input_tokens, found.output_tokens, str(found.reported_cost)) == (5, 2, "0.5")
    groq = {**delta("stop"), "x_groq": {"usage": {"prompt_tokens": 7, "completion_tokens": 8}}}
    assert last_usage(await decoded(delta(content="a"), groq)) == Usage(input_tokens=7, output_tokens=8)


async def test_no_usage_is_no_event() -> None:
    assert not any(isinstance(event, UsageUpdate) for event in await decoded(delta("stop", content="a")))


async def test_an_answer_in_one_piece() -> None:
    document = {
        "id": "r1",
        "model": "m-1",
        "choices": [
            {
                "index": 0,
                "message": {
                    "content": "a",
                    "reasoning": "T",
                    "tool_calls": [{"id": "c", "function": {"name": "t", "arguments": '{"p":1}'}}],
                },
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    server = Server(json.dumps(document, indent=1).encode())
    events = await collect(OpenAIChat(endpoint(), transport=server))
    check_grammar(events)
    assert (text_of(events), thinking_of(events), arguments_of(events)) == ("a", "T", [("t", {"p": 1})])
    assert last_usage(events) == Usage(input_tokens=1, output_tokens=2)


# -- Requests --------------------------------------------------------------------------------------------------------

TOOL = ToolSpec(name="read", description="Reads.", parameters={"type": "object"})


def body(*messages: Message, quirks: Quirks | None = None, **fields: Any) -> dict[str, Any]:
    request = ChatRequest(model="m", messages=messages, **fields)
    made: Any = OpenAIChat(endpoint(quirks=quirks or Quirks())).request_body(request)
    return made


def said(*blocks: Any, provider: str = "here", model: str = "m", dialect: str = "openai_chat") -> AssistantMessage:
    return AssistantMessage(blocks=blocks, provider=provider, dialect=dialect, model=model)


def prompt(text: str) -> UserMessage:
    return UserMessage(blocks=(TextBlock(text=text),))


def test_the_smallest_request() -> None:
    assert body(prompt("hello")) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert HELLO.model == "m"


def test_system_tools_limits_and_extras() -> None:
    made = body(
        prompt("x"),
        system="Be brief.",
        tools=(TOOL,),
        tool_choice="required",
        max_tokens=5,
        temperature=0.5,
        extra={"seed": 7, "stream_options": {"a": 1}},
        quirks=Quirks(max_tokens_field="max_completion_tokens", extra_body={"seed": 1, "provider": {"order": ["z"]}}),
    )
    assert made["messages"][0] == {"role": "system", "content": "Be brief."}
    assert made["tools"] == [
        {
            "type": "function",
            "function": {"name": "read", "description": "Reads.", "parameters": {"type": "object"}},
        }
    ]
    assert (made["tool_choice"], made["max_completion_tokens"], made["temperature"]) == ("required", 5, 0.5)
    assert (made["seed"], made["provider"], made["stream_options"]) == (7, {"order": ["z"]}, {"a": 1})


def test_quirks_leave_out() -> None:
    made = body(prompt("x"), temperature=0.5, quirks=Quirks(temperature=False, stream_options=False))
    assert made.keys() == {"model", "messages", "stream"}


def test_images_are_parts_with_data_urls() -> None:
    message = UserMessage(blocks=(TextBlock(text="see"), ImageBlock(media_type="image/png", data_base64="QQ==")))
    assert body(message)["messages"][0]["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}},
    ]


def test_calls_and_results() -> None:
    made = body(
        prompt("x"),
        said(
            ToolCallBlock(call_id="a", name="read", arguments={"p": "é"}),
            ToolCallBlock(call_id="b", name="read", arguments=InvalidArguments(raw="{", reason="cut")),
        ),
        ToolResultMessage(call_id="a", name="read", content="A"),
        ToolResultMessage(call_id="b", name="read", content="B", is_error=True),
    )
    assert made["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "read", "arguments": '{"p":"é"}'}},
                {"id": "b", "type": "function", "function": {"name": "read", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "A"},
        {"role": "tool", "tool_call_id": "b", "content": "B"},
    ]


def test_answers_with_nothing_to_send_are_left_out() -> None:
    made = body(prompt("x"), said(ThinkingBlock(text="T")), said(ServerBlock(kind="k", payload={})), prompt("y"))
    assert [message["content"] for message in made["messages"]] == ["x", "y"]


HISTORY = (
    prompt("one"),
    said(ThinkingBlock(text="T1"), TextBlock(text="a")),
    prompt("two"),
    said(ThinkingBlock(text="T2"), ToolCallBlock(call_id="c", name="read", arguments={})),
    ToolResultMessage(call_id="c", name="read", content="R"),
    said(TextBlock(text="b")),
)


@pytest.mark.parametrize(
    ("replay", "expected"),
    [("none", [None, None, None]), ("loop", [None, "T2", None]), ("always", ["T1", "T2", ""])],
)
def test_thinking_goes_back_as_the_quirk_says(replay: str, expected: list[str | None]) -> None:
    made = body(*HISTORY, quirks=Quirks(reasoning_replay=replay))
    answers = [message for message in made["messages"] if message["role"] == "assistant"]
    assert [message.get("reasoning_content") for message in answers] == expected


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("details", [None, [{"type": "reasoning.text", "text": "T2"}]])
async def test_echo_sends_thinking_of_the_running_loop_in_the_field_it_came_in(
    field: str, details: list[dict[str, str]] | None
) -> None:
    thinking = {field: "T2"} | ({} if details is None else {"reasoning_details": details})
    call = {"index": 0, "id": "c", "function": {"name": "read", "arguments": "{}"}}
    events = await decoded(delta(**thinking), delta("tool_calls", tool_calls=[call]))
    (thought,) = [event for event in events if isinstance(event, ThinkingEnd)]
    assert thought.provider_metadata == {"field": field}
    block = ThinkingBlock(text="T2", provider_metadata=thought.provider_metadata)
    made = ToolCallBlock(
        call_id="c", name="read", arguments={}, provider_metadata=calls_of(events)[0].provider_metadata
    )
    loop = (said(block, made), ToolResultMessage(call_id="c", name="read", content="r"))
    running = body(prompt("p"), *loop, quirks=Quirks())["messages"][1]
    assert (running[field], "reasoning_details" in running) == ("T2", False)
    assert field not in body(prompt("p"), *loop, prompt("q"), quirks=Quirks())["messages"][1]


@pytest.mark.parametrize("sign", ["signature", "data"])
def test_echo_prefers_details_that_say_more_than_the_text(sign: str) -> None:
    details = [{"type": "reasoning.text", "text": "T", sign: "s"}]
    thought = ThinkingBlock(text="T", provider_metadata={"field": "reasoning"})
    text = TextBlock(text="a", provider_metadata={"reasoning_details": details})
    answer = body(prompt("x"), said(thought, text), quirks=Quirks())["messages"][1]
    assert (answer["reasoning_details"], "reasoning" in answer) == (details, False)


@pytest.mark.parametrize("other", [{"provider": "there"}, {"model": "n"}, {"dialect": "anthropic_messages"}])
def test_thinking_of_others_never_goes_back(other: dict[str, str]) -> None:
    details = {"reasoning_details": [{"data": "e"}], "extra_content": {"s": 1}}
    call = ToolCallBlock(call_id="c", name="read", arguments={}, provider_metadata=details)
    foreign = said(ThinkingBlock(text="T", provider_metadata=details), TextBlock(text="a"), call, **other)
    for replay, field in (("always", ""), ("loop", None), ("details", None), ("echo", None)):
        answer = body(prompt("x"), foreign, quirks=Quirks(reasoning_replay=replay))["messages"][1]
        assert answer.get("reasoning_content") == field
        assert "reasoning_details" not in answer
        assert "extra_content" not in answer["tool_calls"][0]


@pytest.mark.parametrize("carrier", ["text", "thinking", "call"])
def test_details_go_back_unchanged_to_their_maker(carrier: str) -> None:
    details = [{"type": "reasoning.encrypted", "data": "e", "index": 0}]
    metadata: dict[str, Any] = {"reasoning_details": details}
    blocks = {
        "text": (TextBlock(text="a", provider_metadata=metadata),),
        "thinking": (ThinkingBlock(text="", provider_metadata=metadata), TextBlock(text="a")),
        "call": (
            ToolCallBlock(call_id="c", name="t", arguments={}, provider_metadata={**metadata, "extra_content": 1}),
        ),
    }[carrier]
    answer = body(prompt("x"), said(*blocks), quirks=Quirks(reasoning_replay="details"))["messages"][1]
    assert answer["reasoning_details"] == details
    if carrier == "call":
        assert answer["tool_calls"][0]["extra_content"] == 1
        assert "reasoning_details" not in answer["tool_calls"][0]

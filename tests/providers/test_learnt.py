"""Refusals in the words of many servers, and what is left out because of them."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers.learnt import Learnt, Lesson
from support.wire import endpoint

TOOL = {
    "type": "function",
    "function": {"name": "read", "parameters": {"properties": {"strict": {"type": "string"}}}, "strict": False},
}


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True, **fields}


ASKED = chat(
    stream_options={"include_usage": True},
    tools=[TOOL],
    max_tokens=9,
    temperature=0.1,
    reasoning_effort="high",
    parallel_tool_calls=True,
)


def openai(message: str, param: str | None = None, code: str | None = None) -> str:
    return json.dumps({"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}})


def learn(body: dict[str, Any], status: int, reply: str, dialect: str = "openai_chat") -> Lesson | None:
    return Learnt().learn(endpoint(dialect), body, status, reply)


CLAUDE, RESPONSES = "anthropic_messages", "openai_responses"
ADAPTIVE = {"type": "adaptive"}
EXTRA = "Extra inputs are not permitted"
MAX_TOKENS = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
)
EFFORT_WITH_TOOLS = "Function tools with reasoning_effort are not supported for m in /v1/chat/completions."


@pytest.mark.parametrize(
    ("reply", "field", "instead"),
    [
        (openai(MAX_TOKENS, "max_tokens", "unsupported_parameter"), "max_tokens", "max_completion_tokens"),
        (
            openai("Unsupported value: 'temperature' does not support 0.1 with this model.", "temperature"),
            "temperature",
            "",
        ),
        (openai("Unrecognized request argument supplied: stream_options"), "stream_options", ""),
        (openai("Unknown parameter: 'parallel_tool_calls'.", "parallel_tool_calls"), "parallel_tool_calls", ""),
        (openai(EFFORT_WITH_TOOLS, "reasoning_effort"), "reasoning_effort", ""),
        (openai(EFFORT_WITH_TOOLS), "reasoning_effort", ""),
        (openai("property 'stream_options' is unsupported"), "stream_options", ""),
        ('{"error": "json: unknown field \\"stream_options\\""}', "stream_options", ""),
        (
            '{"error":{"message":"Extra inputs are not permitted, field: \'stream_options\', value: {}"}}',
            "stream_options",
            "",
        ),
        (
            '{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}',
            "stream_options",
            "",
        ),
        ('{"code":"x","error":"Model m does not support parameter reasoningEffort."}', "reasoning_effort", ""),
        (
            '[{"error":{"code":400,"message":"Unknown name \\"stream_options\\": Cannot find field."}}]',
            "stream_options",
            "",
        ),
        (
            '{"detail":[{"loc":["body","tools",0,"function","strict"],"msg":"Extra inputs are not permitted"}]}',
            "strict",
            "",
        ),
        ("`temperature` is deprecated for this model.", "temperature", ""),
    ],
)
def test_the_field_a_refusal_names_goes(reply: str, field: str, instead: str) -> None:
    before = copy.deepcopy(ASKED)
    lesson = learn(ASKED, 400, reply)
    assert lesson is not None
    assert (lesson.field, lesson.instead) == (field, instead)
    assert lesson == learn(ASKED, 422, reply)
    sent = lesson.applied(ASKED)
    assert before == ASKED
    assert field not in sent
    if instead:
        assert sent[instead] == ASKED[field]


@pytest.mark.parametrize(
    ("dialect", "body", "reply", "field"),
    [
        (CLAUDE, {"thinking": ADAPTIVE}, "thinking.type: Input should be 'enabled'", "thinking"),
        (CLAUDE, {"thinking": ADAPTIVE}, "adaptive thinking is not supported here", "thinking"),
        (
            CLAUDE,
            {"thinking": {"type": "adaptive", "display": "summarized"}},
            f"thinking.adaptive.display: {EXTRA}",
            "thinking.display",
        ),
        (
            CLAUDE,
            {"output_config": {"effort": "max"}},
            "This model does not support the effort parameter.",
            "output_config",
        ),
        (CLAUDE, {"system": [{"cache_control": {}}]}, f"system.0.cache_control: {EXTRA}", "cache_control"),
        ("ollama", {"think": True}, '{"error":"\\"gemma:2b\\" does not support thinking"}', "think"),
        (
            RESPONSES,
            {"reasoning": {"effort": "low", "summary": "auto"}},
            openai("Your organization must be verified to generate reasoning summaries.", "reasoning.summary"),
            "reasoning.summary",
        ),
        (
            RESPONSES,
            {"include": ["reasoning.encrypted_content"]},
            openai("Encrypted content is not supported with this model.", "include"),
            "include",
        ),
        (
            RESPONSES,
            {"reasoning": {"effort": "low"}},
            openai("Unsupported parameter: 'reasoning.effort' is not supported with this model.", "reasoning.effort"),
            "reasoning",
        ),
    ],
)
def test_of_other_protocols(dialect: str, body: dict[str, Any], reply: str, field: str) -> None:
    lesson = learn(chat(**body), 400, reply, dialect)
    assert lesson is not None
    assert lesson.field == field
    assert field.rpartition(".")[2] not in json.dumps(lesson.applied(chat(**body)))


@pytest.mark.parametrize(
    ("status", "reply"),
    [
        (400, openai("Unsupported value: 'messages[0].role' does not support 'developer'.", "messages[0].role")),
        (400, openai("The model `m` is not supported", "model")),
        (400, openai("max_tokens is too large: 9. This model supports at most 4 completion tokens", "max_tokens")),
        (400, openai("tools[0].function.parameters: 'oneOf' is not permitted", "tools[0].function.parameters")),
        (400, openai("m does not support tools")),
        (500, '{"error":{"message":"tools param requires --jinja flag"}}'),
        (400, openai("'seed' is not supported with this model", "seed")),
        (400, "not JSON at all"),
        (429, openai(MAX_TOKENS, "max_tokens")),
        (404, openai("'temperature' is not supported")),
    ],
)
def test_what_is_the_request_or_was_not_sent_stays(status: int, reply: str) -> None:
    body = {name: value for name, value in ASKED.items() if name != "parallel_tool_calls"}
    assert learn(body, status, reply) is None


def test_messages_cannot_do_without_their_limit_and_no_call_stays_no_call() -> None:
    assert learn(chat(max_tokens=9), 400, "max_tokens: Extra inputs are not permitted", "anthropic_messages") is None
    refused = openai("tool_choice is not supported", "tool_choice")
    assert learn(chat(tool_choice="none"), 400, refused) is None
    assert learn(chat(tool_choice="required"), 400, refused) is not None


def test_a_member_goes_everywhere_but_from_what_belongs_to_a_tool() -> None:
    body = chat(tools=[TOOL])
    body["messages"] += [
        {"role": "assistant", "content": [{"type": "tool_use", "input": {"strict": 1}, "strict": True}]},
        {"role": "tool", "content": "strict"},
    ]
    lesson = learn(body, 400, "tools.0.strict: Extra inputs are not permitted")
    assert lesson is not None
    sent = lesson.applied(body)
    assert sent["messages"][1]["content"] == [{"type": "tool_use", "input": {"strict": 1}}]
    assert sent["tools"][0]["function"] == {
        "name": "read",
        "parameters": {"properties": {"strict": {"type": "string"}}},
    }


def test_a_lesson_is_for_one_model_of_one_endpoint_and_is_kept() -> None:
    kept: list[Lesson] = []
    learnt = Learnt(keep=kept.append)
    here, there = endpoint(), endpoint(base_url="https://other.example/v1")
    assert learnt.learn(here, ASKED, 400, openai(MAX_TOKENS, "max_tokens")) is not None
    assert "max_completion_tokens" in learnt.applied(here, ASKED)
    assert learnt.applied(there, ASKED) == ASKED
    assert learnt.applied(here, ASKED | {"model": "n"})["max_tokens"] == 9
    assert "max_completion_tokens" in Learnt(kept).applied(here, ASKED)


@given(reply=st.text() | st.builds(json.dumps, st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["error", "detail", "loc", "param", "message", "code"]), inner),
    max_leaves=8,
)))  # fmt: skip
def test_no_reply_breaks_the_reader_nor_takes_what_is_the_request(reply: str) -> None:
    lesson = learn(ASKED, 400, reply)
    if lesson is not None:
        assert {"model", "messages", "stream"} <= lesson.applied(ASKED).keys()

"""The grammar of answers, held by every dialect over any bytes, cut anywhere."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers.decoder import AnswerBody
from patchbay.providers.dialects import DIALECTS
from patchbay.providers.endpoint import Endpoint
from patchbay.providers.events import ErrorKind, ResponseError, ResponseEvent
from patchbay.providers.http import DialectProvider
from support.wire import Server, check_grammar, collect, endpoint

ALL = sorted(DIALECTS)

KEYS = {
    "openai_chat": "id model choices index delta message content role reasoning reasoning_content reasoning_details "
    "refusal tool_calls function name arguments finish_reason usage prompt_tokens completion_tokens error type text "
    "thinking data x_groq function_call",
    "anthropic_messages": "type index message content_block delta id model content text thinking signature data name "
    "input partial_json stop_reason stop_details explanation usage input_tokens output_tokens error citation citations",
    "openai_responses": "type response item item_id output_index content_index summary_index delta text arguments "
    "input id call_id name status output content summary usage input_tokens output_tokens error code message refusal "
    "incomplete_details reason encrypted_content phase part",
    "ollama": "model message role content thinking tool_calls function name arguments id index done done_reason "
    "prompt_eval_count eval_count error response",
}
WORDS = {
    "openai_chat": "stop length tool_calls error thinking text c1 c2 read",
    "anthropic_messages": "message_start content_block_start content_block_delta content_block_stop message_delta "
    "message_stop error ping text thinking redacted_thinking tool_use server_tool_use text_delta thinking_delta "
    "signature_delta input_json_delta citations_delta end_turn tool_use max_tokens t1",
    "openai_responses": "response.created response.output_item.added response.output_item.done response.completed "
    "response.output_text.delta response.function_call_arguments.delta response.function_call_arguments.done "
    "response.reasoning_summary_text.delta response.reasoning_text.delta response.refusal.delta response.failed "
    "response.incomplete error message function_call custom_tool_call reasoning web_search_call output_text "
    "summary_text max_output_tokens completed c1",
    "ollama": "stop length load user assistant read c1",
}


def values(dialect: str) -> st.SearchStrategy[Any]:
    """JSON made of the dialect's own words, put together with no sense at all."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers(-1, 3)
        | st.sampled_from(WORDS[dialect].split())
        | st.sampled_from(["", "a", "{", "}", '{"p":1}', "é🎉", "\ud83c", "\udf89"])
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS[dialect].split()), inner, max_size=6)
        ),
        max_leaves=12,
    )


def events_of(provider: DialectProvider, body: bytes, size: int) -> list[ResponseEvent]:
    """What the body becomes, as ``http`` reads it."""
    reader = AnswerBody(provider.new_decoder(), json_lines=provider.json_lines)
    events = [event for at in range(0, len(body), size) for event in reader.feed(body[at : at + size])]
    return events + reader.finish()


def without_made_ids(events: list[ResponseEvent]) -> list[str]:
    """The events as text; ids made for calls differ from run to run."""
    ids: dict[str, str] = {}
    for event in events:
        call_id = getattr(event, "call_id", None)
        if call_id and call_id.startswith("call_"):
            ids.setdefault(call_id, f"made{len(ids)}")
    lines = [repr(event) for event in events]
    for found, made in ids.items():
        lines = [line.replace(found, made) for line in lines]
    return lines


@pytest.mark.parametrize("dialect", ALL)
@given(data=st.data())
def test_senseless_events(dialect: str, data: st.DataObject) -> None:
    provider = DIALECTS[dialect](endpoint(dialect))
    objects = data.draw(st.lists(values(dialect), max_size=8))
    lines = [json.dumps(each) for each in objects]
    lines.insert(data.draw(st.integers(0, len(lines))), data.draw(st.sampled_from(["[DONE]", "{broken", "plain", ""])))
    form = "{}\n" if provider.json_lines else "data: {}\n\n"
    body = "".join(form.format(line) for line in lines).encode()
    whole = events_of(provider, body, len(body))
    check_grammar(whole)
    assert without_made_ids(events_of(provider, body, data.draw(st.integers(1, 9)))) == without_made_ids(whole)


@pytest.mark.parametrize("dialect", ALL)
@given(body=st.binary(max_size=200), size=st.integers(1, 9))
def test_any_bytes(dialect: str, body: bytes, size: int) -> None:
    provider = DIALECTS[dialect](endpoint(dialect))
    whole = events_of(provider, body, len(body) or 1)
    check_grammar(whole)
    assert events_of(provider, body, size) == whole


@pytest.mark.parametrize("dialect", ALL)
@given(data=st.data())
def test_any_document(dialect: str, data: st.DataObject) -> None:
    provider = DIALECTS[dialect](endpoint(dialect))
    check_grammar(events_of(provider, json.dumps(data.draw(values(dialect))).encode(), 10_000))


SAMPLES: dict[str, list[Any]] = {
    "openai_chat": [
        {"id": "r", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "reasoning": "T"}}]},
        {"choices": [{"delta": {"reasoning_details": [{"type": "reasoning.text", "text": "T", "index": 0}]}}]},
        {"choices": [{"index": 0, "delta": {"content": "a"}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "t"}}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": '{"p"'}}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": ":1}"}}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"id": "d", "function": {"name": "u", "arguments": "{}"}}]}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]},
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
        {"error": {"message": "no"}},
        "[DONE]",
    ],
    "anthropic_messages": [
        {"type": "message_start", "message": {"id": "m", "content": [], "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "signature": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "T"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "n"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "server_tool_use", "id": "s"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "citations_delta", "citation": {}}},
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
        {"type": "error", "error": {"message": "no"}},
    ],
    "openai_responses": [
        {"type": "response.created", "response": {"id": "r"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning"}},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "T"},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 1, "delta": "U"},
        {"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning", "summary": []}},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "a"},
        {"type": "response.output_item.done", "output_index": 1, "item": {"type": "message", "id": "m"}},
        {"type": "response.output_item.added", "output_index": 1, "item": {"type": "function_call", "name": "t"}},
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{"},
        {"type": "response.output_item.done", "output_index": 1, "item": {"type": "function_call", "arguments": "{}"}},
        {"type": "response.output_item.done", "output_index": 0, "item": {"type": "web_search_call"}},
        {"type": "response.incomplete", "response": {"incomplete_details": {"reason": "max_output_tokens"}}},
        {"type": "response.completed", "response": {"usage": {"input_tokens": 1}}},
        {"type": "error", "message": "no"},
    ],
    "ollama": [
        {"model": "m", "message": {"thinking": "T"}},
        {"message": {"content": "a"}},
        {"message": {"tool_calls": [{"id": "c", "function": {"name": "t", "arguments": {"p": 1}}}]}},
        {"message": {"tool_calls": [{"function": {"name": "t"}}, {"function": {}}]}},
        {"message": {}, "done": True, "done_reason": "length", "eval_count": 1},
        {"error": "no"},
    ],
}


@pytest.mark.parametrize("dialect", ALL)
@given(data=st.data())
def test_sensible_events_in_any_order(dialect: str, data: st.DataObject) -> None:
    provider = DIALECTS[dialect](endpoint(dialect))
    chosen = data.draw(st.lists(st.sampled_from(SAMPLES[dialect]), max_size=25))
    form = "{}\n" if provider.json_lines else "data: {}\n\n"
    lines = (form.format(each if isinstance(each, str) else json.dumps(each)) for each in chosen)
    check_grammar(events_of(provider, "".join(lines).encode(), 10_000))


@pytest.mark.parametrize("dialect", ALL)
async def test_every_dialect_is_a_provider(dialect: str) -> None:
    provider = DIALECTS[dialect](
        Endpoint(name="n", dialect=dialect, base_url="http://h"), transport=Server(b'{"error": "no"}', status=500)
    )
    assert (provider.name, provider.dialect) == ("n", dialect)
    (error,) = await collect(provider)
    assert isinstance(error, ResponseError) and error.kind is ErrorKind.SERVER_ERROR
    await provider.aclose()

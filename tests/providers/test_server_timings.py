"""A server's own figures are read out of what came over the wire, and nothing is made of nonsense."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers.server_timings import NO_TIMINGS, ServerTimings, server_timings

LLAMA = {"prompt_n": 40, "prompt_ms": 200.0, "predicted_n": 64, "predicted_ms": 1280, "cache_n": 900}
OLLAMA = {
    "done": True,
    "prompt_eval_count": 500,
    "prompt_eval_duration": 2_000_000_000,
    "eval_count": 64,
    "eval_duration": 4_000_000_000,
}


def sse(*events: Any) -> str:
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


def test_llama_cpp_tells_in_its_last_chunk() -> None:
    said = sse({"choices": [], "timings": {"prompt_n": 9, "prompt_ms": 1}}, {"choices": [], "timings": LLAMA})
    assert server_timings(said) == ServerTimings(prompt_tokens_per_s=200.0, tokens_per_s=50.0)
    assert server_timings(said.replace("\n", "\r\n").replace("data: ", "data:")) == server_timings(said)


def test_ollama_tells_in_its_last_line_in_nanoseconds() -> None:
    lines = f"{json.dumps({'message': {'content': 'a'}})}\n{json.dumps(OLLAMA)}\n"
    assert server_timings(lines) == ServerTimings(prompt_tokens_per_s=250.0, tokens_per_s=16.0)


@pytest.mark.parametrize(
    "timings",
    [
        {},
        {"prompt_n": 1, "prompt_ms": 0.1},  # all but one in the cache: no speed
        {"prompt_n": 64, "prompt_ms": 0},
        {"prompt_n": 64, "prompt_ms": -5},
        {"prompt_n": 64, "prompt_ms": True},
        {"prompt_n": 64, "prompt_ms": "200"},
        {"prompt_n": -64, "prompt_ms": 200},
        {"prompt_n": 10**300, "prompt_ms": 1e-300},
        {"prompt_n": None, "predicted_n": [], "predicted_ms": {}},
    ],
)
def test_nonsense_is_not_told(timings: dict[str, Any]) -> None:
    assert server_timings(sse({"timings": timings})) == NO_TIMINGS


@pytest.mark.parametrize("reply", ["", "no JSON", "[1]", "data: [DONE]", sse({"usage": {"prompt_tokens": 5}})])
def test_most_servers_tell_none(reply: str) -> None:
    assert server_timings(reply) == NO_TIMINGS


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(("timings", *LLAMA, *OLLAMA)), inner),
)


@given(_JSON)
def test_no_reply_is_fatal(value: Any) -> None:
    found = server_timings(f"data: {json.dumps(value)}")
    assert all(rate is None or 0 < rate < float("inf") for rate in (found.prompt_tokens_per_s, found.tokens_per_s))

"""Token counts of every dialect as disjoint classes, and what providers say a call cost."""

from decimal import Decimal

import pytest

from patchbay.providers.events import JsonObject, JsonValue, Usage
from patchbay.providers.usage import anthropic_usage, chat_usage, ollama_usage, reported_cost, responses_usage


def test_cached_tokens_are_taken_out_of_the_prompt() -> None:
    found = chat_usage(
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
            "completion_tokens_details": {"reasoning_tokens": 5},
        }
    )
    assert found == Usage(
        input_tokens=30, cache_read_tokens=60, cache_write_tokens=10, output_tokens=20, thinking_tokens=5
    )


@pytest.mark.parametrize(
    "where",
    [
        {"prompt_tokens_details": {"cached_tokens": 60}},
        {"prompt_cache_hit_tokens": 60},
        {"cached_tokens": 60},
        {"cache_read_input_tokens": 60, "prompt_tokens_details": None},
    ],
)
def test_cached_tokens_are_found_wherever_they_stand(where: JsonObject) -> None:
    found = chat_usage({"prompt_tokens": 100, **where})
    assert (found.input_tokens, found.cache_read_tokens) == (40, 60)


def test_what_is_not_said_is_none_and_zero_is_zero() -> None:
    assert chat_usage({"prompt_tokens": 7}) == Usage(input_tokens=7)
    assert chat_usage({"prompt_tokens": 0, "completion_tokens": 0}) == Usage(input_tokens=0, output_tokens=0)
    assert chat_usage({}) == Usage()
    assert chat_usage({"prompt_tokens": "7", "completion_tokens": True}) == Usage()


def test_thinking_left_out_of_the_output_is_added_when_the_total_says_so() -> None:
    details: JsonObject = {"reasoning_tokens": 196}
    report: JsonObject = {
        "prompt_tokens": 291,
        "completion_tokens": 26,
        "total_tokens": 513,
        "completion_tokens_details": details,
    }
    assert chat_usage(report).output_tokens == 222
    assert chat_usage(report | {"total_tokens": 317}).output_tokens == 26


def test_thinking_larger_than_the_output_is_not_believed() -> None:
    report: JsonObject = {"prompt_tokens": 5, "completion_tokens": 26, "total_tokens": 31}
    found = chat_usage(report | {"completion_tokens_details": {"reasoning_tokens": 400}})
    assert (found.output_tokens, found.thinking_tokens) == (26, None)


def test_more_cached_than_sent_is_never_negative() -> None:
    assert chat_usage({"prompt_tokens": 5, "cached_tokens": 9}).input_tokens == 0


def test_anthropic_counts_are_disjoint_already() -> None:
    found = anthropic_usage(
        {
            "input_tokens": 3,
            "cache_read_input_tokens": 50,
            "cache_creation_input_tokens": 20,
            "output_tokens": 9,
            "output_tokens_details": {"thinking_tokens": 4},
        }
    )
    assert found == Usage(
        input_tokens=3, cache_read_tokens=50, cache_write_tokens=20, output_tokens=9, thinking_tokens=4
    )


def test_anthropic_cache_writes_by_lifetime() -> None:
    written: JsonObject = {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 40}
    assert anthropic_usage({"cache_creation": written}).cache_write_tokens == 42
    assert anthropic_usage({"cache_creation": {}}).cache_write_tokens is None


def test_responses_and_ollama() -> None:
    found = responses_usage(
        {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 60},
            "output_tokens": 20,
            "output_tokens_details": {"reasoning_tokens": 8},
        }
    )
    assert found == Usage(input_tokens=40, cache_read_tokens=60, output_tokens=20, thinking_tokens=8)
    assert ollama_usage({"prompt_eval_count": 4, "eval_count": 5}) == Usage(input_tokens=4, output_tokens=5)
    assert ollama_usage({"eval_count": 5}) == Usage(output_tokens=5)


@pytest.mark.parametrize(
    ("report", "dollars"),
    [
        ({"cost": 0.00004025}, "0.00004025"),
        ({"cost": 0}, "0"),
        ({"cost": "0.1"}, "0.1"),
        ({"cost": {"total_cost": 0.00937, "request_cost": 0.005}}, "0.00937"),
        ({"cost_in_usd_ticks": 1707000}, "0.0001707"),
        ({"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}, "0.021"),
        ({"cost": 0.02, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.02}}, "0.02"),
    ],
)
def test_reported_cost_is_exact(report: JsonObject, dollars: str) -> None:
    assert reported_cost(report) == Decimal(dollars)


@pytest.mark.parametrize("cost", [None, True, "free", "NaN", "Infinity", -1, [], {}])
def test_a_cost_that_is_none(cost: JsonValue) -> None:
    assert reported_cost({"cost": cost}) is None

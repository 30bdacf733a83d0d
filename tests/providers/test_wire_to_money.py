"""From what a server says it used to what the call cost: each amount was worked out by hand, to the last digit."""

import json
from decimal import Decimal

import pytest

from patchbay.providers.base import FREE, Price, PriceTier
from patchbay.providers.decoder import AnswerBody
from patchbay.providers.dialects import DIALECTS
from patchbay.providers.endpoint import Endpoint
from patchbay.providers.events import Usage, UsageUpdate
from patchbay.providers.pricing import cost_of


def price(paid: str, made: str, read: str | None = None, written: str | None = None, tiers=()) -> Price:
    return Price(
        input_per_mtok=Decimal(paid),
        output_per_mtok=Decimal(made),
        cache_read_per_mtok=None if read is None else Decimal(read),
        cache_write_per_mtok=None if written is None else Decimal(written),
        tiers=tiers,
    )


CLAUDE = price("3", "15", "0.30", "3.75")
LONG_CLAUDE = price(
    "3", "15", "0.30", "3.75", (PriceTier(above_tokens=200_000, price=price("6", "22.5", "0.60", "7.5")),)
)
GPT = price("1.25", "10", "0.125")
DEEPSEEK = price("0.28", "0.42", "0.028")
GROK = price("0.20", "0.50", "0.05")
GROQ = price("0.59", "0.79")
MISTRAL = price("0.4", "2")


def chat(usage: dict | None, **top: object) -> str:
    frames: list[dict] = [{"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}]}]
    frames.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage is not None or top:
        frames.append({"choices": [], "usage": usage, **top})
    return "".join(f"data: {json.dumps(frame)}\n\n" for frame in frames) + "data: [DONE]\n\n"


def messages(start: dict, end: dict) -> str:
    frames = [
        {"type": "message_start", "message": {"id": "m", "model": "m", "usage": start}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "hi"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": end},
        {"type": "message_stop"},
    ]
    return "".join(f"event: {frame['type']}\ndata: {json.dumps(frame)}\n\n" for frame in frames)


def responses(usage: dict) -> str:
    done = {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [], "usage": usage}}
    return f"event: response.completed\ndata: {json.dumps(done)}\n\n"


def ollama(**counts: int) -> str:
    lines = [{"message": {"role": "assistant", "content": "hi"}, "done": False}]
    lines.append({"message": {"content": ""}, "done": True, "done_reason": "stop", **counts})
    return "".join(json.dumps(line) + "\n" for line in lines)


def oai(prompt: int, completion: int, **more: object) -> dict:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **more}


def cached(count: int, **more: int) -> dict:
    return {"prompt_tokens_details": {"cached_tokens": count, **more}}


M, C, R, O = "anthropic_messages", "openai_chat", "openai_responses", "ollama"  # noqa: E741
ROWS = [
    # anthropic: input excludes both cache classes
    ("anthropic", M, messages({"input_tokens": 1000, "output_tokens": 1}, {"output_tokens": 200}), CLAUDE, "0.006"),
    (
        "anthropic",
        M,
        messages({"input_tokens": 12, "cache_read_input_tokens": 10_000}, {"output_tokens": 100}),
        CLAUDE,
        "0.004536",
    ),
    (
        "anthropic",
        M,
        messages({"input_tokens": 12, "cache_creation_input_tokens": 4000}, {"output_tokens": 10}),
        CLAUDE,
        "0.015186",
    ),
    (
        "anthropic",
        M,
        messages(
            {"input_tokens": 3, "cache_creation_input_tokens": 1000, "cache_read_input_tokens": 2000},
            {"output_tokens": 1},
        ),
        CLAUDE,
        "0.004374",
    ),
    (
        "anthropic",
        M,
        messages({"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 50, "output_tokens": 7}),
        CLAUDE,
        "0.000255",
    ),
    ("anthropic", M, messages({"input_tokens": 200_001}, {"output_tokens": 1000}), LONG_CLAUDE, "1.222506"),
    (
        "anthropic",
        M,
        messages({"input_tokens": 1, "cache_read_input_tokens": 200_000}, {"output_tokens": 0}),
        LONG_CLAUDE,
        "0.120006",
    ),
    ("anthropic", M, messages({"input_tokens": 200_000}, {"output_tokens": 0}), LONG_CLAUDE, "0.6"),
    # openai, Chat: cached tokens are inside prompt_tokens
    ("openai", C, chat(oai(1000, 100)), GPT, "0.00225"),
    ("openai", C, chat(oai(1000, 100, **cached(400))), GPT, "0.0018"),
    ("openai", C, chat(oai(1000, 100, **cached(0))), GPT, "0.00225"),
    ("openai", C, chat(oai(1000, 100, completion_tokens_details={"reasoning_tokens": 90})), GPT, "0.00225"),
    ("openai", C, chat(None), GPT, None),
    # openai, Responses
    ("openai", R, responses({"input_tokens": 2000, "output_tokens": 30, "total_tokens": 2030}), GPT, "0.0028"),
    (
        "openai",
        R,
        responses({"input_tokens": 2000, "input_tokens_details": {"cached_tokens": 1500}, "output_tokens": 30}),
        GPT,
        "0.0011125",
    ),
    (
        "openai",
        R,
        responses({"input_tokens": 8, "output_tokens": 640, "output_tokens_details": {"reasoning_tokens": 600}}),
        GPT,
        "0.00641",
    ),
    # openrouter: what it reports is what it charges
    ("openrouter", C, chat(oai(1000, 100, cost=0.00123)), CLAUDE, "0.00123"),
    ("openrouter", C, chat(oai(1000, 100, cost=0)), CLAUDE, "0"),
    ("openrouter", C, chat(oai(9, 9, cost=1.5e-05)), None, "0.000015"),
    ("openrouter", C, chat(oai(1000, 100, **cached(600, cache_write_tokens=100))), CLAUDE, "0.002955"),
    # deepseek: its own name for cached tokens
    (
        "deepseek",
        C,
        chat(oai(1000, 50, prompt_cache_hit_tokens=900, prompt_cache_miss_tokens=100)),
        DEEPSEEK,
        "0.0000742",
    ),
    (
        "deepseek",
        C,
        chat(oai(1000, 50, prompt_cache_hit_tokens=0, prompt_cache_miss_tokens=1000)),
        DEEPSEEK,
        "0.000301",
    ),
    # xai: completion_tokens leaves the thinking out
    (
        "xai",
        C,
        chat(
            {
                "prompt_tokens": 100,
                "completion_tokens": 10,
                "total_tokens": 200,
                "completion_tokens_details": {"reasoning_tokens": 90},
            }
        ),
        GROK,
        "0.00007",
    ),
    ("xai", C, chat({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}), GROK, "0.000025"),
    # groq: no cache price, so cached tokens cost what input costs
    ("groq", C, chat(oai(1000, 1000)), GROQ, "0.00138"),
    ("groq", C, chat(oai(1000, 0, **cached(500))), GROQ, "0.00059"),
    # mistral: usage comes with the finish reason
    ("mistral", C, chat(oai(2500, 40)), MISTRAL, "0.00108"),
    ("mistral", C, chat(oai(1, 1)), MISTRAL, "0.0000024"),
    # ollama: free, counted or not
    ("ollama", O, ollama(prompt_eval_count=30, eval_count=9), FREE, "0"),
    ("ollama", O, ollama(), FREE, "0"),
    # a price nobody knows is unknown, never zero
    ("custom", C, chat(oai(1000, 100)), None, None),
]


def usage_of(name: str, dialect: str, body: str) -> Usage:
    """The last usage a stream reports, through the decoder that serves live requests."""
    provider = DIALECTS[dialect](Endpoint(name=name, dialect=dialect, base_url="http://127.0.0.1:9"))
    answer = AnswerBody(provider.new_decoder(), json_lines=provider.json_lines)
    events = [*answer.feed(body.encode()), *answer.finish()]
    return next((event.usage for event in reversed(events) if isinstance(event, UsageUpdate)), Usage())


@pytest.mark.parametrize(("name", "dialect", "body", "of", "amount"), ROWS)
def test_each_call_costs_what_was_worked_out_by_hand(name, dialect, body, of, amount) -> None:
    cost, source = cost_of(usage_of(name, dialect, body), of)
    assert cost == (None if amount is None else Decimal(amount))
    assert (source == "unknown") == (amount is None)


def test_the_sum_of_all_is_exact() -> None:
    known = [cost_of(usage_of(name, dialect, body), of)[0] for name, dialect, body, of, _ in ROWS]
    expected = sum((Decimal(row[4]) for row in ROWS if row[4] is not None), Decimal(0))
    assert sum((each for each in known if each is not None), Decimal(0)) == expected

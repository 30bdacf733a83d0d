"""Token counts and cost as each dialect reports them -> ``events.Usage`` with disjoint classes.

Counts are cumulative: a decoder gives the latest report and never adds. What a server does not say stays None.
"""

from decimal import Decimal, InvalidOperation

from .events import JsonObject, JsonValue, Usage
from .json_values import as_count, as_object, first_count

_USD_PER_TICK = Decimal("1e-10")
"""xAI reports cost in ticks of a ten-billionth of a dollar."""


def chat_usage(report: JsonObject) -> Usage:
    """Usage of OpenAI Chat Completions and its look-alikes: cached tokens are inside ``prompt_tokens``."""
    details = as_object(report.get("prompt_tokens_details"))
    prompt = first_count(report, "prompt_tokens", "input_tokens")
    read = _first(
        as_count(details.get("cached_tokens")),
        first_count(report, "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"),
    )
    write = _first(
        first_count(details, "cache_write_tokens", "cache_creation_tokens"),
        first_count(report, "cache_creation_input_tokens"),
    )
    output = first_count(report, "completion_tokens", "output_tokens")
    thinking = as_count(as_object(report.get("completion_tokens_details")).get("reasoning_tokens"))
    total = as_count(report.get("total_tokens"))
    if output is not None and prompt is not None and thinking and total == prompt + output + thinking:
        output += thinking  # xAI leaves reasoning out of completion_tokens; its total tells
    return Usage(
        input_tokens=_without(prompt, read, write),
        cache_read_tokens=read,
        cache_write_tokens=write,
        output_tokens=output,
        thinking_tokens=_part(thinking, output),
        reported_cost=reported_cost(report),
    )


def responses_usage(report: JsonObject) -> Usage:
    """Usage of OpenAI Responses: cached tokens are inside ``input_tokens``."""
    details = as_object(report.get("input_tokens_details"))
    total = as_count(report.get("input_tokens"))
    read = as_count(details.get("cached_tokens"))
    write = as_count(details.get("cache_write_tokens"))
    output = as_count(report.get("output_tokens"))
    thinking = as_count(as_object(report.get("output_tokens_details")).get("reasoning_tokens"))
    return Usage(
        input_tokens=_without(total, read, write),
        cache_read_tokens=read,
        cache_write_tokens=write,
        output_tokens=output,
        thinking_tokens=_part(thinking, output),
        reported_cost=reported_cost(report),
    )


def anthropic_usage(report: JsonObject) -> Usage:
    """Usage of Anthropic Messages: ``input_tokens`` leaves out what was read from or written to the cache."""
    written = as_object(report.get("cache_creation"))
    by_lifetime = [as_count(written.get(f"ephemeral_{life}_input_tokens")) for life in ("5m", "1h")]
    write = as_count(report.get("cache_creation_input_tokens"))
    if write is None and any(count is not None for count in by_lifetime):
        write = sum(count or 0 for count in by_lifetime)
    output = as_count(report.get("output_tokens"))
    thinking = as_count(as_object(report.get("output_tokens_details")).get("thinking_tokens"))
    return Usage(
        input_tokens=as_count(report.get("input_tokens")),
        cache_read_tokens=as_count(report.get("cache_read_input_tokens")),
        cache_write_tokens=write,
        output_tokens=output,
        thinking_tokens=_part(thinking, output),
        reported_cost=reported_cost(report),
    )


def ollama_usage(report: JsonObject) -> Usage:
    """Usage on the last line of native Ollama; ``prompt_eval_count`` may be missing when all was cached."""
    return Usage(
        input_tokens=as_count(report.get("prompt_eval_count")), output_tokens=as_count(report.get("eval_count"))
    )


def reported_cost(report: JsonObject) -> Decimal | None:
    """What the server says the call cost, in USD.

    OpenRouter: ``cost``, to which the upstream provider's own bill is added when the person's key for it was used
    (``is_byok``); Perplexity: ``cost.total_cost``; xAI: ``cost_in_usd_ticks``.
    """
    ticks = _amount(report.get("cost_in_usd_ticks"))
    if ticks is not None:
        return ticks * _USD_PER_TICK
    cost = report.get("cost")
    if isinstance(cost, dict):
        return _amount(cost.get("total_cost"))
    amount = _amount(cost)
    upstream = _amount(as_object(report.get("cost_details")).get("upstream_inference_cost"))
    if amount is not None and upstream is not None and report.get("is_byok") is True:
        return amount + upstream
    return amount


def _amount(value: JsonValue) -> Decimal | None:
    """A finite amount that is not negative; the shortest text of a float is what the server wrote."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)


def _without(total: int | None, *parts: int | None) -> int | None:
    """The total less its parts; never negative, as a server may count the parts apart."""
    return None if total is None else max(0, total - sum(part or 0 for part in parts))


def _part(part: int | None, whole: int | None) -> int | None:
    """A part of a whole, or None when the server's figures contradict each other."""
    return None if part is None or whole is None or part > whole else part

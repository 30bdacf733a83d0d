"""How fast a server says it was, read out of its reply as it came over the wire.

A server's own figures leave out the way to it and the wait for its slot, and tell reading from writing. Two tell them:

- llama.cpp: ``timings`` of the last chunk (``prompt_n``, ``prompt_ms``, ``predicted_n``, ``predicted_ms``)
- Ollama: the last line (``prompt_eval_count``, ``prompt_eval_duration``, ``eval_count``, ``eval_duration``, in ns)
"""

import math
from dataclasses import dataclass

from .events import JsonObject, JsonValue
from .json_values import as_count, as_object, parse_object

LEAST_COUNTED = 8
"""Tokens. Fewer, read or written, say nothing of a speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTimings:
    """Tokens per second; None is not told."""

    prompt_tokens_per_s: float | None = None
    """Of what it had to read: without what it had in its cache."""
    tokens_per_s: float | None = None


NO_TIMINGS = ServerTimings()


def server_timings(reply: str) -> ServerTimings:
    """The figures in a reply of server-sent events, JSON lines or one object; those that came last count."""
    for line in reversed(reply.splitlines()):
        found = _timings_of(parse_object(line.removeprefix("data:").strip()) or {})
        if found != NO_TIMINGS:
            return found
    return NO_TIMINGS


def _timings_of(event: JsonObject) -> ServerTimings:
    told = as_object(event.get("timings"))
    if told:
        return ServerTimings(
            prompt_tokens_per_s=_rate(told.get("prompt_n"), told.get("prompt_ms"), 1e3),
            tokens_per_s=_rate(told.get("predicted_n"), told.get("predicted_ms"), 1e3),
        )
    return ServerTimings(
        prompt_tokens_per_s=_rate(event.get("prompt_eval_count"), event.get("prompt_eval_duration"), 1e9),
        tokens_per_s=_rate(event.get("eval_count"), event.get("eval_duration"), 1e9),
    )


def _rate(tokens: JsonValue, took: JsonValue, units_per_s: float) -> float | None:
    count = as_count(tokens)
    if count is None or count < LEAST_COUNTED or isinstance(took, bool) or not isinstance(took, int | float):
        return None
    rate = count * units_per_s / took if took > 0 else math.inf
    return rate if math.isfinite(rate) else None

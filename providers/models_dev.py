"""From what models.dev publishes (``api.json``) to our table: chat models of the services we know, and nothing else.

The shipped table and a refreshed one are made by this same code.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from .events import JsonObject, JsonValue
from .json_values import as_count, as_list, as_object, as_text
from .snapshot import RETIRED, THINKING, TOOLS, VISION, Row, Table, money

TABLES: Mapping[str, str] = {
    "anthropic": "anthropic",
    "openai": "openai",
    "openrouter": "openrouter",
    "together": "togetherai",
    "fireworks": "fireworks-ai",
    "deepseek": "deepseek",
    "groq": "groq",
    "mistral": "mistral",
    "xai": "xai",
    "github-models": "github-models",
    "google": "google",
    "amazon-bedrock": "amazon-bedrock",
    "azure": "azure",
    "alibaba": "alibaba",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepinfra": "deepinfra",
    "huggingface": "huggingface",
    "minimax": "minimax",
    "moonshotai": "moonshotai",
    "nvidia": "nvidia",
    "ollama-cloud": "ollama-cloud",
    "zai": "zai",
}
"""Our name of a service -> its id on models.dev."""

_NO_CHAT = re.compile(
    r"embed|rerank|whisper|-tts|moderation|guard|transcribe|-ocr|imagine|-image|realtime", re.IGNORECASE
)
_DAY = re.compile(r"20\d\d-\d\d-\d\d")
_PLACES = 8
"""Finer fractions of a dollar for a million tokens are noise: 0.30000000000000004 is 0.3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """What was taken over."""

    providers: dict[str, Table] = field(default_factory=dict[str, Table])
    newest: str = ""
    """The day the newest entry changed; empty when no entry says."""
    refused: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """Service and model of an entry that cannot be right -> why."""


def reduce_api(published: JsonObject) -> Reduction:
    """Our table of the published one. A wrong entry is left out and named; numbers are ints and Decimals."""
    providers: dict[str, Table] = {}
    refused: dict[tuple[str, str], str] = {}
    newest = ""
    for service, source in TABLES.items():
        rows: Table = {}
        for model, said in as_object(as_object(published.get(source)).get("models")).items():
            entry = as_object(said)
            if not _chats(model, entry):
                continue
            try:
                rows[model] = _row(entry)
            except ValueError as problem:
                refused[service, model] = str(problem)
                continue
            day = as_text(entry.get("last_updated"))
            newest = max(newest, day) if _DAY.fullmatch(day) else newest
        if rows:
            providers[service] = rows
    return Reduction(providers=providers, newest=newest, refused=refused)


def _chats(model: str, entry: JsonObject) -> bool:
    return "text" in as_list(as_object(entry.get("modalities")).get("output")) and not _NO_CHAT.search(model)


def _row(entry: JsonObject) -> Row:
    """One row. Raises ValueError when a number in it cannot be right."""
    limit, cost = as_object(entry.get("limit")), as_object(entry.get("cost"))
    seen = as_list(as_object(entry.get("modalities")).get("input"))
    weights = {
        TOOLS: bool(entry.get("tool_call")),
        VISION: "image" in seen,
        THINKING: bool(entry.get("reasoning")),
        RETIRED: entry.get("status") == "deprecated",
    }
    flags = sum(weight for weight, on in weights.items() if on)
    row: Row = [_tokens(limit, "context"), _tokens(limit, "output"), flags, _four(cost)]
    for above, prices in sorted(_tiers(cost).items()):
        row += [_four(prices), above]
    return row


def _tokens(limit: JsonObject, name: str) -> int | None:
    """A size in tokens; 0 means that it is not known."""
    value = limit.get(name)
    if value is None:
        return None
    count = as_count(value)
    if count is None:
        raise ValueError(f"a {name} of {value}")
    return count or None


def _tiers(cost: JsonObject) -> dict[int, JsonObject]:
    """Prompt tokens above which other prices hold -> those prices."""
    tiers: dict[int, JsonObject] = {}
    for tier in map(as_object, as_list(cost.get("tiers"))):
        kind = as_object(tier.get("tier"))
        size = as_count(kind.get("size"))
        if kind.get("type") == "context" and size:
            tiers[size] = tier
    if not tiers and isinstance(over := cost.get("context_over_200k"), dict):
        tiers[200_000] = over
    return tiers


def _four(cost: JsonObject) -> JsonValue:
    """Input, output, cache read, cache write; nothing without the first two."""
    four = [_plain(money(cost.get(kind))) for kind in ("input", "output", "cache_read", "cache_write")]
    return None if four[0] is None or four[1] is None else [*four]


def _plain(price: Decimal | None) -> int | str | None:
    """As it is stored: a whole number, or a decimal string."""
    if price is None:
        return None
    rounded = round(price, _PLACES)
    return int(rounded) if rounded == int(rounded) else f"{rounded.normalize():f}"

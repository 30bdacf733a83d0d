"""What servers' lists of models say, in the shapes OpenAI, OpenRouter, vLLM, llama.cpp, Together and Anthropic use.

Prices are taken where the unit is beyond doubt: OpenRouter's decimal strings and LiteLLM's numbers, both USD a token.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation

from .base import ModelInfo, ModelRef, Price, PriceTier
from .events import JsonObject, JsonValue
from .json_values import as_list, as_object, as_text, first_count
from .snapshot import MOST_PER_MTOK

_PLACES = 8
"""Of a dollar for a million tokens: finer is the noise of a binary fraction, 2.4999999999999998 is 2.5."""
_ABOVE = re.compile(r"input_cost_per_token_above_(\d{1,6})k_tokens")


def model_rows(listing: JsonValue) -> list[JsonObject]:
    """The rows of a listing: ``data`` (most servers), ``models``, or the listing itself (Together)."""
    rows = listing
    if isinstance(listing, dict):
        rows = as_list(listing.get("data")) or as_list(listing.get("models"))
    return [row for row in as_list(rows) if isinstance(row, dict)]


def model_id(row: JsonObject) -> str:
    """The id requests name the model by."""
    return as_text(row.get("id")) or as_text(row.get("model")) or as_text(row.get("name"))


def model_facts(ref: ModelRef, row: JsonObject) -> ModelInfo:
    """The facts in a row, in tokens; what it does not say stays None."""
    provider = as_object(row.get("top_provider"))
    meta = as_object(row.get("meta"))
    window = first_count(row, "context_length", "max_model_len", "context_window", "max_context_length")
    parameters = as_list(row.get("supported_parameters"))
    inputs = as_list(as_object(row.get("architecture")).get("input_modalities"))
    return ModelInfo(
        ref=ref,
        context_window=window or first_count(meta, "n_ctx") or first_count(row, "max_input_tokens"),
        max_output=first_count(provider, "max_completion_tokens") or first_count(row, "max_tokens"),
        tools="tools" in parameters if parameters else None,
        thinking="reasoning" in parameters if parameters else None,
        vision="image" in inputs if inputs else None,
        price=_price(
            as_object(row.get("pricing")), ("prompt", "completion", "input_cache_read", "input_cache_write"), _exact
        ),
    )


def litellm_facts(ref: ModelRef, rows: list[JsonObject]) -> ModelInfo:
    """What LiteLLM's ``/model/info`` says of a model, in tokens; ``rows`` are all that answer under its name.

    Where they differ, the smallest window counts, an ability only when all have it, and the price is not known.
    """
    infos = [as_object(row.get("model_info")) for row in rows]
    windows = [size for info in infos if (size := first_count(info, "max_input_tokens", "max_tokens"))]
    outputs = [size for info in infos if (size := first_count(info, "max_output_tokens"))]
    prices = [_litellm_price(info) for info in infos]
    return ModelInfo(
        ref=ref,
        context_window=min(windows, default=None),
        max_output=min(outputs, default=None),
        tools=_all(infos, "supports_function_calling"),
        vision=_all(infos, "supports_vision"),
        thinking=_all(infos, "supports_reasoning"),
        price=prices[0] if prices and all(price == prices[0] for price in prices) else None,
    )


def _litellm_price(info: JsonObject) -> Price | None:
    names = (
        "input_cost_per_token",
        "output_cost_per_token",
        "cache_read_input_token_cost",
        "cache_creation_input_token_cost",
    )
    price = _price(info, names, _rounded)
    if price is None or not (price.input_per_mtok or price.output_per_mtok):
        return None  # it fills in 0 for what it does not know
    steps: list[PriceTier] = []
    for name in info:
        if above := _ABOVE.fullmatch(name):
            size = int(above[1])
            step = _price(info, tuple(f"{each}_above_{size}k_tokens" for each in names), _rounded)
            steps += [] if step is None else [PriceTier(above_tokens=size * 1000, price=step)]
    return Price(
        input_per_mtok=price.input_per_mtok,
        output_per_mtok=price.output_per_mtok,
        cache_read_per_mtok=price.cache_read_per_mtok,
        cache_write_per_mtok=price.cache_write_per_mtok,
        tiers=tuple(sorted(steps, key=lambda step: step.above_tokens)),
    )


def _all(infos: list[JsonObject], ability: str) -> bool | None:
    """True when all have it, False when one says it has not, else unknown."""
    said = [info.get(ability) for info in infos]
    if False in said:
        return False
    return True if said and all(value is True for value in said) else None


def _price(
    costs: Mapping[str, JsonValue], names: tuple[str, ...], amount: Callable[[JsonValue], Decimal | None]
) -> Price | None:
    """Input, output, cache read, cache write under these names; none without the first two."""
    paid, made, read, written = (amount(costs.get(name)) for name in names)
    if paid is None or made is None:
        return None
    return Price(input_per_mtok=paid, output_per_mtok=made, cache_read_per_mtok=read, cache_write_per_mtok=written)


def _exact(per_token: JsonValue) -> Decimal | None:
    """USD for a million tokens of a decimal string for one; None for anything else and for -1, which is "unknown"."""
    return _per_million(per_token) if isinstance(per_token, str) else None


def _rounded(per_token: JsonValue) -> Decimal | None:
    """USD for a million tokens of a number for one."""
    if isinstance(per_token, bool) or not isinstance(per_token, int | float):
        return None
    amount = _per_million(str(per_token))
    return None if amount is None else round(amount, _PLACES).normalize()


def _per_million(per_token: str) -> Decimal | None:
    try:
        amount = Decimal(per_token.strip())
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount <= MOST_PER_MTOK:
        return None
    amount = amount.scaleb(6)
    return amount if amount <= MOST_PER_MTOK else None

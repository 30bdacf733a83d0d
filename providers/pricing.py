"""What one call cost: exact arithmetic over the four disjoint token classes. Pure; never floats."""

from decimal import Decimal

from .base import Price
from .events import Usage

REPORTED = "reported"
"""The provider itself said what the call cost."""
COMPUTED = "computed"
"""Token counts of the provider times a known price."""
UNKNOWN = "unknown"
"""No price, or no count, is known: never shown as zero."""


def cost_of(usage: Usage, price: Price | None) -> tuple[Decimal | None, str]:
    """USD of one call and where the figure comes from: ``reported``, ``computed`` or ``unknown``.

    A reported cost wins. Cached tokens cost their cache price, or what input costs where there is none. Without a
    price, or without a count of both input and output, the cost is None; a free model costs 0 whatever it counted.
    """
    if usage.reported_cost is not None:
        return usage.reported_cost, REPORTED
    if price is None:
        return None, UNKNOWN
    if price.free:
        return Decimal(0), COMPUTED
    if usage.input_tokens is None or usage.output_tokens is None:
        return None, UNKNOWN
    read, write = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
    price = _price_of_prompt(price, usage.input_tokens + read + write)
    millionths = (
        usage.input_tokens * price.input_per_mtok
        + read * _or(price.cache_read_per_mtok, price.input_per_mtok)
        + write * _or(price.cache_write_per_mtok, price.input_per_mtok)
        + usage.output_tokens * price.output_per_mtok
    )
    return millionths.scaleb(-6), COMPUTED


def _price_of_prompt(price: Price, prompt_tokens: int) -> Price:
    """The price of the highest tier the prompt reaches; it holds for the whole call."""
    reached = [tier for tier in price.tiers if prompt_tokens > tier.above_tokens]
    return max(reached, key=lambda tier: tier.above_tokens).price if reached else price


def _or(own: Decimal | None, otherwise: Decimal) -> Decimal:
    """A price of zero is a price; only a missing one falls back."""
    return otherwise if own is None else own

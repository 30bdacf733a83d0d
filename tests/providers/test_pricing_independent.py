"""Our arithmetic against a price library of other people's making: their prices, their sums, to the last digit."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

from genai_prices import Usage as TheirUsage
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

from patchbay.providers.base import Price, PriceTier
from patchbay.providers.catalogue import Catalogue
from patchbay.providers.events import Usage
from patchbay.providers.pricing import cost_of

MEANT = {
    "input_mtok": "input_per_mtok",
    "output_mtok": "output_per_mtok",
    "cache_read_mtok": "cache_read_per_mtok",
    "cache_write_mtok": "cache_write_per_mtok",
}
"""Their name of a price, and ours. Prices of sound, images and searches belong to calls that Patchbay never makes."""
USAGES = (
    Usage(input_tokens=1, output_tokens=1),
    Usage(input_tokens=3, output_tokens=0),
    Usage(input_tokens=1_234, output_tokens=567),
    Usage(input_tokens=17, cache_read_tokens=41_003, output_tokens=211),
    Usage(input_tokens=5, cache_read_tokens=1, cache_write_tokens=1, output_tokens=1),
    Usage(input_tokens=911, cache_read_tokens=12_345, cache_write_tokens=6_789, output_tokens=4_321),
    Usage(input_tokens=0, cache_read_tokens=199_999, cache_write_tokens=1, output_tokens=7),
    Usage(input_tokens=1, cache_read_tokens=150_000, cache_write_tokens=50_000, output_tokens=7),
    Usage(input_tokens=1_048_577, cache_read_tokens=3, output_tokens=65_535),
    Usage(input_tokens=987_654_321, output_tokens=123_456_789),
)
"""Single tokens, sums far below a cent, caches, both sides of usual thresholds, sums of thousands of dollars."""
TABLES = {
    "anthropic": "anthropic",
    "openai": "openai",
    "google": "google",
    "deepseek": "deepseek",
    "mistral": "mistral",
    "x-ai": "xai",
    "groq": "groq",
    "cohere": "cohere",
    "moonshotai": "moonshotai",
    "zai": "zai",
    "minimax": "minimax",
    "perplexity": "perplexity",
    "fireworks": "fireworks-ai",
    "together": "togetherai",
    "openrouter": "openrouter",
}
"""Their name of a service, and the catalogue's."""


@cache
def their_prices() -> tuple[tuple[str, ModelInfo, ModelPrice], ...]:
    """Every model with a price of text today: name of the service, model, price."""
    today = datetime.now(UTC)
    return tuple(
        (provider.id, model, prices)
        for provider in get_snapshot().providers
        for model in provider.models
        if (prices := model.get_prices(today)).input_mtok is not None and prices.output_mtok is not None
    )


def ours(prices: ModelPrice) -> Price:
    """The same price in our words. A tier of theirs belongs to one kind of token, one of ours to all of them."""
    own = {name: getattr(prices, name) for name in MEANT}
    starts = sorted({tier.start for each in own.values() if isinstance(each, TieredPrices) for tier in each.tiers})

    def at(start: int) -> dict[str, Decimal]:
        return {MEANT[name]: _at(each, start) for name, each in own.items() if each is not None}

    tiers = tuple(PriceTier(above_tokens=start, price=Price(**at(start))) for start in starts)
    return Price(**at(-1), tiers=tiers)


def _at(price: Decimal | TieredPrices, start: int) -> Decimal:
    """The price beyond a threshold."""
    if not isinstance(price, TieredPrices):
        return price
    return next((tier.price for tier in reversed(price.tiers) if tier.start <= start), price.base)


def their_sum(prices: ModelPrice, usage: Usage) -> Decimal:
    read, write = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
    text = {name: price for name in MEANT if (price := getattr(prices, name)) is not None}
    counted = TheirUsage(
        input_tokens=(usage.input_tokens or 0) + read + write,
        cache_read_tokens=read,
        cache_write_tokens=write,
        output_tokens=usage.output_tokens,
    )
    return ModelPrice(**text).calc_price(counted)["total_price"]


def thresholds(price: Price) -> Iterator[Usage]:
    """Prompts that just do not, and just do, reach each tier, cached and not."""
    for tier in price.tiers:
        for length in (tier.above_tokens, tier.above_tokens + 1):
            yield Usage(input_tokens=length, output_tokens=13)
            yield Usage(input_tokens=5, cache_read_tokens=length - 10, cache_write_tokens=5, output_tokens=13)


def test_there_is_enough_to_compare() -> None:
    prices = [price for _, _, price in their_prices()]
    assert len(prices) >= 200
    assert sum(any(isinstance(getattr(price, name), TieredPrices) for name in MEANT) for price in prices) >= 20
    assert sum(price.cache_read_mtok is not None for price in prices) >= 100


def test_every_sum_is_theirs_to_the_last_digit() -> None:
    differing = [
        (provider, model.id, usage, amount, theirs)
        for provider, model, prices in their_prices()
        for usage in (*USAGES, *thresholds(ours(prices)))
        for amount in (cost_of(usage, ours(prices))[0],)
        for theirs in (their_sum(prices, usage),)
        if amount != theirs
    ]
    assert differing == []


def test_many_small_calls_add_up_to_what_they_say() -> None:
    """A thousand calls far below a cent: nothing is rounded on the way."""
    usage = Usage(input_tokens=7, cache_read_tokens=11, output_tokens=3)
    for _, _, prices in their_prices()[:200]:
        amount, _ = cost_of(usage, ours(prices))
        assert amount is not None
        assert sum([amount] * 1000, Decimal(0)) == 1000 * their_sum(prices, usage)


def test_the_catalogue_knows_mostly_the_same_prices(record_property: Callable[[str, object], None]) -> None:
    """Two tables of different days: what differs is told, and only a table that is wrong as a whole is an error."""
    catalogue = Catalogue({})
    same, differing = 0, list[str]()
    for provider, model, prices in their_prices():
        table = TABLES.get(provider)
        known = None if table is None else catalogue.snapshot.find(table, model.id)
        if known is None or known.price is None:
            continue
        price = ours(prices)
        mine = (known.price.input_per_mtok, known.price.output_per_mtok)
        if mine == (price.input_per_mtok, price.output_per_mtok):
            same += 1
        else:
            theirs = f"${price.input_per_mtok} / ${price.output_per_mtok}"
            differing.append(f"{table}/{model.id}: ours ${mine[0]} / ${mine[1]}, theirs {theirs}")
    record_property("differing prices", "; ".join(differing))
    print(f"{same} models cost the same, {len(differing)} do not:", *differing, sep="\n  ")
    assert same + len(differing) >= 200
    assert same > len(differing), differing

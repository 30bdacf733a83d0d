"""Money by hand, to the last digit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers.base import FREE, Price, PriceTier
from patchbay.providers.events import Usage
from patchbay.providers.pricing import cost_of


def price(
    paid: str, made: str, read: str | None = None, written: str | None = None, **more: tuple[PriceTier, ...]
) -> Price:
    return Price(
        input_per_mtok=Decimal(paid),
        output_per_mtok=Decimal(made),
        cache_read_per_mtok=None if read is None else Decimal(read),
        cache_write_per_mtok=None if written is None else Decimal(written),
        **more,
    )


SONNET = price("3", "15", "0.3", "3.75")


def test_input_and_output_of_the_deepseek_example() -> None:
    usage = Usage(input_tokens=1_234_567, output_tokens=89)
    assert cost_of(usage, price("0.14", "0.28")) == (Decimal("0.17286430"), "computed")


def test_the_four_classes_each_at_their_own_price() -> None:
    usage = Usage(input_tokens=1000, cache_read_tokens=20_000, cache_write_tokens=3000, output_tokens=500)
    # 1000*3 + 20000*0.3 + 3000*3.75 + 500*15 = 3000 + 6000 + 11250 + 7500
    assert cost_of(usage, SONNET) == (Decimal("0.02775"), "computed")


def test_cached_tokens_cost_what_input_costs_where_there_is_no_cache_price() -> None:
    usage = Usage(input_tokens=10, cache_read_tokens=20, cache_write_tokens=30, output_tokens=0)
    assert cost_of(usage, price("2", "8")) == (Decimal("0.00012"), "computed")


def test_a_cache_price_of_zero_is_a_price() -> None:
    usage = Usage(input_tokens=0, cache_read_tokens=1_000_000, output_tokens=0)
    assert cost_of(usage, price("2", "8", read="0"))[0] == 0


def test_thinking_is_part_of_the_output_and_not_paid_twice() -> None:
    with_thinking = Usage(input_tokens=1, output_tokens=100, thinking_tokens=90)
    assert cost_of(with_thinking, SONNET) == cost_of(Usage(input_tokens=1, output_tokens=100), SONNET)


def test_what_the_provider_reports_wins() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000, reported_cost=Decimal("0.0123"))
    assert cost_of(usage, SONNET) == (Decimal("0.0123"), "reported")
    assert cost_of(usage, None) == (Decimal("0.0123"), "reported")


@pytest.mark.parametrize(
    "usage", [Usage(), Usage(input_tokens=5), Usage(output_tokens=5), Usage(cache_read_tokens=5, output_tokens=5)]
)
def test_what_was_not_counted_has_no_cost(usage: Usage) -> None:
    assert cost_of(usage, SONNET) == (None, "unknown")


def test_an_unknown_price_is_unknown_and_a_free_model_is_zero() -> None:
    assert cost_of(Usage(input_tokens=5, output_tokens=5), None) == (None, "unknown")
    assert cost_of(Usage(input_tokens=5, output_tokens=5), FREE) == (Decimal(0), "computed")
    assert cost_of(Usage(), FREE) == (Decimal(0), "computed")


@pytest.mark.parametrize(
    ("fresh", "cached", "expected"),
    [(200_000, 0, "0.5"), (200_001, 0, "1.000005"), (100_000, 100_001, "0.5500005")],
)
def test_a_long_prompt_is_paid_at_its_tier_cached_tokens_included(fresh: int, cached: int, expected: str) -> None:
    dear = PriceTier(above_tokens=200_000, price=price("5", "22.5", "0.5"))
    tiered = price("2.5", "15", "0.25", tiers=(dear,))
    usage = Usage(input_tokens=fresh, cache_read_tokens=cached, output_tokens=0)
    assert cost_of(usage, tiered) == (Decimal(expected), "computed")


@given(tokens=st.integers(0, 10**9), made=st.integers(0, 10**9), rate=st.decimals("0.000001", "999", places=6))
def test_no_digit_is_ever_lost(tokens: int, made: int, rate: Decimal) -> None:
    amount, _ = cost_of(
        Usage(input_tokens=tokens, output_tokens=made), Price(input_per_mtok=rate, output_per_mtok=rate)
    )
    assert amount is not None
    numerator, denominator = rate.as_integer_ratio()
    top, bottom = amount.as_integer_ratio()
    assert top * denominator * 10**6 == bottom * numerator * (tokens + made)

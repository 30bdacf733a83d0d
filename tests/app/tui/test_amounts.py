from decimal import Decimal

import pytest

from patchbay.app.tui import amounts
from patchbay.providers.base import FREE, Price


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "?"), (0, "0"), (999, "999"), (1000, "1.0k"), (12_449, "12.4k"), (99_949, "99.9k"), (99_950, "100k"),
     (999_499, "999k"), (999_500, "1.0M"), (12_340_000, "12.3M")],
)  # fmt: skip
def test_tokens_never_need_more_than_five_characters(count: int | None, text: str):
    assert amounts.tokens(count) == text
    assert len(text) <= 5


def test_an_estimate_is_marked_and_unknown_is_no_number():
    assert amounts.tokens(2100, estimated=True) == "~2.1k"
    assert amounts.tokens(None, estimated=True) == "?"


@pytest.mark.parametrize(
    ("size", "text"),
    [(None, "?"), (4096, "4 k"), (8192, "8 k"), (32_768, "32 k"), (128_000, "128 k"), (131_072, "128 k"),
     (200_000, "200 k"), (1_000_000, "1 M"), (1_048_576, "1 M"), (2_500_000, "2.5 M"), (512, "512")],
)  # fmt: skip
def test_windows_are_named_as_their_makers_do(size: int | None, text: str):
    assert amounts.window(size) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "$0.00"), ("0.00001", "<$0.0001"), ("0.0043", "$0.0043"), ("0.0431", "$0.043"), ("0.9994", "$0.999"),
     ("0.9996", "$1.00"), ("12.346", "$12.35"), ("1204.4", "$1,204")],
)  # fmt: skip
def test_dollars_keep_three_places_that_count(amount: str, text: str):
    assert amounts.dollars(Decimal(amount)) == text
    assert amounts.dollars(Decimal(amount), estimated=True) == f"~{text}"


@pytest.mark.parametrize(
    ("cents", "text"),
    [(("3", "15"), "$3 / $15"), (("0.25", "1.25"), "$0.25 / $1.25"), (("0.075", "0.3"), "$0.075 / $0.30")],
)
def test_prices_show_both_directions(cents: tuple[str, str], text: str):
    assert amounts.price(Price(input_per_mtok=Decimal(cents[0]), output_per_mtok=Decimal(cents[1]))) == text


def test_free_and_unknown_prices_are_told_apart():
    assert (amounts.price(FREE), amounts.price(None)) == ("free", "?")


@pytest.mark.parametrize(
    ("duration", "text"),
    [(-0.01, "0.00 s"), (0.04, "0.04 s"), (0.3, "0.3 s"), (59.9, "59.9 s"), (62.4, "1 m 02 s"), (3599, "59 m 59 s"),
     (7530, "2 h 05 m")],
)  # fmt: skip
def test_durations(duration: float, text: str):
    assert amounts.seconds(duration) == text

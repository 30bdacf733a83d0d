"""Exact arithmetic over money: sums that lose no digit, and parts that add up to the whole."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation

_EXACT = Context(prec=200)
"""More digits than any ledger can need; Python's default of 28 would round a sum of odd reported amounts."""


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The sum, to the last digit; 0 for none."""
    result = Decimal(0)
    for amount in amounts:
        result = _EXACT.add(result, amount)
    return result


def amount(text: str | None) -> Decimal | None:
    """An amount as a ledger has it; None when nobody knew it, or when the text is no number that can be summed."""
    if text is None:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def split(amount: Decimal, weights: Sequence[int]) -> list[Decimal]:
    """The amount in parts by weight that add up to it exactly.

    Parts have no more decimal places than the amount (or six): what rounding leaves goes to the heaviest part.
    """
    exponent = amount.as_tuple().exponent
    places = min(exponent if isinstance(exponent, int) else 0, -6)
    unit = Decimal(1).scaleb(places)
    units = int(_EXACT.divide(amount, unit))
    return [_EXACT.multiply(Decimal(part), unit) for part in split_count(units, weights)]


def split_count(count: int, weights: Sequence[int]) -> list[int]:
    """A whole number in parts by weight that add up to it; without any weight all parts weigh the same."""
    shares = weights if any(weights) else [1] * len(weights)
    whole = sum(shares)
    parts = [count * share // whole for share in shares]
    parts[max(range(len(parts)), key=lambda place: shares[place])] += count - sum(parts)
    return parts


def plain(amount: Decimal, places: int = 2) -> str:
    """Every digit of an amount, with at least so many decimal places: ``0.00``, ``0.0502``, ``12.50``."""
    digits = max(places, decimals(amount))
    return f"{amount.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_DOWN, context=_EXACT):f}"


def decimals(amount: Decimal) -> int:
    """How many decimal places an amount needs, zeros at its end left out."""
    exponent = amount.normalize(_EXACT).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0

"""Numbers as the screen shows them: short, with their unit, ``~`` before an estimate, unknown never zero."""

from decimal import Decimal

from ...providers.base import Price


def tokens(count: int | None, *, estimated: bool = False) -> str:
    """A token count in at most five characters and a ``~``: ``812``, ``~2.1k``, ``1.3M``; ``?`` when unknown."""
    if count is None:
        return "?"
    return ("~" if estimated else "") + _scaled(count)


def window(size: int | None) -> str:
    """A context window: ``32 k``, ``200 k``, ``1 M``; ``?`` when unknown.

    Multiples of 8,192 are read in units of 1,024: 32,768 is 32 k and 131,072 is 128 k, as 128,000 is.
    """
    if size is None:
        return "?"
    kilo = 1024 if size % 8192 == 0 else 1000
    if size >= 1_000_000:
        millions = size / (kilo * kilo)
        return f"{millions:.0f} M" if abs(millions - round(millions)) < 0.05 else f"{millions:.1f} M"
    return f"{size / kilo:.0f} k" if size >= 1000 else str(size)


def dollars(amount: Decimal, *, estimated: bool = False) -> str:
    """USD with three significant places: ``$0.0043``, ``$0.043``, ``$1.25``, ``$1,204``."""
    mark = "~" if estimated else ""
    if amount == 0:
        return f"{mark}$0.00"
    if amount < Decimal("0.00005"):
        return f"{mark}<$0.0001"
    if amount < Decimal("0.00995"):
        return f"{mark}${amount:.4f}"
    if amount < Decimal("0.9995"):
        return f"{mark}${amount:.3f}"
    return f"{mark}${amount:.2f}" if amount < 1000 else f"{mark}${amount:,.0f}"


def price(of: Price | None) -> str:
    """Input and output price of a million tokens: ``$3 / $15``, ``free``, ``?`` when unknown."""
    if of is None:
        return "?"
    if of.free:
        return "free"
    return f"{_rate(of.input_per_mtok)} / {_rate(of.output_per_mtok)}"


def seconds(duration: float) -> str:
    """A duration: ``0.04 s``, ``4.1 s``, ``62 s``, ``3 m 20 s``, ``2 h 5 m``."""
    if duration < 0.095:
        return f"{max(duration, 0):.2f} s"
    if duration < 60:
        return f"{duration:.1f} s"
    whole = round(duration)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} m"


def _scaled(count: int) -> str:
    if count < 1000:
        return str(count)
    if count < 99_950:
        return f"{count / 1000:.1f}k"
    return f"{count / 1000:.0f}k" if count < 999_500 else f"{count / 1_000_000:.1f}M"


def _rate(rate: Decimal) -> str:
    """``$3``, ``$0.25``, ``$12.50``: no needless zeros after a whole number."""
    return (
        f"${rate:.0f}"
        if rate == rate.to_integral_value()
        else f"${rate:.2f}"
        if rate >= Decimal("0.1")
        else f"${rate.normalize():f}"
    )

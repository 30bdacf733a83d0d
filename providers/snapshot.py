"""A table of models as it is stored: read, checked, written, and asked for one model by any of its names.

One JSON object, gzip-packed: ``date`` (the day it describes), ``source``, ``providers`` (service -> model -> row), and
in one that was fetched ``fetched`` (epoch seconds) and ``newest`` (the day its newest entry changed). A row is
``[context, max output, flags, prices, prices above, tokens]``; prices are USD for a million tokens as ``[input, output,
cache read, cache write]``, null where unknown, decimal strings where they are not whole.
"""

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import cache, cached_property
from pathlib import Path
from typing import TypeAlias, cast

from .base import Price, PriceTier
from .events import JsonValue
from .json_values import as_count, as_object, as_text

TOOLS, VISION, THINKING, RETIRED = 1, 2, 4, 8

MOST_PER_MTOK = Decimal(100_000)
"""USD for a million tokens. Nothing costs a tenth of that: more means somebody mixed up the unit."""
MAX_UNPACKED_BYTES = 32_000_000

Row: TypeAlias = list[JsonValue]
Table: TypeAlias = dict[str, Row]

_SHIPPED = Path(__file__).with_name("data") / "catalogue.json.gz"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")

# What may be added to a model's name without making it another model, tried in this order and all together.
_DATE = re.compile(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d)$")
_BEDROCK = re.compile(r"^(?:(?:us|eu|apac|au|jp|ca|global|us-gov)\.)?(?P<vendor>[a-z0-9]+)\.(?=[a-z])")
_BEDROCK_VERSION = re.compile(r"-v\d+(?::\d+)?$")
_VARIANT = re.compile(r":(?:free|nitro|floor|online|extended|beta|exacto|thinking)$")
_DOTTED = re.compile(r"(?<=\d)\.(?=\d)")
_FIREWORKS = re.compile(r"^accounts/[^/]+/(?:models|routers)/")

_DEPTH = 4
"""How many spellings a name has."""


class CatalogueError(Exception):
    """A table of models cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One row. None means unknown."""

    context: int | None
    max_output: int | None
    flags: int
    price: Price | None


@dataclass(frozen=True)
class Snapshot:
    """A table of models of one day."""

    date: str
    """The day it describes, ``2026-08-18``."""
    providers: Mapping[str, Table]
    source: str = ""
    newest: str = ""
    """The day its newest entry changed; empty when it was not recorded."""
    fetched: int | None = None
    """When it was fetched, in seconds since the epoch; None for the one that is shipped."""

    def models(self, table: str) -> tuple[str, ...]:
        """The ids a service offered, without those it has retired; empty for one that is not in the table."""
        rows = self.providers.get(table, {})
        return tuple(model for model, row in rows.items() if not fact(row).flags & RETIRED)

    def find(self, table: str, model: str) -> Fact | None:
        """The model in one service's table: as written, else under any name that means the same."""
        rows = self.providers.get(table, {})
        row = rows.get(model)
        if row is None:
            keys = self._plain_keys(table)
            row = next((rows[keys[name]] for name in _spellings(model) if name in keys), None)
        return None if row is None else fact(row)

    def packed(self) -> bytes:
        """The bytes of the file: the same for the same table."""
        document = {"date": self.date, "source": self.source, "providers": self.providers}
        if self.fetched is not None:
            document |= {"fetched": self.fetched, "newest": self.newest}
        text = json.dumps(document, separators=(",", ":"), sort_keys=True, default=str)  # Decimals
        # No time stamp and no file name in the archive: the same data gives the same bytes.
        return gzip.compress(text.encode(), compresslevel=9, mtime=0)

    @cached_property
    def _keys(self) -> dict[str, dict[str, str]]:
        return {}

    def _plain_keys(self, table: str) -> dict[str, str]:
        """Every spelling of a table's ids -> the id. A closer spelling beats a looser one of another model."""
        keys = self._keys.get(table)
        if keys is None:
            keys = self._keys[table] = {}
            for depth in range(_DEPTH):
                for model in self.providers.get(table, {}):
                    keys.setdefault(tuple(_spellings(model))[depth], model)
        return keys


@cache
def shipped() -> Snapshot:
    """The table that comes with Patchbay, read when it is first asked for."""
    return unpacked(_SHIPPED.read_bytes())


def unpacked(packed: bytes) -> Snapshot:
    """The table in a file's bytes, every row checked. Raises ``CatalogueError``."""
    try:
        unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        text = unpacking.decompress(packed, MAX_UNPACKED_BYTES)
        if unpacking.unconsumed_tail or not unpacking.eof:
            raise CatalogueError("it is cut off, or larger than any table of models is")
        document = as_object(read_json(text))
    except (zlib.error, ValueError) as problem:
        raise CatalogueError(f"it cannot be read ({problem})") from None
    date, providers = as_text(document.get("date")), document.get("providers")
    if not _DAY.fullmatch(date) or not isinstance(providers, dict):
        raise CatalogueError("it is no table of models")
    for service, table in providers.items():
        for model, row in as_object(table).items():
            try:
                fact(cast("Row", row))
            except (TypeError, ValueError, IndexError, ArithmeticError):
                raise CatalogueError(f"its entry {service}/{model} is none of a model") from None
    return Snapshot(
        date=date,
        providers={service: cast("Table", as_object(table)) for service, table in providers.items()},
        source=as_text(document.get("source")),
        newest=as_text(document.get("newest")),
        fetched=as_count(document.get("fetched")),
    )


def read_json(text: bytes) -> JsonValue:
    """JSON whose numbers with a point are Decimals straight from their text: no binary fraction ever touches money.

    Raises ValueError, also for NaN and infinity, which JSON does not have.
    """
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def fact(row: Row) -> Fact:
    """What a row says. Raises TypeError, ValueError, IndexError or ArithmeticError for anything that is no row."""
    context, max_output, flags, money, *tiers = row
    if not isinstance(flags, int) or any(
        size is not None and not isinstance(size, int) for size in (context, max_output)
    ):
        raise TypeError
    price = None if money is None else _price(money)
    if price is not None and tiers:
        steps = [(above, _price(four)) for four, above in zip(tiers[::2], tiers[1::2], strict=True)]
        price = replace(
            price,
            tiers=tuple(
                PriceTier(above_tokens=above, price=step)
                for above, step in steps
                if step is not None and isinstance(above, int)
            ),
        )
    return Fact(cast("int | None", context), cast("int | None", max_output), flags, price)


def money(value: object) -> Decimal | None:
    """USD for a million tokens, None where unknown. Raises ValueError for what no price can be: negative, NaN, huge."""
    match value:
        case None:
            return None
        case bool():
            raise ValueError("a price that is no number")
        case int() | Decimal() | str():
            try:
                amount = Decimal(value)
            except InvalidOperation:
                raise ValueError("a price that is no number") from None
        case _:
            raise ValueError("a price that is no number")
    if not amount.is_finite() or amount < 0 or amount > MOST_PER_MTOK:
        raise ValueError(f"a price of {amount:.12g}")
    return amount


def _price(four: JsonValue) -> Price | None:
    """Input, output, cache read, cache write; none without the first two."""
    if not isinstance(four, list):
        raise TypeError
    paid, made, read, written = map(money, four)
    if paid is None or made is None:
        return None
    return Price(input_per_mtok=paid, output_per_mtok=made, cache_read_per_mtok=read, cache_write_per_mtok=written)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _spellings(model: str) -> Iterator[str]:
    """``_DEPTH`` names from closest to loosest: lower case, without variant, without vendor, without date."""
    name = model.lower()
    yield name
    name = _VARIANT.sub("", name)
    yield name
    name = _FIREWORKS.sub("", name).rpartition("/")[2]
    if _BEDROCK.match(name):
        name = _BEDROCK_VERSION.sub("", _BEDROCK.sub("", name))
    name = _DOTTED.sub("-", name)
    yield name
    yield _DATE.sub("", name)

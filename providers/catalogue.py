"""What is known of a model: its window, what it can do, what it costs.

Four sources, best first: the person's own ``[pricing]``, what the server said just now, the snapshot of models.dev that
ships with Patchbay, and for models on one's own machine the table of families. A fact nobody states stays None.

Snapshot: ``data/catalogue.json.gz``, made by ``tests/support/build_catalogue.py``; families: ``data/families.toml``.
Both are read when they are first asked for.
"""

import gzip
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TypeAlias, TypedDict, cast

from .base import FREE, ModelInfo, ModelRef, Price, PriceTier

_DATA = Path(__file__).with_name("data")

_TOOLS, _VISION, _THINKING, _RETIRED = 1, 2, 4, 8

_Money: TypeAlias = Decimal | int | None
_Row: TypeAlias = list["int | list[_Money] | None"]
_Table: TypeAlias = dict[str, _Row]


class _Document(TypedDict):
    """The snapshot as it is stored."""

    date: str
    source: str
    providers: dict[str, _Table]


class _Family(TypedDict, total=False):
    context: int
    tools: bool
    vision: bool
    thinking: bool


# What may be added to a model's name without making it another model, tried in this order and all together.
_DATE = re.compile(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d)$")
_BEDROCK = re.compile(r"^(?:(?:us|eu|apac|au|jp|ca|global|us-gov)\.)?(?P<vendor>[a-z0-9]+)\.(?=[a-z])")
_BEDROCK_VERSION = re.compile(r"-v\d+(?::\d+)?$")
_VARIANT = re.compile(r":(?:free|nitro|floor|online|extended|beta|exacto|thinking)$")
_DOTTED = re.compile(r"(?<=\d)\.(?=\d)")
_FIREWORKS = re.compile(r"^accounts/[^/]+/(?:models|routers)/")

_DEPTH = 4
"""How many spellings a name has."""

# Where a model is looked for when its provider's own table does not have it: its maker's table first.
_MAKERS = ("anthropic", "openai", "google", "xai", "deepseek", "mistral", "moonshotai", "zai", "alibaba", "minimax")


@dataclass(frozen=True, slots=True)
class _Fact:
    """One row of the snapshot."""

    context: int | None
    max_output: int | None
    flags: int
    price: Price | None


class Catalogue:
    """Answers for models. Cheap to make; the snapshot is shared and read once."""

    def __init__(self, pricing: Mapping[str, Price]) -> None:
        self._pricing = {model.lower(): price for model, price in pricing.items()}

    @property
    def date(self) -> str:
        """The day the shipped snapshot describes, ``2026-08-18``."""
        return _snapshot()["date"]

    def models(self, provider: str) -> tuple[str, ...]:
        """The ids a service offered on that day, without those it has retired; empty for one we do not know."""
        table = _snapshot()["providers"].get(provider, {})
        return tuple(model for model, row in table.items() if not _fact(row).flags & _RETIRED)

    def facts(
        self,
        provider: str,
        model: str,
        *,
        local: bool = False,
        table: str | None = None,
        live: ModelInfo | None = None,
    ) -> ModelInfo:
        """All that is known of a model.

        ``table`` is the service's name in the snapshot where the person named theirs otherwise, "" for none. ``live``
        is what the server itself says. A local model is free. One that another service sells lends its abilities,
        never its price.
        """
        known = _of_family(model) if local else _of_service(provider if table is None else table, model)
        info = replace(known, ref=ModelRef(provider=provider, model=model))
        if live is not None:
            info = _overlaid(info, live)
        own = self._own_price(provider, model)
        return info if own is None else replace(info, price=own)

    def _own_price(self, provider: str, model: str) -> Price | None:
        """The person's price: under ``provider/model``, else under the model's id."""
        return self._pricing.get(f"{provider}/{model}".lower()) or self._pricing.get(model.lower())


def _overlaid(under: ModelInfo, over: ModelInfo) -> ModelInfo:
    """``over`` where it knows something, ``under`` elsewhere."""
    return ModelInfo(
        ref=under.ref,
        context_window=under.context_window if over.context_window is None else over.context_window,
        max_output=under.max_output if over.max_output is None else over.max_output,
        tools=under.tools if over.tools is None else over.tools,
        vision=under.vision if over.vision is None else over.vision,
        thinking=under.thinking if over.thinking is None else over.thinking,
        price=under.price if over.price is None else over.price,
    )


def _of_service(table: str, model: str) -> ModelInfo:
    """From the service's own table; else the abilities, without the price, from the maker's table."""
    providers = _snapshot()["providers"]
    own = _find(table, model)
    if own is not None:
        # OpenRouter's free variants are the same model at no cost.
        free = model.endswith(":free")
        return _info(own, FREE if free else own.price)
    for maker in (*_MAKERS, *(name for name in providers if name not in _MAKERS)):
        borrowed = _find(maker, model)
        if borrowed is not None:
            return _info(borrowed, None)
    return _NOTHING


def _of_family(model: str) -> ModelInfo:
    """From the table of families: the longest family the name begins with, whatever its size and quantisation."""
    best: tuple[int, _Family] = (0, {})
    for name in _local_names(model):
        for family, facts in _families().items():
            rest = name.removeprefix(family)
            if rest != name and not rest[:1].isalnum() and not rest.startswith(".") and len(family) > best[0]:
                best = (len(family), facts)
    facts = best[1]
    return ModelInfo(
        ref=_NOTHING.ref,
        context_window=facts.get("context"),
        tools=facts.get("tools"),
        vision=facts.get("vision"),
        thinking=facts.get("thinking"),
        price=FREE,
    )


def _local_names(model: str) -> set[str]:
    """``Qwen/Qwen-3-Coder-30B.gguf`` -> ``qwen-3-coder-30b``, ``qwen3-coder-30b``: both are in use."""
    name = re.split(r"[/\\]", model.lower())[-1].removesuffix(".gguf").replace("_", "-").removeprefix("meta-")
    return {name, re.sub(r"(?<=[a-z])-(?=\d)", "", name, count=1)}


def _find(table: str, model: str) -> _Fact | None:
    """The model in one table: as written, else under any name that means the same."""
    rows = _snapshot()["providers"].get(table, {})
    row = rows.get(model)
    if row is None:
        keys = _plain_keys(table)
        row = next((rows[keys[name]] for name in _spellings(model) if name in keys), None)
    return None if row is None else _fact(row)


@cache
def _plain_keys(table: str) -> dict[str, str]:
    """Every spelling of a table's ids -> the id. A closer spelling beats a looser one of another model."""
    ids = _snapshot()["providers"].get(table, {})
    keys: dict[str, str] = {}
    for depth in range(_DEPTH):
        for model in ids:
            keys.setdefault(tuple(_spellings(model))[depth], model)
    return keys


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


@cache
def _snapshot() -> _Document:
    packed = (_DATA / "catalogue.json.gz").read_bytes()
    # Prices become Decimal straight from their text: no binary fraction ever touches money.
    return cast("_Document", json.loads(gzip.decompress(packed), parse_float=Decimal))


@cache
def _families() -> dict[str, _Family]:
    return cast("dict[str, _Family]", tomllib.loads((_DATA / "families.toml").read_text("utf-8")))


def _fact(row: _Row) -> _Fact:
    context, max_output, flags, money, *tiers = cast(
        "tuple[int | None, int | None, int, list[_Money] | None, *tuple[list[_Money] | int, ...]]", row
    )
    price = None if money is None else _price(money)
    if price is not None and tiers:
        pairs = zip(cast("list[list[_Money]]", tiers[::2]), cast("list[int]", tiers[1::2]), strict=True)
        steps = ((above, _price(four)) for four, above in pairs)
        price = replace(
            price, tiers=tuple(PriceTier(above_tokens=above, price=step) for above, step in steps if step is not None)
        )
    return _Fact(context, max_output, flags, price)


def _price(four: list[_Money]) -> Price | None:
    """Input, output, cache read, cache write; none without the first two."""
    paid, made, read, written = (None if money is None else Decimal(money) for money in four)
    if paid is None or made is None:
        return None
    return Price(input_per_mtok=paid, output_per_mtok=made, cache_read_per_mtok=read, cache_write_per_mtok=written)


_NOTHING = ModelInfo(ref=ModelRef(provider="", model=""))


def _info(fact: _Fact, price: Price | None) -> ModelInfo:
    return ModelInfo(
        ref=_NOTHING.ref,
        context_window=fact.context,
        max_output=fact.max_output,
        tools=bool(fact.flags & _TOOLS),
        vision=bool(fact.flags & _VISION),
        thinking=bool(fact.flags & _THINKING),
        price=price,
    )

"""What is known of a model: its window, what it can do, what it costs.

Sources, best first: the person's own ``[pricing]`` and ``[context_windows]``; what the server said just now; the table
that was fetched last or the one that ships with Patchbay, whichever is newer; for models on one's own machine the table
of families. A fact nobody states stays None.

Shipped: ``data/catalogue.json.gz``, made by ``tests/support/build_catalogue.py``; fetched: see ``refresh``; families:
``data/families.toml``. All are read when they are first asked for.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import TypedDict, TypeVar, cast

from .base import FREE, ModelInfo, ModelRef, Price, ago
from .snapshot import MAX_UNPACKED_BYTES, THINKING, TOOLS, VISION, CatalogueError, Fact, Snapshot, shipped, unpacked

T = TypeVar("T")
_DATA = Path(__file__).with_name("data")


class _Family(TypedDict, total=False):
    context: int
    tools: bool
    vision: bool
    thinking: bool


# Where a model is looked for when its provider's own table does not have it: its maker's table first.
_MAKERS = ("anthropic", "openai", "google", "xai", "deepseek", "mistral", "moonshotai", "zai", "alibaba", "minimax")


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How old prices and facts are."""

    date: str
    """The day they describe."""
    fetched: int | None = None
    """When they were fetched, in seconds since the epoch; None when they came with Patchbay."""

    def words(self, now: float) -> str:
        """For people, at an epoch time: ``prices as of 2026-05-21, shipped``, ``prices refreshed 2 h ago``."""
        if self.fetched is None:
            return f"prices as of {self.date}, shipped"
        refreshed = f"refreshed {ago(now - self.fetched)}"
        same_day = datetime.fromtimestamp(self.fetched, UTC).date().isoformat() == self.date
        return f"prices {refreshed}" if same_day else f"prices as of {self.date}, {refreshed}"


class Catalogue:
    """Answers for models. Cheap to make; the tables are read when they are first needed."""

    def __init__(
        self, pricing: Mapping[str, Price], *, windows: Mapping[str, int] | None = None, refreshed: Path | None = None
    ) -> None:
        """``pricing`` and ``windows`` (tokens) are the person's own, by model id or ``provider/model``.

        ``refreshed`` is the file of a table that was fetched; it need not exist.
        """
        self._pricing = {model.lower(): price for model, price in pricing.items()}
        self._windows = {model.lower(): window for model, window in (windows or {}).items()}
        self._refreshed = refreshed

    @property
    def snapshot(self) -> Snapshot:
        """The table in use."""
        return self._chosen[0]

    @property
    def problem(self) -> str:
        """Why a table that was fetched is not used; empty when there is none or it is."""
        return self._chosen[1]

    @property
    def freshness(self) -> Freshness:
        """How old the table in use is."""
        return Freshness(date=self.snapshot.date, fetched=self.snapshot.fetched)

    @property
    def date(self) -> str:
        """The day the table in use describes, ``2026-08-18``."""
        return self.snapshot.date

    @cached_property
    def _chosen(self) -> tuple[Snapshot, str]:
        """The fetched table when it is sound and no older than the shipped one; what is wrong with it."""
        own = shipped()
        try:
            if self._refreshed is None or not self._refreshed.is_file():
                return own, ""
            with self._refreshed.open("rb") as file:
                fetched = unpacked(file.read(MAX_UNPACKED_BYTES))
        except (OSError, CatalogueError) as problem:
            reason = (problem.strerror if isinstance(problem, OSError) else None) or problem
            message = f"The refreshed prices in {self._refreshed} are not used: {reason}. `patchbay models refresh`"
            return own, f"{message} fetches them again; until then those of {own.date} hold, which came with Patchbay."
        return (fetched, "") if fetched.date >= own.date else (own, "")

    def models(self, provider: str) -> tuple[str, ...]:
        """The ids a service offered on that day, without those it has retired; empty for one we do not know."""
        return self.snapshot.models(provider)

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

        ``table`` is the service's name in the tables where the person named theirs otherwise, "" for none. ``live`` is
        what the server itself says. A local model is free. One that another service sells lends its abilities,
        never its price.
        """
        known = _of_family(model) if local else self._of_service(provider if table is None else table, model)
        info = replace(known, ref=ModelRef(provider=provider, model=model))
        if live is not None:
            info = _overlaid(info, live)
        own, window = _own(self._pricing, provider, model), self.own_window(provider, model)
        info = info if own is None else replace(info, price=own)
        return info if window is None else replace(info, context_window=window)

    def own_window(self, provider: str, model: str) -> int | None:
        """The window (tokens) that the person says the model has."""
        return _own(self._windows, provider, model)

    def _of_service(self, table: str, model: str) -> ModelInfo:
        """From the service's own table; else the abilities, without the price, from the maker's table."""
        known = self.snapshot
        own = known.find(table, model)
        if own is not None:
            # OpenRouter's free variants are the same model at no cost.
            return _info(own, FREE if model.endswith(":free") else own.price)
        for maker in (*_MAKERS, *(name for name in known.providers if name not in _MAKERS)):
            borrowed = known.find(maker, model)
            if borrowed is not None:
                return _info(borrowed, None)
        return _NOTHING


def _own(said: Mapping[str, T], provider: str, model: str) -> T | None:
    """What the person says of a model: under ``provider/model``, else under the model's id."""
    return said.get(f"{provider}/{model}".lower()) or said.get(model.lower())


def _overlaid(under: ModelInfo, over: ModelInfo) -> ModelInfo:
    """``over`` where it knows something, ``under`` elsewhere."""
    return ModelInfo(
        ref=under.ref,
        context_window=under.context_window if over.context_window is None else over.context_window,
        trained_window=under.trained_window if over.trained_window is None else over.trained_window,
        max_output=under.max_output if over.max_output is None else over.max_output,
        tools=under.tools if over.tools is None else over.tools,
        vision=under.vision if over.vision is None else over.vision,
        thinking=under.thinking if over.thinking is None else over.thinking,
        price=_price_over(under.price, over.price),
    )


def _price_over(under: Price | None, over: Price | None) -> Price | None:
    """The price a server says; where it is the one we know, also what it leaves out: cache and long prompts."""
    if over is None or under is None:
        return under if over is None else over
    if (over.input_per_mtok, over.output_per_mtok) != (under.input_per_mtok, under.output_per_mtok):
        return over
    return replace(
        over,
        cache_read_per_mtok=under.cache_read_per_mtok if over.cache_read_per_mtok is None else over.cache_read_per_mtok,
        cache_write_per_mtok=(
            under.cache_write_per_mtok if over.cache_write_per_mtok is None else over.cache_write_per_mtok
        ),
        tiers=over.tiers or under.tiers,
    )


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


@cache
def _families() -> dict[str, _Family]:
    return cast("dict[str, _Family]", tomllib.loads((_DATA / "families.toml").read_text("utf-8")))


_NOTHING = ModelInfo(ref=ModelRef(provider="", model=""))


def _info(fact: Fact, price: Price | None) -> ModelInfo:
    return ModelInfo(
        ref=_NOTHING.ref,
        context_window=fact.context,
        max_output=fact.max_output,
        tools=bool(fact.flags & TOOLS),
        vision=bool(fact.flags & VISION),
        thinking=bool(fact.flags & THINKING),
        price=price,
    )

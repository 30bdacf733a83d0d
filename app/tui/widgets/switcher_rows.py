"""What the model switcher lists: rows from the providers' state, filtered and ranked. Pure.

A provider without models still has a row, which says why; it cannot be chosen.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ....providers.base import ModelInfo, ModelRef, Online, Origin, ProviderStatus, ago
from ....tools.safe_text import safe_line
from ...engine.state import SessionState
from .. import amounts

_RANK = {Online.ONLINE: 0, Online.UNKNOWN: 0, Online.OFFLINE: 1, Online.DISABLED: 2}
_NOT_NOW = 60
"""Points a model loses when its provider does not answer: enough among equals, not against a better match."""
ORIGIN_WORDS = {
    Origin.CONFIGURED: "configured",
    Origin.PRESET: "key set",
    Origin.DISCOVERED: "found here",
    Origin.DEMO: "demo, no model",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitcherRow:
    """A model of a provider, or a provider that has none to offer."""

    provider: ProviderStatus
    model: ModelInfo | None
    search: str
    """``provider model`` in lower case."""

    @property
    def ref(self) -> ModelRef | None:
        """The model to switch to; None when the row cannot be chosen."""
        blocked = self.model is None or self.provider.online is Online.DISABLED
        return None if blocked or self.model is None else self.model.ref

    @property
    def name(self) -> str:
        """The model's id, safe to paint."""
        return "" if self.model is None else safe_line(self.model.ref.model)

    def standing(self) -> str:
        """Where the row comes from, or that it cannot answer now."""
        if self.provider.online is Online.OFFLINE:
            return "offline"
        return ORIGIN_WORDS[self.provider.origin] if self.provider.paused_until is None else "keeps failing"

    def abilities(self) -> str:
        """What the model can do, in words; what is unknown is left out."""
        model = self.model
        if model is None:
            return ""
        known = (("tools", model.tools), ("thinking", model.thinking), ("vision", model.vision))
        words = [word for word, able in known if able]
        return " ".join(words if model.tools is not False else ["no tools", *words])


def all_rows(providers: Sequence[ProviderStatus]) -> list[SwitcherRow]:
    """Every row, usable providers first, in the order providers and models are given."""
    ordered = sorted(providers, key=lambda provider: _RANK[provider.online])
    return [row for provider in ordered for row in _rows_of(provider)]


def _rows_of(provider: ProviderStatus) -> Iterator[SwitcherRow]:
    if not provider.models:
        yield SwitcherRow(provider=provider, model=None, search=provider.name.lower())
    for model in provider.models:
        yield SwitcherRow(provider=provider, model=model, search=f"{provider.name} {model.ref.model}".lower())


def filtered(rows: Sequence[SwitcherRow], query: str) -> list[SwitcherRow]:
    """The rows that match every word of the query, best first; all of them, as given, for an empty query."""
    words = query.lower().split()
    if not words:
        return list(rows)
    scored = [(score, row) for row in rows if (score := _score(row.search, words)) is not None]
    scored.sort(key=lambda entry: _NOT_NOW * _RANK[entry[1].provider.online] - entry[0])
    return [row for _, row in scored]


def _score(text: str, words: Sequence[str]) -> int | None:
    total = 0
    for word in words:
        score = fuzzy_score(text, word)
        if score is None:
            return None
        total += score
    return total


def fuzzy_score(text: str, word: str) -> int | None:
    """How well the letters of ``word`` stand in ``text`` in their order; None when they do not.

    A word that stands there whole beats scattered letters; beginnings of names count more than middles.
    """
    at = text.find(word)
    if at >= 0:
        starts = at == 0 or not text[at - 1].isalnum()
        end = at + len(word)
        ends = end == len(text) or not text[end].isalnum()
        return 1000 + 200 * starts + 50 * ends - min(at, 40)
    score, position, before = 0, 0, -2
    for letter in word:
        position = text.find(letter, position)
        if position < 0:
            return None
        score += 8 if position == before + 1 else 6 if position == 0 or not text[position - 1].isalnum() else 1
        before = position
        position += 1
    return score


@dataclass(frozen=True, slots=True)
class Remark:
    """A piece of the line that says what a switch means, and its role."""

    text: str
    role: str = "text"


def consequence(state: SessionState, row: SwitcherRow | None) -> list[Remark]:
    """What choosing this row means for the session."""
    if row is None:
        return [Remark("No model matches. Backspace widens the search.", "muted")]
    provider, model = row.provider, row.model
    problem = safe_line(provider.problem)
    if provider.online is Online.DISABLED:
        return [Remark(problem or "It is not configured completely: run patchbay doctor.", "danger")]
    if provider.online is Online.OFFLINE:
        said = problem or f"{safe_line(provider.name)} does not answer: start it."
        if provider.last_seen is None:
            return [Remark(said, "warn")]
        return [Remark(f"offline, last seen {ago(time.time() - provider.last_seen)}", "warn"), Remark(said, "warn")]
    if provider.paused_until is not None:
        moment = time.strftime("%H:%M:%S", time.localtime(provider.paused_until))
        return [Remark(f"{safe_line(provider.name)} kept failing: it is tried again from {moment} on.", "warn")]
    if model is None:
        return [Remark("It lists no models.", "muted")]
    if state.model is not None and state.model.ref == model.ref:
        return [Remark("This model answers now.", "muted")]
    remarks = [*_fit(state, model), *_cost(state, model)]
    if model.tools is False:
        remarks.append(Remark("cannot call tools", "warn"))
    return remarks or [Remark("It answers from the next prompt on.", "muted")]


def _fit(state: SessionState, model: ModelInfo) -> list[Remark]:
    """Whether the conversation fits the model's window."""
    used, size = state.context_tokens, model.context_window
    if not used:
        return [Remark("from the next prompt on", "muted")]
    if size is None:
        return [Remark(f"window unknown, {amounts.tokens(used, estimated=True)} in use", "muted")]
    if used > size:
        return [Remark(f"does not fit: {amounts.tokens(used)} in use, window {amounts.window(size)}", "danger")]
    share = f"{used / size:.0%}".replace("%", " %")
    return [Remark(f"fits ({share} of its window)", "ok")]


def _cost(state: SessionState, model: ModelInfo) -> list[Remark]:
    """What the next request costs at least, since nothing of it is in the new model's cache."""
    price, used = model.price, state.context_tokens
    if price is None:
        return [Remark("price unknown", "muted")]
    if price.free:
        return [Remark("free", "ok")]
    if not used:
        return []
    next_request = price.input_per_mtok * used / Decimal(1_000_000)
    cached = " (the cache is lost)" if state.totals.cache_read_tokens else ""
    return [Remark(f"next request from {amounts.dollars(next_request, estimated=True)}{cached}")]

"""What the model switcher lists: rows from the providers' state, filtered and ranked. Pure.

A provider without models still has a row, which says why; it cannot be chosen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ....providers.base import ModelInfo, ModelRef, Online, Origin, ProviderStatus
from ....tools.safe_text import safe_line

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


def arranged(
    rows: Sequence[SwitcherRow], favourites: Sequence[ModelRef], recents: Sequence[ModelRef]
) -> list[SwitcherRow]:
    """The same rows: favourites first, then what was used last, then the rest as it was."""
    first = {ref: place for place, ref in enumerate(dict.fromkeys((*favourites, *recents)))}
    last = len(first)
    return sorted(rows, key=lambda row: last if row.ref is None else first.get(row.ref, last))

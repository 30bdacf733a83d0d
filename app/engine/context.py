"""Where a model's window goes: the size of a request in tokens of its model, and what is left for the answer. Pure.

Sizes are estimates (``token_estimate``), set right by what the server itself counted for earlier requests of the same
model in this session: the newest count is the base, only what was added since is estimated, at the rate at which
this model's tokens were found to differ from ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

from ...providers.base import ModelInfo, ModelRef
from .forecast import counted_by_server
from .state import AnswerEntry, Entry, SessionState

DEFAULT_COMPACT_AT = 0.85
"""The share of the window from which room is made."""
LARGEST_RESERVE = 16_000
"""Tokens kept free for an answer at most."""
SMALLEST_ANSWER = 16
"""No request asks for fewer output tokens than this."""
_LEARNING_STEP = 300
"""Two counts this far apart tell how much a further token of ours is; nearer ones tell of noise."""
_RATES = (0.3, 4.0)
_MARGINAL_RATES = (0.6, 1.8)
"""Bounds of what is believed: a server that counts wrongly must not stop a session."""
_USUAL_LIMIT = 4096
"""An output limit every model that has one at all allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How the weights of this module's requests relate to one model's tokens."""

    rate: float = 1.0
    marginal: float = 1.0
    """Tokens for each further weight."""
    base_weight: int = 0
    base_tokens: int = 0
    """The newest request the server counted; zeros when it counted none."""

    @property
    def counted(self) -> bool:
        """Whether a server's count stands behind it."""
        return self.base_weight > 0

    def tokens(self, weight: float) -> int:
        """About how many tokens a whole request of this weight is."""
        if self.counted and weight >= self.base_weight:
            return round(self.base_tokens + (weight - self.base_weight) * self.marginal)
        return round(weight * self.rate)

    def weight(self, tokens: float) -> float:
        """The weight of this many tokens of a part of a request."""
        return tokens / self.rate


def calibration(state: SessionState, ref: ModelRef) -> Calibration:
    """What the session has learnt of a model's tokens."""
    global _newest  # the same question is asked several times for each request
    transcript, known_ref, known = _newest
    if transcript is not state.transcript or known_ref != ref:
        known = _calibration(state, ref)
        _newest = state.transcript, ref, known
    return known


_newest: tuple[tuple[Entry, ...], ModelRef | None, Calibration] = ((), None, Calibration())
"""The transcript that was looked at last, and what was found."""


def _calibration(state: SessionState, ref: ModelRef) -> Calibration:
    counts = _counts(state, ref)
    newest = next(counts, None)
    if newest is None:
        return Calibration()
    weight, tokens = newest
    rate = _between(tokens / weight, _RATES)
    other = next((each for each in counts if abs(each[0] - weight) >= _LEARNING_STEP), None)
    # A first count is mostly one of rules and tools, of which a template makes more or less: half of it is believed.
    marginal = sqrt(rate) if other is None else (tokens - other[1]) / (weight - other[0])
    return Calibration(
        rate=rate, marginal=_between(marginal, _MARGINAL_RATES), base_weight=weight, base_tokens=round(rate * weight)
    )


def _counts(state: SessionState, ref: ModelRef) -> Iterator[tuple[int, int]]:
    """Weight and the server's count of earlier requests, newest first."""
    for entry in reversed(state.transcript):
        if isinstance(entry, AnswerEntry) and entry.ref == ref and entry.weight and counted_by_server(entry):
            yield entry.weight, entry.usage.prompt_tokens


def _between(value: float, bounds: tuple[float, float]) -> float:
    return min(max(value, bounds[0]), bounds[1])


def reserve(model: ModelInfo, window: int) -> int:
    """Tokens of a window that are kept free for an answer."""
    most = LARGEST_RESERVE if model.max_output is None else min(LARGEST_RESERVE, model.max_output)
    return min(most, window // 8)


def room(model: ModelInfo, window: int, compact_at: float) -> int:
    """The most input tokens a request may have before room is made."""
    return min(window - reserve(model, window), int(window * compact_at))


def wanted_output(model: ModelInfo) -> int | None:
    """A quarter of the window for a model that costs nothing: a small local one may never end by itself.

    Elsewhere the provider's own limit holds (None), so that long answers and thinking are not cut.
    """
    if model.price is None or not model.price.free or model.context_window is None:
        return None
    quarter = model.context_window // 4
    return quarter if model.max_output is None else min(quarter, model.max_output)


def output_limit(model: ModelInfo, wanted: int | None, tokens: int, *, counted: bool) -> int | None:
    """``max_tokens`` of a request of ``tokens`` input tokens, so that both fit the window; None leaves it open.

    ``wanted`` None is the provider's own limit: it is left to it as long as there is room for it. An unknown window
    bounds nothing.
    """
    window = model.context_window
    if window is None:
        return wanted
    margin = 8 + round(tokens * (0.02 if counted else 0.06))
    least = max(SMALLEST_ANSWER, min(256, window // 16))
    left = max(least, window - tokens - margin)
    if wanted is not None:
        return min(wanted, left)
    own = _USUAL_LIMIT if model.max_output is None else model.max_output
    return left if left < own else None

"""What the next request will probably cost, and what it may cost at most. Pure; nothing is sent or counted.

Prompt. A request's text is weighed (``token_estimate``); tokens are what a model makes of it. The server's own count of
the last request says how many it made: what came since is added at the same rate. A model that has not answered yet is
taken to count like the one that did, which is why such figures carry a ``~``.

Cache. A model that answered within the last minutes finds what it read and wrote then in its cache, if its last count
shows that it has one. Any other model finds nothing.

Answer. Expected is the median of the newest answers, the longer one of two; at most is twice the longest of them, and
at first ``ALLOWANCE`` tokens. See docs/decisions/0012.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from math import ceil
from statistics import median_high

from ...providers.base import ModelInfo, ModelRef, Price
from ...providers.events import Usage
from .ledger import CostOf
from .state import AnswerEntry, SessionState, estimate_tokens

ALLOWANCE = 1024
"""Tokens of an answer that are reckoned with as long as nobody knows how long they get."""
LEAST_ALLOWANCE = 400
"""The same once ``KNOWN_FROM`` answers came, all of them short."""
KNOWN_FROM = 2
FIRST_ANSWER = 400
"""Tokens expected of an answer before there was one."""
RECENT = 8
"""How many of the newest answers say how long the next one will be."""
CACHE_S = 270.0
"""Seconds a prompt stays in a cache: most services promise five minutes; a little is spent on the way."""
LEAST_CACHED = 1024
"""Tokens. Services do not cache shorter prompts."""
_RATES = (0.75, 1.6)
"""Real tokens for an estimated one. A count outside is of another text than ours, and tells nothing of new text."""
_UNCOUNTED_MARGIN = 1.3
_NEW_TEXT_MARGIN = 1.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Tokens of the next request and what they cost in USD; amounts are None when the price is unknown."""

    input_tokens: int
    """The whole prompt, cached or not."""
    cached_tokens: int
    """What of it is read from the cache."""
    output_tokens: int
    expected: Decimal | None
    most_input: int
    most_output: int
    most: Decimal | None
    """The bound that budgets are kept with."""
    rough: bool
    """The model's own count of this conversation is not known yet."""


def forecast(
    state: SessionState,
    model: ModelInfo,
    estimated: int,
    cost_of: CostOf,
    *,
    now: float,
    dialect: str = "",
    rate: float | None = None,
) -> Forecast:
    """Of a request of this weight (``estimated``, see ``token_estimate``) to a model at ``now`` (epoch seconds).

    ``dialect`` is the wire protocol of its provider, where it is not the one that is selected; ``rate`` is how many
    tokens its server counted in other sessions for one that was estimated.
    """
    counted = _last_counted(state, model.ref)
    own = counted is not None and counted.ref == model.ref
    expected, most = _prompt(counted, estimated, own=own) if own or rate is None else _rated(estimated, rate)
    cached, sure = _cached(state, counted, now) if counted is not None and own else (0, 0)
    cached, sure = min(expected, cached), min(expected, sure)
    written = _writes_cache(state, model, dialect or state.dialect)
    output, most_output = _answer(state, model)
    return Forecast(
        input_tokens=expected,
        cached_tokens=cached,
        output_tokens=output,
        expected=_cost(model.price, cost_of, expected, cached, output, written=written),
        most_input=most,
        most_output=most_output,
        most=_cost(model.price, cost_of, most, sure, most_output, written=written),
        rough=not own,
    )


def output_room(plan: Forecast, model: ModelInfo, cost_of: CostOf, left: Decimal) -> int:
    """How many tokens the answer may have so that the request costs at most ``left`` USD."""
    price = model.price
    if price is None or price.free or plan.most is None:
        return 2**31
    million = 1_000_000
    bare = Usage(input_tokens=plan.most_input, output_tokens=0)
    full = Usage(input_tokens=plan.most_input, output_tokens=million)
    rate = (cost_of(full, price)[0] or Decimal(0)) - (cost_of(bare, price)[0] or Decimal(0))
    if not rate:
        return 2**31
    return max(0, int((left - plan.most) * million / rate)) + plan.most_output


def _prompt(counted: AnswerEntry | None, estimated: int, *, own: bool) -> tuple[int, int]:
    """Expected and most tokens of the prompt."""
    if counted is None or not _weight(counted):
        return estimated, ceil(estimated * _UNCOUNTED_MARGIN)
    total, then = counted.usage.prompt_tokens, _weight(counted)
    low, high = _RATES
    rate = min(max(total / then, low), high)
    new = estimated - then
    if new < 0:  # compacted or rewound: the whole text is another one
        return round(estimated * rate), ceil(estimated * rate * _NEW_TEXT_MARGIN)
    expected = round(total + new * rate)
    most = ceil(total + new * max(rate, 1.0) * _NEW_TEXT_MARGIN)
    return expected, most if own else ceil(most * _NEW_TEXT_MARGIN)


def _rated(estimated: int, rate: float) -> tuple[int, int]:
    """The same by what was counted in other sessions."""
    low, high = _RATES
    rate = min(max(rate, low), high)
    return round(estimated * rate), ceil(estimated * rate * _UNCOUNTED_MARGIN)


def _cached(state: SessionState, counted: AnswerEntry, now: float) -> tuple[int, int]:
    """Tokens a model probably, and surely, still has of its last request.

    Caches that fill by themselves hold the whole prompt, in steps of some hundred tokens. Whether a service has one
    shows at a model's second request: until then it is expected, and not counted on.
    """
    usage, ended = counted.usage, counted.ended_at or counted.started_at
    if now - ended > CACHE_S:
        return 0, 0
    read, wrote = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
    if wrote:
        return read + wrote, read + wrote
    whole = usage.prompt_tokens * 95 // 100
    if read:
        return whole, whole
    requests = sum(1 for entry in islice(_counted(state), RECENT) if entry.ref == counted.ref)
    fills = requests == 1 and usage.cache_read_tokens is not None and whole >= LEAST_CACHED
    return whole if fills else 0, 0


def _writes_cache(state: SessionState, model: ModelInfo, dialect: str) -> bool:
    """Whether what is not cached is written to the cache, at the price of writing."""
    if model.price is None or model.price.cache_write_per_mtok is None:
        return False
    same = [entry for entry in _counted(state) if entry.ref.provider == model.ref.provider]
    if same:
        return any(entry.usage.cache_write_tokens or entry.usage.cache_read_tokens for entry in same[:RECENT])
    return dialect == "anthropic_messages"


def _answer(state: SessionState, model: ModelInfo) -> tuple[int, int]:
    """Expected and most tokens of the answer."""
    lengths = [_length(entry) for entry in islice(_ended(state), RECENT)]
    expected = median_high(lengths) if lengths else FIRST_ANSWER
    least = LEAST_ALLOWANCE if len(lengths) >= KNOWN_FROM else ALLOWANCE
    most = max(least, max(lengths, default=0) * 2)
    if model.max_output is not None:
        most = min(most, model.max_output)
    return min(expected, most), most


def _length(entry: AnswerEntry) -> int:
    counted = entry.usage.output_tokens
    return estimate_tokens(entry.output_chars) if counted is None else counted


def _cost(
    price: Price | None, cost_of: CostOf, prompt: int, cached: int, output: int, *, written: bool
) -> Decimal | None:
    fresh = prompt - cached
    usage = Usage(
        input_tokens=0 if written else fresh,
        cache_read_tokens=cached,
        cache_write_tokens=fresh if written else 0,
        output_tokens=output,
    )
    return None if price is None else cost_of(usage, price)[0]


def _weight(entry: AnswerEntry) -> int:
    """What the request was estimated at before anything was known of its model's tokens."""
    return entry.weight or entry.estimated_input_tokens


def counted_by_server(entry: AnswerEntry) -> bool:
    """Whether its server said how many tokens the prompt had: what was estimated afterwards teaches nothing."""
    return entry.usage.input_tokens is not None and entry.usage.prompt_tokens > 0 and not entry.usage_estimated


def _last_counted(state: SessionState, ref: ModelRef) -> AnswerEntry | None:
    """The newest answer of that model that its server counted; else the newest of any."""
    newest: AnswerEntry | None = None
    for entry in _counted(state):
        if entry.ref == ref:
            return entry
        newest = newest or entry
    return newest


def _counted(state: SessionState) -> Iterator[AnswerEntry]:
    return (entry for entry in _ended(state) if _weight(entry) and counted_by_server(entry))


def _ended(state: SessionState) -> Iterator[AnswerEntry]:
    """Answers that came, newest first."""
    return (entry for entry in reversed(state.transcript) if isinstance(entry, AnswerEntry) and entry.parts)

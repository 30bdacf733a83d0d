"""The status bar: which model, what it does, how full its window is, and what it costs.

``bar_segments`` is pure. Names and state stand at the left and may grow; the numbers stand at the right in
columns of fixed width, so that nothing moves while they count. A narrow bar leaves out what matters least.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from math import ceil
from typing import NamedTuple

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from ....providers.events import Usage
from ....providers.messages import Effort
from ....tools.base import Mode
from ....tools.safe_text import safe_line
from ...engine.budget import money, spent
from ...engine.budget_events import BudgetScope
from ...engine.events import RetryScheduled
from ...engine.ledger import CostOf
from ...engine.state import AnswerEntry, Phase, SessionState, ThinkingPart, estimate_tokens
from .. import amounts
from ..transcript.palette import UNICODE_SIGNS, Signs
from ..transcript.rows import elide

GAUGE_CELLS = 8
WARN_SHARE, DANGER_SHARE = 0.7, 0.9
"""Shares of the window from which the gauge warns."""
SETTLED_SECONDS = 0.5
"""A rate measured over less time than this says nothing."""


_MODES = {
    Mode.PLAN: ("plan", "accent"),
    Mode.ASK: ("ask", "text"),
    Mode.ACCEPT_EDITS: ("edits", "warn"),
    Mode.AUTO: ("auto", "danger"),
}
"""The modes as the bar has them: a short word and a colour that warns as more runs unasked."""


class BarSegment(NamedTuple):
    """A piece of the bar and the role that colours it."""

    text: str
    role: str = "text"


Segments = list[BarSegment]


def bar_segments(
    state: SessionState, now: float, width: int, cost_of: CostOf, signs: Signs = UNICODE_SIGNS
) -> list[BarSegment]:
    """The bar as pieces that fill ``width`` cells. ``now`` is epoch seconds; ``cost_of`` prices the open answer."""
    live = Usage() if state.answer is None else live_usage(state.answer)
    context = _context(state, live, signs, gauge=True)
    short_context = _context(state, live, signs, gauge=False)
    bare_cost = _cost(state, live, cost_of)
    cost = [*bare_cost, *_budget(state, live, cost_of)]
    counts = _counts(state, live, cache=True)
    few_counts = _counts(state, live, cache=False)
    badge, mode = _badge(state, signs), _badge(state, signs, protection=False)
    rights = (
        [context, counts, cost, badge],
        [short_context, counts, cost, badge],
        [short_context, few_counts, cost, badge],
        [short_context, cost, badge],
        [short_context, cost, mode],
    )
    lefts = [_left(state, now, signs, provider=True), _left(state, now, signs, provider=False)]
    for right in rights:
        numbers = _spaced(right)
        if _width(lefts[0]) + _width(numbers) + 3 <= width:
            return _filled(lefts[0], numbers, width)
    for numbers in (_spaced(rights[-1]), _spaced([cost, mode])):
        if _width(lefts[1]) + _width(numbers) + 3 <= width:
            return _filled(lefts[1], numbers, width)
    return _cut(lefts[1], [*bare_cost, *mode], width, signs)


def _badge(state: SessionState, signs: Signs, *, protection: bool = True) -> Segments:
    """The mode, on the same cells whichever it is, and what bounds commands in it."""
    word, role = _MODES[state.mode]
    segments = [BarSegment(f"{word:>5}", role)]
    if protection and state.protection:
        segments += [BarSegment(f" {signs.dot} {safe_line(state.protection)}", "muted")]
    return [*segments, BarSegment(" ")]


def live_usage(answer: AnswerEntry) -> Usage:
    """The open answer's usage: what the provider counted by now, and an estimate of what it did not."""
    usage = answer.usage
    counted = usage.input_tokens is not None or usage.cache_read_tokens is not None
    output = max(usage.output_tokens or 0, estimate_tokens(answer.output_chars))
    return replace(
        usage,
        input_tokens=(usage.input_tokens or 0) if counted else answer.estimated_input_tokens,
        output_tokens=output,
    )


def _left(state: SessionState, now: float, signs: Signs, *, provider: bool) -> Segments:
    """Provider, model and what goes on."""
    if state.model is None:
        return [BarSegment(" "), BarSegment("no model", "muted"), BarSegment("  "), *_activity(state, now, signs)]
    ref = state.model.ref
    named = [BarSegment(f"{safe_line(ref.provider)} {signs.dot} ", "muted")] if provider else []
    effort = [] if state.effort is Effort.DEFAULT else [BarSegment(f" {state.effort}", "accent")]
    queued = [BarSegment(f"  +{len(state.queued)} queued", "accent")] if state.queued else []
    return [
        BarSegment(" "),
        *named,
        BarSegment(safe_line(ref.model)),
        *effort,
        BarSegment("   "),
        *_activity(state, now, signs),
        *queued,
    ]


def _activity(state: SessionState, now: float, signs: Signs) -> Segments:
    """The state in words, with a sign and what is counted meanwhile."""
    answer = state.answer
    match state.phase:
        case Phase.IDLE:
            return [BarSegment(f"{signs.todo} ready", "muted")]
        case Phase.APPROVAL:
            return [BarSegment(f"{signs.running} waits for your answer", "warn")]
        case Phase.BUDGET:
            return [BarSegment(f"{signs.running} budget: waits for your answer", "danger")]
        case Phase.RETRYING:
            return _retry(state.retry, now, signs)
        case Phase.TOOL:
            run = state.active_runs[0]
            more = f" +{len(state.active_runs) - 1}" if len(state.active_runs) > 1 else ""
            ran = amounts.seconds(max(0.0, now - run.started_at))
            return [
                BarSegment(f"{signs.running} tool ", "accent"),
                BarSegment(f"{safe_line(run.name)}{more} {ran:>7}", "muted"),
            ]
        case Phase.WAITING:
            since = state.turn_started_at if answer is None else answer.started_at
            waited = "" if since is None else amounts.seconds(max(0.0, now - since))
            return [BarSegment(f"{signs.todo} waiting for first token", "warn"), BarSegment(f" {waited:>7}", "muted")]
        case Phase.STREAMING:
            thinks = answer is not None and answer.parts and isinstance(answer.parts[-1], ThinkingPart)
            word = "thinking" if thinks else "streaming"
            return [BarSegment(f"{signs.running} {word}", "ok"), BarSegment(f" {_rate(answer, now):>8}", "muted")]


def _retry(retry: RetryScheduled | None, now: float, signs: Signs) -> Segments:
    """The count-down to the next attempt."""
    if retry is None:
        return []
    left = max(0, ceil(retry.due_at - now))
    return [
        BarSegment(f"{signs.running} retry {retry.attempt}/{retry.attempts} in {left} s", "warn"),
        BarSegment(f": {safe_line(retry.reason)}", "muted"),
    ]


def _rate(answer: AnswerEntry | None, now: float) -> str:
    """Tokens a second since the first token."""
    if answer is None or answer.first_token_at is None or now - answer.first_token_at < SETTLED_SECONDS:
        return ""
    return f"{(live_usage(answer).output_tokens or 0) / (now - answer.first_token_at):.0f} t/s"


def _context(state: SessionState, live: Usage, signs: Signs, *, gauge: bool) -> Segments:
    """How much of the model's window is in use."""
    used, estimated = state.context_tokens, state.context_estimated
    if state.answer is not None:
        sent = live.prompt_tokens
        used, estimated = max(used or 0, sent + (live.output_tokens or 0)), True
    size = None if state.model is None else state.model.context_window
    if used is None or not size:
        return [BarSegment("ctx ", "muted"), BarSegment(f"{amounts.tokens(used, estimated=estimated):>6}")]
    share = used / size
    role = "danger" if share >= DANGER_SHARE else "warn" if share >= WARN_SHARE else "text"
    percent = BarSegment(f"{'~' if estimated else ''}{share:.0%}".replace("%", " %").rjust(6), role)
    if not gauge:
        return [BarSegment("ctx ", "muted"), percent]
    full = min(GAUGE_CELLS, max(round(share * GAUGE_CELLS), 1 if used else 0))
    on, off = ("▰", "▱") if signs is UNICODE_SIGNS else ("#", ".")
    filled = BarSegment(on * full, "ok" if role == "text" else role)
    return [BarSegment("ctx ", "muted"), filled, BarSegment(off * (GAUGE_CELLS - full), "muted"), percent]


def _counts(state: SessionState, live: Usage, *, cache: bool) -> Segments:
    """Tokens of the session by class, the open answer's included."""
    totals, open_answer = state.totals, state.answer is not None
    counted = not open_answer or (state.answer is not None and state.answer.usage.input_tokens is not None)
    rough = totals.tokens_estimated
    cells = [("in", totals.input_tokens + (live.input_tokens or 0), rough or not counted)]
    if cache:
        read = totals.cache_read_tokens + (live.cache_read_tokens or 0)
        cells.append(("cache", read, False))
    cells.append(("out", totals.output_tokens + (live.output_tokens or 0), rough or open_answer))
    shown: Segments = []
    for word, count, estimated in cells:
        number = BarSegment(f"{amounts.tokens(count, estimated=estimated):>6}")
        shown += [BarSegment("  " if shown else ""), BarSegment(f"{word} ", "muted"), number]
    return shown


def _cost(state: SessionState, live: Usage, cost_of: CostOf) -> Segments:
    """What the session cost so far: exact, ``~`` estimated, free, or unknown."""
    known, estimated, unknown = state.totals.cost, state.totals.estimated, state.totals.unknown_calls > 0
    price = None if state.model is None else state.model.price
    if state.answer is not None:
        amount = cost_of(live, price)[0]
        known, unknown = known + (amount or 0), unknown or amount is None
        estimated = estimated or bool(amount)
    if known:
        text = amounts.dollars(known, estimated=estimated) + (" + ?" if unknown else "")
    elif unknown:
        text = "cost unknown"
    elif state.model is not None and price is None and not state.totals.calls:
        text = "price ?"
    else:
        text = "free" if price is not None and price.free else amounts.dollars(known)
    return [BarSegment(f"{text:>9} ", "text" if known else "muted")]


def _budget(state: SessionState, live: Usage, cost_of: CostOf) -> Segments:
    """The limit that is nearest, after what the session cost; the sum too where other sessions count."""
    price = None if state.model is None else state.model.price
    coming = Decimal(0) if state.answer is None else cost_of(live, price)[0] or Decimal(0)
    shares = [(((spent(state, scope) + coming) / limit), scope, limit) for scope, limit in state.budget.limits if limit]
    if not shares:
        return []
    share, scope, limit = max(shares)
    role = "danger" if share >= 1 else "warn" if share >= state.budget.rules.warn_at else "muted"
    if scope is BudgetScope.SESSION:
        return [BarSegment(f"of {money(limit)} ", role)]
    return [BarSegment(f"{scope.value} {_steady(share * limit)} of {money(limit)} ", role)]


def _steady(amount: Decimal) -> str:
    """A sum that counts up, in cents from one on: more digits would come and go."""
    return money(amount.quantize(Decimal("0.01")) if amount >= Decimal("0.01") else amount)


def _spaced(groups: list[Segments]) -> Segments:
    spaced: Segments = []
    for group in groups:
        spaced += [BarSegment("   "), *group] if spaced else group
    return spaced


def _width(segments: Segments) -> int:
    return sum(cell_len(segment.text) for segment in segments)


def _filled(left: Segments, right: Segments, width: int) -> Segments:
    return [*left, BarSegment(" " * (width - _width(left) - _width(right))), *right]


def _cut(left: Segments, cost: Segments, width: int, signs: Signs) -> Segments:
    """Too narrow for a whole line: the left is cut, the cost stays as long as it fits at all."""
    right = cost if _width(cost) + 8 <= width else []
    text = elide("".join(segment.text for segment in left), max(0, width - _width(right)), signs.more)
    return _filled([BarSegment(text)], right, width) if width > 0 else []


class CostBar(Widget):
    """The one-row bar. ``clock`` gives epoch seconds."""

    def __init__(
        self,
        cost_of: CostOf,
        *,
        clock: Callable[[], float] = time.time,
        signs: Signs = UNICODE_SIGNS,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._cost_of = cost_of
        self._clock = clock
        self._signs = signs
        self._state = SessionState()

    def sync(self, state: SessionState) -> None:
        """Paint the state; also called by the clock while something runs. Never a layout."""
        self._state = state
        self.refresh()

    def render(self) -> Content:
        """The bar at its width now."""
        segments = bar_segments(self._state, self._clock(), self.size.width, self._cost_of, self._signs)
        return Content.assemble(*((text, f"${role}") for text, role in segments))

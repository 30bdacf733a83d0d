"""The gate every request passes before it is sent: does it fit the budgets? Nothing about money is decided elsewhere.

``verdict`` is pure: it reads limits, sums and forecast and says what stands in the way. ``BudgetGate.admit`` asks it
before each request of a turn (first ones, steps, retries, failovers) and, when something does, waits for a person.
``skipped`` asks it for calls beside the conversation, which nobody is asked about: one that does not fit is not made.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from decimal import ROUND_CEILING, Decimal

from ...providers.base import ModelInfo, ModelRef
from ...providers.events import ErrorKind, ResponseError
from .budget_events import (
    BudgetAnswered,
    BudgetChoice,
    BudgetLevel,
    BudgetReached,
    BudgetScope,
    BudgetSet,
    SpendingRead,
    UnknownPrice,
)
from .budget_state import ASKED_AGAIN_FROM
from .bus import MessageBus
from .events import CallPriced, NoticeLevel, NoticePosted, Stamped
from .exact import total
from .forecast import Forecast, forecast, output_room
from .ledger import CostOf
from .state import SessionState

SCOPE_WORDS = {
    BudgetScope.SESSION: "this session",
    BudgetScope.DAY: "today",
    BudgetScope.MONTH: "this month",
    BudgetScope.REQUEST: "one request",
}
_LONGEST_UNKNOWN_ANSWER = 16_384
"""Tokens. Where the longest answer of a model is not known, a higher bound is not sent: it may be refused."""

ReadSpending = Callable[[date], Awaitable[SpendingRead]]
"""Reads from the ledger what other sessions spent on that day and in its month. Raises ``LedgerUnreadable``."""


class LedgerUnreadable(Exception):
    """What other sessions spent cannot be read now; the message names the file and the cause."""


class BudgetStop(Exception):
    """The turn ends before the next request: it does not fit, or nobody wanted it."""

    def __init__(self, reached: BudgetReached) -> None:
        super().__init__(in_words(reached))
        self.reached = reached


def spent(state: SessionState, scope: BudgetScope) -> Decimal:
    """USD spent of a budget, as far as amounts are known."""
    match scope:
        case BudgetScope.SESSION:
            return state.totals.cost
        case BudgetScope.DAY:
            return state.budget.spent_today()
        case BudgetScope.MONTH:
            return state.budget.spent_this_month()
        case BudgetScope.REQUEST:
            return Decimal(0)


def verdict(
    state: SessionState, model: ModelInfo, plan: Forecast, *, pending: Decimal = Decimal(0)
) -> BudgetReached | None:
    """What stands in the way of a request with this forecast; None when it may be sent. A free model always fits.

    ``pending`` is what calls that are on their way may still cost.
    """
    budget, turn = state.budget, state.turn_id or ""
    if model.price is not None and model.price.free:
        return None
    if plan.most is None or plan.expected is None:
        return _unknown(state, model, turn)
    over = [
        BudgetReached(
            scope=scope,
            level=BudgetLevel.PAUSE,
            spent=spent(state, scope),
            limit=limit,
            forecast=plan.most,
            ref=model.ref,
            turn_id=turn,
        )
        for scope, limit in budget.limits
        if spent(state, scope) + pending + plan.most > limit
    ]
    if over:
        return min(over, key=lambda each: each.limit - each.spent)
    most_unasked = budget.request
    if budget.agreed is not None and most_unasked is not None:
        most_unasked = max(most_unasked, budget.agreed * ASKED_AGAIN_FROM)
    if most_unasked is None or plan.expected <= most_unasked:
        return None
    return BudgetReached(
        scope=BudgetScope.REQUEST,
        level=BudgetLevel.ASK,
        spent=Decimal(0),
        limit=most_unasked,
        forecast=plan.expected,
        ref=model.ref,
        turn_id=turn,
    )


def _unknown(state: SessionState, model: ModelInfo, turn: str) -> BudgetReached | None:
    """A model without a known price: a budget cannot count it."""
    budget, rule = state.budget, state.budget.rules.unknown_price
    if not budget.limits or rule is UnknownPrice.ALLOW or model.ref in budget.uncounted:
        return None
    scope, limit = budget.limits[0]
    level = BudgetLevel.ASK if rule is UnknownPrice.ASK else BudgetLevel.PAUSE
    return BudgetReached(
        scope=scope, level=level, spent=spent(state, scope), limit=limit, forecast=None, ref=model.ref, turn_id=turn
    )


def pending(state: SessionState, cost_of: CostOf, *, now: float) -> Decimal:
    """What an open answer and calls beside the conversation may still cost, in USD."""
    calls = [(call.ref, call.weight or call.estimated_input_tokens) for call in state.side_calls]
    if state.answer is not None:
        calls.append((state.answer.ref, state.answer.weight or state.answer.estimated_input_tokens))
    known = {model.ref: model for status in state.providers for model in status.models}
    if state.model is not None:
        known[state.model.ref] = state.model
    plans = [forecast(state, known[ref], tokens, cost_of, now=now) for ref, tokens in calls if ref in known]
    return total(plan.most for plan in plans if plan.most is not None)


def skipped(
    state: SessionState, model: ModelInfo, estimated: int, cost_of: CostOf, *, now: float
) -> ResponseError | None:
    """Why a call beside the conversation is not made: it does not fit the budgets. None when it is."""
    if not state.budget.limits:
        return None
    plan = forecast(state, model, estimated, cost_of, now=now)
    reached = verdict(state, model, plan, pending=pending(state, cost_of, now=now))
    if reached is None or reached.scope is BudgetScope.REQUEST:
        return None
    return ResponseError(kind=ErrorKind.QUOTA, message=f"Not asked: {in_words(reached)}")


class BudgetGate:
    """Keeps the budgets of one session."""

    def __init__(
        self,
        bus: MessageBus,
        cost_of: CostOf,
        *,
        durable: Callable[[], Awaitable[None]],
        read: ReadSpending | None = None,
    ) -> None:
        """``durable`` waits until everything published so far is on disk.

        ``read`` None: there is no ledger, and day and month count this session only.
        """
        self._bus = bus
        self._cost_of = cost_of
        self._read = read
        self._answer: asyncio.Future[BudgetChoice] | None = None
        self._named: set[ModelRef] = set()
        self._unreadable = False
        self._durable = durable
        bus.attach(self._hear)

    @property
    def _state(self) -> SessionState:
        return self._bus.store.state

    @property
    def active(self) -> bool:
        """Whether there is anything to keep."""
        budget = self._state.budget
        return bool(budget.limits) or budget.request is not None

    async def admit(self, model: ModelInfo, estimated: Callable[[], int]) -> int | None:
        """Wait until the next request fits, whatever model it goes to then. Raises ``BudgetStop``.

        ``estimated`` says how many tokens it has.
        """
        if not self.active:
            return None
        tokens = estimated()
        while True:
            await self.refresh()
            now, state = self._bus.now, self._state
            plan = forecast(state, model, tokens, self._cost_of, now=now)
            coming = pending(state, self._cost_of, now=now)
            reached = verdict(state, model, plan, pending=coming)
            if reached is None:
                self._name_uncounted(model, plan)
                return self._room(model, plan, coming)
            if await self._ask(reached) is BudgetChoice.STOP:
                raise BudgetStop(reached)
            model = self._state.model or model

    def answer(self, choice: BudgetChoice) -> bool:
        """A person's word on the request that waits. False when none waits or that is no answer to it."""
        waiting = self._state.budget.waiting
        if waiting is None or (choice is BudgetChoice.SEND and waiting.level is not BudgetLevel.ASK):
            return False
        return self.look_again(choice)

    def look_again(self, choice: BudgetChoice) -> bool:
        """Something changed that may let the request pass. False when none waits."""
        if self._answer is None or self._answer.done():
            return False
        self._answer.set_result(choice)
        return True

    async def refresh(self) -> None:
        """Read what other sessions spent, where a limit counts it.

        A ledger that cannot be read ends no turn: what was read last goes on counting, and that is said once.
        """
        if not self._state.budget.shared:
            return
        seen = await self._seen(date.fromtimestamp(self._bus.now))
        if seen != self._state.budget.others:
            self._bus.publish(seen)

    async def _seen(self, today: date) -> SpendingRead:
        if self._read is None:
            return SpendingRead(today=today.isoformat(), day=Decimal(0), month=Decimal(0))
        try:
            seen = await self._read(today)
        except LedgerUnreadable as error:
            if not self._unreadable:
                self._unreadable = True
                message = f"What other sessions spent cannot be read: budgets count what was known of it last. {error}"
                self._bus.publish(NoticePosted(message=message, level=NoticeLevel.WARNING))
            return self._state.budget.known_of_others(today)
        self._unreadable = False
        return seen

    async def _ask(self, reached: BudgetReached) -> BudgetChoice:
        """Put the question and wait; cancelling the turn takes it back."""
        self._answer = asyncio.get_running_loop().create_future()
        choice = BudgetChoice.STOP
        try:
            self._bus.publish(reached)
            await self._durable()
            choice = await self._answer
        finally:
            self._answer = None
            self._bus.publish(BudgetAnswered(scope=reached.scope, choice=choice))
        return choice

    def _room(self, model: ModelInfo, plan: Forecast, coming: Decimal) -> int | None:
        """How long the answer may be for the tightest budget; None when the model's own limit is reached first."""
        state = self._state
        left = [limit - spent(state, scope) - coming for scope, limit in state.budget.limits]
        if not left:
            return None
        room = output_room(plan, model, self._cost_of, min(left))
        longest = _LONGEST_UNKNOWN_ANSWER if model.max_output is None else model.max_output
        return room if room < longest else None

    def _name_uncounted(self, model: ModelInfo, plan: Forecast) -> None:
        """Say once of each model that no budget can count it."""
        if plan.most is None and self._state.budget.limits and model.ref not in self._named:
            self._named.add(model.ref)
            message = f"The price of {model.ref} is unknown: what it costs is in no budget. Set it in [pricing]."
            self._bus.publish(NoticePosted(message=message, level=NoticeLevel.WARNING))

    def _hear(self, stamped: Stamped) -> None:
        """Warn once when most of a budget is spent."""
        if not isinstance(stamped.event, CallPriced | BudgetSet | SpendingRead):
            return
        for reached in warnings(self._state):
            self._bus.publish(reached)
            self._bus.publish(NoticePosted(message=in_words(reached), level=NoticeLevel.WARNING))


def least(*limits: int | None) -> int | None:
    """The tightest of some limits; None is none."""
    return min((limit for limit in limits if limit is not None), default=None)


def warnings(state: SessionState) -> list[BudgetReached]:
    """Budgets of which most is spent without that it was said."""
    budget = state.budget
    return [
        BudgetReached(scope=scope, level=BudgetLevel.WARNING, spent=spent(state, scope), limit=limit)
        for scope, limit in budget.limits
        if scope not in budget.warned and limit and spent(state, scope) >= limit * budget.rules.warn_at
    ]


def suggested(reached: BudgetReached) -> Decimal:
    """The limit a person is offered: half as much again, and at least enough for the request that waits."""
    needed = reached.spent + (reached.forecast or Decimal(0))
    return max(reached.limit * Decimal("1.5"), needed).quantize(Decimal("0.01"), rounding=ROUND_CEILING)


def in_words(reached: BudgetReached) -> str:
    """What happened to a budget, in one sentence."""
    of = f"{money(reached.spent)} of {money(reached.limit)} for {SCOPE_WORDS[reached.scope]} is spent"
    match reached.level:
        case BudgetLevel.WARNING:
            share = f" ({reached.spent / reached.limit:.0%})".replace("%", " %") if reached.limit else ""
            return f"Budget: {of}{share}."
        case BudgetLevel.PAUSE if reached.forecast is not None:
            return f"{of}, and the next request may cost {money(reached.forecast)}: it would pass the budget."
        case BudgetLevel.ASK if reached.scope is BudgetScope.REQUEST and reached.forecast is not None:
            return f"The next request may cost about {money(reached.forecast)}, more than {money(reached.limit)}."
        case _:
            return f"The price of {reached.ref} is unknown: no budget can count it. {of}."


def money(amount: Decimal) -> str:
    """USD with as many digits as say something: cents, or four significant digits where cents say too little."""
    if amount == amount.quantize(Decimal("0.01")) or amount >= 1:
        return f"${amount:,.2f}"
    return f"${float(amount):.4g}" if amount >= Decimal("0.0001") else f"${amount.normalize():f}"

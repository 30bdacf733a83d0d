"""The budgets of a session as a value: limits, what other sessions spent, and the question that waits. Pure."""

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from ...providers.base import ModelRef
from .budget_events import (
    BudgetAnswered,
    BudgetChoice,
    BudgetLevel,
    BudgetReached,
    BudgetRules,
    BudgetScope,
    BudgetSet,
    SpendingRead,
)
from .exact import total

ASKED_AGAIN_FROM = 2
"""A yes to a costly request holds for its turn, until one costs this many times as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySpending:
    """What this session spent on one day of the local calendar, in USD."""

    day: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """Limits are USD; None is no limit."""

    session: Decimal | None = None
    day: Decimal | None = None
    month: Decimal | None = None
    request: Decimal | None = None
    """A request that may cost more than this is asked for first."""
    rules: BudgetRules = field(default_factory=BudgetRules)
    own: tuple[DaySpending, ...] = ()
    """What this session spent, day by day, oldest first."""
    others: SpendingRead | None = None
    """What other sessions spent; None before it was read."""
    waiting: BudgetReached | None = None
    """The request that waits for a person."""
    warned: tuple[BudgetScope, ...] = ()
    """Limits of which a warning was given; a limit that is set anew warns anew."""
    agreed: Decimal | None = None
    """The costliest request a person said yes to in the turn that runs."""
    uncounted: tuple[ModelRef, ...] = ()
    """Models without a known price that go on all the same."""

    @property
    def limits(self) -> tuple[tuple[BudgetScope, Decimal], ...]:
        """The limits on sums, those that are set."""
        known = ((BudgetScope.SESSION, self.session), (BudgetScope.DAY, self.day), (BudgetScope.MONTH, self.month))
        return tuple((scope, limit) for scope, limit in known if limit is not None)

    @property
    def shared(self) -> bool:
        """Whether a limit counts what other sessions spend."""
        return self.day is not None or self.month is not None

    def known_of_others(self, today: date) -> SpendingRead:
        """What the last reading says of that day and its month: nothing where it was of another one."""
        seen, day = self.others, today.isoformat()
        if seen is None or seen.today[:7] != day[:7]:
            return SpendingRead(today=day, day=Decimal(0), month=Decimal(0))
        return seen if seen.today == day else replace(seen, today=day, day=Decimal(0))

    def spent_today(self) -> Decimal:
        """What all sessions spent on the day the ledger was read last."""
        if self.others is None:
            return self.own[-1].amount if self.own else Decimal(0)
        return total((self.others.day, self._own(self.others.today)))

    def spent_this_month(self) -> Decimal:
        """What all sessions spent in that day's month."""
        if self.others is None:
            return self._own("")
        return total((self.others.month, self._own(self.others.today[:7])))

    def _own(self, beginning: str) -> Decimal:
        return total(each.amount for each in self.own if each.day.startswith(beginning))


BudgetEvent = BudgetSet | BudgetRules | SpendingRead | BudgetReached | BudgetAnswered


def after_event(budget: BudgetState, event: BudgetEvent) -> BudgetState:
    """The budgets after something happened to them."""
    match event:
        case BudgetSet():
            return _set(budget, event)
        case BudgetRules():
            return replace(budget, rules=event)
        case SpendingRead():
            # A new day or month begins with nothing spent: its warning is still to come.
            before = budget.others
            gone = {BudgetScope.DAY} if before and before.today != event.today else set[BudgetScope]()
            gone |= {BudgetScope.MONTH} if before and before.today[:7] != event.today[:7] else set()
            return replace(budget, others=event, warned=tuple(each for each in budget.warned if each not in gone))
        case BudgetReached(level=BudgetLevel.WARNING):
            return replace(budget, warned=(*budget.warned, event.scope))
        case BudgetReached():
            return replace(budget, waiting=event)
        case BudgetAnswered():
            return _answered(budget, event)


def _set(budget: BudgetState, event: BudgetSet) -> BudgetState:
    warned = tuple(each for each in budget.warned if each is not event.scope)
    match event.scope:
        case BudgetScope.SESSION:
            return replace(budget, session=event.limit, warned=warned)
        case BudgetScope.DAY:
            return replace(budget, day=event.limit, warned=warned)
        case BudgetScope.MONTH:
            return replace(budget, month=event.limit, warned=warned)
        case BudgetScope.REQUEST:
            return replace(budget, request=event.limit)


def _answered(budget: BudgetState, event: BudgetAnswered) -> BudgetState:
    asked = budget.waiting
    budget = replace(budget, waiting=None)
    if asked is None or event.choice is not BudgetChoice.SEND:
        return budget
    if asked.forecast is None:
        return budget if asked.ref is None else replace(budget, uncounted=(*budget.uncounted, asked.ref))
    return replace(budget, agreed=asked.forecast)


def turn_over(budget: BudgetState) -> BudgetState:
    """Nothing waits any more, and what was agreed to was agreed for that turn."""
    if budget.waiting is None and budget.agreed is None:
        return budget
    return replace(budget, waiting=None, agreed=None)


def with_cost(budget: BudgetState, amount: Decimal | None, at: float) -> BudgetState:
    """One more priced call, at ``at`` (seconds since the epoch)."""
    if not amount:
        return budget
    day = date.fromtimestamp(at).isoformat()
    known = next((each for each in budget.own if each.day == day), None)
    if known is None:
        return replace(budget, own=(*budget.own, DaySpending(day=day, amount=amount)))
    return replace(
        budget,
        own=tuple(replace(each, amount=total((each.amount, amount))) if each is known else each for each in budget.own),
    )

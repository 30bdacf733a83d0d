"""What can happen to a budget: it is set, it is nearly or wholly used up, and a person answers for it.

Amounts are USD, exact. ``events`` takes these into the session's vocabulary.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ...providers.base import ModelRef


class BudgetScope(StrEnum):
    """What a limit is for."""

    SESSION = "session"
    DAY = "day"
    """A day of the local calendar, all sessions together."""
    MONTH = "month"
    """A month of the local calendar, all sessions together."""
    REQUEST = "request"
    """One request: above this a person is asked first."""


class BudgetLevel(StrEnum):
    """How far a budget is used up."""

    WARNING = "warning"
    """Most of it is spent; said once."""
    ASK = "ask"
    """The next request costs more than one may cost unasked, or nobody knows what it costs."""
    PAUSE = "pause"
    """The next request would pass the limit: it is not sent."""


class BudgetChoice(StrEnum):
    """What a person does about a request that waits."""

    SEND = "send"
    """Send it all the same; only where it was merely asked."""
    RAISE = "raise"
    MODEL = "model"
    """Another model goes on."""
    STOP = "stop"
    """The turn ends here."""


class UnknownPrice(StrEnum):
    """What is done with a model whose price nobody knows, while there is a budget."""

    ALLOW = "allow"
    """It answers, uncounted, and that is said once."""
    ASK = "ask"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSet:
    """From now on this limit holds; None is no limit."""

    scope: BudgetScope
    limit: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRules:
    """How budgets are kept."""

    warn_at: Decimal = Decimal("0.8")
    """The share of a limit from which on a warning is given, 0 to 1."""
    unknown_price: UnknownPrice = UnknownPrice.ALLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingRead:
    """What the ledger had of all other sessions, so that day and month are whole."""

    today: str
    """The day it was read, ``YYYY-MM-DD`` in local time."""
    day: Decimal
    month: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetReached:
    """A budget is nearly used up, or a request waits because it would pass one."""

    scope: BudgetScope
    level: BudgetLevel
    spent: Decimal
    limit: Decimal
    forecast: Decimal | None = None
    """What the request may cost at most, as far as can be told; None when its price is unknown."""
    ref: ModelRef | None = None
    """The model it would go to; None for a warning."""
    turn_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAnswered:
    """The request waits no longer. A raised limit has its own ``BudgetSet``."""

    scope: BudgetScope
    choice: BudgetChoice

"""What ``/budget`` understands and what it answers. Pure."""

from decimal import Decimal

from ..engine.budget import SCOPE_WORDS, money, spent
from ..engine.budget_events import BudgetScope
from ..engine.state import SessionState
from .widgets.budget_bar import amount_in

_SCOPES = {scope.value: scope for scope in BudgetScope}
USAGE = "Write /budget 2.00, /budget day 5, /budget month 50, /budget request 0.50, or off in place of an amount."


def read_budget(words: str) -> tuple[BudgetScope, Decimal | None]:
    """The limit a person means; None takes it away. Raises ValueError with what to write."""
    match words.lower().split():
        case [amount]:
            scope = BudgetScope.SESSION
        case [name, amount] if name in _SCOPES:
            scope = _SCOPES[name]
        case _:
            raise ValueError(USAGE)
    if amount in ("off", "none"):
        return scope, None
    limit = amount_in(amount)
    if limit is None:
        raise ValueError(USAGE)
    return scope, limit


def budget_set(scope: BudgetScope, limit: Decimal | None) -> str:
    """What was done, in a sentence."""
    if scope is BudgetScope.REQUEST:
        return "No request is asked for any more." if limit is None else f"A request above {money(limit)} is asked for."
    where = SCOPE_WORDS[scope]
    if limit is None:
        return f"There is no budget for {where} any more."
    return f"The budget for {where} is {money(limit)}. A request that would pass it waits for you."


def budget_report(state: SessionState) -> str:
    """Every limit with what is spent of it."""
    budget = state.budget
    lines = [
        f"Budget for {SCOPE_WORDS[scope]}: {money(spent(state, scope))} of {money(limit)}"
        f" ({spent(state, scope) / limit:.0%})".replace("%", " %")
        for scope, limit in budget.limits
    ]
    if budget.request is not None:
        lines.append(f"Asked first: a request above {money(budget.request)}.")
    if state.totals.unknown_calls and budget.limits:
        lines.append(f"Not counted: {state.totals.unknown_calls} calls of unknown price.")
    return "\n".join(lines) if lines else f"There is no budget. {USAGE}"

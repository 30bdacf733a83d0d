"""Brings budgets from the settings and the command line into a session, and the ledger's sums to them."""

import asyncio
import sqlite3
from datetime import date
from decimal import Decimal
from pathlib import Path

from ..engine.budget import LedgerUnreadable, ReadSpending
from ..engine.budget_events import BudgetRules, BudgetScope, BudgetSet, SpendingRead
from ..engine.session import Session
from ..engine.spent import spent_elsewhere
from ..setting_tables import BudgetTable


def set_budgets(session: Session, table: BudgetTable, *, max_cost: Decimal | None = None) -> None:
    """Let the settings' budgets hold in a session; ``max_cost`` (USD) goes before the settings.

    A session that is gone on with keeps the limit it has of its own: a person may have raised it.
    """
    budget = session.state.budget
    rules = BudgetRules(warn_at=table.warn_at, unknown_price=table.unknown_price)
    if rules != budget.rules:
        session.bus.publish(rules)
    wanted = (
        (BudgetScope.SESSION, budget.session, max_cost or budget.session or table.session),
        (BudgetScope.DAY, budget.day, table.day),
        (BudgetScope.MONTH, budget.month, table.month),
        (BudgetScope.REQUEST, budget.request, table.ask_above),
    )
    for scope, held, limit in wanted:
        if held != limit:
            session.bus.publish(BudgetSet(scope=scope, limit=limit))


def spending_of_others(database: Path, session_id: str) -> ReadSpending:
    """Reads, in a thread, what all other sessions spent. What it raises names the file and the cause."""

    async def read(today: date) -> SpendingRead:
        try:
            return await asyncio.to_thread(spent_elsewhere, database, session_id, today)
        except (sqlite3.Error, OSError) as error:
            raise LedgerUnreadable(f"{database}: {error}") from error

    return read

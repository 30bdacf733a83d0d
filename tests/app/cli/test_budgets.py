import sqlite3
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from patchbay.app.cli.budgets import set_budgets, spending_of_others
from patchbay.app.engine.budget import LedgerUnreadable, spent
from patchbay.app.engine.budget_events import BudgetRules, BudgetScope, BudgetSet, UnknownPrice
from patchbay.app.engine.events import NoticeLevel, NoticePosted, TurnOutcome
from patchbay.app.setting_tables import BudgetTable
from patchbay.providers.scripted import ScriptedProvider, answer, end, text
from support.journals import written_session
from support.sessions import make_session

D = Decimal


def session():
    return make_session(ScriptedProvider("fake", [answer(text("x"), end())]))


def test_settings_hold_and_the_command_line_goes_before_them():
    made, recording = session()
    table = BudgetTable(session=D(2), day=D(5), ask_above=D("0.5"), unknown_price=UnknownPrice.STOP)
    set_budgets(made, table, max_cost=D(1))
    budget = made.state.budget
    assert (budget.session, budget.day, budget.month, budget.request) == (D(1), D(5), None, D("0.5"))
    assert budget.rules == BudgetRules(unknown_price=UnknownPrice.STOP)
    assert len(recording.of(BudgetSet, BudgetRules)) == 4


def test_nothing_wished_says_nothing():
    made, recording = session()
    set_budgets(made, BudgetTable())
    assert recording.of(BudgetSet, BudgetRules) == []


def test_a_session_gone_on_with_keeps_its_raised_limit_and_takes_the_days_of_the_settings():
    made, _ = session()
    made.set_budget(BudgetScope.SESSION, D(3))
    made.set_budget(BudgetScope.DAY, D(9))
    set_budgets(made, BudgetTable(session=D(2), day=D(5)))
    assert (made.state.budget.session, made.state.budget.day) == (D(3), D(5))
    set_budgets(made, BudgetTable())
    assert (made.state.budget.session, made.state.budget.day) == (D(3), None)


NOON = 1_700_000_000.0
"""When the sessions of ``make_session`` run, and what was read of the others."""


def reading(database):
    """A session with a budget for the day that reads what others spent there."""
    turns = [answer(text(str(number)), end()) for number in range(4)]
    made, recording = make_session(ScriptedProvider("fake", turns), read_spending=spending_of_others(database, "s1"))
    made.set_budget(BudgetScope.DAY, D(9))
    return made, recording


async def asked(made):
    made.submit("hello")
    return await made.wait_idle()


@pytest.mark.parametrize("harm", ["missing", "damaged", "a folder"])
async def test_a_ledger_that_cannot_be_read_ends_no_turn_and_is_said_once(tmp_path, harm):
    database = tmp_path / "patchbay.db"
    if harm == "damaged":
        database.write_bytes(b"no database at all" * 500)
    elif harm == "a folder":
        database.mkdir()
    made, recording = reading(database)
    assert [await asked(made) for _ in range(3)] == [TurnOutcome.DONE] * 3
    (said,) = [each for each in recording.of(NoticePosted) if "other sessions" in each.message]
    assert said.level is NoticeLevel.WARNING
    assert str(database) in said.message
    assert spent(made.state, BudgetScope.DAY) == made.state.totals.cost


async def test_what_was_read_of_the_day_goes_on_counting_when_the_ledger_is_lost_and_is_read_anew(tmp_path):
    database = tmp_path / "patchbay.db"
    written_session(database, "other", prompts=4, cost=D("0.25"), started=NOON - 1)
    made, recording = reading(database)
    assert await asked(made) is TurnOutcome.DONE
    assert made.state.budget.others.day == D(1)
    database.rename(tmp_path / "away.db")
    assert await asked(made) is TurnOutcome.DONE
    assert made.state.budget.others.day == D(1)
    written_session(database, "another", prompts=8, cost=D("0.25"), started=NOON - 1)
    assert await asked(made) is TurnOutcome.DONE
    assert made.state.budget.others.day == D(2)
    database.unlink()
    assert await asked(made) is TurnOutcome.DONE
    assert made.state.budget.others.day == D(2)
    said = [each for each in recording.of(NoticePosted) if "other sessions" in each.message]
    assert len(said) == 2, "it could be read in between"


def test_of_a_reading_of_another_day_only_the_month_is_known():
    made, _ = session()
    known = made.state.budget.known_of_others
    assert (known(date(2026, 3, 2)).day, known(date(2026, 3, 2)).month) == (D(0), D(0))
    seen = replace(known(date(2026, 3, 2)), day=D(3), month=D(7))
    made.bus.publish(seen)
    known = made.state.budget.known_of_others
    assert known(date(2026, 3, 2)) == seen
    assert known(date(2026, 3, 3)) == replace(seen, today="2026-03-03", day=D(0))
    assert known(date(2026, 4, 1)) == replace(seen, today="2026-04-01", day=D(0), month=D(0))


async def test_the_cause_is_what_the_database_said(tmp_path):
    database = tmp_path / "patchbay.db"
    sqlite3.connect(database).close()
    with pytest.raises(LedgerUnreadable, match="no such table"):
        await spending_of_others(database, "s1")(date(2026, 3, 2))

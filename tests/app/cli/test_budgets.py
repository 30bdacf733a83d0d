from decimal import Decimal

from patchbay.app.cli.budgets import set_budgets
from patchbay.app.engine.budget_events import BudgetRules, BudgetScope, BudgetSet, UnknownPrice
from patchbay.app.settings import BudgetTable
from patchbay.providers.scripted import ScriptedProvider, answer, end, text
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

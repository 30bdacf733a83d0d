from dataclasses import replace
from decimal import Decimal

import pytest

from patchbay.app.engine.budget_events import BudgetScope
from patchbay.app.engine.events import TurnOutcome
from patchbay.app.engine.state import NoticeEntry, Phase
from patchbay.app.tui.budgeting import USAGE, budget_report, read_budget
from patchbay.app.tui.widgets.budget_bar import BudgetBar, amount_in
from patchbay.providers.base import FREE
from patchbay.providers.scripted import ScriptedProvider, answer, end, text, tool_call, usage
from support.screens import on_screen
from support.sessions import FakeToolbox, make_session, model

D = Decimal
CALL = answer(text("look"), tool_call("a", "read", {"path": "x"}), usage(1000, 200), end())
DONE = answer(text("All is well."), usage(1300, 50), end())
SMALL = replace(model("fake", "small"), price=FREE)


async def echo(_arguments, _emit, _approve):
    return "ran"


def paused_session():
    provider = ScriptedProvider("fake", [CALL, DONE])
    session, _ = make_session(provider, toolbox=FakeToolbox(read=echo))
    session.set_budget(BudgetScope.SESSION, D("0.02"))
    return provider, session


async def at_the_pause(desk):
    await desk.type("hello")
    bar = desk.screen.query_one(BudgetBar)
    await desk.when(lambda: bar.display and bar.has_focus)
    bar._deaf.end()
    return bar


def painted(desk):
    return "\n".join("".join(part.text for part in row) for row in desk.app.screen._compositor.render_strips())


@pytest.mark.parametrize("size", [(160, 48), (80, 24)])
async def test_the_pause_says_what_is_spent_and_stops_at_a_key(size):
    provider, session = paused_session()
    async with on_screen(session, size=size) as desk:
        await at_the_pause(desk)
        shown = painted(desk)
        assert "The next request would pass the budget for this session" in shown
        assert "$0.006 of $0.02 is spent" in shown
        assert "l raise the limit to $0.03...   m another model   n stop here" in shown
        assert "of $0.02" in shown.splitlines()[-2 if size[1] > 30 else -1]
        assert "y send" not in shown
        await desk.pilot.press("n")
        await desk.idle()
        assert not desk.screen.query_one(BudgetBar).display
        assert desk.screen.query_one("#prompt").has_focus
    assert len(provider.requests) == 1


async def test_keys_are_deaf_at_first():
    _provider, session = paused_session()
    async with on_screen(session) as desk:
        bar = await at_the_pause(desk)
        bar._deaf.begin()
        await desk.pilot.press("n", "m", "l")
        assert session.state.phase is Phase.BUDGET
        assert not bar.query_one("#budget-limit").display
        session.cancel()
        await desk.idle()


async def test_the_limit_is_raised_in_a_line_of_its_own():
    provider, session = paused_session()
    async with on_screen(session) as desk:
        bar = await at_the_pause(desk)
        await desk.pilot.press("l")
        entry = bar.query_one("#budget-limit")
        assert entry.value == "0.03"
        entry.value = "0.01"
        await desk.pilot.press("enter")
        assert "Write an amount above $0.02" in painted(desk)
        entry.value = "$1.50"
        await desk.pilot.press("enter")
        await desk.idle()
        assert len(provider.requests) == 2
    assert session.state.budget.session == D("1.50")


async def test_escape_leaves_the_line_and_not_the_turn():
    _provider, session = paused_session()
    async with on_screen(session) as desk:
        bar = await at_the_pause(desk)
        await desk.pilot.press("l", "escape")
        assert bar.has_focus
        assert session.state.phase is Phase.BUDGET
        session.cancel()
        await desk.idle()


async def test_another_model_finishes_the_turn():
    provider, session = paused_session()
    async with on_screen(session, model(), SMALL) as desk:
        await at_the_pause(desk)
        desk.screen._select("fake/small")
        await desk.idle()
        assert [request.model for request in provider.requests] == ["demo", "small"]
        assert "All is well." in desk.text("chat")
    assert await session.wait_idle() is TurnOutcome.DONE


async def test_m_opens_the_switcher():
    _provider, session = paused_session()
    async with on_screen(session, model(), SMALL) as desk:
        await at_the_pause(desk)
        await desk.pilot.press("m")
        await desk.pilot.pause()
        assert type(desk.app.screen).__name__ == "ProviderSwitcher"
        await desk.pilot.press("escape")
        await desk.pilot.pause()
        assert desk.screen.query_one(BudgetBar).has_focus
        session.cancel()
        await desk.idle()


async def test_the_command_sets_shows_and_takes_away():
    provider = ScriptedProvider("fake", [DONE])
    session, _ = make_session(provider)
    async with on_screen(session) as desk:
        await desk.type("/budget 2.00")
        assert session.state.budget.session == D("2.00")
        await desk.type("/budget day 5")
        await desk.type("/budget")
        notices = [entry.message for entry in session.state.transcript if isinstance(entry, NoticeEntry)]
        assert notices[-1] == "Budget for this session: $0.00 of $2.00 (0 %)\nBudget for today: $0.00 of $5.00 (0 %)"
        await desk.type("/budget off")
        await desk.type("/budget day off")
        assert session.state.budget.limits == ()


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("2", (BudgetScope.SESSION, D(2))),
        ("$2.50", (BudgetScope.SESSION, D("2.50"))),
        ("Day 5", (BudgetScope.DAY, D(5))),
        ("month off", (BudgetScope.MONTH, None)),
        ("request 0,50", (BudgetScope.REQUEST, D("0.50"))),
        ("off", (BudgetScope.SESSION, None)),
    ],
)
def test_limits_are_read_as_people_write_them(words, meant):
    assert read_budget(words) == meant


@pytest.mark.parametrize("words", ["", "0", "-2", "two", "year 5", "day", "day 5 6", "nan", "inf", "1e999999"])
def test_what_is_no_limit_says_what_to_write(words):
    with pytest.raises(ValueError, match="Write /budget"):
        read_budget(words)


def test_amounts():
    assert amount_in(" $3 ") == 3
    assert amount_in("three") is None


def test_without_budgets_the_report_says_how_to_set_one():
    provider = ScriptedProvider("fake", [DONE])
    session, _ = make_session(provider)
    assert budget_report(session.state) == f"There is no budget. {USAGE}"

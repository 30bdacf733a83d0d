"""Budgets on the main screen: the question of a request that waits, and ``/budget``."""

from typing import cast

from textual.app import App

from .budgeting import budget_report, budget_set, read_budget
from .restoring_screen import RestoringScreen
from .widgets.budget_bar import BudgetBar


class BudgetScreen(RestoringScreen):
    """A screen whose session keeps budgets."""

    def on_budget_bar_appeared(self) -> None:
        """A request waits: its keys work at once, after their deaf moment, and somebody who is away hears it."""
        self.query_one(BudgetBar).focus()
        app = cast("App[object]", self.app)
        if not app.app_focus:
            app.bell()

    def on_budget_bar_gone(self) -> None:
        """Back to the prompt, or to another question."""
        self._focus_home()

    def on_budget_bar_answered(self, event: BudgetBar.Answered) -> None:
        """Send it, or stop."""
        self._session.answer_budget(event.choice)

    def on_budget_bar_raised(self, event: BudgetBar.Raised) -> None:
        """Another limit holds from now on."""
        self._session.notice(budget_set(event.scope, event.limit))
        self._session.set_budget(event.scope, event.limit)

    def action_show_budget(self) -> None:
        """What is spent of every budget, as a notice."""
        self._session.notice(budget_report(self._session.state))

    def _set_budget(self, words: str) -> None:
        try:
            scope, limit = read_budget(words)
        except ValueError as error:
            self.notify(str(error), severity="warning", markup=False)
            return
        self._session.notice(budget_set(scope, limit))
        self._session.set_budget(scope, limit)

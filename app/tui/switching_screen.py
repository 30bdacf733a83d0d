"""Going from one model to another on the main screen: the switcher, the model before, the next favourite."""

import asyncio

from textual import work

from ...providers.base import ModelInfo, ModelRef, ProviderConfigError
from ..engine.state import AnswerEntry, SessionState, SwitchEntry
from . import modals
from .budget_screen import BudgetScreen
from .control import Control, Preferences
from .shelf import Inspection
from .transcript.palette import Signs


class SwitchingScreen(BudgetScreen):
    """A screen whose session can be given other models."""

    _control: Control
    _preferences: Preferences
    _signs: Signs

    def _select(self, text: str) -> None:
        """Let the model a person means answer from the next request on."""
        try:
            self._control.select(self._control.resolve(text))
        except ProviderConfigError as error:
            self.notify(str(error), severity="error", timeout=10, markup=False)

    def on_budget_bar_model_wanted(self) -> None:
        """The switcher; the turn goes on with the chosen model when it fits."""
        self.action_switch_model()

    def action_switch_model(self) -> None:
        """The switcher; servers are asked again while it is open."""
        switcher = modals.switcher(self._control, self._preferences, self._inspect, self._signs)
        self._bridge.add(switcher, "providers", "status")
        self._open(switcher, lambda ref: self._select(str(ref)))
        self.run_worker(self._control.refresh(), group="refresh", exclusive=True)

    def _inspect(self, model: ModelInfo, dialect: str) -> Inspection:
        """Called in a thread: builds the next request, and reads the ledger."""
        record = self._preferences.shelf.record(model.ref)
        rate = None if record is None else record.rate
        return Inspection(preview=self._session.preview(model, dialect, rate=rate), record=record)

    @work(exclusive=True, group="switch")
    async def action_previous_model(self) -> None:
        """Back to the model that answered before this one; again: forth."""
        state = self._session.state
        ref = model_before(state)
        if ref is None:  # a session's first model: the one used last in any other
            current = None if state.model is None else state.model.ref
            recents = await asyncio.to_thread(self._preferences.shelf.recents)
            ref = next((each for each in recents if each != current), None)
        if ref is None:
            self.notify("No other model has answered yet.", timeout=3, markup=False)
            return
        self._go_to(ref)

    def action_next_favourite(self) -> None:
        """The next of the models that were marked in the switcher."""
        marked = self._preferences.shelf.favourites
        current = None if self._session.state.model is None else self._session.state.model.ref
        if not marked or marked == (current,):
            self.notify("No other favourite: mark one in the switcher (Ctrl+O) with Ctrl+S.", timeout=5, markup=False)
            return
        place = marked.index(current) + 1 if current in marked else 0
        self._go_to(marked[place % len(marked)])

    def _go_to(self, ref: ModelRef) -> None:
        before = self._session.state.model
        self._select(str(ref))
        now = self._session.state.model
        if now is not None and now != before:
            self.notify(f"{now.ref} answers from here on.", timeout=3, markup=False)


def model_before(state: SessionState) -> ModelRef | None:
    """The newest model of the conversation that is not the selected one."""
    current = None if state.model is None else state.model.ref
    refs = (entry.ref for entry in reversed(state.transcript) if isinstance(entry, AnswerEntry | SwitchEntry))
    return next((ref for ref in refs if ref != current), None)

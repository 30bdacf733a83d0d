"""A request that waits for its budget, standing at the prompt: what is spent, what it may cost, and what can be done.

Keys are deaf for the first moment, as they are for every question here. The limit is raised in a line of its own, so
that no single key spends money.
"""

import time
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from ....tools.safe_text import safe_line
from ...engine.budget import SCOPE_WORDS, money, suggested
from ...engine.budget_events import BudgetChoice, BudgetLevel, BudgetReached, BudgetScope
from ...engine.state import SessionState
from .. import amounts
from ..actions import ActionTable, bindings, key_label
from ..transcript.palette import UNICODE_SIGNS, Signs
from ..transcript.rows import elide
from .deaf import DeafTime

MOST = 1_000_000
"""USD. Nobody means more than this."""


class BudgetBar(Vertical, can_focus=True):
    """Shows the request that waits and posts what a person does about it. ``clock`` is monotonic, in seconds."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("budget")]

    class Answered(Message):
        """Send it, or stop."""

        def __init__(self, choice: BudgetChoice) -> None:
            super().__init__()
            self.choice = choice

    class Raised(Message):
        """Another limit, in USD."""

        def __init__(self, scope: BudgetScope, limit: Decimal) -> None:
            super().__init__()
            self.scope = scope
            self.limit = limit

    class ModelWanted(Message):
        """The person looks for another model."""

    class Appeared(Message):
        """A request waits."""

    class Gone(Message):
        """No request waits any more."""

    def __init__(
        self,
        table: ActionTable,
        *,
        clock: Callable[[], float] = time.monotonic,
        signs: Signs = UNICODE_SIGNS,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._table = table
        self._signs = signs
        self._deaf = DeafTime(clock)
        self._problem = ""
        self.waiting: BudgetReached | None = None
        self.display = False

    def compose(self) -> ComposeResult:
        """What waits, the line for another limit, keys."""
        yield Static(id="budget-question", markup=False)
        limit = Input(compact=True, id="budget-limit")
        limit.display = False
        yield limit
        yield Static(id="budget-keys", markup=False)

    @property
    def _entry(self) -> Input:
        return self.query_one("#budget-limit", Input)

    def sync(self, state: SessionState) -> None:
        """Show what waits now; hide when nothing does."""
        before, self.waiting = self.waiting, state.budget.waiting
        if self.waiting == before:
            return
        if self.is_mounted:
            self._close_entry()
        self.display = self.waiting is not None
        if self.waiting is None:
            self.post_message(self.Gone())
            return
        self._deaf.begin()
        self._fill()
        self.post_message(self.Appeared())

    # ---- answers

    def action_once(self) -> None:
        """Send it all the same, where it was merely asked."""
        if self.waiting is not None and self.waiting.level is BudgetLevel.ASK and self._deaf.hears():
            self.post_message(self.Answered(BudgetChoice.SEND))

    def action_deny(self) -> None:
        """End the turn here."""
        if self.waiting is not None and self._deaf.hears():
            self.post_message(self.Answered(BudgetChoice.STOP))

    def action_other_model(self) -> None:
        """Look for another model."""
        if self.waiting is not None and self._deaf.hears():
            self.post_message(self.ModelWanted())

    def action_raise_limit(self) -> None:
        """Open the line for another limit."""
        if self.waiting is None or self.waiting.forecast is None or not self._deaf.hears():
            return
        entry = self._entry
        entry.value = f"{suggested(self.waiting):.2f}"
        entry.display = True
        entry.focus()
        self._fill()

    @on(Input.Submitted)
    def set_limit(self, event: Input.Submitted) -> None:
        """Take the limit that was written, if it is one."""
        event.stop()
        waiting = self.waiting
        if waiting is None:
            return
        limit = amount_in(event.value)
        if limit is None or limit <= waiting.limit:
            self._problem = f"Write an amount above {money(waiting.limit)}, like {suggested(waiting):.2f}."
            self._fill()
            return
        self._close_entry()
        self.focus()
        self.post_message(self.Raised(waiting.scope, limit))

    def on_key(self, event: events.Key) -> None:
        """Escape leaves the line; any other key that is no answer shows that somebody is typing."""
        if event.key == "escape" and self._entry.display:
            event.stop()
            self._close_entry()
            self.focus()
            self._fill()
        elif event.is_printable and not self._entry.display and not self._is_answer(event.key):
            self._deaf.hears()

    def _is_answer(self, key: str) -> bool:
        return any(key in action.keys for action in self._table.within("budget"))

    def _close_entry(self) -> None:
        self._problem = ""
        self._entry.display = False

    # ---- painting

    def on_mount(self) -> None:
        """Paint what waited before there was anything to paint on."""
        self._fill()

    def on_resize(self) -> None:
        """Cut lines anew."""
        self._fill()

    def _fill(self) -> None:
        if self.waiting is None or not self.is_mounted:
            return
        width = max(20, self.size.width or self.screen.size.width - 3)
        self.query_one("#budget-question", Static).update(question_content(self.waiting, width, self._signs))
        keys = self._entry_keys() if self._entry.display else keys_content(self.waiting, self._table)
        self.query_one("#budget-keys", Static).update(keys, layout=False)

    def _entry_keys(self) -> Content:
        if self._problem:
            return Content.assemble((self._problem, "$danger"))
        pairs = (("Enter", "set this limit in USD"), ("Esc", "back"))
        return Content("   ").join(Content.assemble((key, "bold $accent"), " ", (word, "$text")) for key, word in pairs)


def amount_in(text: str) -> Decimal | None:
    """USD as a person writes them: ``2``, ``2.50``, ``$2``; None when that is no amount above zero."""
    try:
        amount = Decimal(text.strip().removeprefix("$").replace(",", "."))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 < amount < MOST else None


def question_content(waiting: BudgetReached, width: int, signs: Signs) -> Content:
    """Two rows: what is the matter, and in figures."""
    model = "" if waiting.ref is None else safe_line(waiting.ref.model)
    spent = f"{money(waiting.spent)} of {money(waiting.limit)} is spent"
    match waiting.level, waiting.forecast:
        case BudgetLevel.ASK, Decimal() as forecast:
            title = "This request costs more than you let one cost unasked"
            why = f"{model}: about {amounts.dollars(forecast)}, asked from {money(waiting.limit)} on."
        case _, None:
            title = "Nobody knows what this model costs"
            why = f"{spent} for {SCOPE_WORDS[waiting.scope]}, and {model} has no known price: it cannot be counted."
        case _, Decimal() as forecast:
            title = f"The next request would pass the budget for {SCOPE_WORDS[waiting.scope]}"
            why = f"{spent}; {model} may cost up to {amounts.dollars(forecast)} more."
    return Content.assemble(
        (f"{signs.running} ", "$warn"),
        (elide(title, width - 3, signs.more), "bold $text"),
        "\n",
        (f"  {elide(why, width - 3, signs.more)}", "$muted"),
    )


def keys_content(waiting: BudgetReached, table: ActionTable) -> Content:
    """The keys that answer now."""
    words = {
        "budget.once": "send it" if waiting.level is BudgetLevel.ASK else "",
        "budget.raise_limit": "" if waiting.forecast is None else f"raise the limit to {money(suggested(waiting))}...",
        "budget.other_model": "another model",
        "budget.deny": "stop here",
    }
    keys = [(key_label(table[id].keys[0]), word) for id, word in words.items() if word and table[id].keys]
    return Content("   ").join(Content.assemble((key, "bold $accent"), " ", (word, "$text")) for key, word in keys)

"""The spending screen (Alt+M, ``/cost``, ``/tokens``): what was used and paid, by whatever one wants to know it by.

It reads the ledger in a thread, follows the session while it is open, and names the command that prints the same
numbers.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import ClassVar, Protocol

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from ....tools.safe_text import safe_line
from ...engine.ledger_rows import Query
from ...engine.spending import By, Spent
from ...engine.spending_report import SpendingReport
from ...engine.state import SessionState
from .. import amounts
from ..spending import (
    LEGEND,
    Order,
    Scope,
    View,
    cache_lines,
    command_of,
    detail,
    empty_words,
    headline,
    ordered,
    query_of,
    table,
)
from ..transcript.palette import UNICODE_SIGNS, Signs
from .key_line import key_line

GROUPS = (By.MODEL, By.TURN, By.TOOL, By.PURPOSE, By.PROVIDER, By.SESSION, By.DAY, By.MONTH)
"""In the order the keys go through."""
SCOPES = tuple(Scope)
_LOW_ROWS = 30
_KEYS = (("← →", "by what"), ("p", "period"), ("v", "view"), ("o", "order"), ("↑ ↓", "rows"), ("Esc", "closes"))


class Ledger(Protocol):
    """Where reports come from."""

    async def read(self, query: Query, by: By) -> SpendingReport:
        """One report, without holding up the screen. Raises ``sqlite3.Error``."""
        ...


class SpendingTable(Widget):
    """A window on the rows: paints what is in view, keeps the cursor in view."""

    class Moved(Message):
        """The pointer chose another row."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[Content, ...] = ()
        self.total: Content | None = None
        self.cursor = 0
        self._top = 0

    def show(self, rows: tuple[Content, ...], total: Content | None, cursor: int) -> None:
        """Other rows, with the cursor on one of them; the total stands below them, always in view."""
        self.rows, self.total = rows, total
        self.move_to(cursor)

    @property
    def page(self) -> int:
        """Rows in view."""
        return max(1, self.size.height - 1)

    def move_to(self, cursor: int) -> None:
        """Put the cursor on a row and scroll it into view."""
        last, height = max(len(self.rows) - 1, 0), self.page
        self.cursor = min(max(cursor, 0), last)
        self._top = min(max(self._top, self.cursor - height + 1), self.cursor)
        self._top = max(0, min(self._top, len(self.rows) - height))
        self.refresh()

    def render(self) -> Content:
        """The rows in view."""
        chosen = self.cursor if self.total is not None else -1
        shown = range(self._top, min(len(self.rows), self._top + self.page))
        lines = [self.rows[at].stylize("on $selection") if at == chosen else self.rows[at] for at in shown]
        return Content("\n").join([*lines, self.total] if self.total is not None else lines)

    def on_click(self, event: events.Click) -> None:
        """The row under the pointer."""
        if event.y < self.page and self._top + event.y < len(self.rows):
            self.post_message(self.Moved(self._top + event.y))


class SpendingScreen(ModalScreen[None]):
    """Tables of the ledger over the dimmed screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close", show=False, priority=True),
        Binding("alt+m", "close", "Close", show=False, priority=True, id="session.show_cost"),
        Binding("right,tab,l", "group(1)", "By the next", show=False, priority=True),
        Binding("left,shift+tab,h", "group(-1)", "By the one before", show=False, priority=True),
        Binding("p", "scope(1)", "Period", show=False, priority=True),
        Binding("P", "scope(-1)", "Period", show=False, priority=True),
        Binding("v", "view", "Cost or tokens", show=False, priority=True),
        Binding("o", "order", "Order", show=False, priority=True),
        Binding("down,j", "move(1)", "Down", show=False, priority=True),
        Binding("up,k", "move(-1)", "Up", show=False, priority=True),
        Binding("pagedown", "page(1)", "A page down", show=False, priority=True),
        Binding("pageup", "page(-1)", "A page up", show=False, priority=True),
        Binding("home", "move(-1000000)", "First", show=False, priority=True),
        Binding("end", "move(1000000)", "Last", show=False, priority=True),
    ]

    def __init__(
        self, ledger: Ledger, state: SessionState, *, view: View = View.COST, signs: Signs = UNICODE_SIGNS
    ) -> None:
        super().__init__()
        self._ledger = ledger
        self._state = state
        self.view = view
        self._signs = signs
        self._by = By.MODEL
        self._scope = Scope.SESSION
        self._order: Order | None = None
        self._found: SpendingReport | None = None
        self._groups: list[Spent] = []
        self._table = SpendingTable()

    def compose(self) -> ComposeResult:
        """Headline, choices, the table with its total, what the row means, the cache, and the keys."""
        with Vertical(classes="dialog"):
            for name in ("headline", "choices", "scopes", "head"):
                yield Static(markup=False, id=f"spending-{name}")
            yield self._table
            for name in ("detail", "cache", "legend"):
                yield Static(markup=False, id=f"spending-{name}")
            yield Static(key_line(*_KEYS, signs=self._signs), classes="dialog-keys", markup=False)

    def on_mount(self) -> None:
        """Begin with what is known of the session."""
        self._choices()
        self._load()

    def on_resize(self) -> None:
        """Other columns."""
        self.call_after_refresh(self._show)

    def sync(self, state: SessionState) -> None:
        """A call ended while the screen is open: read again."""
        moved = state.totals != self._state.totals
        self._state = state
        if moved and self.is_mounted:  # before that, mounting will read
            self._load()

    # ---- keys

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)

    def action_group(self, step: int) -> None:
        """Put the calls together by something else."""
        self._by = GROUPS[(GROUPS.index(self._by) + step) % len(GROUPS)]
        self._order = None
        self._load()

    def action_scope(self, step: int) -> None:
        """Another period."""
        self._scope = SCOPES[(SCOPES.index(self._scope) + step) % len(SCOPES)]
        self._load()

    def action_view(self) -> None:
        """Cost or tokens."""
        self.view = View.TOKENS if self.view is View.COST else View.COST
        self._choices()
        self._show()

    def action_order(self) -> None:
        """Sort by the next thing; after the last one as it suits the rows."""
        orders = (None, *Order)
        self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        self._choices()
        self._show()

    def action_move(self, by: int) -> None:
        """Some rows on."""
        self._table.move_to(self._table.cursor + by)
        self._explain()

    def action_page(self, by: int) -> None:
        """A page on."""
        self.action_move(by * self._table.page)

    @on(SpendingTable.Moved)
    def point(self, event: SpendingTable.Moved) -> None:
        """The row that was clicked."""
        self.action_move(event.row - self._table.cursor)

    def on_mouse_scroll_down(self) -> None:
        """Move on by the wheel."""
        self.action_move(3)

    def on_mouse_scroll_up(self) -> None:
        """Move back by the wheel."""
        self.action_move(-3)

    # ---- reading and showing

    @work(group="spending", exclusive=True)
    async def _load(self) -> None:
        self._choices()
        scope, by = self._scope, self._by
        try:
            found = await self._ledger.read(query_of(scope, self._state.session_id, time.time()), by)
        except (sqlite3.Error, OSError) as error:
            self._say("headline", Content.assemble((safe_line(f"The ledger cannot be read: {error}."), "$danger")))
            return
        self._found = found
        self._show()

    def _show(self) -> None:
        found = self._found
        if found is None or not self._table.size.width:
            return
        selected = self._groups[self._table.cursor].key if self._table.cursor < len(self._groups) else None
        self._groups = ordered(found.groups, found.by, self._order)
        place = next((at for at, each in enumerate(self._groups) if each.key == selected), 0)
        self._say("headline", headline(found, self._scope))
        if not self._groups:
            for name in ("head", "detail", "cache"):
                self._say(name, Content(""))
            self._table.show((Content.assemble((empty_words(self._scope), "$muted")),), None, 0)
            self._foot()
            return
        made = table(found, self._groups, self.view, self._table.size.width, self._signs)
        self._say("head", made.head)
        self._table.show(made.rows, made.total, place)
        room = 2 if self.size.height < _LOW_ROWS else 6
        self._say("cache", Content("\n").join([*self._window(), *cache_lines(found.total, found.cache, room)]))
        self._explain()
        self._foot()

    def _window(self) -> list[Content]:
        """How full the model's window is, beside the tokens of this session."""
        state = self._state
        size = None if state.model is None else state.model.context_window
        if self.view is not View.TOKENS or self._scope is not Scope.SESSION or not size or state.context_tokens is None:
            return []
        share = 100 * state.context_tokens / size
        mark = "~" if state.context_estimated else ""
        words = f"Window: {mark}{state.context_tokens:,} of {amounts.window(size)} tokens ({share:.0f} %)"
        return [Content.assemble((words, "$muted"))]

    def _explain(self) -> None:
        at = self._table.cursor
        self._say("detail", Content("\n").join(detail(self._groups[at] if at < len(self._groups) else None)))

    def _foot(self) -> None:
        command = command_of(self._scope, self._by, self._state.session_id)
        self._say("legend", Content.assemble((f"{LEGEND}\n", "$muted"), ("the same: ", "$muted"), (command, "$text")))

    def _choices(self) -> None:
        """What can be chosen, with what is."""
        order = [] if self._order is None else [(f"   by {self._order}", "$muted")]
        self._say("choices", Content.assemble(*_choice(GROUPS, self._by)))
        scopes, views = _choice(SCOPES, self._scope), _choice(tuple(View), self.view)
        self._say("scopes", Content.assemble(*scopes, ("   ", ""), *views, *order))

    def _say(self, name: str, content: Content) -> None:
        self.query_one(f"#spending-{name}", Static).update(content)


def _choice(names: Sequence[StrEnum], chosen: StrEnum) -> Iterator[tuple[str, str]]:
    """Everything that can be chosen, and what is."""
    for name in names:
        yield str(name), "bold $accent" if name is chosen else "$muted"
        yield "  ", ""

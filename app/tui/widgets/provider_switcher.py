"""The model switcher: every model of every provider in one list, a few letters and Enter away.

The list paints only the rows in view, so that 1,500 models cost what ten do. It follows the state while it
is open: providers that come or go change their row in place, and the cursor stays on its model.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias

from rich.cells import cell_len
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static

from ....providers.base import ModelInfo, ModelRef, Online
from ....tools.safe_text import safe_line
from ...engine.state import SessionState
from .. import amounts
from ..actions import bindings
from ..shelf import EmptyShelf, Inspection, ModelShelf
from ..transcript.palette import UNICODE_SIGNS, Signs
from ..transcript.rows import elide
from .key_line import key_line
from .switcher_meaning import meaning
from .switcher_rows import SwitcherRow, all_rows, arranged, filtered

WHEEL_ROWS = 3
SETTLED_S = 0.06
"""How long the cursor rests on a row before its model is looked into: walking through a list costs nothing."""
Inspect: TypeAlias = Callable[[ModelInfo, str], Inspection]
"""Works out what a model, spoken to in a dialect, means for the session. Called in a thread."""
_PROVIDER_CELLS = 13
_WINDOW_CELLS = 7
_PRICE_CELLS = 15
_ABILITY_CELLS = 23
_ORIGIN_CELLS = 15


class ModelList(Widget):
    """A window on the rows: paints what is in view, keeps the cursor in view."""

    class Picked(Message):
        """A row was clicked; ``index`` is its place in the list."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, signs: Signs) -> None:
        super().__init__()
        self._signs = signs
        self.rows: Sequence[SwitcherRow] = ()
        self.cursor = 0
        self.top = 0
        self.current: ModelRef | None = None
        self.favourites: Sequence[ModelRef] = ()

    def show(self, rows: Sequence[SwitcherRow], cursor: int) -> None:
        """Other rows, with the cursor on one of them."""
        self.rows = rows
        self.move_to(cursor)

    def move_to(self, cursor: int) -> None:
        """Put the cursor on a row and scroll it into view."""
        self.cursor = min(max(cursor, 0), max(len(self.rows) - 1, 0))
        height = max(1, self.size.height)
        self.top = min(max(self.top, self.cursor - height + 1), self.cursor, max(0, len(self.rows) - 1))
        self.top = max(0, min(self.top, len(self.rows) - height))
        self.refresh()

    @property
    def selected(self) -> SwitcherRow | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def render(self) -> Content:
        """The rows in view."""
        width = self.size.width
        visible = range(self.top, min(len(self.rows), self.top + self.size.height))
        return Content("\n").join(self._line(index, width) for index in visible)

    def _line(self, index: int, width: int) -> Content:
        row = self.rows[index]
        ref = None if row.model is None else row.model.ref
        marked = ref in self.favourites
        line = row_content(row, width, self._signs, current=ref is not None and ref == self.current, marked=marked)
        return line.stylize("on $selection") if index == self.cursor else line

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self.move_to(self.cursor)

    def on_click(self, event: events.Click) -> None:
        """Pick the row under the pointer."""
        if self.top + event.y < len(self.rows):
            self.post_message(self.Picked(self.top + event.y))


class ProviderSwitcher(ModalScreen[ModelRef | None]):
    """Dismisses with the chosen model, or None when the person leaves it as it is."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("switcher")]

    def __init__(
        self,
        state: SessionState,
        *,
        signs: Signs = UNICODE_SIGNS,
        prices: str = "",
        shelf: ModelShelf | None = None,
        inspect: Inspect | None = None,
    ) -> None:
        """``prices`` says how old prices are."""
        super().__init__()
        self._shelf = EmptyShelf() if shelf is None else shelf
        self._inspect = inspect
        self._recents: tuple[ModelRef, ...] = ()
        self._found: Inspection | None = None
        self._signs = signs
        self._prices = prices
        self._state = state
        self._all = all_rows(state.providers)
        self._list = ModelList(signs)
        self._meaning = Static(markup=False, id="switcher-meaning")
        self._filter = Input(placeholder="type to filter", compact=True, id="switcher-filter")

    def compose(self) -> ComposeResult:
        """Title and filter, the list, what the switch means."""
        with Vertical(classes="dialog"):
            with Horizontal(id="switcher-top"):
                yield Static("Switch model", classes="dialog-title", markup=False)
                yield self._filter
            yield self._list
            yield self._meaning
            yield Static(_keys_line(self._prices, self._signs), classes="dialog-keys", markup=False)

    def on_mount(self) -> None:
        """Begin on the model that answers now."""
        self._filter.focus()
        self._refill(self._state.model.ref if self._state.model else None)
        self._look_up_recents()

    @work(exclusive=True, group="recents")
    async def _look_up_recents(self) -> None:
        """Put what was used last on top, once the ledger has told it."""
        self._recents = await asyncio.to_thread(self._shelf.recents)
        selected = self._list.selected
        self._refill(selected.model.ref if selected and selected.model else None)

    def sync(self, state: SessionState) -> None:
        """Follow providers that come and go; the cursor stays on its model.

        While an answer streams this is called with every piece of it: that must not begin anything anew.
        """
        selected, before, self._state = self._list.selected, self._state, state
        if state.providers != before.providers:
            self._all = all_rows(state.providers)
        elif state.model == before.model and state.transcript is before.transcript:
            self._paint()
            return
        self._refill(selected.model.ref if selected and selected.model else None)

    @on(Input.Changed)
    def filter_rows(self) -> None:
        """Another filter: the best match is under the cursor."""
        self._refill(None)

    @on(Input.Submitted)
    def action_choose(self) -> None:
        """Take the model under the cursor. A row that cannot be chosen stays, its reason is below."""
        row = self._list.selected
        if row is not None and row.ref is not None:
            self.dismiss(row.ref)

    @on(ModelList.Picked)
    def pick(self, event: ModelList.Picked) -> None:
        """A first click moves the cursor, a second one on the same row takes it."""
        if event.index == self._list.cursor:
            self.action_choose()
        else:
            self._move_to(event.index)

    def action_leave(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)

    def action_down(self) -> None:
        """One row down."""
        self._move_to(self._list.cursor + 1)

    def action_up(self) -> None:
        """One row up."""
        self._move_to(self._list.cursor - 1)

    def action_page_down(self) -> None:
        """A page down."""
        self._move_to(self._list.cursor + max(1, self._list.size.height - 1))

    def action_page_up(self) -> None:
        """A page up."""
        self._move_to(self._list.cursor - max(1, self._list.size.height - 1))

    def on_mouse_scroll_down(self) -> None:
        """Move on by the wheel."""
        self._move_to(self._list.cursor + WHEEL_ROWS)

    def on_mouse_scroll_up(self) -> None:
        """Move back by the wheel."""
        self._move_to(self._list.cursor - WHEEL_ROWS)

    def _refill(self, ref: ModelRef | None) -> None:
        """Filter anew; the cursor goes to ``ref`` if it is listed, else to the first row."""
        favourites, searching = self._shelf.favourites, bool(self._filter.value.strip())
        rows = filtered(self._all if searching else arranged(self._all, favourites, self._recents), self._filter.value)
        self._list.favourites = favourites
        place = next((i for i, row in enumerate(rows) if ref and row.model and row.model.ref == ref), 0)
        self._list.current = self._state.model.ref if self._state.model else None
        self._list.show(rows, place)
        self._explain()

    def _move_to(self, cursor: int) -> None:
        self._list.move_to(cursor)
        self._explain()

    def action_favourite(self) -> None:
        """Mark the model under the cursor as a favourite, or no longer."""
        row = self._list.selected
        if row is None or row.model is None:
            return
        try:
            self._shelf.toggle(row.model.ref)
        except OSError as error:
            self.notify(
                f"The favourite holds for this session only: {error.strerror}", severity="warning", markup=False
            )
        self._refill(row.model.ref)

    def _explain(self) -> None:
        """Say what is known at once, and look into the rest when the cursor rests."""
        row = self._list.selected
        found = self._found
        if row is None or row.model is None or found is None or found.preview.model.ref != row.model.ref:
            self._found = None
        self._paint()
        if self._inspect is not None and row is not None and row.model is not None and row.ref is not None:
            self._look_into(self._inspect, row.model, row.provider.dialect)

    @work(exclusive=True, group="inspect")
    async def _look_into(self, inspect: Inspect, model: ModelInfo, dialect: str) -> None:
        await asyncio.sleep(SETTLED_S)
        found = await asyncio.to_thread(inspect, model, dialect)
        selected = self._list.selected
        if selected is not None and selected.model is not None and selected.model.ref == model.ref:
            self._found = found
            self._paint()

    def _paint(self) -> None:
        width = max(20, self._meaning.size.width)
        lines: list[Content] = []
        for line in meaning(self._state, self._list.selected, self._found):
            pieces = [Content.assemble((remark.text, f"${remark.role}")) for remark in line]
            lines.append(_cut(Content.assemble((f"  {self._signs.dot} ", "$muted")).join(pieces), width, self._signs))
        self._meaning.update(Content("\n").join(lines), layout=False)

    def on_resize(self) -> None:
        """Cut lines anew."""
        self._paint()


def _cut(line: Content, width: int, signs: Signs) -> Content:
    """A line at most as wide as there is room, with a sign where it goes on."""
    return line if line.cell_length <= width else line.truncate(width - 1) + Content(signs.more)


def row_content(row: SwitcherRow, width: int, signs: Signs, *, current: bool = False, marked: bool = False) -> Content:
    """One row in columns; narrow screens lose where it comes from, then the abilities."""
    failing = row.provider.paused_until is not None
    sign, role = (signs.running, "warn") if failing else _mark(row.provider.online, signs)
    provider = f"{elide(safe_line(row.provider.name), _PROVIDER_CELLS - 1, signs.more):<{_PROVIDER_CELLS}}"
    head = Content.assemble((f" {sign} ", f"${role}"), (provider, "$text" if role != "danger" else "$muted"))
    room = width - head.cell_length - 1
    if row.model is None:
        said = safe_line(row.provider.problem) or "lists no models"
        return _padded(head + Content.assemble((elide(said, room, signs.more), f"${role}")), width)
    origin = row.standing() if room >= 86 else ""
    abilities = row.abilities() if room >= 58 else ""
    facts = _WINDOW_CELLS + _PRICE_CELLS + 1 + (_ABILITY_CELLS if room >= 58 else 0) + (_ORIGIN_CELLS if origin else 0)
    mark = (f" {signs.ok}" if current else "") + (f" {signs.favourite}" if marked else "")
    name = elide(row.name, room - facts - len(mark), signs.more) + mark
    usable = row.ref is not None
    cells = [
        (_left(name, room - facts), ("bold " if current else "") + ("$text" if usable else "$muted")),
        (f"{amounts.window(row.model.context_window):>{_WINDOW_CELLS}}", "$text"),
        (f"{amounts.price(row.model.price):>{_PRICE_CELLS}} ", "$text"),
        (f" {abilities:<{_ABILITY_CELLS - 1}}" if room >= 58 else "", "$muted"),
        (f"{origin:<{_ORIGIN_CELLS}}" if origin else "", "$muted"),
    ]
    return _padded(head + Content.assemble(*cells), width)


def _mark(online: Online, signs: Signs) -> tuple[str, str]:
    """The sign of a provider and its role. A cloud that was not asked yet has a dot: nobody knows better."""
    match online:
        case Online.ONLINE:
            return signs.running, "ok"
        case Online.UNKNOWN:
            return signs.dot, "text"
        case Online.OFFLINE:
            return signs.todo, "muted"
        case Online.DISABLED:
            return signs.failed, "danger"


def _left(text: str, cells: int) -> str:
    return text + " " * max(0, cells - cell_len(text))


def _padded(line: Content, width: int) -> Content:
    return line.pad_right(max(0, width - line.cell_length))


def _keys_line(prices: str, signs: Signs) -> Content:
    keys = (("Enter", "switch"), ("↑ ↓", "move"), ("Ctrl+S", "favourite"), ("Esc", "leave it as it is"))
    return key_line(*keys, signs=signs) + Content.assemble((f"   {safe_line(prices)}" if prices else "", "$muted"))

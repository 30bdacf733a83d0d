"""The key help (F1): every action of the table with its keys and slash command."""

from collections.abc import Iterator
from itertools import chain, zip_longest
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from ..actions import CONTEXT_TITLES, Action, ActionTable, key_label
from ..transcript.palette import UNICODE_SIGNS, Signs
from .fitting import fit
from .key_line import key_line

_KEY_CELLS = 31
_COLUMN_CELLS = 72
"""A column of the wide layout."""


class HelpScreen(ModalScreen[None]):
    """Lists what can be done, over the dimmed screen. Escape and the help key, also another one, close it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close", show=False),
        Binding("f1", "close", "Close", show=False, id="app.show_help"),
    ]

    def __init__(self, table: ActionTable, *, signs: Signs = UNICODE_SIGNS) -> None:
        super().__init__()
        self._signs = signs
        self._table = table

    def compose(self) -> ComposeResult:
        """A title and a scrolling text."""
        with Vertical(classes="dialog"):
            yield Static(self._title(), classes="dialog-title", markup=False)
            with VerticalScroll():
                yield Static(markup=False, id="help-text")

    def on_mount(self) -> None:
        """The keys scroll."""
        self.query_one(VerticalScroll).focus()

    def on_resize(self) -> None:
        """Two columns where they fit, in the rows there are."""
        columns = 2 if self.size.width >= 2 * _COLUMN_CELLS + 16 else 1
        self.query_one("#help-text", Static).update(help_text(self._table, columns))
        self.call_after_refresh(fit, self.query_one(".dialog"), self.query_one(VerticalScroll))

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)

    def _title(self) -> Content:
        return Content.assemble(
            ("Keys and commands", "bold $accent"),
            "   ",
            key_line(("Esc", "closes"), ("↑ ↓", "scroll"), signs=self._signs),
        )


def help_text(table: ActionTable, columns: int) -> Content:
    """Every action, grouped by where it works, in one or two columns."""
    groups = [list(_group(table, context)) for context in CONTEXT_TITLES]
    if columns == 1:
        return Content("\n").join(chain.from_iterable(groups))
    # The first groups belong to every moment of work, the rest to one pane each: halve by rows, not by groups.
    total = sum(map(len, groups))
    left: list[Content] = []
    while groups and len(left) + len(groups[0]) // 2 < total / 2:
        left += groups.pop(0)
    right = list(chain.from_iterable(groups))
    rows: list[Content] = []
    for one, other in zip_longest(left, right, fillvalue=Content("")):
        rows.append(one.pad_right(max(0, _COLUMN_CELLS - one.cell_length)) + other)
    return Content("\n").join(rows)


def _group(table: ActionTable, context: str) -> Iterator[Content]:
    actions = [action for action in table.actions if action.context == context and (action.keys or action.slash)]
    if not actions:
        return
    yield Content.assemble((CONTEXT_TITLES[actions[0].context], "bold $text"))
    for action in actions:
        yield _row(action)
    yield Content("")


def _row(action: Action) -> Content:
    keys = " ".join(map(key_label, action.keys))
    slash = f"  /{action.slash} {action.argument}".rstrip() if action.slash else ""
    return Content.assemble((f"  {keys:<{_KEY_CELLS}}", "$accent"), (action.title, "$text"), (slash, "$muted"))

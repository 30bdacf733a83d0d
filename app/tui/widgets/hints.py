"""The footer: the keys that work where the focus is, each with one word."""

from textual.content import Content
from textual.widget import Widget

from ..actions import ActionTable, Context, key_label


class KeyHints(Widget):
    """One row of keys from the action table; what does not fit is left out whole, from the right."""

    def __init__(self, table: ActionTable, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._table = table
        self._contexts: tuple[Context, ...] = ("prompt",)

    def show(self, *contexts: Context) -> None:
        """Name the keys of these contexts, then those that work everywhere."""
        self._contexts = contexts
        self.refresh()

    def render(self) -> Content:
        """The row."""
        row = Content(" ")
        for keys, word in hints(self._table, *self._contexts):
            piece = Content.assemble((keys, "$text"), " ", (word, "$muted"), "   ")
            if row.cell_length + piece.cell_length - 3 > self.size.width:
                break
            row = row + piece
        return row


def hints(table: ActionTable, *contexts: Context) -> list[tuple[str, str]]:
    """(key, word) of the shown actions of the contexts, then of the global ones."""
    local = [action for action in table.within(*contexts) if action.context != "global"]
    everywhere = [action for action in table.within("global") if "switcher" not in contexts]
    return [(key_label(action.keys[0]), action.hint) for action in (*local, *everywhere) if action.show and action.keys]

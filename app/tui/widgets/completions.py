"""The list above the prompt of what is being written may become; a row is chosen with the arrows."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from ....tools.safe_text import safe_line
from ..completing import Choice

MOST_ROWS = 8
LOW_ROWS = 5
"""On a screen of few rows."""
_TITLE_CELLS = 24
_MARGIN = 3
"""Cells of a screen's width that the box around takes, and one to spare."""


class Completions(Static):
    """Rows of choices, one of them chosen; or one line of text alone. Not shown while there is neither."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self.display = False
        self.choices: tuple[Choice, ...] = ()
        self.chosen = 0
        self._rows = 1

    def offer(self, choices: Sequence[Choice]) -> None:
        """Show these, the first one chosen; hide when there are none."""
        self.choices = tuple(choices)
        self.chosen = 0
        self._show()

    def say(self, text: Content) -> None:
        """Show one line that cannot be chosen."""
        self.choices = ()
        self._resize(1)
        self.update(text, layout=False)

    def move(self, step: int) -> None:
        """Choose another row; after the last comes the first."""
        self.chosen = (self.chosen + step) % len(self.choices)
        self._show()

    def _show(self) -> None:
        most = MOST_ROWS if self.screen.size.height >= 30 else LOW_ROWS
        rows = min(most, len(self.choices))
        self._resize(rows)
        if rows:
            first = min(max(0, self.chosen - rows + 1), len(self.choices) - rows)
            shown = self.choices[first : first + rows]
            width = self.screen.size.width - _MARGIN
            titles = max(_TITLE_CELLS, *(cell_len(each.title) for each in shown)) if shown[0].detail else width - 3
            lines = [_row(each, width, titles, chosen=at == self.chosen) for at, each in enumerate(shown, first)]
            self.update(Content("\n").join(lines), layout=False)

    def _resize(self, rows: int) -> None:
        """Touch the layout only when the number of rows changes."""
        if self.display is not bool(rows):
            self.display = bool(rows)
        if rows and rows != self._rows:
            self._rows = rows
            self.styles.height = rows


def _row(choice: Choice, width: int, titles: int, *, chosen: bool) -> Content:
    title, marks = _shortened(choice, min(titles, width - 3))
    look = "bold $accent" if chosen else "$text"
    line = Content(title)
    for mark in marks:
        line = line.stylize("underline" if chosen else "bold $accent", mark, mark + 1)
    line = Content.assemble((" > " if chosen else "   ", "bold $accent"), line.stylize_before(look))
    room = width - titles - 5
    if choice.detail and room > 8:
        detail = choice.detail if cell_len(choice.detail) <= room else choice.detail[: room - 1] + "…"
        pad = " " * (titles - cell_len(title) + 2)
        line = Content.assemble(line, pad, (detail, "$text" if chosen else "$muted"))
        if choice.key and line.cell_length + len(choice.key) + 2 <= width:
            line = Content.assemble(line, " " * (width - line.cell_length - len(choice.key)), (choice.key, "$muted"))
    return line


def _shortened(choice: Choice, room: int) -> tuple[str, tuple[int, ...]]:
    """The title, without its beginning when it is too long: the end of a path says most."""
    title = safe_line(choice.title)
    if title != choice.title or not title.isascii():
        while cell_len(title) > room:
            title = "…" + title[2:]
        return title, ()
    if len(title) <= room:
        return title, choice.marks
    gone = len(title) - room + 1
    return "…" + title[gone:], tuple(mark - gone + 1 for mark in choice.marks if mark >= gone)

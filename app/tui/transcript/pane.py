"""A pane of cells: lays out what is seen, the rest when there is time; one cell may be selected.

Cells out of sight count with estimated heights. Before anything is painted the cells in view and a screen
around them are laid out, and the view is held on its text while heights above it are corrected.
"""

from collections.abc import Iterable
from time import perf_counter

from rich.segment import Segment
from textual.cache import LRUCache
from textual.geometry import Offset
from textual.strip import Strip

from .base import PAINTED_ROWS, LinePane
from .cells import Cell
from .column import Column
from .palette import UNICODE_SIGNS, Look, Signs
from .rows import Row

IDLE_CELLS = 1000
"""The last cells, which are laid out ahead of time. Rows take memory: of a long session the rest keeps estimates."""
CURSOR_WIDTH = 1
"""Cells at the left in which the selected cell is marked."""


class CellPane(LinePane):
    """A ``LinePane`` over a ``Column`` of cells."""

    STEADY_ROWS = True

    def __init__(
        self,
        *,
        signs: Signs = UNICODE_SIGNS,
        jump_hint: str = "more below",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(signs=signs, jump_hint=jump_hint, id=id, classes=classes)
        self.column = Column()
        self.selected: Cell | None = None
        self._strips: LRUCache[tuple[Row, bool], Strip] = LRUCache(PAINTED_ROWS)
        self._laid_to = 0

    # ---- changes

    def replace_cells(self, keep: int, cells: Iterable[Cell]) -> None:
        """Keep the first ``keep`` cells and put ``cells`` after them."""
        first = self.column.top(keep)
        anchor = self._anchor()
        self.column.truncate(keep)
        self.column.append(cells)
        self._laid_to = min(self._laid_to, keep)
        if self.selected is not None and self.selected not in self.column:
            self.selected = None
        self._settle(first, None, anchor)

    def replace_first_cells(self, count: int, cells: Iterable[Cell]) -> None:
        """Put cells in the place of the first ``count``; what comes after them stays where it is in the view."""
        before = self.column.top(count)
        after = self.column.cells[count]
        self.column.replace_start(count, cells)
        self._laid_to = 0
        if self.content_width:
            shift = self.column.top(after.index) - before
            self.rows_changed(self.column.total, 0, None, shift=shift, news=False)
            self.start_idle_work()

    def cells_changed(self, cells: Iterable[Cell]) -> None:
        """The content of these cells grew or changed: bring their rows up to date."""
        if not self.content_width:
            return
        anchor = self._anchor()
        first: int = self.column.total
        last: int | None = 0
        for cell in cells:
            before = self.column.height(cell)
            if not self.column.is_laid(cell):
                self.column.changed(cell.index)
                continue
            row = self.column.lay(cell.index)
            first = min(first, row)
            same_height = self.column.height(cell) == before and last is not None
            last = max(last or 0, self.column.top(cell.index + 1)) if same_height else None
        self._settle(first, last, anchor)

    def _anchor(self) -> tuple[int, int] | None:
        """The cell at the top of the view and the row where it begins."""
        if not self.content_width or not self.column.cells:
            return None
        index, _ = self.column.locate(min(self.scroll_offset.y, max(0, self.column.total - 1)))
        return index, self.column.top(index)

    def _settle(self, first: int, last: int | None, anchor: tuple[int, int] | None, *, news: bool = True) -> None:
        """Lay out what will be seen, then tell the base what changed; the text in view stays where it is."""
        if not self.content_width:
            return
        index = anchor[0] if anchor is not None and not self.following else len(self.column.cells) - 1
        laid = self._lay_around(min(index, len(self.column.cells) - 1))
        shift = 0
        if anchor is not None and anchor[0] < len(self.column.cells):
            shift = self.column.top(anchor[0]) - anchor[1]
        if laid is not None:
            first, last = min(first, laid), None
        self.rows_changed(self.column.total, first, last, shift=shift, news=news)
        if self._laid_to < len(self.column.cells):
            self.start_idle_work()

    def _lay_around(self, index: int) -> int | None:
        """Lay out a screen above and two below the top of a cell. Returns the first row that changed, if any did."""
        height = max(1, self.scrollable_content_region.height)
        first: int | None = None
        for step, wanted in ((1, 2 * height), (-1, 2 * height)):
            at, rows = index, 0
            while 0 <= at < len(self.column.cells) and rows < wanted:
                cell = self.column.cells[at]
                if not self.column.is_laid(cell):
                    row = self.column.lay(at)
                    first = row if first is None else min(first, row)
                rows += self.column.height(cell)
                at += step
        return first

    # ---- what the base asks

    def line_at(self, row: int) -> Strip:
        """A row of a cell as a strip; laid out now if nothing did so before."""
        index, within = self.column.locate(row)
        cell = self.column.cells[index]
        if not self.column.is_laid(cell):
            self.column.lay(index)
            self.call_later(self._settle, 0, None, None, news=False)
        marked = cell is self.selected and within >= 0
        if not 0 <= within < len(cell.rows):
            return Strip.blank(0)
        key = (cell.rows[within], marked)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._strip(cell, cell.rows[within], marked=marked)
        return strip

    def _strip(self, cell: Cell, row: Row, *, marked: bool) -> Strip:
        style = self.palette.style
        mark = self.signs.cursor if marked else " "
        parts = [(mark, Look(role="accent")), *cell.lead, *row.spans]
        strip = Strip([Segment(text, style(look)) for text, look in parts if text])
        if row.fill:
            strip = strip.extend_cell_length(self.content_width, style(Look(on=row.fill)))
        return strip

    def rewrap(self, width: int, top: int) -> tuple[int, int]:
        """Lay out anew what is in view; the cell that was on top stays on top."""
        cells = self.column.cells
        if not cells:
            self.column.set_width(width - CURSOR_WIDTH)
            return 0, 0
        index, part = 0, 0.0
        if self.column.width:
            index, _ = self.column.locate(min(top, max(0, self.column.total - 1)))
            part = (top - self.column.top(index)) / max(1, self.column.height(cells[index]))
        self.column.set_width(width - CURSOR_WIDTH)
        self._strips.clear()
        self._lay_around(len(cells) - 1 if self.following else index)
        self._laid_to = 0
        self.start_idle_work()
        return self.column.total, self.column.top(index) + round(part * self.column.height(cells[index]))

    def idle_slice(self, deadline: float) -> bool:
        """Lay out cells that nobody looked at yet, the last first."""
        anchor = self._anchor()
        if anchor is None:
            return False
        cells, index, laid = self.column.cells, len(self.column.cells), False
        stop = max(self._laid_to, len(cells) - IDLE_CELLS)
        while index > stop and perf_counter() < deadline:
            index -= 1
            if not self.column.is_laid(cells[index]):
                self.column.lay(index)
                laid = True
        if index <= stop:
            self._laid_to = len(cells)
        if laid:
            shift = self.column.top(anchor[0]) - anchor[1]
            self.rows_changed(self.column.total, 0, 0, shift=shift, news=False)
        return self._laid_to < len(cells)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Lay out what comes into view, before it is painted."""
        super().watch_scroll_y(old_value, new_value)
        if self.content_width and self.column.cells and round(old_value) != round(new_value):
            anchor = self._anchor()
            if anchor is not None and (laid := self._lay_around(anchor[0])) is not None:
                shift = self.column.top(anchor[0]) - anchor[1]
                self.rows_changed(self.column.total, laid, None, shift=shift, news=False)

    def palette_changed(self) -> None:
        """Strips carry colours; rows do not."""
        self._strips.clear()

    def row_clicked(self, row: int) -> None:
        """A click selects a cell; on the first row of one that folds it folds or unfolds it."""
        index, within = self.column.locate(row)
        cell = self.column.cells[index]
        if cell.selectable:
            self.select(cell)
        if within == 0 and cell.foldable:
            self.toggle(cell)

    # ---- selection of cells

    def select(self, cell: Cell | None) -> None:
        """Mark a cell, or none, and bring it into view."""
        before, self.selected = self.selected, cell
        for each in (before, cell):
            if each is not None:
                top = self.column.top(each.index)
                self.rows_changed(self.column.total, top, top + self.column.height(each))
        if cell is not None:
            if not self.column.is_laid(cell):
                self.column.lay(cell.index)
            top = self.column.top(cell.index)
            self.show_row(top + cell.gap, top + self.column.height(cell))

    def select_previous_cell(self) -> None:
        """Select the cell above; the last one when none is selected."""
        cells = self.column.cells[: self.selected.index] if self.selected is not None else self.column.cells
        self._select_first(reversed(cells))

    def select_next_cell(self) -> None:
        """Select the cell below; the last one when none is selected."""
        if self.selected is None:
            self.select_previous_cell()
        else:
            self._select_first(self.column.cells[self.selected.index + 1 :])

    def _select_first(self, cells: Iterable[Cell]) -> None:
        found = next((cell for cell in cells if cell.selectable), None)
        if found is not None:
            self.select(found)

    def toggle(self, cell: Cell) -> None:
        """Fold or unfold a cell."""
        if cell.foldable:
            cell.folded = not cell.folded
            self.cells_changed([cell])

    def toggle_selected(self) -> None:
        """Fold or unfold the selected cell."""
        if self.selected is not None:
            self.toggle(self.selected)

    # ---- copying

    def source_between(self, start: Offset | None, end: Offset | None) -> str:
        """Cells selected as a whole as their source; of others the selected rows, unwrapped, without decoration."""
        if not self.column.cells:
            return ""
        first = start or Offset(0, 0)
        last = end or Offset(1_000_000, self.column.total - 1)
        pieces: list[str] = []
        for cell in self.column.cells[self.column.locate(first.y)[0] : self.column.locate(last.y)[0] + 1]:
            piece = self._source_of(cell, first, last)
            if piece:
                pieces.append(("\n\n" if cell.gap else "\n") if pieces else "")
                pieces.append(piece)
        return "".join(pieces)

    def _source_of(self, cell: Cell, first: Offset, last: Offset) -> str:
        top = self.column.top(cell.index) + cell.gap
        bottom = top + self.column.height(cell) - cell.gap
        lead = CURSOR_WIDTH + sum(len(text) for text, _ in cell.lead)
        from_start = first.y < top or (first.y == top and first.x <= lead)
        to_end = last.y >= bottom or (
            last.y == bottom - 1 and self.column.is_laid(cell) and last.x >= lead + len(cell.rows[-1].text)
        )
        if from_start and to_end:
            return cell.source()
        pieces: list[str] = []
        for row in range(max(first.y, top), min(last.y + 1, bottom)):
            each = cell.rows[row - top]
            text = each.text
            stop = last.x - lead if row == last.y else len(text)
            begin = max(each.skip, first.x - lead if row == first.y else 0)
            pieces.append(each.joint if pieces else "")
            pieces.append(text[begin : max(begin, stop)].rstrip(" "))
        return "".join(pieces)

    def selected_source(self) -> str:
        """The source of the selected cell; of the last one that has any when none is selected."""
        if self.selected is not None:
            return self.selected.source()
        return next((cell.source() for cell in reversed(self.column.cells) if cell.selectable), "")

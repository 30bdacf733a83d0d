"""The cells of a transcript, one below the other: which row belongs to which cell.

Cells are added and removed at the end; only what stood for earlier ones is replaced by them. A cell that was not laid
out at the present width counts with an estimated height; laying it out corrects the rows below it.
"""

from bisect import bisect_right
from collections.abc import Iterable

from .cells import Cell


class Column:
    """Cells with their heights summed up."""

    def __init__(self) -> None:
        self.cells: list[Cell] = []
        self.width = 0
        """Cells of the screen that a row may fill."""
        self._tops: list[int] = [0]
        self._summed = 0

    def __contains__(self, cell: Cell) -> bool:
        return cell.index < len(self.cells) and self.cells[cell.index] is cell

    def append(self, cells: Iterable[Cell]) -> None:
        """Put cells at the end."""
        for cell in cells:
            cell.index = len(self.cells)
            self.cells.append(cell)
            self._tops.append(0)

    def truncate(self, count: int) -> None:
        """Keep only the first ``count`` cells."""
        del self.cells[count:]
        del self._tops[count + 1 :]
        self._summed = min(self._summed, count)

    def replace_start(self, count: int, cells: Iterable[Cell]) -> None:
        """Put cells in the place of the first ``count``."""
        self.cells[:count] = cells
        for index, cell in enumerate(self.cells):
            cell.index = index
        self._tops = [0] * (len(self.cells) + 1)
        self._summed = 0

    def set_width(self, width: int) -> None:
        """From now on all rows are for another width; nothing is laid out yet."""
        self.width = width
        self._summed = 0

    def changed(self, index: int) -> None:
        """The height of a cell may be another one."""
        self._summed = min(self._summed, index)

    @property
    def total(self) -> int:
        """Rows of all cells."""
        return self.top(len(self.cells))

    def top(self, index: int) -> int:
        """The first row of a cell, its gap included; the row after the last one for ``len(cells)``."""
        tops = self._tops
        for each in range(self._summed, index):
            tops[each + 1] = tops[each] + self.height(self.cells[each])
        self._summed = max(self._summed, index)
        return tops[index]

    def height(self, cell: Cell) -> int:
        """Rows of a cell with its gap: counted if it is laid out, else estimated."""
        return (len(cell.rows) if self.is_laid(cell) else cell.estimate(self.width)) + cell.gap

    def is_laid(self, cell: Cell) -> bool:
        """True when the rows of a cell are for the present width."""
        return cell.width == self.width

    def locate(self, row: int) -> tuple[int, int]:
        """The cell that a row is in, and the index into the cell's rows (-1 is its gap). There must be a cell."""
        self.top(len(self.cells))
        index = bisect_right(self._tops, row, 1, len(self.cells)) - 1
        cell = self.cells[index]
        return index, row - self._tops[index] - cell.gap

    def lay(self, index: int) -> int:
        """Lay a cell out. Returns the first row (of all rows) that looks different."""
        cell = self.cells[index]
        first = cell.lay(self.width)
        self.changed(index)
        return self.top(index) + cell.gap + first

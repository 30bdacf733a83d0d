"""Tables: rows of source text into aligned columns that fit the width."""

import re
from collections.abc import Sequence
from itertools import zip_longest

from rich.cells import cell_len

from .inline import inline_lines
from .palette import Look, Signs
from .rows import MUTED, Line, Row, Span, plain_line, wrap

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_LEAST_COLUMN = 4
"""Cells below which a column says nothing: the table is then shown as one record after the other."""
_BETWEEN = 3
"""Cells from one column to the next."""

Cell = list[Line]
"""A cell's content: one line, or several when it has ``<br>``."""


def split_cells(line: str) -> list[str]:
    """The cells of a table row: cut at pipes that are not escaped."""
    text = line.strip().removeprefix("|")
    cells: list[str] = []
    start = 0
    for pipe in re.finditer(r"(?<!\\)\|", text):
        cells.append(text[start : pipe.start()])
        start = pipe.end()
    if text[start:].strip() or not cells:
        cells.append(text[start:])
    return [cell.strip().replace("\\|", "|") for cell in cells]


class Table:
    """A table, built from its source lines as they come: the head, the delimiter row, the body."""

    def __init__(self) -> None:
        self.head: list[Cell] = []
        self.body: list[list[Cell]] = []
        """Rows with as many cells as the head."""
        self.aligns: list[str] = []
        """``left``, ``right`` or ``center`` for each column."""
        self.widths: list[int] = []
        """Cells each column would like."""

    def add(self, line: str) -> None:
        """Take the next line."""
        texts = split_cells(line)
        if not self.head:
            self.head = [_cell(text, Look(bold=True)) for text in texts]
            self.widths = [_width(cell) for cell in self.head]
        elif not self.aligns:
            self.aligns = [_align(text) for text in texts]
        else:
            columns = len(self.head)
            cells = [_cell(text) for text in (texts + [""] * columns)[:columns]]
            self.body.append(cells)
            self.widths = [max(width, _width(cell)) for width, cell in zip(self.widths, cells, strict=True)]


def table_rows(table: Table, width: int, signs: Signs, *, first: Sequence[Span], rest: Sequence[Span]) -> list[Row]:
    """The table in at most ``width`` cells: columns as wide as they like, or narrowed and wrapped, or as records."""
    room = width - sum(cell_len(text) for text, _ in rest)
    widths = fitted(table.widths, room - _BETWEEN * (len(table.widths) - 1))
    skip = sum(len(text) for text, _ in rest)
    if widths is None:
        return _records(table, width, first, rest)
    lines = _row_lines(table.head, widths, table.aligns, signs)
    lines.append([(f"{signs.rule}{signs.cross}{signs.rule}".join(signs.rule * each for each in widths), MUTED)])
    for cells in table.body:
        lines += _row_lines(cells, widths, table.aligns, signs)
    return [Row((*(rest if index else first), *line), skip=skip) for index, line in enumerate(lines)]


def fitted(wished: Sequence[int], room: int) -> list[int] | None:
    """Widths that fit: narrow columns keep theirs, wide ones share what is left. None when there is no room for all."""
    if sum(wished) <= room:
        return [max(1, width) for width in wished]
    if room < _LEAST_COLUMN * len(wished):
        return None
    widths = dict.fromkeys(range(len(wished)), 0)
    waiting = sorted(widths, key=lambda column: wished[column])
    while waiting:
        column = waiting[0]
        share = room // len(waiting)
        widths[column] = min(max(1, wished[column]), share)
        room -= widths[column]
        waiting.pop(0)
    return list(widths.values())


def _row_lines(cells: Sequence[Cell], widths: Sequence[int], aligns: Sequence[str], signs: Signs) -> list[Line]:
    """One table row as screen lines: as many as its longest cell wraps to."""
    columns = [
        [row.spans for line in cell for row in wrap(line, width)] for cell, width in zip(cells, widths, strict=True)
    ]
    lines: list[Line] = []
    for parts in zip_longest(*columns, fillvalue=()):
        line: Line = []
        for column, spans in enumerate(parts):
            if column:
                line.append((f" {signs.column} ", MUTED))
            line += _aligned(spans, widths[column], aligns[column])
        lines.append(line)
    return lines


def _aligned(spans: Sequence[Span], width: int, align: str) -> Line:
    free = width - sum(cell_len(text) for text, _ in spans)
    left = {"right": free, "center": free // 2}.get(align, 0)
    return [*plain_line(" " * left), *spans, *plain_line(" " * (free - left))]


def _records(table: Table, width: int, first: Sequence[Span], rest: Sequence[Span]) -> list[Row]:
    """Each body row as ``head: cell`` lines, for panes too narrow for columns."""
    rows: list[Row] = []
    for cells in table.body or [table.head]:
        if rows:
            rows.append(Row(tuple(rest), skip=sum(len(text) for text, _ in rest)))
        for head, cell in zip(table.head, cells, strict=True):
            for index, line in enumerate(cell):
                name = [*head[0], (": ", Look(bold=True))] if not index and table.body else []
                rows += wrap([*name, *line], width, first=rest if rows else first, rest=rest)
    return rows


def _cell(text: str, base: Look | None = None) -> Cell:
    look = base or Look()
    return [line for part in _BREAK.split(text) for line in inline_lines(part.strip(), look)]


def _width(cell: Cell) -> int:
    return max(sum(cell_len(text) for text, _ in line) for line in cell)


def _align(delimiter: str) -> str:
    if delimiter.endswith(":"):
        return "center" if delimiter.startswith(":") else "right"
    return "left"

"""What stands for the part of a long session that nobody has scrolled to yet."""

from collections.abc import Callable, Sequence
from typing import overload

from ...engine.state import AnswerEntry, Entry, PromptEntry, TextPart, ToolCallPart
from .cells import Cell
from .palette import Signs
from .rows import MUTED, Row

SHOWN_AT_FIRST = 300
"""Entries of a session that are made into cells when it is opened, and each time a person comes to their top."""
_TOOL_ROWS = 4
_CELLS_PER_ROW = 0.7


class EarlierCell(Cell):
    """As many rows as the entries would take, roughly, all the same one. It is replaced before it is looked at."""

    selectable = False

    def __init__(self, entries: Sequence[Entry], signs: Signs, source: Callable[[], str]) -> None:
        """``source`` gives what copying the entries would give."""
        super().__init__()
        self._entries = entries
        self._source = source
        self._row = Row(((f"{signs.more} {len(entries):,} earlier messages", MUTED),))

    def source(self) -> str:
        """The text of all the entries."""
        return self._source()

    def lay(self, width: int) -> int:
        """Take as many rows as estimated."""
        self.width = width
        self.rows = _Repeated(self._row, self.estimate(width))
        return 0

    def _lay(self, room: int, *, anew: bool) -> int:
        del room, anew
        return 0

    def _guess(self, room: int) -> int:
        return sum(_rows_of(entry, room) for entry in self._entries)


class _Repeated(list[Row]):
    """A row many times over, which takes the memory of one."""

    def __init__(self, row: Row, count: int) -> None:
        super().__init__()
        self._row = row
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Row: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: "int | slice") -> "Row | list[Row]":  # pyright: ignore[reportIncompatibleMethodOverride]
        if isinstance(index, slice):
            return [self._row] * len(range(*index.indices(self._count)))
        return self._row


def _rows_of(entry: Entry, room: int) -> int:
    """Rows an entry takes, roughly, its gap included."""
    match entry:
        case PromptEntry(text=text):
            return 2 + len(text) // room
        case AnswerEntry(parts=parts):
            rows = 2
            for part in parts:
                match part:
                    case TextPart(text=text):
                        rows += 2 + int(text.chars / (room * _CELLS_PER_ROW))
                    case ToolCallPart():
                        rows += _TOOL_ROWS
                    case _:
                        rows += 1
            return rows
        case _:
            return 2

"""Rows: what blocks become at a width, and how text is wrapped into them.

A row holds spans (text and look), so it is cheap to make and independent of the theme. It also knows how it
joins the row before, so that copying gives the text back as it was written, without the wrapping and
without the bars and bullets in front.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import TypeAlias

from rich.cells import cell_len, split_graphemes

from .palette import Look

Span: TypeAlias = tuple[str, Look]
Line: TypeAlias = list[Span]
"""One source line as spans; no span holds a newline."""

PLAIN = Look()
MUTED = Look(role="muted")
TAB_STOP = 4
"""Columns between tab stops in code and tool output."""


class Row:
    """One row of the screen, compared by identity; immutable once made."""

    __slots__ = ("fill", "joint", "skip", "spans")

    def __init__(self, spans: tuple[Span, ...], *, skip: int = 0, joint: str = "\n", fill: str = "") -> None:
        self.spans = spans
        self.skip = skip
        """Characters of decoration at the left, never copied."""
        self.joint = joint
        """What stands between the row before and this one in the source: a newline, a space or nothing."""
        self.fill = fill
        """Role behind the whole row ("" is the pane's own background)."""

    @property
    def text(self) -> str:
        """What the row shows."""
        return "".join(text for text, _ in self.spans)

    def same_as(self, other: "Row") -> bool:
        """True when both look alike and copy alike."""
        return (
            self.spans == other.spans
            and self.skip == other.skip
            and self.joint == other.joint
            and self.fill == other.fill
        )

    def __repr__(self) -> str:
        return f"Row({self.text!r})"


BLANK = Row(())
"""An empty row, as between two paragraphs."""


def plain_line(text: str, look: Look = PLAIN) -> Line:
    """A line of one look."""
    return [(text, look)] if text else []


def expand_tabs(text: str) -> str:
    """Tabs as spaces: a terminal's own tab stops would break the columns."""
    return text.expandtabs(TAB_STOP) if "\t" in text else text


def split_lines(spans: Iterable[Span]) -> Iterator[Line]:
    """Cut spans at newlines."""
    line: Line = []
    for text, look in spans:
        first, *others = text.split("\n")
        if first:
            line.append((first, look))
        for other in others:
            yield line
            line = [(other, look)] if other else []
    yield line


def wrap(
    line: Sequence[Span],
    width: int,
    *,
    first: Sequence[Span] = (),
    rest: Sequence[Span] | None = None,
    joint: str = "\n",
    words: bool = True,
    fill: str = "",
) -> list[Row]:
    """Wrap one line to ``width`` cells, ``first`` before its first row and ``rest`` before the others.

    ``words`` False breaks anywhere (code). ``joint`` joins the first row to the row before it.
    """
    others = first if rest is None else rest
    text = "".join(part for part, _ in line) if len(line) != 1 else line[0][0]
    room = (width - _cells(first), width - _cells(others))
    cuts = break_text(text, *room, words=words)
    rows = [Row((*first, *_cut(line, *cuts[0])), skip=_chars(first), joint=joint, fill=fill)]
    skip = _chars(others)
    for (_, end), (start, stop) in pairwise(cuts):
        between = " " if start > end else ""
        rows.append(Row((*others, *_cut(line, start, stop)), skip=skip, joint=between, fill=fill))
    return rows


def wrap_lines(
    lines: Iterable[Line], width: int, *, first: Sequence[Span] = (), rest: Sequence[Span] = (), fill: str = ""
) -> list[Row]:
    """Wrap several lines; ``first`` stands before the very first row only."""
    rows: list[Row] = []
    for line in lines:
        rows += wrap(line, width, first=rest if rows else first, rest=rest, fill=fill)
    return rows


def _cells(spans: Sequence[Span]) -> int:
    return sum(cell_len(text) for text, _ in spans)


def _chars(spans: Sequence[Span]) -> int:
    return sum(len(text) for text, _ in spans)


def _cut(line: Sequence[Span], start: int, end: int) -> Iterator[Span]:
    """The spans of characters ``start`` to ``end``."""
    position = 0
    for text, look in line:
        stop = position + len(text)
        if stop > start and position < end:
            yield text[max(0, start - position) : end - position], look
        position = stop


def break_text(text: str, first: int, rest: int, *, words: bool = True) -> list[tuple[int, int]]:
    """Where to break: the start and end of each row in ``text``, for rows of ``first``, then ``rest`` cells.

    At least one character (or grapheme) goes in every row, however narrow. Blanks at a break belong to no row.
    """
    first, rest = max(first, 1), max(rest, 1)
    if cell_len(text) == len(text):
        return _break_narrow(text, first, rest, words=words)
    return _break_wide(text, first, rest, words=words)


def _break_narrow(text: str, first: int, rest: int, *, words: bool) -> list[tuple[int, int]]:
    """``break_text`` when each character fills one cell."""
    cuts: list[tuple[int, int]] = []
    start, room, length = 0, first, len(text)
    while length - start > room:
        space = text.rfind(" ", start, start + room + 1) if words else -1
        end = start + room if space <= start or not text[start:space].strip() else space
        cuts.append((start, _without_blanks(text, start, end) if words else end))
        start, room = _after_blanks(text, end) if words else end, rest
    if start < length or not cuts:
        cuts.append((start, length))
    return cuts


def _break_wide(text: str, first: int, rest: int, *, words: bool) -> list[tuple[int, int]]:
    """``break_text`` with wide characters and graphemes of several code points; breaks beside wide ones too."""
    spans, _ = split_graphemes(text)
    ends = list(accumulate(width for _, _, width in spans))
    cuts: list[tuple[int, int]] = []
    index, room, count = 0, first, len(spans)
    used = 0
    while index < count:
        limit = index
        while limit < count and (ends[limit] - used <= room or limit == index):
            limit += 1
        if limit == count:
            cuts.append((spans[index][0], len(text)))
            break
        stop = _break_before(text, spans, index, limit) if words else limit
        start, end = spans[index][0], spans[stop][0]
        cuts.append((start, _without_blanks(text, start, end) if words else end))
        while words and stop < count and text[spans[stop][0]] == " ":
            stop += 1
        index, room, used = stop, rest, ends[stop - 1]
    return cuts or [(0, 0)]


def _break_before(text: str, spans: Sequence[tuple[int, int, int]], index: int, limit: int) -> int:
    """The last grapheme in (index, limit] that a row may begin with; ``limit`` when there is none."""
    for stop in range(limit, index, -1):
        before, after = spans[stop - 1], spans[stop]
        if text[after[0]] == " " and not text[spans[index][0] : after[0]].isspace():
            return stop
        if before[2] == 2 and text[after[0]] not in "。、，．）」』！？：；":
            return stop
        if stop < limit and after[2] == 2 and text[before[0]] != " ":
            return stop
    return limit


def _without_blanks(text: str, start: int, end: int) -> int:
    """``end`` moved before the blanks that end the row, unless the row is all blank."""
    stripped = start + len(text[start:end].rstrip(" "))
    return stripped if stripped > start else end


def _after_blanks(text: str, start: int) -> int:
    return len(text) - len(text[start:].lstrip(" ")) if text[start : start + 1] == " " else start


def elide(text: str, width: int, more: str) -> str:
    """``text`` on at most ``width`` cells, its end replaced by ``more`` when it is too long."""
    if cell_len(text) <= width:
        return text
    room = width - cell_len(more)
    end = break_text(text, room, room, words=False)[0][1]
    return text[:end] + more if cell_len(text[:end]) <= room else more[:width]

"""One file's hunks laid out for a width: which line stands on which row, and how that row looks.

Laying out needs only the lengths of the lines; colours are worked out when a row is painted for the first
time, so that a big change costs what is seen of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from ....tools.safe_text import safe_line
from ..diffing import DiffLine, Hunk, TextDiff, side_by_side
from ..screen_text import screen_text
from ..transcript.code import CodeState, Highlighter, highlighter_for_path
from ..transcript.palette import ASCII_SIGNS, Look, Palette, Signs
from ..transcript.rows import MUTED, Line, Span, break_text, expand_tabs, plain_line, wrap
from .hunks import Answer

MOST_LINES = 5000
"""Lines of one file that are laid out; a person who wants more opens the file."""
LONGEST_LINE = 2000
"""Characters of a line that are shown."""
LEXED_AHEAD = 200
"""Lines lexed at most to colour one: a far jump colours as if the text began that much before it."""
_BACKGROUNDS = {"+": "added_background", "-": "removed_background", " ": ""}
_ROLES = {"+": "added", "-": "removed", " ": "muted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a sheet shows: a file's diff, as it happened or as it is proposed."""

    path: str
    diff: TextDiff
    proposed: bool = False
    before: str = ""
    after: str = ""
    """The whole texts, for colours that depend on what stands above a hunk; empty when only the diff is known."""
    words: str = ""
    """What to say instead of hunks: binary, too large, nothing left to see."""
    answers: tuple[Answer, ...] = ()
    """What was said of each hunk; empty when nothing can be."""


class _Cell(NamedTuple):
    """Part ``part`` of a wrapped line."""

    line: DiffLine
    part: int


class _Row(NamedTuple):
    """A row of the sheet: a cell over the whole width, two beside each other, or words."""

    hunk: int = -1
    left: _Cell | None = None
    right: _Cell | None = None
    words: tuple[Span, ...] = ()


class _Side:
    """Consecutive lines of one text (numbered from ``first``), coloured on demand."""

    def __init__(self, first: int, lines: Sequence[str], colours: Highlighter) -> None:
        self._first = first
        self._lines = lines
        self._colours = colours
        self._done: dict[int, Line] = {}
        self._next = 0
        self._state = CodeState()

    def line(self, number: int, text: str) -> Line:
        """The line of that number; ``text`` is what it shows, to be given back uncoloured if need be."""
        index = number - self._first
        if index not in self._done:
            self._lex(index)
        line = self._done.get(index, [])
        return line if "".join(part for part, _ in line) == text else plain_line(text)

    def _lex(self, index: int) -> None:
        if not self._next <= index < self._next + LEXED_AHEAD:
            self._next, self._state = max(0, index - LEXED_AHEAD), CodeState()
        for place in range(self._next, min(index + 1, len(self._lines))):
            self._done[place], self._state = self._colours.line(shown_text(self._lines[place]), self._state)
        self._next = index + 1


def shown_text(line: str) -> str:
    """A line of a file as it is painted: no control characters, tabs as spaces, not endless."""
    text = safe_line(expand_tabs(screen_text(line[:LONGEST_LINE].removesuffix("\r"))))
    return text if len(line) <= LONGEST_LINE else f"{text} [{len(line) - LONGEST_LINE:,} more characters]"


class Sheet:
    """The rows of one subject at one width."""

    def __init__(self, subject: Subject, width: int, *, wide: bool, signs: Signs) -> None:
        self._signs = signs
        self._wide = wide
        self._width = width
        self._hunks = subject.diff.hunks
        self._answers = subject.answers
        self._digits = max(3, max((len(str(_last_number(hunk))) for hunk in self._hunks), default=0))
        self._sides = _sides(subject)
        self._minus = "-" if signs == ASCII_SIGNS else "−"
        self.rows: list[_Row] = list(self._laid_out(subject))
        firsts: dict[int, int] = {}
        for row, laid in enumerate(self.rows):
            firsts.setdefault(laid.hunk, row)
        self.firsts = [row for hunk, row in firsts.items() if hunk >= 0]
        """The first row of each hunk."""

    @property
    def gutter(self) -> int:
        """Characters before the text of a line: the hunk's mark, the number and the sign."""
        return self._digits + 4

    def text(self, row: int) -> tuple[str, bool]:
        """What a row shows of its line, for copying, and whether it goes on the row before."""
        laid = self.rows[row]
        if laid.left is None or self._wide:
            return "".join(text for text, _ in laid.words), False
        cuts = self._cuts(laid.left.line, self._rooms()[0])
        start, end = cuts[laid.left.part]
        return shown_text(laid.left.line.text)[start:end], laid.left.part > 0

    def paint(self, row: int, palette: Palette, selected: int) -> Strip:
        """The strip of a row; the hunk ``selected`` has a mark at its left."""
        laid = self.rows[row]
        if laid.left is None and laid.right is None and laid.hunk < 0:
            return Strip([Segment(text, palette.style(look)) for text, look in laid.words])
        mark = self._mark(laid.hunk, row, selected)
        if laid.left is None and laid.right is None:
            return Strip([Segment(text, palette.style(look)) for text, look in (mark, *laid.words)])
        left_room, right_room = self._rooms()
        spans: list[Span] = [mark, *self._cell(laid.left, laid.hunk, left_room, old=True)]
        if self._wide:
            spans += [(self._signs.column, MUTED), *self._cell(laid.right, laid.hunk, right_room, old=False)]
        return Strip([Segment(text, palette.style(look)) for text, look in spans])

    def _mark(self, hunk: int, row: int, selected: int) -> Span:
        """The first cell of a row: the answer on the hunk's first one, else whether it is the selected hunk."""
        sign = answer_sign(self._answer(hunk), self._signs)
        if sign is not None and row == self.firsts[hunk]:
            return sign
        return (self._signs.bar if hunk == selected else " ", Look(role="accent"))

    def _answer(self, hunk: int) -> Answer:
        return self._answers[hunk] if 0 <= hunk < len(self._answers) else Answer()

    # ---- layout

    def _rooms(self) -> tuple[int, int]:
        """Cells for text on the left and on the right."""
        gutter = self._digits + 3
        if not self._wide:
            return max(1, self._width - 1 - gutter), 0
        left = (self._width - 2) // 2
        return max(1, left - gutter), max(1, self._width - 2 - left - gutter)

    def _laid_out(self, subject: Subject) -> Iterator[_Row]:
        if subject.words:
            yield from self._said(subject.words)
        budget, end = MOST_LINES, 0
        for index, hunk in enumerate(self._hunks):
            if gap := hunk.old_start - end:
                heading = f"  {safe_line(hunk.heading)}" if hunk.heading else ""
                dots = self._signs.dot * 3
                yield _Row(words=((f" {dots} {gap:,} unchanged lines{heading}"[: self._width], MUTED),))
            yield from self._hunk_rows(index, hunk.lines[:budget])
            yield from self._comment_rows(index)
            budget -= len(hunk.lines)
            end = hunk.old_start + sum(line.sign != "+" for line in hunk.lines)
            if budget <= 0:
                break
        if sum(len(hunk.lines) for hunk in self._hunks) > MOST_LINES:
            yield from self._said(
                f"Only the first {MOST_LINES:,} lines of this diff are shown; open the file for more."
            )
        if subject.diff.cut:
            yield from self._said("A part of this diff was left out: it is too long to be shown whole.", "warn")

    def _said(self, words: str, role: str = "muted") -> Iterator[_Row]:
        indent: Span = (" ", MUTED)
        for row in wrap(plain_line(words, Look(role=role)), self._width - 1, first=(indent,)):
            yield _Row(words=row.spans)

    def _hunk_rows(self, hunk: int, lines: Sequence[DiffLine]) -> Iterator[_Row]:
        left_room, right_room = self._rooms()
        if not self._wide:
            for line in lines:
                yield from (_Row(hunk, _Cell(line, part)) for part in range(len(self._cuts(line, left_room))))
            return
        for left, right in side_by_side(lines):
            lefts, rights = self._cells(left, left_room), self._cells(right, right_room)
            yield from (_Row(hunk, one, other) for one, other in zip_longest(lefts, rights))

    def _comment_rows(self, hunk: int) -> Iterator[_Row]:
        comment = self._answer(hunk).comment
        if comment:
            first: Span = (f" {self._signs.switch} ", Look(role="warn", bold=True))
            words = plain_line(safe_line(comment), Look(role="warn"))
            for row in wrap(words, self._width - 1, first=(first,), rest=(("   ", MUTED),)):
                yield _Row(hunk=hunk, words=row.spans)

    def _cells(self, line: DiffLine | None, room: int) -> list[_Cell]:
        return [] if line is None else [_Cell(line, part) for part in range(len(self._cuts(line, room)))]

    @staticmethod
    def _cuts(line: DiffLine, room: int) -> list[tuple[int, int]]:
        return break_text(shown_text(line.text), room, room, words=False)

    # ---- painting

    def _cell(self, cell: _Cell | None, hunk: int, room: int, *, old: bool) -> Iterator[Span]:
        """Number, sign and text on exactly ``room`` cells and the gutter."""
        if cell is None:
            yield " " * (self._digits + 3 + room), Look()
            return
        line = cell.line
        left_out = self._answer(hunk).accepted is False
        on = "" if left_out else _BACKGROUNDS[line.sign]
        number = line.old if line.sign == "-" or (old and self._wide) else line.new
        shown = f"{number:>{self._digits}}" if cell.part == 0 else " " * self._digits
        sign = self._minus if line.sign == "-" else line.sign
        yield shown, Look(role=_ROLES[line.sign], on=on)
        yield f" {sign} ", Look(role=_ROLES[line.sign], bold=True, on=on)
        used = 0
        for text, look in self._parts(line, hunk, room)[cell.part]:
            used += cell_len(text)
            yield text, Look(role="muted", strike=line.sign == "+") if left_out else look._replace(on=on)
        yield " " * (room - used), Look(on=on)

    def _parts(self, line: DiffLine, hunk: int, room: int) -> list[tuple[Span, ...]]:
        text = shown_text(line.text)
        old, new = self._sides[hunk if len(self._sides) > 1 else 0]
        coloured = new.line(line.new or 0, text) if line.old is None or line.new else old.line(line.old, text)
        rows = [row.spans for row in wrap(coloured, room, words=False)]
        end = " no newline at end" if line.unended and line.sign != " " else ""
        last = sum(cell_len(part) for part, _ in rows[-1])
        if end and last + cell_len(end) <= room:
            rows[-1] = (*rows[-1], (end, MUTED))
        return rows


def answer_sign(answer: Answer, signs: Signs) -> Span | None:
    """The sign of an answer, in its colour; None when nothing was said."""
    match answer:
        case Answer(accepted=True, text=str()):
            return signs.edited, Look(role="accent", bold=True)
        case Answer(accepted=True):
            return signs.ok, Look(role="ok", bold=True)
        case Answer(accepted=False):
            return signs.failed, Look(role="danger", bold=True)
        case _:
            return None


def _last_number(hunk: Hunk) -> int:
    return max((max(line.old or 0, line.new or 0) for line in hunk.lines), default=0)


def _sides(subject: Subject) -> list[tuple[_Side, _Side]]:
    """Old and new text: once for the file when the whole texts are known, else what each hunk holds of them."""
    colours = highlighter_for_path(subject.path)
    if subject.before or subject.after or not subject.diff.hunks:
        return [(_Side(1, subject.before.split("\n"), colours), _Side(1, subject.after.split("\n"), colours))]
    return [
        (
            _Side(hunk.old_start + 1, [line.text for line in hunk.lines if line.sign != "+"], colours),
            _Side(hunk.new_start + 1, [line.text for line in hunk.lines if line.sign != "-"], colours),
        )
        for hunk in subject.diff.hunks
    ]

"""Leaves as rows: one view for each leaf, which makes no row twice while its leaf grows.

``advance`` gives rows that will not change any more and the rows that still may; ``rest`` what is missing
once the leaf is closed. A view that ``replaces`` gives its final rows as a whole then (a paragraph may turn
bold from its start, a table gets its columns), every other goes on where it was.

What is shown depends only on the text so far, never on the pieces it came in.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence

from .code import CodeState, highlighter
from .inline import closed_markers, inline_lines
from .leaves import Kind, Leaf
from .palette import Look, Signs
from .rows import MUTED, PLAIN, Line, Row, Span, plain_line, wrap, wrap_lines
from .table import Table, table_rows

SEGMENT = 600
"""Characters of an open paragraph that are parsed again with each flush; what is before them stays as it is."""
LONGEST_PARAGRAPH = 20_000
"""Characters above which a closed paragraph keeps its segments: parsing it whole would hold up the keys."""
_SPACE = re.compile(r"[ \n]")
_HEADINGS = (
    Look(role="accent", bold=True, underline=True),
    Look(role="accent", bold=True),
    Look(bold=True),
    Look(role="muted", bold=True),
)


class LeafView(ABC):
    """The rows of one leaf at one width."""

    def __init__(self, leaf: Leaf, signs: Signs, base: Look) -> None:
        self.leaf = leaf
        self.kind = leaf.kind
        self.start = -1
        """Index of its first row in the document; -1 before it has a place."""
        self._signs = signs
        self._base = base
        self._width = 0

    @property
    def replaces(self) -> bool:
        """True when ``rest`` gives all rows anew."""
        return True

    def reset(self, width: int) -> None:
        """Begin again at another width. What was parsed is kept."""
        self._width = width
        self.start = -1

    def advance(self, partial: str | None) -> tuple[list[Row], list[Row]]:
        """(New rows that are final, rows that may change) of the open leaf; ``partial`` is its unfinished last line."""
        del partial
        return [], self.rest()

    @abstractmethod
    def rest(self) -> list[Row]:
        """The rows still missing of a closed leaf; all of them if the view ``replaces``."""

    def _prefixes(self) -> tuple[Sequence[Span], Sequence[Span]]:
        return self.leaf.first, self.leaf.rest


class ParagraphView(LeafView):
    """Running text. While it grows only its last segment is parsed again."""

    def __init__(self, leaf: Leaf, signs: Signs, base: Look) -> None:
        super().__init__(leaf, signs, base)
        self._lines: list[Line] | None = None
        self._begin_segments()

    @property
    def replaces(self) -> bool:
        """A paragraph of usual length is made anew, for what spans its segments."""
        return sum(map(len, self.leaf.lines)) <= LONGEST_PARAGRAPH

    def _begin_segments(self) -> None:
        self._done = 0
        self._carry: Line = []
        self._carry_joint = "\n"
        self._made = 0

    def reset(self, width: int) -> None:
        """Begin again at another width."""
        super().reset(width)
        self._begin_segments()

    def advance(self, partial: str | None) -> tuple[list[Row], list[Row]]:
        """Rows of whole segments are final; the rest is parsed with its open markers closed."""
        lines = self.leaf.lines if partial is None else [*self.leaf.lines, partial]
        return self._advance("\n".join(lines), closed_markers)

    def _advance(self, text: str, finish: Callable[[str], str]) -> tuple[list[Row], list[Row]]:
        fixed: list[Row] = []
        while (cut := self._next_cut(text)) is not None:
            fixed += self._segment(text[self._done : cut], text[cut])
            self._done = cut + (text[cut] in " \n")
        tail = self._wrapped(inline_lines(finish(text[self._done :]), self._base))
        return fixed, tail

    def rest(self) -> list[Row]:
        """The whole paragraph parsed at once; only the rest of the last segment when it is very long."""
        text = "\n".join(self.leaf.lines)
        if not self.replaces:
            fixed, tail = self._advance(text, str.rstrip)
            return fixed + tail
        if self._lines is None:
            self._lines = inline_lines(text.rstrip(), self._base)
        first, rest = self._prefixes()
        return wrap_lines(self._lines, self._width, first=first, rest=rest)

    def _next_cut(self, text: str) -> int | None:
        """Where the next segment ends: at the first space after ``SEGMENT`` characters, if that much is there."""
        if len(text) - self._done <= SEGMENT:
            return None
        space = _SPACE.search(text, self._done + SEGMENT, self._done + 4 * SEGMENT)
        if space is not None:
            return space.start()
        hard = self._done + 4 * SEGMENT
        return hard if len(text) > hard else None

    def _segment(self, text: str, after: str) -> list[Row]:
        """Final rows of a segment. Its last row is carried over unless a newline ends it."""
        rows = self._wrapped(inline_lines(text, self._base))
        self._carry, self._carry_joint = [], "\n"
        if after != "\n":
            last = rows.pop()
            self._carry = [*last.spans[len(self.leaf.rest) :], *plain_line(" " if after == " " else "", self._base)]
            self._carry_joint = last.joint
        self._made += len(rows)
        return rows

    def _wrapped(self, lines: Iterable[Line]) -> list[Row]:
        """Rows of the next lines, the first of which goes on where the last segment ended."""
        first, rest = self._prefixes()
        rows: list[Row] = []
        for index, line in enumerate(lines):
            whole = line if index else [*self._carry, *line]
            lead = rest if self._made or rows else first
            rows += wrap(whole, self._width, first=lead, rest=rest, joint="\n" if index else self._carry_joint)
        return rows


class CodeView(LeafView):
    """Code, coloured line by line with the lexer's state kept. Lines are wrapped anywhere, on a panel."""

    def __init__(self, leaf: Leaf, signs: Signs, base: Look) -> None:
        super().__init__(leaf, signs, base)
        self._highlighter = highlighter(leaf.language.lower())
        self._state = CodeState()
        self._lines: list[Line] = []
        self._shown = 0

    @property
    def replaces(self) -> bool:
        """Never: a line of code is final."""
        return False

    def reset(self, width: int) -> None:
        """Begin again at another width; the colours are kept."""
        super().reset(width)
        self._shown = 0

    def advance(self, partial: str | None) -> tuple[list[Row], list[Row]]:
        """Whole lines are final; the unfinished one is coloured from the state before it."""
        fixed = self._new_rows()
        if partial is None:
            return fixed, []
        line, _ = self._highlighter.line(partial, self._state)
        return fixed, self._line_rows(line)

    def rest(self) -> list[Row]:
        """Lines not yet shown; an empty fence still shows that it is there."""
        rows = self._new_rows()
        if not self._shown:
            self._shown = 1
            return self._line_rows([])
        return rows

    def _new_rows(self) -> list[Row]:
        for text in self.leaf.lines[len(self._lines) :]:
            line, self._state = self._highlighter.line(text, self._state)
            self._lines.append(line)
        rows: list[Row] = []
        for line in self._lines[self._shown :]:
            rows += self._line_rows(line)
            self._shown += 1
        return rows

    def _line_rows(self, line: Line) -> list[Row]:
        first, rest = self._prefixes()
        pad = (" ", PLAIN._replace(on="panel"))
        lead = rest if self._shown else first
        on_panel = [(text, look._replace(on="panel")) for text, look in line]
        return wrap(on_panel, self._width, first=(*lead, pad), rest=(*rest, pad), words=False, fill="panel")


class TableView(LeafView):
    """A table: rows as they are typed while it grows, columns once it is whole."""

    def __init__(self, leaf: Leaf, signs: Signs, base: Look) -> None:
        super().__init__(leaf, signs, base)
        self._table = Table()
        self._parsed = 0
        self._shown = 0

    def reset(self, width: int) -> None:
        """Begin again at another width; the cells are kept."""
        super().reset(width)
        self._shown = 0

    def advance(self, partial: str | None) -> tuple[list[Row], list[Row]]:
        """Each line as it was written; its cells are parsed now, so that closing the table has less to do."""
        self._parse()
        fixed: list[Row] = []
        for text in self.leaf.lines[self._shown :]:
            fixed += self._line_rows(text)
            self._shown += 1
        return fixed, [] if partial is None else self._line_rows(partial)

    def rest(self) -> list[Row]:
        """The aligned table."""
        self._parse()
        first, rest = self._prefixes()
        return table_rows(self._table, self._width, self._signs, first=first, rest=rest)

    def _parse(self) -> None:
        for line in self.leaf.lines[self._parsed :]:
            self._table.add(line)
        self._parsed = len(self.leaf.lines)

    def _line_rows(self, text: str) -> list[Row]:
        first, rest = self._prefixes()
        look = MUTED if self._shown == 1 else self._base
        return wrap(plain_line(text, look), self._width, first=rest if self._shown else first, rest=rest)


class HeadingView(LeafView):
    """A heading, bold; the first two levels in the accent colour."""

    def rest(self) -> list[Row]:
        """The heading's rows."""
        look = _HEADINGS[min(self.leaf.level, len(_HEADINGS)) - 1]
        first, rest = self._prefixes()
        return wrap_lines(inline_lines(" ".join(self.leaf.lines), look), self._width, first=first, rest=rest)


class RuleView(LeafView):
    """A thematic break."""

    def rest(self) -> list[Row]:
        """One row of the rule sign."""
        first, _ = self._prefixes()
        room = self._width - sum(len(text) for text, _ in first)
        return [Row((*first, (self._signs.rule * max(1, room), MUTED)), skip=sum(len(text) for text, _ in first))]


_VIEWS: dict[Kind, type[LeafView]] = {
    Kind.PARAGRAPH: ParagraphView,
    Kind.HEADING: HeadingView,
    Kind.CODE: CodeView,
    Kind.TABLE: TableView,
    Kind.RULE: RuleView,
}


def view_of(leaf: Leaf, signs: Signs, base: Look) -> LeafView:
    """The view for a leaf of its kind."""
    return _VIEWS[leaf.kind](leaf, signs, base)

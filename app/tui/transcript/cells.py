"""Cells: what a transcript is made of. One for each prompt, answer text, thought, notice.

A cell holds source and, once laid out, rows for one width. It may not be laid out at all yet: then it
only estimates its height, so that a session of thousands of messages opens at once.
Everything that came from outside is made safe here, before it becomes a row.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from ....providers.redact import redact_registered
from ...engine.state import StreamText
from ..screen_text import ScreenTextStream, screen_text
from .document import Document
from .palette import Look, Signs
from .rows import MUTED, PLAIN, Line, Row, Span, expand_tabs, plain_line, wrap, wrap_lines

SHOWN_LINES = 30
"""Lines of a prompt that show while it is folded."""
LONGEST_LINE = 2000
"""Characters of one line of a prompt or tool result that are shown."""
_CELLS_PER_ROW = 0.7
"""How full a row of prose is on average, for estimates."""


class Cell(ABC):
    """A part of the transcript that can be selected, folded and copied on its own."""

    selectable = True

    def __init__(self, *, lead: Sequence[Span] = (("  ", PLAIN),), gap: bool = False) -> None:
        self.index = -1
        """Its place in the column; set when it is put there."""
        self.lead = tuple(lead)
        """Spans before each row: a bar or indentation."""
        self.gap = gap
        """An empty row above."""
        self.folded = True
        self.width = 0
        """The width that ``rows`` are for; 0 before the first ``lay``."""
        self.rows: list[Row] = []
        self._estimate = (0, 0)

    @property
    def foldable(self) -> bool:
        """True when there is something to unfold or to fold."""
        return False

    def lay(self, width: int) -> int:
        """Make ``rows`` right for ``width`` cells (the lead is in them). Returns the first row that changed."""
        room = max(1, width - sum(len(text) for text, _ in self.lead))
        anew = width != self.width
        self.width = width
        return self._lay(room, anew=anew)

    def estimate(self, width: int) -> int:
        """Rows it will have, roughly, without laying it out."""
        if self._estimate[0] != width:
            self._estimate = (width, max(1, self._guess(max(1, width - 2))))
        return self._estimate[1]

    @abstractmethod
    def source(self) -> str:
        """What copying the whole cell gives."""

    @abstractmethod
    def _lay(self, room: int, *, anew: bool) -> int:
        """Bring ``rows`` up to date; ``anew`` when the width is another one."""

    @abstractmethod
    def _guess(self, room: int) -> int:
        """Rows it will have, roughly."""

    def _replace_rows(self, rows: list[Row]) -> int:
        """Take new rows, keeping the objects of those that look the same. Returns the first that differs."""
        old, self.rows = self.rows, rows
        for index, (before, after) in enumerate(zip(old, rows, strict=False)):
            if not before.same_as(after):
                return index
            rows[index] = before
        return min(len(old), len(rows))


class LinesCell(Cell):
    """A cell of a few lines that are known as a whole."""

    def __init__(
        self,
        lines: Iterable[Line],
        *,
        lead: Sequence[Span] = (("  ", PLAIN),),
        gap: bool = False,
        selectable: bool = False,
    ) -> None:
        super().__init__(lead=lead, gap=gap)
        self.lines = list(lines)
        self.selectable = selectable

    def source(self) -> str:
        """Its lines."""
        return "\n".join("".join(text for text, _ in line) for line in self.lines)

    def _lay(self, room: int, *, anew: bool) -> int:
        del anew
        return self._replace_rows(wrap_lines(self.lines, room))

    def _guess(self, room: int) -> int:
        return sum(1 + sum(len(text) for text, _ in line) // room for line in self.lines)


class PromptCell(Cell):
    """What a person asked, as typed. A long one (a paste) shows its beginning until it is unfolded."""

    def __init__(self, text: str, signs: Signs, *, queued: bool = False, gap: bool = True) -> None:
        super().__init__(lead=((f"{signs.bar} ", MUTED if queued else Look(role="person")),), gap=gap)
        self._text = text
        self._signs = signs
        self._look = MUTED if queued else Look(bold=True)

    @property
    def foldable(self) -> bool:
        """True for a long prompt."""
        return self._text.count("\n") >= SHOWN_LINES

    def source(self) -> str:
        """The prompt as typed."""
        return self._text

    def _lay(self, room: int, *, anew: bool) -> int:
        del anew
        texts = screen_text(self._text).split("\n")
        more = len(texts) - SHOWN_LINES if self.folded and self.foldable else 0
        lines = [plain_line(shortened(text, self._signs), self._look) for text in (texts[:-more] if more else texts)]
        if more:
            lines.append(plain_line(f"{self._signs.folded} {more} more lines", MUTED))
        return self._replace_rows(wrap_lines(lines, room))

    def _guess(self, room: int) -> int:
        lines = self._text.split("\n", SHOWN_LINES)[:SHOWN_LINES]
        return sum(1 + min(len(line), LONGEST_LINE) // room for line in lines)


class TextCell(Cell):
    """Answer text: Markdown that may still grow."""

    def __init__(self, text: StreamText, signs: Signs, *, closed: bool, gap: bool = False) -> None:
        super().__init__(gap=gap)
        self._text = text
        self._closed: bool = closed
        self._signs = signs
        self._stream: MarkdownStream | None = None

    def grow(self, text: StreamText, *, closed: bool) -> bool:
        """Take the newer text of the same part. True when anything is new."""
        changed = text.count != self._text.count or closed is not self._closed
        self._text, self._closed = text, closed
        self._estimate = (0, 0)
        return changed

    def source(self) -> str:
        """The Markdown as the model wrote it, but for keys."""
        return redact_registered(str(self._text))

    def _lay(self, room: int, *, anew: bool) -> int:
        del anew
        if self._stream is None:
            self._stream = MarkdownStream(self._signs)
        self._stream.take(self._text, closed=self._closed)
        first = self._stream.document.lay(room)
        self.rows = self._stream.document.rows
        return first

    def _guess(self, room: int) -> int:
        return 1 + int(self._text.chars / (room * _CELLS_PER_ROW))


class MarkdownStream:
    """A document fed from a ``StreamText``: only what is new, made safe on the way."""

    def __init__(self, signs: Signs, base: Look = PLAIN) -> None:
        self.document = Document(signs, base)
        self._safe = ScreenTextStream()
        self._fed = 0
        self._closed = False

    def take(self, text: StreamText, *, closed: bool) -> None:
        """Feed the chunks that came since the last time; end the document when the text is complete."""
        if text.count > self._fed:
            self.document.feed(self._safe.feed("".join(text.since(self._fed))))
            self._fed = text.count
        if closed and not self._closed:
            self._closed = True
            self.document.feed(self._safe.flush())
            self.document.close()


class ThoughtCell(Cell):
    """A model's thinking, folded to one line that says how long it took."""

    def __init__(self, text: StreamText, signs: Signs, *, closed: bool, title: str, gap: bool = False) -> None:
        super().__init__(gap=gap)
        self._text = text
        self._closed: bool = closed
        self._title = title
        self._signs = signs
        self._stream: MarkdownStream | None = None

    @property
    def foldable(self) -> bool:
        """True when the thinking can be read (it is not withheld)."""
        return self._text.chars > 0

    def grow(self, text: StreamText, *, closed: bool, title: str) -> bool:
        """Take the newer state of the same thought. True when what is shown may differ."""
        new = text.count != self._text.count or closed is not self._closed
        changed = title != self._title or (new and not self.folded)
        self._text, self._closed, self._title = text, closed, title
        return changed

    def source(self) -> str:
        """The thinking as the model wrote it, but for keys."""
        return redact_registered(str(self._text))

    def _lay(self, room: int, *, anew: bool) -> int:
        sign = self._signs.folded if self.folded else self._signs.unfolded
        head = wrap(plain_line(f"{sign} {self._title}" if self.foldable else self._title, MUTED), room)
        if self.folded or not self.foldable:
            return self._replace_rows(head)
        if self._stream is None:
            self._stream = MarkdownStream(self._signs, MUTED)
        self._stream.take(self._text, closed=self._closed)
        body = self._stream.document
        first = body.lay(max(1, room - 2))
        whole = anew or len(self.rows) < len(head) or not all(map(Row.same_as, head, self.rows))
        if whole or len(self.rows) == len(head):
            self.rows = [*head, *map(_indented, body.rows)]
            return 0
        del self.rows[len(head) + first :]
        self.rows += map(_indented, body.rows[first:])
        return len(head) + first

    def _guess(self, room: int) -> int:
        return 1 if self.folded else 2 + int(self._text.chars / (room * _CELLS_PER_ROW))


def _indented(row: Row) -> Row:
    return Row((("  ", PLAIN), *row.spans), skip=row.skip + 2, joint=row.joint, fill=row.fill)


def shortened(text: str, signs: Signs) -> str:
    """A line with tabs as spaces, cut when it is absurdly long."""
    text = expand_tabs(text)
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}{signs.more}"

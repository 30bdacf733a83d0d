"""What the tool log shows of one run or notice: how many rows it takes and how each of them looks.

A folded run takes a header and a few cut lines, whatever the width; only unfolded output and notices are
wrapped. Output that streams is read chunk by chunk, each once.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from ....tools.events import Outcome
from ....tools.safe_text import safe_line
from ...engine.events import NoticeLevel
from ...engine.state import NoticeEntry, StreamText, ToolRun
from .. import amounts
from ..screen_text import ScreenTextStream, screen_text
from ..transcript.palette import Look, Palette, Signs
from ..transcript.rows import MUTED, Span, elide, expand_tabs, plain_line, wrap

MOST_LINES = 2000
"""Lines of one run's output that are shown when it is unfolded: its last ones."""
LIVE_LINES = 8
OK_LINES = 3
FAILED_LINES = 6
"""Lines under a folded run: while it runs, after it went well, after it did not."""
LIVE_UNFOLDED = 200
"""Lines of an unfolded run that still runs: they are wrapped anew whenever more comes."""
LONGEST_LINE = 4000
"""Characters of an output line that are kept."""
_TAIL_CHUNKS = 64
_TAIL_CHARS = 8000
"""How much of a finished run's output is read for its few folded lines."""
_NAME_CELLS = 6
_DURATION_CELLS = 8
_NOTICE_ROLES = {NoticeLevel.INFO: "muted", NoticeLevel.WARNING: "warn", NoticeLevel.ERROR: "danger"}


class Cell(Protocol):
    """Something in the log that takes rows."""

    height: int

    def lay_out(self, width: int) -> None:
        """Work out ``height`` for a width in cells."""
        ...

    def paint(self, row: int, palette: Palette, *, selected: bool) -> Strip:
        """The strip of the cell's row ``row``."""
        ...


class NoticeCell:
    """A notice, wrapped."""

    def __init__(self, notice: NoticeEntry, signs: Signs) -> None:
        self.height = 1
        role = _NOTICE_ROLES[notice.level]
        self._lines = [plain_line(line, Look(role=role)) for line in screen_text(notice.message).split("\n")]
        self._first: Span = (f" {signs.dot} ", Look(role=role))
        self._rows: list[tuple[Span, ...]] = []

    def lay_out(self, width: int) -> None:
        """Wrap the message."""
        rest: Span = ("   ", MUTED)
        self._rows = []
        for number, line in enumerate(self._lines):
            first = rest if number else self._first
            self._rows += (row.spans for row in wrap(line, width, first=(first,), rest=(rest,)))
        self.height = len(self._rows)

    def paint(self, row: int, palette: Palette, *, selected: bool) -> Strip:
        """A row of the message; notices are never selected."""
        del selected
        return _strip(self._rows[row], palette)


class EarlierCell:
    """Stands for what was put off when a long session was opened."""

    height = 1

    def __init__(self, count: int, signs: Signs) -> None:
        self._row: tuple[Span, ...] = ((f" {signs.more} {count:,} earlier: scroll up", MUTED),)

    def lay_out(self, width: int) -> None:
        """One row, whatever the width."""

    def paint(self, row: int, palette: Palette, *, selected: bool) -> Strip:
        """How many there are."""
        del row, selected
        return _strip(self._row, palette)


class Tail:
    """The last lines of a text that streams."""

    def __init__(self) -> None:
        self._dropped = 0
        self._lines: deque[str] = deque()
        self._open = ""
        self._stream = ScreenTextStream()
        self._count = 0

    def read(self, output: StreamText) -> bool:
        """Take what is new; True when there was something."""
        if output.count == self._count:
            return False
        fresh = "".join(output.since(self._count))
        self._count = output.count
        self._take(self._stream.feed(fresh))
        return True

    def close(self) -> None:
        """No more comes."""
        self._take(self._stream.flush())

    def _take(self, text: str) -> None:
        first, *others = text.split("\n")
        self._open = (self._open + first)[:LONGEST_LINE]
        for other in others:
            self._lines.append(self._open)
            self._open = other[:LONGEST_LINE]
        while len(self._lines) > MOST_LINES:
            self._lines.popleft()
            self._dropped += 1

    def last(self, count: int) -> tuple[int, list[str]]:
        """The last ``count`` lines, without empty ones at the end, and how many came before them."""
        lines = [*self._lines, self._open]
        while lines and not lines[-1].strip():
            lines.pop()
        shown = lines[-count:]
        return self._dropped + len(lines) - len(shown), shown


class RunCell:
    """One run of a tool: a header, and its output folded or whole."""

    def __init__(self, run: ToolRun, signs: Signs, now: float) -> None:
        self.height = 1
        self.unfolded = False
        self.run = run
        self._signs = signs
        self._width = 0
        self._tail: Tail | None = Tail() if run.outcome is None else None
        self._preview: list[str] = []
        self._above = 0
        """Lines of output above the folded ones, as far as they were counted."""
        self._rows: list[tuple[Span, ...]] = []
        self._duration = ""
        self.update(run, now)

    def update(self, run: ToolRun, now: float) -> bool:
        """Take the run as it is now (``now`` in epoch seconds); True when anything looks different."""
        changed = run is not self.run or not self._duration
        duration = _duration(run, now)
        changed |= duration != self._duration
        self._duration = duration
        finished = run.outcome is not None and (self.run.outcome is None or not self._width)
        self.run = run
        if self._tail is not None and self._tail.read(run.output):
            self._above, self._preview = self._tail.last(LIVE_LINES)
            changed = True
        if finished:
            self._finish()
        if changed and self._width:
            self.lay_out(self._width)
        return changed

    def toggle(self) -> None:
        """Unfold to the whole output, or fold again."""
        self.unfolded = not self.unfolded
        self.lay_out(self._width)

    def lay_out(self, width: int) -> None:
        """Cut or wrap the output to ``width`` cells."""
        self._width = width
        indent: Span = ("   ", MUTED)
        if not self.unfolded:
            cut = (elide(expand_tabs(line), width - 3, self._signs.more) for line in self._preview)
            self._rows = [(indent, (line, MUTED)) for line in cut]
            if self._above and self._rows:
                self._rows[0] = ((f" {self._signs.more} ", MUTED), self._rows[0][1])
        else:
            self._rows = []
            for line in self._whole():
                text = plain_line(expand_tabs(line), Look(role="text"))
                self._rows += [row.spans for row in wrap(text, width, first=(indent,), words=False)]
        self.height = 1 + len(self._rows)

    def paint(self, row: int, palette: Palette, *, selected: bool) -> Strip:
        """The header or a row of output."""
        return _strip(self._header(selected=selected) if row == 0 else self._rows[row - 1], palette)

    def _finish(self) -> None:
        """Keep only what the folded run shows: the whole can be read again from the state."""
        run = self.run
        ok = run.outcome is Outcome.OK
        count = OK_LINES if ok else FAILED_LINES
        if self._tail is not None:
            self._tail.close()
            self._above, self._preview = self._tail.last(count)
        else:
            self._above, self._preview = _last_lines(run.output, count)
        self._tail = None
        if not self._preview and not ok:
            self._preview = [line for line in screen_text(run.content[:_TAIL_CHARS]).split("\n") if line.strip()][
                :count
            ]

    def _whole(self) -> Sequence[str]:
        """Every line there is, or the last of them after a line that says how many are missing."""
        if self._tail is not None:
            above, lines = self._tail.last(LIVE_UNFOLDED)
        else:
            text = str(self.run.output)
            tail = Tail()
            tail.read(StreamText().appended(text if text.strip() else self.run.content))
            tail.close()
            above, lines = tail.last(MOST_LINES)
        if not lines:
            return ["No output yet." if self.run.outcome is None else "No output."]
        return [f"The first {above:,} lines are not shown.", *lines] if above else lines

    def _header(self, *, selected: bool) -> list[Span]:
        """Mark, sign, name, title; at the right the summary and the time."""
        run = self.run
        sign, role = _sign(run, self._signs)
        fold = self._signs.unfolded if self.unfolded else self._signs.folded
        mark = fold if selected else " "
        summary = elide(safe_line(_summary(run)), max(min(20, self._width // 2), self._width // 3), self._signs.more)
        name = elide(safe_line(run.name), max(_NAME_CELLS, self._width // 4), self._signs.more)
        name += " " * max(0, _NAME_CELLS - cell_len(name))
        room = self._width - 3 - cell_len(name) - 1 - cell_len(summary) - 2 - _DURATION_CELLS - 1
        title = elide(safe_line(run.title), max(1, room), self._signs.more)
        gap = " " * max(2, room - cell_len(title) + 2)
        return [
            (mark, Look(role="accent", bold=True)),
            (f"{sign} ", Look(role=role, bold=True)),
            (f"{name} ", Look(role="accent" if selected else "text", bold=selected)),
            (title, Look(role="text")),
            (gap, MUTED),
            (summary, Look(role=role if role in ("danger", "warn") else "muted")),
            (f" {self._duration:>{_DURATION_CELLS}}", MUTED),
        ]


def _duration(run: ToolRun, now: float) -> str:
    """How long it ran, or has run; nothing while it waits for a person."""
    if run.outcome is None:
        return " " if run.waiting else amounts.seconds(max(0.0, now - run.started_at))
    return " " if run.duration_s is None else amounts.seconds(run.duration_s)


def _sign(run: ToolRun, signs: Signs) -> tuple[str, str]:
    """The sign of a run and the role that colours it."""
    match run.outcome:
        case None:
            return signs.running, "warn" if run.waiting else "accent"
        case Outcome.OK:
            return signs.ok, "ok"
        case Outcome.INTERRUPTED:
            return signs.failed, "warn"
        case _:
            return signs.failed, "danger"


def _summary(run: ToolRun) -> str:
    """The tool's own words, with how it ended where they do not say so."""
    match run.outcome:
        case None:
            return "waiting for approval" if run.waiting else run.summary
        case Outcome.OK:
            return run.summary
        case Outcome.ERROR:
            return run.summary or "error"
        case outcome:
            known = outcome.value in run.summary.lower()
            return run.summary if known else f"{outcome.value} {run.summary}".rstrip()


def _last_lines(output: StreamText, count: int) -> tuple[int, list[str]]:
    """The last lines of output that is over, without reading all of it, and how many were seen above them."""
    text = "".join(output.since(max(0, output.count - _TAIL_CHUNKS)))[-_TAIL_CHARS:]
    cut = len(text) < output.chars
    if cut:
        # What is cut may have begun inside an escape sequence: start at the next line.
        text = text.partition("\n")[2] or text
    lines = [line[:LONGEST_LINE] for line in screen_text(text).rstrip().split("\n")]
    return max(0, len(lines) - count) + cut, lines[-count:] if lines != [""] else []


def _strip(spans: Sequence[Span], palette: Palette) -> Strip:
    return Strip([Segment(text, palette.style(look)) for text, look in spans])

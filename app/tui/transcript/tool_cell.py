"""A tool call as one line that unfolds to its arguments and the end of its output."""

import json

from rich.cells import cell_len

from ....providers.events import InvalidArguments, JsonObject, JsonValue
from ....tools.events import Outcome
from ....tools.safe_text import reveal, safe_line
from ...engine.state import StreamText, ToolCallPart, ToolRun
from ..screen_text import screen_text
from .cells import Cell, shortened
from .palette import Look, Signs
from .rows import MUTED, PLAIN, Line, Row, elide, plain_line, wrap_lines

HEADLINE = 76
"""Cells of the one-line form, so that summaries stand below each other in a wide pane too."""
NAME_WIDTH = 7
ARGUMENT_LINES = 12
"""Lines of one argument that an unfolded call shows."""
RESULT_LINES = 40
"""Lines of output that an unfolded call shows: the last ones."""
_TAIL_CHUNKS = 64
_TAIL_CHARS = 16_000

_WORDS = {
    Outcome.ERROR: "failed",
    Outcome.DENIED: "denied",
    Outcome.CANCELLED: "cancelled",
    Outcome.TIMEOUT: "timed out",
    Outcome.INTERRUPTED: "interrupted, may have run",
}


class ToolCell(Cell):
    """One call and its run."""

    def __init__(self, call: ToolCallPart, signs: Signs, *, now: float, gap: bool = False) -> None:
        super().__init__(gap=gap)
        self.call = call
        self.run: ToolRun | None = None
        self._signs = signs
        self._now = now

    @property
    def foldable(self) -> bool:
        """Always: a call has arguments, even if none."""
        return True

    @property
    def live(self) -> bool:
        """True while its time still runs."""
        return self.run is not None and self.run.outcome is None

    def grow(self, call: ToolCallPart, run: ToolRun | None, now: float) -> bool:
        """Take the newer state. True when what is shown may differ."""
        before = (self.call, self.run, self._right())
        output = self.run is not None and run is not None and self.run.output.count != run.output.count
        self.call, self.run, self._now = call, run, now
        return (
            before[0] is not call or before[2] != self._right() or before[1] is not run or (output and not self.folded)
        )

    def source(self) -> str:
        """Name, arguments and result, as text."""
        arguments = self.call.arguments
        shown = str(self.call.arguments_json) if arguments is None or isinstance(arguments, InvalidArguments) else None
        head = f"{self.call.name} {shown if shown is not None else json.dumps(arguments, ensure_ascii=False)}"
        result = "" if self.run is None else self.run.content or str(self.run.output)
        return f"{head}\n{result}" if result else head

    def _guess(self, room: int) -> int:
        del room
        return 1 if self.folded else RESULT_LINES // 2

    def _lay(self, room: int, *, anew: bool) -> int:
        del anew
        rows = [self._headline(min(room, HEADLINE))]
        if not self.folded:
            lead = ((f"{self._signs.column} ", MUTED),)
            rows += wrap_lines([*self._argument_lines(), *self._result_lines()], room, first=lead, rest=lead)
        return self._replace_rows(rows)

    # ---- the one line

    def _headline(self, width: int) -> Row:
        sign, look = self._status()
        name = safe_line(self.call.name or (self.run.name if self.run else "")).ljust(NAME_WIDTH)
        room = width - cell_len(f"{sign} {name} ")
        right = elide(self._right(), max(0, room - 2), self._signs.more)
        title = elide(self._title(), max(1, room - cell_len(right) - 1), self._signs.more)
        free = max(1, room - cell_len(title) - cell_len(right))
        tone = MUTED if look.role == "ok" else look
        return Row(((f"{sign} ", look), (f"{name} ", PLAIN), (title, MUTED), (" " * free, PLAIN), (right, tone)))

    def _status(self) -> tuple[str, Look]:
        run, signs = self.run, self._signs
        if run is None:
            broken = isinstance(self.call.arguments, InvalidArguments)
            return (signs.failed, Look(role="danger")) if broken else (signs.running, MUTED)
        match run.outcome:
            case None:
                return signs.running, Look(role="warn" if run.waiting else "accent")
            case Outcome.OK:
                return signs.ok, Look(role="ok")
            case _:
                return signs.failed, Look(role="danger")

    def _right(self) -> str:
        """What happened, in a few words: state, summary or time."""
        run = self.run
        if run is None:
            if isinstance(self.call.arguments, InvalidArguments):
                return "arguments are no JSON"
            return "" if self.call.closed else f"{self.call.arguments_json.chars} characters"
        if run.outcome is None:
            return "waits for you" if run.waiting else f"{max(0.0, self._now - run.started_at):.0f} s"
        return safe_line(run.summary) or _WORDS.get(run.outcome, "")

    def _title(self) -> str:
        if self.run is not None and self.run.title:
            return reveal(self.run.title).replace("\n", "↵").replace("\t", " ")
        arguments = self.call.arguments
        if arguments is None or isinstance(arguments, InvalidArguments):
            return ""
        return safe_line(next((value for value in arguments.values() if isinstance(value, str)), ""))

    # ---- unfolded

    def _argument_lines(self) -> list[Line]:
        match self.call.arguments:
            case None:
                return [plain_line(safe_line(_tail(self.call.arguments_json)), MUTED)]
            case InvalidArguments(raw=raw, reason=reason):
                return [plain_line(safe_line(reason), Look(role="danger")), *self._value_lines("sent", raw)]
            case arguments:
                return self._object_lines(arguments)

    def _object_lines(self, arguments: JsonObject) -> list[Line]:
        return [line for name, value in arguments.items() for line in self._value_lines(name, value)]

    def _value_lines(self, name: str, value: JsonValue) -> list[Line]:
        """``name: value``; what follows the first line of a long value stands under it."""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        first, *others = reveal(text).split("\n")
        shown = [plain_line(shortened(other, self._signs)) for other in others[:ARGUMENT_LINES]]
        more = len(others) - ARGUMENT_LINES
        cut = [plain_line(f"{self._signs.more} {more} more lines", MUTED)] if more > 0 else []
        return [[(f"{safe_line(name)}: ", MUTED), *plain_line(shortened(first, self._signs))], *shown, *cut]

    def _result_lines(self) -> list[Line]:
        run = self.run
        if run is None:
            return []
        texts = screen_text((run.content or _tail(run.output))[-_TAIL_CHARS:]).rstrip("\n").split("\n")
        total = run.content.count("\n") + 1 if run.content else len(texts)
        shown = texts[-RESULT_LINES:]
        head = f"{self._signs.more} the last {len(shown)} of {total} lines" if total > len(shown) else "result"
        return [plain_line(head, MUTED), *(plain_line(shortened(text, self._signs)) for text in shown)]


def _tail(text: StreamText) -> str:
    """The end of a stream, without joining all of it."""
    return "".join(text.since(max(0, text.count - _TAIL_CHUNKS)))[-_TAIL_CHARS:]

"""A command of the person's own in the chat: its line, and the end of what it printed, live."""

from ....tools.events import Outcome
from ....tools.safe_text import reveal, safe_line, safe_text
from ...engine.state import CommandEntry, StreamText, ToolRun
from .cells import Cell, shortened
from .palette import Look, Signs
from .rows import MUTED, Line, plain_line, wrap_lines

FOLDED_LINES = 12
"""Lines of output that show while it is folded: the last ones."""
UNFOLDED_LINES = 400
_TAIL_CHUNKS = 64
_TAIL_CHARS = 40_000


class OwnCommandCell(Cell):
    """One command and its run."""

    def __init__(self, entry: CommandEntry, signs: Signs, *, now: float, gap: bool) -> None:
        super().__init__(lead=((f"{signs.bar} ", Look(role="warn")),), gap=gap)
        self._entry = entry
        self._signs = signs
        self._now = now
        self.run: ToolRun | None = None

    @property
    def foldable(self) -> bool:
        """True when there is more output than shows."""
        return len(self._output()) > FOLDED_LINES

    def grow(self, run: ToolRun | None, now: float) -> bool:
        """Take the newer state. True when what is shown may differ."""
        before = (self.run, self._end())
        self.run, self._now = run, now
        return before[0] is not run or before[1] != self._end()

    def source(self) -> str:
        """The command and its output."""
        run = self.run
        return "\n".join([f"$ {self._entry.command}", "" if run is None else run.content or str(run.output)])

    def _guess(self, room: int) -> int:
        return 2 + min(FOLDED_LINES, len(self._output()))

    def _lay(self, room: int, *, anew: bool) -> int:
        del anew
        command = [plain_line(line, Look(bold=True)) for line in reveal(self._entry.command).split("\n")]
        command[0] = [("$ ", Look(role="warn")), *command[0]]
        return self._replace_rows(wrap_lines([*command, *self._output_lines(), self._last_line()], room))

    def _output(self) -> list[str]:
        run = self.run
        if run is None:
            return []
        text = run.content if run.outcome is not None else _tail(run.output)
        text = safe_text(text[-_TAIL_CHARS:]).rstrip("\n")
        return text.split("\n") if text else []

    def _output_lines(self) -> list[Line]:
        texts = self._output()
        most = FOLDED_LINES if self.folded else UNFOLDED_LINES
        shown = [plain_line(shortened(text, self._signs)) for text in texts[-most:]]
        more = len(texts) - len(shown)
        return [plain_line(f"{self._signs.folded} {more} more lines", MUTED), *shown] if more else shown

    def _last_line(self) -> Line:
        """How it stands, and who will know of it."""
        end, look = self._end(), MUTED
        if self.run is not None and self.run.outcome not in (None, Outcome.OK):
            look = Look(role="danger")
        told = "private, no model sees it" if self._entry.private else "sent with the prompt that follows"
        return [(end, look), (f" {self._signs.dot} {told}", MUTED)]

    def _end(self) -> str:
        run = self.run
        if run is None:
            return "not run"
        if run.outcome is None:
            return f"{max(0.0, self._now - run.started_at):.0f} s"
        took = "" if run.duration_s is None else f", {run.duration_s:.1f} s"
        return safe_line(run.summary) + took


def _tail(text: StreamText) -> str:
    """The end of a stream, without joining all of it."""
    return "".join(text.since(max(0, text.count - _TAIL_CHUNKS)))[-_TAIL_CHARS:]

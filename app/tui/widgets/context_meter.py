"""The context meter (Alt+C): where the model's window goes, as a bar, in numbers, and file by file."""

from collections.abc import Iterator
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from ....tools.safe_text import reveal, safe_line
from ...engine.context_report import ContextItem, ContextReport, Part
from .. import amounts
from ..transcript.palette import UNICODE_SIGNS, Signs
from ..transcript.rows import elide
from .fitting import fit
from .key_line import key_line

_ROLES = {
    Part.SYSTEM: "muted",
    Part.INSTRUCTIONS: "code-number",
    Part.TOOLS: "code-type",
    Part.FILES: "ok",
    Part.CONVERSATION: "accent",
    Part.THINKING: "speaker",
    Part.OUTPUT: "warn",
    Part.RESERVED: "danger",
    Part.FREE: "muted",
}
_LETTERS = {
    Part.SYSTEM: "s",
    Part.INSTRUCTIONS: "i",
    Part.TOOLS: "t",
    Part.FILES: "f",
    Part.CONVERSATION: "c",
    Part.THINKING: "h",
    Part.OUTPUT: "o",
    Part.RESERVED: "r",
    Part.FREE: ".",
}
_ITEMS = 40
_NAME_CELLS = 22


class ContextScreen(ModalScreen[str | None]):
    """Dismisses with what the person wants done: ``compact``, ``dropped``, ``refresh``, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Leave", show=False, priority=True),
        Binding("alt+c", "leave", "Leave", show=False, priority=True, id="session.show_context"),
        Binding("c", "want('compact')", "Compact", show=False, priority=True),
        Binding("d", "want('dropped')", "Dropped", show=False, priority=True),
        Binding("f", "want('refresh')", "Refresh", show=False, priority=True),
        Binding("alt+a", "want('refresh')", "Refresh", show=False, priority=True, id="session.refresh_files"),
    ]

    def __init__(self, report: ContextReport, *, signs: Signs = UNICODE_SIGNS) -> None:
        super().__init__()
        self._report = report
        self._signs = signs

    def compose(self) -> ComposeResult:
        """A title, the bar, the parts, the files, and the keys."""
        report = self._report
        with Vertical(classes="dialog"):
            yield Static(title(report), classes="dialog-title", markup=False, id="context-title")
            yield Static(markup=False, id="context-bar")
            with VerticalScroll(id="context-view"):
                yield Static(markup=False, id="context-parts")
            yield Static(key_line(*keys(report), signs=self._signs), classes="dialog-keys", markup=False)

    def on_mount(self) -> None:
        """The keys scroll."""
        self.query_one("#context-view").focus()

    def on_resize(self, event: events.Resize) -> None:
        """The bar takes the width there is, the report what the rest of the dialog leaves of the height."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        fit(self.query_one(".dialog"), self.query_one("#context-view", VerticalScroll))
        width = self.query_one("#context-bar").size.width
        self.query_one("#context-bar", Static).update(bar(self._report, width, self._signs))
        view = self.query_one("#context-view").size.width
        self.query_one("#context-parts", Static).update(Content("\n").join(rows(self._report, view, self._signs)))

    def action_leave(self) -> None:
        """Nothing is to be done."""
        self.dismiss(None)

    def action_want(self, what: str) -> None:
        """Something is to be done."""
        self.dismiss(what)


def title(report: ContextReport) -> Content:
    """How full the window of which model is, and how that is known (what came since the count is estimated)."""
    used = amounts.tokens(report.tokens, estimated=True)
    size = f"{used} tokens, window unknown"
    if report.window:
        size = f"{used} of {amounts.window(report.window)}  {report.tokens / report.window:.0%}".replace("%", " %")
    how = "counted by the server" if report.counted else "estimated"
    return Content.assemble(
        ("Context   ", "bold $accent"),
        (size, "bold $text"),
        (f"   {how}, {safe_line(report.model)}", "not bold $muted"),
    )


def keys(report: ContextReport) -> list[tuple[str, str]]:
    """What can be done here: only what there is something for."""
    stale = any(item.stale for item in report.items)
    dropped = [("d", "what was dropped")] if report.summarised else []
    refresh = [("f", "send stale files anew")] if stale else []
    return [("c", "compact"), *dropped, *refresh, ("↑ ↓", "scroll"), ("Esc", "closes")]


def bar(report: ContextReport, width: int, signs: Signs) -> Content:
    """The window as cells, each part in its colour; a part that is there has a cell at least."""
    shown = [(part, count) for part, count in report.parts.items() if count > 0]
    total = sum(count for _, count in shown) or 1
    cells = {part: max(1, count * width // total) for part, count in shown}
    while (over := sum(cells.values()) - width) and cells:
        # Rounding is made good where it is seen least.
        largest = max(cells, key=lambda part: cells[part])
        cells[largest] -= max(-width, min(over, cells[largest] - 1)) if over > 0 else over
        if over > 0 and cells[largest] <= 1:
            break
    return Content.assemble(*((_cell(part, signs) * count, f"${_ROLES[part]}") for part, count in cells.items()))


def _cell(part: Part, signs: Signs) -> str:
    if signs is not UNICODE_SIGNS:
        return _LETTERS[part]
    return "▱" if part in (Part.FREE, Part.RESERVED) else "▰"


def rows(report: ContextReport, width: int, signs: Signs) -> Iterator[Content]:
    """The parts with their numbers, then each file and instruction with what it costs."""
    total = report.window or report.tokens or 1
    for part in Part:
        count = report.parts.get(part, 0)
        if count or part is Part.CONVERSATION or (part is Part.FREE and report.window is not None):
            yield Content.assemble(
                (f"{_cell(part, signs)} ", f"${_ROLES[part]}"),
                (f"{part.value:<{_NAME_CELLS}}", "$text"),
                (f"{amounts.tokens(count, estimated=True):>7}", "$text"),
                (f"{count / total:>6.0%}".replace("%", " %"), "$muted"),
            )
    if report.summarised:
        yield Content.assemble(("  A summary stands for the older part of the conversation.", "$muted"))
    if report.items:
        yield Content("")
        yield Content.assemble(("Files and instructions, in every request", "bold $text"))
    for item in report.items[:_ITEMS]:
        yield _item(item, total, width, signs)
    if len(report.items) > _ITEMS:
        yield Content.assemble((f"  and {len(report.items) - _ITEMS} more", "$muted"))


def _item(item: ContextItem, total: int, width: int, signs: Signs) -> Content:
    remark = "stale: changed on disk" if item.stale else item.part.value if item.part is Part.INSTRUCTIONS else ""
    name = elide(safe_line(reveal(item.name)), max(12, width - 20 - len(remark)), signs.more)
    return Content.assemble(
        (f"{amounts.tokens(item.tokens, estimated=True):>9}", "$text"),
        (f"{item.tokens / total:>6.0%}  ".replace("%", " %"), "$muted"),
        (name, "$text"),
        (f"  {remark}" if remark else "", "$warn" if item.stale else "$muted"),
    )

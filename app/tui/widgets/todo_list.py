"""The model's plan above the prompt: one line, or the steps around the one at hand.

It is there while there is something left to do, and until the turn that did the last step ends. Its height changes
only when the plan or its fold does, never while text streams.
"""

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.widget import Widget

from ....tools.events import TodoItem, TodoStatus
from ....tools.safe_text import safe_line
from ...engine.state import SessionState
from ..transcript.palette import UNICODE_SIGNS, Signs
from ..transcript.rows import elide
from .cost_bar import BarSegment

MOST_STEPS = 7
"""Steps in view when it is unfolded; the others are counted."""
WIDE_COLUMNS = 110
TALL_ROWS = 30
"""On a smaller screen it is one line until somebody unfolds it."""


def todo_rows(
    items: tuple[TodoItem, ...], width: int, *, folded: bool, key: str = "", signs: Signs = UNICODE_SIGNS
) -> list[list[BarSegment]]:
    """The rows, each at most ``width`` cells: the head, and unless ``folded`` the steps in view."""
    done = sum(item.status is TodoStatus.DONE for item in items)
    sign = signs.folded if folded else signs.unfolded
    count = f"{done}/{len(items)}"
    head = [BarSegment(f" {sign} ", "muted"), BarSegment(count, "ok" if done == len(items) else "accent")]
    first, last = _window(items)
    words = _now(items, signs) if folded else " done"
    if not folded and (hidden := len(items) - (last - first)):
        words += f" {signs.dot} {hidden} more not shown"
    hint = f"  {key} {'unfolds' if folded else 'folds'} " if key else ""
    used = 3 + cell_len(count)
    hint = hint if used + cell_len(words) + cell_len(hint) <= width else ""
    words = elide(words, max(1, width - used - cell_len(hint)), signs.more)
    gap = " " * max(0, width - used - cell_len(words) - cell_len(hint))
    rows = [[*head, BarSegment(words, "text" if folded else "muted"), BarSegment(gap + hint, "muted")]]
    return rows if folded else [*rows, *(_step(item, width, signs) for item in items[first:last])]


def _now(items: tuple[TodoItem, ...], signs: Signs) -> str:
    """What is done now, or comes next."""
    for status, word in ((TodoStatus.IN_PROGRESS, "now"), (TodoStatus.PENDING, "next")):
        step = next((item for item in items if item.status is status), None)
        if step is not None:
            return f" {signs.dot} {word}: {safe_line(step.text)}"
    return f" {signs.dot} all done"


def _step(item: TodoItem, width: int, signs: Signs) -> list[BarSegment]:
    sign, role, text_role = {
        TodoStatus.DONE: (signs.ok, "ok", "muted"),
        TodoStatus.IN_PROGRESS: (signs.running, "accent", "text"),
        TodoStatus.PENDING: (signs.todo, "muted", "text"),
    }[item.status]
    return [
        BarSegment(f"   {sign} ", role),
        BarSegment(elide(safe_line(item.text), max(1, width - 6), signs.more), text_role),
    ]


def _window(items: tuple[TodoItem, ...]) -> tuple[int, int]:
    """From which step to which: the one at hand with one done before it, else the first that is not done."""
    at = next((n for n, item in enumerate(items) if item.status is TodoStatus.IN_PROGRESS), None)
    if at is None:
        at = next((n for n, item in enumerate(items) if item.status is not TodoStatus.DONE), 0)
    first = max(0, min(at - 1, len(items) - MOST_STEPS))
    return first, min(len(items), first + MOST_STEPS)


class TodoList(Widget):
    """The plan. ``key`` is the key that folds it, as it is written on screen; empty when there is none."""

    def __init__(self, *, key: str = "", signs: Signs = UNICODE_SIGNS, id: str | None = None) -> None:
        super().__init__(id=id)
        self._key = key
        self._signs = signs
        self._items: tuple[TodoItem, ...] = ()
        self._finished: tuple[TodoItem, ...] = ()
        """A plan that was done when its turn ended: it does not come back."""
        self._wish: bool | None = None
        self.display = False

    @property
    def folded(self) -> bool:
        """One line, because somebody wants it so or the screen is small."""
        if self._wish is not None:
            return self._wish
        size = self.screen.size
        return size.width < WIDE_COLUMNS or size.height < TALL_ROWS

    def sync(self, state: SessionState) -> None:
        """Follow the plan of the session."""
        items = state.todos
        if state.turn_id is None and all(item.status is TodoStatus.DONE for item in items):
            self._finished = items
        shown = () if items == self._finished else items
        if shown != self._items:
            self._items = shown
            self.lay_out()

    def toggle(self) -> bool:
        """Fold or unfold. False when there is no plan to see."""
        if self._items:
            self._wish = not self.folded
            self.lay_out()
        return bool(self._items)

    def lay_out(self) -> None:
        """Take as many rows as the plan needs now."""
        height = 1 if self.folded else 1 + min(len(self._items), MOST_STEPS)
        self.display = bool(self._items)
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        """A smaller screen folds it."""
        self.lay_out()

    def render(self) -> Content:
        """The rows at the width now."""
        rows = todo_rows(self._items, self.size.width, folded=self.folded, key=self._key, signs=self._signs)
        return Content("\n").join(Content.assemble(*((text, f"${role}") for text, role in row)) for row in rows)

"""A window on the sessions: paints only what is in view, so that a thousand cost what ten do."""

from collections import Counter
from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from ...engine.archive import SessionRow
from ..transcript.palette import Signs
from .session_rows import Found, Standing, folder_line, session_line, snippet_line

WHEEL_ROWS = 3


class SessionList(Widget, can_focus=True):
    """Folder lines, sessions and their snippets; the cursor is on a session."""

    class Picked(Message):
        """A session was clicked; ``index`` is its place among the sessions."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, signs: Signs, folder: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._signs = signs
        self._folder = folder
        self._found: Sequence[Found] = ()
        self._counts: Counter[str] = Counter()
        self._lines: list[tuple[str, int]] = []
        """What stands on each line: ``folder``, ``session`` or ``snippet``, and of which session."""
        self._places: list[int] = []
        """The line of each session."""
        self._standing = Standing(now=0.0)
        self._empty = ""
        self.cursor = 0
        self.top = 0

    def show(self, found: Sequence[Found], standing: Standing, cursor: int, *, empty: str = "") -> None:
        """Other sessions, with the cursor on one of them; ``empty`` is said when there is none."""
        self._found, self._standing, self._empty = found, standing, empty
        self._counts = Counter(each.session.folder for each in found)
        self._lines, self._places = [], []
        folder = None
        for index, each in enumerate(found):
            if each.session.folder != folder:
                folder = each.session.folder
                self._lines += [("blank", index)] if self._lines else []
                self._lines.append(("folder", index))
            self._places.append(len(self._lines))
            self._lines.append(("session", index))
            self._lines += [("snippet", index)] if each.snippet else []
        self.move_to(cursor)

    def move_to(self, cursor: int) -> None:
        """Put the cursor on a session and scroll it, its folder and its snippet into view where that is possible."""
        self.cursor = min(max(cursor, 0), max(len(self._found) - 1, 0))
        height = max(1, self.size.height)
        if self._places:
            first = last = self._places[self.cursor]
            last += first + 1 < len(self._lines) and self._lines[first + 1][0] == "snippet"
            first -= self._lines[first - 1][0] == "folder"
            self.top = max(last - height + 1, min(self.top, first))
        self.top = max(0, min(self.top, len(self._lines) - height))
        self.refresh()

    @property
    def selected(self) -> SessionRow | None:
        """The session under the cursor."""
        return self._found[self.cursor].session if self._found else None

    def place_of(self, session_id: str) -> int | None:
        """Where a session stands in the list; None when it is not listed."""
        return next((at for at, each in enumerate(self._found) if each.session.session_id == session_id), None)

    def render(self) -> Content:
        """The lines in view."""
        if not self._found:
            return Content.assemble((self._empty, "$muted"))
        visible = self._lines[self.top : self.top + self.size.height]
        return Content("\n").join(self._line(kind, index) for kind, index in visible)

    def _line(self, kind: str, index: int) -> Content:
        each, width = self._found[index], self.size.width
        match kind:
            case "folder":
                folder = each.session.folder
                return folder_line(folder, self._counts[folder], folder == self._folder, width, self._signs)
            case "snippet":
                line = snippet_line(each, width, self._signs)
            case "session":
                line = session_line(each.session, width, self._signs, self._standing)
            case _:
                return Content("")
        if index != self.cursor:
            return line
        return line.pad_right(max(0, width - line.cell_length)).stylize("on $selection")

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self.move_to(self.cursor)

    def on_click(self, event: events.Click) -> None:
        """Pick the session under the pointer."""
        place = self.top + event.y
        if place < len(self._lines) and self._lines[place][0] in ("session", "snippet"):
            self.post_message(self.Picked(self._lines[place][1]))

"""The session browser's list: what is on disk, filtered and searched as one types, with a preview of one session.

Everything that touches the disk runs in a thread; what cannot be done is said on the line below the list.
"""

import asyncio
import time
from collections.abc import Sequence

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ....tools.safe_text import safe_line
from ...engine.archive import Hit, SessionRow
from ..actions import ActionTable, key_label
from ..sessions import OpenSession, Sessions, SessionsError
from ..transcript.palette import Signs
from .session_list import WHEEL_ROWS, SessionList
from .session_rows import Found, Standing, found, preview

WIDE_COLUMNS = 120
"""Fewer columns show no preview."""
_NO_SESSION = "  No session yet. Esc goes back: the first prompt you send begins one."
_LIST_HINTS = ("open", "rename", "remove", "undo", "fork", "export", "import", "new", "search", "back")
_FILTER_HINTS = ("open", "list", "back")


class SessionListing(ModalScreen[OpenSession | None]):
    """A filter, the sessions it leaves, a preview, a line for what is said, and the keys."""

    def __init__(self, sessions: Sessions, table: ActionTable, *, folder: str, signs: Signs) -> None:
        super().__init__()
        self._sessions = sessions
        self._table = table
        self._folder = folder
        self._signs = signs
        self._rows: Sequence[SessionRow] = ()
        self._hits: Sequence[Hit] = ()
        self._in_use: frozenset[str] = frozenset()
        self._warned = ""
        """What was warned of: the same key again does it."""
        self._list = SessionList(signs, folder)
        self._filter = Input(placeholder="type to filter and search", compact=True, id="sessions-filter")
        self._status = Static(markup=False, id="sessions-status")
        self._view = Static(markup=False)

    def compose(self) -> ComposeResult:
        """Title and filter, the list with its preview, a line for what is said, and the keys."""
        with Vertical(classes="dialog"):
            with Horizontal(id="sessions-top"):
                yield Static("Sessions", classes="dialog-title", markup=False)
                yield self._filter
            with Horizontal(id="sessions-body"):
                yield self._list
                with VerticalScroll(id="sessions-view", can_focus=False):
                    yield self._view
            yield self._status
            with Horizontal(id="sessions-ask"):
                yield Static(markup=False, id="sessions-question")
                yield Input(compact=True, id="sessions-answer")
            yield Static(classes="dialog-keys", id="sessions-keys", markup=False)

    def on_mount(self) -> None:
        """Everything, newest first, with the cursor on the newest."""
        self._filter.focus()
        self._reload()

    def on_resize(self, event: events.Resize) -> None:
        """The preview where there is room for it."""
        self.set_class(event.size.width < WIDE_COLUMNS, "narrow")
        self._show_keys()
        self.call_after_refresh(self._preview)

    def on_descendant_focus(self) -> None:
        """The keys are those of the part that has the focus."""
        self._show_keys()

    # ---- what is listed

    @work(group="sessions-load", exclusive=True)
    async def _reload(self, select: str = "") -> None:
        """Read the list anew; the cursor goes to ``select``, else it stays where it is."""
        try:
            self._rows = await self._sessions.listed()
            self._in_use = await self._sessions.in_use()
        except SessionsError as error:
            self._say(str(error), "danger")
            return
        await self._look(self._filter.value, select=select, stay=True)

    @on(Input.Changed, "#sessions-filter")
    def filter_rows(self) -> None:
        """Another filter; its answer comes from a thread, and only that to the newest one is shown."""
        self._search()

    @work(group="sessions-search", exclusive=True)
    async def _search(self) -> None:
        await self._look(self._filter.value)

    async def _look(self, text: str, *, select: str = "", stay: bool = False) -> None:
        try:
            self._hits = await self._sessions.search(text) if text.strip() else ()
        except SessionsError as error:
            self._say(str(error), "danger")
            self._hits = ()
        listed = await asyncio.to_thread(found, self._rows, self._hits, text, self._folder)
        if text == self._filter.value:
            self._fill(listed, select or (self._selected_id if stay else ""))

    def _fill(self, listed: Sequence[Found], select: str) -> None:
        standing = Standing(now=time.time(), current=self._sessions.current, in_use=self._in_use)
        empty = (
            _NO_SESSION if not self._rows else "  Nothing found. Every word must be in the title or in the messages."
        )
        cursor = next((at for at, each in enumerate(listed) if each.session.session_id == select), None)
        gone = bool(select) and cursor is None  # it was removed: the one that follows it takes its place
        self._list.show(
            listed, standing, cursor if cursor is not None else self._list.cursor if gone else 0, empty=empty
        )
        self._preview()

    @property
    def _selected_id(self) -> str:
        row = self._list.selected
        return "" if row is None else row.session_id

    @work(group="sessions-preview", exclusive=True)
    async def _preview(self) -> None:
        row = self._list.selected
        if row is None or self.has_class("narrow"):
            self._view.update("")
            return
        try:
            messages = await self._sessions.last_messages(row.session_id)
        except SessionsError:
            messages = ()
        around = self.query_one("#sessions-view", VerticalScroll)
        self._view.update(preview(messages, around.scrollable_content_region.width, self._signs))
        self.call_after_refresh(around.scroll_end, animate=False)

    # ---- moving

    def action_down(self) -> None:
        """One session down."""
        self._move(1)

    def action_up(self) -> None:
        """One session up."""
        self._move(-1)

    def action_page_down(self) -> None:
        """A page down."""
        self._move(max(1, self._list.size.height - 3))

    def action_page_up(self) -> None:
        """A page up."""
        self._move(-max(1, self._list.size.height - 3))

    def on_mouse_scroll_down(self) -> None:
        """Move on by the wheel."""
        self._move(WHEEL_ROWS)

    def on_mouse_scroll_up(self) -> None:
        """Move back by the wheel."""
        self._move(-WHEEL_ROWS)

    def _move(self, step: int) -> None:
        if not self.has_class("asking"):
            self._move_to(self._list.cursor + step)

    def _move_to(self, cursor: int) -> None:
        self._list.move_to(cursor)
        self._warned = ""
        self._say("")
        self._preview()

    # ---- words

    def _say(self, message: str, role: str = "muted") -> None:
        self._status.update(Content.assemble((safe_line(message), f"${role}")))

    def _show_keys(self) -> None:
        words = _LIST_HINTS if self._list.has_focus else _FILTER_HINTS
        actions = [action for action in self._table.within("sessions") if action.hint in words]
        pieces = [
            Content.assemble((key_label(action.keys[0]), "$text"), " ", (_word(action.hint), "$muted"))
            for action in actions
            if action.keys
        ]
        self.query_one("#sessions-keys", Static).update(Content("   ").join(pieces))


def _word(hint: str) -> str:
    return "rename, remove, fork, export …" if hint == "list" else hint

"""The session browser: every session on disk, a few letters and Enter away.

The filter has the focus first: letters look for titles and texts. Tab goes to the list, where letters are keys.
Everything that touches the disk runs in a thread; what cannot be done is said on the line below the list.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import ClassVar, cast

from textual import events, on, work
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ....tools.safe_text import safe_line
from ...engine.archive import Hit, SessionRow
from ...engine.state import PromptEntry
from ..actions import ActionTable, bindings, key_label
from ..sessions import OpenSession, Sessions, SessionsError
from ..transcript.palette import UNICODE_SIGNS, Signs
from .fork_point import ForkPoint
from .session_list import WHEEL_ROWS, SessionList
from .session_rows import Found, Standing, found, preview

WIDE_COLUMNS = 120
"""Fewer columns show no preview."""
_NAME_CHARS = 48
_NO_SESSION = "  No session yet. Esc goes back: the first prompt you send begins one."

Answer = Callable[[str], Awaitable[str]]
"""Takes what was typed; returns what is wrong with it, empty when it was done."""


class SessionBrowser(ModalScreen[OpenSession | None]):
    """Dismisses with the session to open, or None when the person stays where they are."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("sessions")]

    def __init__(
        self,
        sessions: Sessions,
        table: ActionTable,
        *,
        folder: str,
        busy: Callable[[], bool],
        renamed: Callable[[str], None],
        signs: Signs = UNICODE_SIGNS,
    ) -> None:
        """``busy``: whether a turn runs that opening another session would stop; ``renamed`` hears the name that the
        session on screen was given.
        """
        super().__init__()
        self._sessions = sessions
        self._table = table
        self._folder = folder
        self._busy = busy
        self._renamed = renamed
        self._rows: Sequence[SessionRow] = ()
        self._hits: Sequence[Hit] = ()
        self._in_use: frozenset[str] = frozenset()
        self._signs = signs
        self._warned = ""
        """The session whose opening was asked about: Enter again opens it."""
        self._answer: Answer | None = None
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
        if self._answer is None:
            self._move_to(self._list.cursor + step)

    def _move_to(self, cursor: int) -> None:
        self._list.move_to(cursor)
        self._warned = ""
        self._say("")
        self._preview()

    @on(SessionList.Picked)
    def pick(self, event: SessionList.Picked) -> None:
        """A first click moves the cursor, a second one on the same session opens it."""
        if event.index == self._list.cursor:
            self.action_open()
        else:
            self._move_to(event.index)

    def action_switch_focus(self) -> None:
        """From the filter to the list and back."""
        if self._answer is None:
            (self._list if self._filter.has_focus else self._filter).focus()

    def action_filter(self) -> None:
        """To the filter."""
        self._filter.focus()

    # ---- opening

    @on(Input.Submitted, "#sessions-filter")
    def action_open(self) -> None:
        """Show the session under the cursor. What that would stop or copy is said first; Enter again does it."""
        row = self._list.selected
        if row is None:
            return
        if row.session_id == self._sessions.current:
            self.dismiss(None)
            return
        if not Path(row.folder).is_dir():
            self._say(f"Its folder is gone: {safe_line(row.folder)}. Make it again to go on; e exports it.", "danger")
            return
        if row.session_id != self._warned and (warning := self._warning(row)):
            self._warned = row.session_id
            self._say(warning, "warn")
            return
        self.dismiss(OpenSession(folder=row.folder, session_id=row.session_id))

    def action_begin(self) -> None:
        """Begin a new session in this folder."""
        if self._busy() and self._warned != "new":
            self._warned = "new"
            self._say("A turn runs here. n again stops it and begins anew; what was done is kept.", "warn")
            return
        self.dismiss(OpenSession(folder=self._folder))

    def _warning(self, row: SessionRow) -> str:
        said: list[str] = []
        if self._busy():
            said.append("A turn runs here: it would be stopped; what was done is kept.")
        if row.session_id in self._in_use:
            said.append("That session is open in another Patchbay: you would get a copy of it.")
        return " ".join([*said, "Enter again opens it."]) if said else ""

    def action_leave(self) -> None:
        """From a question back to the list; else back to the session on screen."""
        if self._answer is not None:
            self._end_question()
        elif self._filter.value and self._filter.has_focus:
            self._filter.value = ""
        else:
            self.dismiss(None)

    # ---- what is done to one session

    def action_rename(self) -> None:
        """Ask for a name; an empty one gives the title back."""
        if (row := self._list.selected) is not None:
            session_id = row.session_id

            async def rename(name: str) -> str:
                await self._sessions.rename(session_id, name)
                if session_id == self._sessions.current:
                    self._renamed(name.strip())
                self._done("Renamed." if name.strip() else "It has its first title again.", session_id)
                return ""

            self._ask("Name", " ".join(safe_line(row.title).split()) if row.named else "", rename)

    @work(group="sessions-change")
    async def action_remove(self) -> None:
        """Remove the session under the cursor; ``u`` takes it back."""
        row = self._list.selected
        if row is None:
            return
        if row.session_id == self._sessions.current:
            self._say("This session is on screen: open another one first.", "warn")
            return
        try:
            if row.session_id in await self._sessions.in_use():
                self._say("That session is open in another Patchbay: leave it there first.", "warn")
                return
            await self._sessions.remove(row.session_id)
        except SessionsError as error:
            self._say(str(error), "danger")
            return
        self._done(f"Removed: {_short(row)}. u takes it back.", row.session_id)

    @work(group="sessions-change")
    async def action_restore(self) -> None:
        """Bring back what was removed last, and what was removed before that."""
        try:
            row = await self._sessions.restore_last()
        except SessionsError as error:
            self._say(str(error), "danger")
            return
        if row is None:
            self._say("Nothing is removed that could be taken back.")
        else:
            self._done(f"Back: {_short(row)}.", row.session_id)

    @work(group="sessions-change")
    async def action_fork(self) -> None:
        """Copy the session, whole or up to a prompt that is chosen."""
        row = self._list.selected
        if row is None:
            return
        try:
            prompts = await self._sessions.prompts(row.session_id)
            where = await cast("App[object]", self.app).push_screen_wait(ForkPoint(prompts, time.time()))
            if where is None:
                return
            copy = await self._sessions.fork(row.session_id, where if isinstance(where, PromptEntry) else None)
        except SessionsError as error:
            self._say(str(error), "danger")
            return
        self._done("Forked. Enter opens the copy.", copy)

    def action_export(self) -> None:
        """Ask for a file; the ending of its name says the form."""
        if (row := self._list.selected) is not None:
            session_id = row.session_id

            async def export(name: str) -> str:
                file = self._file(name)
                await self._sessions.export(session_id, file)
                self._done(f"Written: {safe_line(str(file))}", session_id)
                return ""

            self._ask("Export to (.html, .md or .jsonl)", _free_name(row), export)

    def action_bring_in(self) -> None:
        """Ask for an exported file."""

        async def bring_in(name: str) -> str:
            if not name.strip():
                return "Name a .jsonl file that Patchbay exported."
            self._done("Imported. Enter opens it.", await self._sessions.bring_in(self._file(name)))
            return ""

        self._ask("Import a .jsonl file", "", bring_in)

    def _file(self, name: str) -> Path:
        """The file a person means: beside the work, unless they say where. Raises ``RuntimeError`` for ``~nobody``."""
        return Path(self._folder) / Path(name).expanduser()

    # ---- questions

    def _ask(self, question: str, text: str, answer: Answer) -> None:
        self._answer = answer
        self.query_one("#sessions-question", Static).update(question)
        line = self.query_one("#sessions-answer", Input)
        line.value = text
        line.cursor_position = len(text)
        self.add_class("asking")
        self._say("Enter does it, Esc leaves it.")
        line.focus()

    @on(Input.Submitted, "#sessions-answer")
    def take_answer(self, event: Input.Submitted) -> None:
        """Do what was asked about; a problem leaves the question open."""
        if self._answer is not None:
            self._finish(self._answer, event.value)

    @work(group="sessions-answer", exclusive=True)
    async def _finish(self, answer: Answer, text: str) -> None:
        try:
            problem = await answer(text.strip())
        except (SessionsError, RuntimeError) as error:  # RuntimeError: a home folder that nobody knows
            problem = str(error)
        if problem:
            self._say(problem, "danger")
        else:
            self._end_question(keep_status=True)

    def _end_question(self, *, keep_status: bool = False) -> None:
        self._answer = None
        self.remove_class("asking")
        self._list.focus()
        if not keep_status:
            self._say("")

    def _done(self, message: str, select: str) -> None:
        self._say(message, "ok")
        self._reload(select)

    # ---- words

    def _say(self, message: str, role: str = "muted") -> None:
        self._status.update(Content.assemble((safe_line(message), f"${role}")))

    def _show_keys(self) -> None:
        in_list = self._list.has_focus
        words = ("open", "rename", "remove", "undo", "fork", "export", "import", "new", "search", "back")
        actions = [action for action in self._table.within("sessions") if action.hint in words and action.keys]
        if not in_list:
            actions = [action for action in self._table.within("sessions") if action.hint in ("open", "list", "back")]
        pieces = [
            Content.assemble((key_label(action.keys[0]), "$text"), " ", (_word(action.hint), "$muted"))
            for action in actions
            if action.keys
        ]
        self.query_one("#sessions-keys", Static).update(Content("   ").join(pieces))


def _word(hint: str) -> str:
    return "rename, remove, fork, export …" if hint == "list" else hint


def _short(row: SessionRow) -> str:
    title = " ".join(safe_line(row.title).split())
    return title if len(title) <= _NAME_CHARS else f"{title[: _NAME_CHARS - 1]}…"


def _free_name(row: SessionRow) -> str:
    """A file name from the session's title and id."""
    letters = "".join(char if char.isalnum() else " " for char in row.title)
    words = "-".join(letters.lower().split()[:6])[:_NAME_CHARS].strip("-")
    return f"{words or 'session'}-{row.session_id.rpartition('-')[2][:6]}.html"

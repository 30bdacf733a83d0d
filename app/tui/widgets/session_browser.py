"""The session browser: every session on disk, a few letters and Enter away.

The filter has the focus first: letters look for titles and texts. Tab goes to the list, where letters are keys.
"""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar, cast

from textual import on, work
from textual.app import App
from textual.binding import BindingType
from textual.widgets import Input, Static

from ....tools.safe_text import safe_line
from ...engine.archive import SessionRow
from ...engine.state import PromptEntry
from ..actions import ActionTable, bindings
from ..sessions import OpenSession, Sessions, SessionsError
from ..transcript.palette import UNICODE_SIGNS, Signs
from .fork_point import ForkPoint
from .session_list import SessionList
from .session_listing import SessionListing

_NAME_CHARS = 48

Answer = Callable[[str], Awaitable[str]]
"""Takes what was typed; returns what is wrong with it, empty when it was done."""


class SessionBrowser(SessionListing):
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
        super().__init__(sessions, table, folder=folder, signs=signs)
        self._busy = busy
        self._renamed = renamed
        self._answer: Answer | None = None

    # ---- moving

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
        if row.session_id != self._warned and (warning := self._warning(row)):
            self._warned = row.session_id
            self._say(warning, "warn")
            return
        self.dismiss(OpenSession(folder=self._folder if _is_gone(row) else row.folder, session_id=row.session_id))

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
        if _is_gone(row):
            said.append(f"Its folder is gone: {safe_line(row.folder)}.")
        return " ".join([*said, f"Enter again opens it{' in this folder' if _is_gone(row) else ''}."]) if said else ""

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
            where = await cast("App[object]", self.app).push_screen_wait(
                ForkPoint(prompts, time.time(), signs=self._signs)
            )
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
            done = await self._sessions.bring_in(self._file(name))
            left = f" {done.left_words}." if done.left_out else ""
            self._done(f"Imported.{left} Enter opens it.", done.session_id)
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


def _is_gone(row: SessionRow) -> bool:
    """Whether there is no such folder, at least on this machine: the session may have come from another one."""
    return not Path(row.folder).is_dir()


def _short(row: SessionRow) -> str:
    title = " ".join(safe_line(row.title).split())
    return title if len(title) <= _NAME_CHARS else f"{title[: _NAME_CHARS - 1]}…"


def _free_name(row: SessionRow) -> str:
    """A file name from the session's title and id."""
    letters = "".join(char if char.isalnum() else " " for char in row.title)
    words = "-".join(letters.lower().split()[:6])[:_NAME_CHARS].strip("-")
    return f"{words or 'session'}-{row.session_id.rpartition('-')[2][:6]}.html"

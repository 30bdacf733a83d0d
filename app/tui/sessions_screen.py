"""The sessions of the main screen: the browser, a new one, forks, drafts, and prompts that wait."""

import time
from collections.abc import Mapping
from functools import partial
from math import inf
from typing import TYPE_CHECKING, cast

from textual.app import App
from textual.timer import Timer
from textual.widgets import TextArea

from ..engine.state import PromptEntry
from . import modals
from .actions import ActionTable
from .control import Control, Leaving
from .pasting_screen import PastingScreen
from .sessions import OpenSession, Sessions, SessionsError
from .transcript.palette import Signs
from .widgets.header import Header

if TYPE_CHECKING:
    from .widgets.rewind import RewindChoice

DRAFT_S = 0.4
"""How long nothing must be typed before what stands in the prompt is kept on disk."""
_AGAIN_S = 10.0
"""Who asks to leave twice within this time means it."""


class SessionsScreen(PastingScreen):
    """A screen that can leave its session for another one, and loses nothing that was typed."""

    table: ActionTable
    _control: Control
    _signs: Signs
    _draft_timer: Timer | None = None
    _draft: str = ""
    _draft_kept: str = ""
    _leaving_said: Mapping[str, float] = {}
    """When it was said last what leaving means, by what was said: it may mean more than one thing."""

    def on_mount(self) -> None:
        """Bring back what stood unsent, show the session's name, and delete what is no longer kept."""
        if (sessions := self._control.sessions) is not None:
            self.run_worker(partial(self._take_up, sessions), group="sessions-begin")

    async def _take_up(self, sessions: Sessions) -> None:
        try:
            draft = await sessions.draft()
            if draft and not self._prompt.text:
                self._draft_kept = draft
                self._prompt.replace_all(draft)
            self.query_one(Header).show_name(await sessions.name())
            await sessions.tidy()
        except SessionsError:
            return  # a session in memory has none of this, and has said so itself

    # ---- drafts

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Keep what stands in the prompt once the person pauses; at once when it was sent or wiped out."""
        if event.text_area is not self._prompt:
            return
        if self._draft_timer is not None:
            self._draft_timer.stop()
        self._draft = event.text_area.text
        if not self._draft:
            self._keep_draft()
        else:
            self._draft_timer = self.set_timer(DRAFT_S, self._keep_draft)

    def on_unmount(self) -> None:
        """Keep what stands in the prompt when the screen goes away."""
        self._keep_draft()

    def _keep_draft(self) -> None:
        sessions = self._control.sessions
        if sessions is not None and self._draft != self._draft_kept:
            self._draft_kept = self._draft
            sessions.keep_draft(self._draft)

    # ---- prompts that wait

    def action_take_back(self) -> None:
        """Put prompts that were not sent yet back into the prompt, before what is being written."""
        entries = self._session.withdraw()
        texts = [entry.text for entry in entries]
        if not texts:
            self.notify("No prompt waits.", timeout=3, markup=False)
            return
        self._keep_images(attachment for entry in entries for attachment in entry.attachments)
        written = self._prompt.text
        self._prompt.replace_all("\n\n".join([*texts, *([written] if written.strip() else [])]))
        self._prompt.focus()

    # ---- other sessions

    def action_show_sessions(self) -> None:
        """The session browser."""
        if (sessions := self._control.sessions) is None:
            self._warn("There are no sessions on disk here.")
            return
        renamed = self.query_one(Header).show_name
        browser = modals.session_browser(sessions, self.table, self._session, renamed=renamed, signs=self._signs)
        self._open(browser, self._leave_for)

    def action_new_session(self) -> None:
        """Begin a new session in this folder with this model; a running turn is asked about first."""
        if self._session.busy and self._asks_first(
            "A turn runs. /new again stops it and begins anew; what was done is kept."
        ):
            return
        self._leave_for(OpenSession(folder=self._session.state.folder))

    def _asks_first(self, meaning: str) -> bool:
        """Say what leaving means; False when just that was said a moment ago and the person asks for it again."""
        now = time.monotonic()
        if now - self._leaving_said.get(meaning, -inf) <= _AGAIN_S:
            return False
        self._leaving_said = {**self._leaving_said, meaning: now}
        self._warn(meaning)
        return True

    def _stays_unsaved(self) -> bool:
        """Whether to stay because the disk does not take the session; that is said, once."""
        problem = self._session.state.unsaved
        return bool(problem) and self._asks_first(
            f"This session is not saved: {problem}. Make room, and it is saved by itself. Once more leaves it: what is"
            " missing is then written to a file elsewhere, if that can be done."
        )

    def _leave_for(self, choice: OpenSession) -> None:
        if self._stays_unsaved():
            return
        if choice.session_id is None and (model := self._session.state.model) is not None:
            choice = OpenSession(folder=choice.folder, model=str(model.ref))
        self._keep_draft()
        cast("App[Leaving]", self.app).exit(choice)

    def _go_back(self, choice: "RewindChoice") -> None:
        """Do what was chosen; a fork is another session."""
        if choice.fork:
            self.run_worker(partial(self._fork_here, choice), group="restore")
        else:
            super()._go_back(choice)

    async def _fork_here(self, choice: "RewindChoice") -> None:
        """Open a copy of this session up to a prompt, which stands unsent in it."""
        sessions = self._control.sessions
        if sessions is None:
            self._warn("There are no sessions on disk here: nothing can be forked.")
            return
        prompt = PromptEntry(prompt_id=choice.prompt_id, text=choice.text, at=0.0)
        try:
            copy = await sessions.fork(sessions.current, prompt)
        except SessionsError as error:
            self._warn(str(error))
            return
        self._leave_for(OpenSession(folder=self._session.state.folder, session_id=copy))

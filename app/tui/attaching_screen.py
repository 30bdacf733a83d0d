"""What goes along with a prompt: it is read first, then the prompt is sent; prompts keep their order."""

import asyncio
from collections.abc import Sequence
from typing import cast

from textual.app import App

from ...providers.messages import Effort
from ...tools.base import Mode
from ..engine.attached import Gathered
from ..engine.defects import report as report_defect
from ..engine.events import NoticeLevel
from ..engine.folder_instructions import told_of_folders
from ..instructions import report, withheld_names
from .completing import PathSource
from .pasting_screen import PastingScreen


class AttachingScreen(PastingScreen):
    """A screen whose prompt may name files."""

    _sending: asyncio.Lock | None = None

    def _run_own(self, text: str) -> None:
        """Run a command of the person's own: ``!command``, or ``!!command`` for one that no model ever hears of."""
        private = text.startswith("!!")
        command = text.removeprefix("!").removeprefix("!").strip()
        problem = self._session.run_command(command, private=private) if command else "There is no command after the !."
        if problem:
            self._warn(problem)
            self._prompt.replace_all(text)
        else:
            self._view("chat").jump_to_end()

    def _path_source(self) -> PathSource | None:
        """The files that the prompt can mention."""
        attaching = self._preferences.attaching
        return None if attaching is None else PathSource(attaching.files)

    def _argument_values(self, action_id: str) -> Sequence[str]:
        """What a slash command takes, for its completion."""
        match action_id:
            case "session.switch_model":
                return [str(model.ref) for status in self._session.state.providers for model in status.models]
            case "view.next_theme":
                return sorted(
                    theme for theme in cast("App[object]", self.app).available_themes if theme.startswith("patchbay")
                )
            case "session.next_effort":
                return [effort.value for effort in Effort]
            case "session.next_mode":
                return [mode.value for mode in Mode]
            case _:
                return ()

    def action_show_instructions(self) -> None:
        """What the model is told by AGENTS.md files: a notice in the conversation; before there is one, beside it."""
        state = self._session.state
        said = report(state.instructions, withheld_names(self._preferences.trust), told_of_folders(state))
        if self._welcome_shown:
            self.notify(said, timeout=10, markup=False)
        else:
            self._session.notice(said)

    def _send(self, text: str) -> None:
        """Send a prompt with what it mentions. Nothing that goes wrong with a file keeps the prompt back."""
        waiting = self._sending is not None and self._sending.locked()
        if self._preferences.attaching is None or ("@" not in text and not waiting):
            self._session.submit(text)
            self._view("chat").jump_to_end()
        else:
            self.run_worker(self._send_with_files(text), group="send")

    async def _send_with_files(self, text: str) -> None:
        self._sending = self._sending or asyncio.Lock()
        async with self._sending:
            gathered = await self._gathered(text)
        for remark in gathered.remarks:
            self._session.notice(remark, NoticeLevel.WARNING, quotes=True)
        self._session.submit(text, gathered.attachments)
        self._view("chat").jump_to_end()

    async def _gathered(self, text: str) -> Gathered:
        attaching = self._preferences.attaching
        if attaching is None:
            return Gathered()
        try:
            return await attaching.gather(text, self._session.state.model)
        except Exception as error:  # a fault in reading a file must not cost the prompt
            report_defect("what a prompt mentions could not be gathered", error)
            return Gathered(remarks=(f"No file went along: {type(error).__name__}: {error}",))

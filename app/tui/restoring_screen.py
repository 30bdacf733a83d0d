"""Undo, redo and rewind of the main screen."""

from functools import partial
from typing import TYPE_CHECKING

from ..engine.state import PromptEntry
from . import modals
from .panes_screen import PanesScreen

if TYPE_CHECKING:
    from .widgets.rewind import RewindChoice


class RestoringScreen(PanesScreen):
    """A screen that works on a session and has a prompt; what cannot be done is said in a toast."""

    def action_undo(self) -> None:
        """Put the files back that the last turn changed."""
        self.run_worker(self._undo(), group="restore")

    def action_redo(self) -> None:
        """Take back the last undo."""
        self.run_worker(self._redo(), group="restore")

    def action_rewind(self) -> None:
        """Choose a prompt to go back to."""
        prompts = [entry for entry in reversed(self._session.state.transcript) if isinstance(entry, PromptEntry)]
        if self._session.busy or not prompts:
            self._warn("A turn runs: stop it first (Esc)." if prompts else "There is no prompt to go back to yet.")
            return
        self._open(modals.rewind(self._session.checkpoints, prompts), self._go_back)

    def _go_back(self, choice: "RewindChoice") -> None:
        """Do what was chosen."""
        self.run_worker(partial(self._rewind, choice), group="restore")

    async def _undo(self) -> None:
        self._warn(await self._session.undo())

    async def _redo(self) -> None:
        self._warn(await self._session.redo())

    async def _rewind(self, choice: "RewindChoice") -> None:
        problem = await self._session.rewind(choice.prompt_id, files=choice.files, conversation=choice.conversation)
        self._warn(problem)
        prompt, written = self._prompt, self._prompt.text.strip()
        if choice.conversation and not problem and not written:
            prompt.replace_all(choice.text)  # to be edited and sent again; what was being written stays
        elif choice.edit and not problem:
            prompt.replace_all(f"{choice.text}\n\n{written}")

    def _warn(self, problem: str) -> None:
        if problem:
            self.notify(problem, severity="warning", markup=False)

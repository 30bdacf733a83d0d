"""Undo, redo and rewind of a session: has the checkpoints put files back, and tells the session what was done.

The order makes every step safe to be cut off: the checkpoints write down what they are going to do, do it, the
event of it is made durable, and only then is it settled. What was cut off before that is finished the next time.
"""

from collections.abc import Awaitable, Callable, Coroutine

from ...tools.base import Checkpoints, Restoration, UndoUnit
from ...tools.events import RestoreKind
from .bus import MessageBus
from .events import FilesRestored, Rewound
from .state import PromptEntry


class Restoring:
    """Puts back the files and the conversation of one session, one thing at a time."""

    def __init__(self, bus: MessageBus, checkpoints: Checkpoints, durable: Callable[[], Awaitable[None]]) -> None:
        self._bus = bus
        self._checkpoints = checkpoints
        self._durable = durable
        self.active = False
        """True while files are put back."""

    async def run(self, work: Coroutine[None, None, str]) -> str:
        """Do one of the works below; what keeps the store from being used is the reason that is returned."""
        self.active = True
        try:
            return await work
        except OSError as error:
            return f"The checkpoints cannot be used: {error.strerror or error}."
        finally:
            self.active = False

    async def undo(self, unit: UndoUnit) -> str:
        """Take back the newest turn or prompt. Returns why not."""
        if await self.finish() is RestoreKind.UNDO:
            return ""  # it was begun before the program ended: this is the undo that was asked for
        done = await self._checkpoints.undo(unit)
        if done is None:
            return "There is nothing to undo: no tool changed a file."
        await self._tell(done)
        return ""

    async def redo(self) -> str:
        """Take back the newest undo or rewind. Returns why not."""
        if await self.finish() is RestoreKind.REDO:
            return ""
        done = await self._checkpoints.redo()
        if done is None:
            return "There is nothing to redo: nothing was undone, or files were changed since."
        await self._tell(done)
        return ""

    async def rewind(self, prompt_id: str, *, files: bool, conversation: bool) -> str:
        """Go back to before a prompt. Returns why not."""
        if not any(
            isinstance(entry, PromptEntry) and entry.prompt_id == prompt_id
            for entry in self._bus.store.state.transcript
        ):
            return "That prompt is no longer part of the conversation."
        await self.finish()
        if conversation:
            # The files come second: the note on them has its place in the conversation that stays.
            changed = () if files else await self._changed(prompt_id)
            self._bus.publish(Rewound(prompt_id=prompt_id, conversation=True, files=files, changed=changed))
        elif files:
            self._bus.publish(Rewound(prompt_id=prompt_id, conversation=False, files=True))
        await self._durable()
        if files:
            done = await self._checkpoints.rewind(prompt_id)
            if done.files or not conversation:
                await self._tell(done, conversation=conversation)
            else:
                await self._checkpoints.settle(done.restore_id)
        return ""

    async def _changed(self, prompt_id: str) -> tuple[str, ...]:
        seen = await self._checkpoints.preview(RestoreKind.REWIND, prompt_id)
        return () if seen is None else tuple(file.path for file in seen.files if not file.folder)

    async def finish(self) -> RestoreKind | None:
        """Finish what an earlier process was cut off from. Returns what that was, when the session did not know yet."""
        cut_off = await self._checkpoints.unfinished()
        if cut_off is None:
            return None
        if cut_off.restore_id <= self._bus.store.state.last_restore:
            await self._checkpoints.settle(cut_off.restore_id)
            return None
        await self._tell(cut_off)
        return cut_off.kind

    async def _tell(self, done: Restoration, *, conversation: bool = False) -> None:
        self._bus.publish(
            FilesRestored(restore_id=done.restore_id, kind=done.kind, files=done.files, conversation=conversation)
        )
        await self._durable()
        await self._checkpoints.settle(done.restore_id)

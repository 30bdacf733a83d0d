"""A session whose tools change no files, or none that anybody keeps."""

from collections.abc import Mapping

from ...tools.base import Restoration, UndoUnit
from ...tools.events import RestoreKind


class NoCheckpoints:
    """Nothing is kept, and nothing can be put back. Implements ``tools.base.Checkpoints``."""

    async def begin(self, *, turn_id: str, prompt_id: str) -> None:
        """There is nothing to keep."""

    async def unfinished(self) -> Restoration | None:
        """Nothing was begun."""

    async def undo(self, unit: UndoUnit = UndoUnit.TURN) -> Restoration | None:
        """Nothing was changed."""

    async def redo(self) -> Restoration | None:
        """Nothing was undone."""

    async def rewind(self, prompt_id: str) -> Restoration:
        """No file was changed since."""
        return Restoration(restore_id=0, kind=RestoreKind.REWIND, files=(), prompt_id=prompt_id)

    async def settle(self, restore_id: int) -> None:
        """There is nothing to settle."""

    async def preview(self, kind: RestoreKind, prompt_id: str = "") -> Restoration | None:
        """Nothing would be done."""
        return await self.rewind(prompt_id) if kind is RestoreKind.REWIND else None

    async def compare(self, path: str) -> str:
        """There is nothing to compare with."""
        return "The session left nothing there."

    async def changed_since(self) -> Mapping[str, int]:
        """Nothing was changed."""
        return {}

    def close(self) -> None:
        """Nothing runs."""

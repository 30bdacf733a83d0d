"""What the person does in the workspace through the same doors as the model: adding files to a prompt, listing names,
running a command of their own."""

import asyncio
from collections.abc import Callable

from .attaching import Added, Attaching
from .base import Emit
from .events import ToolRunFinished
from .failures import ToolFailure
from .file_index import files_of
from .own_command import run_own
from .safe_text import safe_line
from .tool import ToolContext
from .workspace import Place

_LISTED_BYTES = 60_000

ContextOf = Callable[[str, Emit, int], ToolContext]
"""Makes the context of a run: its id, where its events go, and the bound of its result in bytes."""


class ForPerson:
    """The person's own hands in one workspace."""

    def __init__(self, context_of: ContextOf) -> None:
        self._context_of = context_of

    def find(self, path: str) -> Place | None:
        """What a path leads to; None when there is nothing to read."""
        return self._attaching().find(path)

    def obstacle(self, path: str) -> str:
        """Why something that stands at a path is nothing to read, in words; empty when nothing stands there."""
        return self._attaching().obstacle(path)

    async def add(self, place: Place, *, lines: tuple[int, int | None] | None, limit: int) -> tuple[Added | None, str]:
        """What goes along, or why it does not, in words. Text of it takes ``limit`` bytes at most."""
        attaching = self._attaching()
        if refusal := attaching.refusal(place):
            return None, refusal
        try:
            if place.folder:
                names = await files_of(place, self._context())
                bound = min(limit, _LISTED_BYTES)
                return await asyncio.to_thread(attaching.folder, place, names, limit=bound), ""
            return await asyncio.to_thread(attaching.read, place, lines=lines, limit=limit), ""
        except ToolFailure as failure:
            return None, safe_line(failure.message)

    async def files(self) -> list[str]:
        """Every file of the workspace, relative to it, without what the project ignores."""
        context = self._context()
        return await files_of(context.workspace.resolve("."), context)

    async def run(self, *, run_id: str, command: str, emit: Emit, max_bytes: int) -> ToolRunFinished:
        """Run a command of the person's own; see ``own_command``."""
        return await run_own(command, self._context_of(run_id, emit, max_bytes))

    def _context(self) -> ToolContext:
        return self._context_of("", lambda event: None, _LISTED_BYTES)

    def _attaching(self) -> Attaching:
        context = self._context()
        return Attaching(context.workspace, context.seen)

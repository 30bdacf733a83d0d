"""Checkpoints: every file that the tools of a session change can be put back, and forth again.

Before a tool runs, the contents it is going to change are kept (``before``); after it ran, what it did is
written to the session's journal (``after``). An edit names its files. A command does not: the whole workspace
is looked over before and after it, within the limits of ``checkpoint_scan.Limits``, and what changed beyond
them is named, so that it can be said. Git is neither needed nor touched.

Files: ``objects/`` (contents by digest) and ``sessions/<session>.jsonl`` (the journals), for this person alone.
Everything that touches the disk runs in a thread, one thing at a time.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from .base import Restoration, UndoUnit
from .checkpoint_book import CheckpointBook
from .checkpoint_journal import Begun
from .checkpoint_scan import Limits
from .checkpoint_undo import Restorer
from .checkpoint_watch import Watch, Watched, Watcher
from .events import RestoreKind
from .workspace import Change

T = TypeVar("T")


class SessionCheckpoints:
    """The checkpoints of one session in one workspace. Implements ``base.Checkpoints``."""

    def __init__(self, folder: Path, workspace: Path, session_id: str, *, limits: Limits | None = None) -> None:
        """``folder`` is shared by all sessions. Nothing is read or made before it is needed."""
        self._book = CheckpointBook(folder, workspace, session_id, limits or Limits())
        self._watcher = Watcher(self._book)
        self._restorer = Restorer(self._book)
        self._lock = threading.Lock()
        self._warming: asyncio.Task[None] | None = None

    async def before(self, run_id: str, edits: Sequence[Change], *, anything: bool) -> Watch:
        """Keep what a run is going to change: the files of ``edits``, and the workspace when ``anything`` may.

        Never raises: the watch says what is wrong.
        """
        return await self._in_thread(lambda: self._watcher.before(run_id, edits, anything=anything))

    async def after(self, watch: Watch) -> Watched:
        """Write down what the run did. Never raises; goes on to its end when the task is cancelled."""
        return await asyncio.shield(self._in_thread(lambda: self._watcher.after(watch)))

    async def begin(self, *, turn_id: str, prompt_id: str) -> None:
        """What tools change from now on belongs to this turn and prompt; the first time, get to know the workspace."""
        await self._in_thread(lambda: self._begin(turn_id, prompt_id))
        if self._warming is None:
            # Beside the lock: neither an edit nor an undo waits for it.
            self._warming = asyncio.create_task(asyncio.to_thread(self._warm), name="checkpoint warm-up")

    async def unfinished(self) -> Restoration | None:
        """Finish the restoration that was cut off, if there is one. Raises ``OSError``."""
        return await self._in_thread(self._restorer.unfinished)

    async def undo(self, unit: UndoUnit = UndoUnit.TURN) -> Restoration | None:
        """Take back the newest turn or prompt that changed files. Raises ``OSError``."""
        return await self._in_thread(lambda: self._restorer.undo(unit))

    async def redo(self) -> Restoration | None:
        """Take back the newest undo or rewind. Raises ``OSError``."""
        return await self._in_thread(self._restorer.redo)

    async def rewind(self, prompt_id: str) -> Restoration:
        """Take back everything that was changed since a prompt was sent. Raises ``OSError``."""
        return await self._in_thread(lambda: self._restorer.rewind(prompt_id))

    async def settle(self, restore_id: int) -> None:
        """The session knows of this restoration. Never raises: at worst the next process does it again, in vain."""
        with contextlib.suppress(OSError):
            await self._in_thread(lambda: self._restorer.settle(restore_id))

    async def preview(self, kind: RestoreKind, prompt_id: str = "") -> Restoration | None:
        """What ``undo``, ``redo`` or ``rewind`` would do now. Raises ``OSError``."""
        return await self._in_thread(lambda: self._restorer.preview(kind, prompt_id))

    async def compare(self, path: str) -> str:
        """How a file differs from what the session left there. Raises ``OSError``."""
        return await self._in_thread(lambda: self._restorer.compare(path))

    async def changed_since(self) -> Mapping[str, int]:
        """How many paths were changed since each prompt. Raises ``OSError``."""
        return await self._in_thread(self._restorer.changed_since)

    def close(self) -> None:
        """Look over nothing any more: the application ends."""
        self._book.closed = True

    def _begin(self, turn_id: str, prompt_id: str) -> None:
        with contextlib.suppress(OSError):  # a tool run will say what is wrong with the store
            ledger = self._book.ledger
            if (ledger.turn, ledger.prompt) != (turn_id, prompt_id):
                self._book.write(Begun(turn=turn_id, prompt=prompt_id))

    def _warm(self) -> None:
        with contextlib.suppress(OSError):
            self._book.prune()
            self._watcher.warm()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        def alone() -> T:
            with self._lock:
                return work()

        return await asyncio.to_thread(alone)

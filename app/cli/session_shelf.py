"""All sessions on disk for the screens: every call in a thread, every error in words (``Sessions``)."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from ..engine import archive
from ..engine.archive import Hit, SessionRow
from ..engine.archive_views import Message, last_messages, session_prompts
from ..engine.drafts import load_draft, save_draft, take_over_draft
from ..engine.ids import new_id
from ..engine.image_names import sent_with
from ..engine.session_lock import held_sessions
from ..engine.state import PromptEntry, SessionState
from ..engine.transfer import Imported
from ..pasted_images import PastedImages
from ..paths import Paths
from ..tui.sessions import EXPORT_SUFFIXES, SessionsError
from .compacting_sessions import BackgroundCompaction
from .lane import Lane
from .pasting import keep_sent
from .retention import Retention
from .session_files import FileProblem, exported, read_session_file, write_new

Result = TypeVar("Result")


class SessionShelf:
    """The sessions of one person, seen from the one that is open. ``close`` writes what was given to be kept."""

    def __init__(self, paths: Paths, state: Callable[[], SessionState], retention: Retention) -> None:
        """``state`` gives the newest state of the session on screen."""
        self._paths = paths
        self._state = state
        self._retention = retention
        self._looking, self._finding, self._writing = (
            Lane(paths.database, name) for name in ("browse", "search", "write")
        )
        self._searches = 0
        self._compaction = BackgroundCompaction(paths, retention.compact_after_days)

    @property
    def current(self) -> str:
        """The id of the session on screen."""
        return self._state().session_id

    async def listed(self) -> Sequence[SessionRow]:
        """All sessions with a prompt, newest first."""
        return await _said(self._looking, partial(archive.list_sessions, limit=100_000))

    async def search(self, text: str) -> Sequence[Hit]:
        """Sessions that hold all words of the text; nothing when a newer search has begun meanwhile."""
        self._searches += 1
        number = self._searches
        self._finding.interrupt()

        def find(connection: sqlite3.Connection) -> Sequence[Hit]:
            try:
                return archive.search(connection, text) if number == self._searches else ()
            except sqlite3.OperationalError:
                if number == self._searches:
                    raise
                return ()

        return await _said(self._finding, find)

    async def name(self) -> str:
        """What the person called the session on screen; empty for no name."""
        session_id = self.current

        def find(connection: sqlite3.Connection) -> str:
            return next((row.title for row in archive.find_session(connection, session_id) if row.named), "")

        return await _said(self._looking, find)

    async def in_use(self) -> frozenset[str]:
        """The ids of sessions that a process has open now."""
        return await _said(self._looking, lambda _: held_sessions(self._paths.locks))

    async def last_messages(self, session_id: str) -> Sequence[Message]:
        """The newest prompts and answers, oldest of them first."""
        return await _said(self._looking, lambda connection: last_messages(connection, session_id))

    async def prompts(self, session_id: str) -> Sequence[PromptEntry]:
        """The prompts a session can be forked at, oldest first."""
        return await _said(self._looking, lambda connection: session_prompts(connection, session_id))

    async def rename(self, session_id: str, name: str) -> None:
        """Give a session a name; an empty one takes it away again."""
        await _said(self._writing, lambda connection: archive.rename(connection, session_id, name))

    async def remove(self, session_id: str) -> None:
        """Take a session out of every list."""
        await _said(self._writing, lambda connection: archive.remove(connection, session_id, at=time.time()))

    async def restore_last(self) -> SessionRow | None:
        """Bring back the session that was removed last."""
        return await _said(self._writing, archive.restore_last)

    async def fork(self, session_id: str, prompt: PromptEntry | None = None) -> str:
        """Copy a session, whole or up to a prompt, which then stands unsent in the copy."""
        copy, now = new_id("session"), time.time()
        before = None if prompt is None else prompt.prompt_id

        def work(connection: sqlite3.Connection) -> None:
            try:
                archive.fork(connection, session_id, copy, at=now, before_prompt=before)
            except KeyError:
                raise SessionsError("That session or prompt is gone; it may have been purged.") from None
            if prompt is not None:
                keep_sent(PastedImages(self._paths.images), sent_with(connection, session_id, prompt.prompt_id))
                save_draft(connection, copy, prompt.text, at=now)

        await _said(self._writing, work)
        return copy

    async def export(self, session_id: str, file: Path) -> None:
        """Write a session in the form that the file's name ends with."""
        form = EXPORT_SUFFIXES.get(file.suffix.lower())
        if form is None:
            raise SessionsError(f"{file.name}: the name must end with {', '.join(EXPORT_SUFFIXES)}: it says the form.")

        def work(connection: sqlite3.Connection) -> None:
            match archive.find_session(connection, session_id):
                case [row]:
                    write_new(file, exported(connection, row, form))
                case _:
                    raise SessionsError("That session is gone; it may have been purged.")

        await _said(self._writing, work)

    async def bring_in(self, file: Path) -> Imported:
        """Import an exported session."""
        return await _said(self._writing, lambda connection: read_session_file(connection, file))

    async def draft(self) -> str:
        """What stood unsent in the prompt of the session on screen, or before it in one that no list shows."""

        def find(connection: sqlite3.Connection) -> str:
            state = self._state()
            return load_draft(connection, state) or take_over_draft(
                connection, state.session_id, state.folder, in_use=held_sessions(self._paths.locks)
            )

        return await _said(self._writing, find)

    def keep_draft(self, text: str) -> None:
        """Keep what stands unsent now."""
        session_id, now = self.current, time.time()
        self._writing.post(lambda connection: save_draft(connection, session_id, text, at=now))

    async def tidy(self) -> int:
        """Delete for good what the settings no longer keep; sessions that are open anywhere stay.

        What is idle is then compacted in the background.
        """

        def purge(connection: sqlite3.Connection) -> list[str]:
            return self._retention.purge(connection, self._paths, at=time.time())

        purged = await _said(self._writing, purge)
        self._compaction.begin()
        return len(purged)

    def close(self) -> None:
        """Write what was given to be kept. Blocks for it."""
        self._compaction.stop()
        for lane in (self._finding, self._looking, self._writing):
            lane.close()


async def _said(lane: Lane, work: Callable[[sqlite3.Connection], Result]) -> Result:
    """The result of the work. Raises ``SessionsError`` for what disk, file or database say."""
    try:
        return await lane.run(work)
    except FileProblem as problem:
        raise SessionsError(str(problem)) from None
    except sqlite3.Error as error:
        raise SessionsError(f"The session database cannot be used ({error}).") from error

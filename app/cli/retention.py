"""How long sessions are kept (settings ``[sessions]``), and the purge that follows from it."""

import contextlib
import sqlite3
from dataclasses import dataclass
from functools import partial

from ..engine import archive
from ..engine.archive import SessionRow
from ..engine.image_names import named_by, still_named
from ..engine.session_lock import held_sessions
from ..pasted_images import PastedImages
from ..paths import Paths
from ..settings import Settings

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Days since the last prompt, and since the removal, after which a session is purged; 0 keeps it for ever."""

    keep_days: int = 0
    keep_removed_days: int = 30
    compact_after_days: int = 0
    """Days since the last prompt after which a session is compacted on disk; 0 never."""

    @classmethod
    def of(cls, settings: Settings) -> "Retention":
        """What the settings say."""
        table = settings.sessions
        return cls(
            keep_days=table.keep_days,
            keep_removed_days=table.keep_removed_days,
            compact_after_days=table.compact_after_days,
        )

    def purgeable(self, connection: sqlite3.Connection, paths: Paths, *, at: float) -> list[SessionRow]:
        """What a purge at this time (epoch seconds) would delete. Raises ``sqlite3.Error``."""
        removed, idle = self._before(at)
        return archive.purgeable(
            connection, removed_before=removed, idle_before=idle, spared=held_sessions(paths.locks)
        )

    def purge(self, connection: sqlite3.Connection, paths: Paths, *, at: float) -> list[str]:
        """Delete for good what is no longer kept and not open anywhere; returns the ids. Raises ``sqlite3.Error``.

        Images that were pasted go with the last session that names them.
        """
        removed, idle = self._before(at)
        images = PastedImages(paths.images)
        doomed = self.purgeable(connection, paths, at=at) if images.names() else ()
        gone = named_by(connection, [row.session_id for row in doomed])
        spared = held_sessions(paths.locks)
        purged = archive.purge(connection, removed_before=removed, idle_before=idle, spared=spared)
        with contextlib.suppress(sqlite3.Error):  # the images go with the next purge
            images.tidy(partial(still_named, connection), at=at, gone=gone)
        return purged

    def _before(self, at: float) -> tuple[float, float | None]:
        removed = at - self.keep_removed_days * DAY_S if self.keep_removed_days else -1.0
        return removed, at - self.keep_days * DAY_S if self.keep_days else None

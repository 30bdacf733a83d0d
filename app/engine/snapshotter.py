"""Decides when a session gets a new snapshot, and has it made on a thread of its own.

At the end of a turn, when enough has been said since the last one; in a turn that goes on and on; at the end of the
session. A snapshot that cannot be made is not missed: the journal holds everything.
"""

import contextlib
import sqlite3
import threading
import time
from pathlib import Path

from .database import attach
from .events import Stamped, TurnEnded

EVENT_CHARS = 1000
"""As many characters of a journal row weigh as much as one event more."""
TAIL = 2000
"""Events after a snapshot from which on a new one is worth its while; they replay in a tenth of a second."""
GROWTH = 0.04
"""A long session costs more to pack: it waits until it has grown by this part."""
REST = 20
"""So many times as long as making one took, none is made: they must not slow a session down."""
LONG_TURN = 10
"""So many times more than that, and the end of the turn is not waited for."""


class Snapshotter:
    """Told of every row that is saved; used by the recorder's thread alone."""

    def __init__(self, database: Path, *, replayed: int = 0) -> None:
        """``replayed`` is what the session's opening had to replay, in events."""
        self._database = database
        self._session_id = ""
        self._tail = replayed
        self._fresh = 0
        """What came since this process began."""
        self._size = 0
        self._turn_ended = False
        self._thread: threading.Thread | None = None
        self._rests_until = 0.0

    def saved(self, stamped: Stamped, chars: int) -> None:
        """A row of so many characters is in the journal."""
        weight = 1 + chars // EVENT_CHARS
        self._session_id = stamped.session_id
        self._tail += weight
        self._fresh += weight
        self._turn_ended |= isinstance(stamped.event, TurnEnded)

    def committed(self) -> None:
        """Rows were committed: begin a snapshot if it is time for one and none is being made."""
        ended, self._turn_ended = self._turn_ended, False
        long_turn = self._fresh >= LONG_TURN * self._due_at
        if (long_turn or (ended and self._tail >= self._due_at)) and not self._busy:
            self._begin()

    def close(self) -> None:
        """Wait for the snapshot that is being made; make a last one if much came after it."""
        if self._thread is not None:
            self._thread.join()
        if self._session_id and self._tail >= self._due_at:
            self._make()

    @property
    def _due_at(self) -> int:
        return max(TAIL, round(self._size * GROWTH))

    @property
    def _busy(self) -> bool:
        return time.monotonic() < self._rests_until or (self._thread is not None and self._thread.is_alive())

    def _begin(self) -> None:
        self._size += self._tail
        self._tail = self._fresh = 0
        self._thread = threading.Thread(target=self._make, name="patchbay-snapshot", daemon=True)
        self._thread.start()

    def _make(self) -> None:
        from .snapshots import renew  # with all that packs a state: nothing that a new session needs at once

        begun = time.monotonic()
        with (
            contextlib.suppress(sqlite3.Error, OSError, TypeError),
            # Never made anew: a file that is gone is the recorder's to notice.
            contextlib.closing(attach(self._database, write=True, wait_s=10)) as connection,
        ):
            renew(connection, self._session_id)
        ended = time.monotonic()
        self._rests_until = ended + REST * (ended - begun)

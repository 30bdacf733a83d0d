"""Compacts idle sessions on disk: ``patchbay sessions compact``, and quietly in the background after a start."""

import contextlib
import logging
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Generator

from ...tools.safe_text import safe_line
from ..engine.archive import SessionRow, find_session
from ..engine.database import attach
from ..engine.free_pages import FileSize, file_size, settle, shorten, why_not_anew, write_anew
from ..engine.journal_packing import PackingError, foreseen, idle_sessions, pack_session, session_bytes
from ..engine.session_lock import SessionLock, held_sessions
from ..log_file import note
from ..paths import Paths
from ..settings import SettingsError
from .arguments import ExitCode
from .retention import DAY_S

BEGINS_AFTER_S = 3.0
"""In the background nothing is done before the screen had so much time for itself."""
REST = 4
"""In the background so many times as long as a step took, nothing is done: it must not be felt."""
_WORTH_BYTES = 1_000_000
"""Free pages that the background gives back; fewer are soon used again."""
_TITLE_CHARACTERS = 50


def compact_command(
    connection: sqlite3.Connection,
    paths: Paths,
    chosen: list[SessionRow] | None,
    *,
    after_days: int | None,
    dry_run: bool,
) -> int:
    """Compact the chosen sessions, or all that are idle for so many days (None: never), and say what that gave.

    Raises ``sqlite3.Error`` when the disk refuses and ``SettingsError`` when another process compacts; what was done
    until then stays.
    """
    if chosen is None and after_days is None:
        sys.stderr.write(
            "Compaction is off ([sessions] compact_after_days = 0). Name sessions, or give --after-days.\n"
        )
        return ExitCode.OK
    rows = _idle(connection, after_days or 0) if chosen is None else chosen
    if not rows:
        whose = f"all sessions that are idle for {after_days} days" if after_days else "all sessions"
        sys.stderr.write(f"Nothing to compact: {whose} are compact already.\n")
    if dry_run:
        for row in rows:
            would = foreseen(connection, row.session_id)
            _say("Would compact", row, would.before, would.after)
        return ExitCode.OK
    with _alone(paths):
        done = [_compacted(connection, paths, row) for row in rows]
        _give_back(connection, paths)
    return ExitCode.OK if all(done) else ExitCode.FAILED


def _idle(connection: sqlite3.Connection, after_days: int) -> list[SessionRow]:
    ids = idle_sessions(connection, before=time.time() - after_days * DAY_S)
    return [row for session_id in ids for row in find_session(connection, session_id)]


def _compacted(connection: sqlite3.Connection, paths: Paths, row: SessionRow) -> bool:
    """Compact one session; False when it would not read as before, and was left alone."""
    session_id = row.session_id
    if session_id in held_sessions(paths.locks):
        sys.stderr.write(f"{session_id} is open in another Patchbay: it is left alone.\n")
        return True
    before = session_bytes(connection, session_id)
    try:
        pack_session(connection, session_id, may_go_on=lambda: session_id not in held_sessions(paths.locks))
    except PackingError as error:
        sys.stderr.write(f"Left alone: {safe_line(str(error))}.\n")
        return False
    _say("Compacted", row, before, session_bytes(connection, session_id))
    return True


def _say(done: str, row: SessionRow, before: int, after: int) -> None:
    title = " ".join(safe_line(row.title).split())[:_TITLE_CHARACTERS]
    sys.stdout.write(f"{done} {row.session_id}  {before:,} -> {after:,} bytes  {title}".rstrip() + "\n")


def _give_back(connection: sqlite3.Connection, paths: Paths) -> None:
    """Make the file shorter, and say by how much, or why not."""
    settle(connection)
    before = file_size(connection)
    why = ""
    if before.step_by_step:
        shorten(connection, may_go_on=lambda: True)
    elif before.wasteful:
        why = why_not_anew(connection, paths.database, in_use=bool(held_sessions(paths.locks)))
        if not why:
            write_anew(connection)
    settle(connection)
    after = file_size(connection)
    free = f"; {after.free:,} bytes of it are free for what comes" if after.free else ""
    why = f" and are not given back now: {why}" if why else ""
    sys.stderr.write(f"{paths.database}: {before.total:,} -> {after.total:,} bytes{free}{why}.\n")


@contextlib.contextmanager
def _alone(paths: Paths) -> Generator[None]:
    """Only one process compacts. Raises ``SettingsError`` when another one does."""
    lock = SessionLock(paths.state_folder, "compacting")
    try:
        free = lock.acquire()
    except OSError:  # where nothing can be locked, each step still looks whether its rows are as they were
        free = True
    if not free:
        raise SettingsError("another Patchbay compacts the sessions now. Try again when it is done.")
    try:
        yield
    finally:
        lock.release()


class BackgroundCompaction:
    """Compacts what is idle on a thread of its own, in small steps, until that is done or ``stop`` is called."""

    def __init__(self, paths: Paths, after_days: int, *, begins_after_s: float = BEGINS_AFTER_S) -> None:
        """``after_days`` 0: never."""
        self._paths = paths
        self._after_days = after_days
        self._begins_after_s = begins_after_s
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None

    def begin(self) -> None:
        """Begin some seconds from now. Never blocks."""
        if self._after_days and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="patchbay-compaction", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Break off: the step that runs is undone or done. Blocks for that moment."""
        self._stopped.set()
        if self._thread is None:
            return
        while self._thread.is_alive():
            if (connection := self._connection) is not None:
                with contextlib.suppress(sqlite3.ProgrammingError):  # closed just now
                    connection.interrupt()
            self._thread.join(0.05)

    def wait(self) -> None:
        """Until all is done. For tests."""
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        if self._stopped.wait(self._begins_after_s):
            return
        try:
            with _alone(self._paths):
                self._compact()
        except SettingsError:
            return  # another one is at it
        except (sqlite3.Error, OSError) as error:
            if not self._stopped.is_set():
                note("sessions not compacted", {"error": str(error)}, logging.WARNING)

    def _compact(self) -> None:
        connection = attach(self._paths.database, write=True, wait_s=1.0)
        self._connection = connection
        try:
            rows = 0
            for session_id in idle_sessions(connection, before=time.time() - self._after_days * DAY_S):
                rows += self._packed(connection, session_id)
            if rows:
                note("sessions compacted", {"rows": rows})
            self._shorten(connection, file_size(connection))
        finally:
            self._connection = None
            connection.close()

    def _packed(self, connection: sqlite3.Connection, session_id: str) -> int:
        """Pack one session; one that would not read as before is left alone and does not hold up the others."""
        try:
            return pack_session(connection, session_id, may_go_on=self._rested(session_id))
        except PackingError as error:
            note("session not compacted", {"error": str(error)}, logging.WARNING)
            return 0

    def _shorten(self, connection: sqlite3.Connection, size: FileSize) -> None:
        if size.step_by_step:
            if size.free >= _WORTH_BYTES:
                shorten(connection, may_go_on=self._rested(""))
            return
        anew = size.wasteful and not why_not_anew(connection, self._paths.database, in_use=True)
        if anew and self._rested("")():
            write_anew(connection)

    def _rested(self, session_id: str) -> Callable[[], bool]:
        """Before each step: rest, then say whether to go on."""
        before = time.monotonic()

        def may_go_on() -> bool:
            nonlocal before
            self._stopped.wait(REST * (time.monotonic() - before))
            before = time.monotonic()
            return not self._stopped.is_set() and session_id not in held_sessions(self._paths.locks)

        return may_go_on

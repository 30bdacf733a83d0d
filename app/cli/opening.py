"""Opens the journal a session is written to: a new one, an earlier one gone on with, or a copy of one in use."""

import sqlite3
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ... import __version__
from ...providers.pricing import cost_of
from ...tools.safe_text import safe_line
from ..engine.archive import fork, restore
from ..engine.bus import MessageBus
from ..engine.database import DatabaseUnwritable, Opened, latest_session, open_database
from ..engine.events import NoticeLevel, NoticePosted, SessionStarted
from ..engine.ids import new_id
from ..engine.recorder import Recorder
from ..engine.repair import repair
from ..engine.session_lock import SessionLock
from ..engine.state import SessionState
from ..engine.store import SessionStore
from ..paths import Paths
from ..settings import SettingsError
from .sessions import the_session

COPIED = "That session is open in another Patchbay: this is a copy of it, and both go their own way from here."
BACK = "That session was removed: it is back in the lists, as it is gone on with."


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """A bus whose events are written down, and what has to be closed with it."""

    bus: MessageBus
    recorder: Recorder
    paths: Paths
    lock: SessionLock | None = None
    warnings: tuple[str, ...] = ()

    def close(self) -> str:
        """Write what is left and give the session back. Returns what to tell the person of what cannot be saved."""
        self.recorder.close()
        if self.lock is not None:
            self.lock.release()
        if not self.recorder.left:
            return ""
        from .rescuing import rescued  # hardly ever needed

        return rescued(self.recorder, self.bus.store.state.session_id, self.paths)


def open_journal(paths: Paths, folder: str, *, resume: bool = False, session: str | None = None) -> Journal:
    """The journal of a new session, of the folder's last one (``resume``), or of the one whose id is given.

    Raises ``SettingsError`` when there is no such session, ``DatabaseError`` when the database cannot be read or is
    of a newer version. When it cannot be written, the session goes on in memory and says so.
    """
    try:
        opened = open_database(paths.database)
    except DatabaseUnwritable as error:
        if session is not None:
            raise
        return _in_memory(paths, folder, error)
    try:
        found, removed = _wanted(opened.connection, folder, resume=resume, session=session)
        if found is None:
            return _new(paths, opened, folder)
        if removed:  # what is said in it now would be in no list, and be deleted with it
            restore(opened.connection, found)
        journal = _earlier(paths, opened, found, folder)
        return replace(journal, warnings=(*journal.warnings, BACK)) if removed else journal
    except BaseException:
        opened.connection.close()
        raise


def _in_memory(paths: Paths, folder: str, error: DatabaseUnwritable) -> Journal:
    """A session that nothing can be saved of now; it is, whole, as soon as the disk takes it."""
    session_id = new_id("session")
    bus = MessageBus(SessionStore(SessionState(session_id=session_id)))
    lock, _ = _locked(paths, session_id)
    recorder = Recorder(paths.database, later=True)
    bus.attach(recorder.sink)
    bus.publish(SessionStarted(folder=folder, version=__version__))
    warning = f"This session cannot be saved now: it lives in memory and saving is tried again. {error}"
    return Journal(bus=bus, recorder=recorder, paths=paths, lock=lock, warnings=(warning,))


def _wanted(
    connection: sqlite3.Connection, folder: str, *, resume: bool, session: str | None
) -> tuple[str | None, bool]:
    """The id of the session to go on with, and whether it was removed. Raises ``SettingsError``."""
    if session is not None:
        row = the_session(connection, session)
        return row.session_id, row.removed
    return (latest_session(connection, folder) if resume else None), False


def _new(paths: Paths, opened: Opened, folder: str) -> Journal:
    session_id = new_id("session")
    bus = MessageBus(SessionStore(SessionState(session_id=session_id)))
    lock, _ = _locked(paths, session_id)
    recorder = Recorder(opened)
    bus.attach(recorder.sink)
    bus.publish(SessionStarted(folder=folder, version=__version__))
    return Journal(bus=bus, recorder=recorder, paths=paths, lock=lock, warnings=_said(opened))


def _earlier(paths: Paths, opened: Opened, session_id: str, folder: str) -> Journal:
    """An earlier session, replayed and repaired; a copy of it when another process has it open."""
    from ..engine.snapshots import load_session  # with all that unpacks a state: a new session needs none of it

    lock, free = _locked(paths, session_id)
    if not free:
        session_id, lock = _copy(paths, opened.connection, session_id)
    loaded = load_session(opened.connection, session_id)
    bus = MessageBus(SessionStore(loaded.state), first_seq=loaded.last_seq + 1)
    # From here on the connection is the recorder's own.
    recorder = Recorder(opened, replayed=loaded.weight, answering=loaded.state.answer)
    bus.attach(recorder.sink)
    repair(bus, cost_of)
    for problem in loaded.problems:
        message = f"Part of the session could not be read: {problem}"
        bus.publish(NoticePosted(message=message, level=NoticeLevel.WARNING))
    if loaded.state.folder != folder:  # what the model is told of the folder must be where its tools work
        bus.publish(SessionStarted(folder=folder, version=__version__))
    warnings = (*_said(opened), *(() if free else (COPIED,)), *_moved(loaded.state.folder, folder))
    return Journal(bus=bus, recorder=recorder, paths=paths, lock=lock, warnings=warnings)


def _moved(before: str, folder: str) -> tuple[str, ...]:
    """What is said when a session goes on in another folder than the one it was in last."""
    if not before or before == folder:
        return ()
    gone = "" if Path(before).is_dir() else ", which is gone"
    return (f"This session was in {safe_line(before)}{gone}: its tools work in {safe_line(folder)} from here on.",)


def _copy(paths: Paths, connection: sqlite3.Connection, session_id: str) -> tuple[str, SessionLock | None]:
    copy = new_id("session")
    try:
        fork(connection, session_id, copy, at=time.time())
    except KeyError:
        raise SettingsError(f"the session {session_id} is gone.") from None
    return copy, _locked(paths, copy)[0]


def _locked(paths: Paths, session_id: str) -> tuple[SessionLock | None, bool]:
    """The lock and whether the session is ours. Where nothing can be locked, it is: better than no session."""
    lock = SessionLock(paths.locks, session_id)
    try:
        free = lock.acquire()
    except OSError:
        return None, True
    return (lock if free else None), free


def _said(opened: Opened) -> tuple[str, ...]:
    return (opened.warning,) if opened.warning else ()

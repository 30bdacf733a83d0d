"""Opens the journal a session is written to: a new one, an earlier one gone on with, or a copy of one in use."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from ... import __version__
from ...providers.pricing import cost_of
from ..engine.archive import fork
from ..engine.bus import MessageBus
from ..engine.database import DatabaseUnwritable, connect, latest_session, load_events
from ..engine.events import NoticeLevel, NoticePosted, SessionStarted
from ..engine.ids import new_id
from ..engine.recorder import Recorder
from ..engine.session import repair
from ..engine.session_lock import SessionLock
from ..engine.state import SessionState
from ..engine.store import SessionStore
from ..paths import Paths
from ..settings import SettingsError
from .sessions import the_session

COPIED = "That session is open in another Patchbay: this is a copy of it, and both go their own way from here."


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """A bus whose events are written down, and what has to be closed with it."""

    bus: MessageBus
    recorder: Recorder | None
    """None when nothing can be saved: the session lives in memory."""
    lock: SessionLock | None = None
    warnings: tuple[str, ...] = field(default=())

    def close(self) -> None:
        """Write what is left and give the session back."""
        if self.recorder is not None:
            self.recorder.close()
        if self.lock is not None:
            self.lock.release()


def open_journal(paths: Paths, folder: str, *, resume: bool = False, session: str | None = None) -> Journal:
    """The journal of a new session, of the folder's last one (``resume``), or of the one whose id is given.

    Raises ``SettingsError`` when there is no such session, ``DatabaseError`` when the database cannot be read or is
    of a newer version. When it cannot be written, the session goes on in memory and says so.
    """
    try:
        found = _wanted(paths.database, folder, resume=resume, session=session)
        return _new(paths, folder) if found is None else _earlier(paths, found)
    except DatabaseUnwritable as error:
        if session is not None:
            raise
        bus = MessageBus(SessionStore(SessionState(session_id=new_id("session"))))
        bus.publish(SessionStarted(folder=folder, version=__version__))
        warning = f"This session cannot be saved and lives in memory only. {error}"
        return Journal(bus=bus, recorder=None, warnings=(warning,))


def _wanted(database: Path, folder: str, *, resume: bool, session: str | None) -> str | None:
    """The id of the session to go on with. Raises ``SettingsError``."""
    if session is None and not resume:
        return None
    connection = connect(database)
    try:
        return latest_session(connection, folder) if session is None else the_session(connection, session).session_id
    finally:
        connection.close()


def _new(paths: Paths, folder: str) -> Journal:
    session_id = new_id("session")
    bus = MessageBus(SessionStore(SessionState(session_id=session_id)))
    recorder = Recorder(paths.database)
    bus.attach(recorder.sink)
    lock, _ = _locked(paths, session_id)
    bus.publish(SessionStarted(folder=folder, version=__version__))
    return Journal(bus=bus, recorder=recorder, lock=lock, warnings=_said(recorder.warning))


def _earlier(paths: Paths, session_id: str) -> Journal:
    """An earlier session, replayed and repaired; a copy of it when another process has it open."""
    lock, free = _locked(paths, session_id)
    warnings: list[str] = []
    if not free:
        session_id, lock = _copy(paths, session_id)
        warnings.append(COPIED)
    recorder = Recorder(paths.database)
    connection = connect(paths.database)
    try:
        events, last, problems = load_events(connection, session_id)
    finally:
        connection.close()
    store = SessionStore(SessionState(session_id=session_id))
    store.replay(events)
    bus = MessageBus(store, first_seq=last + 1)
    bus.attach(recorder.sink)
    repair(bus, cost_of)
    for problem in problems:
        message = f"Part of the session could not be read: {problem}"
        bus.publish(NoticePosted(message=message, level=NoticeLevel.WARNING))
    return Journal(bus=bus, recorder=recorder, lock=lock, warnings=(*_said(recorder.warning), *warnings))


def _copy(paths: Paths, session_id: str) -> tuple[str, SessionLock | None]:
    copy = new_id("session")
    connection = connect(paths.database)
    try:
        fork(connection, session_id, copy, at=time.time())
    except KeyError:
        raise SettingsError(f"the session {session_id} is gone.") from None
    finally:
        connection.close()
    return copy, _locked(paths, copy)[0]


def _locked(paths: Paths, session_id: str) -> tuple[SessionLock | None, bool]:
    """The lock and whether the session is ours. Where nothing can be locked, it is: better than no session."""
    lock = SessionLock(paths.state_folder / "locks", session_id)
    try:
        free = lock.acquire()
    except OSError:
        return None, True
    return (lock if free else None), free


def _said(warning: str) -> tuple[str, ...]:
    return (warning,) if warning else ()

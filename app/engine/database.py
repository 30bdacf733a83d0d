"""The one SQLite database: opening, modes, numbered migrations, salvage, and reading sessions back.

WAL, so that a reader never waits for the writer and a killed process loses nothing that was committed. The file
is readable by its owner only. ``PRAGMA user_version`` counts migrations; a newer database is refused by name. A
damaged file is set aside, never deleted, and what can still be read goes on in a new one.
"""

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from ..paths import make_private_file
from .codec import decode_event
from .events import Stamped
from .fault_points import reached
from .packed_rows import journal_rows
from .salvage import alone, finish_salvage, salvage, salvage_unfinished
from .schema import MIGRATIONS

_CHECKED_BYTES = 256_000_000
"""Files up to this size are checked at every opening (about a millisecond a megabyte)."""


class DatabaseError(Exception):
    """The database cannot be used; the message names the file, the cause and the fix."""


class DatabaseUnwritable(DatabaseError):
    """Nothing can be written there now: no space, no right, a read-only or failing disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An open database, and what had to be done for it, in words ("" if nothing)."""

    connection: sqlite3.Connection
    warning: str = ""


def connect(path: Path) -> sqlite3.Connection:
    """Open (and create or migrate) the database. Raises ``DatabaseError``."""
    return open_database(path).connection


def open_database(path: Path, *, wait_s: float = 10.0) -> Opened:
    """Open (and create, migrate or salvage) the database. Raises ``DatabaseError``.

    ``wait_s`` is how long another process is waited for that holds it locked.
    """
    try:
        if salvage_unfinished(path):
            with alone(path):
                finish_salvage(path)
        try:
            return Opened(connection=_open(path, wait_s))
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
        with alone(path):
            return _salvaged(path, wait_s)
    except (OSError, sqlite3.OperationalError) as error:
        raise DatabaseUnwritable(
            f"{path}: the session database cannot be opened ({error}). Move the file away to start afresh, or set"
            " XDG_STATE_HOME to a folder that can be written."
        ) from error
    except sqlite3.Error as error:
        raise DatabaseError(f"{path}: the session database cannot be opened ({error}). Move the file away.") from error


def attach(path: Path, *, write: bool = False, wait_s: float = 5.0) -> sqlite3.Connection:
    """One more connection to a database that somebody else opened: nothing is created, checked or migrated.

    ``wait_s`` is how long another writer is waited for. May be used by several threads, one at a time. Raises
    ``sqlite3.OperationalError`` when there is no such file.
    """
    uri = f"{path.absolute().as_uri()}?mode={'rw' if write else 'ro'}"
    return sqlite3.connect(uri, uri=True, timeout=wait_s, check_same_thread=False)


def _salvaged(path: Path, wait_s: float) -> Opened:
    """A new database with what the damaged one still gives; another process may have seen to it meanwhile."""
    try:
        return Opened(connection=_open(path, wait_s))
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        aside, kept = salvage(path, MIGRATIONS)
        warning = (
            f"The session database was damaged ({error}). What could be read ({kept:,} rows) goes on in a new one; "
            f"the damaged file is kept as {aside}."
        )
        return Opened(connection=_open(path, wait_s), warning=warning)


def _open(path: Path, wait_s: float) -> sqlite3.Connection:
    make_private_file(path)
    reached("open.created")
    connection = sqlite3.connect(path, check_same_thread=False, timeout=wait_s)
    try:
        if not path.stat().st_size:  # a new file; said to an older one, it writes
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _migrate(connection, path)
        _check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raises ``sqlite3.DatabaseError`` when pages of the file do not fit together."""
    if path.stat().st_size > _CHECKED_BYTES:
        return
    verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"malformed: {verdict.splitlines()[0]}")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is at fault, not the disk, the rights or another process."""
    words = str(error)
    return any(sign in words for sign in ("malformed", "not a database", "disk image", "file is encrypted"))


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection)
    if version > len(MIGRATIONS):
        raise DatabaseError(
            f"{path}: written by a newer Patchbay (schema {version}, this one knows {len(MIGRATIONS)}). Install a"
            " newer one, or set XDG_STATE_HOME to another folder."
        )
    for number in range(version, len(MIGRATIONS)):
        reached("migrate.begun")
        step = f"PRAGMA user_version = {number + 1}"
        try:
            connection.executescript("\n".join(("BEGIN IMMEDIATE;", MIGRATIONS[number], step, "; COMMIT;")))
        except sqlite3.OperationalError:
            connection.rollback()
            if _version(connection) <= number:  # else another process has just done it
                raise
        reached("migrate.done")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def file_of(connection: sqlite3.Connection) -> Path:
    """The file behind a connection."""
    return Path(str(connection.execute("PRAGMA database_list").fetchone()[2]))


def latest_session(connection: sqlite3.Connection, folder: str) -> str | None:
    """The id of the session last used in a folder that has at least one prompt and was not removed."""
    row = connection.execute(
        "SELECT id FROM sessions WHERE folder = ? AND title IS NOT NULL AND removed_at IS NULL"
        " ORDER BY updated_at DESC LIMIT 1",
        (folder,),
    ).fetchone()
    return None if row is None else str(row[0])


def load_events(
    connection: sqlite3.Connection, session_id: str, *, after: int = 0
) -> tuple[list[Stamped], int, list[str]]:
    """A session's journal in order from behind ``after`` on, its last ``seq``, and what could not be read (in words).

    The last ``seq`` is 0 when there is nothing.
    """
    events: list[Stamped] = []
    problems: list[str] = []
    last = 0
    for row in journal_rows(connection, session_id, after=after, problems=problems):
        last = max(last, row.last_seq)
        try:
            event = decode_event(json.loads(row.body))
        except ValueError as error:
            problems.append(f"event {row.seq}: {error}")
            continue
        events.append(Stamped(seq=row.seq, at=row.at, session_id=session_id, event=event))
    return events, last, problems

"""The one SQLite database: opening, modes, numbered migrations, and reading sessions back.

WAL, so that a reader never waits for the writer and a killed process loses nothing that was committed. The file
is readable by its owner only. ``PRAGMA user_version`` counts migrations; a newer database is refused by name.
"""

import json
import sqlite3
from pathlib import Path

from ..paths import make_private_file
from .codec import decode_event
from .events import Stamped

MIGRATIONS = (
    """
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY, folder TEXT NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL,
        title TEXT, model TEXT
    ) STRICT;
    CREATE INDEX sessions_by_folder ON sessions (folder, updated_at);
    CREATE TABLE events (
        session_id TEXT NOT NULL, seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, at REAL NOT NULL,
        type TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (session_id, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE calls (
        request_id TEXT PRIMARY KEY, session_id TEXT NOT NULL, turn_id TEXT NOT NULL, at REAL NOT NULL,
        provider TEXT NOT NULL, model TEXT NOT NULL, input_tokens INTEGER, cache_read_tokens INTEGER,
        cache_write_tokens INTEGER, output_tokens INTEGER, thinking_tokens INTEGER, price TEXT, cost TEXT,
        currency TEXT NOT NULL, source TEXT NOT NULL, duration_s REAL NOT NULL, first_token_s REAL, error_kind TEXT
    ) STRICT;
    CREATE INDEX calls_by_session ON calls (session_id, at);
    """,
)
"""One script for each schema version; never edited once released, only appended to."""


class DatabaseError(Exception):
    """The database cannot be used; the message names the file, the cause and the fix."""


def connect(path: Path) -> sqlite3.Connection:
    """Open (and create or migrate) the database. Raises ``DatabaseError``."""
    try:
        make_private_file(path)
        connection = sqlite3.connect(path, check_same_thread=False, timeout=10)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _migrate(connection, path)
    except (OSError, sqlite3.Error) as error:
        raise DatabaseError(
            f"{path}: the session database cannot be opened ({error}). Move the file away to start afresh, or set"
            " XDG_STATE_HOME to a folder that can be written."
        ) from error
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise DatabaseError(
            f"{path}: written by a newer Patchbay (schema {version}, this one knows {len(MIGRATIONS)}). Install a"
            " newer one, or set XDG_STATE_HOME to another folder."
        )
    for number in range(version, len(MIGRATIONS)):
        step = f"PRAGMA user_version = {number + 1}"
        connection.executescript("\n".join(("BEGIN IMMEDIATE;", MIGRATIONS[number], step, "; COMMIT;")))


def latest_session(connection: sqlite3.Connection, folder: str) -> str | None:
    """The id of the session last used in a folder that has at least one prompt."""
    row = connection.execute(
        "SELECT id FROM sessions WHERE folder = ? AND title IS NOT NULL ORDER BY updated_at DESC LIMIT 1", (folder,)
    ).fetchone()
    return None if row is None else str(row[0])


def load_events(connection: sqlite3.Connection, session_id: str) -> tuple[list[Stamped], int, list[str]]:
    """A session's journal in order, its last ``seq``, and what could not be read (in words)."""
    events: list[Stamped] = []
    problems: list[str] = []
    last = 0
    rows = connection.execute(
        "SELECT seq, last_seq, at, body FROM events WHERE session_id = ? ORDER BY seq", (session_id,)
    )
    for seq, last_seq, at, body in rows:
        last = max(last, int(last_seq))
        try:
            event = decode_event(json.loads(body))
        except ValueError as error:
            problems.append(f"event {seq}: {error}")
            continue
        events.append(Stamped(seq=int(seq), at=float(at), session_id=session_id, event=event))
    return events, last, problems

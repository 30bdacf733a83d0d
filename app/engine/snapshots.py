"""Snapshots: the state of a session at a point of its journal, so that going on costs what came after it.

A snapshot is made from the journal, never from memory: what it says is what a replay says, and nothing is in it that
is not saved. It is only ever a shortcut. One that is damaged, of another version, or not of this journal is passed
over, and the journal is replayed as if there were none.
"""

import contextlib
import functools
import gc
import sqlite3
import time
import zlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from ... import __version__
from .database import attach, file_of, load_events
from .fault_points import reached
from .kept_text import Shelf
from .packed_rows import PackedTexts, digest, row_ends_at
from .snapshotter import EVENT_CHARS
from .state import SessionState
from .state_codec import StateError, layout_number, pack_state, unpack_state
from .store import SessionStore

_MEANING = 2
"""Raised when the reducer makes another state of the same journal."""
_BATCH_BYTES = 2_000_000
"""Compressed text that is written in one transaction, so that nobody waits long for the lock."""
_LEVEL = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A session as it was left."""

    state: SessionState
    last_seq: int
    problems: list[str]
    """What could not be read, in words."""
    snapshot_seq: int
    """Up to where a snapshot told it; 0 without one."""
    weight: int
    """What was replayed, in events (long ones count for more)."""


def load_session(connection: sqlite3.Connection, session_id: str) -> Loaded:
    """The newest snapshot and what came after it. Raises ``sqlite3.Error`` when the journal cannot be read."""
    with _without_collections():
        seq, state = _newest(connection, session_id)
        events, last, problems = load_events(connection, session_id, after=seq)
        weight = len(events) + _chars_after(connection, session_id, seq) // EVENT_CHARS
        store = SessionStore(state)
        store.replay(events)
    return Loaded(state=store.state, last_seq=max(last, seq), problems=problems, snapshot_seq=seq, weight=weight)


def renew(connection: sqlite3.Connection, session_id: str) -> int:
    """Make a snapshot of the session as it is on disk; returns up to which ``seq``, 0 when there is nothing.

    Raises ``sqlite3.Error`` when the disk refuses, TypeError for a state that cannot be packed.
    """
    loaded = load_session(connection, session_id)
    if loaded.last_seq <= loaded.snapshot_seq:
        return loaded.snapshot_seq
    reached("snapshot.begun")
    texts = _Texts(connection, session_id)
    body = pack_state(loaded.state, texts)
    texts.flush()
    reached("snapshot.texts")
    with connection:
        connection.execute(
            "INSERT OR REPLACE INTO snapshots (session_id, seq, made_at, format, body) VALUES (?, ?, ?, ?, ?)",
            (session_id, loaded.last_seq, time.time(), format_number(), body),
        )
        reached("snapshot.before_commit")
    reached("snapshot.committed")
    return loaded.last_seq


@functools.cache
def format_number() -> int:
    """A snapshot with another number was made by another Patchbay, which may have meant another state."""
    return zlib.crc32(f"{_MEANING} {__version__} {layout_number()}".encode())


def _newest(connection: sqlite3.Connection, session_id: str) -> tuple[int, SessionState]:
    """The snapshot that can be used and its ``seq``; an empty state at 0 when there is none."""
    nothing = 0, SessionState(session_id=session_id)
    try:
        row = connection.execute(
            "SELECT seq, body FROM snapshots WHERE session_id = ? AND format = ?", (session_id, format_number())
        ).fetchone()
        if row is None or not _in_journal(connection, session_id, int(row[0])):
            return nothing
        state = unpack_state(bytes(row[1]), database_shelf(file_of(connection), session_id))
    except (sqlite3.Error, StateError):
        return nothing
    return (int(row[0]), state) if state.session_id == session_id else nothing


def _in_journal(connection: sqlite3.Connection, session_id: str, seq: int) -> bool:
    """Whether the journal has a row that ends just there: else it is not the one the snapshot was made of."""
    return row_ends_at(connection, session_id, seq)


def _chars_after(connection: sqlite3.Connection, session_id: str, seq: int) -> int:
    query = (
        "SELECT coalesce((SELECT sum(length(body)) FROM events WHERE session_id = ?1 AND seq > ?2), 0)"
        " + coalesce((SELECT sum(chars) FROM packs WHERE session_id = ?1 AND seq > ?2), 0)"
    )
    return int(connection.execute(query, (session_id, seq)).fetchone()[0])


@contextlib.contextmanager
def _without_collections() -> Generator[None]:
    """Many objects are made and none is thrown away: looking for garbage meanwhile doubles the time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Texts:
    """Puts texts aside, each once, under the digest of its content."""

    def __init__(self, connection: sqlite3.Connection, session_id: str) -> None:
        self._connection = connection
        self._session_id = session_id
        rows = connection.execute(
            "SELECT name FROM kept_texts WHERE session_id = ?1"
            " UNION ALL SELECT name FROM pack_texts WHERE session_id = ?1",
            (session_id,),
        )
        self._known = {str(row[0]) for row in rows}
        self._waiting: list[tuple[str, str, bytes]] = []
        self._bytes = 0

    def put(self, text: str) -> str:
        """Keep a text; returns its name."""
        plain = text.encode("utf-8", "surrogatepass")
        name = digest(plain)
        if name not in self._known:
            reached("snapshot.text")
            self._known.add(name)
            body = zlib.compress(plain, _LEVEL)
            self._waiting.append((self._session_id, name, body))
            self._bytes += len(body)
            if self._bytes >= _BATCH_BYTES:
                self.flush()
        return name

    def flush(self) -> None:
        """Write what waits."""
        with self._connection:
            self._connection.executemany(
                "INSERT OR IGNORE INTO kept_texts (session_id, name, body) VALUES (?, ?, ?)", self._waiting
            )
        self._waiting, self._bytes = [], 0


@functools.lru_cache(maxsize=8)
def database_shelf(database: Path, session_id: str) -> Shelf:
    """The texts of a session that lie in this database; one shelf a session, so that they are remembered once."""
    return Shelf(_DatabaseTexts(database, session_id).fetch)


class _DatabaseTexts:
    """Reads texts through a connection of its own, opened when the first is asked for."""

    def __init__(self, database: Path, session_id: str) -> None:
        self._database = database
        self._session_id = session_id
        self._connection: sqlite3.Connection | None = None
        self._lock = Lock()

    def fetch(self, name: str) -> str | None:
        """The text, or None when it is not there or is not what it was.

        A miss is looked for once more over a new connection: the file may have been moved, and the session's rows
        with it, since the first one was opened.
        """
        with self._lock:
            known = self._connection is not None
            text = self._look(name)
            if text is None and known:
                self._disconnect()
                text = self._look(name)
            return text

    def _look(self, name: str) -> str | None:
        try:
            if self._connection is None:
                self._connection = attach(self._database)
            row = self._connection.execute(
                "SELECT body FROM kept_texts WHERE session_id = ? AND name = ?", (self._session_id, name)
            ).fetchone()
            if row is None:  # the journal was compacted: it has the text itself
                return PackedTexts(self._connection, self._session_id).read(name)
            plain = zlib.decompress(bytes(row[0]))
        except (sqlite3.Error, zlib.error):
            return None
        return plain.decode("utf-8", "surrogatepass") if digest(plain) == name else None

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

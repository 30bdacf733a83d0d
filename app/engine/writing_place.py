"""Where a recorder writes: the database file, opened again or anew when something happened to it.

A file that was deleted, moved, replaced or overwritten under a running session is noticed before the next commit. The
session's rows are taken from the file that is still open into the one that stands there now; those of other sessions
only when it was overwritten: else somebody may have wanted them gone.
"""

import contextlib
import os
import sqlite3
from collections.abc import Generator, Iterable
from pathlib import Path

from ..paths import make_private_file
from .database import is_damage, open_database
from .file_probe import FileProbe

_WAIT_S = 3.0
"""How long another process is waited for that holds the database, at first and while it keeps holding it."""
_WAIT_AGAIN_S = 0.1
_COPIED = {
    "sessions": "id",
    "events": "session_id",
    "packs": "session_id",
    "pack_texts": "session_id",
    "calls": "session_id",
    "texts": "session_id",
    "drafts": "session_id",
}
"""The tables that hold a session, and the column that names it."""
MOVED = "The session database was deleted, moved or overwritten while this session ran. It goes on, whole, in {}."


class WritingPlace:
    """An open database, or one that cannot be opened now. Used by one thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection | None) -> None:
        self.path = path
        self._connection = connection
        self._probe = None if connection is None else _probe(path)
        self._reopen = False
        self._cut = False
        self._written = 0
        self._warnings: list[str] = []
        if connection is not None:
            _wait(connection, _WAIT_S)

    @property
    def connection(self) -> sqlite3.Connection:
        """The open database. Raises OSError when there is none."""
        if self._connection is None:
            raise OSError("the session database is not open")
        return self._connection

    @contextlib.contextmanager
    def ready(self, session_id: str) -> Generator[sqlite3.Connection]:
        """A transaction in the file that stands at the path. Raises OSError, ``sqlite3.Error``, ``DatabaseError``."""
        connection = self._connection
        # SQLite itself never shortens its journal but to nothing: rows written behind a cut would be lost with it.
        self._cut = 0 < self._journal_bytes() < self._written
        self._reopen |= self._cut
        if connection is None or self._reopen:
            connection = self._open(None)
        elif not self._in_place:
            connection = self._open(session_id)
        with connection:
            yield connection
        self._written = self._journal_bytes()
        _wait(connection, _WAIT_S)

    @property
    def _in_place(self) -> bool:
        """Whether the open file stands at the path and begins like a database."""
        return self._probe is not None and self._probe.stands_at(self.path) and self._probe.is_database()

    def _journal_bytes(self) -> int:
        with contextlib.suppress(OSError):
            return os.stat(f"{self.path}-wal").st_size
        return 0

    def failed(self, error: Exception) -> None:
        """The last transaction did not come about: next time nobody is waited for long."""
        if self._connection is None:
            return
        self._reopen |= isinstance(error, sqlite3.Error) and is_damage(error)
        with contextlib.suppress(sqlite3.Error):
            _wait(self._connection, _WAIT_AGAIN_S)

    def take_warnings(self) -> list[str]:
        """What had to be done for the file, in words; each is given once."""
        warnings, self._warnings = self._warnings, []
        return warnings

    def close(self) -> None:
        """Close what is open."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._forget()

    def _forget(self) -> None:
        if self._probe is not None:
            self._probe.close()
            self._probe = None

    def _open(self, taken_along: str | None) -> sqlite3.Connection:
        """Open the file anew; with the rows of a session from the one that is open, if one is named."""
        old = self._connection
        if self._reopen and old is not None:  # before it is salvaged: its locks and its journal would be in the way
            self._let_go(old)
            old = self._connection = None
        overwritten = self.path.exists() and not _is_database(self.path)
        if old is not None and not self.path.exists():
            self._leave(old)
        opened = open_database(self.path, wait_s=_WAIT_S if old is not None else _WAIT_AGAIN_S)
        try:
            if old is not None and taken_along is not None:
                _copy(old, opened.connection, None if overwritten else taken_along)
                self._warnings.append(MOVED.format(self.path))
        except BaseException:
            opened.connection.close()
            raise
        if old is not None:
            old.close()
        if opened.warning:
            self._warnings.append(opened.warning)
        self._forget()
        self._connection, self._probe, self._reopen = opened.connection, _probe(self.path), False
        self._written = 0
        return opened.connection

    def _let_go(self, old: sqlite3.Connection) -> None:
        """Close a database that is damaged, without that the last words of SQLite damage it further.

        Closing moves the journal into the file. When the journal was cut, what SQLite remembers of it is no longer
        there: it moves into a file without a name, and a copy of what stood there is read anew.
        """
        copies: list[tuple[Path, Path]] = []
        if self._cut and self._probe is not None and self._probe.stands_at(self.path):
            copies = [(_beside(self.path, ending, "rescued"), _beside(self.path, ending)) for ending in ("", "-wal")]
            _write(copies[0][0], self._probe.chunks())
            copies[1][0].write_bytes(copies[1][1].read_bytes())
            for ending in ("", "-wal", "-shm"):
                _beside(self.path, ending).unlink(missing_ok=True)
        with contextlib.suppress(sqlite3.Error):
            old.close()
        for copy, place in reversed(copies):
            os.replace(copy, place)

    def _leave(self, old: sqlite3.Connection) -> None:
        """The file has another name or none; its journal, which kept the old name, is no part of a new one."""
        with contextlib.suppress(sqlite3.Error):
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        for ending in ("-wal", "-shm"):
            Path(f"{self.path}{ending}").unlink(missing_ok=True)


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, session_id: str | None) -> None:
    """Take a session's rows along; those of all sessions when None."""
    with target:
        for table, column in _COPIED.items():
            names = [str(row[1]) for row in source.execute(f"PRAGMA table_info({table})")]
            names = [name for name in names if (table, name) != ("texts", "id")]
            listed, marks = ", ".join(names), ", ".join("?" * len(names))
            insert = f"INSERT OR IGNORE INTO {table} ({listed}) VALUES ({marks})"  # noqa: S608 - our own names
            which = "?1 IS NULL OR " + column + " = ?1"
            rows = source.execute(f"SELECT {listed} FROM {table} WHERE {which}", (session_id,))  # noqa: S608
            try:
                target.executemany(insert, rows)
            except sqlite3.DatabaseError as error:  # what can be read is taken along
                if not is_damage(error):
                    raise


def _probe(path: Path) -> FileProbe | None:
    try:
        return FileProbe(path)
    except OSError:
        return None


def _is_database(path: Path) -> bool:
    """Whether the file at a path, whichever it is now, begins like a database."""
    probe = _probe(path)
    if probe is None:
        return False
    found = probe.is_database()
    probe.close()
    return found


def _beside(path: Path, ending: str, word: str = "") -> Path:
    """A database's file (``ending`` empty) or one of its companions; with ``word`` a name that SQLite does not know."""
    return path.with_name(f"{path.stem}{'.' + word if word else ''}{path.suffix}{ending}")


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    """A file for its owner only."""
    with open(make_private_file(path), "wb") as file:
        file.writelines(chunks)


def _wait(connection: sqlite3.Connection, seconds: float) -> None:
    connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")

"""Gives back to the disk what a database no longer uses: deleted rows leave free pages, which SQLite keeps.

A new file can be shortened a few pages at a time. An older one has to be written anew once (``VACUUM``), which nobody
else can write during: only when that is short or nobody waits, and when the disk has room for it.
"""

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .fault_points import reached

STEP_PAGES = 256
"""Pages that are given back in one transaction: a megabyte."""
WORTH_SHARE = 0.2
"""The share of free pages from which on a file is written anew."""
SHORT_BYTES = 32_000_000
"""What is written anew within the time that other processes wait for the lock without a word."""
_INCREMENTAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSize:
    """A database's bytes, and how many of them are free pages."""

    total: int
    free: int
    step_by_step: bool
    """Whether free pages can be given back a few at a time."""

    @property
    def used(self) -> int:
        """Bytes that hold something."""
        return self.total - self.free

    @property
    def wasteful(self) -> bool:
        """Whether so much is free that writing the file anew is worth it."""
        return self.free >= WORTH_SHARE * self.total > 0


def file_size(connection: sqlite3.Connection) -> FileSize:
    """How large the database is. Raises ``sqlite3.Error``."""
    page, pages, free, mode = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_size", "page_count", "freelist_count", "auto_vacuum")
    )
    return FileSize(total=page * pages, free=page * free, step_by_step=mode == _INCREMENTAL)


def shorten(connection: sqlite3.Connection, *, may_go_on: Callable[[], bool]) -> None:
    """Give free pages back a few at a time, asking before each step. Raises ``sqlite3.Error``."""
    while may_go_on() and (size := file_size(connection)).free and size.step_by_step:
        reached("pages.begun")
        # As a script: ``execute`` ends a statement without columns after its first step, which is one page.
        connection.executescript(f"PRAGMA incremental_vacuum({STEP_PAGES})")
        reached("pages.given")
        if file_size(connection).free >= size.free:
            return


def why_not_anew(connection: sqlite3.Connection, file: Path, *, in_use: bool) -> str:
    """Why the file cannot be written anew now, in words; empty when it can. ``in_use``: a session writes to it."""
    size = file_size(connection)
    if in_use and size.used > SHORT_BYTES:
        return "a session is open, and would have to wait for it"
    # Once into a temporary file, once into the journal, from where it is moved into the file.
    needed, room = 2 * size.used, shutil.disk_usage(file.parent).free
    return "" if room > needed + SHORT_BYTES else f"the disk has room for {room:,} bytes, and {needed:,} are needed"


def write_anew(connection: sqlite3.Connection) -> None:
    """Write the whole file without its free pages; from then on it is shortened step by step. Raises sqlite3.Error."""
    reached("pages.begun")
    connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
    connection.execute("VACUUM")
    reached("pages.given")


def settle(connection: sqlite3.Connection) -> None:
    """Move what was written into the file, so that it is as short as it is: as far as readers let that happen now."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

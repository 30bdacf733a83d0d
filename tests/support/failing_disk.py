"""Ways a disk lets a running session down, each with how it ends, and what may be lost by it."""

import os
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from patchbay.app.engine import fault_points
from patchbay.app.engine.database import connect
from patchbay.app.engine.recorder import Recorder
from support.journals import written_session

Failing: TypeAlias = Callable[[Path, Recorder], Iterator[None]]
"""A generator: up to its ``yield`` the disk fails, after it it works again."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A kind of failure."""

    name: str
    begin: Failing
    words: str
    """What the message must say; empty when the session may not even notice."""
    destroys: bool = False
    """True when what was saved before is destroyed from outside: only what comes after it can be whole."""
    ends: bool = True
    """False when nothing has to be mended: the next commit finds its way."""


def _full_pages(_database: Path, recorder: Recorder) -> Iterator[None]:
    connection = recorder._place.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with _when_written(lambda: None):
        yield
    connection.execute("PRAGMA max_page_count = 1000000000")


def _full_files(database: Path, _recorder: Recorder) -> Iterator[None]:
    """No file may grow: what the kernel says is what it says on a full disk, but for the number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    wal = Path(f"{database}-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(4096, wal.stat().st_size if wal.exists() else 0), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def _when_written(fail: Callable[[], None], point: str = "write.row") -> Iterator[None]:
    fault_points.on_reaching(lambda reached: fail() if reached == point else None)
    try:
        yield
    finally:
        fault_points.on_reaching(None)


def _error_at(point: str, error: Exception) -> Failing:
    def begin(_database: Path, _recorder: Recorder) -> Iterator[None]:
        def fail() -> None:
            raise error

        with _when_written(fail, point):
            yield

    return begin


def _read_only(_database: Path, recorder: Recorder) -> Iterator[None]:
    recorder._place.connection.execute("PRAGMA query_only = 1")
    yield
    recorder._place.connection.execute("PRAGMA query_only = 0")


def _locked(kind: str) -> Failing:
    def begin(database: Path, _recorder: Recorder) -> Iterator[None]:
        other = sqlite3.connect(database, isolation_level=None, timeout=30)
        other.execute(f"BEGIN {kind}")
        yield
        other.execute("ROLLBACK")
        other.close()

    return begin


def _deleted(database: Path, _recorder: Recorder) -> Iterator[None]:
    for ending in ("", "-wal", "-shm"):
        Path(f"{database}{ending}").unlink(missing_ok=True)
    yield


def _folder_gone(database: Path, _recorder: Recorder) -> Iterator[None]:
    shutil.rmtree(database.parent)
    yield


def _folder_in_the_way(database: Path, _recorder: Recorder) -> Iterator[None]:
    """The folder is gone and cannot be made again for a while."""
    shutil.rmtree(database.parent)
    database.parent.write_text("in the way")
    yield
    database.parent.unlink()


def _moved(database: Path, _recorder: Recorder) -> Iterator[None]:
    os.replace(database, database.with_name("elsewhere.db"))
    yield


def _replaced(database: Path, _recorder: Recorder) -> Iterator[None]:
    """Another process has made a new database in its place, with a session of its own."""
    for ending in ("", "-wal", "-shm"):
        Path(f"{database}{ending}").unlink(missing_ok=True)
    written_session(database, "session-other", prompts=1)
    yield


def _truncated_journal(database: Path, _recorder: Recorder) -> Iterator[None]:
    wal = Path(f"{database}-wal")
    if wal.exists():
        os.truncate(wal, wal.stat().st_size // 2)
    yield


def _overwritten(database: Path, recorder: Recorder) -> Iterator[None]:
    recorder._place.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with open(database, "r+b") as file:
        file.write(b"not a database any more" * 200)
    yield


def _without_snapshots(database: Path, _recorder: Recorder) -> Iterator[None]:
    connection = connect(database)
    connection.executescript("DROP TABLE snapshots; DROP TABLE kept_texts;")
    connection.close()
    yield


def _nonsense_snapshots(database: Path, _recorder: Recorder) -> Iterator[None]:
    connection = connect(database)
    with connection:
        connection.execute("UPDATE snapshots SET body = x'00ff', seq = 2")
        connection.execute("DELETE FROM kept_texts")
    connection.close()
    yield


FAULTS = (
    Fault(name="no page left", begin=_full_pages, words="full"),
    Fault(name="no file may grow", begin=_full_files, words="cannot be saved"),
    Fault(
        name="full at the commit",
        begin=_error_at("write.before_commit", sqlite3.OperationalError("database or disk is full")),
        words="full",
    ),
    Fault(
        name="EIO at the first row",
        begin=_error_at("write.begun", sqlite3.OperationalError("disk I/O error")),
        words="disk I/O error",
    ),
    Fault(
        name="EIO in a row", begin=_error_at("write.row", OSError(5, "Input/output error")), words="Input/output error"
    ),
    Fault(
        name="EIO at the commit",
        begin=_error_at("write.before_commit", sqlite3.OperationalError("disk I/O error")),
        words="disk I/O error",
    ),
    Fault(name="read-only", begin=_read_only, words="readonly"),
    Fault(name="another writer", begin=_locked("IMMEDIATE"), words="locked"),
    Fault(name="another process alone", begin=_locked("EXCLUSIVE"), words="locked"),
    Fault(name="deleted", begin=_deleted, words="deleted, moved", ends=False),
    Fault(name="folder gone", begin=_folder_gone, words="deleted, moved", ends=False),
    Fault(name="folder in the way", begin=_folder_in_the_way, words="cannot be saved"),
    Fault(name="moved", begin=_moved, words="deleted, moved", ends=False),
    Fault(name="replaced", begin=_replaced, words="deleted, moved", ends=False),
    Fault(name="journal cut in half", begin=_truncated_journal, words="", destroys=True, ends=False),
    Fault(name="overwritten", begin=_overwritten, words="database", destroys=True, ends=False),
    Fault(name="no snapshots", begin=_without_snapshots, words="", ends=False),
    Fault(name="nonsense for snapshots", begin=_nonsense_snapshots, words="", ends=False),
)

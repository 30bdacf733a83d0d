"""Reads what can still be read of a damaged database into a new one. The damaged file is kept.

Rows are read in the order of their key from both ends, so that a page that cannot be read costs what lies there and
not what lies behind it.
"""

import contextlib
import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..paths import make_private_file
from .fault_points import reached
from .schema import SESSION_TABLES


def salvage(path: Path, migrations: Sequence[str]) -> tuple[Path, int]:
    """Put a new file in the place of a damaged one; returns the old one's new name and how many rows were saved.

    At no moment is there less than before: the new file is filled beside the old one and takes its place when it is
    whole. A process that dies in between leaves that to the next (``finish_salvage``). Raises OSError and
    ``sqlite3.Error`` when not even the new file can be written.
    """
    reached("salvage.begun")
    new = _beside(path, ".salvaging")
    _remove(new)
    make_private_file(new)
    target = sqlite3.connect(new)
    try:
        target.execute("PRAGMA auto_vacuum = INCREMENTAL")
        for number, script in enumerate(migrations, 1):
            target.executescript(f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;")
        kept = _copied(path, target)
    finally:
        target.close()
    reached("salvage.filled")
    os.replace(new, _beside(path, ".salvaged"))
    reached("salvage.whole")
    return _take_over(path), kept


def salvage_unfinished(path: Path) -> bool:
    """Whether a process died in the last steps of a salvage (or is at them now)."""
    return _beside(path, ".salvaged").exists()


def finish_salvage(path: Path) -> None:
    """Do what is left of a salvage whose process died."""
    if salvage_unfinished(path):
        _take_over(path)


@contextlib.contextmanager
def alone(path: Path) -> Generator[None]:
    """Only one process at a time salvages a file; the others wait for it. Raises OSError."""
    descriptor = os.open(_beside(path, ".salvage-lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _take_over(path: Path) -> Path:
    """The damaged file gets another name, with its journal, and the new one its own. Can be begun again anywhere."""
    aside = _set_aside(path)
    reached("salvage.linked")
    for ending in ("-wal", "-shm"):  # a journal that is left would be taken for the new file's
        Path(f"{path}{ending}").unlink(missing_ok=True)
    reached("salvage.cleared")
    os.replace(_beside(path, ".salvaged"), path)
    reached("salvage.replaced")
    return aside


def _set_aside(path: Path) -> Path:
    """Give the damaged file and its journal a second name. It may have one already, from a process that died."""
    stamp, number = time.strftime("%Y%m%d-%H%M%S"), 1
    for earlier in path.parent.glob(f"{path.stem}.damaged-*{path.suffix}"):
        if path.exists() and earlier.samefile(path):
            return earlier
    aside = path.with_name(f"{path.stem}.damaged-{stamp}{path.suffix}")
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.stem}.damaged-{stamp}-{number}{path.suffix}")
    for ending in ("-wal", "-shm", ""):  # the file itself last: when it has its name, all of it has
        with contextlib.suppress(FileNotFoundError):
            _second_name(Path(f"{path}{ending}"), Path(f"{aside}{ending}"))
    return aside


def _second_name(file: Path, name: Path) -> None:
    name.unlink(missing_ok=True)
    try:
        os.link(file, name)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without links
        shutil.copy2(file, name)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.stem + ending)


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)


def _copied(damaged: Path, target: sqlite3.Connection) -> int:
    """Copy every readable row; returns how many."""
    kept = 0
    with contextlib.suppress(sqlite3.Error):
        source = sqlite3.connect(damaged)
        try:
            for table in SESSION_TABLES:
                kept += _copy_table(source, target, table.name, table.key)
        finally:
            source.close()
    return kept


def _copy_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str, key: tuple[str, ...]) -> int:
    try:
        known = _columns(source, table)
    except sqlite3.Error:
        return 0
    columns = [name for name in _columns(target, table) if name in known]
    if not columns:
        return 0
    listed, marks = ", ".join(columns), ", ".join("?" * len(columns))
    kept = 0
    with target:
        for row in _rows(source, f"SELECT {listed} FROM {table}", columns, key):  # noqa: S608 - our own names
            with contextlib.suppress(sqlite3.Error):  # a row that breaks a rule of the table is no row
                target.execute(f"INSERT OR IGNORE INTO {table} ({listed}) VALUES ({marks})", row)  # noqa: S608
                kept += 1
    return kept


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]


def _rows(
    source: sqlite3.Connection, select: str, columns: Sequence[str], key: tuple[str, ...]
) -> Iterator[tuple[Any, ...]]:
    """Rows in key order from both ends, up to the place from either side that cannot be read."""
    places = [columns.index(name) for name in key]
    seen: set[tuple[Any, ...]] = set()
    for direction in ("ASC", "DESC"):
        order = ", ".join(f"{name} {direction}" for name in key)
        with contextlib.suppress(sqlite3.Error):
            for row in source.execute(f"{select} ORDER BY {order}"):
                values = tuple(row[place] for place in places)
                if values in seen:
                    break
                seen.add(values)
                yield row

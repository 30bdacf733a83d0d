"""Reads what can still be read of a damaged database into a new one. The damaged file is kept.

Rows are read in the order of their key from both ends, so that a page that cannot be read costs what lies there and
not what lies behind it.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..paths import make_private_file

_KEYS = {
    "sessions": ("id",),
    "calls": ("request_id",),
    "texts": ("id",),
    "events": ("session_id", "seq"),
    "drafts": ("session_id",),
}
"""The tables and what orders their rows. The search index is made from ``texts`` again, snapshots from ``events``."""


def salvage(path: Path, migrations: Sequence[str]) -> tuple[Path, int]:
    """Set the damaged file aside and fill a new one; returns the old file's new name and how many rows were saved.

    Raises OSError and ``sqlite3.Error`` when not even the new file can be written.
    """
    aside = _set_aside(path)
    new = path.with_suffix(".salvaged")
    _remove(new)
    make_private_file(new)
    target = sqlite3.connect(new)
    try:
        for number, script in enumerate(migrations, 1):
            target.executescript(f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;")
        kept = _copied(aside, target)
    finally:
        target.close()
    os.replace(new, path)
    return aside, kept


def _set_aside(path: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.stem}.damaged-{stamp}{path.suffix}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.stem}.damaged-{stamp}-{number}{path.suffix}")
    os.replace(path, aside)
    for ending in ("-wal", "-shm"):  # the journal belongs to the file: it may hold the newest rows
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{ending}", f"{aside}{ending}")
    return aside


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)


def _copied(damaged: Path, target: sqlite3.Connection) -> int:
    """Copy every readable row; returns how many."""
    kept = 0
    with contextlib.suppress(sqlite3.Error):
        source = sqlite3.connect(damaged)
        try:
            for table, key in _KEYS.items():
                kept += _copy_table(source, target, table, key)
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

"""Compacts the journal of a session on disk: its rows are packed, some hundred thousand characters at a time.

Nothing is dropped and nothing is merged: each step reads back, within its transaction, what a reader will read, and is
only committed when that is every row as it was, byte for byte. So replay, fork, rewind, export and search cannot tell.
A process that dies leaves a step done or not begun. A snapshot that this Patchbay cannot read goes; texts that both the
packed journal and a snapshot hold are kept once.
"""

import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

from .fault_points import reached
from .pack_plan import LONG_CHARS, Step, plan
from .packed_rows import PACKED_TYPES, JournalRow, journal_rows

STEP_CHARS = 100_000
"""Characters of rows that are packed in one transaction: more hardly gains, and others wait for the lock."""
LONGEST_STEP = 4
"""So many times as many where the output of a command goes on and on."""
LEAST_ROWS = 20
"""Fewer loose rows than that are not worth a step."""
_LOOSE = f"type IN ({', '.join(repr(kind) for kind in PACKED_TYPES)})"
_TABLES = ("events", "packs", "pack_texts", "kept_texts", "snapshots")
_BYTES = " + ".join(
    f"coalesce((SELECT sum(length(CAST(body AS BLOB))) FROM {table} WHERE session_id = ?1), 0)"  # noqa: S608
    for table in _TABLES
)
_ROWS = f"SELECT seq, last_seq, at, type, body FROM events WHERE session_id = ? AND {_LOOSE}"  # noqa: S608
_FEW = f"SELECT 1 FROM events WHERE session_id = sessions.id AND {_LOOSE} LIMIT ?"  # noqa: S608
_IDLE = (
    "SELECT id FROM sessions WHERE updated_at < ? AND removed_at IS NULL"  # noqa: S608 - our own words
    f" AND (SELECT count(*) FROM ({_FEW})) = ? ORDER BY updated_at"
)


class PackingError(Exception):
    """A step did not give back the rows as they were, and was undone; the message names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What packing a session would do: bytes of its journal and snapshots now and then."""

    before: int
    after: int


def idle_sessions(connection: sqlite3.Connection, *, before: float) -> list[str]:
    """Sessions without a prompt since a time (epoch seconds) that have enough loose rows, longest idle first."""
    rows = connection.execute(_IDLE, (before, LEAST_ROWS, LEAST_ROWS))
    return [str(row[0]) for row in rows]


def session_bytes(connection: sqlite3.Connection, session_id: str) -> int:
    """Bytes of a session's journal and snapshot, however they lie."""
    return int(connection.execute(f"SELECT {_BYTES}", (session_id,)).fetchone()[0])


def foreseen(connection: sqlite3.Connection, session_id: str) -> Foreseen:
    """What packing would do. Changes nothing. Raises ``sqlite3.Error``."""
    known = names = _names(connection, session_id)
    before = after = session_bytes(connection, session_id)
    for rows in _portions(connection, session_id, after=0):
        step = plan(rows, names)
        names |= step.names
        after += step.bytes_after - step.bytes_before
    after -= sum(size for name, size in _kept(connection, session_id) if name in names - known)
    return Foreseen(before=before, after=after - _stale_bytes(connection, session_id))


def pack_session(connection: sqlite3.Connection, session_id: str, *, may_go_on: Callable[[], bool]) -> int:
    """Pack what is loose, asking before each step whether to go on; returns how many rows were packed.

    Raises ``sqlite3.Error`` when the disk refuses and ``PackingError``; that step is undone then, those before it stay.
    """
    done = after = 0
    names = _names(connection, session_id)
    if may_go_on():
        _drop_stale(connection, session_id)
    while may_go_on():
        with closing(_portions(connection, session_id, after=after)) as portions:
            rows = next(portions, None)
        if rows is None:
            break
        after = rows[-1].seq
        reached("pack.begun")
        step = plan(rows, names)
        if _write(connection, session_id, step):
            names |= step.names
            done += len(rows)
    return done


def _names(connection: sqlite3.Connection, session_id: str) -> frozenset[str]:
    rows = connection.execute("SELECT name FROM pack_texts WHERE session_id = ?", (session_id,))
    return frozenset(str(row[0]) for row in rows)


def _kept(connection: sqlite3.Connection, session_id: str) -> list[tuple[str, int]]:
    """Texts that a snapshot keeps and their bytes; none of a snapshot that will go altogether."""
    if _stale_bytes(connection, session_id):
        return []
    rows = connection.execute("SELECT name, length(body) FROM kept_texts WHERE session_id = ?", (session_id,))
    return [(str(name), int(size)) for name, size in rows]


def _format_number() -> int:
    from .snapshots import format_number  # what reads snapshots is loaded to pack, not to start

    return format_number()


def _stale_bytes(connection: sqlite3.Connection, session_id: str) -> int:
    """Bytes of a snapshot that another version made, with its texts; 0 without one."""
    row = connection.execute(
        "SELECT length(body) + coalesce((SELECT sum(length(body)) FROM kept_texts WHERE session_id = ?1), 0)"
        " FROM snapshots WHERE session_id = ?1 AND format != ?2",
        (session_id, _format_number()),
    ).fetchone()
    return 0 if row is None else int(row[0])


def _drop_stale(connection: sqlite3.Connection, session_id: str) -> None:
    """A snapshot that another version made is read by nobody; the next opening makes a new one."""
    if not _stale_bytes(connection, session_id):
        return
    with connection:
        connection.execute(
            "DELETE FROM kept_texts WHERE session_id = ?1"
            " AND EXISTS (SELECT 1 FROM snapshots WHERE session_id = ?1 AND format != ?2)",
            (session_id, _format_number()),
        )
        connection.execute("DELETE FROM snapshots WHERE session_id = ? AND format != ?", (session_id, _format_number()))
        reached("pack.snapshot")


def _portions(connection: sqlite3.Connection, session_id: str, *, after: int) -> Generator[tuple[JournalRow, ...]]:
    """The loose rows in portions; the output of a command is not torn apart unless it is very long."""
    portion: list[JournalRow] = []
    chars = 0
    running: set[str] = set()
    with closing(connection.execute(f"{_ROWS} AND seq > ? ORDER BY seq", (session_id, after))) as rows:
        for values in rows:
            row = JournalRow(*values)
            portion.append(row)
            chars += len(row.body)
            _follow(row, running)
            if chars >= (LONGEST_STEP * STEP_CHARS if running else STEP_CHARS):
                yield tuple(portion)
                portion, chars = [], 0
    if len(portion) >= LEAST_ROWS or chars >= LONG_CHARS:
        yield tuple(portion)


def _follow(row: JournalRow, running: set[str]) -> None:
    """Note the commands whose output is still coming."""
    if '"$type":"ToolOutputDelta"' in row.body:
        running.add(_run_id(row.body))
    elif '"$type":"ToolRunFinished"' in row.body:
        running.discard(_run_id(row.body))


def _run_id(body: str) -> str:
    return body.partition('"run_id":"')[2].partition('"')[0]


def _write(connection: sqlite3.Connection, session_id: str, step: Step) -> bool:
    """Put the record in the place of its rows; False when they are no longer what they were. Raises PackingError."""
    first, last = step.rows[0].seq, step.rows[-1].seq
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        loose = connection.execute(f"{_ROWS} AND seq BETWEEN ? AND ? ORDER BY seq", (session_id, first, last))
        if not _same(step.rows, loose.fetchall()):
            return False
        _add(connection, session_id, step)
        reached("pack.written")
        connection.execute(
            f"DELETE FROM events WHERE session_id = ? AND {_LOOSE} AND seq BETWEEN ? AND ?",  # noqa: S608
            (session_id, first, last),
        )
        if not _same(step.rows, _read_back(connection, session_id, first, last)):
            raise PackingError(f"{session_id}, events {first} to {last}: they would not read as they were written")
        reached("pack.before_commit")
    reached("pack.committed")
    return True


def _add(connection: sqlite3.Connection, session_id: str, step: Step) -> None:
    seq = step.rows[0].seq
    insert = "INSERT OR IGNORE INTO pack_texts (session_id, name, seq, part_of, start, stop, body)"
    connection.executemany(
        f"{insert} VALUES (?, ?, ?, NULL, NULL, NULL, ?)",
        [(session_id, name, seq, body) for name, body in step.texts],
    )
    connection.executemany(
        f"{insert} VALUES (?, ?, ?, ?, ?, ?, NULL)",
        [(session_id, name, seq, *part) for name, *part in step.parts],
    )
    connection.executemany(
        "DELETE FROM kept_texts WHERE session_id = ? AND name = ?", [(session_id, name) for name in step.names]
    )
    connection.execute(
        "INSERT INTO packs (session_id, seq, last_seq, chars, body) VALUES (?, ?, ?, ?, ?)",
        (session_id, seq, max(row.last_seq for row in step.rows), step.chars, step.body),
    )


def _read_back(connection: sqlite3.Connection, session_id: str, first: int, last: int) -> list[JournalRow]:
    """The rows that can be packed of that part of the journal, as whoever reads it will read them."""
    found: list[JournalRow] = []
    with closing(journal_rows(connection, session_id, after=first - 1, problems=[])) as rows:
        for row in rows:
            if row.seq > last:
                break
            if row.type in PACKED_TYPES:
                found.append(row)
    return found


def _same(rows: Sequence[JournalRow], found: Sequence[Sequence[object]]) -> bool:
    return len(rows) == len(found) and all(tuple(one) == tuple(other) for one, other in zip(rows, found, strict=True))

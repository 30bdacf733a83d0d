"""A session as a file of JSON lines, and back: a header, then one line an event of the journal.

Whatever is read from such a file is untrusted: it is decoded by the vocabulary and nothing else, gets a new
session id, and lines of another version are left out and counted.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

from ...providers.redact import redact
from .archive import insert_event, session_facts
from .budget_state import BudgetEvent
from .codec import TAG, decode_event, encode, journal_text
from .events import NOT_JOURNALLED, ModelSelected, SessionForked, Stamped
from .packed_rows import journal_rows
from .private_commands import Row, without_private
from .searchable import SearchableTexts, storable

FORMAT = "patchbay-session"
VERSION = 1
MAX_LINE_CHARS = 64_000_000
"""A longer line is no event that this program has ever written."""

_NO_YEAR_S = 253_400_000_000
"""Seconds since the epoch after which there is no calendar day in any time zone."""


class TransferError(ValueError):
    """The file is no exported session; the message says what it is instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of an import."""

    session_id: str
    title: str
    """Its name, else its title."""
    events: int
    left_out: int
    """Lines that could not be read as an event of this version, and those that were there twice."""

    @property
    def left_words(self) -> str:
        """What is missing of the file, in words; empty when nothing is."""
        match self.left_out:
            case 0:
                return ""
            case 1:
                return "1 line could not be read and is left out"
            case several:
                return f"{several:,} lines could not be read and are left out"


def export_lines(connection: sqlite3.Connection, session_id: str) -> Iterator[str]:
    """The lines of a session, without line ends. Raises ``KeyError`` when there is no such session."""
    facts = _facts(connection, session_id)
    if facts is None:
        raise KeyError(session_id)
    yield from _lines(session_id, facts, _saved_rows(connection, session_id))


def rescue_lines(
    connection: sqlite3.Connection | None, session_id: str, unsaved: Sequence[tuple[Stamped, int]]
) -> Iterator[str]:
    """The lines of a session whose newest events, with their last ``seq``, are not in the database; or none is."""
    facts = None if connection is None else _facts(connection, session_id)
    if facts is None:
        folder, title = session_facts(stamped for stamped, _ in unsaved)
        facts = {"folder": folder, "title": title}
    saved = () if connection is None else _saved_rows(connection, session_id)
    rest = ((each.seq, last_seq, each.at, journal_text(encode(each.event))) for each, last_seq in unsaved)
    yield from _lines(session_id, facts, chain(saved, rest))


def _facts(connection: sqlite3.Connection, session_id: str) -> dict[str, Any] | None:
    names = ("folder", "title", "name", "model", "created_at", "updated_at")
    found = connection.execute(
        "SELECT folder, title, name, model, created_at, updated_at FROM sessions WHERE id = ?", (session_id,)
    ).fetchone()
    return None if found is None else dict(zip(names, found, strict=True))


def _saved_rows(connection: sqlite3.Connection, session_id: str) -> Iterator[Row]:
    return ((row.seq, row.last_seq, row.at, row.body) for row in journal_rows(connection, session_id))


def _lines(session_id: str, facts: dict[str, Any], rows: Iterable[Row]) -> Iterator[str]:
    head = {"format": FORMAT, "version": VERSION, "id": session_id, **facts}
    yield json.dumps(_redacted(head), ensure_ascii=False)
    for seq, last_seq, at, body in without_private(rows):
        event = journal_text(_redacted(json.loads(body)))
        yield f'{{"seq":{seq},"last_seq":{last_seq},"at":{at!r},"event":{event}}}'


def import_lines(connection: sqlite3.Connection, lines: Iterable[str], new_id: str, *, at: float) -> Imported:
    """Put an exported session into the database, under a new id. Raises ``TransferError``; then nothing is added."""
    numbered = iter(lines)
    head = _header(next(numbered, ""))
    by_seq, left_out = dict[int, tuple[Stamped, int]](), 0
    for line in numbered:
        if not line.strip():
            continue
        stamped = _event(line, new_id)
        if stamped is None or stamped[0].seq in by_seq:
            left_out += 1
        elif not isinstance(stamped[0].event, BudgetEvent):  # how much may be spent here is this person's to say
            by_seq[stamped[0].seq] = stamped
    stamps = [by_seq[seq] for seq in sorted(by_seq)]
    folder, title = session_facts(each for each, _ in stamps)
    if not title:
        raise TransferError("The file holds no prompt: there is nothing to go on with.")
    model = next((str(s.event.model.ref) for s, _ in reversed(stamps) if isinstance(s.event, ModelSelected)), None)
    name, searchable = _text(head.get("name")), SearchableTexts()
    with connection:
        connection.execute(
            "INSERT INTO sessions (id, folder, created_at, updated_at, title, name, model, origin)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (new_id, storable(folder), at, at, storable(title), name, model, "imported"),
        )
        for stamped, last_seq in stamps:
            insert_event(connection, stamped, last_seq)
            for seq, kind, text in searchable.of(stamped):
                connection.execute(
                    "INSERT INTO texts (session_id, seq, kind, body) VALUES (?, ?, ?, ?)", (new_id, seq, kind, text)
                )
        # What it cost stands in the ledger of where it comes from: here it counts from zero, as every copy does.
        last = max(last_seq for _, last_seq in stamps) + 1
        origin = _text(head.get("id")) or "imported"
        copied = Stamped(seq=last, at=at, session_id=new_id, event=SessionForked(origin=origin))
        insert_event(connection, copied, last)
    return Imported(session_id=new_id, title=name or title, events=len(stamps), left_out=left_out)


def _redacted(value: Any) -> Any:
    """The same JSON without keys in its texts, those that only look like one too: the file may go anywhere."""
    match value:
        case str():
            return redact(value)
        case list():
            return [_redacted(item) for item in cast("list[Any]", value)]
        case dict():
            items = cast("dict[str, Any]", value).items()
            return {name: item if name == TAG else _redacted(item) for name, item in items}
        case _:
            return value


def _text(value: object) -> str | None:
    return storable(value) if isinstance(value, str) and value.strip() else None


def _header(line: str) -> dict[str, Any]:
    try:
        head: object = json.loads(line)
    except (ValueError, RecursionError):
        head = None
    if not isinstance(head, dict) or cast("dict[str, Any]", head).get("format") != FORMAT:
        raise TransferError(
            'The file is no exported session: its first line does not say "format": "patchbay-session".'
        )
    found = cast("dict[str, Any]", head)
    if found.get("version") != VERSION:
        raise TransferError(f"The file has version {found.get('version')!r}; this Patchbay reads version {VERSION}.")
    return found


def _event(line: str, session_id: str) -> tuple[Stamped, int] | None:
    """The event of a line with its last ``seq``; None when it is not one of this version."""
    if len(line) > MAX_LINE_CHARS:
        return None
    try:
        row = json.loads(line)
        seq, last_seq, at = int(row["seq"]), int(row["last_seq"]), float(row["at"])
        event = decode_event(row["event"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    if isinstance(event, NOT_JOURNALLED) or not 0 < seq <= last_seq < 1 << 60 or not 0 <= at < _NO_YEAR_S:
        return None
    return Stamped(seq=seq, at=at, session_id=session_id, event=event), last_seq

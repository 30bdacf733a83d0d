"""The sessions on disk as a whole: listed, searched, named, removed, brought back, copied.

Every function takes an open connection of ``database.connect`` and raises ``sqlite3.Error`` when the disk refuses.
Removing only marks a session; ``purge`` deletes what was marked long enough ago.
"""

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from .codec import encode, journal_text
from .events import CostSource, PromptSubmitted, SessionForked, SessionStarted, Stamped, TitleProposed
from .exact import amount, total
from .packed_rows import copy_packed, last_seq_of
from .schema import SESSION_TABLES
from .snippets import folded, snippet

_WORD = re.compile(r"\w+")
_MOST_ENTITLED = 200
"""Sessions that are looked at closely, of many whose titles hold the words."""
_MOST_PLACES = 5_000
"""Of a frequent word the newest places are enough, where its session must hold other words too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """What a list says of a session. Times are seconds since the epoch, ``cost`` is USD."""

    session_id: str
    folder: str
    title: str
    """Its name, else its first prompt."""
    model: str
    created_at: float
    updated_at: float
    prompts: int
    calls: int
    cost: Decimal
    unknown_calls: int
    """Calls to models whose price nobody knows; not contained in ``cost``."""
    messages: int = 0
    """Prompts and answers with text."""
    estimated: bool = False
    """True when some of ``cost`` is an estimate."""
    named: bool = False
    """True when a person gave it its title."""
    forked: bool = False
    """True when it began as a copy of another session."""
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A session that holds what was searched for, with its best place."""

    session: SessionRow
    snippet: str
    marks: tuple[tuple[int, int], ...]
    """Where in the snippet the words stand: start and end."""
    kind: str
    """``prompt``, ``answer``, ``name`` or ``title``."""
    hits: int
    """In how many messages of the session."""


_OF_A_SESSION = tuple(table for table in reversed(SESSION_TABLES) if not table.ledger)
"""What is deleted with a session, its own row last: a trigger on that sees to its snapshot."""

_ROW = """
    SELECT s.id, s.folder, coalesce(s.name, s.title, ''), coalesce(s.model, ''), s.created_at, s.updated_at,
        (SELECT json_array(count(*), sum(t.kind = 'prompt')) FROM texts t WHERE t.session_id = s.id),
        (SELECT json_group_array(json_array(c.cost, c.source)) FROM calls c WHERE c.session_id = s.id),
        s.removed_at, s.name, s.origin
    FROM sessions s
"""


def list_sessions(
    connection: sqlite3.Connection, *, folder: str | None = None, removed: bool = False, limit: int = 1000
) -> list[SessionRow]:
    """Sessions that have a prompt, newest first; of one folder or of all."""
    where = ["s.title IS NOT NULL", f"s.removed_at IS {'NOT ' if removed else ''}NULL"]
    values: list[str | int] = []
    if folder is not None:
        where.append("s.folder = ?")
        values.append(folder)
    query = f"{_ROW} WHERE {' AND '.join(where)} ORDER BY s.updated_at DESC LIMIT ?"
    return [_row(row) for row in connection.execute(query, (*values, limit))]


def find_session(connection: sqlite3.Connection, prefix: str) -> list[SessionRow]:
    """The sessions whose id is or begins with ``prefix``, removed ones too; one for a whole id."""
    exact = [_row(row) for row in connection.execute(f"{_ROW} WHERE s.id = ?", (prefix,))]
    if exact or not prefix:
        return exact
    escaped = re.sub(r"([\\%_])", r"\\\1", prefix)
    query = f"{_ROW} WHERE s.id LIKE ? ESCAPE '\\' OR s.id LIKE ? ESCAPE '\\' ORDER BY s.updated_at DESC LIMIT 20"
    return [_row(row) for row in connection.execute(query, (f"{escaped}%", f"session-{escaped}%"))]


def search(connection: sqlite3.Connection, text: str, *, folder: str | None = None, limit: int = 50) -> list[Hit]:
    """Sessions that hold every word of ``text`` (the last one may be unfinished), best first.

    First come those with a name that holds all, then those with a message, with a title, and with several messages.
    """
    words = _WORD.findall(text)
    if not words:
        return []
    within = "AND s.folder = ?" if folder is not None else ""
    # Of a frequent word the newest thousand places are enough: an answer must come within a keypress.
    rows = connection.execute(
        f"""
        SELECT t.session_id, max(t.id), count(*)
        FROM (SELECT rowid FROM found WHERE found MATCH ? ORDER BY rowid DESC LIMIT 1000) AS f
        JOIN texts t ON t.id = f.rowid
        JOIN sessions s ON s.id = t.session_id AND s.removed_at IS NULL {within}
        GROUP BY t.session_id ORDER BY s.updated_at DESC LIMIT ?
        """,  # noqa: S608 - only our own words are put in
        (_match(words, unfinished=True), *((folder,) if folder is not None else ()), limit),
    ).fetchall()
    bodies = _bodies(connection, [int(row[1]) for row in rows])
    sessions = _by_id(connection, [str(row[0]) for row in rows])
    hits = [
        _hit(sessions[session_id], *bodies[place], words, hits=int(count))
        for session_id, place, count in rows
        if session_id in sessions and place in bodies
    ]
    hits = [*_entitled(connection, words, hits, folder, named=True), *hits]
    if len(hits) < limit:
        hits += _entitled(connection, words, hits, folder, named=False)
    if len(hits) < limit and len(words) > 1:
        hits += _spread(connection, words, hits, folder, limit)
    return hits[:limit]


def rename(connection: sqlite3.Connection, session_id: str, name: str) -> None:
    """Give a session a name; an empty one takes it away again."""
    with connection:
        connection.execute("UPDATE sessions SET name = ? WHERE id = ?", (name.strip() or None, session_id))


def remove(connection: sqlite3.Connection, session_id: str, *, at: float) -> None:
    """Take a session out of every list. ``restore`` brings it back until it is purged."""
    with connection:
        connection.execute("UPDATE sessions SET removed_at = ? WHERE id = ?", (at, session_id))


def restore(connection: sqlite3.Connection, session_id: str) -> None:
    """Bring a removed session back."""
    with connection:
        connection.execute("UPDATE sessions SET removed_at = NULL WHERE id = ?", (session_id,))


def restore_last(connection: sqlite3.Connection) -> SessionRow | None:
    """Bring back the session that was removed last; None when none is removed."""
    found = connection.execute(
        "SELECT id FROM sessions WHERE removed_at IS NOT NULL AND title IS NOT NULL ORDER BY removed_at DESC LIMIT 1"
    ).fetchone()
    if found is None:
        return None
    restore(connection, str(found[0]))
    return find_session(connection, str(found[0]))[0]


def purgeable(
    connection: sqlite3.Connection,
    *,
    removed_before: float,
    idle_before: float | None = None,
    spared: Collection[str] = (),
) -> list[SessionRow]:
    """What ``purge`` would delete: removed before a time, or not used since another; never the ``spared`` ids."""
    query = f"{_ROW} WHERE s.removed_at < ? OR s.updated_at < ? ORDER BY s.updated_at"
    rows = map(_row, connection.execute(query, (removed_before, -1.0 if idle_before is None else idle_before)))
    return [row for row in rows if row.session_id not in spared]


def purge(
    connection: sqlite3.Connection,
    *,
    removed_before: float,
    idle_before: float | None = None,
    spared: Collection[str] = (),
) -> list[str]:
    """Delete for good what ``purgeable`` lists, a session at a time so that nobody waits long. Returns their ids.

    The ledger keeps its rows: what was spent stays spent.
    """
    doomed = purgeable(connection, removed_before=removed_before, idle_before=idle_before, spared=spared)
    for row in doomed:
        with connection:
            for table in _OF_A_SESSION:
                connection.execute(f"DELETE FROM {table.name} WHERE {table.session} = ?", (row.session_id,))  # noqa: S608
    return [row.session_id for row in doomed]


def fork(
    connection: sqlite3.Connection, source: str, new_id: str, *, at: float, before_prompt: str | None = None
) -> None:
    """Copy a session's journal under a new id, up to a prompt (which is left out) or whole.

    What the copied part cost stays with the source; the copy counts from zero. Raises ``KeyError`` when the source
    or the prompt does not exist.
    """
    row = connection.execute("SELECT folder, title, name, model FROM sessions WHERE id = ?", (source,)).fetchone()
    if row is None:
        raise KeyError(source)
    end = _prompt_seq(connection, source, before_prompt)
    with connection:
        connection.execute(
            "INSERT INTO sessions (id, folder, created_at, updated_at, title, name, model, origin)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (new_id, row[0], at, at, row[1] or "", row[2], row[3], source),
        )
        connection.execute(
            "INSERT INTO events SELECT ?, seq, last_seq, at, type, body FROM events WHERE session_id = ? AND seq < ?"
            # A prompt that waited when the copy ends is the source's to send.
            " AND NOT (type = 'PromptQueued' AND json_extract(body, '$.prompt_id') NOT IN ("
            "SELECT json_extract(body, '$.prompt_id') FROM events"
            " WHERE session_id = ? AND seq < ? AND type = 'PromptSubmitted'))",
            (new_id, source, end, source, end),
        )
        connection.execute(
            "INSERT INTO texts (session_id, seq, kind, body)"
            " SELECT ?, seq, kind, body FROM texts WHERE session_id = ? AND seq < ?",
            (new_id, source, end),
        )
        copy_packed(connection, source, new_id, before=end)
        last = last_seq_of(connection, new_id)
        stamped = Stamped(seq=last + 1, at=at, session_id=new_id, event=SessionForked(origin=source))
        insert_event(connection, stamped, stamped.seq)


def insert_event(connection: sqlite3.Connection, stamped: Stamped, last_seq: int) -> None:
    """Put one event into the journal as it is (no key is looked for: it comes from a journal)."""
    body = journal_text(encode(stamped.event))
    connection.execute(
        "INSERT OR REPLACE INTO events (session_id, seq, last_seq, at, type, body) VALUES (?, ?, ?, ?, ?, ?)",
        (stamped.session_id, stamped.seq, last_seq, stamped.at, type(stamped.event).__name__, body),
    )


def session_facts(events: Iterable[Stamped]) -> tuple[str, str]:
    """Folder and title of a journal that has no row of its own (yet)."""
    folder, title, proposed = "", "", ""
    for stamped in events:
        match stamped.event:
            case SessionStarted(folder=found):
                folder = folder or found
            case PromptSubmitted(text=text):
                title = title or text[:200]
            case TitleProposed(title=text):
                proposed = text
            case _:
                continue
    return folder, (proposed or title) if title else ""


def _prompt_seq(connection: sqlite3.Connection, session_id: str, prompt_id: str | None) -> int:
    if prompt_id is None:
        return 1 << 62
    row = connection.execute(
        "SELECT seq FROM events WHERE session_id = ? AND type = 'PromptSubmitted'"
        " AND json_extract(body, '$.prompt_id') = ?",
        (session_id, prompt_id),
    ).fetchone()
    if row is None:
        raise KeyError(prompt_id)
    return int(row[0])


def _bodies(connection: sqlite3.Connection, places: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Kind and text, by place."""
    listed = ", ".join(map(str, places))
    rows = connection.execute(f"SELECT id, kind, body FROM texts WHERE id IN ({listed})")  # noqa: S608 - numbers
    return {int(place): (str(kind), str(text)) for place, kind, text in rows}


def _by_id(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, SessionRow]:
    marks = ", ".join("?" * len(ids))
    rows = connection.execute(f"{_ROW} WHERE s.id IN ({marks})", tuple(ids)) if ids else ()
    return {row[0]: _row(row) for row in rows}


def _entitled(
    connection: sqlite3.Connection, words: Sequence[str], known: Sequence[Hit], folder: str | None, *, named: bool
) -> list[Hit]:
    """Other sessions whose name, or whose title, holds every word: what a person or a model wrote is in no message."""
    rows = connection.execute(
        f"SELECT id, folder, coalesce(name, title) FROM sessions WHERE name IS {'NOT ' if named else ''}NULL"  # noqa: S608
        " AND removed_at IS NULL AND title IS NOT NULL ORDER BY updated_at DESC"
    )
    wanted, skipped = [folded(word) for word in words], {hit.session.session_id for hit in known}
    ids = [
        str(session_id)
        for session_id, where, text in rows
        if session_id not in skipped
        and (folder is None or where == folder)
        and _holds(folded(text), wanted, anywhere=named)
    ]
    found = _by_id(connection, ids[:_MOST_ENTITLED])
    kind = "name" if named else "title"
    return [
        Hit(session=found[each], snippet=found[each].title, marks=(), kind=kind, hits=1)
        for each in ids
        if each in found
    ]


def _holds(text: str, words: Sequence[str], *, anywhere: bool) -> bool:
    """Whether every word is in the text: anywhere, or as one of its words (of the last one its beginning)."""
    if not all(word in text for word in words):
        return False
    *whole, last = map(re.escape, words)
    choices = [*(rf"{word}(?!\w)" for word in whole), last if len(words[-1]) > 1 else rf"{last}(?!\w)"]
    return anywhere or all(re.search(rf"(?<!\w){choice}", text) for choice in choices)


def _spread(
    connection: sqlite3.Connection, words: Sequence[str], known: Sequence[Hit], folder: str | None, limit: int
) -> list[Hit]:
    """Other sessions that hold every word, no message all of them; newest first, with a place of the rarest word."""
    places: list[dict[str, tuple[int, int]]] = []
    for at, word in enumerate(words):
        rows = connection.execute(
            "SELECT t.session_id, max(t.id), count(*)"
            " FROM (SELECT rowid FROM found WHERE found MATCH ? ORDER BY rowid DESC LIMIT ?) AS f"
            " JOIN texts t ON t.id = f.rowid GROUP BY t.session_id",
            (_match([word], unfinished=at == len(words) - 1), _MOST_PLACES),
        )
        places.append({str(session_id): (int(place), int(count)) for session_id, place, count in rows})
        if not places[-1]:
            return []
    rarest = min(places, key=len)
    skipped = {hit.session.session_id for hit in known}
    ids = [each for each in rarest if each not in skipped and all(each in others for others in places)]
    sessions = [
        row
        for row in _by_id(
            connection, sorted(ids, key=lambda each: rarest[each], reverse=True)[:_MOST_ENTITLED]
        ).values()
        if not row.removed and (folder is None or row.folder == folder)
    ]
    sessions = sorted(sessions, key=lambda row: -row.updated_at)[:limit]
    bodies = _bodies(connection, [rarest[row.session_id][0] for row in sessions])
    return [
        _hit(row, *bodies[place], words, hits=count)
        for row in sessions
        for place, count in [rarest[row.session_id]]
        if place in bodies
    ]


def _match(words: Sequence[str], *, unfinished: bool) -> str:
    """The words as a query of the index. One letter begins half of all words: it is looked for as a word of its own."""
    return " ".join(f'"{word}"' for word in words) + ("*" if unfinished and len(words[-1]) > 1 else "")


def _hit(session: SessionRow, kind: str, body: str, words: Sequence[str], *, hits: int) -> Hit:
    shown = snippet(body, words)
    return Hit(session=session, snippet=shown.text, marks=shown.marks, kind=kind, hits=hits)


def _row(row: Sequence[object]) -> SessionRow:
    session_id, folder, title, model, created, updated, texts, calls, removed, name, origin = row
    messages, prompts = json.loads(str(texts))
    priced = [(amount(cost), source) for cost, source in json.loads(str(calls))]
    return SessionRow(
        session_id=str(session_id),
        folder=str(folder),
        title=str(title),
        model=str(model),
        created_at=float(str(created)),
        updated_at=float(str(updated)),
        prompts=int(prompts or 0),
        calls=len(priced),
        cost=total(cost for cost, _ in priced if cost is not None),
        unknown_calls=sum(cost is None for cost, _ in priced),
        messages=int(messages),
        estimated=any(cost is not None and source == CostSource.ESTIMATED for cost, source in priced),
        named=name is not None,
        forked=str(origin or "").startswith("session"),
        removed=removed is not None,
    )

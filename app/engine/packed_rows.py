"""Rows of the journal that lie packed: many in one compressed record, read back exactly as they were written.

Whoever reads the journal in order reads it here (``journal_rows``) and cannot tell which rows are packed. What SQL
asks for by type is never packed (``PACKED_TYPES``). Long texts of packed rows lie beside them, each once however often
it was said: the live output of a command, what the model got of it, and what a snapshot keeps are mostly one text.

zlib, because every Python that can run Patchbay can read it.
"""

import hashlib
import heapq
import json
import sqlite3
import zlib
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from .codec import journal_text

PACKED_TYPES = ("ProviderActivity", "ToolActivity", "FilesRestored")
"""Events that may be packed. No query of ours may look for them in ``events``: they may not be there."""
LOST = "[This text can no longer be read: the session database was moved, or is damaged.]"
END = 1 << 62
_LEVEL = 9
_REMEMBERED_CHARS = 2_000_000
_MOST_BYTES = 1 << 30
"""A record that claims to be larger when unpacked is damaged."""

_GONE = "a long text in them can no longer be read"

Path: TypeAlias = Sequence[str | int]
"""Where in a row's JSON a text stands."""


class JournalRow(NamedTuple):
    """A row of the journal as it was written. ``at`` is seconds since the epoch."""

    seq: int
    last_seq: int
    at: float
    type: str
    body: str


class Hole(NamedTuple):
    """A place in a packed row whose text is a part of one that lies beside it."""

    path: Path
    name: str
    start: int
    stop: int


class PackError(ValueError):
    """A packed record cannot be read."""


def journal_rows(
    connection: sqlite3.Connection, session_id: str, *, after: int = 0, problems: list[str] | None = None
) -> Generator[JournalRow]:
    """A session's rows from behind ``after`` on, in order.

    A packed record that cannot be read is put into ``problems``, in words, and passed over; without ``problems`` it
    raises ``sqlite3.DatabaseError``.
    """
    # One statement: what is packed while it runs is seen as it was when it began.
    found = connection.execute(
        "SELECT seq, last_seq, at, type, body, NULL FROM events WHERE session_id = ?1 AND seq > ?2"
        " UNION ALL SELECT seq, last_seq, 0.0, '', '', body FROM packs WHERE session_id = ?1 AND last_seq > ?2"
        " ORDER BY 1",
        (session_id, after),
    )
    texts = PackedTexts(connection, session_id)
    waiting: list[JournalRow] = []
    for seq, last_seq, at, kind, body, packed in found:
        while waiting and waiting[0].seq < seq:
            yield heapq.heappop(waiting)
        if packed is None:
            yield JournalRow(int(seq), int(last_seq), float(at), str(kind), str(body))
            continue
        try:
            lost: list[str] | None = None if problems is None else []
            for row in unpack(bytes(packed), texts.read, lost):
                if row.seq > after:
                    heapq.heappush(waiting, row)
        except PackError as error:
            if problems is None:
                raise sqlite3.DatabaseError(f"{session_id}, events {seq} to {last_seq}: {error}") from error
            lost = [str(error)]
        if problems is not None and lost:
            problems.append(f"events {seq} to {last_seq}: {lost[0]}")
    while waiting:
        yield heapq.heappop(waiting)


def row_ends_at(connection: sqlite3.Connection, session_id: str, seq: int) -> bool:
    """Whether the newest row that begins at ``seq`` or before it ends just there."""
    row = connection.execute(
        "SELECT last_seq FROM events WHERE session_id = ? AND seq <= ? ORDER BY seq DESC LIMIT 1", (session_id, seq)
    ).fetchone()
    if row is not None and int(row[0]) >= seq:
        return int(row[0]) == seq
    packs = connection.execute(
        "SELECT body FROM packs WHERE session_id = ?1 AND seq <= ?2 AND last_seq >= ?2", (session_id, seq)
    )
    try:
        return any(seq in last_seqs(bytes(pack[0])) for pack in packs)
    except PackError:
        return False


def last_seq_of(connection: sqlite3.Connection, session_id: str) -> int:
    """The last ``seq`` of a session; 0 when it has no row."""
    return int(
        connection.execute(
            "SELECT max(coalesce((SELECT max(last_seq) FROM events WHERE session_id = ?1), 0),"
            " coalesce((SELECT max(last_seq) FROM packs WHERE session_id = ?1), 0))",
            (session_id,),
        ).fetchone()[0]
    )


def copy_packed(connection: sqlite3.Connection, source: str, new_id: str, *, before: int = END) -> None:
    """Give another session the packed rows up to before a ``seq``; those of a record cut there become plain rows.

    Within a transaction of the caller. Raises ``sqlite3.DatabaseError`` when that record cannot be read.
    """
    cut = connection.execute(
        "SELECT seq, body FROM packs WHERE session_id = ?1 AND seq < ?2 AND last_seq >= ?2", (source, before)
    ).fetchone()
    whole = before if cut is None else int(cut[0])
    connection.execute(
        "INSERT INTO packs (session_id, seq, last_seq, chars, body)"
        " SELECT ?, seq, last_seq, chars, body FROM packs WHERE session_id = ? AND seq < ?",
        (new_id, source, whole),
    )
    connection.execute(
        "INSERT INTO pack_texts (session_id, name, seq, part_of, start, stop, body)"
        " SELECT ?, name, seq, part_of, start, stop, body FROM pack_texts WHERE session_id = ? AND seq < ?",
        (new_id, source, whole),
    )
    if cut is None:
        return
    try:
        rows = unpack(bytes(cut[1]), PackedTexts(connection, source).read)
    except PackError as error:
        raise sqlite3.DatabaseError(f"{source}, events {whole} and after: {error}") from error
    connection.executemany(
        "INSERT INTO events (session_id, seq, last_seq, at, type, body) VALUES (?, ?, ?, ?, ?, ?)",
        [(new_id, *row) for row in rows if row.seq < before],
    )


def pack(rows: Sequence[JournalRow], holes: Mapping[int, Sequence[Hole]]) -> bytes:
    """The rows as one compressed record. ``holes`` says, by the row's place, where texts were taken out of a body.

    By column, since what follows each other is then alike.
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    seqs, last_seqs, ats, kinds, bodies = columns
    plain = {
        "seq": [seq - before for before, seq in zip([0, *seqs], seqs, strict=False)],
        "more": [last - seq for seq, last in zip(seqs, last_seqs, strict=True)],
        "at": ats,
        "type": kinds,
        "body": bodies,
        "holes": {str(place): [list(hole) for hole in each] for place, each in holes.items() if each},
    }
    return zlib.compress(json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode(), _LEVEL)


def unpack(packed: bytes, text: Callable[[str], str | None], lost: list[str] | None = None) -> list[JournalRow]:
    """The rows of a record; ``text`` gives the texts that lie beside it by name. Raises ``PackError``.

    With ``lost`` a text that is gone costs that text alone: a sentence stands for it, and it is told there.
    """
    columns = _columns(packed)
    try:
        rows: list[JournalRow] = []
        seq = 0
        described = zip(columns["seq"], columns["more"], columns["at"], columns["type"], columns["body"], strict=True)
        for place, (step, more, at, kind, body) in enumerate(described):
            seq += int(step)
            holes = columns["holes"].get(str(place), ())
            whole = _filled(body, [Hole(*hole) for hole in holes], text, lost) if holes else str(body)
            rows.append(JournalRow(seq, seq + int(more), float(at), str(kind), whole))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise PackError(f"a packed record is damaged ({error})") from error
    return rows


def last_seqs(packed: bytes) -> frozenset[int]:
    """Where the rows of a record end. Raises ``PackError``."""
    columns = _columns(packed)
    ends: set[int] = set()
    seq = 0
    for step, more in zip(columns["seq"], columns["more"], strict=True):
        seq += int(step)
        ends.add(seq + int(more))
    return frozenset(ends)


def digest(plain: bytes) -> str:
    """What a text is known by, here and in snapshots: the digest of its UTF-8."""
    return hashlib.blake2b(plain, digest_size=16).hexdigest()


def text_name(text: str) -> str:
    """The digest of a text, lone surrogates and all."""
    return digest(text.encode("utf-8", "surrogatepass"))


def packed_text(text: str) -> bytes:
    """A text as it lies in ``pack_texts``."""
    return zlib.compress(text.encode("utf-8", "surrogatepass"), _LEVEL)


class PackedTexts:
    """Reads the texts that lie beside the packed rows of a session, and remembers the last ones."""

    def __init__(self, connection: sqlite3.Connection, session_id: str) -> None:
        self._connection = connection
        self._session_id = session_id
        self._recent: OrderedDict[str, str] = OrderedDict()
        self._chars = 0

    def read(self, name: str) -> str | None:
        """The text, or None when it is not there or is not what it was. Raises ``sqlite3.Error``."""
        if (known := self._recent.get(name)) is not None:
            self._recent.move_to_end(name)
            return known
        row = self._connection.execute(
            "SELECT body, part_of, start, stop FROM pack_texts WHERE session_id = ? AND name = ?",
            (self._session_id, name),
        ).fetchone()
        if row is None:
            return None
        body, part_of, start, stop = row
        if part_of is not None:
            whole = self.read(str(part_of))
            return None if whole is None else whole[int(start) : int(stop)]
        text = _text(bytes(body))
        if text is None or text_name(text) != name:
            return None
        self._remember(name, text)
        return text

    def _remember(self, name: str, text: str) -> None:
        self._recent[name] = text
        self._chars += len(text)
        while self._chars > _REMEMBERED_CHARS and len(self._recent) > 1:
            self._chars -= len(self._recent.popitem(last=False)[1])


def fill(event: Any, path: Path, text: str) -> None:
    """Put a text in its place in a row's JSON. Raises LookupError or TypeError when there is no such place."""
    *way, last = path
    place = event
    for step in way:
        place = place[step]
    place[last] = text


def _filled(body: Any, holes: Sequence[Hole], text: Callable[[str], str | None], lost: list[str] | None) -> str:
    event = json.loads(body)
    for hole in holes:
        found = text(hole.name)
        if found is None:
            if lost is None:
                raise PackError(_GONE)
            lost.append(_GONE)
        fill(event, hole.path, LOST if found is None else found[hole.start : hole.stop])
    return journal_text(event)


def _columns(packed: bytes) -> dict[str, Any]:
    try:
        plain = zlib.decompressobj().decompress(packed, _MOST_BYTES)
        columns: object = json.loads(plain)
    except (zlib.error, ValueError, RecursionError) as error:
        raise PackError(f"a packed record is damaged ({error})") from error
    if not isinstance(columns, dict):
        raise PackError("a packed record is damaged")
    return cast("dict[str, Any]", columns)


def _text(body: bytes) -> str | None:
    try:
        return zlib.decompress(body).decode("utf-8", "surrogatepass")
    except (zlib.error, ValueError):
        return None

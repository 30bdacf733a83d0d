"""The recorder: every event of a session on disk, through one writer thread.

Rows are committed in batches of at most ``BATCH_S``; adjacent deltas of one block within a batch become one
row that remembers its first and last ``seq``. ``durable`` waits for the commit of everything published so far;
the runner awaits it after each prompt, approval, tool result and ledger row, so a killed process loses at most
the text of the last quarter second. When the disk refuses, rows stay in memory and are tried again with the
next batch; the session goes on, ``on_problem`` is told once, and told again when everything is saved.
"""

import asyncio
import contextlib
import json
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from ...providers.events import TextDelta, ThinkingDelta, ToolCallDelta
from ...providers.redact import redact_registered
from ...tools.events import ToolOutputDelta
from .codec import encode, journal_text, without_keys
from .database import DatabaseError, Opened, file_of, open_database
from .events import (
    NOT_JOURNALLED,
    CallPriced,
    ModelSelected,
    PromptSubmitted,
    ProviderActivity,
    SessionStarted,
    Stamped,
    TitleProposed,
    ToolActivity,
)
from .fault_points import reached
from .searchable import SearchableTexts, storable
from .snapshotter import Snapshotter
from .state import AnswerEntry
from .writing_place import WritingPlace

BATCH_S = 0.2
"""Longest time an event waits for its commit."""
RETRY_S = 2.0
"""How often a disk that refused is asked again while nothing else is to be written."""


@dataclass(slots=True)
class _Row:
    """A journal row in the making: one event, or several adjacent deltas."""

    stamped: Stamped
    last_seq: int


class _Flush:
    """A marker in the queue: tell ``done`` once everything before it is committed."""

    def __init__(self, done: Callable[[], None], *, stop: bool = False) -> None:
        self.done = done
        self.stop = stop


_Item: TypeAlias = "Stamped | _Flush"


class Recorder:
    """Writes the journal and the ledger of one session. Attach ``sink`` to the bus; close when done."""

    def __init__(
        self,
        database: Path | Opened,
        *,
        on_problem: Callable[[str], None] = lambda _message: None,
        replayed: int = 0,
        answering: AnswerEntry | None = None,
        later: bool = False,
    ) -> None:
        """``database`` is its file, or one that was opened for this recorder alone, which then closes it.

        ``replayed`` is how many events the session's opening had to replay: many call for a snapshot. ``answering``
        is the answer that was arriving when its last process died. ``later``
        says that the file could not be opened and was told: that is tried again whenever there is something to
        write. Without it raises ``DatabaseError``.
        """
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._place = _opened_place(database, later=later)
        self.on_problem = on_problem
        self.on_saving: Callable[[str], None] = lambda _problem: None
        """Told why saving fails when that begins, and of nothing ("") when it is over."""
        self._searchable = SearchableTexts(answering)
        self._snapshots = Snapshotter(self._place.path, replayed=replayed)
        self._told = later
        self._closed = False
        self.unsaved = 0
        """Rows that the disk has refused so far."""
        self.left: tuple[tuple[Stamped, int], ...] = ()
        """After closing: the events that could not be saved, with their last ``seq``."""
        self._thread = threading.Thread(target=self._work, name="patchbay-recorder", daemon=True)
        self._thread.start()

    @property
    def refused(self) -> bool:
        """True while the disk refuses what is to be written."""
        return self._told

    def sink(self, stamped: Stamped) -> None:
        """Take one event. Never blocks."""
        if not isinstance(stamped.event, NOT_JOURNALLED):
            self._queue.put(stamped)

    async def durable(self) -> None:
        """Wait until everything taken so far is committed (or is known to stay in memory)."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def settle() -> None:
            if not done.done():
                done.set_result(None)

        def tell() -> None:
            loop.call_soon_threadsafe(settle)

        self._queue.put(_Flush(tell))
        await done

    def close(self) -> None:
        """Commit what is left and close the database. Blocks for the last batch."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(_Flush(lambda: None, stop=True))
        self._thread.join()

    def _work(self) -> None:
        rows: list[_Row] = []
        while True:
            flush = self._gather(rows)
            rows = self._commit(rows)
            self.unsaved = len(rows)
            if flush is not None:
                with contextlib.suppress(RuntimeError):  # the loop that waited is gone: the process is ending
                    flush.done()
                if flush.stop:
                    self.left = tuple((row.stamped, row.last_seq) for row in rows)
                    reached("close.begun")
                    self._snapshots.close()
                    self._place.close()
                    return

    def _gather(self, rows: list[_Row]) -> "_Flush | None":
        """Collect one batch: until a flush is asked for, or ``BATCH_S`` after its first event.

        Rows that the disk refused are tried again every ``RETRY_S`` even when nothing comes.
        """
        deadline = time.monotonic() + RETRY_S if rows else None
        fresh = False
        while True:
            try:
                item = self._queue.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return None
            if isinstance(item, _Flush):
                return item
            append_merged(rows, item)
            if not fresh:
                fresh = True
                deadline = time.monotonic() + BATCH_S
            elif deadline is not None and time.monotonic() >= deadline:
                return None

    def _commit(self, rows: list[_Row]) -> list[_Row]:
        """Write the batch in one transaction; returns the rows that could not be written."""
        if not rows:
            return rows
        try:
            with self._place.ready(rows[0].stamped.session_id) as connection:
                reached("write.begun")
                written = [(row.stamped, _write(connection, row)) for row in rows]
                reached("write.before_commit")
            reached("write.committed")
        except (sqlite3.Error, OSError, DatabaseError) as error:
            self._place.failed(error)
            if not self._told:
                self._told = True
                self._tell(
                    f"The session cannot be saved ({_in_words(error)}). It goes on in memory and is tried again."
                )
                self._change(_in_words(error))
            return rows
        for warning in self._place.take_warnings():
            self._tell(warning)
        for stamped, chars in written:
            self._index(stamped)
            self._snapshots.saved(stamped, chars)
        self._snapshots.committed()
        if self._told:
            self._told = False
            self._tell("The session is saved again, with nothing lost.")
            self._change("")
        return []

    def _tell(self, message: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop that would show it is gone: the process is ending
            self.on_problem(message)

    def _change(self, problem: str) -> None:
        with contextlib.suppress(RuntimeError):
            self.on_saving(problem)

    def _index(self, stamped: Stamped) -> None:
        """Put prompts and whole answers into the search index. What cannot be indexed is only not found."""
        for seq, kind, text in self._searchable.of(stamped):
            with contextlib.suppress(sqlite3.Error, OSError), self._place.connection as connection:
                connection.execute(
                    "INSERT INTO texts (session_id, seq, kind, body) VALUES (?, ?, ?, ?)",
                    (stamped.session_id, seq, kind, redact_registered(text)),
                )
                reached("index.row")


def _opened_place(database: Path | Opened, *, later: bool) -> WritingPlace:
    if isinstance(database, Opened):
        return WritingPlace(file_of(database.connection), database.connection)
    return WritingPlace(database, None if later else open_database(database).connection)


def _in_words(error: Exception) -> str:
    """The cause alone: what to do about it is tried already."""
    cause = error.__cause__ if isinstance(error, DatabaseError) and error.__cause__ is not None else error
    return str(cause)


def append_merged(rows: list[_Row], stamped: Stamped) -> None:
    """Add an event to a batch, or join it with the delta of the same block just before it."""
    if rows:
        joined = _joined(rows[-1].stamped, stamped)
        if joined is not None:
            rows[-1] = _Row(joined, stamped.seq)
            return
    rows.append(_Row(stamped, stamped.seq))


def _joined(first: Stamped, second: Stamped) -> Stamped | None:
    match first.event, second.event:
        case ProviderActivity() as a, ProviderActivity() as b if a.request_id == b.request_id:
            match a.event, b.event:
                case (TextDelta() as x, TextDelta() as y) | (ThinkingDelta() as x, ThinkingDelta() as y) if (
                    x.index == y.index and type(x) is type(y)
                ):
                    return replace(first, event=replace(a, event=replace(x, text=x.text + y.text)))
                case ToolCallDelta() as x, ToolCallDelta() as y if x.index == y.index:
                    joined = replace(x, arguments_json=x.arguments_json + y.arguments_json)
                    return replace(first, event=replace(a, event=joined))
                case _:
                    return None
        case ToolActivity(event=ToolOutputDelta() as x) as a, ToolActivity(event=ToolOutputDelta() as y) if (
            x.run_id == y.run_id
        ):
            return replace(first, event=replace(a, event=replace(x, text=x.text + y.text)))
        case _:
            return None


def _write(connection: sqlite3.Connection, row: _Row) -> int:
    """Put a row into the journal and the tables made from it; returns the characters of its body."""
    stamped = row.stamped
    event = stamped.event
    body = journal_text(without_keys(encode(event)))
    reached("write.row")
    connection.execute(
        "INSERT OR REPLACE INTO events (session_id, seq, last_seq, at, type, body) VALUES (?, ?, ?, ?, ?, ?)",
        (stamped.session_id, stamped.seq, row.last_seq, stamped.at, type(event).__name__, body),
    )
    match event:
        case SessionStarted():
            connection.execute(
                "INSERT OR IGNORE INTO sessions (id, folder, created_at, updated_at) VALUES (?, ?, ?, ?)",
                (stamped.session_id, event.folder, stamped.at, stamped.at),
            )
        case PromptSubmitted():
            connection.execute(
                "UPDATE sessions SET title = coalesce(title, ?), updated_at = ? WHERE id = ?",
                (redact_registered(storable(event.text[:200])), stamped.at, stamped.session_id),
            )
        case ModelSelected():
            connection.execute("UPDATE sessions SET model = ? WHERE id = ?", (str(event.model.ref), stamped.session_id))
        case TitleProposed():
            connection.execute(
                "UPDATE sessions SET title = ? WHERE id = ? AND title IS NOT NULL",
                (redact_registered(storable(event.title)), stamped.session_id),
            )
        case CallPriced():
            _write_call(connection, stamped, event)
        case _:
            pass
    return len(body)


def _write_call(connection: sqlite3.Connection, stamped: Stamped, call: CallPriced) -> None:
    usage, amount = call.usage, call.cost.amount
    connection.execute(
        "INSERT OR REPLACE INTO calls (request_id, session_id, turn_id, at, provider, model, input_tokens,"
        " cache_read_tokens, cache_write_tokens, output_tokens, thinking_tokens, price, cost, currency, source,"
        " duration_s, first_token_s, error_kind, purpose, usage_estimated)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            call.request_id,
            stamped.session_id,
            call.turn_id,
            stamped.at,
            call.ref.provider,
            call.ref.model,
            usage.input_tokens,
            usage.cache_read_tokens,
            usage.cache_write_tokens,
            usage.output_tokens,
            usage.thinking_tokens,
            None if call.price is None else json.dumps(encode(call.price)),
            None if amount is None else str(amount),
            call.cost.currency,
            call.cost.source.value,
            call.duration_s,
            call.first_token_s,
            call.error_kind,
            call.purpose.value,
            int(call.usage_estimated),
        ),
    )

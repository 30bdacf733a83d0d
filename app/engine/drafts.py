"""What stands unsent in a prompt, kept on disk until it is sent, so that neither a crash nor a switch loses it."""

import sqlite3
from collections.abc import Collection

from ...providers.redact import redact_registered
from .searchable import storable
from .state import PromptEntry, SessionState


def save_draft(connection: sqlite3.Connection, session_id: str, text: str, *, at: float) -> None:
    """Keep the text as the session's draft; blank text means that there is none. Raises ``sqlite3.Error``."""
    with connection:
        if text.strip():
            connection.execute(
                "INSERT OR REPLACE INTO drafts (session_id, at, text) VALUES (?, ?, ?)",
                (session_id, at, redact_registered(storable(text))),
            )
        else:
            connection.execute("DELETE FROM drafts WHERE session_id = ?", (session_id,))


def load_draft(connection: sqlite3.Connection, state: SessionState) -> str:
    """The session's draft, unless it was sent after it was kept (the process died in between); empty when none."""
    row = connection.execute("SELECT at, text FROM drafts WHERE session_id = ?", (state.session_id,)).fetchone()
    if row is None:
        return ""
    at, text = float(row[0]), str(row[1])
    sent = [entry for entry in (*state.transcript, *state.queued) if isinstance(entry, PromptEntry)]
    return "" if any(entry.at >= at and entry.text.strip() == text.strip() for entry in sent) else text


def take_over_draft(connection: sqlite3.Connection, session_id: str, folder: str, *, in_use: Collection[str]) -> str:
    """Move the newest draft of the folder's sessions that are in no list, as nothing was sent in them, to a new one.

    Empty when there is none, and for a session in which something was sent. Raises ``sqlite3.Error``.
    """
    rows = connection.execute(
        "SELECT d.session_id, d.text FROM drafts d JOIN sessions s ON s.id = d.session_id"
        " WHERE s.title IS NULL AND s.folder = ?1"
        " AND NOT EXISTS (SELECT 1 FROM sessions WHERE id = ?2 AND title IS NOT NULL) ORDER BY d.at DESC",
        (folder, session_id),
    ).fetchall()
    for source, text in rows:
        if source == session_id or source in in_use:
            continue
        with connection:
            moved = connection.execute(
                "UPDATE OR REPLACE drafts SET session_id = ? WHERE session_id = ?", (session_id, source)
            )
        if moved.rowcount:  # else another process was faster
            return str(text)
    return ""


def waiting_words(count: int) -> str:
    """What is said of prompts that an earlier run had not sent yet."""
    prompts = "1 prompt was" if count == 1 else f"{count} prompts were"
    return (
        f"{prompts} waiting when the last run ended. Nothing is sent by itself: ask again (/retry) or send another"
        " prompt to send what waits too, /unqueue puts it back into the prompt."
    )

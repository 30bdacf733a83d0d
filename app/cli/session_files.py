"""Sessions as files: exported in three forms, and brought in again. What a file refuses is said in words."""

import os
import sqlite3
import time
from functools import partial
from pathlib import Path

from ...providers.redact import redact
from ..engine.archive import SessionRow
from ..engine.database import load_events
from ..engine.ids import new_id
from ..engine.state import SessionState
from ..engine.store import SessionStore
from ..engine.transfer import MAX_LINE_CHARS, Imported, TransferError, export_lines, import_lines


class FileProblem(Exception):
    """A file cannot be read or written; the message names it, the cause and the fix."""


def exported(connection: sqlite3.Connection, session: SessionRow, form: str) -> str:
    """A session as text without keys: ``jsonl``, ``markdown`` or ``html``."""
    if form == "jsonl":
        return "".join(f"{line}\n" for line in export_lines(connection, session.session_id))
    events, _, _ = load_events(connection, session.session_id)
    state = SessionStore(SessionState(session_id=session.session_id)).replay(events)
    if form == "html":
        from .transcript_html import changes_by_run, to_html  # only an export needs it

        return to_html(state, session.title, changes_by_run(events))
    from .transcript_text import to_markdown

    return redact(to_markdown(state, session.title))


def write_new(file: Path, text: str, *, replace: bool = False) -> None:
    """Write a file that others cannot read: it may hold prompts and code. Raises ``FileProblem``."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if replace else os.O_EXCL)
    new = False
    try:
        with os.fdopen(os.open(file, flags, 0o600), "w", encoding="utf-8", errors="replace") as out:
            new = not replace  # what is replaced may be no file of a disk
            out.write(text)
            if new:
                out.flush()
                os.fsync(out.fileno())
    except FileExistsError:
        if file.is_dir():
            raise FileProblem(f"{file} is a folder. Name a file in it.") from None
        raise FileProblem(f"{file} exists. Give another name: nothing is written over it.") from None
    except (OSError, ValueError) as error:
        if new:
            file.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileProblem(f"{file}: {reason or error}.") from None


def read_session_file(connection: sqlite3.Connection, file: Path) -> Imported:
    """Bring in a session exported as JSON lines, under a new id. Raises ``FileProblem``; then nothing is added."""
    try:
        with open(file, encoding="utf-8-sig", errors="surrogatepass") as opened:
            lines = iter(partial(opened.readline, MAX_LINE_CHARS + 1), "")
            return import_lines(connection, lines, new_id("session"), at=time.time())
    except OSError as error:
        raise FileProblem(f"{file}: {error.strerror or error}.") from None
    except TransferError as error:
        raise FileProblem(f"{file}: {error}") from None
    except ValueError:  # no UTF-8, or a name that no file can have
        raise FileProblem(f"{file}: not UTF-8 text. Give a file made by `patchbay sessions export`.") from None

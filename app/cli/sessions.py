"""``patchbay sessions``: what was said earlier, in every folder: listed, searched, exported, brought in, removed."""

import argparse
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...tools.safe_text import safe_line
from ..engine import archive
from ..engine.archive import Hit, SessionRow
from ..engine.database import DatabaseError, connect, load_events
from ..engine.ids import new_id
from ..engine.state import SessionState
from ..engine.store import SessionStore
from ..engine.transfer import TransferError, export_lines, import_lines
from ..paths import find_paths
from ..settings import SettingsError
from .arguments import ExitCode, new_parser
from .headless import to_json

_TITLE_CHARACTERS = 60
_DAY_S = 86_400
KEPT_DAYS = 30
"""How long a removed session can be brought back."""


def sessions_command(words: Sequence[str]) -> int:
    """Run one of the sub-commands and return the exit code. Raises SettingsError."""
    options = _parser().parse_args(list(words))
    path = find_paths(os.environ).database
    if not path.exists() and options.action != "import":
        raise SettingsError(f"there are no sessions yet ({path} does not exist).")
    try:
        connection = connect(path)
    except DatabaseError as error:
        raise SettingsError(str(error)) from None
    run: Callable[[sqlite3.Connection, argparse.Namespace], int] = options.run
    try:
        return run(connection, options)
    except sqlite3.Error as error:
        raise SettingsError(f"{path}: {error}") from None
    finally:
        connection.close()


def the_session(connection: sqlite3.Connection, given: str) -> SessionRow:
    """The one session whose id begins with what was given. Raises SettingsError with what there is."""
    match archive.find_session(connection, given):
        case [one]:
            return one
        case []:
            raise SettingsError(f"there is no session {safe_line(given)!r}. `patchbay sessions list --all` shows them.")
        case several:
            ids = ", ".join(each.session_id for each in several[:5])
            raise SettingsError(f"{safe_line(given)!r} is the beginning of {len(several)} sessions: {ids}.")


def _list(connection: sqlite3.Connection, options: argparse.Namespace) -> int:
    folder = None if options.all else str(Path.cwd())
    rows = archive.list_sessions(connection, folder=folder, removed=options.removed, limit=options.limit)
    if options.json:
        sys.stdout.write(to_json({"sessions": [session_row(row) for row in rows]}) + "\n")
    elif rows:
        now = time.time()
        sys.stdout.writelines(f"{line}\n" for line in _table(rows, now, folders=options.all))
    else:
        where = "" if options.all else " for this folder; --all looks everywhere"
        sys.stderr.write(f"No sessions{where}.\n")
    return ExitCode.OK


def _search(connection: sqlite3.Connection, options: argparse.Namespace) -> int:
    folder = str(Path.cwd()) if options.here else None
    hits = archive.search(connection, " ".join(options.text), folder=folder, limit=options.limit)
    if options.json:
        sys.stdout.write(to_json({"hits": [_hit_row(hit) for hit in hits]}) + "\n")
        return ExitCode.OK
    now = time.time()
    for hit, line in zip(hits, _table([hit.session for hit in hits], now, folders=True), strict=True):
        sys.stdout.write(f"{line}\n    {safe_line(hit.snippet)}\n")
    if not hits:
        sys.stderr.write("Nothing found.\n")
    return ExitCode.OK if hits else ExitCode.FAILED


def _export(connection: sqlite3.Connection, options: argparse.Namespace) -> int:
    session = the_session(connection, options.session)
    text = exported(connection, session, options.format)
    if options.output is None:
        sys.stdout.write(text)
        return ExitCode.OK
    try:
        _write_new(options.output, text, replace=options.force)
    except FileExistsError:
        raise SettingsError(f"{options.output} exists. Give another name, or --force.") from None
    except OSError as error:
        raise SettingsError(f"{options.output}: {error.strerror or error}.") from None
    sys.stderr.write(f"Written: {options.output}\n")
    return ExitCode.OK


def exported(connection: sqlite3.Connection, session: SessionRow, form: str) -> str:
    """A session as text: ``jsonl``, ``markdown`` or ``html``."""
    from .transcript_text import to_html, to_markdown

    if form == "jsonl":
        return "".join(f"{line}\n" for line in export_lines(connection, session.session_id))
    events, _, _ = load_events(connection, session.session_id)
    state = SessionStore(SessionState(session_id=session.session_id)).replay(events)
    return (to_html if form == "html" else to_markdown)(state, session.title)


def _import(connection: sqlite3.Connection, options: argparse.Namespace) -> int:
    for file in options.files:
        try:
            with open(file, encoding="utf-8", errors="surrogatepass") as lines:
                done = import_lines(connection, lines, new_id("session"), at=time.time())
        except OSError as error:
            raise SettingsError(f"{file}: {error.strerror or error}.") from None
        except UnicodeDecodeError:
            raise SettingsError(f"{file}: not UTF-8 text. Give a file made by `patchbay sessions export`.") from None
        except TransferError as error:
            raise SettingsError(f"{file}: {error}") from None
        left = f", {done.left_out} lines of another version left out" if done.left_out else ""
        sys.stdout.write(f"{done.session_id}  {safe_line(done.title)}  ({done.events} events{left})\n")
    return ExitCode.OK


def _rm(connection: sqlite3.Connection, options: argparse.Namespace) -> int:
    now = time.time()
    for given in options.sessions:
        session = the_session(connection, given)
        archive.remove(connection, session.session_id, at=now)
        sys.stdout.write(f"Removed {session.session_id}  {_title(session)}\n")
    purged = archive.purge(connection, removed_before=now - KEPT_DAYS * _DAY_S)
    note = f" {purged} removed earlier are gone now." if purged else ""
    sys.stderr.write(f"`patchbay sessions restore ID` brings one back within {KEPT_DAYS} days.{note}\n")
    return ExitCode.OK


def _restore(connection: sqlite3.Connection, options: argparse.Namespace) -> int:
    for given in options.sessions:
        session = the_session(connection, given)
        archive.restore(connection, session.session_id)
        sys.stdout.write(f"Back: {session.session_id}  {_title(session)}\n")
    return ExitCode.OK


def _rename(connection: sqlite3.Connection, options: argparse.Namespace) -> int:
    session = the_session(connection, options.session)
    archive.rename(connection, session.session_id, " ".join(options.name))
    return ExitCode.OK


def session_row(row: SessionRow) -> dict[str, Any]:
    """A session as JSON; times are epoch seconds, cost is a decimal string in USD."""
    return {
        "id": row.session_id,
        "folder": row.folder,
        "title": row.title,
        "model": row.model,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "prompts": row.prompts,
        "calls": row.calls,
        "cost": f"{row.cost:f}",
        "unknown_calls": row.unknown_calls,
        "removed": row.removed,
    }


def _hit_row(hit: Hit) -> dict[str, Any]:
    return {
        **session_row(hit.session),
        "kind": hit.kind,
        "snippet": hit.snippet,
        "marks": [list(mark) for mark in hit.marks],
        "hits": hit.hits,
    }


def _table(rows: Sequence[SessionRow], now: float, *, folders: bool) -> list[str]:
    cells = [
        (
            row.session_id,
            _age(now - row.updated_at),
            _money(row),
            safe_line(row.model),
            _title(row),
            *((safe_line(row.folder),) if folders else ()),
        )
        for row in rows
    ]
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(5)]
    return [
        "  ".join(
            cell.rjust(width) if column in (1, 2) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, [*widths, 0], strict=False))
        ).rstrip()
        for row in cells
    ]


def _title(row: SessionRow) -> str:
    title = " ".join(safe_line(row.title).split())
    return title if len(title) <= _TITLE_CHARACTERS else title[: _TITLE_CHARACTERS - 1] + "…"


def _money(row: SessionRow) -> str:
    known = f"${row.cost:.4f}" if row.cost else "free" if row.calls and not row.unknown_calls else ""
    return f"{known} + ?" if known and row.unknown_calls else known or ("?" if row.unknown_calls else "-")


def _age(seconds: float) -> str:
    for size, unit in ((_DAY_S, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "now"


def _write_new(file: Path, text: str, *, replace: bool) -> None:
    """Write a file that others cannot read: it may hold prompts and code."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if replace else os.O_EXCL)
    with os.fdopen(os.open(file, flags, 0o600), "w", encoding="utf-8", errors="replace") as out:
        out.write(text)


def _parser() -> argparse.ArgumentParser:
    parser = new_parser(
        "patchbay sessions", "Earlier sessions. An id may be cut short as long as it names one session."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def add(
        name: str, words: str, run: Callable[[sqlite3.Connection, argparse.Namespace], int]
    ) -> argparse.ArgumentParser:
        action = actions.add_parser(name, help=words, description=words, allow_abbrev=False)
        action.set_defaults(run=run)
        return action

    listing = add("list", "sessions of this folder, newest first", _list)
    listing.add_argument("--all", action="store_true", help="of every folder")
    listing.add_argument("--removed", action="store_true", help="those that were removed and can be restored")
    listing.add_argument("--limit", type=int, default=50, metavar="N", help="at most N (default 50)")
    listing.add_argument("--json", action="store_true", help="one JSON object in place of a table")
    searching = add("search", "sessions whose prompts and answers hold all of these words", _search)
    searching.add_argument("text", nargs="+", metavar="WORD")
    searching.add_argument("--here", action="store_true", help="only in this folder")
    searching.add_argument("--limit", type=int, default=20, metavar="N", help="at most N (default 20)")
    searching.add_argument("--json", action="store_true", help="one JSON object in place of text")
    exporting = add("export", "a session as a file", _export)
    exporting.add_argument("session", metavar="ID")
    exporting.add_argument("--format", choices=("markdown", "html", "jsonl"), default="markdown")
    exporting.add_argument("-o", "--output", type=Path, metavar="FILE", help="in place of standard output")
    exporting.add_argument("--force", action="store_true", help="replace FILE when it exists")
    importing = add("import", "bring in sessions exported as jsonl, under new ids", _import)
    importing.add_argument("files", nargs="+", type=Path, metavar="FILE")
    removing = add("rm", f"remove sessions; they can be restored for {KEPT_DAYS} days", _rm)
    removing.add_argument("sessions", nargs="+", metavar="ID")
    restoring = add("restore", "bring removed sessions back", _restore)
    restoring.add_argument("sessions", nargs="+", metavar="ID")
    naming = add("rename", "give a session a name of your own; none takes it away", _rename)
    naming.add_argument("session", metavar="ID")
    naming.add_argument("name", nargs="*", metavar="WORD")
    return parser

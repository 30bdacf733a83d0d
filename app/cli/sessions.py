"""``patchbay sessions``: what was said earlier, in every folder: listed, searched, exported, brought in, removed."""

import argparse
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...tools.safe_text import safe_line
from ..engine import archive
from ..engine.archive import Hit, SessionRow
from ..engine.archive_views import session_prompts
from ..engine.database import DatabaseError, attach, connect
from ..engine.drafts import save_draft
from ..engine.ids import new_id
from ..engine.image_names import sent_with
from ..engine.session_lock import held_sessions
from ..pasted_images import PastedImages
from ..paths import find_paths
from ..settings import SettingsError, load_settings
from .arguments import ExitCode, new_parser
from .compacting_sessions import compact_command
from .headless import to_json
from .pasting import keep_sent
from .retention import DAY_S, Retention
from .session_files import FileProblem, exported, read_session_file, write_new

_TITLE_CHARACTERS = 60


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


def folder_of(database: Path, given: str) -> Path | None:
    """The folder of the one session whose id begins with what was given; None when there is no such session or folder.

    Only looks: whoever opens the session says what is wrong with it.
    """
    try:
        with closing(attach(database)) as connection:
            found = archive.find_session(connection, given)
    except sqlite3.Error:
        return None
    folder = Path(found[0].folder) if len(found) == 1 else None
    return folder if folder is not None and folder.is_dir() else None


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
        write_new(options.output, text, replace=options.force)
    except FileProblem as problem:
        force = " --force replaces it." if options.output.is_file() and not options.force else ""
        raise SettingsError(f"{problem}{force}") from None
    sys.stderr.write(f"Written: {options.output}\n")
    return ExitCode.OK


def _import(connection: sqlite3.Connection, options: argparse.Namespace) -> int:
    for file in options.files:
        try:
            done = read_session_file(connection, file)
        except FileProblem as problem:
            raise SettingsError(str(problem)) from None
        left = f", {done.left_words}" if done.left_out else ""
        sys.stdout.write(f"{done.session_id}  {_cut(done.title)}  ({done.events} events{left})\n")
    return ExitCode.OK


def _rm(connection: sqlite3.Connection, options: argparse.Namespace) -> int:
    days = _retention().keep_removed_days
    open_now = held_sessions(find_paths(os.environ).locks)
    sessions = [the_session(connection, given) for given in options.sessions]
    for session in sessions:
        if session.session_id in open_now:
            raise SettingsError(f"{session.session_id} is open in another Patchbay: leave it there first.")
    for session in sessions:
        archive.remove(connection, session.session_id, at=time.time())
        sys.stdout.write(f"Removed {session.session_id}  {_title(session)}\n")
    sys.stderr.write(f"`patchbay sessions restore ID` brings one back{f' within {days} days' if days else ''}.\n")
    return ExitCode.OK


def _prune(connection: sqlite3.Connection, options: argparse.Namespace) -> int:
    """Delete for good what the settings no longer keep; with ``--dry-run`` only say what that is."""
    given = {"keep_days": options.keep_days, "keep_removed_days": options.keep_removed_days}
    retention = replace(_retention(), **{name: days for name, days in given.items() if days is not None})
    paths, now = find_paths(os.environ), time.time()
    rows = retention.purgeable(connection, paths, at=now)
    purged: list[str] = [] if options.dry_run else retention.purge(connection, paths, at=now)
    for row in rows:
        if options.dry_run or row.session_id in purged:
            done = "Would delete" if options.dry_run else "Deleted"
            sys.stdout.write(f"{done} {row.session_id}  {_title(row)}\n")
    if not rows:
        sys.stderr.write(
            f"Nothing to delete: removed sessions are kept {_days(retention.keep_removed_days)},"
            f" others {_days(retention.keep_days)} after their last prompt ([sessions] in the settings).\n"
        )
    return ExitCode.OK


def _compact(connection: sqlite3.Connection, options: argparse.Namespace) -> int:
    """Compact the sessions that are named, or all that are idle long enough."""
    chosen = [the_session(connection, given) for given in options.sessions] or None
    days = (_retention().compact_after_days or None) if options.after_days is None else options.after_days
    return compact_command(connection, find_paths(os.environ), chosen, after_days=days, dry_run=options.dry_run)


def _retention() -> Retention:
    """What the person's settings say. Raises ``SettingsError``."""
    return Retention.of(load_settings(Path.cwd(), environ=os.environ))


def _days(days: int) -> str:
    return f"{days} days" if days else "for ever"


def _fork(connection: sqlite3.Connection, options: argparse.Namespace) -> int:
    session = the_session(connection, options.session)
    prompts = session_prompts(connection, session.session_id)
    number: int | None = options.before
    if number is not None and not 1 <= number <= len(prompts):
        listed = "\n".join(f"  {place}  {_cut(each.text)}" for place, each in enumerate(prompts, 1))
        there = (
            f"There are:\n{listed}"
            if prompts
            else "All of its prompts were taken back; without --before it is copied whole."
        )
        raise SettingsError(f"there is no prompt {number} in {session.session_id}. {there}")
    before = None if number is None else prompts[number - 1]
    copy, now = new_id("session"), time.time()
    archive.fork(
        connection, session.session_id, copy, at=now, before_prompt=None if before is None else before.prompt_id
    )
    if before is not None:
        images = PastedImages(find_paths(os.environ).images)
        keep_sent(images, sent_with(connection, session.session_id, before.prompt_id))
        save_draft(connection, copy, before.text, at=now)
    sys.stdout.write(f"{copy}  {_title(session)}\n")
    sys.stderr.write(f"`patchbay --resume {copy}` goes on with it.\n")
    return ExitCode.OK


def _restore(connection: sqlite3.Connection, options: argparse.Namespace) -> int:
    for session in [the_session(connection, given) for given in options.sessions]:
        archive.restore(connection, session.session_id)
        sys.stdout.write(f"Back: {session.session_id}  {_title(session)}\n")
    return ExitCode.OK


def _rename(connection: sqlite3.Connection, options: argparse.Namespace) -> int:
    session = the_session(connection, options.session)
    archive.rename(connection, session.session_id, " ".join(options.name))
    sys.stdout.write(f"Renamed {session.session_id}  {_title(the_session(connection, session.session_id))}\n")
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
    return _cut(row.title)


def _cut(text: str) -> str:
    title = " ".join(safe_line(text).split())
    return title if len(title) <= _TITLE_CHARACTERS else title[: _TITLE_CHARACTERS - 1] + "…"


def _money(row: SessionRow) -> str:
    known = (
        f"{'~' if row.estimated else ''}${row.cost:.4f}"
        if row.cost
        else "free"
        if row.calls and not row.unknown_calls
        else ""
    )
    return f"{known} + ?" if known and row.unknown_calls else known or ("?" if row.unknown_calls else "-")


def _age(seconds: float) -> str:
    for size, unit in ((DAY_S, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "now"


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
    listing.add_argument("--limit", type=_positive, default=50, metavar="N", help="at most N (default 50)")
    listing.add_argument("--json", action="store_true", help="one JSON object in place of a table")
    searching = add("search", "sessions whose prompts and answers hold all of these words", _search)
    searching.add_argument("text", nargs="+", metavar="WORD")
    searching.add_argument("--here", action="store_true", help="only in this folder")
    searching.add_argument("--limit", type=_positive, default=20, metavar="N", help="at most N (default 20)")
    searching.add_argument("--json", action="store_true", help="one JSON object in place of text")
    exporting = add("export", "a session as a file", _export)
    exporting.add_argument("session", metavar="ID")
    exporting.add_argument("--format", choices=("markdown", "html", "jsonl"), default="markdown")
    exporting.add_argument("-o", "--output", type=Path, metavar="FILE", help="in place of standard output")
    exporting.add_argument("--force", action="store_true", help="replace FILE when it exists")
    importing = add("import", "bring in sessions exported as jsonl, under new ids", _import)
    importing.add_argument("files", nargs="+", type=Path, metavar="FILE")
    removing = add("rm", "remove sessions; they can be restored until they are pruned", _rm)
    removing.add_argument("sessions", nargs="+", metavar="ID")
    restoring = add("restore", "bring removed sessions back", _restore)
    restoring.add_argument("sessions", nargs="+", metavar="ID")
    pruning = add("prune", "delete for good what the settings no longer keep ([sessions]); the ledger stays", _prune)
    pruning.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    pruning.add_argument("--keep-days", type=_whole, metavar="N", help="days after the last prompt; 0 for ever")
    pruning.add_argument("--keep-removed-days", type=_whole, metavar="N", help="days after the removal; 0 for ever")
    compacting = add("compact", "make sessions smaller on disk; nothing of them changes", _compact)
    compacting.add_argument("sessions", nargs="*", metavar="ID", help="these; none: all that are idle long enough")
    compacting.add_argument("--dry-run", action="store_true", help="only say what it would give")
    compacting.add_argument(
        "--after-days", type=_whole, metavar="N", help="days after the last prompt; 0: all that are not open"
    )
    forking = add("fork", "copy a session, whole or up to a prompt", _fork)
    forking.add_argument("session", metavar="ID")
    forking.add_argument("--before", type=int, metavar="N", help="leave out prompt number N and all that follows")
    naming = add("rename", "give a session a name of your own; none takes it away", _rename)
    naming.add_argument("session", metavar="ID")
    naming.add_argument("name", nargs="*", metavar="WORD")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number

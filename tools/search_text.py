"""``grep``: lines that match a regular expression, in the files of a folder."""

import asyncio
import json
import os
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

from pydantic import BaseModel, Field

from .bounds import joined_lines
from .failures import ToolFailure
from .patterns import PathPattern
from .policy import Action, Request
from .process import run_process
from .safe_text import marked_exactly, marked_name
from .sensitive import Concern, concern_of
from .tool import Plan, Tool, ToolContext, ToolResult
from .walk import files_below
from .withholding import Withholding
from .workspace import Place

_TIMEOUT_S = 30
_NOTE_BYTES = 400
_NAMED_SECRETS = 5


class GrepArguments(BaseModel):
    """The expression and where to look."""

    pattern: str = Field(min_length=1)
    path: str = "."
    glob: str = Field(default="", description="only files like *.py or src/**")


class SearchText(Tool[GrepArguments]):
    """Searches files line by line, in a process of its own."""

    name = "grep"
    description = "Search file contents line by line with a Python regular expression. Skips what git ignores."
    max_bytes = 60_000
    arguments = GrepArguments

    def title(self, arguments: GrepArguments) -> str:
        """The expression and where it is looked for."""
        where = " ".join(part for part in (arguments.glob, "" if arguments.path == "." else arguments.path) if part)
        return f"{arguments.pattern}  {where}".rstrip()

    def request(self, arguments: GrepArguments, context: ToolContext) -> Request:
        """Reading one place, and all below it."""
        place = context.workspace.resolve(arguments.path)
        return Request(tool=self.name, action=Action.READ, places=(place,))

    async def prepare(self, arguments: GrepArguments, context: ToolContext, request: Request) -> Plan:
        """Nothing to find out before, but that there is something to search."""
        if not request.places[0].exists:
            raise ToolFailure(f"There is no file or folder {marked_name(request.places[0].shown)}.")
        return Plan(run=partial(_search, arguments, context, request.places[0]))


@dataclass(slots=True, kw_only=True)
class _Chosen:
    """The files to search, and those that are passed over, by why."""

    names: list[str] = field(default_factory=list[str])
    secrets: list[str] = field(default_factory=list[str])
    denied: list[str] = field(default_factory=list[str])
    asked: list[str] = field(default_factory=list[str])


def _chosen(listed: list[str], glob: str, place: Place, rules: Withholding) -> _Chosen:
    """Sort the names below a folder. What its own question was about has been answered with yes."""
    wanted = PathPattern(glob) if glob else None
    prefix = "" if place.shown == "." else f"{place.shown.rstrip('/')}/"
    chosen = _Chosen()
    for name in listed:
        if wanted is not None and not wanted.matches_name_or_path(name):
            continue
        ruled = rules.of(prefix + name, inside=place.inside) if rules else None
        if ruled is not None and ruled[0] is Concern.DENIED:
            chosen.denied.append(name)
        elif concern_of(name.split("/"), writing=False):
            chosen.secrets.append(name)
        elif ruled is not None and ruled != place.read_concern:
            chosen.asked.append(name)
        else:
            chosen.names.append(name)
    return chosen


async def _search(arguments: GrepArguments, context: ToolContext, place: Place) -> ToolResult:
    if place.folder:
        listed = await files_below(place, context)
        rules = context.workspace.withholding()
        # Tens of thousands of names take longer than the screen may stand still.
        chosen = await asyncio.to_thread(_chosen, listed, arguments.glob, place, rules)
        root = place.real
    else:
        root, chosen = place.real.parent, _Chosen(names=[place.real.name])
    output = bytearray()
    complete = await _run_worker(arguments.pattern, root, chosen.names, context, output)
    matches, end = _parsed(output)
    if "error" in end:
        raise ToolFailure(f"{arguments.pattern!r} is not a Python regular expression: {end['error']}.")
    notes = [] if complete and end.get("complete") else ["not all files were searched: narrow path, glob or pattern"]
    if end.get("skipped"):
        notes.append(f"{end['skipped']} files over 64 MB not searched")
    if chosen.secrets:
        notes.append(f"not searched, as they usually hold secrets: {_some(chosen.secrets)}")
    if chosen.denied:
        notes.append(f"not searched, as a rule of the user denies reading them: {_some(chosen.denied)}")
    if chosen.asked:
        notes.append(f"not searched, as the user wants to be asked first (name them as path): {_some(chosen.asked)}")
    return _result(matches, "" if place.shown == "." else _prefix(place), notes, context.max_bytes)


def _some(names: list[str]) -> str:
    more = ", …" if len(names) > _NAMED_SECRETS else ""
    return f"{', '.join(map(marked_name, names[:_NAMED_SECRETS]))}{more}"


def _prefix(place: Place) -> str:
    shown = place.shown if place.folder else place.shown.rpartition("/")[0]
    return f"{shown.rstrip('/')}/" if shown else ""


async def _run_worker(pattern: str, root: Path, names: list[str], context: ToolContext, output: bytearray) -> bool:
    """Search; False when time ran out."""
    request = json.dumps({"pattern": pattern, "root": os.fsdecode(root), "max_bytes": 2 * context.max_bytes})
    worker = Path(__file__).with_name("search_worker.py")
    with tempfile.TemporaryFile() as listing:
        listing.write(b"".join(os.fsencode(name) + b"\0" for name in names))
        listing.flush()
        listing.seek(0)
        end = await run_process(
            [sys.executable, "-I", "-S", str(worker), request],
            folder=Path("/"),  # it is told where to look; nothing of ours starts inside the workspace
            environment=context.environment,
            timeout_s=_TIMEOUT_S,
            on_output=output.extend,
            stdin=listing,
            with_errors=False,
        )
    return end.exit_status == 0


def _parsed(output: bytes | bytearray) -> tuple[list[tuple[str, int, str]], dict[str, object]]:
    """The matches, and the last record ({} when the worker did not come to its end)."""
    matches: list[tuple[str, int, str]] = []
    end: dict[str, object] = {}
    for line in bytes(output).split(b"\n")[:-1]:
        record: object = json.loads(line)
        if isinstance(record, dict):
            end = cast("dict[str, object]", record)
        else:
            name, number, text = cast("tuple[str, int, str]", record)
            matches.append((name, number, text))
    return matches, end


def _result(matches: list[tuple[str, int, str]], prefix: str, notes: list[str], max_bytes: int) -> ToolResult:
    lines: list[str] = []
    before = ""
    for name, number, text in matches:
        if name != before:
            lines.append(marked_name(prefix + name))
            before = name
        lines.append(f"{number}: {marked_exactly(text)}")
    files = len({name for name, _, _ in matches})
    content, count = joined_lines(lines, max_bytes - _NOTE_BYTES)
    if count < len(lines):
        notes = [f"{len(lines) - count} more lines: narrow path, glob or pattern", *notes]
    if not matches:
        content = "No match."
    summary = f"{len(matches)} match{'' if len(matches) == 1 else 'es'} in {files} file{'' if files == 1 else 's'}"
    note = f"\n[{'; '.join(notes)}]" if notes else ""
    return ToolResult(content=content + note, summary=summary)

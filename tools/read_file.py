"""``read``: a text file, or a part of it, with line numbers."""

import asyncio
from typing import Annotated

from pydantic import BaseModel, Field

from .events import FileSeen
from .failures import ToolFailure
from .freshness import file_seen
from .numbered import lines_of, numbered
from .policy import Action, Request
from .safe_text import marked
from .text_file import TextFile, decode
from .tool import Plan, Tool, ToolContext, ToolResult
from .workspace import Place

_NOTE_BYTES = 320


class ReadArguments(BaseModel):
    """Which lines of which file."""

    path: str
    offset: Annotated[int, Field(ge=1, description="first line, from 1")] = 1
    limit: Annotated[int, Field(ge=0, description="lines, 0 = all")] = 0


class ReadFile(Tool[ReadArguments]):
    """Shows the model a file and remembers that it has seen it."""

    name = "read"
    description = "Read a text file. Each line comes as number, tab, text. Required before edit or write of a file."
    max_bytes = 1_500_000
    arguments = ReadArguments

    def title(self, arguments: ReadArguments) -> str:
        """The path, with the first line when it is not the first of the file."""
        return arguments.path if arguments.offset == 1 else f"{arguments.path}:{arguments.offset}"

    def request(self, arguments: ReadArguments, context: ToolContext) -> Request:
        """Reading one place."""
        place = context.workspace.resolve(arguments.path)
        return Request(tool=self.name, action=Action.READ, places=(place,))

    async def prepare(self, arguments: ReadArguments, context: ToolContext, request: Request) -> Plan:
        """Nothing to find out before."""

        async def run() -> ToolResult:
            result, seen = await asyncio.to_thread(_read, arguments, context, request)
            context.emit(seen)
            return result

        return Plan(run=run)


def _read(arguments: ReadArguments, context: ToolContext, request: Request) -> tuple[ToolResult, FileSeen]:
    place = request.places[0]
    if place.folder:
        raise ToolFailure(f"{marked(place.shown)} is a folder: use list.", kind="is_directory")
    data = context.workspace.read(place)
    file = decode(data)
    if file is None:
        raise ToolFailure(
            f"{marked(place.shown)} is a binary file of {len(data):,} bytes: use bash (file, xxd, strings).",
            kind="binary",
        )
    context.seen.note(place, data)
    return _shown(arguments, context, place, file), file_seen(context.run_id, place.shown, data)


def _shown(arguments: ReadArguments, context: ToolContext, place: Place, file: TextFile) -> ToolResult:
    lines = lines_of(file.text)
    if not file.text:
        return ToolResult(content="(the file is empty)", summary="empty")
    if arguments.offset > len(lines):
        raise ToolFailure(f"{marked(place.shown)} has {len(lines)} lines; offset {arguments.offset} is beyond its end.")
    first = arguments.offset
    wanted = min(first - 1 + arguments.limit, len(lines)) if arguments.limit else len(lines)
    shown = numbered(lines, first=first, last=wanted, limit=context.max_bytes - _NOTE_BYTES)
    content, last = shown.text, first - 1 + shown.count
    if last < len(lines):
        content += f"\n[lines {first}-{last} of {len(lines)}; go on with offset={last + 1}]"
    return ToolResult(content=content, summary=f"{shown.count} line{'' if shown.count == 1 else 's'}")

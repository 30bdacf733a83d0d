"""``read``: a text file, or a part of it, with line numbers."""

import asyncio
from typing import Annotated

from pydantic import BaseModel, Field

from .bounds import clipped, joined_lines
from .events import FileSeen
from .failures import ToolFailure
from .freshness import file_seen
from .policy import Action, Request
from .safe_text import marked, marked_exactly
from .text_file import Lines, TextFile, decode, displayable
from .tool import Plan, Tool, ToolContext, ToolResult
from .workspace import Place

_LINE_CHARACTERS = 10_000
_NOTE_BYTES = 320
_MARKS_NOTE = "\n[⟨U+…⟩ stands for one control or invisible character; edit takes it so]"


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
    lines = Lines(file.text).text.removesuffix("\n").split("\n")
    if not file.text:
        return ToolResult(content="(the file is empty)", summary="empty")
    if arguments.offset > len(lines):
        raise ToolFailure(f"{marked(place.shown)} has {len(lines)} lines; offset {arguments.offset} is beyond its end.")
    first = arguments.offset - 1
    wanted = lines[first : first + arguments.limit if arguments.limit else None]
    shown = [marked_exactly(_cut(line)) for line in wanted]
    numbered = [f"{number}\t{line}" for number, line in enumerate(shown, first + 1)]
    content, count = joined_lines(numbered, context.max_bytes - _NOTE_BYTES)
    if not count:  # not even one line fits
        content, count = clipped(numbered[0], context.max_bytes - _NOTE_BYTES), 1
    last = first + count
    if shown[:count] != [displayable(_cut(line)) for line in wanted[:count]]:
        content += _MARKS_NOTE
    if last < len(lines):
        content += f"\n[lines {first + 1}-{last} of {len(lines)}; go on with offset={last + 1}]"
    return ToolResult(content=content, summary=f"{count} line{'' if count == 1 else 's'}")


def _cut(line: str) -> str:
    if len(line) <= _LINE_CHARACTERS:
        return line
    return f"{line[:_LINE_CHARACTERS]}[… {len(line) - _LINE_CHARACTERS:,} characters of this line left out …]"

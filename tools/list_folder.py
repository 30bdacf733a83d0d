"""``list``: the names in one folder."""

import asyncio

from pydantic import BaseModel

from .bounds import joined_lines
from .failures import ToolFailure
from .policy import Action, Request
from .safe_text import marked_name
from .tool import Plan, Tool, ToolContext, ToolResult
from .workspace import Entry, Place

_NOTE_BYTES = 120


class ListArguments(BaseModel):
    """The folder."""

    path: str = "."


class ListFolder(Tool[ListArguments]):
    """Lists a folder, its sub-folders first."""

    name = "list"
    description = "List a folder: sub-folders end in /, files come with their size in bytes."
    max_bytes = 60_000
    arguments = ListArguments

    def title(self, arguments: ListArguments) -> str:
        """The path."""
        return arguments.path

    def request(self, arguments: ListArguments, context: ToolContext) -> Request:
        """Reading one place."""
        place = context.workspace.resolve(arguments.path)
        return Request(tool=self.name, action=Action.READ, places=(place,))

    async def prepare(self, arguments: ListArguments, context: ToolContext, request: Request) -> Plan:
        """Refuse what is not a folder."""
        place = request.places[0]
        if place.exists and not place.folder:
            raise ToolFailure(f"{marked_name(place.shown)} is a file: use read.")
        return Plan(run=lambda: asyncio.to_thread(_list, context, place))


def _list(context: ToolContext, place: Place) -> ToolResult:
    entries = context.workspace.entries(place)
    content, count = joined_lines([marked_name(_line(entry)) for entry in entries], context.max_bytes - _NOTE_BYTES)
    if count < len(entries):
        content += f"\n[{len(entries) - count} more of {len(entries)}: use glob]"
    summary = f"{len(entries)} entr{'y' if len(entries) == 1 else 'ies'}"
    return ToolResult(content=content or "(the folder is empty)", summary=summary)


def _line(entry: Entry) -> str:
    link = "  (link)" if entry.link else ""
    if entry.folder:
        return f"{entry.name}/{link}"
    return f"{entry.name}{link}" if entry.size is None else f"{entry.name}  {entry.size}{link}"

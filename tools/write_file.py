"""``write``: a whole file, new or in place of an old one."""

import asyncio

from pydantic import BaseModel

from .changing import Change, planned_changes
from .failures import ToolFailure
from .policy import Action, Request
from .text_file import in_style_of
from .tool import Plan, Tool, ToolContext


class WriteArguments(BaseModel):
    """The file and all of its content."""

    path: str
    content: str


class WriteFile(Tool[WriteArguments]):
    """Creates or overwrites a file; an old one keeps its encoding, byte order mark and line ends."""

    name = "write"
    description = "Write a whole file; folders are created. To change part of a file use edit."
    arguments = WriteArguments

    def title(self, arguments: WriteArguments) -> str:
        """The path."""
        return arguments.path

    def request(self, arguments: WriteArguments, context: ToolContext) -> Request:
        """Writing one place."""
        place = context.workspace.resolve(arguments.path)
        return Request(tool=self.name, action=Action.WRITE, places=(place,))

    async def prepare(self, arguments: WriteArguments, context: ToolContext, request: Request) -> Plan:
        """Compare with what is there; refuse a folder and a file that the model does not know as it is."""
        place = request.places[0]
        if place.folder:
            raise ToolFailure(f"{place.shown} is a folder: give the path of a file.", kind="is_directory")
        before = context.workspace.read(place) if place.exists else None
        if before:
            context.seen.require_current(place, before, whole=True)
        after = in_style_of(before, arguments.content)
        return await asyncio.to_thread(planned_changes, [Change(place=place, before=before, after=after)], context)

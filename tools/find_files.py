"""``glob``: files by name."""

import asyncio
from functools import partial

from pydantic import BaseModel, Field

from .bounds import joined_lines
from .failures import ToolFailure
from .patterns import PathPattern, has_wildcards
from .policy import Action, Request
from .safe_text import marked_name
from .tool import Plan, Tool, ToolContext, ToolResult
from .walk import files_below
from .workspace import Place

_MOST = 2000
_NOTE_BYTES = 120


class GlobArguments(BaseModel):
    """The pattern and where to look."""

    pattern: str = Field(min_length=1)
    path: str = "."


class FindFiles(Tool[GlobArguments]):
    """Finds files whose path fits a pattern."""

    name = "glob"
    description = "Find files by path pattern: *.py anywhere, src/**/*.{ts,tsx}. Skips what git ignores."
    max_bytes = 60_000
    arguments = GlobArguments

    def title(self, arguments: GlobArguments) -> str:
        """The pattern and where it is looked for."""
        return arguments.pattern if arguments.path == "." else f"{arguments.pattern}  {arguments.path}"

    def request(self, arguments: GlobArguments, context: ToolContext) -> Request:
        """Reading the folder that the pattern starts in."""
        base, _ = _split(arguments)
        return Request(tool=self.name, action=Action.READ, places=(context.workspace.resolve(base),))

    async def prepare(self, arguments: GlobArguments, context: ToolContext, request: Request) -> Plan:
        """Nothing to find out before, but that there is a folder."""
        place = request.places[0]
        if not place.folder:
            raise ToolFailure(f"There is no folder {marked_name(place.shown)}.")
        return Plan(run=partial(_find, PathPattern(_split(arguments)[1]), context, place))


def _split(arguments: GlobArguments) -> tuple[str, str]:
    """The folder named by the literal beginning of the pattern, and the rest."""
    parts = arguments.pattern.split("/")
    literal = next((n for n, part in enumerate(parts) if has_wildcards(part)), len(parts))
    literal = min(literal, len(parts) - 1)
    beginning = "/".join(parts[:literal]) or ("/" if literal else "")
    if not beginning:
        return arguments.path, arguments.pattern
    base = beginning if beginning.startswith(("/", "~")) else f"{arguments.path}/{beginning}"
    rest = "/".join(parts[literal:])
    return base, rest if "/" in rest else f"./{rest}"


def _fitting(pattern: PathPattern, names: list[str], prefix: str) -> list[str]:
    return [marked_name(prefix + name) for name in names if pattern.matches_name_or_path(name)]


async def _find(pattern: PathPattern, context: ToolContext, place: Place) -> ToolResult:
    prefix = "" if place.shown == "." else f"{place.shown.rstrip('/')}/"
    names = await files_below(place, context)
    found = await asyncio.to_thread(_fitting, pattern, names, prefix)
    content, count = joined_lines(found[:_MOST], context.max_bytes - _NOTE_BYTES)
    if count < len(found):
        content += f"\n[{len(found) - count} more: narrow path or pattern]"
    return ToolResult(content=content or "No file fits.", summary=f"{len(found)} file{'' if len(found) == 1 else 's'}")

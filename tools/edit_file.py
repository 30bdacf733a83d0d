"""``edit``: replacements in a file, all of them or none."""

import asyncio
import json
from typing import Any, cast

from pydantic import BaseModel, Field, model_validator

from .changing import Change, planned_changes
from .failures import ToolFailure
from .policy import Action, Request
from .replacing import Replacement, replace_all
from .text_file import TextFile, as_lines, decode
from .tool import Plan, Tool, ToolContext
from .workspace import Place


class EditItem(BaseModel):
    """One replacement."""

    old_text: str
    new_text: str
    replace_all: bool = False


class EditArguments(BaseModel):
    """The file and its replacements, in order."""

    path: str
    edits: list[EditItem] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def accept_other_shapes(cls, value: Any) -> Any:
        """Small models send the list as JSON text, one object in place of a list, or its fields at the top."""
        if not isinstance(value, dict):
            return value
        given = dict(cast("dict[str, Any]", value))
        if isinstance(given.get("edits"), str):
            try:
                given["edits"] = json.loads(given["edits"])
            except ValueError:
                return given
        if "edits" not in given and "old_text" in given:
            given["edits"] = {name: given[name] for name in EditItem.model_fields if name in given}
        if isinstance(given.get("edits"), dict):
            given["edits"] = [given["edits"]]
        return given


class EditFile(Tool[EditArguments]):
    """Replaces text; encoding, line ends and every untouched byte stay as they are."""

    name = "edit"
    description = (
        "Replace text in a file you have read. old_text must occur exactly once, or set replace_all. "
        "Edits apply in order, each to the result of the one before; if one fails, nothing is changed."
    )
    arguments = EditArguments

    def title(self, arguments: EditArguments) -> str:
        """The path."""
        return arguments.path

    def request(self, arguments: EditArguments, context: ToolContext) -> Request:
        """Writing one place."""
        place = context.workspace.resolve(arguments.path)
        return Request(tool=self.name, action=Action.WRITE, places=(place,))

    async def prepare(self, arguments: EditArguments, context: ToolContext, request: Request) -> Plan:
        """Locate every replacement and compute the new content."""
        place = request.places[0]
        replacements = [
            Replacement(old=item.old_text, new=item.new_text, everywhere=item.replace_all) for item in arguments.edits
        ]
        only = replacements[0]
        before = context.workspace.read(place) if place.exists or only.old or len(replacements) > 1 else None
        if not before and only.new and not only.old and len(replacements) == 1:
            TextFile(text="").refuse_unencodable(only.new)
            return planned_changes([Change(place=place, before=before, after=only.new.encode())], context)
        return await _replacing(place, before or b"", replacements, context)


async def _replacing(place: Place, before: bytes, replacements: list[Replacement], context: ToolContext) -> Plan:
    context.seen.require_current(place, before, wanted=[_wanted(each.old) for each in replacements])
    file = decode(before)
    if file is None:
        raise ToolFailure(f"{place.shown} is a binary file: change it with bash.", kind="binary")
    for replacement in replacements:
        file.refuse_unencodable(replacement.new)
    replaced = await asyncio.to_thread(replace_all, file.text, replacements)
    context.seen.require_shown(place, file.text, replaced.text)
    notes = "".join(f"\n{note}" for note in replaced.notes)
    change = Change(place=place, before=before, after=file.encoded(replaced.text))
    return await asyncio.to_thread(planned_changes, [change], context, note=notes, summary_note=replaced.tolerance)


def _wanted(old: str) -> list[str]:
    return as_lines(old).removesuffix("\n").split("\n")

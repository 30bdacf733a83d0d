"""``apply_patch``: one patch over several files, all of it or nothing."""

import asyncio
from functools import cached_property
from typing import Any, cast

from pydantic import BaseModel, model_validator

from .apply_patch_diff import parse_diff
from .apply_patch_envelope import BEGIN, parse_envelope
from .apply_patch_model import FileAction, FilePatch
from .apply_patch_plan import PatchedFiles
from .changing import planned_changes
from .failures import ToolFailure
from .policy import Action, Request
from .text_file import as_lines
from .tool import Plan, Tool, ToolContext
from .workspace import Place, Workspace

_OTHER_NAMES = ("input", "patch_text", "patchText", "diff")


class PatchArguments(BaseModel):
    """The patch, in either format."""

    patch: str

    @model_validator(mode="before")
    @classmethod
    def accept_other_shapes(cls, value: Any) -> Any:
        """Models trained with other programs send other names for the one argument."""
        if not isinstance(value, dict) or "patch" in value:
            return cast("Any", value)
        given = cast("dict[str, Any]", value)
        name = next((name for name in _OTHER_NAMES if name in given), None)
        return given if name is None else {"patch": given[name]}

    @cached_property
    def files(self) -> tuple[FilePatch, ...]:
        """What it says. Raises ``ToolFailure`` of the kind ``parse``."""
        text = as_lines(self.patch)
        if any(line.strip() == BEGIN for line in text.split("\n")):
            return parse_envelope(text)
        return parse_diff(text)


class ApplyPatch(Tool[PatchArguments]):
    """Adds, updates, moves and deletes files by a patch; untouched bytes of a file stay as they are."""

    name = "apply_patch"
    description = (
        "Change files you have read by a patch: '*** Begin Patch' … '*** End Patch' format or unified diff. "
        "If any part does not fit, nothing is changed."
    )
    arguments = PatchArguments
    confined = True

    def title(self, arguments: PatchArguments) -> str:
        """The paths."""
        try:
            files = arguments.files
        except ToolFailure:
            return "unreadable patch"
        return ", ".join(dict.fromkeys(f"{f.path} → {f.move_to}" if f.move_to else f.path for f in files))

    def request(self, arguments: PatchArguments, context: ToolContext) -> Request:
        """Writing every place the patch names."""
        places = (place for pair in _places(arguments.files, context.workspace) for place in pair if place)
        return Request(tool=self.name, action=Action.WRITE, places=tuple(dict.fromkeys(places)))

    async def prepare(self, arguments: PatchArguments, context: ToolContext, request: Request) -> Plan:
        """Apply the patch in memory, file by file."""
        judged = {(place.real, place.given): place for place in request.places}
        patched = PatchedFiles(context)

        def work() -> Plan:
            for file, (place, target) in zip(arguments.files, _places(arguments.files, context.workspace), strict=True):
                for each in (place, target):
                    if each is not None and (each.real, each.given) not in judged:
                        raise ToolFailure(f"{each.shown} has just become another file: try again.", kind="stale")
                patched.take(file, place, target)
            changes = patched.changes()
            if not changes:
                raise ToolFailure("The patch changes nothing: the files are already so.", kind="no_change")
            tolerance = ", ".join(patched.tolerances)
            note = f"\nMatched, although {tolerance} from the patch." if tolerance else ""
            return planned_changes(changes, context, note=note, summary_note=tolerance)

        return await asyncio.to_thread(work)


def _places(files: tuple[FilePatch, ...], workspace: Workspace) -> list[tuple[Place, Place | None]]:
    """For each file of the patch where it is and where it goes (None: nowhere else)."""
    found: list[tuple[Place, Place | None]] = []
    for file in files:
        place = workspace.resolve(file.path)
        if file.action is not FileAction.ADD and not place.exists and file.spelled not in ("", file.path):
            spelled = workspace.resolve(file.spelled)
            place = spelled if spelled.exists else place
        found.append((place, workspace.resolve(file.move_to) if file.move_to else None))
    return found

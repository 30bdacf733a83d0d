"""Runs a call that may change files under the eye of the checkpoints."""

from collections.abc import Iterable
from dataclasses import replace

from .checkpoints import SessionCheckpoints
from .events import FileChanged, FileFate
from .policy import Action, Request
from .tool import Plan, ToolContext, ToolResult

_EVENTS = 100
"""Files of one command that are told of one by one."""
_EVENT_CHARACTERS = 1_000_000
"""All texts of one command's events together."""


async def run_checkpointed(
    plan: Plan, request: Request, context: ToolContext, checkpoints: SessionCheckpoints, *, goes_on: bool
) -> ToolResult:
    """Run the plan; what undo will not be able to put back stands at the end of its result.

    ``goes_on`` says that the command runs on in the background when its call is over. Raises what the plan raises.
    """
    anything = request.action is Action.RUN
    if not anything and not plan.changes:
        return await plan.run()
    watch = await checkpoints.before(context.run_id, plan.changes, anything=anything)
    try:
        result = await plan.run()
    except BaseException:  # cancelled, or failed: what was done until then can be undone all the same
        watched = await checkpoints.after(watch)
        if anything:
            _tell(watched.changed, context)
        raise
    watched = await checkpoints.after(watch)
    if anything:
        _tell(watched.changed, context)
    notes = [watched.note, "Undo does not cover what this command changes from now on." if goes_on else ""]
    added = "".join(f"\n{note}" for note in notes if note)
    return replace(result, content=result.content + added) if added else result


def _tell(changed: Iterable[FileFate], context: ToolContext) -> None:
    """Tell what a command changed, as edits tell it themselves; of very much only the first."""
    room = _EVENT_CHARACTERS
    for file in [file for file in changed if not file.folder][:_EVENTS]:
        size = len(file.before or "") + len(file.after or "")
        shown = size <= room
        room -= size if shown else 0
        context.emit(
            FileChanged(
                run_id=context.run_id,
                path=file.path,
                before=file.before if shown else None,
                after=file.after if shown else None,
                created=file.created,
                deleted=file.deleted,
            )
        )

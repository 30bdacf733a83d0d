"""How the end of a command of the person's own changes the state: what the model will be told of it."""

from collections.abc import Iterable
from dataclasses import replace

from ...tools.events import ToolRunFinished
from .events import Attachment, AttachmentKind, ToolActivity
from .state import CommandEntry, Entry, SessionState


def own_command_ended(state: SessionState, activity: ToolActivity) -> SessionState:
    """The state after an event of a run: the output of the person's own goes along with the next prompt."""
    event = activity.event
    if activity.request_id or not isinstance(event, ToolRunFinished):
        return state
    entry = _entry(reversed(state.transcript), event.run_id)
    if entry is None or entry.private:
        return state
    text = f"{event.content.rstrip()}\n[{event.summary}]".lstrip("\n")
    told = Attachment(kind=AttachmentKind.COMMAND, source=entry.command, text=text)
    return replace(state, untold_commands=(*state.untold_commands, told))


def _entry(transcript: Iterable[Entry], run_id: str) -> CommandEntry | None:
    return next((each for each in transcript if isinstance(each, CommandEntry) and each.run_id == run_id), None)

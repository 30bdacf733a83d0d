"""``bash_output``: what a command in the background wrote, and whether it still runs."""

from functools import partial

from pydantic import BaseModel

from .commands import Background
from .events import Outcome
from .failures import ToolFailure
from .policy import Action, Request
from .run_bash import how_it_ended
from .safe_text import safe_line
from .tool import Plan, Tool, ToolContext, ToolResult

_WAIT_S = 1.0
"""A command without news is given a moment, so that a model that asks again and again does not do so in a rush."""


class BackgroundArguments(BaseModel):
    """Which command."""

    id: str


class BackgroundTool(Tool[BackgroundArguments]):
    """What every tool for a command in the background has in common."""

    arguments = BackgroundArguments

    def title(self, arguments: BackgroundArguments) -> str:
        """The command's id."""
        return arguments.id

    def request(self, arguments: BackgroundArguments, context: ToolContext) -> Request:
        """Nothing new: what it is about was approved when the command was."""
        return Request(tool=self.name, action=Action.NOTE)


class BashOutput(BackgroundTool):
    """Reads what came since the last time."""

    name = "bash_output"
    description = "New output and status of a background command."

    async def prepare(self, arguments: BackgroundArguments, context: ToolContext, request: Request) -> Plan:
        """There must be such a command."""
        return Plan(run=partial(_read, context, find(arguments.id, context)), needs_approval=False)


def find(name: str, context: ToolContext) -> Background:
    """A background command. Raises ``ToolFailure`` with the ids there are."""
    found = context.commands.find(name)
    if found is None:
        names = ", ".join(context.commands.names()) or "none"
        raise ToolFailure(f"There is no background command {safe_line(name)!r}. There are: {names}.")
    return found


async def _read(context: ToolContext, background: Background) -> ToolResult:
    return await told(context, background, _WAIT_S)


async def told(context: ToolContext, background: Background, wait_s: float) -> ToolResult:
    """The new output of a background command, and its status."""
    text = await context.commands.read(background, wait_s)
    if background.running or background.task is None:
        status, outcome, notes = "running", Outcome.OK, []
    else:
        status, outcome, notes = _ended(context, background, text)
    ending = "" if not text or text.endswith("\n") else "\n"
    body = text + ending if text else "(no new output)\n"
    lines = "\n".join([*notes, f"[{background.id}: {status}]"])
    return ToolResult(content=body + lines, summary=f"{background.id} {status}", outcome=outcome)


def _ended(context: ToolContext, background: Background, text: str) -> tuple[str, Outcome, list[str]]:
    task = background.task
    if task is None or task.cancelled():
        return "killed", Outcome.OK, []
    if (problem := task.exception()) is not None:
        return f"could not be started: {problem}", Outcome.ERROR, []
    end = task.result()
    notes = list(end.undone)
    failed = end.process.exit_status > 0
    if failed and end.fenced and (blamed := context.commands.blamed(text)):
        notes.append(f"The sandbox seems to have blocked {blamed}.")
    return how_it_ended(end.process), Outcome.ERROR if failed else Outcome.OK, notes

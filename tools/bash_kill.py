"""``bash_kill``: ends a command in the background."""

from functools import partial

from .bash_output import BackgroundArguments, BackgroundTool, find, told
from .commands import Background
from .policy import Request
from .tool import Plan, ToolContext, ToolResult


class BashKill(BackgroundTool):
    """Ends a command and everything it started."""

    name = "bash_kill"
    description = "End a background command; returns its last output."

    async def prepare(self, arguments: BackgroundArguments, context: ToolContext, request: Request) -> Plan:
        """There must be such a command."""
        return Plan(run=partial(_kill, context, find(arguments.id, context)), needs_approval=False)


async def _kill(context: ToolContext, background: Background) -> ToolResult:
    await context.commands.kill(background)
    return await told(context, background, 0)

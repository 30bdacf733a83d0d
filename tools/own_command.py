"""A command that the person runs themself: no question, no sandbox, no time limit; the same bounds of output.

It is theirs, so it may do what they may do. Its environment is that of the tools' commands, without keys: what it
prints may go to a model.
"""

import asyncio
import time

from .base import Emit
from .commands import Commands
from .events import Outcome, ToolOutputDelta, ToolRunFinished
from .output import BoundedOutput, LiveOutput
from .process import ProcessEnd
from .run_bash import how_it_ended
from .safe_text import marked, safe_text
from .tool import ToolContext


async def run_own(command: str, context: ToolContext) -> ToolRunFinished:
    """Run it to its end, showing its output as it comes. Cancelling the task stops it, with everything it started:
    what it had written by then is in the result, whose outcome is ``CANCELLED``."""
    started = time.monotonic()
    output = BoundedOutput(context.max_bytes, folder=context.output_folder, name=context.run_id)
    try:
        end = await _shown(command, context.commands, output, context.emit, context.run_id)
        outcome = Outcome.OK if end.exit_status == 0 and not end.overrun else Outcome.ERROR
        summary = how_it_ended(end)
        status = end.exit_status
    except asyncio.CancelledError:
        outcome, summary, status = Outcome.CANCELLED, "stopped", None
    except (OSError, ValueError) as error:
        outcome, summary, status = Outcome.ERROR, "not started", None
        output.add(f"The command could not be started: {error}".encode("utf-8", "replace"))
    output.close()
    return ToolRunFinished(
        run_id=context.run_id,
        outcome=outcome,
        content=marked(safe_text(output.text())),
        summary=summary,
        duration_s=time.monotonic() - started,
        exit_status=status,
    )


async def _shown(command: str, commands: Commands, output: BoundedOutput, emit: Emit, run_id: str) -> ProcessEnd:
    live = LiveOutput(lambda text: emit(ToolOutputDelta(run_id=run_id, text=text)))

    def take(chunk: bytes) -> None:
        output.add(chunk)
        live.add(chunk)

    try:
        end = await commands.run(command, timeout_s=None, on_output=take, fenced=False)
    finally:
        live.close()
    return end.process

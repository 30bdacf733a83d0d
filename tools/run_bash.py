"""``bash``: a shell command in the workspace, waited for or in the background."""

from functools import partial
from typing import Annotated

from pydantic import BaseModel, Field, field_validator

from .commands import MAX_BACKGROUND, CommandEnd, TooMany
from .events import Outcome, ToolOutputDelta
from .failures import ToolFailure
from .output import BoundedOutput, LiveOutput
from .policy import Action, Request
from .process import ProcessEnd
from .safe_text import safe_text
from .tool import Beyond, Plan, Tool, ToolContext, ToolResult

DEFAULT_TIMEOUT_S = 120
MAX_TIMEOUT_S = 600
_NOTE_BYTES = 1200
_FIRST_LOOK_S = 0.3
"""How long a command in the background is watched for an end that comes at once."""
_CONFIRM = "outside"


class BashArguments(BaseModel):
    """The command and how long it may take."""

    command: Annotated[str, Field(min_length=1)]
    timeout_s: Annotated[int, Field(ge=1, description="default 120, most 600")] = DEFAULT_TIMEOUT_S
    background: Annotated[bool, Field(description="return at once; see bash_output")] = False

    @field_validator("command")
    @classmethod
    def refuse_nul(cls, command: str) -> str:
        """No program can be started with a NUL or a lone surrogate in its arguments."""
        if "\0" in command or command != command.encode("utf-8", "replace").decode():
            raise ValueError("holds NUL or undecodable characters")
        if not command.strip():
            raise ValueError("is empty")
        return command


class RunBash(Tool[BashArguments]):
    """Runs a command line with bash, without terminal and input, in the sandbox where there is one."""

    name = "bash"
    description = (
        "Run a bash command in the workspace folder. No terminal, no input; cd and variables do not carry over "
        "to the next call; what it leaves running is stopped, unless background. A sandbox may forbid the network "
        "and writes outside the workspace and $TMPDIR."
    )
    max_bytes = 200_000
    arguments = BashArguments

    def title(self, arguments: BashArguments) -> str:
        """The command."""
        return arguments.command

    def request(self, arguments: BashArguments, context: ToolContext) -> Request:
        """Running the command."""
        return Request(tool=self.name, action=Action.RUN, command=arguments.command)

    async def prepare(self, arguments: BashArguments, context: ToolContext, request: Request) -> Plan:
        """The whole command is what a person approves."""
        run = partial(_start, arguments, context) if arguments.background else partial(_run, arguments, context)
        return Plan(run=run, preview=arguments.command)


async def _run(arguments: BashArguments, context: ToolContext, *, fenced: bool = True) -> ToolResult:
    timeout = min(arguments.timeout_s, MAX_TIMEOUT_S)
    output = BoundedOutput(context.max_bytes - _NOTE_BYTES, folder=context.output_folder, name=context.run_id)
    live = LiveOutput(lambda text: context.emit(ToolOutputDelta(run_id=context.run_id, text=text)))

    def take(chunk: bytes) -> None:
        output.add(chunk)
        live.add(chunk)

    try:
        end = await context.commands.run(arguments.command, timeout_s=timeout, on_output=take, fenced=fenced)
    except OSError as error:
        raise ToolFailure(f"The command could not be started: {error.strerror or error}.") from None
    finally:
        live.close()
        output.close()
    text = safe_text(output.text())
    result = _result(end, text, timeout, outside=not fenced)
    failed = end.fenced and end.process.exit_status > 0 and not end.process.timed_out
    blamed = context.commands.blamed(text) if failed else ""
    if not blamed:
        return result
    beyond = Beyond(
        run=partial(_run, arguments, context, fenced=False),
        reason=f"The sandbox seems to have blocked {blamed}; the command can be run again outside the sandbox.",
        confirm=_CONFIRM,
        preview=arguments.command,
    )
    return ToolResult(
        content=result.content,
        summary=result.summary,
        outcome=result.outcome,
        exit_status=result.exit_status,
        beyond=beyond,
    )


async def _start(arguments: BashArguments, context: ToolContext) -> ToolResult:
    try:
        started = await context.commands.start(arguments.command)
    except TooMany:
        raise ToolFailure(
            f"{MAX_BACKGROUND} commands run in the background already: end one with bash_kill first."
        ) from None
    text = await context.commands.read(started, _FIRST_LOOK_S)
    ending = "" if not text or text.endswith("\n") else "\n"
    if started.running:
        note = f"Runs in the background as {started.id}: bash_output reads what it writes, bash_kill ends it."
        return ToolResult(content=f"{text}{ending}{note}", summary=f"background {started.id}")
    return ToolResult(
        content=f"{text}{ending}It has ended already; bash_output of {started.id} says how.",
        summary=f"background {started.id}, ended",
    )


def _result(end: CommandEnd, text: str, timeout: int, *, outside: bool) -> ToolResult:
    process = end.process
    notes = [*end.undone]
    if process.timed_out:
        outcome, summary = Outcome.TIMEOUT, f"timeout {timeout} s"
        notes.append(f"Stopped after {timeout} s (timeout), with everything it had started. Output so far is above.")
    elif process.exit_status == 0 and not process.overrun:
        outcome, summary = Outcome.OK, "exit 0"
    else:
        outcome, summary = Outcome.ERROR, how_it_ended(process)
    if process.survivors and not process.timed_out and not process.overrun:
        notes.append("Processes it left running were stopped.")
    if outside:
        notes.append("Run outside the sandbox.")
    notes.append(f"[{summary}]")
    ending = "" if not text or text.endswith("\n") else "\n"
    return ToolResult(
        content=text + ending + "\n".join(notes), summary=summary, outcome=outcome, exit_status=process.exit_status
    )


def how_it_ended(process: ProcessEnd) -> str:
    """The end of a process in a few words."""
    match process.overrun, process.exit_status:
        case "processes", _:
            return "stopped: too many processes"
        case "output", _:
            return "stopped: too much output"
        case _, status if status < 0:
            return f"signal {-status}"
        case _, status:
            return f"exit {status}"

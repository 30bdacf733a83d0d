"""``bash``: a shell command in the workspace."""

from functools import partial
from typing import Annotated

from pydantic import BaseModel, Field, field_validator

from .events import Outcome, ToolOutputDelta
from .failures import ToolFailure
from .output import BoundedOutput, LiveOutput
from .policy import Action, Request
from .process import ProcessEnd, run_process
from .safe_text import safe_text
from .tool import Plan, Tool, ToolContext, ToolResult

DEFAULT_TIMEOUT_S = 120
MAX_TIMEOUT_S = 600
_NOTE_BYTES = 600


class BashArguments(BaseModel):
    """The command and how long it may take."""

    command: Annotated[str, Field(min_length=1)]
    timeout_s: Annotated[int, Field(ge=1, description="default 120, most 600")] = DEFAULT_TIMEOUT_S

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
    """Runs a command line with bash, without terminal and input."""

    name = "bash"
    description = (
        "Run a bash command in the workspace folder. No terminal, no input; cd and variables do not carry over "
        "to the next call; what it leaves running is stopped."
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
        return Plan(run=partial(_run, arguments, context), preview=arguments.command)


async def _run(arguments: BashArguments, context: ToolContext) -> ToolResult:
    timeout = min(arguments.timeout_s, MAX_TIMEOUT_S)
    output = BoundedOutput(context.max_bytes - _NOTE_BYTES, folder=context.output_folder, name=context.run_id)
    live = LiveOutput(lambda text: context.emit(ToolOutputDelta(run_id=context.run_id, text=text)))

    def take(chunk: bytes) -> None:
        output.add(chunk)
        live.add(chunk)

    try:
        end = await run_process(
            ["bash", "-c", "--", arguments.command],
            folder=context.workspace.root,
            environment=context.environment,
            timeout_s=timeout,
            on_output=take,
        )
    except OSError as error:
        raise ToolFailure(f"The command could not be started: {error.strerror or error}.") from None
    finally:
        live.close()
        output.close()
    return _result(end, safe_text(output.text()), timeout)


def _result(end: ProcessEnd, text: str, timeout: int) -> ToolResult:
    notes: list[str] = []
    if end.timed_out:
        outcome, summary = Outcome.TIMEOUT, f"timeout {timeout} s"
        notes.append(f"Stopped after {timeout} s (timeout), with everything it had started. Output so far is above.")
    elif end.exit_status == 0:
        outcome, summary = Outcome.OK, "exit 0"
    else:
        outcome = Outcome.ERROR
        summary = f"exit {end.exit_status}" if end.exit_status > 0 else f"signal {-end.exit_status}"
    if end.survivors and not end.timed_out:
        notes.append("Processes it left running were stopped.")
    notes.append(f"[{summary}]")
    ending = "" if not text or text.endswith("\n") else "\n"
    return ToolResult(
        content=text + ending + "\n".join(notes), summary=summary, outcome=outcome, exit_status=end.exit_status
    )

"""Every tool of a session behind one door: the way of a call from its arguments to its result."""

import asyncio
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .base import Approve, Emit, Mode, ToolSchema
from .bounds import clipped
from .commands import Commands
from .events import (
    ApprovalRequested,
    ApprovalResolved,
    Decision,
    FileChanged,
    Outcome,
    ToolEvent,
    ToolRunFinished,
    ToolRunStarted,
)
from .failures import ToolFailure
from .policy import Policy, Request, Ruling, Verdict
from .process import child_environment
from .registry import TOOLS
from .safe_text import reveal, safe_line
from .sandbox import Sandbox, SandboxSettings
from .schemas import argument_problems, schema_of
from .seen_files import SeenFiles
from .text_file import displayable
from .tool import Beyond, Plan, Tool, ToolContext, ToolResult
from .workspace import Workspace

_TITLE_CHARACTERS = 300
_PREVIEW_BYTES = 200_000
_ERROR_BYTES = 16_000


class LocalToolbox:
    """The tools on this machine, in one workspace, under one policy. Implements ``base.Toolbox``.

    ``state_folder`` takes output that is too long for the model. ``secret_variables`` name environment
    variables that no process of a tool may see, besides those that look like secrets; ``kept_variables`` are
    passed on although they look so. ``sandbox`` says what the person wants of the sandbox of commands.
    Close it with ``aclose``.
    """

    def __init__(
        self,
        workspace: Path,
        policy: Policy,
        *,
        state_folder: Path,
        environment: Mapping[str, str] | None = None,
        secret_variables: Iterable[str] = (),
        kept_variables: Iterable[str] = (),
        sandbox: SandboxSettings | None = None,
        tools: Iterable[Tool[Any]] = TOOLS,
    ) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._policy = policy
        self._output_folder = state_folder / "output"
        self._workspace = Workspace(workspace, readable=(self._output_folder,))
        self._seen = SeenFiles()
        source = os.environ if environment is None else environment
        self._environment = child_environment(source, secret=secret_variables, keep=kept_variables)
        self._sandbox = Sandbox(
            sandbox or SandboxSettings(),
            root=self._workspace.root,
            state_folder=state_folder,
            environment=self._environment,
        )
        self._commands = Commands(
            root=self._workspace.root,
            environment=self._environment,
            sandbox=self._sandbox,
            output_folder=self._output_folder,
        )

    async def aclose(self) -> None:
        """End the commands that still run in the background."""
        await self._commands.aclose()

    def select_mode(self, mode: Mode) -> str:
        """Work in this mode from the next call on; see ``base.Toolbox``."""
        if mode is Mode.AUTO and (lacking := self._sandbox.lacking()):
            return f"Commands run unasked only in a sandbox, and {lacking}."
        self._policy.mode = mode
        return ""

    def protection(self) -> str:
        """What keeps commands in bounds, for the status bar."""
        return self._sandbox.badge()

    def schemas(self) -> tuple[ToolSchema, ...]:
        """The tools offered to the model."""
        return tuple(schema_of(tool) for tool in self._tools.values())

    async def run(
        self,
        *,
        run_id: str,
        name: str,
        arguments: dict[str, Any],
        emit: Emit,
        approve: Approve,
        max_result_bytes: int | None = None,
    ) -> ToolRunFinished:
        """Run one call: see ``base.Toolbox.run``."""
        clock = _Stopwatch()
        limit = _ERROR_BYTES
        try:
            tool = self._tool(name)
            limit = min(tool.max_bytes, max_result_bytes or tool.max_bytes)
            context = ToolContext(
                run_id=run_id,
                workspace=self._workspace,
                seen=self._seen,
                environment=self._environment,
                output_folder=self._output_folder,
                commands=self._commands,
                emit=self._watching(emit),
                max_bytes=limit,
            )
            result = await self._call(tool, arguments, context, clock.paused_by(approve))
        except ToolFailure as failure:
            result = ToolResult(content=failure.message, summary=failure.summary, outcome=failure.outcome)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a fault in a tool is told to the model and must not end the session
            result = ToolResult(
                content=f"{name} failed: {type(error).__name__}: {error}", summary="failed", outcome=Outcome.ERROR
            )
        return ToolRunFinished(
            run_id=run_id,
            outcome=result.outcome,
            content=clipped(displayable(result.content), min(limit, max_result_bytes or limit)),
            summary=result.summary,
            duration_s=clock.seconds(),
            exit_status=result.exit_status,
        )

    def _tool(self, name: str) -> Tool[Any]:
        tool = self._tools.get(name)
        if tool is None:
            raise ToolFailure(f"There is no tool {safe_line(name)!r}. There are: {', '.join(self._tools)}.")
        return tool

    async def _call(
        self, tool: Tool[Any], arguments: dict[str, Any], context: ToolContext, approve: Approve
    ) -> ToolResult:
        try:
            parsed = tool.arguments.model_validate(arguments)
        except ValidationError as error:
            raise ToolFailure(argument_problems(tool, arguments, error), summary="bad arguments") from None
        title = _one_line(tool.title(parsed))
        context.emit(ToolRunStarted(run_id=context.run_id, name=tool.name, title=title))
        request = tool.request(parsed, context)
        verdict = self._policy.judge(request)
        plan = await tool.prepare(parsed, context, request)
        if verdict.decision is Ruling.ASK and plan.needs_approval:
            answer = await approve(_question(request, verdict, plan, title=title, run_id=context.run_id))
            self._policy.learn(request, verdict, answer.decision)
            if answer.decision is Decision.DENY:
                raise _denied(answer)
        result = await plan.run()
        return result if result.beyond is None else await _beyond(result, result.beyond, title, context, approve)

    def _watching(self, emit: Emit) -> Emit:
        """The same, but a change by a tool is never laid to a command that runs beside it."""

        def tell(event: ToolEvent) -> None:
            if isinstance(event, FileChanged):
                self._commands.expect(self._workspace.root / event.path)
            emit(event)

        return tell


async def _beyond(result: ToolResult, beyond: Beyond, title: str, context: ToolContext, approve: Approve) -> ToolResult:
    """What was stopped, done again without the bounds if the person says so; else what stopped it is in the result."""
    question = ApprovalRequested(
        approval_id=f"{context.run_id}:beyond",
        run_id=context.run_id,
        name="bash",
        title=title,
        reason=beyond.reason,
        pattern=None,
        preview=reveal(clipped(beyond.preview, _PREVIEW_BYTES)),
        confirm=beyond.confirm,
    )
    answer = await approve(question)
    if answer.decision is not Decision.DENY:
        return await beyond.run()
    comment = f' They say: "{answer.comment.strip()}".' if answer.comment.strip() else ""
    note = f"\n{beyond.reason} The person declined that.{comment} Find another way."
    return replace(result, content=result.content + note, beyond=None)


class _Stopwatch:
    """How long a call took, without the time a person took to answer."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def seconds(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self._started

    def paused_by(self, approve: Approve) -> Approve:
        """The same question, whose waiting does not count."""

        async def ask(question: ApprovalRequested) -> ApprovalResolved:
            asked = time.monotonic()
            try:
                return await approve(question)
            finally:
                self._started += time.monotonic() - asked

        return ask


def _question(request: Request, verdict: Verdict, plan: Plan, *, title: str, run_id: str) -> ApprovalRequested:
    """The question for the person. Everything shown is revealed: nothing that is approved may hide."""
    outside = [place for place in request.places if not place.inside]
    moved = [place for place in request.places if place.shown != place.given]
    subject = ", ".join(place.shown for place in outside or moved)
    where = f"{safe_line(reveal(subject))} " if subject else ""
    return ApprovalRequested(
        approval_id=f"{run_id}:approval",
        run_id=run_id,
        name=request.tool,
        title=title,
        reason=f"{where}{verdict.why} (rule: {verdict.rule})",
        pattern=None if verdict.pattern is None else displayable(verdict.pattern),
        preview=reveal(clipped(plan.preview, _PREVIEW_BYTES)),
    )


def _denied(answer: ApprovalResolved) -> ToolFailure:
    comment = f' They say: "{answer.comment.strip()}".' if answer.comment.strip() else ""
    return ToolFailure(
        f"The person declined this call; nothing was done.{comment} Do not repeat it unchanged.",
        outcome=Outcome.DENIED,
        summary="denied",
    )


def _one_line(title: str) -> str:
    shown = safe_line(reveal(title))
    return shown if len(shown) <= _TITLE_CHARACTERS else shown[: _TITLE_CHARACTERS - 1] + "…"

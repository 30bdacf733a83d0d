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
from .changing import planned_changes
from .checkpointed import run_checkpointed
from .checkpoints import SessionCheckpoints
from .commands import Commands
from .confinement import Confinement, Trust
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
from .for_person import ForPerson
from .narrowing import answered, words_of
from .policy import Action, Policy, Request, Ruling, Verdict
from .process import child_environment
from .registry import TOOLS
from .reverting import Reversal, reverted
from .safe_text import marked, reveal, safe_line
from .sandbox import Sandbox, SandboxSettings
from .schemas import argument_problems, schema_of
from .seen_files import SeenFiles
from .shell_gate import ShellGate
from .text_file import decode, displayable
from .tool import Beyond, Plan, Tool, ToolContext, ToolResult
from .workspace import Change, Workspace

_TITLE_CHARACTERS = 300
_PREVIEW_BYTES = 200_000
_ERROR_BYTES = 16_000


class LocalToolbox:
    """The tools on this machine, in one workspace, under one policy. Implements ``base.Toolbox``.

    ``state_folder`` takes output that is too long for the model. ``secret_variables`` name environment
    variables that no process of a tool may see, besides those that look like secrets; ``kept_variables`` are
    passed on although they look so. ``confined``: nobody looks at single questions, so that writing outside the
    workspace is not asked for but refused, unless a rule names the place. ``confinement`` sets rules aside in a
    folder that is not trusted. ``sandbox`` says what the person wants of the sandbox of commands. Close it with
    ``aclose``.
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
        checkpoints: SessionCheckpoints | None = None,
        confined: bool = False,
        confinement: Confinement | None = None,
    ) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._policy = policy
        self._confined = confined
        self._confinement = confinement or Confinement()
        self._output_folder = state_folder / "output"
        self._workspace = Workspace(workspace, readable=(self._output_folder,))
        self._seen = SeenFiles()
        self._checkpoints = checkpoints
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
        self._workspace.withholding = policy.withholding
        self.for_person = ForPerson(self._context)
        policy.gate = ShellGate(self._workspace, search_path=self._environment.get("PATH", ""))

    async def aclose(self) -> None:
        """End the commands that still run in the background."""
        await self._commands.aclose()

    def select_mode(self, mode: Mode) -> str:
        """Work in this mode from the next call on; see ``base.Toolbox``."""
        if problem := self._confinement.refuses(mode):
            return problem
        if mode is Mode.AUTO and (lacking := self._sandbox.lacking()):
            return f"Commands run unasked only in a sandbox, and {lacking}."
        self._policy.mode = mode
        return ""

    def confine(self, trust: Trust) -> None:
        """Trust the folder this far from the next call on."""
        self._confinement.trust = trust

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
            context = self._context(run_id, emit, limit)
            result = await self._call(tool, arguments, context, clock.paused_by(approve))
        except ToolFailure as failure:
            result = ToolResult(
                content=failure.message, summary=failure.summary, outcome=failure.outcome, error_kind=failure.kind
            )
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a fault in a tool is told to the model and must not end the session
            result = ToolResult(
                content=f"{name} failed: {type(error).__name__}: {error}",
                summary="failed",
                outcome=Outcome.ERROR,
                error_kind="failed",
            )
        return ToolRunFinished(
            run_id=run_id,
            outcome=result.outcome,
            content=clipped(marked(result.content), min(limit, max_result_bytes or limit)),
            summary=result.summary,
            duration_s=clock.seconds(),
            exit_status=result.exit_status,
            error_kind=result.error_kind,
        )

    async def revert_hunk(self, *, run_id: str, path: str, left: str | None, wanted: str | None, emit: Emit) -> str:
        """Take a part of a finished change back: see ``base.Toolbox.revert_hunk``."""
        context = self._context(run_id, emit, _ERROR_BYTES)
        try:
            place = self._workspace.resolve(path)
            disk = self._workspace.read(place) if place.exists else None
            shown = displayable(place.shown)
            after = await asyncio.to_thread(reverted, disk, Reversal(left=left, wanted=wanted), shown)
            plan = planned_changes([Change(place=place, before=disk, after=after)], context)
            await self._carry_out(plan, Request(tool="review", action=Action.WRITE, places=(place,)), context)
        except ToolFailure as failure:
            return failure.message
        present = None if disk is None else decode(disk)
        if present is not None and displayable(present.text) != left:
            self._seen.forget(place)  # it holds a person's lines that the model has never been shown
        return ""

    def _context(self, run_id: str, emit: Emit, max_bytes: int) -> ToolContext:
        return ToolContext(
            run_id=run_id,
            workspace=self._workspace,
            seen=self._seen,
            environment=self._environment,
            output_folder=self._output_folder,
            commands=self._commands,
            emit=self._watching(emit),
            max_bytes=max_bytes,
            may_start_programs=self._confinement.may_start_programs,
        )

    def _tool(self, name: str) -> Tool[Any]:
        tool = self._tools.get(name)
        if tool is None:
            raise ToolFailure(
                f"There is no tool {safe_line(name)!r}. There are: {', '.join(self._tools)}.", kind="unknown_tool"
            )
        return tool

    async def _call(
        self, tool: Tool[Any], arguments: dict[str, Any], context: ToolContext, approve: Approve
    ) -> ToolResult:
        try:
            parsed = tool.arguments.model_validate(arguments)
        except ValidationError as error:
            raise ToolFailure(argument_problems(tool, arguments, error), kind="bad_arguments") from None
        title = _one_line(tool.title(parsed))
        context.emit(ToolRunStarted(run_id=context.run_id, name=tool.name, title=title))
        request = tool.request(parsed, context)
        verdict = self._confinement.judge(request, self._policy.judge(request))
        if verdict.decision is Ruling.BLOCK:
            raise _blocked(request, verdict)
        if request.action is Action.WRITE and (tool.confined or self._confined):
            self._refuse_outside(request)
        plan = await tool.prepare(parsed, context, request)
        if verdict.decision is not Ruling.ALLOW and plan.needs_approval:
            answer = await approve(_question(request, verdict, plan, title=title, run_id=context.run_id))
            self._policy.learn(request, verdict, answer.decision)
            self._confinement.learn(request, answer.decision)
            plan = answered(plan, answer, context)
        result = await self._carry_out(plan, request, context, goes_on=bool(getattr(parsed, "background", False)))
        if result.beyond is None:
            return result
        return await self._beyond(result, result.beyond, request, context, approve)

    async def _beyond(
        self, result: ToolResult, beyond: Beyond, request: Request, context: ToolContext, approve: Approve
    ) -> ToolResult:
        """What the sandbox stopped, done again without it if the person says so; else the result says what did."""
        question = ApprovalRequested(
            approval_id=f"{context.run_id}:beyond",
            run_id=context.run_id,
            name=request.tool,
            title=_one_line(request.command),
            reason=beyond.reason,
            pattern=None,
            preview=reveal(clipped(beyond.preview, _PREVIEW_BYTES)),
            confirm=beyond.confirm,
        )
        answer = await approve(question)
        if answer.decision is not Decision.DENY:
            return await self._carry_out(Plan(run=beyond.run), request, context)
        note = f"\n{beyond.reason} The person declined that.{words_of(answer)} Find another way."
        return replace(result, content=result.content + note, beyond=None)

    def _watching(self, emit: Emit) -> Emit:
        """The same, but a change by a tool is never laid to a command that runs beside it."""

        def tell(event: ToolEvent) -> None:
            if isinstance(event, FileChanged):
                self._commands.expect(self._workspace.root / event.path)
            emit(event)

        return tell

    async def _carry_out(
        self, plan: Plan, request: Request, context: ToolContext, *, goes_on: bool = False
    ) -> ToolResult:
        """Run a plan so that it can be undone. ``goes_on``: its process outlives the call."""
        if self._checkpoints is None:
            return await plan.run()
        return await run_checkpointed(plan, request, context, self._checkpoints, goes_on=goes_on)

    def _refuse_outside(self, request: Request) -> None:
        """Raise ``ToolFailure`` for a place outside that would have to be asked for."""
        for place in request.places:
            if not place.inside and self._policy.judge(replace(request, places=(place,))).decision is not Ruling.ALLOW:
                raise ToolFailure(
                    f"{place.shown} is outside the workspace, where {request.tool} may not write without a rule that "
                    "names it.",
                    kind="outside",
                )


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
        confirm=safe_line(verdict.confirm),
    )


def _blocked(request: Request, verdict: Verdict) -> ToolFailure:
    """What the model is told of a call that never runs, so that it looks for another way."""
    subject = ", ".join(place.shown for place in request.places) or "This command"
    return ToolFailure(
        f"{reveal(subject)} {verdict.why} (rule: {verdict.rule}). Nothing was done. Do not try to get around it: take"
        " another way, or say what you would do and why.",
        outcome=Outcome.DENIED,
        summary="blocked",
    )


def _one_line(title: str) -> str:
    shown = safe_line(reveal(title))
    return shown if len(shown) <= _TITLE_CHARACTERS else shown[: _TITLE_CHARACTERS - 1] + "…"

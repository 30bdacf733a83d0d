"""The turn runner: prompt, request, stream, tool calls, results, next request, until the model ends its turn.

States of a turn: waiting for the first token, streaming, tool, approval (``SessionState.phase``); it ends as
done, failed, cancelled, at the step limit or at the end of a budget (``TurnOutcome``). Whatever the ending, the
history is valid for the next request: every call that is kept has exactly one result.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from ...providers.base import ModelInfo, ModelRef, Provider, ProviderConfigError
from ...providers.events import (
    ErrorKind,
    InvalidArguments,
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    StopReason,
    TerminalEvent,
)
from ...providers.messages import ChatRequest, Message, ToolSpec
from ...tools.base import Checkpoints, Toolbox
from ...tools.events import ApprovalRequested, ApprovalResolved, Outcome, ToolEvent, ToolRunFinished
from .attached import as_seen, with_instructions
from .budget import BudgetGate, BudgetStop, least
from .bus import MessageBus
from .closing import closing_events, not_finished
from .compacting import Compacting, MakingRoom
from .context import calibration, output_limit, wanted_output
from .events import (
    FilesWentStale,
    ModelSelected,
    NoticeLevel,
    NoticePosted,
    PromptSubmitted,
    ProviderActivity,
    RequestStarted,
    RetryScheduled,
    ToolActivity,
    TurnEnded,
    TurnOutcome,
    TurnStarted,
)
from .folder_instructions import FindNested, FolderInstructions
from .history import history, paused
from .ids import new_id
from .ledger import CostOf, priced
from .no_checkpoints import NoCheckpoints
from .recovery import NoRecovery, Recovery, in_words
from .slimming import offered, rules_for
from .state import AnswerEntry, PromptEntry, SessionState, ToolCallPart
from .system_prompt import RULES, mode_note, surroundings
from .token_estimate import request_weight
from .worker import read_stream

BYTES_PER_TOKEN = 3
"""Cautious: used to keep one tool result under a quarter of the model's window."""


class Directory(Protocol):
    """Where the runner finds the provider of a model."""

    def provider(self, ref: ModelRef) -> Provider:
        """The provider, ready to stream. Raises ``ProviderConfigError`` with cause and fix."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A history made valid for its target, and what was changed, in words."""

    messages: tuple[Message, ...]
    changes: tuple[str, ...]


class Prepare(Protocol):
    """Hand-off: rewrites a history for a target."""

    def __call__(self, messages: tuple[Message, ...], ref: ModelRef, dialect: str, *, continuation: bool) -> Prepared:
        """The history made valid. ``continuation``: the model paused its own turn and goes on with it.

        Raises ``ProviderConfigError`` when the target's rules can never be met.
        """
        ...


Approve = Callable[[ApprovalRequested], Awaitable[ApprovalResolved]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What the composition root plugs into a session."""

    directory: Directory
    toolbox: Toolbox
    prepare: Prepare
    cost_of: CostOf
    approve: Approve
    durable: Callable[[], Awaitable[None]]
    """Waits until everything published so far is on disk."""
    step_limit: int = 50
    recovery: Recovery = field(default_factory=NoRecovery)
    checkpoints: Checkpoints = field(default_factory=NoCheckpoints)
    compacting: Compacting = field(default_factory=Compacting)
    stale: Callable[[Mapping[str, str]], Awaitable[tuple[str, ...]]] | None = None
    """Which of these files (paths with the digests the model knows) are not like that on disk."""
    nested: FindNested | None = None
    """What sub-folders say of the files a tool touched; None where that does not count."""
    budget: BudgetGate | None = None
    """What every request passes before it is sent; None where there are no budgets."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A whole call of an answer, and where it belongs."""

    turn_id: str
    request_id: str
    part: ToolCallPart

    def ended(self, outcome: Outcome, content: str) -> ToolRunFinished:
        """The end of a call that was not run, or not to its end."""
        return not_finished(self.part.run_id, outcome, content)


class TurnRunner:
    """Runs one turn at a time; owns nothing but the running turn."""

    def __init__(self, bus: MessageBus, wiring: Wiring) -> None:
        self._bus = bus
        self._wiring = wiring
        self._told: tuple[str, ...] = ()
        self._pause: asyncio.Task[None] | None = None
        self._most_output: int | None = None
        self._last_built: tuple[SessionState, ModelInfo, tuple[ChatRequest, tuple[str, ...], str]] | None = None
        self._tools = tuple(
            ToolSpec(name=tool.name, description=tool.description, parameters=tool.parameters)
            for tool in wiring.toolbox.schemas()
        )
        self._room = MakingRoom(
            bus,
            lambda ref: wiring.directory.provider(ref),
            wiring.cost_of,
            lambda state, model: self._built(state, model)[0],
            wiring.compacting,
        )
        self._slim = ""
        self._nested = FolderInstructions(bus, wiring.nested)

    @property
    def _state(self) -> SessionState:
        return self._bus.store.state

    async def run(self) -> TurnOutcome:
        """Run one turn to its end. Cancelling the task ends it in an orderly way, as ``CANCELLED``."""
        turn_id = new_id("turn")
        self._bus.publish(TurnStarted(turn_id=turn_id))
        outcome = TurnOutcome.FAILED
        try:
            await self.look_at_files()
            outcome = await self._steps(turn_id)
        except asyncio.CancelledError:
            outcome = TurnOutcome.CANCELLED
        except BudgetStop as stop:
            outcome = TurnOutcome.BUDGET
            self._bus.publish(NoticePosted(message=f"Stopped: {stop}", level=NoticeLevel.WARNING))
        finally:
            self._settle(turn_id)
            self._bus.publish(TurnEnded(turn_id=turn_id, outcome=outcome))
        return outcome

    async def compact(self, focus: str) -> TurnOutcome:
        """Make room in the window because the person wants it; it can be cancelled like a turn."""
        turn_id, model = new_id("turn"), self._state.model
        self._bus.publish(TurnStarted(turn_id=turn_id))
        outcome = TurnOutcome.CANCELLED
        try:
            problem = "No model is selected." if model is None else await self._room.on_demand(turn_id, model, focus)
            if problem:
                self._bus.publish(NoticePosted(message=problem))
            outcome = TurnOutcome.DONE
        except asyncio.CancelledError:
            self._bus.publish(NoticePosted(message="Not compacted: it was cancelled."))
        finally:
            self._bus.publish(TurnEnded(turn_id=turn_id, outcome=outcome))
        await self._wiring.durable()
        return outcome

    async def look_at_files(self) -> None:
        """Find out which files the model was given have changed since; that is said once."""
        known = {each.path: each.digest for each in self._state.known_files}
        if self._wiring.stale is None or not known:
            return
        stale = await self._wiring.stale(known)
        now = {each.path: each.digest for each in self._state.known_files}
        paths = tuple(path for path in stale if now.get(path) == known[path])  # seen anew meanwhile: known again
        if paths != self._state.stale_files:
            self._bus.publish(FilesWentStale(paths=paths))

    def next_request(self, model: ModelInfo) -> ChatRequest:
        """The request as it would be sent now, for whoever weighs it."""
        return self._built(self._state, model)[0]

    async def _steps(self, turn_id: str) -> TurnOutcome:
        for _ in range(self._wiring.step_limit):
            self._deliver_queued()
            await self._wiring.durable()
            await self._wiring.checkpoints.begin(turn_id=turn_id, prompt_id=_newest_prompt(self._state))
            outcome = await self._step(turn_id)
            if outcome is not None and not (outcome is TurnOutcome.DONE and self._state.queued):
                return outcome
        self._bus.publish(
            NoticePosted(
                message=f"Stopped after {self._wiring.step_limit} steps (setting step_limit). Retry to go on.",
                level=NoticeLevel.WARNING,
            )
        )
        return TurnOutcome.STEP_LIMIT

    def _deliver_queued(self) -> None:
        for entry in self._state.queued:
            self._bus.publish(
                PromptSubmitted(prompt_id=entry.prompt_id, text=entry.text, attachments=entry.attachments)
            )

    async def _step(self, turn_id: str) -> TurnOutcome | None:
        """One request and the tools it calls. None means that the model goes on."""
        model = self._state.model
        if model is None:
            self._bus.publish(NoticePosted(message="No model is selected.", level=NoticeLevel.ERROR))
            return TurnOutcome.FAILED
        request_id, model, terminal = await self._answered(turn_id, model)
        if isinstance(terminal, ResponseError):
            await self._wiring.durable()
            return TurnOutcome.FAILED
        calls = self._calls(turn_id, request_id)
        if calls:
            await self._run_calls(calls, model)
            return None
        if terminal.stop_reason is StopReason.PAUSE_TURN:
            return None
        if terminal.stop_reason is StopReason.MAX_TOKENS:
            limit = "the model's output limit" if self._most_output is None else "the end of the budget"
            message = f"The answer hit {limit} and is cut off. Ask it to go on."
            self._bus.publish(NoticePosted(message=message, level=NoticeLevel.WARNING))
        return TurnOutcome.DONE

    def hurry(self) -> bool:
        """End the wait before the next attempt, which then starts at once. False when nothing is waited for."""
        return self._pause is not None and self._pause.cancel()

    async def _answered(self, turn_id: str, model: ModelInfo) -> tuple[str, ModelInfo, TerminalEvent]:
        """One request, sent until there is an answer, with its id and the model that answered last.

        It is sent again, or to the next model of the failover chain, only while nothing of an answer was shown:
        after that the error stands, what arrived is kept, and it is the person's to retry.
        """
        recovery = self._wiring.recovery
        attempt, tried = 1, [model.ref]
        while True:
            request_id = new_id("req")
            model, refused = await self._ready(turn_id, model)
            terminal = await self._respond(turn_id, request_id, model, refused)
            if not isinstance(terminal, ResponseError) or self._shown(request_id) or refused:
                return request_id, model, terminal
            wait_s = recovery.wait_s(terminal, attempt)
            if terminal.kind is ErrorKind.CONTEXT_OVERFLOW and await self._room.after_overflow(turn_id, model):
                pass  # it fits now: the same attempt
            elif wait_s is not None:
                await self._wait(turn_id, request_id, terminal, attempt + 1, wait_s)
                attempt += 1
            elif (other := recovery.fallback(terminal, tried)) is not None:
                self._fail_over(model, *other)
                await self._wiring.durable()
            else:
                return request_id, model, terminal
            now = self._state.model or model
            if now.ref != model.ref:  # by failover, or by the person meanwhile
                attempt, tried = 1, [*tried, now.ref]
            model = now

    async def _ready(self, turn_id: str, model: ModelInfo) -> tuple[ModelInfo, str]:
        """The model the next request goes to, with room in its window and within the budgets; and why not to send it.

        Room comes first, because what it costs counts. A model that was chosen meanwhile needs room of its own.
        Raises ``BudgetStop``.
        """
        while True:
            refused = await self._room.before_request(turn_id, model)
            if not refused:
                await self._admit(model)
            now = self._state.model or model
            if now.ref == model.ref:
                return now, refused
            model = now

    async def _admit(self, model: ModelInfo) -> None:
        """Wait until the budgets allow the next request, to whatever model it goes then. Raises ``BudgetStop``."""
        gate = self._wiring.budget
        self._most_output = None
        if gate is not None and gate.active:
            self._most_output = await gate.admit(model, lambda: request_weight(self.look_ahead(model, "")[0]))

    def _shown(self, request_id: str) -> bool:
        answer = _answer(self._state, request_id)
        return answer is not None and bool(answer.parts)

    async def _wait(self, turn_id: str, request_id: str, error: ResponseError, attempt: int, wait_s: float) -> None:
        """Say why and how long, and wait; another model chosen meanwhile ends the wait, cancelling the turn too."""
        attempts = self._wiring.recovery.attempts
        self._bus.publish(
            RetryScheduled(
                turn_id=turn_id,
                request_id=request_id,
                attempt=attempt,
                attempts=attempts,
                wait_s=wait_s,
                due_at=self._bus.now + wait_s,
                reason=in_words(error),
            )
        )
        after = f"Attempt {attempt} of {attempts} after {wait_s:.1f} s."
        # The server's words are said once; the same words five times over would bury the conversation.
        words = error.message if attempt == 2 else f"Again: {in_words(error)}."
        self._bus.publish(NoticePosted(message=f"{words} {after}"))
        await self._wiring.durable()
        self._pause = asyncio.ensure_future(self._wiring.recovery.sleep(wait_s))
        try:
            await asyncio.wait([self._pause])
        finally:
            self._pause.cancel()
            self._pause = None

    def _fail_over(self, failed: ModelInfo, model: ModelInfo, dialect: str) -> None:
        message = f"{failed.ref} does not answer; {model.ref} goes on (setting fallback). The history goes along."
        self._bus.publish(NoticePosted(message=message, level=NoticeLevel.WARNING))
        self._bus.publish(ModelSelected(model=model, dialect=dialect))

    async def _respond(self, turn_id: str, request_id: str, model: ModelInfo, refused: str) -> TerminalEvent:
        """One HTTP call: build, stream, price. The ledger row is written however it ends.

        ``refused`` says why it is not made at all.
        """
        request, provider, problem = self._request(model)
        weight = request_weight(request)
        self._bus.publish(
            RequestStarted(
                turn_id=turn_id,
                request_id=request_id,
                ref=model.ref,
                dialect=self._state.dialect,
                estimated_input_tokens=calibration(self._state, model.ref).tokens(weight),
                weight=weight,
            )
        )

        def publish(event: ResponseEvent) -> None:
            self._bus.publish(ProviderActivity(turn_id=turn_id, request_id=request_id, event=event))

        try:
            if provider is None or refused:
                kind = ErrorKind.CONTEXT_OVERFLOW if refused else ErrorKind.INVALID_REQUEST
                terminal: TerminalEvent = ResponseError(kind=kind, message=refused or problem)
                publish(terminal)
            else:
                await self._wiring.durable()  # a process that dies from here on leaves a call to be priced
                terminal = await read_stream(provider, request, publish)
        except asyncio.CancelledError:
            publish(ResponseEnd(stop_reason=StopReason.CANCELLED))
            self._price(request_id, model)
            raise
        self._price(request_id, model)
        if not isinstance(terminal, ResponseError):
            await self._wiring.durable()
        return terminal

    def look_ahead(self, model: ModelInfo, dialect: str) -> tuple[ChatRequest, tuple[str, ...]]:
        """The next request as that model would get it, and what of the history it would not. Nothing is said or sent.

        ``dialect`` is that of its provider, empty for the one that is selected. May be called from a thread.
        """
        state = replace(self._state, dialect=dialect) if dialect else self._state
        request, changes, _ = self._built(state, model)
        return request, changes

    def _request(self, model: ModelInfo) -> tuple[ChatRequest, Provider | None, str]:
        """The request, and the provider or the problem that keeps it from being used. Says what was changed for it."""
        provider, problem = None, ""
        try:
            provider = self._wiring.directory.provider(model.ref)
        except ProviderConfigError as error:
            problem = str(error)
        request, changes, unfit = self._built(self._state, model)
        request = replace(request, max_tokens=least(request.max_tokens, self._most_output))
        if changes and changes != self._told:
            self._bus.publish(NoticePosted(message="; ".join(changes)))
        self._told = changes
        slim = offered(self._tools, model.context_window).said
        if slim and slim != self._slim:
            self._bus.publish(NoticePosted(message=slim, level=NoticeLevel.WARNING))
        self._slim = slim
        return request, None if unfit else provider, problem or unfit

    def _built(self, state: SessionState, model: ModelInfo) -> tuple[ChatRequest, tuple[str, ...], str]:
        """The next request of a state, what was changed in its history, and why it cannot be sent.

        Window, budget and sending ask for the same one after the other: it is built once.
        """
        last = self._last_built
        if last is None or last[0] is not state or last[1] != model:
            last = self._last_built = (state, model, self._build(state, model))
        return last[2]

    def _build(self, state: SessionState, model: ModelInfo) -> tuple[ChatRequest, tuple[str, ...], str]:
        messages, changes, unfit = history(state), (), ""
        window = model.context_window
        try:
            prepared = self._wiring.prepare(messages, model.ref, state.dialect, continuation=paused(state))
            messages, left_out = as_seen(prepared.messages, state, model)
            changes = (*prepared.changes, *left_out)
        except ProviderConfigError as error:
            unfit = str(error)
        request = ChatRequest(
            model=model.ref.model,
            messages=messages,
            system=with_instructions(rules_for(RULES, window), state.instructions, window),
            system_tail=surroundings(Path(state.folder), date.fromtimestamp(self._bus.now)) + mode_note(state.mode),
            tools=offered(self._tools, window).tools,
            effort=state.effort,
            thinks=model.thinking,
            context_window=window,
        )
        known = calibration(state, model.ref)
        tokens = known.tokens(request_weight(request))
        limit = output_limit(model, wanted_output(model), tokens, counted=known.counted)
        return replace(request, max_tokens=limit), changes, unfit

    def _price(self, request_id: str, model: ModelInfo) -> None:
        answer = _answer(self._state, request_id)
        if answer is not None:
            self._bus.publish(priced(answer, model, self._wiring.cost_of, ended_at=self._bus.now))

    def _calls(self, turn_id: str, request_id: str) -> tuple["_Call", ...]:
        answer = _answer(self._state, request_id)
        parts = answer.parts if answer is not None else ()
        return tuple(
            _Call(turn_id, request_id, part)
            for part in parts
            if isinstance(part, ToolCallPart) and part.arguments is not None
        )

    async def _run_calls(self, calls: tuple["_Call", ...], model: ModelInfo) -> None:
        """Run the calls in order. A prompt that arrives meanwhile is delivered after the current one."""
        for position, call in enumerate(calls):
            if position and self._state.queued:
                self._publish(call, call.ended(Outcome.CANCELLED, "Not run: the user sent a new message first."))
                continue
            try:
                finished = await self._run_call(call, model)
            except asyncio.CancelledError:
                for each in calls[position:]:
                    self._publish(each, each.ended(Outcome.CANCELLED, "Cancelled by the user."))
                raise
            self._publish(call, finished)
            await self._nested.bring(finished.run_id, model.context_window)
            await self._wiring.durable()

    async def _run_call(self, call: "_Call", model: ModelInfo) -> ToolRunFinished:
        part = call.part
        if isinstance(part.arguments, InvalidArguments) or part.arguments is None:
            reason = "they are missing" if part.arguments is None else part.arguments.reason
            content = (
                f"Not run: the arguments of {part.name} are no JSON object ({reason}). Send the call again, whole."
            )
            return call.ended(Outcome.ERROR, content)

        async def approve(question: ApprovalRequested) -> ApprovalResolved:
            self._publish(call, question)
            answer = await self._wiring.approve(question)
            self._publish(call, answer)
            await self._wiring.durable()
            return answer

        known: dict[str, Any] = dict(part.arguments)
        return await self._wiring.toolbox.run(
            run_id=part.run_id,
            name=part.name,
            arguments=known,
            emit=lambda event: self._publish(call, event),
            approve=approve,
            max_result_bytes=None if model.context_window is None else model.context_window // 4 * BYTES_PER_TOKEN,
        )

    def _publish(self, call: "_Call", event: ToolEvent) -> None:
        self._nested.hear(event)
        self._bus.publish(
            ToolActivity(turn_id=call.turn_id, request_id=call.request_id, part_index=call.part.index, event=event)
        )

    def _settle(self, turn_id: str) -> None:
        """Whatever an ending left open is closed, so that the next request is valid."""
        end = ResponseEnd(stop_reason=StopReason.CANCELLED)
        for event in closing_events(self._state, turn_id, end, Outcome.CANCELLED, "Cancelled by the user."):
            self._bus.publish(event)


def _newest_prompt(state: SessionState) -> str:
    """The id of the prompt that is worked on; empty when there is none."""
    prompts = (entry.prompt_id for entry in reversed(state.transcript) if isinstance(entry, PromptEntry))
    return next(prompts, "")


def _answer(state: SessionState, request_id: str) -> AnswerEntry | None:
    """The closed answer to a request; it is among the newest entries."""
    for entry in reversed(state.transcript):
        if isinstance(entry, AnswerEntry) and entry.request_id == request_id:
            return entry
    return None

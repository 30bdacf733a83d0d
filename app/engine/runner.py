"""The turn runner: prompt, request, stream, tool calls, results, next request, until the model ends its turn.

States of a turn: waiting for the first token, streaming, tool, approval (``SessionState.phase``); it ends as
done, failed, cancelled, at the step limit or at the end of a budget (``TurnOutcome``). Whatever the ending, the
history is valid for the next request: every call that is kept has exactly one result.
"""

import asyncio
from dataclasses import replace

from ...providers.base import ModelInfo, Provider, ProviderConfigError
from ...providers.events import (
    ErrorKind,
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    StopReason,
    TerminalEvent,
)
from ...tools.events import Outcome
from .budget import BudgetStop, least
from .bus import MessageBus
from .closing import closing_events
from .compacting import MakingRoom
from .events import (
    FilesWentStale,
    ModelSelected,
    NoticeLevel,
    NoticePosted,
    PromptSubmitted,
    ProviderActivity,
    RequestStarted,
    RetryScheduled,
    TurnEnded,
    TurnOutcome,
    TurnStarted,
)
from .folder_instructions import FolderInstructions
from .ids import new_id
from .ledger import priced
from .recovery import in_words
from .request_builder import BuiltRequest, RequestBuilder
from .state import AnswerEntry, PromptEntry, SessionState
from .tool_calls import ToolCaller, tool_calls
from .wiring import Wiring
from .worker import read_stream


class TurnRunner:
    """Runs one turn at a time; owns nothing but the running turn."""

    def __init__(self, bus: MessageBus, wiring: Wiring) -> None:
        self._bus = bus
        self._wiring = wiring
        self._told: tuple[str, ...] = ()
        self._pause: asyncio.Task[None] | None = None
        self._slim = ""
        self._most_output: int | None = None
        self.requests = RequestBuilder(bus, wiring.toolbox, wiring.prepare)
        """What is sent next; for whoever weighs it beforehand, too."""
        self._instructions = FolderInstructions(bus, wiring.nested)
        self._caller = ToolCaller(bus, wiring.toolbox, wiring.approve, wiring.durable, self._instructions)
        provider_of = wiring.directory.provider
        self._room = MakingRoom(bus, provider_of, wiring.cost_of, self.requests.of, wiring.compacting)

    @property
    def _state(self) -> SessionState:
        return self._bus.store.state

    @property
    def _window(self) -> int | None:
        return None if self._state.model is None else self._state.model.context_window

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
            await self._look_at_spending()
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

    async def _steps(self, turn_id: str) -> TurnOutcome:
        for _ in range(self._wiring.step_limit):
            self._deliver_queued()
            await self._instructions.bring_with_prompts(self._window)
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
        calls = tool_calls(turn_id, _answer(self._state, request_id))
        if calls:
            await self._caller.run(calls, model)
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
            await self._look_at_spending()
            await self.requests.weighed(model)
            refused = await self._room.before_request(turn_id, model)
            if not refused:
                await self._admit(model)
            now = self._state.model or model
            if now.ref == model.ref:
                return now, refused
            model = now

    async def _look_at_spending(self) -> None:
        """Making room costs too: what other sessions spent has to be known before it."""
        if self._wiring.budget is not None:
            await self._wiring.budget.refresh()

    async def _admit(self, model: ModelInfo) -> None:
        """Wait until the budgets allow the next request, to whatever model it goes then. Raises ``BudgetStop``."""
        gate = self._wiring.budget
        self._most_output = None
        if gate is not None and gate.active:
            self._most_output = await gate.admit(model, lambda: self.requests.next(model).weight)

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
        built, provider, problem = self._request(model)
        self._bus.publish(
            RequestStarted(
                turn_id=turn_id,
                request_id=request_id,
                ref=model.ref,
                dialect=self._state.dialect,
                estimated_input_tokens=built.tokens,
                weight=built.weight,
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
                terminal = await read_stream(provider, built.request, publish)
        except asyncio.CancelledError:
            publish(ResponseEnd(stop_reason=StopReason.CANCELLED))
            self._price(request_id, model)
            raise
        self._price(request_id, model)
        if not isinstance(terminal, ResponseError):
            await self._wiring.durable()
        return terminal

    def _request(self, model: ModelInfo) -> tuple[BuiltRequest, Provider | None, str]:
        """The request, and the provider or the problem that keeps it from being used. Says what was changed for it."""
        provider, problem = None, ""
        try:
            provider = self._wiring.directory.provider(model.ref)
        except ProviderConfigError as error:
            problem = str(error)
        built = self.requests.of(self._state, model)
        if built.changes and built.changes != self._told:
            self._bus.publish(NoticePosted(message="; ".join(built.changes)))
        if built.slim and built.slim != self._slim:
            self._bus.publish(NoticePosted(message=built.slim, level=NoticeLevel.WARNING))
        self._told, self._slim = built.changes, built.slim
        limit = least(built.request.max_tokens, self._most_output)
        built = replace(built, request=replace(built.request, max_tokens=limit))
        return built, None if built.unfit else provider, problem or built.unfit

    def _price(self, request_id: str, model: ModelInfo) -> None:
        answer = _answer(self._state, request_id)
        if answer is not None:
            self._bus.publish(priced(answer, model, self._wiring.cost_of, ended_at=self._bus.now))

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

"""Runs the tool calls of an answer, in order, each with exactly one result whatever happens."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ...providers.base import ModelInfo
from ...providers.events import InvalidArguments
from ...tools.base import Toolbox
from ...tools.events import ApprovalRequested, ApprovalResolved, Outcome, ToolEvent, ToolRunFinished
from .bus import MessageBus
from .closing import not_finished
from .events import ToolActivity
from .folder_instructions import FolderInstructions
from .state import AnswerEntry, ToolCallPart
from .wiring import Approve

BYTES_PER_TOKEN = 3
"""Cautious: used to keep one tool result under a quarter of the model's window."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A whole call of an answer, and where it belongs."""

    turn_id: str
    request_id: str
    part: ToolCallPart

    def ended(self, outcome: Outcome, content: str) -> ToolRunFinished:
        """The end of a call that was not run, or not to its end."""
        return not_finished(self.part.run_id, outcome, content)


def tool_calls(turn_id: str, answer: AnswerEntry | None) -> tuple[ToolCall, ...]:
    """The calls of an answer that arrived whole."""
    parts = answer.parts if answer is not None else ()
    return tuple(
        ToolCall(turn_id, answer.request_id, part)
        for part in parts
        if answer is not None and isinstance(part, ToolCallPart) and part.arguments is not None
    )


class ToolCaller:
    """Runs calls with the session's tools, asks the person where a tool wants it, and publishes what happens."""

    def __init__(
        self,
        bus: MessageBus,
        toolbox: Toolbox,
        approve: Approve,
        durable: Callable[[], Awaitable[None]],
        nested: FolderInstructions,
    ) -> None:
        self._bus = bus
        self._toolbox = toolbox
        self._approve = approve
        self._durable = durable
        self._nested = nested

    async def run(self, calls: tuple[ToolCall, ...], model: ModelInfo) -> None:
        """Run the calls in order. A prompt that arrives meanwhile is delivered after the current one."""
        for position, call in enumerate(calls):
            if position and self._bus.store.state.queued:
                self._publish(call, call.ended(Outcome.CANCELLED, "Not run: the user sent a new message first."))
                continue
            try:
                finished = await self._run(call, model)
            except asyncio.CancelledError:
                for each in calls[position:]:
                    self._publish(each, each.ended(Outcome.CANCELLED, "Cancelled by the user."))
                raise
            self._publish(call, finished)
            await self._nested.bring(finished.run_id, model.context_window)
            await self._durable()

    async def _run(self, call: ToolCall, model: ModelInfo) -> ToolRunFinished:
        part = call.part
        if isinstance(part.arguments, InvalidArguments) or part.arguments is None:
            reason = "they are missing" if part.arguments is None else part.arguments.reason
            content = (
                f"Not run: the arguments of {part.name} are no JSON object ({reason}). Send the call again, whole."
            )
            return call.ended(Outcome.ERROR, content)

        async def approve(question: ApprovalRequested) -> ApprovalResolved:
            self._publish(call, question)
            answer = await self._approve(question)
            self._publish(call, answer)
            await self._durable()
            return answer

        known: dict[str, Any] = dict(part.arguments)
        return await self._toolbox.run(
            run_id=part.run_id,
            name=part.name,
            arguments=known,
            emit=lambda event: self._publish(call, event),
            approve=approve,
            max_result_bytes=None if model.context_window is None else model.context_window // 4 * BYTES_PER_TOKEN,
        )

    def _publish(self, call: ToolCall, event: ToolEvent) -> None:
        self._nested.hear(event)
        self._bus.publish(
            ToolActivity(turn_id=call.turn_id, request_id=call.request_id, part_index=call.part.index, event=event)
        )

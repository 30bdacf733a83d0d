"""What the engine knows of tools: a toolbox that describes them and runs one call at a time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from .events import ApprovalRequested, ApprovalResolved, ToolEvent, ToolRunFinished

Emit: TypeAlias = Callable[[ToolEvent], None]
"""Where a run publishes its events. Synchronous, never blocks."""
Approve: TypeAlias = Callable[[ApprovalRequested], Awaitable[ApprovalResolved]]
"""Asks the person and waits. The asker publishes both events; the toolbox only awaits the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSchema:
    """A tool as the model sees it."""

    name: str
    description: str
    parameters: dict[str, Any]


class Toolbox(Protocol):
    """Every tool of a session behind one door."""

    def schemas(self) -> tuple[ToolSchema, ...]:
        """The tools offered to the model."""
        ...

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
        """Run one call: parse, policy, approval, run, bound. Emits everything but the returned event.

        Never raises for a failing tool: the outcome says so. Cancelling the task kills what it started
        and re-raises ``CancelledError``. An unknown tool or bad arguments give an ERROR outcome that
        tells the model what is wrong. ``max_result_bytes`` bounds the content further than the tool's
        own bound (a quarter of the model's window).
        """
        ...

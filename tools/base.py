"""What the engine knows of tools: a toolbox that describes them and runs one call at a time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from .events import ApprovalRequested, ApprovalResolved, ToolEvent, ToolRunFinished

Emit: TypeAlias = Callable[[ToolEvent], None]
"""Where a run publishes its events. Synchronous, never blocks."""
Approve: TypeAlias = Callable[[ApprovalRequested], Awaitable[ApprovalResolved]]
"""Asks the person and waits. The asker publishes both events; the toolbox only awaits the answer."""


class Mode(StrEnum):
    """How much a session does without asking."""

    PLAN = "plan"
    """Only what reads; everything that changes something is refused."""
    ASK = "ask"
    """Reads run, changes and commands ask unless a rule or the gate lets them run."""
    ACCEPT_EDITS = "accept-edits"
    """Edits inside the workspace run unasked too."""
    AUTO = "auto"
    """Commands run unasked too, inside the sandbox; without one this mode cannot be chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSchema:
    """A tool as the model sees it."""

    name: str
    description: str
    parameters: dict[str, Any]


class Toolbox(Protocol):
    """Every tool of a session behind one door."""

    def select_mode(self, mode: Mode) -> str:
        """Work in this mode from the next call on. Returns why that cannot be; empty when it is done."""
        ...

    def protection(self) -> str:
        """What keeps commands in bounds now, in a word or two for the status bar: ``landlock``, ``no sandbox``."""
        ...

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

    async def revert_hunk(self, *, run_id: str, path: str, left: str | None, wanted: str | None, emit: Emit) -> str:
        """Take a part of a finished change back on disk. Returns why that cannot be; empty when it is done.

        ``left`` is the file's text as the session left it, ``wanted`` the same without that part (None: no file).
        What anybody changed elsewhere in the file since stays; where they changed the part itself, nothing is
        done. Emits ``FileChanged``.
        """
        ...

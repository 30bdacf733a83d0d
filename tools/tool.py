"""What a tool is: a description for the model, a model of its arguments, and two steps, prepare and run.

Preparing finds out what the call would do (and that it can be done) without doing it; that is what the policy
judges and a person is shown. Running does it.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel

from .base import Emit
from .commands import Commands
from .events import Outcome
from .policy import Request
from .seen_files import SeenFiles
from .workspace import Change, Workspace

A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """A way to do again, with fewer bounds, what the bounds stopped. Only a person who types ``confirm`` opens it."""

    run: "Callable[[], Awaitable[ToolResult]]"
    reason: str
    confirm: str
    preview: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a run gives back. ``content`` is for the model, ``summary`` for the one-line cell."""

    content: str
    summary: str
    outcome: Outcome = Outcome.OK
    error_kind: str = ""
    """The ``kind`` of a ``ToolFailure``; empty when nothing failed."""
    exit_status: int | None = None
    beyond: Beyond | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """What a tool may use. Paths go through ``workspace``, processes through ``commands`` or ``process``."""

    run_id: str
    workspace: Workspace
    seen: SeenFiles
    environment: Mapping[str, str]
    """For child processes, without secrets."""
    output_folder: Path
    """Where output too long for the model is kept."""
    commands: Commands
    """Runs what ``bash`` is asked to run."""
    emit: Emit
    max_bytes: int
    """The bound of the result's content, UTF-8 encoded."""
    may_start_programs: bool = True
    """Whether a tool that only reads may start a program in the workspace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A call that is ready to run. ``preview`` is what a person would want to see before."""

    run: Callable[[], Awaitable[ToolResult]]
    preview: str = ""
    needs_approval: bool = True
    """False when running changes nothing after all."""
    changes: tuple[Change, ...] = ()
    """What running will do to files, for plans made by ``changing.planned_changes``: they can be looked at
    (and kept for undoing) before, and a narrower plan can be made from some of them."""


class Tool(ABC, Generic[A]):
    """One tool. Instances hold no state: they are shared by all runs."""

    name: ClassVar[str]
    description: ClassVar[str]
    max_bytes: ClassVar[int] = 100_000
    """The tool's own bound of its result."""
    confined: ClassVar[bool] = False
    """True when it must not even ask to write outside the workspace, but for what a rule names."""
    arguments: type[A]

    @abstractmethod
    def title(self, arguments: A) -> str:
        """What the call does, for people: a path, a command, a pattern."""

    @abstractmethod
    def request(self, arguments: A, context: ToolContext) -> Request:
        """What the policy has to judge. Raises ``ToolFailure`` for a path that is never allowed."""

    @abstractmethod
    async def prepare(self, arguments: A, context: ToolContext, request: Request) -> Plan:
        """Check the call and get it ready, changing nothing. Raises ``ToolFailure``."""

"""What the engine knows of tools: a toolbox that describes them and runs one call at a time."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from .events import ApprovalRequested, ApprovalResolved, FileFate, RestoreKind, ToolEvent, ToolRunFinished

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


class UndoUnit(StrEnum):
    """How much one undo takes back."""

    TURN = "turn"
    PROMPT = "prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """What putting files back did, or would do."""

    restore_id: int
    """Rises within a session; 0 for one that is only looked at."""
    kind: RestoreKind
    files: tuple[FileFate, ...]
    prompt_id: str = ""
    """For a rewind: the prompt it goes back to."""


class Checkpoints(Protocol):
    """What the tools of one session did to files, and the way back. Nothing here raises for a file that cannot be
    put back: its fate says so. ``OSError`` means that nothing was done, because the store cannot be used.
    """

    async def begin(self, *, turn_id: str, prompt_id: str) -> None:
        """What tools change from now on belongs to this turn and prompt. Never raises."""
        ...

    async def unfinished(self) -> Restoration | None:
        """Finish the restoration that the end of a process cut off (or that was never settled), if there is one."""
        ...

    async def undo(self, unit: UndoUnit = UndoUnit.TURN) -> Restoration | None:
        """Take back the newest turn (or prompt) that changed files; None when there is none."""
        ...

    async def redo(self) -> Restoration | None:
        """Take back the newest undo or rewind; None when there is none, or when files were changed since."""
        ...

    async def rewind(self, prompt_id: str) -> Restoration:
        """Take back everything that was changed since this prompt was sent."""
        ...

    async def settle(self, restore_id: int) -> None:
        """The session knows of this restoration, durably. Never raises."""
        ...

    async def preview(self, kind: RestoreKind, prompt_id: str = "") -> Restoration | None:
        """What ``undo``, ``redo`` or ``rewind`` would do now. Changes nothing."""
        ...

    async def compare(self, path: str) -> str:
        """How a kept file differs from what the session left there: a unified diff, or why there is none."""
        ...

    async def changed_since(self) -> Mapping[str, int]:
        """For each prompt, how many paths its tools and those of later prompts changed and a rewind would put back."""
        ...

    def close(self) -> None:
        """Start nothing that takes long any more: the application ends."""
        ...

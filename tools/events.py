"""What happens while a tool runs. ``run_id`` is unique in a session, whatever ids a server re-uses."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Outcome(StrEnum):
    """How a tool run ended."""

    OK = "ok"
    ERROR = "error"
    DENIED = "denied"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    """The application died while it ran: it may have run."""


class Decision(StrEnum):
    """A person's answer to an approval question."""

    ONCE = "once"
    SESSION = "session"
    ALWAYS = "always"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRunStarted:
    """A tool call passed parsing; policy and approval may still follow."""

    run_id: str
    name: str
    title: str
    """One line saying what it does: a path, a command, a pattern."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutputDelta:
    """A piece of live output (standard output and error as they come)."""

    run_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested:
    """The run waits for a person. Nothing but ``Session.resolve`` can answer it."""

    approval_id: str
    run_id: str
    name: str
    title: str
    reason: str
    """Which rule asks, in words."""
    pattern: str | None
    """What "always" would allow from now on; None when there is no "always" for this call."""
    preview: str = ""
    """A unified diff for edits, the whole command for shell runs."""
    confirm: str = ""
    """What must be typed to say yes: a loud question (destructive, exfiltrating), which has no "session" and no
    "always". Empty when a key suffices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HunkAnswer:
    """What a person said of one hunk of a proposed or finished change."""

    path: str
    """As the diff names it: relative to the workspace when inside it."""
    hunk: int
    """Which hunk of that file's diff, from 0."""
    accepted: bool
    comment: str = ""
    text: str | None = None
    """The person's own lines in place of the hunk's new ones, line ends ``\\n``; None when they were not edited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalResolved:
    """The person (or a rule of a headless run) answered."""

    approval_id: str
    run_id: str
    decision: Decision
    comment: str = ""
    hunks: tuple[HunkAnswer, ...] = ()
    """Answers to single hunks of the preview; hunks that are not named follow ``decision``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChanged:
    """A tool changed a file. Texts are None for binary or oversized content."""

    run_id: str
    path: str
    """Relative to the workspace when inside it, with forward slashes."""
    before: str | None
    """None with ``created`` True: there was no file."""
    after: str | None
    """None with ``deleted`` True: there is no file any more."""
    created: bool = False
    deleted: bool = False


class TodoStatus(StrEnum):
    """How far a step of the model's plan is."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class TodoItem:
    """One step of the model's plan."""

    text: str
    status: TodoStatus = TodoStatus.PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class TodoChanged:
    """The model wrote its plan anew: the whole list, in order."""

    run_id: str
    items: tuple[TodoItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRunFinished:
    """The run ended; ``content`` is what the model gets, bounded."""

    run_id: str
    outcome: Outcome
    content: str
    summary: str
    """A few words for the one-line cell: ``48 lines``, ``+3 −1``, ``exit 1``."""
    duration_s: float
    exit_status: int | None = None
    error_kind: str = ""
    """What kind of failure, for programs (see ``failures.ToolFailure``); empty when nothing failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSeen:
    """The model now knows this content of a file: it read it, or wrote it itself."""

    run_id: str
    path: str
    digest: str
    """SHA-256 of its bytes, in hex; empty when there is no file any more."""


class RestoreKind(StrEnum):
    """What put files back."""

    UNDO = "undo"
    REDO = "redo"
    REWIND = "rewind"


class Fate(StrEnum):
    """What became of one path when files were put back."""

    RESTORED = "restored"
    KEPT = "kept"
    """Left alone: it is not as the session left it, so somebody else changed it."""
    LOST = "lost"
    """It cannot be put back: its content was not kept, or the disk refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFate:
    """One path that was to be put back. Texts are None for binary or oversized content."""

    path: str
    """Relative to the workspace when inside it, with forward slashes."""
    fate: Fate
    why: str = ""
    """Why it was not restored, in a few words."""
    before: str | None = None
    after: str | None = None
    created: bool = False
    """There was no file before."""
    deleted: bool = False
    """There is no file afterwards."""
    folder: bool = False
    pristine: bool = False
    """It is now as it was before the session first changed it."""


ToolEvent: TypeAlias = (
    ToolRunStarted
    | ToolOutputDelta
    | ApprovalRequested
    | ApprovalResolved
    | FileChanged
    | TodoChanged
    | FileSeen
    | ToolRunFinished
)

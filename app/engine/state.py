"""The state of a session as values: what every pane, bar and switcher reads.

Everything is frozen. The one exception is the text that is still growing: a ``StreamText`` shares an
append-only chunk list between successive states and holds how much of it each state sees, so that a
delta costs O(1) at any length and an older state still reads what it read before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from ...providers.base import ModelInfo, ModelRef, ProviderStatus
from ...providers.events import InvalidArguments, JsonObject, ResponseError, StopReason, Usage
from ...providers.messages import Effort
from ...tools.base import Mode
from ...tools.events import ApprovalRequested, Outcome, TodoItem
from .budget_state import BudgetState
from .compaction_events import Compacted
from .events import Attachment, Cost, InstructionFile, NoticeLevel, RetryScheduled, SideCallStarted
from .review_events import HunkReviewed
from .verify_events import Check, CheckOutcome, VerifyOutcome


class StreamText:
    """Text that grows by appending. Equal when the visible text is equal."""

    __slots__ = ("_parts", "chars", "count")

    def __init__(self, parts: list[str] | None = None, count: int = 0, chars: int = 0) -> None:
        self._parts: list[str] = [] if parts is None else parts
        self.count = count
        """Chunks visible in this state."""
        self.chars = chars
        """Characters visible in this state."""

    def appended(self, text: str) -> "StreamText":
        """The same text with one more chunk; O(1) on the newest state, a copy when branching off an old one."""
        parts = self._parts
        if len(parts) != self.count:
            parts = parts[: self.count]
        parts.append(text)
        return StreamText(parts, self.count + 1, self.chars + len(text))

    def since(self, count: int) -> Iterator[str]:
        """Chunks after the first ``count``: what a pane has not painted yet."""
        parts = self._parts
        return (parts[i] for i in range(count, self.count))

    def __str__(self) -> str:
        return "".join(self._parts[: self.count])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StreamText) and self.chars == other.chars and str(self) == str(other)

    def __repr__(self) -> str:
        return f"StreamText({str(self)!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """A block of answer text."""

    index: int
    text: StreamText
    closed: bool = False
    provider_metadata: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingPart:
    """A block of thinking, with when it began and ended (epoch seconds)."""

    index: int
    text: StreamText
    started_at: float
    ended_at: float | None = None
    closed: bool = False
    signature: str | None = None
    redacted: bool = False
    provider_metadata: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallPart:
    """A call the model makes. ``arguments`` is None until the call is whole. Its run is ``run_id``."""

    index: int
    call_id: str
    name: str
    run_id: str
    arguments_json: StreamText
    arguments: JsonObject | InvalidArguments | None = None
    closed: bool = False
    provider_metadata: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPart:
    """A block of the provider's own, kept to be sent back."""

    index: int
    kind: str
    payload: JsonObject


AnswerPart: TypeAlias = TextPart | ThinkingPart | ToolCallPart | ServerPart


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptEntry:
    """What the person asked."""

    prompt_id: str
    text: str
    at: float
    note: str = ""
    """What the model is told before the text: the reviews since the prompt before."""
    attachments: tuple[Attachment, ...] = ()
    """What goes to the model after the note and before the text."""
    instructions: tuple[InstructionFile, ...] = ()
    """What the sub-folders of the attached files say; goes to the model after them."""
    by_program: bool = False
    """Patchbay asks, not the person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerEntry:
    """One response of a model. While it is open it is ``SessionState.answer``; closed it is in the transcript."""

    request_id: str
    turn_id: str
    ref: ModelRef
    dialect: str
    started_at: float
    estimated_input_tokens: int = 0
    weight: int = 0
    """The size of the request as ``token_estimate`` counts it; 0 when it is not known."""
    parts: tuple[AnswerPart, ...] = ()
    first_token_at: float | None = None
    ended_at: float | None = None
    usage: Usage = field(default_factory=Usage)
    usage_estimated: bool = False
    """True when the server did not count (all of) ``usage``."""
    cost: Cost | None = None
    stop_reason: StopReason | None = None
    error: ResponseError | None = None
    output_chars: int = 0
    """Characters received so far (text, thinking, arguments): the base of the live token estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeEntry:
    """A notice, where it happened."""

    message: str
    level: NoticeLevel
    at: float
    note: str = ""
    """What the model is told of it, with the next prompt; empty for what is the person's alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchEntry:
    """From here on another model answers."""

    ref: ModelRef
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionEntry:
    """From here on a summary stands for the older part of what is above. ``sent`` says what is still sent."""

    compacted: Compacted
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEntry:
    """A command of the person's own; its output is in the run ``run_id``."""

    run_id: str
    command: str
    private: bool
    """No model is ever told of it."""
    at: float


Entry: TypeAlias = PromptEntry | AnswerEntry | NoticeEntry | SwitchEntry | CompactionEntry | CommandEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRun:
    """One run of a tool. ``outcome`` None means it runs or waits for approval."""

    run_id: str
    request_id: str
    part_index: int
    name: str
    title: str
    output: StreamText
    started_at: float
    waiting: bool = False
    outcome: Outcome | None = None
    content: str = ""
    summary: str = ""
    duration_s: float | None = None
    exit_status: int | None = None
    instructions: tuple[InstructionFile, ...] = ()
    """What sub-folders say of the files it touched; it goes to the model behind the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDiff:
    """A file this session changed: as it was before the first change, and as it is now."""

    path: str
    before: str | None
    after: str | None
    created: bool
    changes: int
    """How many times it was changed."""
    deleted: bool = False
    """True when there is no file now; ``after`` is None then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFile:
    """A file as a model knows it."""

    path: str
    digest: str
    """SHA-256 of its bytes, in hex; empty when the model knows that there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Running sums of the session. ``unknown_calls`` cost an unknown amount not contained in ``cost``."""

    calls: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    cost: Decimal = Decimal(0)
    estimated: bool = False
    """True when some of ``cost`` is an estimate."""
    tokens_estimated: bool = False
    """True when some of the token counts are estimates."""
    unknown_calls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Revisions:
    """One counter a slice: a pane is synced when its counter moved."""

    chat: int = 0
    tools: int = 0
    files: int = 0
    status: int = 0
    providers: int = 0

    def moved(
        self, *, chat: int = 0, tools: int = 0, files: int = 0, status: int = 0, providers: int = 0
    ) -> "Revisions":
        """The counters with the named ones moved on."""
        return Revisions(
            chat=self.chat + chat,
            tools=self.tools + tools,
            files=self.files + files,
            status=self.status + status,
            providers=self.providers + providers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRun:
    """A check of a verification, as it stands. ``outcome`` None: it waits, or runs since ``started_at``."""

    check: Check
    started_at: float | None = None
    outcome: CheckOutcome | None = None
    summary: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The verification that runs, or ran last."""

    verify_id: str
    rounds: int
    """How often the model may be asked."""
    checks: tuple[CheckRun, ...]
    round: int = 0
    """How often it was asked before the checks as they are shown."""
    outcome: VerifyOutcome | None = None
    """None while it runs."""


class Phase(StrEnum):
    """What the session is doing now."""

    IDLE = "idle"
    WAITING = "waiting for first token"
    STREAMING = "streaming"
    RETRYING = "waiting to retry"
    TOOL = "tool"
    APPROVAL = "approval"
    BUDGET = "budget"
    """A request waits because it would pass a budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    """Everything there is to know about a session, for whoever paints or sends it."""

    session_id: str = ""
    folder: str = ""
    title: str = ""
    """What a model called the session; empty when none did."""
    transcript: tuple[Entry, ...] = ()
    answer: AnswerEntry | None = None
    """The open response, if one streams."""
    runs: tuple[ToolRun, ...] = ()
    """Finished tool runs, in order of their end."""
    active_runs: tuple[ToolRun, ...] = ()
    retry: RetryScheduled | None = None
    """The attempt that is waited for; None once it starts."""
    approvals: tuple[ApprovalRequested, ...] = ()
    """Questions that wait, oldest first."""
    files: tuple[FileDiff, ...] = ()
    last_restore: int = 0
    """The newest restoration of files that is known here; they are numbered upwards."""
    queued: tuple[PromptEntry, ...] = ()
    turn_id: str | None = None
    """The turn that runs."""
    turn_started_at: float | None = None
    providers: tuple[ProviderStatus, ...] = ()
    model: ModelInfo | None = None
    dialect: str = ""
    effort: Effort = Effort.DEFAULT
    mode: Mode = Mode.ASK
    protection: str = ""
    """What bounds commands now, in a word or two; empty before anybody looked."""
    todos: tuple[TodoItem, ...] = ()
    """The model's plan, as it wrote it last."""
    reviews: tuple[HunkReviewed, ...] = ()
    """What was said of hunks that still stand."""
    untold_reviews: tuple[HunkReviewed, ...] = ()
    """What the next prompt will tell the model."""
    untold_commands: tuple[Attachment, ...] = ()
    """Commands of the person's own, with their output: they go along with the next prompt."""
    instructions: tuple[InstructionFile, ...] = ()
    """What the model is told in every request, beside the rules."""
    known_files: tuple[KnownFile, ...] = ()
    """Files whose content a model was given, as it was."""
    untold_stale: tuple[str, ...] = ()
    """Files that went stale since the newest prompt: the next one tells the model."""
    stale_files: tuple[str, ...] = ()
    """Files whose content a model was given and that are not like that on disk any more."""
    side_calls: tuple[SideCallStarted, ...] = ()
    """Calls beside the conversation that have no ledger row yet."""
    verification: Verification | None = None
    """The checks of the project, while they run and after."""
    unsaved: str = ""
    """Why the session cannot be saved now; empty when it is."""
    totals: Totals = field(default_factory=Totals)
    budget: BudgetState = field(default_factory=BudgetState)
    context_tokens: int | None = None
    """Tokens of the model's window in use after the last response (all classes and the output)."""
    context_estimated: bool = False
    revisions: Revisions = field(default_factory=Revisions)

    @property
    def phase(self) -> Phase:
        """What the session is doing now."""
        if self.approvals:
            return Phase.APPROVAL
        if self.budget.waiting is not None:
            return Phase.BUDGET
        if self.active_runs:
            return Phase.TOOL
        if self.retry is not None:
            return Phase.RETRYING
        if self.answer is not None:
            return Phase.WAITING if self.answer.first_token_at is None else Phase.STREAMING
        return Phase.IDLE if self.turn_id is None else Phase.WAITING


CHARS_PER_TOKEN = 3.7
"""Average over code and English prose; used only for estimates, which are always marked ``~``."""


def estimate_tokens(chars: int) -> int:
    """A rough token count for so many characters."""
    return round(chars / CHARS_PER_TOKEN)

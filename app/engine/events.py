"""The session's vocabulary: everything that can happen, as values.

Provider and tool events are wrapped with the ids that place them: the turn, the request (one HTTP call,
one ledger row) and, for tools, the part of the answer that made the call. The bus stamps each event with
its order, time and session (``Stamped``).
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from ...providers.base import ModelInfo, ModelRef, Price, ProviderStatus
from ...providers.events import ResponseEvent, Usage
from ...providers.messages import Effort
from ...tools.base import Mode
from ...tools.events import FileFate, RestoreKind, ToolEvent
from .budget_events import BudgetAnswered, BudgetReached, BudgetRules, BudgetSet, SpendingRead
from .compaction_events import Compacted
from .review_events import HunkReviewed
from .verify_events import CheckFinished, CheckStarted, VerifyEnded, VerifyStarted


class TurnOutcome(StrEnum):
    """Why a turn ended."""

    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    STEP_LIMIT = "step_limit"
    BUDGET = "budget"
    """What may be spent is spent."""
    INTERRUPTED = "interrupted"
    """The application died in mid-turn; found at resume."""


class CostSource(StrEnum):
    """Where an amount comes from."""

    REPORTED = "reported"
    COMPUTED = "computed"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What something cost in USD. ``amount`` None is unknown; zero is free."""

    amount: Decimal | None
    source: CostSource
    currency: str = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted:
    """A session begins in a folder (first event of every journal), or goes on in another one."""

    folder: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionForked:
    """Everything before is a copy of another session's journal; what it cost stays with that one."""

    origin: str
    """The other session's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSelected:
    """From the next request on this model answers. None facts are unknown."""

    model: ModelInfo
    dialect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EffortSelected:
    """From the next request on models are asked to think this much."""

    effort: Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeSelected:
    """From the next tool call on this mode holds. ``protection`` says in a word or two what bounds commands then."""

    mode: Mode
    protection: str = ""


class AttachmentKind(StrEnum):
    """What goes to the model beside the words of a prompt."""

    FILE = "file"
    FOLDER = "folder"
    IMAGE = "image"
    COMMAND = "command"
    """A command the person ran, with its output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Something a person added to a prompt, as it was then."""

    kind: AttachmentKind
    source: str
    """The path as it is named to the model, or the command line."""
    text: str = ""
    """What the model reads; empty for an image."""
    media_type: str = ""
    data_base64: str = ""
    """An image."""
    first_line: int | None = None
    last_line: int | None = None
    """The part of a file that was asked for; None for the whole."""
    digest: str = ""
    """SHA-256 of the file's bytes then, in hex: tells whether it has changed since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptQueued:
    """A prompt sent while a turn runs; it is delivered after the current tool."""

    prompt_id: str
    text: str
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSubmitted:
    """A prompt became part of the conversation."""

    prompt_id: str
    text: str
    attachments: tuple[Attachment, ...] = ()
    by_program: bool = False
    """Patchbay asks, not the person (``/verify``); the model is told so."""
    note: str = ""
    """What the program tells the model before the text; not shown in the chat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionFile:
    """Standing instructions for the model: an AGENTS.md or the like, as it was read."""

    path: str
    text: str
    digest: str
    """SHA-256 of its bytes, in hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderInstructed:
    """What sub-folders say of files goes to the model: of those a tool run touched behind the run's result, of those
    that went along with a prompt behind them."""

    files: tuple[InstructionFile, ...]
    run_id: str = ""
    prompt_id: str = ""
    """One of the two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionsLoaded:
    """From the next request on the model is given these instructions, in this order, and no others."""

    files: tuple[InstructionFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStarted:
    """The person runs a command of their own; its run has no call of a model behind it."""

    run_id: str
    command: str
    private: bool = False
    """No model is ever told of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted:
    """The runner begins to work on what the person asked."""

    turn_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded:
    """The turn is over and the history is valid for the next request."""

    turn_id: str
    outcome: TurnOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStarted:
    """One HTTP call to a model begins."""

    turn_id: str
    request_id: str
    ref: ModelRef
    dialect: str
    estimated_input_tokens: int
    weight: int = 0
    """The size of the input as ``token_estimate`` counts it: what the server's own count is compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled:
    """The request failed before anything was shown and is sent again, under a new id, when ``due_at`` has come."""

    turn_id: str
    request_id: str
    """The request that failed."""
    attempt: int
    """The number of the attempt to come."""
    attempts: int
    """How often the request is sent at most."""
    wait_s: float
    due_at: float
    """Seconds since the epoch."""
    reason: str
    """Why, in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderActivity:
    """One event of a model's response."""

    turn_id: str
    request_id: str
    event: ResponseEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolActivity:
    """One event of a tool run, started by part ``part_index`` of the answer to ``request_id``."""

    turn_id: str
    request_id: str
    part_index: int
    event: ToolEvent


class CallPurpose(StrEnum):
    """What an HTTP call to a model was for."""

    ANSWER = "answer"
    TITLE = "title"
    COMPACTION = "compaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class SideCallStarted:
    """A call beside the conversation begins: its answer is no part of it, its cost is. ``CallPriced`` ends it."""

    request_id: str
    purpose: CallPurpose
    ref: ModelRef
    estimated_input_tokens: int
    turn_id: str = ""
    """The turn it happens in; empty between turns."""
    weight: int = 0
    """What its tokens were estimated from (``token_estimate``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPriced:
    """The ledger row of a request: final usage and what it cost at the price of that moment."""

    turn_id: str
    request_id: str
    ref: ModelRef
    usage: Usage
    cost: Cost
    price: Price | None
    """What the model cost at that moment; never applied again later."""
    usage_estimated: bool = False
    """True when the server did not count (all of) it."""
    duration_s: float
    first_token_s: float | None
    error_kind: str | None = None
    purpose: CallPurpose = CallPurpose.ANSWER


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleProposed:
    """A model wrote a title for the session. A name that a person gave it stands above it."""

    title: str
    ref: ModelRef


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptsWithdrawn:
    """Prompts that waited were taken back by the person before they were sent."""

    prompt_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvidersListed:
    """What can be used now. Not journalled: it is found anew by every process."""

    providers: tuple[ProviderStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavingChanged:
    """Whether the session can be saved now. Not journalled: it is of this process and this moment."""

    problem: str
    """Why not, in words; empty when everything is saved (again)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesRestored:
    """Files were put back: by an undo, a redo or a rewind. The model is told with the next prompt."""

    restore_id: int
    """Rises within a session."""
    kind: RestoreKind
    files: tuple[FileFate, ...]
    """What was restored, what was kept, and what could not be restored."""
    conversation: bool = False
    """The conversation was rewound to the same moment: the model does not know of what was undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewound:
    """The session went back to before a prompt: its conversation, its files, or both."""

    prompt_id: str
    conversation: bool
    """The prompt and all that came after it are no longer sent to a model; the journal keeps them."""
    files: bool
    """A ``FilesRestored`` follows."""
    changed: tuple[str, ...] = ()
    """Without ``files``: paths that were changed since that prompt, and stay so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesWentStale:
    """Which of the files that the model was given are no longer like that on disk: all of them, none when all are."""

    paths: tuple[str, ...]


class NoticeLevel(StrEnum):
    """How much a notice matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticePosted:
    """Something the person should know that is no part of an answer."""

    message: str
    level: NoticeLevel = NoticeLevel.INFO
    quotes: bool = False
    """It quotes a prompt or names files of the person: no log keeps its words."""


SessionEvent: TypeAlias = (
    SessionStarted
    | SessionForked
    | ModelSelected
    | EffortSelected
    | ModeSelected
    | HunkReviewed
    | PromptQueued
    | PromptSubmitted
    | InstructionsLoaded
    | FolderInstructed
    | CommandStarted
    | TurnStarted
    | TurnEnded
    | RequestStarted
    | RetryScheduled
    | ProviderActivity
    | ToolActivity
    | SideCallStarted
    | CallPriced
    | NoticePosted
    | TitleProposed
    | PromptsWithdrawn
    | ProvidersListed
    | SavingChanged
    | FilesRestored
    | Rewound
    | VerifyStarted
    | CheckStarted
    | CheckFinished
    | VerifyEnded
    | Compacted
    | FilesWentStale
    | BudgetSet
    | BudgetRules
    | SpendingRead
    | BudgetReached
    | BudgetAnswered
)


NOT_JOURNALLED = (ProvidersListed, SavingChanged)
"""Events that mean nothing to a later process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """An event with its place in the total order of its session. ``at`` is seconds since the epoch."""

    seq: int
    at: float
    session_id: str
    event: SessionEvent

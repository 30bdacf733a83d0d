"""What one model response is made of, whatever the dialect it came in.

Grammar, for every provider::

    Notice* (ResponseStart (block part | UsageUpdate | Notice)*)? (ResponseEnd | ResponseError)

Each block index obeys ``Start Delta* End`` on its own; blocks may overlap; every open block is ended
before the terminal event. A provider never raises once its stream is started, there is exactly one
terminal event, and nothing follows it. Concatenated deltas equal the block. Deltas are never empty.

Events are values: no partial message, class object, future or HTTP object is ever inside one, so each
serialises to JSON and back (``app.engine.codec``).
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]


class StopReason(StrEnum):
    """Why a response ended, normalised over all dialects."""

    END_TURN = "end_turn"
    TOOL_CALLS = "tool_calls"
    MAX_TOKENS = "max_tokens"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    PAUSE_TURN = "pause_turn"
    """The server paused a long turn: the runner sends the turn back unchanged and goes on."""
    CANCELLED = "cancelled"
    OTHER = "other"


class ErrorKind(StrEnum):
    """What went wrong, normalised over all dialects and HTTP statuses."""

    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    CONTEXT_OVERFLOW = "context_overflow"
    INVALID_REQUEST = "invalid_request"
    NOT_FOUND = "not_found"
    NETWORK = "network"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    QUOTA = "quota"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts of one response. The four classes are disjoint; absent is None, never 0.

    ``input_tokens`` excludes both cache classes; ``thinking_tokens`` is a part of ``output_tokens``.
    """

    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    thinking_tokens: int | None = None
    reported_cost: Decimal | None = None
    """What the provider itself says the call cost, in USD."""

    @property
    def prompt_tokens(self) -> int:
        """All that was sent, from a cache or not; what was not counted is 0."""
        return (self.input_tokens or 0) + (self.cache_read_tokens or 0) + (self.cache_write_tokens or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidArguments:
    """Tool-call arguments that are no JSON object. Such a call is never run."""

    raw: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseStart:
    """The server began to answer."""

    response_id: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStart:
    """A block of answer text opens."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """A piece of answer text."""

    index: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEnd:
    """A block of answer text is complete."""

    index: int
    provider_metadata: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingStart:
    """A block of thinking opens."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingDelta:
    """A piece of thinking."""

    index: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingEnd:
    """A block of thinking is complete. ``signature`` and ``provider_metadata`` go back byte-exact."""

    index: int
    signature: str | None = None
    redacted: bool = False
    provider_metadata: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallStart:
    """The model begins to call a tool. ``call_id`` is the id the wire gave, or one made for it."""

    index: int
    call_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallDelta:
    """A piece of the arguments' JSON text, as sent."""

    index: int
    arguments_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallEnd:
    """The tool call is complete; ``arguments`` is a JSON object or says why it is none."""

    index: int
    call_id: str
    name: str
    arguments: JsonObject | InvalidArguments
    provider_metadata: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaqueBlock:
    """A whole block that is not ours to read but must go back byte-exact (server tools, encrypted items)."""

    index: int
    kind: str
    payload: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageUpdate:
    """Cumulative usage of this response; it may repeat, the last one wins."""

    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something the person should know: a dropped parameter, a repaired history, a retry and its wait."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseEnd:
    """Terminal: the response ended in an orderly way."""

    stop_reason: StopReason
    raw_stop_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseError:
    """Terminal: the response failed. Text received before stays valid."""

    kind: ErrorKind
    message: str
    status: int | None = None
    retry_after: float | None = None
    """Seconds the server asked us to wait."""
    retryable: bool = False


BlockEvent: TypeAlias = (
    TextStart
    | TextDelta
    | TextEnd
    | ThinkingStart
    | ThinkingDelta
    | ThinkingEnd
    | ToolCallStart
    | ToolCallDelta
    | ToolCallEnd
    | OpaqueBlock
)
TerminalEvent: TypeAlias = ResponseEnd | ResponseError
ResponseEvent: TypeAlias = ResponseStart | BlockEvent | UsageUpdate | Notice | TerminalEvent

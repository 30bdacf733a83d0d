"""The provider-neutral conversation: what every dialect translates from, and a request for one answer."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from .events import InvalidArguments, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBlock:
    """Plain text, Markdown as the model or the person wrote it."""

    text: str
    provider_metadata: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBlock:
    """An image given to a model that sees."""

    media_type: str
    data_base64: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingBlock:
    """The model's thinking. The signature and metadata are valid only for the endpoint and model that made them."""

    text: str
    signature: str | None = None
    redacted: bool = False
    provider_metadata: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallBlock:
    """A call the model made. Invalid arguments are kept so that the model can be told what was wrong."""

    call_id: str
    name: str
    arguments: JsonObject | InvalidArguments
    provider_metadata: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerBlock:
    """A block of the provider's own making (server tools, encrypted items): sent back byte-exact or not at all."""

    kind: str
    payload: JsonObject


UserBlock: TypeAlias = TextBlock | ImageBlock
AssistantBlock: TypeAlias = TextBlock | ThinkingBlock | ToolCallBlock | ServerBlock


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMessage:
    """What the person said."""

    blocks: tuple[UserBlock, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantMessage:
    """What a model answered, and which model of which provider in which dialect it was."""

    blocks: tuple[AssistantBlock, ...]
    provider: str
    dialect: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResultMessage:
    """The result of one tool call, matched by ``call_id``."""

    call_id: str
    name: str
    content: str
    is_error: bool = False


Message: TypeAlias = UserMessage | AssistantMessage | ToolResultMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool as the model sees it: its name, what it does, and the JSON schema of its arguments."""

    name: str
    description: str
    parameters: JsonObject


class Effort(StrEnum):
    """How long a model is to think: one scale for every provider, mapped by ``effort`` to what each understands."""

    DEFAULT = "default"
    """The provider's own choice: nothing is sent."""
    OFF = "off"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    MAX = "max"

    @property
    def next(self) -> "Effort":
        """The next one up; after the last comes the default again."""
        scale = list(Effort)
        return scale[(scale.index(self) + 1) % len(scale)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One request for one answer. ``max_tokens`` None lets the provider choose the model's own limit."""

    model: str
    messages: tuple[Message, ...]
    system: str = ""
    """The rules: the same in every request, so that they can be cached."""
    system_tail: str = ""
    """What of the system prompt changes (date, folder): it goes last, after what is cached."""
    tools: tuple[ToolSpec, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    tool_choice: str = "auto"
    """``auto``, ``none`` or ``required``."""
    effort: Effort = Effort.DEFAULT
    thinks: bool | None = None
    """Whether the model can think, as far as anybody knows. A known no means that ``effort`` is not sent."""
    context_window: int | None = None
    """Tokens the model's window is known to hold; sent only where the server lets the client set it."""
    extra: JsonObject = field(default_factory=dict)
    """Body fields set by the person for this provider, sent as they are."""

    @property
    def whole_system(self) -> str:
        """The system prompt in one piece."""
        return "\n\n".join(part for part in (self.system, self.system_tail) if part)

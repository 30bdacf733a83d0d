"""What the rest of Patchbay knows of a provider, and of a model."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from .events import ResponseEvent
from .messages import ChatRequest


class ProviderConfigError(Exception):
    """A provider cannot be used as configured; the message names the cause and the fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """A model of a provider, written ``provider/model``; model ids may hold ``/`` and ``:`` themselves."""

    provider: str
    model: str

    @classmethod
    def parse(cls, text: str) -> "ModelRef":
        """Split at the first slash. Raises ValueError when a side is empty."""
        provider, _, model = text.strip().partition("/")
        if not provider or not model:
            raise ValueError(
                f"{text!r} is no model reference: write provider/model, for example ollama/qwen3-coder:30b"
            )
        return cls(provider=provider, model=model)

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """USD for a million tokens. A missing cache price means cached tokens cost what input costs."""

    input_per_mtok: Decimal
    output_per_mtok: Decimal
    cache_read_per_mtok: Decimal | None = None
    cache_write_per_mtok: Decimal | None = None
    tiers: tuple["PriceTier", ...] = ()
    """Prices of long prompts, shortest first."""

    @property
    def free(self) -> bool:
        """True when nothing costs anything (a local model)."""
        return not any(
            (self.input_per_mtok, self.output_per_mtok, self.cache_read_per_mtok, self.cache_write_per_mtok, self.tiers)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTier:
    """What a whole call costs once its prompt, cached tokens included, is longer than ``above_tokens``."""

    above_tokens: int
    price: Price


FREE = Price(input_per_mtok=Decimal(0), output_per_mtok=Decimal(0))
"""The price of every model that runs on the person's own machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known of one model. None means unknown, never a guess."""

    ref: ModelRef
    context_window: int | None = None
    """Tokens; for a local model the window it is loaded with."""
    trained_window: int | None = None
    """Tokens. The most a local model was made for, which a server may load it with or not."""
    max_output: int | None = None
    tools: bool | None = None
    vision: bool | None = None
    thinking: bool | None = None
    price: Price | None = None


class Online(StrEnum):
    """Whether a provider can be used now."""

    UNKNOWN = "unknown"
    """Not asked yet, or a cloud provider that is only asked when used."""
    ONLINE = "online"
    OFFLINE = "offline"
    DISABLED = "disabled"
    """Configured wrongly (for example an unset key variable); ``problem`` says what and how to mend it."""


class Origin(StrEnum):
    """How a provider came to be listed."""

    CONFIGURED = "configured"
    PRESET = "preset"
    """A preset whose key variable is set in the environment."""
    DISCOVERED = "discovered"
    DEMO = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderStatus:
    """A provider and its models as the switcher, the doctor and ``patchbay models`` show them."""

    name: str
    dialect: str
    origin: Origin
    local: bool
    online: Online
    models: tuple[ModelInfo, ...] = ()
    base_url: str = ""
    problem: str = ""
    """Cause and fix when it is offline or disabled."""
    help_url: str = ""
    """Where to get a key."""
    last_seen: float | None = None
    """When it answered last, in seconds since the epoch, if it is offline now; None when it never did."""
    server: str = ""
    """The preset of the software that answers, where it is known: ``ollama``, ``llama.cpp``, ..."""
    paused_until: float | None = None
    """It kept failing and gets no request before this time (epoch seconds); None when it is not failing."""


def ago(seconds: float) -> str:
    """A time that has passed, in one unit: ``just now``, ``5 min ago``, ``2 h ago``, ``3 days ago``."""
    match max(0, int(seconds)):
        case passed if passed < 60:
            return "just now"
        case passed if passed < 3600:
            return f"{passed // 60} min ago"
        case passed if passed < 2 * 86_400:
            return f"{passed // 3600} h ago"
        case passed:
            return f"{passed // 86_400} days ago"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what came back, as far as it came. Everything in it can be shown."""

    number: int
    at: float
    """When it was sent, in seconds since the epoch."""
    provider: str
    dialect: str
    model: str
    """Empty for a list of models."""
    method: str
    path: str
    request_headers: Mapping[str, str]
    request_body: str
    status: int | None
    """None until a reply begins, and for good when none came."""
    response_headers: Mapping[str, str]
    response_body: str
    response_bytes: int
    """How many bytes came."""
    clipped: bool
    """More came than is kept in ``response_body``."""
    ended: bool
    """The exchange is over."""
    cut: bool
    """The reply was not read to its end: it broke off, or was cancelled."""


class Provider(Protocol):
    """One endpoint that answers requests. Concurrency-safe: several streams may run at once."""

    @property
    def name(self) -> str:
        """The name it is configured or found under, e.g. ``anthropic`` or ``llama.cpp``."""
        ...

    @property
    def dialect(self) -> str:
        """The wire protocol: ``anthropic_messages``, ``openai_chat``, ..."""
        ...

    def stream(self, request: ChatRequest) -> AsyncIterator[ResponseEvent]:
        """Answer one request. Never raises: failures are a ``ResponseError`` at the end of the stream.

        Closing the iterator early (cancel) closes the connection and yields nothing more.
        """
        ...

    async def list_models(self) -> list[str]:
        """The ids the server offers. Raises ``ProviderConfigError`` with cause and fix."""
        ...

    async def list_infos(self) -> list[ModelInfo]:
        """Like ``list_models``, with what the list itself says of each."""
        ...

    async def model_info(self, model: str) -> ModelInfo | None:
        """What the server itself says of the model; None when it says nothing."""
        ...

    async def is_available(self) -> bool:
        """True when the server answers; False, never an exception, when it is down."""
        ...

    async def aclose(self) -> None:
        """Close pooled connections."""
        ...

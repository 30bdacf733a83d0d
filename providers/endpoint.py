"""Where a provider lives and how it differs: plain data, handed to a dialect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .events import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """How an endpoint departs from its dialect's standard; data on the preset, never ``if name ==`` in a dialect."""

    max_tokens_field: str = "max_tokens"
    """``max_tokens`` or ``max_completion_tokens``."""
    stream_options: bool = True
    """Ask for usage with ``stream_options.include_usage``."""
    temperature: bool = True
    """False where any temperature is refused."""
    tool_call_id_pattern: str = ""
    """A regular expression ids of foreign calls must match, for example nine alphanumerics for Mistral."""
    reasoning_replay: str = "none"
    """What goes back of old thinking in Chat Completions: ``none``, ``loop`` (within the running tool loop),
    ``always`` (every assistant message, empty when there was none) or ``details`` (reasoning_details, unchanged)."""
    extra_body: JsonObject = field(default_factory=dict)
    """Fields added to every request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One server as a dialect needs it. The key is asked for at every request, so a rotated key works at once."""

    name: str
    dialect: str
    base_url: str
    """Without a trailing slash. For Anthropic without ``/v1``; for OpenAI-compatible servers with it."""
    api_key: Callable[[], str | None] = lambda: None
    """Returns the key now, or None for a server that wants none; then no Authorization header is sent."""
    key_variable: str | None = None
    """The environment variable the key comes from: named in messages, its value never."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    help_url: str = ""
    local: bool = False
    first_token_timeout_s: float = 120.0
    between_tokens_timeout_s: float = 60.0
    quirks: Quirks = field(default_factory=Quirks)

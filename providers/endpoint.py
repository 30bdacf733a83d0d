"""Where a provider lives and how it differs: plain data, handed to a dialect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .events import JsonObject
from .json_values import as_object, first_count

_WINDOW_IS_ASKED = frozenset({"ollama"})
"""Dialects in which every request says how large a window the model is to have."""


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
    reasoning_replay: str = "echo"
    """What goes back of old thinking in Chat Completions: ``none``, ``loop`` (within the running tool loop),
    ``always`` (every assistant message, empty when there was none), ``details`` (reasoning_details, unchanged), or
    ``echo``: signed details, or else, within the running tool loop, the thinking in the field it came in."""
    effort: str = "openai"
    """How Chat Completions are told how long to think: a style of ``effort.chat_effort``, "" where nothing may be."""
    asked_window: int | None = None
    """Tokens of window to ask for at most of a server that loads a model with the window its client wants."""
    extra_body: JsonObject = field(default_factory=dict)
    """Fields added to every request. In Messages, ``cache_ttl`` is none of them but how long caches live: ``1h``."""


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

    def window(self, known: int | None, *, loaded: int | None) -> int | None:
        """Tokens of the window a model has, or will have once this client asks for it.

        ``known`` is what it was made for, ``loaded`` what the server runs it with.
        """
        if self.dialect not in _WINDOW_IS_ASKED:
            return known
        own = first_count(as_object(self.quirks.extra_body.get("options")), "num_ctx")
        most = self.quirks.asked_window
        if own is not None or loaded is not None or most is None:
            return own or loaded or known
        return min(known or most, most)

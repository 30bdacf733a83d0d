"""The services Patchbay knows by name: plain data, one entry for each.

Which parameters each takes is theirs to say; the figures here follow their public API references. A service that is
missing needs no code: ``preset = "custom"`` with a ``base_url`` talks to any OpenAI-compatible server.
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .endpoint import Quirks

ANTHROPIC_MESSAGES = "anthropic_messages"
OPENAI_CHAT = "openai_chat"
OPENAI_RESPONSES = "openai_responses"
OLLAMA = "ollama"

ASKED_WINDOW = 32_768
"""Tokens: room for an agent's work, and what a machine with little memory can still hold."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - compared with, never bound to


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """How one service is reached and what it wants."""

    name: str
    dialect: str
    base_url: str = ""
    key_variable: str = ""
    key_required: bool = True
    """False where a key is only wanted if the server was started with one; then it is sent when it is set."""
    help_url: str = ""
    """Where to get a key, or how to start the server."""
    default_model: str = ""
    local: bool = False
    """Runs on the person's own machine: its models are free and may take minutes for the first token."""
    other_hosts: tuple[str, ...] = ()
    """Further hosts of the same service, so also entitled to its key."""
    quirks: Quirks = field(default_factory=Quirks)
    note: str = ""
    """What the person should know before choosing it."""
    tells_prices: bool = False
    """Its list of models, which costs nothing to ask for, says what each costs today."""
    retired: bool = False
    """Closed by its owner: usable when configured, never offered."""


_ALL = (
    Preset(
        name="anthropic",
        dialect=ANTHROPIC_MESSAGES,
        base_url="https://api.anthropic.com",
        key_variable="ANTHROPIC_API_KEY",
        help_url="https://console.anthropic.com/settings/keys",
        default_model="claude-sonnet-4-6",
    ),
    Preset(
        name="openai",
        dialect=OPENAI_RESPONSES,
        base_url="https://api.openai.com/v1",
        key_variable="OPENAI_API_KEY",
        help_url="https://platform.openai.com/api-keys",
        default_model="gpt-5.2",
        quirks=Quirks(max_tokens_field="max_completion_tokens"),
    ),
    Preset(
        name="openrouter",
        dialect=OPENAI_CHAT,
        base_url="https://openrouter.ai/api/v1",
        key_variable="OPENROUTER_API_KEY",
        help_url="https://openrouter.ai/settings/keys",
        default_model="anthropic/claude-sonnet-4.6",
        tells_prices=True,
        quirks=Quirks(reasoning_replay="details", effort="openrouter"),
    ),
    Preset(
        name="together",
        dialect=OPENAI_CHAT,
        base_url="https://api.together.xyz/v1",
        key_variable="TOGETHER_API_KEY",
        help_url="https://api.together.ai/settings/api-keys",
        default_model="moonshotai/Kimi-K2.7-Code",
        other_hosts=("api.together.ai",),
    ),
    Preset(
        name="fireworks",
        dialect=OPENAI_CHAT,
        base_url="https://api.fireworks.ai/inference/v1",
        key_variable="FIREWORKS_API_KEY",
        help_url="https://app.fireworks.ai/settings/users/api-keys",
        default_model="accounts/fireworks/models/kimi-k2p7-code",
        quirks=Quirks(effort="fireworks"),
    ),
    Preset(
        name="deepseek",
        dialect=OPENAI_CHAT,
        base_url="https://api.deepseek.com/v1",
        key_variable="DEEPSEEK_API_KEY",
        help_url="https://platform.deepseek.com/api_keys",
        default_model="deepseek-v4-pro",
        quirks=Quirks(reasoning_replay="always", effort="deepseek"),
    ),
    Preset(
        name="groq",
        dialect=OPENAI_CHAT,
        base_url="https://api.groq.com/openai/v1",
        key_variable="GROQ_API_KEY",
        help_url="https://console.groq.com/keys",
        default_model="openai/gpt-oss-120b",
        quirks=Quirks(reasoning_replay="none", effort="groq"),
    ),
    Preset(
        name="mistral",
        dialect=OPENAI_CHAT,
        base_url="https://api.mistral.ai/v1",
        key_variable="MISTRAL_API_KEY",
        help_url="https://console.mistral.ai/api-keys",
        default_model="mistral-medium-latest",
        # Usage comes unasked, and unknown fields are refused.
        quirks=Quirks(stream_options=False, tool_call_id_pattern="[A-Za-z0-9]{9}", effort="mistral"),
    ),
    Preset(
        name="xai",
        dialect=OPENAI_CHAT,
        base_url="https://api.x.ai/v1",
        key_variable="XAI_API_KEY",
        help_url="https://console.x.ai",
        default_model="grok-4.6",
        quirks=Quirks(effort="xai"),
    ),
    Preset(
        name="github-models",
        dialect=OPENAI_CHAT,
        base_url="https://models.github.ai/inference",
        key_variable="GITHUB_TOKEN",
        help_url="https://github.com/settings/personal-access-tokens",
        default_model="openai/gpt-4.1",
        note="GitHub retired this service on 30 July 2026",
        retired=True,
    ),
    Preset(
        name="ollama",
        dialect=OLLAMA,
        base_url="http://localhost:11434",
        key_required=False,
        help_url="https://ollama.com/download",
        default_model="qwen2.5-coder:7b",
        local=True,
        quirks=Quirks(asked_window=ASKED_WINDOW),
    ),
    Preset(
        name="llama.cpp",
        dialect=OPENAI_CHAT,
        base_url="http://localhost:8080/v1",
        key_variable="LLAMA_API_KEY",
        key_required=False,
        help_url="https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
        local=True,
        quirks=Quirks(effort="template"),
    ),
    Preset(
        name="vllm",
        dialect=OPENAI_CHAT,
        base_url="http://localhost:8000/v1",
        key_variable="VLLM_API_KEY",
        key_required=False,
        help_url="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
        local=True,
        quirks=Quirks(effort="template"),
    ),
    Preset(
        name="lm-studio",
        dialect=OPENAI_CHAT,
        base_url="http://localhost:1234/v1",
        key_required=False,
        help_url="https://lmstudio.ai/docs/app/api",
        local=True,
    ),
    Preset(
        name="litellm",
        dialect=OPENAI_CHAT,
        base_url="http://localhost:4000/v1",
        key_variable="LITELLM_API_KEY",
        key_required=False,
        help_url="https://docs.litellm.ai/docs/proxy/quick_start",
    ),
    Preset(name="custom", dialect=OPENAI_CHAT, key_required=False),
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}
"""Every preset by its name."""


def origin(url: str) -> tuple[str, int]:
    """Host and port of a URL, all names of this machine being one. Raises ValueError for a broken port or host."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return "localhost" if host in _LOOPBACK else host, port


def is_loopback(url: str) -> bool:
    """Whether a URL points at this machine."""
    return origin(url)[0] == "localhost"


def preset_of_url(url: str) -> Preset | None:
    """The service that lives at an address, if it is one we know: so it gets its own quirks, prices and key."""
    host, port = origin(url)
    for preset in _ALL:
        if preset.base_url and (host, port) in (
            (origin(preset.base_url)),
            *((other, 443) for other in preset.other_hosts),
        ):
            return preset
    return None

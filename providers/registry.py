"""From settings, as plain values, to an endpoint and a provider that speaks its dialect."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .base import Provider, ProviderConfigError
from .endpoint import Endpoint
from .events import JsonObject
from .exchanges import ExchangeLog
from .learnt import Learnt
from .presets import (
    ANTHROPIC_MESSAGES,
    OLLAMA,
    OPENAI_CHAT,
    OPENAI_RESPONSES,
    PRESETS,
    Preset,
    is_loopback,
    preset_of_url,
)
from .redact import redact, remember_secret
from .suggestions import did_you_mean

if TYPE_CHECKING:
    import httpx

DEFAULT_KIND = "anthropic"
"""What ``[provider]`` without a ``kind`` means."""
KINDS = {"anthropic": ANTHROPIC_MESSAGES, "openai": OPENAI_CHAT}
"""The wire protocol a ``kind`` stands for, at any base URL."""

LOCAL_FIRST_TOKEN_TIMEOUT_S = 900.0
"""A local server may load a model and read a long prompt on a CPU before it says a word."""
LOCAL_BETWEEN_TOKENS_TIMEOUT_S = 180.0

_PASTED_SUFFIXES = {
    OPENAI_CHAT: ("/chat/completions", "/models"),
    OPENAI_RESPONSES: ("/responses", "/models"),
    ANTHROPIC_MESSAGES: ("/messages", "/models", "/v1"),
    OLLAMA: ("/api/chat", "/api/tags", "/api", "/chat/completions", "/v1"),
}
"""What people paste along with a base URL, taken off its end in this order."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfig:
    """One provider as the settings name it; ``${VAR}`` is already interpolated. None means not set.

    ``preset`` names an entry of ``PRESETS``. ``kind`` (``anthropic`` or ``openai``) and ``type`` (``ollama``, else
    anything OpenAI-compatible) are the two other ways to say what it is; ``dialect`` overrides the wire protocol.
    """

    name: str
    preset: str | None = None
    kind: str | None = None
    type: str | None = None
    dialect: str | None = None
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    api_key_env: str | None = None
    model: str | None = None
    """The default model."""
    models: tuple[str, ...] = ()
    """Further models to offer."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    options: JsonObject = field(default_factory=dict, repr=False)
    """Fields added to every request body."""
    where: str = ""
    """Table and file, for messages: ``[providers.work] in ~/.config/patchbay/config.toml``."""
    problem: str = ""
    """What the settings already found wrong (an unset ``${VAR}``): the provider is disabled with this message."""


def choose_preset(config: ProviderConfig) -> Preset:
    """What the configured provider is: by its address first, then by its type, kind or name.

    A cloud service's preset at an address that is not its own is ``custom`` in that service's dialect, so that neither
    its key nor its special fields go to somebody else's server. Raises ``ProviderConfigError``.
    """
    if config.preset is not None and config.preset not in PRESETS:
        raise ProviderConfigError(_unknown_preset(config, config.preset))
    if config.kind is not None and config.kind not in KINDS and config.kind not in PRESETS:
        raise ProviderConfigError(f'kind = "{config.kind}" {_in(config)} is unknown: use "anthropic" or "openai"')
    named = _named_preset(config)
    if not config.base_url:
        return named
    at_address = preset_of_url(_checked_url(config, config.base_url))
    if at_address is not None:
        return at_address
    if named.local or named.name == "custom":
        return named
    dialect = ANTHROPIC_MESSAGES if named.dialect == ANTHROPIC_MESSAGES else OPENAI_CHAT
    return replace(PRESETS["custom"], dialect=dialect)


def build(config: ProviderConfig, environ: Mapping[str, str]) -> Endpoint:
    """The endpoint of a configured provider.

    Raises ``ProviderConfigError`` naming the table, the variable and the fix when it cannot work: a bad name or URL, an
    unknown preset or kind, a key variable that is not set.
    """
    if config.problem:
        raise ProviderConfigError(config.problem)
    if not _NAME.fullmatch(config.name):
        raise ProviderConfigError(
            f"Provider name {config.name!r} {_in(config)} cannot be used: take letters, digits, '.', '_' and '-'"
        )
    preset = choose_preset(config)
    if not (config.base_url or preset.base_url):
        raise ProviderConfigError(
            f'Provider {config.name!r} {_in(config)} has no base_url: add base_url = "https://host/v1",'
            f" or preset = one of {', '.join(PRESETS)}"
        )
    dialect = config.dialect or KINDS.get(config.kind or "") or preset.dialect
    base_url = _normal_url(_checked_url(config, config.base_url or preset.base_url), dialect)
    local = preset.local or (preset.name == "custom" and is_loopback(base_url))
    key, variable = _key(config, preset, environ)
    for header, value in config.headers.items():
        if _SECRET_HEADER.search(header):
            remember_secret(value)
    endpoint = Endpoint(
        name=config.name,
        dialect=dialect,
        base_url=base_url,
        api_key=key,
        key_variable=variable,
        headers=dict(config.headers),
        help_url=preset.help_url,
        local=local,
        quirks=replace(preset.quirks, extra_body={**preset.quirks.extra_body, **config.options}),
    )
    if not local:
        return endpoint
    return replace(
        endpoint,
        first_token_timeout_s=LOCAL_FIRST_TOKEN_TIMEOUT_S,
        between_tokens_timeout_s=LOCAL_BETWEEN_TOKENS_TIMEOUT_S,
    )


def open_provider(
    endpoint: Endpoint,
    transport: "httpx.AsyncBaseTransport | None" = None,
    log: ExchangeLog | None = None,
    learnt: Learnt | None = None,
) -> Provider:
    """A provider that speaks the endpoint's dialect, its exchanges kept in ``log``, its refusals in ``learnt``.

    Raises ``ProviderConfigError`` for an unknown dialect.
    """
    # Imported here: the dialects bring the HTTP client with them, which `--help` and `--version` must not load.
    from .dialects import DIALECTS

    dialect = DIALECTS.get(endpoint.dialect)
    if dialect is None:
        raise ProviderConfigError(
            f"Provider {endpoint.name!r} asks for dialect {endpoint.dialect!r}, which does not exist:"
            f" use one of {', '.join(DIALECTS)}"
        )
    return dialect(endpoint, transport=transport, log=log, learnt=learnt)


def preset_configs(environ: Mapping[str, str]) -> tuple[ProviderConfig, ...]:
    """The services that work without any configuration, because the variable of their key is set."""
    return tuple(
        ProviderConfig(name=preset.name, preset=preset.name)
        for preset in PRESETS.values()
        if preset.key_required and not preset.retired and _read(environ, preset.key_variable)
    )


def _named_preset(config: ProviderConfig) -> Preset:
    """The preset the words name, most telling first. An unknown type means OpenAI-compatible, never an error."""
    if config.preset is not None:
        return PRESETS[config.preset]
    words = (config.type, config.name, config.kind)
    return next((PRESETS[word] for word in words if word in PRESETS and word != "custom"), PRESETS["custom"])


def _key(
    config: ProviderConfig, preset: Preset, environ: Mapping[str, str]
) -> tuple[Callable[[], str | None], str | None]:
    """Where the key comes from, asked anew for every request, and its variable if there is one."""
    if config.api_key:
        literal = _sendable(config, config.api_key.strip(), "api_key")
        remember_secret(literal)
        return (lambda: literal), None
    variable = config.api_key_env or preset.key_variable
    if not variable:
        return (lambda: None), None
    value = _read(environ, variable)
    if value is None and (config.api_key_env or preset.key_required):
        raise ProviderConfigError(_unset_variable(config, preset, variable))
    if value is not None:
        _sendable(config, value, variable)
    return (lambda: _read(environ, variable)), variable


def _read(environ: Mapping[str, str], variable: str) -> str | None:
    """A variable's value now; set but empty is not set."""
    value = environ.get(variable, "").strip()
    if not value:
        return None
    remember_secret(value)
    return value


def is_sendable(key: str) -> bool:
    """Whether a key fits into a header."""
    return bool(key) and key.isascii() and key.isprintable() and " " not in key


def _sendable(config: ProviderConfig, key: str, source: str) -> str:
    """A key must fit into a header. The message never shows it."""
    if not is_sendable(key):
        raise ProviderConfigError(
            f"The key of provider {config.name!r} ({source}) has blanks or characters that no key has: paste it again"
        )
    return key


def _unset_variable(config: ProviderConfig, preset: Preset, variable: str) -> str:
    named = f"named by api_key_env {_in(config)}" if config.api_key_env else f"the key of provider {config.name!r}"
    help_link = f"; get a key at {preset.help_url}" if preset.key_required and preset.help_url else ""
    remedy = f"set it (export {variable}=...) and start again, or run `patchbay login {config.name}`"
    without = "" if preset.key_required else ", or remove api_key_env if the server wants no key"
    return f"Environment variable {variable} is not set ({named}): {remedy}{without}{help_link}"


def _unknown_preset(config: ProviderConfig, name: str) -> str:
    hint = did_you_mean(name, PRESETS)
    return f'preset = "{name}" {_in(config)} is unknown.{hint} There are: {", ".join(PRESETS)}'


def _in(config: ProviderConfig) -> str:
    return f"in {config.where or f'[providers.{config.name}]'}"


def _checked_url(config: ProviderConfig, url: str) -> str:
    """The URL without blanks around it. Raises ``ProviderConfigError`` when it is none."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\x00-\x1f]", url):
        raise ProviderConfigError(
            f"base_url {redact(url)!r} {_in(config)} is no web address: write http://host:port/v1 or https://host/v1"
        )
    return url


def _normal_url(url: str, dialect: str) -> str:
    """Without trailing slashes and without the path of one operation; only ends are cut, never the middle."""
    url = url.rstrip("/")
    for suffix in _PASTED_SUFFIXES.get(dialect, ()):
        url = url.removesuffix(suffix).rstrip("/")
    return url

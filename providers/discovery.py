"""Find model servers on this machine without being told: what answers, which models it has, how much they can read.

Each port is asked once, all at the same time, and the server is recognised by endpoints only it has, so that some web
server on port 8080 is never listed. What is read are facts, not promises: the window a model is *loaded* with.

- Ollama: ``/api/version``, ``/api/tags``, ``/api/ps`` (``context_length``), ``/api/show`` (``capabilities``)
- LM Studio: ``/api/v1/models`` (``loaded_instances[].config.context_length``), before 0.4 ``/api/v0/models``
- llama.cpp: ``/props`` (``default_generation_settings.n_ctx``, ``chat_template_caps``, ``modalities``), ``/v1/models``
- vLLM: ``/v1/models`` (``owned_by``, ``max_model_len``)
- LiteLLM: ``/health/liveliness``, ``/v1/models``, ``/model/info`` (prices); a proxy, so its models are not free
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from .base import FREE, ModelInfo, ModelRef
from .events import JsonObject, JsonValue
from .json_values import as_count, as_list, as_object, as_text, parse_json
from .model_rows import litellm_facts

if TYPE_CHECKING:
    import httpx

PORTS: Mapping[str, int] = {"ollama": 11434, "lm-studio": 1234, "llama.cpp": 8080, "vllm": 8000, "litellm": 4000}
"""Preset -> the port its server listens on unless told otherwise."""
PROBE_TIMEOUT_S = 0.3
"""How long a port has to say who it is."""
DETAILS_TIMEOUT_S = 2.0
"""How long a server that was recognised has to tell about its models."""
MAX_BODY_BYTES = 4_000_000
MAX_SHOWN_MODELS = 64
"""So many Ollama models are asked for their abilities; the rest are listed without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What ``/api/show`` of Ollama says of a model."""

    able: tuple[str, ...] | None = None
    """``completion``, ``tools``, ``vision``, ``thinking``; None when an older server does not say."""
    trained_window: int | None = None


Abilities: TypeAlias = dict[tuple[str, str, str], Shown]
"""Server, model and the digest of its weights -> what it can: asked once, since the same weights stay the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """A model server that answered. Models that are loaded come first."""

    preset: str
    base_url: str
    models: tuple[ModelInfo, ...] = ()
    problem: str = ""
    """Why it cannot be used as it is, and the fix: it wants a key, or has no model."""


async def discover(
    *,
    host: str = "127.0.0.1",
    ports: Mapping[str, int] = PORTS,
    timeout_s: float = PROBE_TIMEOUT_S,
    abilities: Abilities | None = None,
    transport: "httpx.AsyncBaseTransport | None" = None,
) -> tuple[Discovered, ...]:
    """Ask every known port at once, ``timeout_s`` seconds each. Never raises; in the order of ``ports``.

    ``abilities`` is what was heard before, and is added to.
    """
    named = f"[{host}]" if ":" in host else host
    answers = await asyncio.gather(
        *(
            inspect(
                f"http://{named}:{port}",
                expected=preset,
                timeout_s=timeout_s,
                abilities=abilities,
                transport=transport,
            )
            for preset, port in ports.items()
        )
    )
    return tuple(found for found in answers if found is not None)


async def inspect(
    url: str,
    *,
    expected: str = "",
    key: str | None = None,
    timeout_s: float = PROBE_TIMEOUT_S,
    abilities: Abilities | None = None,
    transport: "httpx.AsyncBaseTransport | None" = None,
) -> Discovered | None:
    """Which model server lives at a URL (its path does not matter); None when none does. Never raises.

    The ``expected`` preset is tried first, then the others: people do run llama.cpp on port 8000. ``key`` is sent as a
    bearer token; give it only for a server the person configured it for.
    """
    import httpx  # here, so that listing providers does not load an HTTP client

    try:
        parts = urlsplit(url)
        if parts.port == 0:  # reading it checks its range, too: ValueError
            return None
        # Neither proxies nor redirects: the question is what listens here. A plain port needs no certificates.
        async with httpx.AsyncClient(
            base_url=f"{parts.scheme}://{parts.netloc}",
            transport=transport,
            trust_env=False,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            verify=parts.scheme == "https",
            timeout=DETAILS_TIMEOUT_S,
        ) as client:
            asker = _Asker(client, timeout_s, {} if abilities is None else abilities)
            for preset in sorted(_RECOGNISERS, key=lambda preset: preset != expected):
                found = await _RECOGNISERS[preset](asker)
                if found is not None:
                    return found
    except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, ValueError):
        return None
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What came back: the JSON is null for no JSON or too much of it; ``server`` is the header of that name."""

    status: int
    value: JsonValue = None
    server: str = ""


class _Asker:
    """Asks one server.

    The first question must be answered within the probe's time, else it raises. Later ones share ``DETAILS_TIMEOUT_S``
    and fail softly, so that a server that was recognised is listed even when it is slow to tell the rest.
    """

    def __init__(self, client: "httpx.AsyncClient", timeout_s: float, abilities: Abilities) -> None:
        self._client = client
        self.abilities = abilities
        self._answered = False
        self._deadline = asyncio.get_running_loop().time() + timeout_s

    @property
    def root(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return str(self._client.base_url).rstrip("/")

    async def ask(self, path: str, body: JsonObject | None = None) -> "_Answer":
        """The answer; with status 0 when there is none."""
        import httpx

        try:
            async with asyncio.timeout_at(self._deadline):
                response, text = await self._read(path, body)
        except (httpx.HTTPError, OSError, TimeoutError):
            if self._answered:
                return _Answer(status=0)
            raise
        if not self._answered:
            self._answered, self._deadline = True, asyncio.get_running_loop().time() + DETAILS_TIMEOUT_S
        server = response.headers.get("server", "")
        try:
            return _Answer(
                status=response.status_code, value=parse_json(text.decode("utf-8", "replace")), server=server
            )
        except ValueError:
            return _Answer(status=response.status_code, server=server)

    async def _read(self, path: str, body: JsonObject | None) -> "tuple[httpx.Response, bytes]":
        text = b""
        async with self._client.stream("GET" if body is None else "POST", path, json=body) as response:
            async for chunk in response.aiter_bytes():
                text += chunk
                if len(text) > MAX_BODY_BYTES:
                    return response, b""
        return response, text

    async def get(self, path: str) -> JsonObject:
        """The JSON object at a path; empty for anything else."""
        answer = await self.ask(path)
        return as_object(answer.value) if answer.status == 200 else {}


async def _ollama(asker: _Asker) -> Discovered | None:
    if not as_text((await asker.get("/api/version")).get("version")):
        return None
    tags = await asker.get("/api/tags")
    if not isinstance(tags.get("models"), list):
        return None
    digests = {as_text(entry.get("name")): as_text(entry.get("digest")) for entry in _objects(tags.get("models"))}
    names = [name for name in digests if name]
    running, shown = await asyncio.gather(
        asker.get("/api/ps"),
        asyncio.gather(*(_ollama_abilities(asker, name, digests[name]) for name in names[:MAX_SHOWN_MODELS])),
    )
    loaded = {
        as_text(entry.get("name")): _window(entry.get("context_length")) for entry in _objects(running.get("models"))
    }
    abilities = dict(zip(names, shown, strict=False))
    models = tuple(
        _ollama_model(name, loaded.get(name), abilities.get(name, Shown()))
        for name in sorted(names, key=lambda name: name not in loaded)
        if "completion" in (abilities.get(name, Shown()).able or ["completion"])
    )
    problem = "" if models else "Ollama runs but has no model: ollama pull qwen2.5-coder:7b"
    return Discovered(preset="ollama", base_url=f"{asker.root}/v1", models=models, problem=problem)


async def _ollama_abilities(asker: _Asker, model: str, digest: str) -> Shown:
    key = (asker.root, model, digest)
    if digest and key in asker.abilities:
        return asker.abilities[key]
    answer = await asker.ask("/api/show", {"model": model})
    said = as_object(answer.value)
    named = said.get("capabilities")
    shown = Shown(
        able=tuple(word for word in named if isinstance(word, str)) if isinstance(named, list) else None,
        trained_window=_ollama_trained_window(as_object(said.get("model_info"))),
    )
    if answer.status == 200:
        asker.abilities[key] = shown
    return shown


def _ollama_trained_window(facts: JsonObject) -> int | None:
    """Under the name of the model's architecture: ``qwen3.context_length``."""
    own = f"{as_text(facts.get('general.architecture'))}.context_length"
    return _window(facts.get(own))


async def _lm_studio(asker: _Asker) -> Discovered | None:
    newer = (await asker.get("/api/v1/models")).get("models")
    if isinstance(newer, list):
        found = [_lm_studio_model(entry) for entry in _objects(newer) if entry.get("type") != "embedding"]
    else:
        older = await asker.get("/api/v0/models")
        listed = _objects(older.get("data"))
        if older.get("object") != "list" or not all("state" in entry for entry in listed):
            return None
        found = [_lm_studio_v0(entry) for entry in listed if entry.get("type") != "embeddings"]
    # The window is known exactly for what is loaded.
    models = tuple(
        sorted((model for model in found if model.ref.model), key=lambda model: model.context_window is None)
    )
    problem = "" if models else "LM Studio runs but has no model: download one in its Discover tab"
    return Discovered(preset="lm-studio", base_url=f"{asker.root}/v1", models=models, problem=problem)


def _lm_studio_model(entry: JsonObject) -> ModelInfo:
    windows = [
        window
        for instance in _objects(entry.get("loaded_instances"))
        if (window := _window(as_object(instance.get("config")).get("context_length")))
    ]
    able = as_object(entry.get("capabilities"))
    return ModelInfo(
        ref=ModelRef(provider="lm-studio", model=as_text(entry.get("key"))),
        context_window=min(windows, default=None),
        trained_window=_window(entry.get("max_context_length")),
        tools=_flag(able.get("trained_for_tool_use")),
        vision=_flag(able.get("vision")),
        price=FREE,
    )


def _lm_studio_v0(entry: JsonObject) -> ModelInfo:
    window = _window(entry.get("loaded_context_length")) if entry.get("state") == "loaded" else None
    able = entry.get("capabilities")
    return ModelInfo(
        ref=ModelRef(provider="lm-studio", model=as_text(entry.get("id"))),
        context_window=window,
        trained_window=_window(entry.get("max_context_length")),
        tools="tool_use" in able if isinstance(able, list) else None,
        vision=entry.get("type") == "vlm",
        price=FREE,
    )


async def _llama_cpp(asker: _Asker) -> Discovered | None:
    answer = await asker.ask("/props")
    base_url = f"{asker.root}/v1"
    if answer.status == 401 and answer.server == "llama.cpp":
        problem = "llama.cpp was started with --api-key: set LLAMA_API_KEY to that key"
        return Discovered(preset="llama.cpp", base_url=base_url, problem=problem)
    props = as_object(answer.value)
    settings = props.get("default_generation_settings")
    if not isinstance(settings, dict):
        return None
    caps, modes = as_object(props.get("chat_template_caps")), as_object(props.get("modalities"))
    models = tuple(
        ModelInfo(
            ref=ModelRef(provider="llama.cpp", model=name),
            context_window=_window(settings.get("n_ctx")) or _window(as_object(entry.get("meta")).get("n_ctx")),
            trained_window=_window(as_object(entry.get("meta")).get("n_ctx_train")),
            tools=_flag(caps.get("supports_tools")),
            vision=_flag(modes.get("vision")),
            price=FREE,
        )
        for entry in _objects((await asker.get("/v1/models")).get("data"))
        if (name := as_text(entry.get("id")))
    )
    return Discovered(preset="llama.cpp", base_url=base_url, models=models)


async def _vllm(asker: _Asker) -> Discovered | None:
    answer = await asker.ask("/v1/models")
    base_url = f"{asker.root}/v1"
    if answer.status == 401:
        version = as_text((await asker.get("/version")).get("version"))
        problem = "vLLM was started with --api-key: set VLLM_API_KEY to that key"
        return Discovered(preset="vllm", base_url=base_url, problem=problem) if version else None
    entries = [entry for entry in _objects(as_object(answer.value).get("data")) if entry.get("owned_by") == "vllm"]
    models = tuple(
        ModelInfo(
            ref=ModelRef(provider="vllm", model=name),
            context_window=_window(entry.get("max_model_len")),
            price=FREE,
        )
        for entry in entries
        if (name := as_text(entry.get("id")))
    )
    return Discovered(preset="vllm", base_url=base_url, models=models) if models else None


async def _litellm(asker: _Asker) -> Discovered | None:
    if (await asker.ask("/health/liveliness")).value != "I'm alive!":
        return None
    answer = await asker.ask("/v1/models")
    deployed: dict[str, list[JsonObject]] = {}
    for row in _objects((await asker.get("/model/info")).get("data")):
        deployed.setdefault(as_text(row.get("model_name")), []).append(row)
    models = tuple(
        litellm_facts(ModelRef(provider="litellm", model=name), deployed.get(name, []))
        for entry in _objects(as_object(answer.value).get("data"))
        if (name := as_text(entry.get("id")))
    )
    problem = "" if answer.status == 200 else "LiteLLM wants a key: set LITELLM_API_KEY to its master or a virtual key"
    return Discovered(preset="litellm", base_url=f"{asker.root}/v1", models=models, problem=problem)


_Recogniser: TypeAlias = Callable[[_Asker], Awaitable[Discovered | None]]
_RECOGNISERS: dict[str, _Recogniser] = {
    "ollama": _ollama,
    "lm-studio": _lm_studio,
    "llama.cpp": _llama_cpp,
    "vllm": _vllm,
    "litellm": _litellm,
}


def _ollama_model(name: str, window: int | None, shown: Shown) -> ModelInfo:
    """A free model with the abilities the server lists; all unknown when it lists none."""
    able = (None, None, None) if shown.able is None else tuple(w in shown.able for w in ("tools", "vision", "thinking"))
    tools, vision, thinking = able
    return ModelInfo(
        ref=ModelRef(provider="ollama", model=name),
        context_window=window,
        trained_window=shown.trained_window,
        tools=tools,
        vision=vision,
        thinking=thinking,
        price=FREE,
    )


def _objects(value: JsonValue) -> list[JsonObject]:
    """The objects of a list; none for anything else."""
    return [item for item in as_list(value) if isinstance(item, dict)]


def _flag(value: JsonValue) -> bool | None:
    return value if isinstance(value, bool) else None


def _window(value: JsonValue) -> int | None:
    """A number of tokens; servers say 0 for "not set"."""
    return as_count(value) or None

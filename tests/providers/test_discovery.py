"""Local servers are recognised by what only they answer, their real windows are read, and nothing else is listed."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers.base import FREE, ModelInfo
from patchbay.providers.discovery import MAX_BODY_BYTES, PORTS, Abilities, Discovered, discover, inspect

Routes = dict[str, Any]
"""Path -> JSON to answer with, or a callable that takes the request; everything else is 404."""


def serving(*servers: tuple[int, Routes]) -> httpx.MockTransport:
    """A machine on which these servers listen; other ports refuse the connection."""
    by_port = dict(servers)

    def answer(request: httpx.Request) -> httpx.Response:
        routes = by_port.get(request.url.port or 80)
        if routes is None:
            raise httpx.ConnectError("refused", request=request)
        found = routes.get(request.url.path)
        if found is None:
            return httpx.Response(404, json={"error": "not found"})
        return found(request) if callable(found) else httpx.Response(200, json=found)

    return httpx.MockTransport(answer)


def show(request: httpx.Request) -> httpx.Response:
    abilities = {
        "qwen3:8b": ["completion", "tools", "thinking"],
        "llava:7b": ["completion", "vision"],
        "nomic-embed-text": ["embedding"],
    }
    model = json.loads(request.content)["model"]
    facts = {"general.architecture": "qwen3", "qwen3.context_length": 40960, "clip.context_length": 77}
    more = {"model_info": facts} if model == "qwen3:8b" else {}
    return httpx.Response(200, json={"capabilities": abilities[model], **more} if model in abilities else {})


OLLAMA: Routes = {
    "/api/version": {"version": "0.12.6"},
    "/api/tags": {"models": [{"name": n} for n in ("llava:7b", "nomic-embed-text", "old:1b", "qwen3:8b")]},
    "/api/ps": {"models": [{"name": "qwen3:8b", "context_length": 16384}]},
    "/api/show": show,
}
LM_STUDIO: Routes = {
    "/api/v1/models": {
        "models": [
            {"type": "embedding", "key": "embedder", "loaded_instances": []},
            {
                "type": "llm",
                "key": "idle",
                "loaded_instances": [],
                "max_context_length": 131072,
                "capabilities": {"vision": False, "trained_for_tool_use": False},
            },
            {
                "type": "llm",
                "key": "coder",
                "loaded_instances": [
                    {"id": "coder", "config": {"context_length": 32000}},
                    {"id": "coder:2", "config": {"context_length": 8000}},
                ],
                "max_context_length": 262144,
                "capabilities": {"vision": True, "trained_for_tool_use": True},
            },
        ]
    }
}
LM_STUDIO_OLD: Routes = {
    # It answers 200 to paths it does not know.
    "/api/v1/models": {"error": "Unexpected endpoint or method. (GET /api/v1/models)"},
    "/api/version": {"error": "Unexpected endpoint or method. (GET /api/version)"},
    "/props": {"error": "Unexpected endpoint or method. (GET /props)"},
    "/api/v0/models": {
        "object": "list",
        "data": [
            {"id": "idle", "type": "llm", "state": "not-loaded", "max_context_length": 4096},
            {
                "id": "seer",
                "type": "vlm",
                "state": "loaded",
                "loaded_context_length": 2048,
                "max_context_length": 8192,
                "capabilities": ["tool_use"],
            },
            {"id": "embedder", "type": "embeddings", "state": "loaded"},
        ],
    },
}
LLAMA_CPP: Routes = {
    "/props": {
        "default_generation_settings": {"n_ctx": 8192},
        "chat_template_caps": {"supports_tools": True},
        "modalities": {"vision": False},
    },
    "/v1/models": {"object": "list", "data": [{"id": "tiny", "owned_by": "llamacpp", "meta": {"n_ctx_train": 2048}}]},
}
VLLM: Routes = {"/v1/models": {"data": [{"id": "Qwen/Qwen3-Coder", "owned_by": "vllm", "max_model_len": 65536}]}}
LITELLM: Routes = {
    "/health/liveliness": "I'm alive!",
    "/v1/models": {"data": [{"id": "gpt-4o", "owned_by": "openai"}]},
}


def facts(found: Discovered | None) -> list[tuple[object, ...]]:
    assert found is not None
    return [(m.ref.model, m.context_window, m.tools, m.vision, m.thinking) for m in found.models]


@pytest.mark.parametrize(
    ("port", "routes", "trained"),
    [
        (11434, OLLAMA, {"qwen3:8b": 40960, "llava:7b": None, "old:1b": None}),
        (1234, LM_STUDIO, {"idle": 131_072, "coder": 262_144}),
        (1234, LM_STUDIO_OLD, {"idle": 4096, "seer": 8192}),
        (8080, LLAMA_CPP, {"tiny": 2048}),
        (8000, VLLM, {"Qwen/Qwen3-Coder": None}),
    ],
)
async def test_what_a_model_was_made_for_is_no_window_it_has(
    port: int, routes: Routes, trained: dict[str, int | None]
) -> None:
    (found,) = await discover(transport=serving((port, routes)))
    assert {model.ref.model: model.trained_window for model in found.models} == trained


async def test_all_five_at_once() -> None:
    transport = serving((11434, OLLAMA), (1234, LM_STUDIO), (8080, LLAMA_CPP), (8000, VLLM), (4000, LITELLM))
    found = await discover(transport=transport)
    assert [server.preset for server in found] == list(PORTS)
    assert [server.base_url for server in found] == [f"http://127.0.0.1:{port}/v1" for port in PORTS.values()]
    for server in found:
        assert server.problem == ""
        assert all(model.price == (None if server.preset == "litellm" else FREE) for model in server.models)


async def test_ollama_loaded_model_first_with_its_real_window_and_no_embedder() -> None:
    assert facts(await inspect("http://127.0.0.1:11434", transport=serving((11434, OLLAMA)))) == [
        ("qwen3:8b", 16384, True, False, True),
        ("llava:7b", None, False, True, False),
        ("old:1b", None, None, None, None),
    ]


async def test_ollama_without_a_model_says_how_to_get_one() -> None:
    found = await inspect("http://127.0.0.1:11434", transport=serving((11434, OLLAMA | {"/api/tags": {"models": []}})))
    assert found is not None and found.models == ()
    assert "ollama pull" in found.problem


async def test_lm_studio_tells_the_smallest_loaded_window() -> None:
    assert facts(await inspect("http://127.0.0.1:1234", transport=serving((1234, LM_STUDIO)))) == [
        ("coder", 8000, True, True, None),
        ("idle", None, False, False, None),
    ]


async def test_an_older_lm_studio() -> None:
    assert facts(await inspect("http://127.0.0.1:1234", transport=serving((1234, LM_STUDIO_OLD)))) == [
        ("seer", 2048, True, True, None),
        ("idle", None, None, False, None),
    ]


async def test_llama_cpp_window_and_template() -> None:
    assert facts(await inspect("http://127.0.0.1:8080/v1", transport=serving((8080, LLAMA_CPP)))) == [
        ("tiny", 8192, True, False, None)
    ]


async def test_llama_cpp_behind_a_key_is_found_and_the_variable_is_named() -> None:
    def guarded(request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") == "Bearer sesame":
            body = LLAMA_CPP.get(request.url.path)
            return httpx.Response(404 if body is None else 200, json=body)
        return httpx.Response(401, headers={"server": "llama.cpp"}, json={"error": {"message": "Invalid API Key"}})

    transport = httpx.MockTransport(guarded)
    found = await inspect("http://127.0.0.1:8080", expected="vllm", transport=transport)
    assert found is not None and (found.preset, found.models) == ("llama.cpp", ())
    assert "LLAMA_API_KEY" in found.problem
    opened = await inspect("http://127.0.0.1:8080", key="sesame", transport=transport)
    assert facts(opened) == [("tiny", 8192, True, False, None)]


async def test_vllm_window_and_a_vllm_behind_a_key() -> None:
    found = await inspect("http://127.0.0.1:8000", transport=serving((8000, VLLM)))
    assert facts(found) == [("Qwen/Qwen3-Coder", 65536, None, None, None)]
    locked: Routes = {
        "/v1/models": lambda request: httpx.Response(401, json={"error": "Unauthorized"}),
        "/version": {"version": "0.11.0"},
    }
    found = await inspect("http://127.0.0.1:8000", transport=serving((8000, locked)))
    assert found is not None and found.preset == "vllm"
    assert "VLLM_API_KEY" in found.problem


async def test_a_litellm_that_wants_a_key_names_the_variable() -> None:
    routes = LITELLM | {"/v1/models": lambda request: httpx.Response(400, json={"error": {"message": "No key"}})}
    found = await inspect("http://127.0.0.1:4000", transport=serving((4000, routes)))
    assert found is not None and found.preset == "litellm"
    assert "LITELLM_API_KEY" in found.problem


async def test_a_server_on_anothers_port_is_still_recognised() -> None:
    (found,) = await discover(transport=serving((8000, LLAMA_CPP)))
    assert (found.preset, found.base_url) == ("llama.cpp", "http://127.0.0.1:8000/v1")


async def test_host_and_ports_can_be_chosen() -> None:
    (found,) = await discover(host="::1", ports={"llama.cpp": 18100}, transport=serving((18100, LLAMA_CPP)))
    assert found.base_url == "http://[::1]:18100/v1"


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: httpx.Response(200, html="<h1>It works</h1>"),
        lambda request: httpx.Response(200, json={"status": "ok"}),
        lambda request: httpx.Response(200, json=[]),
        lambda request: httpx.Response(200, json={"data": [{"id": "gpt-4o", "owned_by": "openai"}], "object": "list"}),
        lambda request: httpx.Response(401),
        lambda request: httpx.Response(500, text="boom"),
        lambda request: httpx.Response(200, content=b"[" * 100_000),
        lambda request: httpx.Response(200, content=b"\xff\xfe\x00"),
        lambda request: httpx.Response(200, content=b" " * (MAX_BODY_BYTES + 1)),
        lambda request: httpx.Response(200, headers={"content-encoding": "gzip"}, content=b"no gzip"),
        lambda request: httpx.Response(302, headers={"location": "http://127.0.0.1:11434/api/version"}),
    ],
)
async def test_some_other_web_server_is_not_listed(answer: Callable[[httpx.Request], httpx.Response]) -> None:
    class Anything(dict[str, Any]):
        def get(self, key: str, default: object = None) -> object:
            return answer

    assert await discover(transport=serving(*((port, Anything()) for port in PORTS.values()))) == ()


@pytest.mark.parametrize("url", ["", "nonsense", "http://", "http://[::1", "http://127.0.0.1:99999", "http://h:0"])
async def test_a_broken_address_finds_nothing(url: str) -> None:
    assert await inspect(url) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = """version models name context_length capabilities key loaded_instances config data object id type state
owned_by meta n_ctx default_generation_settings chat_template_caps modalities max_model_len"""
surprising = st.recursive(
    json_values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS.split()), inner, max_size=5),
    max_leaves=20,
)


@given(value=surprising)
async def test_no_json_makes_it_raise(value: object) -> None:
    class Same(dict[str, Any]):
        def get(self, key: str, default: object = None) -> object:
            return lambda request: httpx.Response(200, content=json.dumps(value).encode())

    found = await inspect("http://127.0.0.1:8080", transport=serving((8080, Same())))
    assert found is None or all(isinstance(model, ModelInfo) and model.ref.model for model in found.models)


class Slow(httpx.AsyncBaseTransport):
    """Answers some paths, and never the others."""

    def __init__(self, routes: Routes) -> None:
        self._quick = serving((11434, routes))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/show":
            await asyncio.Event().wait()
        return await self._quick.handle_async_request(request)


async def test_a_port_that_accepts_and_never_answers_costs_the_probe_time_only() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    async with server:
        began = loop.time()
        assert await discover(ports={"ollama": port, "vllm": port, "llama.cpp": port}, timeout_s=0.05) == ()
        assert loop.time() - began < 5


async def test_a_recognised_server_is_listed_even_if_it_is_slow_to_tell_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("patchbay.providers.discovery.DETAILS_TIMEOUT_S", 0.05)
    assert facts(await inspect("http://127.0.0.1:11434", transport=Slow(OLLAMA))) == [
        ("qwen3:8b", 16384, None, None, None),
        ("llava:7b", None, None, None, None),
        ("nomic-embed-text", None, None, None, None),
        ("old:1b", None, None, None, None),
    ]


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head.split("\r\n")[0])
        body = b'{"version": "1"}'
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    asked: list[str] = []
    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    async with server:
        await inspect(f"http://127.0.0.1:{port}", expected="ollama", timeout_s=5)
    assert asked[0] == "GET /api/version HTTP/1.1"


async def test_abilities_are_asked_once_for_the_same_weights() -> None:
    asked: list[str] = []
    digest = "aaa"

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        match request.url.path:
            case "/api/version":
                return httpx.Response(200, json={"version": "0.12"})
            case "/api/tags":
                return httpx.Response(200, json={"models": [{"name": "qwen3:8b", "digest": digest}]})
            case "/api/show":
                return httpx.Response(200, json={"capabilities": ["completion", "tools"]})
            case "/api/ps":
                return httpx.Response(200, json={"models": []})
            case _:
                return httpx.Response(404)

    heard: Abilities = {}
    transport = httpx.MockTransport(answer)
    for _ in range(3):
        (found,) = await discover(ports={"ollama": 11434}, abilities=heard, transport=transport)
        assert found.models[0].tools is True
    assert asked.count("/api/show") == 1
    digest = "bbb"  # pulled anew
    await discover(ports={"ollama": 11434}, abilities=heard, transport=transport)
    assert asked.count("/api/show") == 2

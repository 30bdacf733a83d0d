"""The list of providers: there at once, filled by a refresh, never a guess about whose model is meant."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

import httpx
import pytest

from patchbay.providers import dialects, directory
from patchbay.providers.base import (
    FREE,
    ModelInfo,
    ModelRef,
    Online,
    Origin,
    Price,
    Provider,
    ProviderConfigError,
    ProviderStatus,
)
from patchbay.providers.breaker import COOL_DOWN_S, LOCAL_COOL_DOWN_S
from patchbay.providers.catalogue import Catalogue
from patchbay.providers.directory import ProviderDirectory
from patchbay.providers.discovery import Discovered
from patchbay.providers.endpoint import Endpoint
from patchbay.providers.events import ResponseError
from patchbay.providers.exchanges import ExchangeLog
from patchbay.providers.learnt import Learnt
from patchbay.providers.openai_chat import OpenAIChat
from patchbay.providers.redact import redact
from patchbay.providers.registry import ProviderConfig
from patchbay.providers.scripted import ScriptedProvider
from support.wire import collect

KEY = "zq-directory-4410-secret"
DEMO = "demo"


class Listing:
    """A dialect that answers ``list_models`` by its endpoint's address and knows whether it was closed."""

    models: ClassVar[dict[str, list[str] | ProviderConfigError | None]] = {}
    """Base URL -> ids, an error to raise, or None to hang."""
    opened: ClassVar[list["Listing"]] = []

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        log: ExchangeLog | None = None,
        learnt: Learnt | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.name, self.dialect = endpoint.name, endpoint.dialect
        self.closed = False
        Listing.opened.append(self)

    async def list_models(self) -> list[str]:
        match Listing.models.get(self.endpoint.base_url, ProviderConfigError("it is down: start it")):
            case None:
                await asyncio.Event().wait()
                raise AssertionError
            case ProviderConfigError() as error:
                raise error
            case ids:
                return ids

    async def list_infos(self) -> list[ModelInfo]:
        return [ModelInfo(ref=ModelRef(provider=self.name, model=model)) for model in await self.list_models()]

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def listing(monkeypatch: pytest.MonkeyPatch) -> type[Listing]:
    monkeypatch.setattr(Listing, "models", {})
    monkeypatch.setattr(Listing, "opened", [])
    for name in ("openai_chat", "anthropic_messages"):
        monkeypatch.setitem(dialects.DIALECTS, name, Listing)
    return Listing


def refusing() -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    return httpx.MockTransport(answer)


def finding(*servers: Discovered) -> Callable[[], Awaitable[Sequence[Discovered]]]:
    async def search() -> Sequence[Discovered]:
        return servers

    return search


def made(
    *configs: ProviderConfig,
    environ: dict[str, str] | None = None,
    found: Sequence[Discovered] = (),
    default: str | None = None,
    demo: bool = False,
    pricing: dict[str, Price] | None = None,
    windows: dict[str, int] | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> ProviderDirectory:
    return ProviderDirectory(
        configs,
        environ or {},
        Catalogue(pricing or {}, windows=windows),
        default_provider=default,
        demo=ScriptedProvider(DEMO, [], models=("no-model",)) if demo else None,
        discover=finding(*found),
        transport=transport or refusing(),
        config_file="/home/me/config.toml",
    )


def status(providers: ProviderDirectory, name: str) -> ProviderStatus:
    return next(status for status in providers.statuses() if status.name == name)


def local(preset: str, port: int, *models: str, window: int = 8192, problem: str = "") -> Discovered:
    infos = tuple(
        ModelInfo(ref=ModelRef(provider=preset, model=model), context_window=window, tools=True, price=FREE)
        for model in models
    )
    return Discovered(preset=preset, base_url=f"http://127.0.0.1:{port}/v1", models=infos, problem=problem)


LLAMA = local("llama.cpp", 8080, "tiny")
OLLAMA = local("ollama", 11434, "qwen2.5-coder:7b", "llama3.1:latest", window=4096)


# --- what is listed ---------------------------------------------------------------------------------------------------


def test_nothing_at_all() -> None:
    providers = made()
    assert providers.statuses() == ()
    assert providers.default() is None
    assert providers.nothing_available() == "No provider available. Configure one in /home/me/config.toml"


def test_a_key_in_the_environment_is_all_it_takes() -> None:
    providers = made(environ={"ANTHROPIC_API_KEY": KEY})
    (only,) = providers.statuses()
    assert (only.name, only.origin, only.online) == ("anthropic", Origin.PRESET, Online.UNKNOWN)
    assert only.base_url == "https://api.anthropic.com"
    assert str(only.models[0].ref) == str(providers.default()) == "anthropic/claude-sonnet-4-6"
    assert len(only.models) > 5 and all(model.price is not None for model in only.models)
    assert KEY not in redact(f"sent {KEY}")


def test_configured_ones_come_first_and_cover_their_preset() -> None:
    mine = ProviderConfig(name="work", preset="anthropic", model="claude-opus-5", models=("my-finetune",))
    providers = made(mine, environ={"ANTHROPIC_API_KEY": KEY, "GROQ_API_KEY": KEY}, demo=True)
    assert [(s.name, s.origin) for s in providers.statuses()] == [
        ("work", Origin.CONFIGURED),
        ("groq", Origin.PRESET),
        (DEMO, Origin.DEMO),
    ]
    ids = [model.ref.model for model in status(providers, "work").models]
    assert ids[:2] == ["claude-opus-5", "my-finetune"] and ids.count("claude-opus-5") == 1
    assert providers.default() == ModelRef(provider="work", model="claude-opus-5")


def test_a_provider_without_its_key_is_disabled_and_only_fatal_in_use() -> None:
    broken = ProviderConfig(name="work", kind="openai", api_key_env="WORK_KEY", base_url="https://llm.example/v1")
    providers = made(broken, environ={"GROQ_API_KEY": KEY})
    off = status(providers, "work")
    assert (off.online, off.models) == (Online.DISABLED, ())
    assert "WORK_KEY" in off.problem
    assert providers.default() == ModelRef(provider="groq", model="openai/gpt-oss-120b")
    with pytest.raises(ProviderConfigError, match="WORK_KEY is not set"):
        providers.provider(ModelRef(provider="work", model="m"))
    assert "work: Environment variable WORK_KEY" in made(broken).nothing_available()


async def test_a_key_that_turns_up_later_enables_it() -> None:
    environ = {"NOT_YET": ""}
    providers = made(
        ProviderConfig(name="work", api_key_env="NOT_YET", base_url="https://l.example/v1"), environ=environ
    )
    environ["NOT_YET"] = KEY
    await providers.refresh()
    assert status(providers, "work").online is not Online.DISABLED


# --- refresh ----------------------------------------------------------------------------------------------------------


async def test_found_servers_are_listed_with_their_real_window_and_are_free() -> None:
    providers = made(found=[LLAMA, OLLAMA])
    assert providers.default() is None
    await providers.refresh()
    assert [(s.name, s.origin, s.online, s.local) for s in providers.statuses()] == [
        ("llama.cpp", Origin.DISCOVERED, Online.ONLINE, True),
        ("ollama", Origin.DISCOVERED, Online.ONLINE, True),
    ]
    ref = ModelRef(provider="ollama", model="qwen2.5-coder:7b")
    info = providers.info(ref)
    assert (info.context_window, info.tools, info.price) == (4096, True, FREE)
    assert providers.default() == ModelRef(provider="llama.cpp", model="tiny")
    assert providers.dialect(ref) == "ollama"


async def test_the_window_the_person_names_is_the_one_of_every_provider() -> None:
    providers = made(
        ProviderConfig(name="mine", base_url="http://gpu-box/v1", models=("special",)),
        found=[OLLAMA],
        windows={"special": 16_384, "ollama/qwen2.5-coder:7b": 65_536},
    )
    await providers.refresh()
    assert providers.info(ModelRef(provider="mine", model="special")).context_window == 16_384
    windows = {each.ref.model: each.context_window for each in status(providers, "ollama").models}
    assert windows == {"qwen2.5-coder:7b": 65_536, "llama3.1:latest": 4096}


async def test_a_window_nobody_set_yet_is_the_one_that_will_be_asked_for() -> None:
    names = ("qwen2.5-coder:7b", "llama3.1:8b", "never-heard-of:1b")
    own = ProviderConfig(name="ollama", models=names)
    windows = [model.context_window for model in status(made(own), "ollama").models]
    assert windows == [32_768, 32_768, 32_768]
    asked = replace(own, options={"options": {"num_ctx": 65_536}})
    assert {model.context_window for model in status(made(asked), "ollama").models} == {65_536}
    chat = replace(own, kind="openai", base_url="http://localhost:11434/v1")
    assert [model.context_window for model in status(made(chat), "ollama").models] == [32_768, 128_000, None]


async def test_a_configured_server_is_not_listed_twice_and_keeps_its_name() -> None:
    mine = ProviderConfig(name="box", kind="openai", base_url="http://localhost:8080/v1")
    providers = made(mine, found=[LLAMA])
    await providers.refresh()
    (only,) = providers.statuses()
    assert (only.name, only.origin) == ("box", Origin.CONFIGURED)
    assert [str(model.ref) for model in only.models] == ["box/tiny"]
    assert only.models[0].context_window == 8192


async def test_an_ollama_configured_elsewhere_keeps_the_local_one_out() -> None:
    mine = ProviderConfig(name="ollama", base_url="http://gpu-box:11434/v1")
    providers = made(mine, found=[OLLAMA])
    await providers.refresh()
    assert [s.base_url for s in providers.statuses()] == ["http://gpu-box:11434"]


async def test_two_servers_of_one_kind_are_told_apart_by_port() -> None:
    providers = made(found=[LLAMA, local("llama.cpp", 8000, "big")])
    await providers.refresh()
    assert [s.name for s in providers.statuses()] == ["llama.cpp", "llama.cpp-8000"]
    assert str(providers.resolve("big")) == "llama.cpp-8000/big"


async def test_a_server_that_went_away_stays_listed_as_offline_and_comes_back() -> None:
    here: list[Discovered] = [LLAMA]

    async def search() -> Sequence[Discovered]:
        return tuple(here)

    providers = ProviderDirectory((), {}, Catalogue({}), discover=search, transport=refusing())
    await providers.refresh()
    here.clear()
    await providers.refresh()
    gone = status(providers, "llama.cpp")
    assert gone.online is Online.OFFLINE and "start it again" in gone.problem
    assert [model.ref.model for model in gone.models] == ["tiny"]
    assert providers.default() is None
    assert providers.provider(ModelRef(provider="llama.cpp", model="tiny")).name == "llama.cpp"
    here.append(LLAMA)
    await providers.refresh()
    assert status(providers, "llama.cpp").online is Online.ONLINE
    assert status(providers, "llama.cpp").problem == ""


async def test_a_custom_server_is_asked_for_its_models(listing: type[Listing]) -> None:
    listing.models = {"https://llm.example/v1": ["model-a", "gpt-4o"]}
    providers = made(ProviderConfig(name="work", base_url="https://llm.example/v1", model="mine"))
    await providers.refresh()
    work = status(providers, "work")
    assert work.online is Online.ONLINE
    assert [model.ref.model for model in work.models] == ["mine", "model-a", "gpt-4o"]
    borrowed = providers.info(ModelRef(provider="work", model="gpt-4o"))
    assert (borrowed.tools, borrowed.price) == (True, None)


async def test_a_foreign_server_under_a_services_name_does_not_get_its_prices(listing: type[Listing]) -> None:
    listing.models = {"https://llm.example/v1": ["gpt-4o"]}
    providers = made(ProviderConfig(name="openai", base_url="https://llm.example/v1"))
    await providers.refresh()
    assert providers.info(ModelRef(provider="openai", model="gpt-4o")).price is None


async def test_one_that_is_down_or_hangs_holds_nobody_up(
    listing: type[Listing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "REFRESH_TIMEOUT_S", 0.1)
    listing.models = {"https://hangs.example/v1": None}
    providers = made(
        ProviderConfig(name="down", base_url="https://down.example/v1"),
        ProviderConfig(name="hangs", base_url="https://hangs.example/v1", model="m"),
        found=[LLAMA],
    )
    await providers.refresh()
    assert (status(providers, "down").online, status(providers, "down").problem) == (
        Online.OFFLINE,
        "it is down: start it",
    )
    assert status(providers, "hangs").online is Online.OFFLINE
    assert "did not answer within" in status(providers, "hangs").problem
    assert status(providers, "llama.cpp").online is Online.ONLINE
    assert providers.default() == ModelRef(provider="llama.cpp", model="tiny")


async def test_a_known_cloud_is_never_asked(listing: type[Listing]) -> None:
    providers = made(environ={"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY})
    await providers.refresh()
    assert listing.opened == []
    assert {s.online for s in providers.statuses()} == {Online.UNKNOWN}


async def test_a_server_that_wants_a_key_is_asked_with_the_one_there_is(listing: type[Listing]) -> None:
    locked = Discovered(preset="vllm", base_url="http://127.0.0.1:8000/v1", problem="set VLLM_API_KEY")
    listing.models = {"http://127.0.0.1:8000/v1": ["coder"]}
    providers = made(found=[locked], environ={"VLLM_API_KEY": KEY})
    await providers.refresh()
    assert [model.ref.model for model in status(providers, "vllm").models] == ["coder"]
    assert status(providers, "vllm").problem == ""
    listing.models = {"http://127.0.0.1:8000/v1": ProviderConfigError("401: VLLM_API_KEY is refused")}
    await providers.refresh()
    assert status(providers, "vllm").problem == "401: VLLM_API_KEY is refused"
    keyless = made(found=[locked])
    await keyless.refresh()
    assert status(keyless, "vllm").problem == "set VLLM_API_KEY"


async def test_a_local_proxy_is_not_free(listing: type[Listing]) -> None:
    proxy = Discovered(
        preset="litellm",
        base_url="http://127.0.0.1:9000/v1",
        models=(ModelInfo(ref=ModelRef(provider="litellm", model="gpt-4o")),),
    )
    mine = ProviderConfig(name="mine", base_url="http://localhost:9000/v1")
    for configs in ((), (mine,)):
        providers = made(*configs, found=[proxy])
        await providers.refresh()
        assert providers.statuses()[0].models[0].price is None


async def test_an_ollama_without_models_offers_none() -> None:
    providers = made(found=[replace(OLLAMA, models=(), problem="ollama pull it")])
    await providers.refresh()
    assert status(providers, "ollama").models == ()
    assert providers.default() is None
    assert "ollama: ollama pull it" in providers.nothing_available()


async def test_a_search_that_fails_is_no_failure_of_the_refresh() -> None:
    async def broken() -> Sequence[Discovered]:
        raise RuntimeError("boom")

    providers = ProviderDirectory(
        (), {}, Catalogue({}), discover=broken, demo=ScriptedProvider(DEMO, [], models=("no-model",))
    )
    await providers.refresh()
    assert providers.info(ModelRef(provider=DEMO, model="no-model")).context_window == 32_768


async def test_a_configured_server_on_an_odd_port_is_inspected_itself() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        routes = {
            "/props": {"default_generation_settings": {"n_ctx": 512}},
            "/v1/models": {"data": [{"id": "tiny", "owned_by": "llamacpp"}]},
        }
        body = routes.get(request.url.path)
        return httpx.Response(404) if body is None else httpx.Response(200, json=body)

    mine = ProviderConfig(name="odd", kind="openai", base_url="http://127.0.0.1:18102/v1", api_key="not-needed")
    providers = made(mine, transport=httpx.MockTransport(answer))
    await providers.refresh()
    assert providers.info(ModelRef(provider="odd", model="tiny")).context_window == 512


# --- which model ------------------------------------------------------------------------------------------------------


async def test_the_ways_to_name_a_model() -> None:
    providers = made(environ={"ANTHROPIC_API_KEY": KEY, "OPENROUTER_API_KEY": KEY}, found=[OLLAMA], demo=True)
    await providers.refresh()
    for text, ref in {
        "anthropic/claude-sonnet-4-6": "anthropic/claude-sonnet-4-6",
        "anthropic/claude-not-yet-known": "anthropic/claude-not-yet-known",
        "openrouter/anthropic/claude-sonnet-4": "openrouter/anthropic/claude-sonnet-4",
        "qwen2.5-coder:7b": "ollama/qwen2.5-coder:7b",
        "ollama/llama3.1": "ollama/llama3.1:latest",
        " ollama ": "ollama/qwen2.5-coder:7b",
        "google/gemini-2.5-pro": "openrouter/google/gemini-2.5-pro",
        "demo": "demo/no-model",
        "mistral/devstral-latest": "mistral/devstral-latest",
    }.items():
        assert str(providers.resolve(text)) == ref


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("qwen2.5-codr:7b", r"Unknown model 'qwen2.5-codr:7b'. Did you mean .*qwen2\.5-coder:7b"),
        ("ollama/qwen3-coder", r"ollama has no model 'qwen3-coder'. It has qwen2\.5-coder:7b"),
        ("olama/zzzz", r"Unknown provider 'olama'. Did you mean ollama\? There are: llama\.cpp, ollama"),
        ("zzzzzz", r"Unknown model 'zzzzzz': write provider/model"),
        ("", r"Unknown model ''"),
        ("same", r"Several providers have 'same': choose llama\.cpp/same or ollama/same"),
    ],
)
async def test_what_fits_nothing_gets_the_nearest_names(text: str, message: str) -> None:
    same = ModelInfo(ref=ModelRef(provider="x", model="same"))
    providers = made(found=[replace(server, models=(*server.models, same)) for server in (LLAMA, OLLAMA)])
    await providers.refresh()
    with pytest.raises(ProviderConfigError, match=message):
        providers.resolve(text)


def test_an_unknown_provider_lists_those_there_are() -> None:
    providers = made(environ={"GROQ_API_KEY": KEY}, demo=True)
    with pytest.raises(ProviderConfigError, match=r"Unknown provider 'grok'.*There are: groq, demo"):
        providers.provider(ModelRef(provider="grok", model="m"))


def test_a_known_service_without_a_key_says_so_rather_than_unknown() -> None:
    providers = made()
    with pytest.raises(ProviderConfigError, match="MISTRAL_API_KEY is not set"):
        providers.provider(providers.resolve("mistral/devstral-latest"))
    assert providers.names() == ()


def test_a_local_server_may_be_chosen_before_it_runs() -> None:
    providers = made()
    ref = providers.resolve("ollama/qwen3-coder:30b")
    assert providers.info(ref).price == FREE
    assert providers.provider(ref).name == "ollama"
    assert providers.names() == ("ollama",)


@pytest.mark.parametrize(
    ("default", "ref"),
    [
        ("groq", "groq/openai/gpt-oss-120b"),
        ("ollama", "ollama/qwen2.5-coder:7b"),
        ("demo", "demo/no-model"),
        ("openai", "openai/gpt-5.2"),
        ("work", "work/mine"),
        ("nobody", None),
        (None, "work/mine"),
    ],
)
def test_the_model_to_begin_with(default: str | None, ref: str | None) -> None:
    mine = ProviderConfig(name="work", base_url="https://llm.example/v1", model="mine")
    providers = made(mine, environ={"GROQ_API_KEY": KEY}, default=default, demo=True)
    chosen = providers.default()
    assert (str(chosen) if chosen else None) == ref
    if default == "nobody":
        assert "Unknown provider 'nobody'" in providers.nothing_available()


def test_the_demo_is_never_the_default_unasked() -> None:
    assert made(demo=True).default() is None


def test_the_persons_own_price_is_in_every_list() -> None:
    price = Price(input_per_mtok=Decimal("0.14"), output_per_mtok=Decimal("0.28"))
    mine = ProviderConfig(name="deepseek", model="deepseek-coder")
    providers = made(mine, environ={"DEEPSEEK_API_KEY": KEY}, pricing={"deepseek-coder": price})
    assert status(providers, "deepseek").models[0].price == price
    assert providers.info(ModelRef(provider="deepseek", model="deepseek-coder")).price == price


async def test_providers_are_opened_once_and_closed(listing: type[Listing]) -> None:
    providers = made(environ={"GROQ_API_KEY": KEY})
    ref = ModelRef(provider="groq", model="a")
    assert providers.provider(ref) is providers.provider(replace(ref, model="b"))
    await providers.aclose()
    assert [provider.closed for provider in listing.opened] == [True]
    assert providers.provider(ref) is not listing.opened[0]


# --- one that keeps failing -------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


async def failed(provider: Provider, times: int) -> list[str]:
    """The errors of so many requests."""
    events = [await collect(provider) for _ in range(times)]
    return [event.message for each in events for event in each if isinstance(event, ResponseError)]


def failing_directory(clock: Clock, *found: Discovered, changes: list[int]) -> tuple[ProviderDirectory, Provider]:
    remote = ProviderConfig(name="work", preset="custom", base_url="https://work.test/v1")
    providers = ProviderDirectory(
        [remote], {}, Catalogue({}), discover=finding(*found), transport=refusing(), clock=clock
    )
    providers.on_change = lambda: changes.append(1)
    return providers, providers.provider(ModelRef(provider="work", model="m"))


@pytest.fixture
def real_dialects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dialects.DIALECTS, "openai_chat", OpenAIChat)


async def test_one_that_keeps_failing_is_listed_so_and_left_alone(real_dialects: None) -> None:
    clock, changes = Clock(), list[int]()
    providers, provider = failing_directory(clock, changes=changes)
    assert all("refused" in message for message in await failed(provider, 5))
    assert status(providers, "work").paused_until == clock.now + COOL_DOWN_S
    assert (providers.failing("work"), providers.failing("another"), len(changes)) == (True, False, 1)
    (message,) = await failed(provider, 1)
    assert "is not asked now" in message
    clock.now += COOL_DOWN_S
    assert not providers.failing("work"), "the next request is a probe"


async def test_a_provider_that_is_opened_again_still_rests(real_dialects: None) -> None:
    clock = Clock()
    providers, provider = failing_directory(clock, changes=[])
    await failed(provider, 5)
    await providers.aclose()
    (message,) = await failed(providers.provider(ModelRef(provider="work", model="m")), 1)
    assert "is not asked now" in message


async def test_a_server_of_this_machine_rests_for_less_and_is_probed_once_it_is_seen(real_dialects: None) -> None:
    clock, server = Clock(), local("llama.cpp", 8080, "tiny")
    providers, _ = failing_directory(clock, server, changes=[])
    await providers.refresh()
    await failed(providers.provider(ModelRef(provider="llama.cpp", model="tiny")), 5)
    assert status(providers, "llama.cpp").paused_until == clock.now + LOCAL_COOL_DOWN_S
    assert providers.failing("llama.cpp")
    await providers.refresh()
    assert not providers.failing("llama.cpp")

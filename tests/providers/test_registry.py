"""Settings to endpoints: what is sent where, and what is said when it cannot be."""

import subprocess
import sys

import httpx
import pytest

from patchbay.providers.base import ProviderConfigError
from patchbay.providers.redact import redact
from patchbay.providers.registry import ProviderConfig, build, choose_preset, open_provider, preset_configs

KEY = "zq-registry-7731-secret"


def config(name: str = "work", **fields: object) -> ProviderConfig:
    return ProviderConfig(name=name, **fields)  # type: ignore[arg-type]


def test_anthropic_needs_nothing_but_its_variable() -> None:
    endpoint = build(config("anthropic", kind="anthropic"), {"ANTHROPIC_API_KEY": KEY})
    assert endpoint.dialect == "anthropic_messages"
    assert endpoint.base_url == "https://api.anthropic.com"
    assert endpoint.key_variable == "ANTHROPIC_API_KEY"
    assert endpoint.api_key() == KEY
    assert not endpoint.local


@pytest.mark.parametrize(
    ("fields", "variable", "base_url"),
    [
        ({"kind": "openai"}, "OPENAI_API_KEY", "https://api.openai.com/v1"),
        (
            {"kind": "openai", "base_url": "https://openrouter.ai/api/v1", "api_key_env": "OPENROUTER_API_KEY"},
            "OPENROUTER_API_KEY",
            "https://openrouter.ai/api/v1",
        ),
        (
            {"kind": "openai", "base_url": "https://api.deepseek.com/v1/", "api_key_env": "DEEPSEEK_API_KEY"},
            "DEEPSEEK_API_KEY",
            "https://api.deepseek.com/v1",
        ),
        ({"preset": "fireworks"}, "FIREWORKS_API_KEY", "https://api.fireworks.ai/inference/v1"),
        ({"type": "mistral"}, "MISTRAL_API_KEY", "https://api.mistral.ai/v1"),
        (
            {"type": "whatever", "base_url": "https://llm.example/v1", "api_key_env": "MY_KEY"},
            "MY_KEY",
            "https://llm.example/v1",
        ),
    ],
)
def test_the_ways_to_name_a_service(fields: dict[str, object], variable: str, base_url: str) -> None:
    endpoint = build(config(**fields), {variable: KEY})
    assert (endpoint.dialect, endpoint.base_url, endpoint.key_variable) == ("openai_chat", base_url, variable)
    assert endpoint.api_key() == KEY


@pytest.mark.parametrize("port", [11434, 1234, 8000, 8080])
def test_a_local_server_needs_no_key_and_gets_time(port: int) -> None:
    endpoint = build(config(kind="openai", base_url=f"http://localhost:{port}/v1"), {})
    assert endpoint.local
    assert endpoint.api_key() is None
    assert endpoint.first_token_timeout_s >= 600


def test_vllm_gets_its_optional_key_when_there_is_one() -> None:
    assert build(config(preset="vllm"), {"VLLM_API_KEY": KEY}).api_key() == KEY
    assert build(config(preset="vllm"), {}).api_key() is None


@pytest.mark.parametrize(
    "url", ["https://api.anthropic.com/v1", "https://api.openai.com/v1", "http://localhost:11434/v1", None]
)
def test_kind_openai_is_chat_completions_whatever_the_address(url: str | None) -> None:
    endpoint = build(config(kind="openai", base_url=url, api_key="x" * 10), {})
    assert endpoint.dialect == "openai_chat"
    assert url is None or endpoint.base_url == url


@pytest.mark.parametrize("fields", [{"name": "openai"}, {"preset": "openai"}])
def test_openai_itself_is_spoken_to_in_responses(fields: dict[str, str]) -> None:
    endpoint = build(ProviderConfig(**{"name": "work", **fields}), {"OPENAI_API_KEY": KEY})  # type: ignore[arg-type]
    assert (endpoint.dialect, endpoint.base_url) == ("openai_responses", "https://api.openai.com/v1")


@pytest.mark.parametrize("url", ["https://llm.example/v1", "http://127.0.0.1:9000/v1"])
def test_a_server_that_is_not_openais_is_spoken_to_in_chat_completions(url: str) -> None:
    assert build(config("openai", base_url=url), {}).dialect == "openai_chat"
    chosen = build(config("openai", base_url=f"{url}/responses", dialect="openai_responses"), {})
    assert (chosen.dialect, chosen.base_url) == ("openai_responses", url)


def test_ollama_is_spoken_to_in_its_own_protocol_at_its_root() -> None:
    for url in (None, "http://gpu-box:11434", "http://gpu-box:11434/v1"):
        endpoint = build(config("ollama", base_url=url), {})
        assert endpoint.dialect == "ollama"
        assert endpoint.base_url == (url or "http://localhost:11434").removesuffix("/v1")


def test_the_key_of_a_service_is_never_sent_to_another_host() -> None:
    environ = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}
    for name, kind in (("openai", "openai"), ("anthropic", "anthropic"), ("openai", None), ("anthropic", None)):
        for url in ("https://proxy.example/v1", "http://127.0.0.1:9000", "http://api.openai.com/v1"):
            endpoint = build(config(name, kind=kind, base_url=url), environ)
            assert endpoint.api_key() is None
            assert endpoint.key_variable is None
    allowed = build(config("openai", base_url="https://proxy.example/v1", api_key_env="OPENAI_API_KEY"), environ)
    assert allowed.api_key() == KEY


def test_a_foreign_server_does_not_inherit_special_fields() -> None:
    endpoint = build(config(kind="openai", base_url="https://proxy.example/v1"), {})
    assert endpoint.quirks.max_tokens_field == "max_tokens"
    assert build(config(kind="openai"), {"OPENAI_API_KEY": KEY}).quirks.max_tokens_field == "max_completion_tokens"


def test_a_key_rotated_in_the_environment_is_used_at_once() -> None:
    environ = {"GROQ_API_KEY": "zq-first-key-1"}
    endpoint = build(config(preset="groq"), environ)
    assert endpoint.api_key() == "zq-first-key-1"
    environ["GROQ_API_KEY"] = " zq-second-key-2\n"
    assert endpoint.api_key() == "zq-second-key-2"
    assert "zq-second-key-2" not in redact("it was zq-second-key-2.")
    environ["GROQ_API_KEY"] = ""
    assert endpoint.api_key() is None


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_named_variable_that_is_not_set_is_an_error_with_the_fix(value: str | None) -> None:
    environ = {} if value is None else {"WORK_KEY": value}
    with pytest.raises(ProviderConfigError) as caught:
        build(config(api_key_env="WORK_KEY", base_url="https://llm.example/v1", where="[provider] in /c.toml"), environ)
    message = str(caught.value)
    assert "Environment variable WORK_KEY is not set" in message
    assert "[provider] in /c.toml" in message
    assert "export WORK_KEY=" in message


def test_a_missing_key_of_a_service_tells_where_to_get_one() -> None:
    with pytest.raises(ProviderConfigError, match=r"GROQ_API_KEY is not set.*https://console\.groq\.com/keys"):
        build(config("groq"), {})


def test_a_literal_key_wins_is_registered_and_is_in_no_repr() -> None:
    settings = config(base_url="https://llm.example/v1", api_key=KEY, headers={"X-Team-Token": "zq-header-secret"})
    endpoint = build(settings, {})
    assert endpoint.api_key() == KEY
    assert KEY not in repr(settings) + repr(endpoint)
    assert "zq-header-secret" not in repr(settings)
    assert redact(f"{KEY} zq-header-secret") == "[redacted] [redacted]"


@pytest.mark.parametrize("key", ["two words", "naïve-key-123", "line\nbreak-123"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ProviderConfigError, match="paste it again") as caught:
        build(config(base_url="https://llm.example/v1", api_key=key), {})
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "given", "base_url"),
    [
        ("openai", "https://llm.example/v1/", "https://llm.example/v1"),
        ("openai", "https://llm.example/v1/chat/completions", "https://llm.example/v1"),
        ("openai", "https://llm.example/v1/team/v1//", "https://llm.example/v1/team/v1"),
        ("openai", "https://v1.example/api", "https://v1.example/api"),
        ("anthropic", "https://llm.example/v1", "https://llm.example"),
        ("ollama", "http://gpu-box:11434/v1/", "http://gpu-box:11434"),
        ("ollama", "http://gpu-box:11434/api/chat", "http://gpu-box:11434"),
        ("anthropic", "https://llm.example/v1/messages", "https://llm.example"),
        ("anthropic", "https://llm.example/v1/team", "https://llm.example/v1/team"),
    ],
)
def test_only_the_end_of_a_base_url_is_cut(kind: str, given: str, base_url: str) -> None:
    assert build(config(kind=kind, base_url=given), {}).base_url == base_url


@pytest.mark.parametrize(
    "url", ["llm.example/v1", "ftp://llm.example", "http://", "http://host:99999", "http://[::1", "http://a b/v1"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ProviderConfigError, match=r"base_url .* in \[providers\.work\] is no web address"):
        build(config(base_url=url), {})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, r"has no base_url: add base_url"),
        ({"preset": "opnai"}, r'preset = "opnai" .*Did you mean openai\?'),
        ({"kind": "gemini", "base_url": "https://x.example"}, r'kind = "gemini" .*use "anthropic" or "openai"'),
        ({"name": "a/b", "base_url": "https://x.example"}, r"name 'a/b' .*cannot be used"),
        ({"problem": "Environment variable X is not set (file)"}, r"Environment variable X is not set \(file\)"),
    ],
)
def test_other_mistakes_name_cause_and_fix(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ProviderConfigError, match=message):
        build(ProviderConfig(**{"name": "work", **fields}), {})  # type: ignore[arg-type]


def test_options_become_fields_of_every_request() -> None:
    endpoint = build(config(preset="ollama", options={"keep_alive": "1h"}), {})
    assert endpoint.quirks.extra_body == {"keep_alive": "1h"}


def test_ollama_on_another_machine_stays_ollama() -> None:
    assert choose_preset(config("ollama", base_url="http://gpu-box:11434/v1")).name == "ollama"


def test_an_unknown_dialect_lists_those_there_are() -> None:
    endpoint = build(config(dialect="gopher", base_url="https://llm.example"), {})
    with pytest.raises(ProviderConfigError, match=r"'gopher'.*anthropic_messages.*openai_chat"):
        open_provider(endpoint)


async def test_an_opened_provider_speaks_its_dialect_under_its_name() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(404))
    provider = open_provider(build(config(base_url="https://llm.example/v1"), {}), transport)
    assert (provider.name, provider.dialect) == ("work", "openai_chat")
    await provider.aclose()


def test_services_with_a_key_in_the_environment_need_no_settings() -> None:
    environ = {"XAI_API_KEY": KEY, "GROQ_API_KEY": " ", "GITHUB_TOKEN": KEY, "VLLM_API_KEY": KEY}
    assert [settings.name for settings in preset_configs(environ)] == ["xai"]


def test_reading_settings_loads_no_http_client() -> None:
    code = (
        "import sys; from patchbay.providers import registry, directory, discovery, catalogue, pricing;"
        "print([name for name in ('httpx', 'patchbay.providers.dialects') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

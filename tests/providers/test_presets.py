"""The presets are complete and say of an address whose it is."""

import re

import pytest

from patchbay.providers.catalogue import Catalogue
from patchbay.providers.presets import PRESETS, is_loopback, origin, preset_of_url


def test_every_promised_service_is_there() -> None:
    assert set(PRESETS) == {
        "anthropic", "openai", "openrouter", "together", "fireworks", "deepseek", "groq", "mistral", "xai",
        "github-models", "ollama", "llama.cpp", "vllm", "lm-studio", "litellm", "custom",
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "custom"])
def test_each_has_an_address_a_help_link_and_speaks_a_dialect(name: str) -> None:
    preset = PRESETS[name]
    assert preset.name == name
    own = {"anthropic": "anthropic_messages", "openai": "openai_responses", "ollama": "ollama"}
    assert preset.dialect == own.get(name, "openai_chat")
    assert re.fullmatch(r"https?://[^/]+(/\S*[^/])?", preset.base_url)
    assert preset.help_url.startswith("https://")
    assert preset.local == (is_loopback(preset.base_url) and name != "litellm")
    assert not preset.key_required or preset.key_variable


@pytest.mark.parametrize("name", [n for n, preset in PRESETS.items() if preset.key_required and not preset.retired])
def test_the_default_model_of_a_cloud_service_is_one_it_sells_with_tools_and_a_price(name: str) -> None:
    model = PRESETS[name].default_model
    assert model in Catalogue({}).models(name)
    facts = Catalogue({}).facts(name, model)
    assert facts.tools and facts.price is not None and facts.context_window


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.together.ai/v1", "together"),
        ("https://API.OpenAI.com:443/v1/", "openai"),
        ("http://127.0.0.1:11434", "ollama"),
        ("http://[::1]:8080/v1", "llama.cpp"),
        ("http://localhost:8000/v1", "vllm"),
        ("http://127.0.0.1:9999/v1", None),
        ("https://api.openai.com.evil.example/v1", None),
        ("http://api.openai.com/v1", None),
        ("https://example.org/api.openai.com", None),
    ],
)
def test_an_address_belongs_to_its_service_only(url: str, name: str | None) -> None:
    found = preset_of_url(url)
    assert (found.name if found else None) == name


def test_this_machine_has_many_names_and_one_origin() -> None:
    assert origin("http://localhost:80") == origin("http://127.0.0.1") == origin("http://[::1]/x") == ("localhost", 80)
    assert not is_loopback("http://localhost.example.org")


def test_the_retired_service_says_so() -> None:
    assert PRESETS["github-models"].retired
    assert "July 2026" in PRESETS["github-models"].note

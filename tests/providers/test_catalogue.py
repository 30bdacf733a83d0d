"""Model facts: every way a model is written finds it, nothing is guessed, the person's price wins."""

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers import catalogue as catalogue_module
from patchbay.providers.base import FREE, ModelInfo, ModelRef, Price
from patchbay.providers.catalogue import Catalogue

DATA = Path(catalogue_module.__file__).with_name("data")
CATALOGUE = Catalogue({})


def per_mtok(info: ModelInfo) -> tuple[Decimal, Decimal] | None:
    return None if info.price is None else (info.price.input_per_mtok, info.price.output_per_mtok)


@pytest.mark.parametrize(
    ("provider", "model", "paid", "made"),
    [
        ("anthropic", "claude-sonnet-4-20250514", "3", "15"),
        ("anthropic", "claude-sonnet-4-6", "3", "15"),
        ("anthropic", "anthropic/claude-sonnet-4-6", "3", "15"),
        ("anthropic", "Claude-Sonnet-4-6", "3", "15"),
        ("openai", "gpt-4o", "2.5", "10"),
        ("openai", "gpt-5.2-2026-01-10", "1.75", "14"),
        ("openrouter", "anthropic/claude-sonnet-4", "3", "15"),
        ("openrouter", "anthropic/claude-sonnet-4-6", "3", "15"),
        ("openrouter", "claude-sonnet-4.6:nitro", "3", "15"),
        ("openrouter", "moonshotai/kimi-k3:free", "0", "0"),
        ("fireworks", "kimi-k3", "3", "15"),
        ("amazon-bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "3", "15"),
        ("deepseek", "deepseek-chat", "0.14", "0.28"),
    ],
)
def test_prices_are_found_however_the_model_is_written(provider: str, model: str, paid: str, made: str) -> None:
    info = CATALOGUE.facts(provider, model)
    assert info.ref == ModelRef(provider=provider, model=model)
    assert per_mtok(info) == (Decimal(paid), Decimal(made))


def test_a_dated_model_with_its_own_price_keeps_it() -> None:
    assert per_mtok(CATALOGUE.facts("openai", "gpt-4o-2024-05-13")) != per_mtok(CATALOGUE.facts("openai", "gpt-4o"))


def test_all_facts_of_one_model() -> None:
    info = CATALOGUE.facts("anthropic", "claude-sonnet-4-6")
    assert info == ModelInfo(
        ref=ModelRef(provider="anthropic", model="claude-sonnet-4-6"),
        context_window=1_000_000,
        max_output=128_000,
        tools=True,
        vision=True,
        thinking=True,
        price=Price(
            input_per_mtok=Decimal(3),
            output_per_mtok=Decimal(15),
            cache_read_per_mtok=Decimal("0.3"),
            cache_write_per_mtok=Decimal("3.75"),
        ),
    )


def test_long_prompts_have_their_own_price() -> None:
    price = CATALOGUE.facts("openai", "gpt-5.4").price
    assert price is not None
    (tier,) = price.tiers
    assert tier.above_tokens == 200_000
    assert (tier.price.input_per_mtok, tier.price.output_per_mtok) == (Decimal(5), Decimal("22.5"))


@pytest.mark.parametrize(
    ("model", "tools", "window"),
    [
        ("qwen2.5-coder", True, 32_768),
        ("qwen2.5-coder:7b", True, 32_768),
        ("Qwen/Qwen2.5-Coder-32B-Instruct", True, 32_768),
        ("llama3.1:70b", True, 128_000),
        ("Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", True, 128_000),
        ("codellama", False, 16_384),
        ("codellama-7b-instruct", False, 16_384),
        ("qwen3-coder:30b", True, 262_144),
        ("qwen-3-coder-30b", True, 262_144),
        ("llama-3-1b", False, 8192),
        ("/models/deepseek_coder_v2.gguf", False, 128_000),
    ],
)
def test_families_of_local_models(model: str, tools: bool, window: int) -> None:
    info = CATALOGUE.facts("ollama", model, local=True)
    assert (info.tools, info.context_window, info.price) == (tools, window, FREE)


@pytest.mark.parametrize("model", ["llama3.25", "llama33", "my-llama3.1", "mistrals", ""])
def test_another_family_is_not_taken_for_one_we_know(model: str) -> None:
    info = CATALOGUE.facts("ollama", model, local=True)
    assert (info.tools, info.context_window, info.price) == (None, None, FREE)


def test_another_service_lends_abilities_but_no_price() -> None:
    info = CATALOGUE.facts("proxy", "openai/gpt-4o")
    assert (info.tools, info.context_window, info.price) == (True, 128_000, None)


def test_an_unknown_model_is_unknown_throughout() -> None:
    ref = ModelRef(provider="openai", model="no-such-model-9")
    assert CATALOGUE.facts("openai", "no-such-model-9") == ModelInfo(ref=ref)


def test_the_service_table_may_have_another_name_than_the_provider() -> None:
    info = CATALOGUE.facts("work", "gpt-4o", table="openai")
    assert str(info.ref) == "work/gpt-4o"
    assert per_mtok(info) == (Decimal("2.5"), Decimal(10))


MINE = Price(input_per_mtok=Decimal("0.14"), output_per_mtok=Decimal("0.28"))


@pytest.mark.parametrize(
    ("key", "provider", "model"),
    [
        ("deepseek-coder", "deepseek", "deepseek-coder"),
        ("qwen3-coder:30b", "ollama", "qwen3-coder:30b"),
        ("anthropic/claude-sonnet-4", "openrouter", "anthropic/claude-sonnet-4"),
        ("openai/gpt-4o", "openai", "gpt-4o"),
        ("GPT-4o", "openai", "gpt-4o"),
    ],
)
def test_the_persons_own_price_wins_over_everything(key: str, provider: str, model: str) -> None:
    catalogue = Catalogue({key: MINE})
    live = ModelInfo(ref=ModelRef(provider=provider, model=model), price=FREE)
    for local in (True, False):
        assert catalogue.facts(provider, model, local=local, live=live).price == MINE
    assert catalogue.facts(provider, "some-other-model").price != MINE


@pytest.mark.parametrize("local", [True, False])
def test_the_persons_own_window_wins_over_everything(local: bool) -> None:
    catalogue = Catalogue({}, windows={"GPT-4o": 9_000, "mine/special": 16_384})
    for provider, model, window in (("openai", "gpt-4o", 9_000), ("mine", "special", 16_384)):
        live = ModelInfo(ref=ModelRef(provider=provider, model=model), context_window=4096)
        assert catalogue.facts(provider, model, local=local, live=live).context_window == window
    assert catalogue.facts("other", "special", local=local).context_window is None


def test_what_the_server_says_wins_over_the_snapshot_where_it_says_something() -> None:
    ref = ModelRef(provider="ollama", model="qwen2.5-coder:7b")
    info = CATALOGUE.facts("ollama", ref.model, local=True, live=ModelInfo(ref=ref, context_window=4096, tools=False))
    assert info == ModelInfo(ref=ref, context_window=4096, tools=False, price=FREE)


def test_retired_models_are_answered_for_but_not_offered() -> None:
    offered = CATALOGUE.models("anthropic")
    assert "claude-sonnet-4-6" in offered
    assert "claude-sonnet-4-20250514" not in offered
    assert CATALOGUE.models("no-such-service") == ()


def test_the_snapshot_is_whole_small_dated_and_licensed() -> None:
    packed = (DATA / "catalogue.json.gz").read_bytes()
    document = json.loads(gzip.decompress(packed))
    assert len(packed) < 60_000
    assert CATALOGUE.date == document["date"] >= "2026-08-18"
    assert "MIT License" in (DATA / "LICENSE.models.dev").read_text("utf-8")
    for provider, table in document["providers"].items():
        for model in table:
            price = CATALOGUE.facts(provider, model).price
            if table[model][3] is not None and not model.endswith(":free"):
                assert price is not None and price.input_per_mtok == Decimal(str(table[model][3][0])), model


@given(provider=st.text(), model=st.text(), local=st.booleans())
def test_any_name_gets_an_answer(provider: str, model: str, local: bool) -> None:
    info = CATALOGUE.facts(provider, model, local=local)
    assert info.ref == ModelRef(provider=provider, model=model)

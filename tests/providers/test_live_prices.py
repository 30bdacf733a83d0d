"""Prices a server tells: exact to the last digit, over the tables, under the person's own; amounts done by hand."""

from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers.base import FREE, ModelInfo, ModelRef, Online, Price
from patchbay.providers.catalogue import Catalogue
from patchbay.providers.directory import PRICES_KEPT_S, ProviderDirectory
from patchbay.providers.discovery import discover
from patchbay.providers.events import Usage
from patchbay.providers.model_rows import litellm_facts, model_facts
from patchbay.providers.pricing import cost_of
from patchbay.providers.registry import ProviderConfig
from patchbay.providers.snapshot import Snapshot

REF = ModelRef(provider="openrouter", model="maker/model")
OPENROUTER = {
    "id": "maker/model",
    "context_length": 262_144,
    "architecture": {"input_modalities": ["text", "image"]},
    "pricing": {
        "prompt": "0.00000125",
        "completion": "0.00001",
        "input_cache_read": "0.000000125",
        "input_cache_write": "0.0000015625",
        "image": "0.001238",
    },
    "top_provider": {"context_length": 262_144, "max_completion_tokens": 65_536},
    "supported_parameters": ["tools", "temperature", "reasoning"],
}
USAGE = Usage(input_tokens=1_234, output_tokens=567, cache_read_tokens=89_012, cache_write_tokens=345)


def test_all_that_openrouter_says_of_a_model() -> None:
    assert model_facts(REF, OPENROUTER) == ModelInfo(
        ref=REF,
        context_window=262_144,
        max_output=65_536,
        tools=True,
        vision=True,
        thinking=True,
        price=Price(
            input_per_mtok=Decimal("1.25"),
            output_per_mtok=Decimal(10),
            cache_read_per_mtok=Decimal("0.125"),
            cache_write_per_mtok=Decimal("1.5625"),
        ),
    )


def test_what_a_call_costs_at_openrouters_prices() -> None:
    # 1234 x 1.25 + 89012 x 0.125 + 345 x 1.5625 + 567 x 10 = 1542.5 + 11126.5 + 539.0625 + 5670 = 18878.0625
    assert cost_of(USAGE, model_facts(REF, OPENROUTER).price) == (Decimal("0.0188780625"), "computed")


@pytest.mark.parametrize(
    "pricing",
    [
        {},
        {"prompt": "-1", "completion": "-1"},
        {"prompt": "0.000001", "completion": "-1"},
        {"prompt": "NaN", "completion": "0.1"},
        {"prompt": "Infinity", "completion": "0.1"},
        {"prompt": "", "completion": "0.1"},
        {"prompt": "1e999999", "completion": "0.1"},
        {"prompt": "1.25", "completion": "10"},
        {"prompt": 0.000001, "completion": 0.000001},
        {"input": 0.2, "output": 0.2},
    ],
)
def test_unknown_or_of_an_unknown_unit_stays_unknown(pricing: dict) -> None:
    assert model_facts(REF, OPENROUTER | {"pricing": pricing}).price is None


def test_free_is_free() -> None:
    price = model_facts(REF, OPENROUTER | {"pricing": {"prompt": "0", "completion": "0"}}).price
    assert price is not None and price.free


def test_an_unknown_cache_price_is_no_price_of_zero() -> None:
    pricing = {"prompt": "0.000002", "completion": "0.000008", "input_cache_read": "-1"}
    price = model_facts(REF, OPENROUTER | {"pricing": pricing}).price
    # No cache price is known: 1234 + 89012 + 345 tokens at 2, and 567 at 8: 181182 + 4536 = 185718
    assert cost_of(USAGE, price) == (Decimal("0.185718"), "computed")


def litellm(**info: object) -> ModelInfo:
    return litellm_facts(REF, [{"model_name": "maker/model", "model_info": info}])


def test_litellms_numbers_lose_nothing_on_the_way() -> None:
    info = litellm(
        input_cost_per_token=2.5e-06,
        output_cost_per_token=1.5e-05,
        cache_read_input_token_cost=2.5e-07,
        cache_creation_input_token_cost=3.125e-06,
        input_cost_per_token_above_200k_tokens=5e-06,
        output_cost_per_token_above_200k_tokens=2.25e-05,
        max_input_tokens=1_048_576,
        max_output_tokens=65_535,
        supports_function_calling=True,
        supports_vision=False,
        supports_reasoning=None,
    )
    assert (info.context_window, info.max_output) == (1_048_576, 65_535)
    assert (info.tools, info.vision, info.thinking) == (True, False, None)
    # 1234 x 2.5 + 89012 x 0.25 + 345 x 3.125 + 567 x 15 = 3085 + 22253 + 1078.125 + 8505 = 34921.125
    assert cost_of(USAGE, info.price) == (Decimal("0.034921125"), "computed")
    # 200001 x 5 + 10 x 22.5 = 1000005 + 225
    assert cost_of(Usage(input_tokens=200_001, output_tokens=10), info.price) == (Decimal("1.00023"), "computed")


@given(st.decimals(min_value="0.01", max_value=1000, places=6))
def test_any_price_survives_the_floats_of_litellm(per_million: Decimal) -> None:
    per_token = float(per_million) / 1_000_000
    price = litellm(input_cost_per_token=per_token, output_cost_per_token=per_token).price
    assert price is not None and price.input_per_mtok == per_million


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"input_cost_per_token": 0, "output_cost_per_token": 0},
        {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
        {"input_cost_per_token": None, "output_cost_per_token": 1e-06},
        {"input_cost_per_token": -1e-06, "output_cost_per_token": 1e-06},
        {"input_cost_per_token": float("nan"), "output_cost_per_token": 1e-06},
        {"input_cost_per_token": True, "output_cost_per_token": True},
    ],
)
def test_litellm_writes_zero_for_what_it_does_not_know(info: dict) -> None:
    assert litellm(**info).price is None


def test_deployments_that_differ_have_no_one_price() -> None:
    rows = [
        {"model_info": {"input_cost_per_token": cost, "output_cost_per_token": cost, "max_input_tokens": size}}
        for cost, size in ((1e-06, 8192), (2e-06, 4096))
    ]
    info = litellm_facts(REF, rows)
    assert (info.price, info.context_window) == (None, 4096)


# --- precedence -----------------------------------------------------------------------------------------------------

MODEL = "anthropic/claude-sonnet-4.6"


def price(paid: str) -> Price:
    return Price(input_per_mtok=Decimal(paid), output_per_mtok=Decimal(paid))


def catalogue(tmp_path: Path, *, own: bool = False) -> Catalogue:
    row = [1000, 100, 0, ["2.5", "2.5", None, None]]
    file = tmp_path / "catalogue.json.gz"
    file.write_bytes(Snapshot(date="2199-01-01", providers={"openrouter": {MODEL: row}}, fetched=1).packed())
    return Catalogue({f"openrouter/{MODEL}": price("4.5")} if own else {}, refreshed=file)


def test_shipped_then_refreshed_then_live_then_the_persons_own(tmp_path: Path) -> None:
    live = ModelInfo(ref=ModelRef(provider="openrouter", model=MODEL), price=price("3.5"))

    def paid(known: Catalogue, live: ModelInfo | None = None) -> Decimal:
        found = known.facts("openrouter", MODEL, live=live).price
        assert found is not None
        return found.input_per_mtok

    assert paid(Catalogue({})) == Decimal(3)
    assert paid(catalogue(tmp_path)) == Decimal("2.5")
    assert paid(catalogue(tmp_path), live) == Decimal("3.5")
    assert paid(catalogue(tmp_path, own=True), live) == Decimal("4.5")


def test_a_live_price_that_is_the_one_we_know_keeps_what_it_leaves_out() -> None:
    known = Catalogue({}).facts("openai", "gpt-5.4").price
    assert known is not None and known.tiers
    plain = Price(input_per_mtok=known.input_per_mtok, output_per_mtok=known.output_per_mtok)
    live = ModelInfo(ref=ModelRef(provider="openai", model="gpt-5.4"), price=plain)
    assert Catalogue({}).facts("openai", "gpt-5.4", live=live).price == known


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


async def test_openrouter_is_asked_once_an_hour_and_its_default_stays_first() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        rows = [OPENROUTER, OPENROUTER | {"id": MODEL, "pricing": {"prompt": "0.000007", "completion": "0.00007"}}]
        return httpx.Response(200, json={"data": rows})

    clock = Clock()
    providers = ProviderDirectory(
        (),
        {"OPENROUTER_API_KEY": "zq-live-prices-31"},
        Catalogue({}),
        discover=nothing,
        transport=httpx.MockTransport(answer),
        clock=clock,
    )
    ref = ModelRef(provider="openrouter", model=MODEL)
    before = providers.info(ref).price
    await providers.refresh()
    await providers.refresh()
    assert asked == ["https://openrouter.ai/api/v1/models"]
    after = providers.info(ref).price
    assert before is not None and after is not None
    assert (before.input_per_mtok, after.input_per_mtok, after.output_per_mtok) == (3, 7, 70)
    (status,) = providers.statuses()
    assert (status.online, status.models[0].ref.model) == (Online.ONLINE, MODEL)
    clock.now += PRICES_KEPT_S + 1
    await providers.refresh(nearby=True)
    assert len(asked) == 1
    await providers.refresh()
    assert len(asked) == 2
    await providers.aclose()


async def nothing() -> tuple:
    return ()


async def test_a_litellm_proxy_tells_its_prices() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        match request.url.path:
            case "/health/liveliness":
                return httpx.Response(200, json="I'm alive!")
            case "/v1/models":
                return httpx.Response(200, json={"data": [{"id": "fast"}, {"id": "odd"}]})
            case "/model/info":
                info = {"input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07}
                return httpx.Response(200, json={"data": [{"model_name": "fast", "model_info": info}]})
            case _:
                return httpx.Response(404)

    (found,) = await discover(ports={"litellm": 4000}, transport=httpx.MockTransport(answer))
    fast, odd = found.models
    assert fast.price == Price(input_per_mtok=Decimal("0.15"), output_per_mtok=Decimal("0.6"))
    assert odd.price is None


async def test_local_models_stay_free_whatever_a_table_says() -> None:
    config = ProviderConfig(name="ollama", preset="ollama")
    providers = ProviderDirectory([config], {}, Catalogue({}), discover=nothing)
    assert providers.info(ModelRef(provider="ollama", model="gpt-oss:20b")).price == FREE
    await providers.aclose()

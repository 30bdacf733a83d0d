"""A newer table of models: what is published becomes ours exactly, and what cannot be right changes nothing."""

import asyncio
import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers import refresh
from patchbay.providers.base import PriceTier, ago
from patchbay.providers.catalogue import Catalogue, Freshness
from patchbay.providers.models_dev import reduce_api
from patchbay.providers.refresh import Renewal, fetch, renew
from patchbay.providers.snapshot import CatalogueError, Snapshot, read_json, shipped, unpacked

NOW = 1_795_000_000  # 2026-11-18
TODAY = "2026-11-18"


def entry(paid: object = 3, made: object = 15, /, *, day: str = "2026-11-01", **more: Any) -> dict[str, Any]:
    return {
        "tool_call": True,
        "reasoning": False,
        "last_updated": day,
        "modalities": {"input": ["text", "image"], "output": ["text"]},
        "limit": {"context": 200_000, "output": 64_000},
        "cost": {"input": paid, "output": made},
        **more,
    }


def published(**services: dict[str, Any]) -> bytes:
    return json.dumps({name: {"models": models} for name, models in services.items()}).encode()


def table(text: bytes, *, date: str = "2026-10-01", newest: str = "") -> Snapshot:
    return Snapshot(date=date, providers=reduce_api(read_json(text)).providers, newest=newest)  # type: ignore[arg-type]


MODELS = {f"m{number}": entry(number, 2 * number) for number in range(1, 11)}
CURRENT = table(published(anthropic=MODELS))


def renewed(text: bytes, current: Snapshot = CURRENT, *, live: bool = True) -> Renewal:
    return renew(text, current, source="a test", now=NOW, live=live)


def facts(snapshot: Snapshot, model: str, tmp_path: Path):
    file = tmp_path / "catalogue.json.gz"
    file.write_bytes(snapshot.packed())
    return Catalogue({}, refreshed=file).facts("anthropic", model)


def test_prices_windows_and_abilities_are_taken_over_to_the_last_digit(tmp_path: Path) -> None:
    one = entry(0.1, 0.30000000000000004, reasoning=True)
    one["cost"] |= {
        "cache_read": 0.0125,
        "cache_write": 3.75,
        "tiers": [{"input": 0.2, "output": 0.6, "cache_read": 0.025, "tier": {"type": "context", "size": 200_000}}],
    }
    info = facts(renewed(published(anthropic=MODELS | {"new": one})).snapshot, "new", tmp_path)
    assert (info.context_window, info.max_output) == (200_000, 64_000)
    assert (info.tools, info.vision, info.thinking) == (True, True, True)
    price = info.price
    assert price is not None
    assert (price.input_per_mtok, price.output_per_mtok) == (Decimal("0.1"), Decimal("0.3"))
    assert (price.cache_read_per_mtok, price.cache_write_per_mtok) == (Decimal("0.0125"), Decimal("3.75"))
    (tier,) = price.tiers
    assert tier.above_tokens == 200_000
    assert (tier.price.input_per_mtok, tier.price.cache_read_per_mtok) == (Decimal("0.2"), Decimal("0.025"))


def test_the_older_form_of_a_long_prompt_price(tmp_path: Path) -> None:
    one = entry(1, 2)
    one["cost"]["context_over_200k"] = {"input": 2, "output": 4}
    price = facts(renewed(published(anthropic=MODELS | {"new": one})).snapshot, "new", tmp_path).price
    assert price is not None
    assert [(t.above_tokens, t.price.output_per_mtok) for t in price.tiers] == [(200_000, Decimal(4))]
    assert all(isinstance(tier, PriceTier) for tier in price.tiers)


def test_what_is_new_dearer_and_gone_is_counted() -> None:
    changed = {name: row for name, row in MODELS.items() if name != "m1"}
    changed |= {"m2": entry(9, 9), "m11": entry(), "m12": entry()}
    new = renewed(published(anthropic=changed))
    assert (new.added, new.repriced, new.retired, new.models) == (2, 1, 1, 11)
    assert (new.snapshot.date, new.snapshot.fetched, new.snapshot.newest) == (TODAY, NOW, "2026-11-01")


def test_a_model_that_is_gone_is_answered_for_but_not_offered(tmp_path: Path) -> None:
    new = renewed(published(anthropic={name: row for name, row in MODELS.items() if name != "m1"}))
    assert "m1" not in new.snapshot.models("anthropic")
    price = facts(new.snapshot, "m1", tmp_path).price
    assert price is not None and price.input_per_mtok == Decimal(1)


@pytest.mark.parametrize("wrong", [-1, "free", True, 1e9, [3], "-3"])
def test_one_wrong_price_leaves_that_model_as_it_was(wrong: object, tmp_path: Path) -> None:
    many = {f"x{number}": entry() for number in range(30)}
    new = renewed(published(anthropic=MODELS | many | {"m3": entry(wrong, 1)}))
    assert list(new.refused) == [("anthropic", "m3")]
    price = facts(new.snapshot, "m3", tmp_path).price
    assert price is not None and price.input_per_mtok == Decimal(3)
    assert "m3" in new.snapshot.models("anthropic")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "no JSON"),
        (b"<html>", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no model of a service that is known"),
        (b'{"anthropic":{"models":[]}}', "no model of a service that is known"),
        (published(anthropic=MODELS).replace(b'"input": 3,', b'"input": NaN,'), "NaN is no number"),
        (published(anthropic=MODELS).replace(b'"input": 3,', b'"input": -Infinity,'), "no number"),
        (published(anthropic=MODELS | {"m1": entry(-1), "m2": entry(-1)}), "2 of its 10 entries cannot be right"),
        (published(anthropic={"m1": entry()}), "would lose most models: 1 of the 10"),
        (published(openai=MODELS), "would lose most models: 0 of the 10"),
        (published(anthropic={name: entry(day="2026-09-01") for name in MODELS}), "older: its newest entry is of 2026"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused_with_the_reason(text: bytes, reason: str) -> None:
    with pytest.raises(CatalogueError, match=reason):
        renewed(text)


def test_age_is_told_by_the_newest_entries_where_both_are_known() -> None:
    current = table(published(anthropic=MODELS), date="2026-11-17", newest="2026-11-01")
    assert renewed(published(anthropic=MODELS), current, live=False).snapshot.date == "2026-11-17"
    later = table(published(anthropic=MODELS), date="2026-11-17", newest="2026-11-02")
    with pytest.raises(CatalogueError, match="newest entry is of 2026-11-01, the one in use has one of 2026-11-02"):
        renewed(published(anthropic=MODELS), later)


def test_a_file_describes_the_day_of_its_newest_entry() -> None:
    assert renewed(published(anthropic=MODELS), live=False).snapshot.date == "2026-11-01"


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "MAX_BYTES", 100)
    with pytest.raises(CatalogueError, match="larger than"):
        renewed(published(anthropic=MODELS))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["anthropic", "models", "m1", "cost", "limit", "modalities", "output", "input", "text"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_whatever_is_published_is_taken_or_refused(value: object) -> None:
    try:
        new = renewed(json.dumps(value).encode())
    except CatalogueError:
        return
    assert unpacked(new.snapshot.packed()) == new.snapshot


# --- the file -------------------------------------------------------------------------------------------------------


def test_the_newer_of_the_two_tables_is_used(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.json.gz"
    catalogue = Catalogue({}, refreshed=file)
    assert catalogue.snapshot is shipped()
    file.write_bytes(Snapshot(date="2020-01-01", providers=CURRENT.providers, fetched=NOW).packed())
    assert Catalogue({}, refreshed=file).snapshot is shipped()
    file.write_bytes(Snapshot(date="2199-01-01", providers=CURRENT.providers, fetched=NOW).packed())
    newer = Catalogue({}, refreshed=file)
    assert (newer.date, newer.problem, newer.models("anthropic")) == ("2199-01-01", "", tuple(sorted(MODELS)))


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"not gzip",
        CURRENT.packed()[:-20],
        gzip.compress(b"{}", mtime=0),
        gzip.compress(b'{"date":"2199-01-01","providers":{"anthropic":{"m1":[1,2]}}}', mtime=0),
        gzip.compress(b'{"date":"2199-01-01","providers":{"anthropic":{"m1":[1,2,0,[-3,1,null,null]]}}}', mtime=0),
        gzip.compress(b'{"date":"2199-01-01","providers":{"anthropic":{"m1":[1,2,0,[NaN,1,null,null]]}}}', mtime=0),
        gzip.compress(b" " * 40_000_000, mtime=0),
    ],
)
def test_a_broken_file_is_ignored_with_a_warning(broken: bytes, tmp_path: Path) -> None:
    file = tmp_path / "catalogue.json.gz"
    file.write_bytes(broken)
    catalogue = Catalogue({}, refreshed=file)
    assert catalogue.snapshot is shipped()
    assert str(file) in catalogue.problem and "patchbay models refresh" in catalogue.problem
    assert catalogue.freshness.words(NOW) == f"prices as of {shipped().date}, shipped"


@pytest.mark.parametrize(
    ("freshness", "words"),
    [
        (Freshness(date="2026-05-21"), "prices as of 2026-05-21, shipped"),
        (Freshness(date=TODAY, fetched=NOW), "prices refreshed 2 h ago"),
        (Freshness(date="2026-11-01", fetched=NOW), "prices as of 2026-11-01, refreshed 2 h ago"),
    ],
)
def test_freshness_in_words(freshness: Freshness, words: str) -> None:
    assert freshness.words(NOW + 2 * 3600 + 5) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "just now"), (59, "just now"), (60, "1 min ago"), (3600, "1 h ago"), (172_800, "2 days ago")],
)
def test_ago(seconds: float, words: str) -> None:
    assert ago(seconds) == words


# --- the network ----------------------------------------------------------------------------------------------------


GZIP = {"content-encoding": "gzip"}
BOMB = gzip.compress(b" " * 40_000_000, mtime=0)


def fetched(answer, url: str = refresh.SOURCE) -> bytes:
    return asyncio.run(fetch(url, transport=httpx.MockTransport(answer)))


def test_it_is_fetched_without_a_key() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=b"{}")

    assert fetched(answer) == b"{}"
    assert str(asked[0].url) == "https://models.dev/api.json"
    assert "authorization" not in asked[0].headers


def test_redirects_are_followed_to_https_only() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "models.dev":
            return httpx.Response(301, headers={"location": "https://cdn.example/api.json"})
        return httpx.Response(200, content=b"{}")

    assert fetched(answer) == b"{}"
    with pytest.raises(CatalogueError, match="is not https"):
        fetched(lambda request: httpx.Response(302, headers={"location": "http://cdn.example/api.json"}))
    with pytest.raises(CatalogueError, match="redirects too often"):
        fetched(lambda request: httpx.Response(302, headers={"location": "/again"}))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda request: httpx.Response(503), "HTTP 503"),
        (
            lambda request: httpx.Response(200, content=gzip.compress(b" " * 40_000_000, mtime=0), headers=GZIP),
            "more than 32 MB",
        ),
        (lambda request: httpx.Response(200, content=b"no gzip", headers=GZIP), "cannot be fetched"),
    ],
)
def test_a_bad_answer_is_an_error_with_its_cause(answer, reason: str) -> None:
    with pytest.raises(CatalogueError, match=reason):
        fetched(answer)


def test_no_network_says_what_else_can_be_done() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    with pytest.raises(CatalogueError, match="--from FILE"):
        fetched(answer)

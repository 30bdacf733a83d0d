"""Any grouping adds up to the total, and the total to the rows: to the last digit, for any ledger."""

from datetime import UTC, timedelta, timezone
from decimal import Decimal, localcontext

from hypothesis import given, settings
from hypothesis import strategies as st

from patchbay.app.engine.events import CostSource
from patchbay.app.engine.exact import plain, split, split_count, total
from patchbay.app.engine.ledger_rows import LedgerCall, Query, ToolUse
from patchbay.app.engine.spending import CONVERSATION, By, Spent, grouped, spent, tool_shares

amounts = st.decimals(min_value=0, max_value=10**7, places=None, allow_nan=False, allow_infinity=False)
counts = st.one_of(st.none(), st.integers(0, 10**9))


@st.composite
def calls(draw: st.DrawFn, number: int) -> LedgerCall:
    cost = draw(st.one_of(st.none(), amounts))
    known = st.sampled_from([CostSource.REPORTED, CostSource.COMPUTED, CostSource.ESTIMATED])
    return LedgerCall(
        request_id=f"req-{number}",
        session_id=draw(st.sampled_from(["s1", "s2", "s3"])),
        turn_id=draw(st.sampled_from(["", "t1", "t2", "t3"])),
        at=1_700_000_000.0 + draw(st.integers(0, 10**7)),
        provider=draw(st.sampled_from(["anthropic", "openai"])),
        model=draw(st.sampled_from(["a", "b", "maker/c:free"])),
        input_tokens=draw(counts),
        cache_read_tokens=draw(counts),
        cache_write_tokens=draw(counts),
        output_tokens=draw(counts),
        thinking_tokens=draw(counts),
        cost=cost,
        source=CostSource.UNKNOWN if cost is None else draw(known),
        duration_s=draw(st.floats(0, 100)),
        first_token_s=draw(st.one_of(st.none(), st.floats(0, 100))),
        error_kind=draw(st.sampled_from([None, None, "overloaded"])),
        purpose=draw(st.sampled_from(["answer", "answer", "answer", "title", "compaction"])),
        usage_estimated=draw(st.booleans()),
    )


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[list[LedgerCall], list[ToolUse]]:
    rows = sorted((draw(calls(number)) for number in range(draw(st.integers(0, 12)))), key=lambda call: call.at)
    uses = [
        ToolUse(
            run_id=f"{call.request_id}.{place}",
            request_id=call.request_id,
            name=draw(st.sampled_from(["read", "bash", "edit"])),
            chars=draw(st.integers(0, 10_000)),
        )
        for call in rows
        for place in range(draw(st.integers(0, 3)))
    ]
    return rows, uses


def sums(groups: list[Spent]) -> tuple[object, ...]:
    numbers = ("calls", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "thinking_tokens")
    more = ("unknown_calls", "estimated_calls", "errors")
    by_source = [total(each.by_source.get(source, Decimal(0)) for each in groups) for source in CostSource]
    return (
        *(sum(getattr(each, name) for each in groups) for name in (*numbers, *more)),
        total(each.cost for each in groups),
        *by_source,
    )


@settings(max_examples=40)
@given(ledgers())
def test_every_grouping_adds_up_to_the_total_and_to_the_rows(ledger: tuple[list[LedgerCall], list[ToolUse]]) -> None:
    rows, uses = ledger
    whole = spent(rows)
    with localcontext(prec=500):
        assert whole.cost == sum((row.cost for row in rows if row.cost is not None), Decimal(0))
    shares = tool_shares(rows, uses)
    for by in By:
        groups = grouped(rows, by, zone=UTC, shares=shares)
        assert sums(groups) == sums([whole]), by
        assert len({group.key for group in groups}) == len(groups)


@given(amounts, st.lists(st.integers(0, 10**6), min_size=1, max_size=9))
def test_parts_add_up_to_the_whole(amount: Decimal, weights: list[int]) -> None:
    parts = split(amount, weights)
    assert total(parts) == amount
    assert all(part >= 0 for part in parts)
    if any(weights):
        # No part of nothing, but for what rounding leaves.
        assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if weight == 0)


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=9))
def test_whole_parts_add_up_too(count: int, weights: list[int]) -> None:
    assert sum(split_count(count, weights)) == count


@given(amounts)
def test_an_amount_in_words_is_the_amount(amount: Decimal) -> None:
    words = plain(amount)
    assert Decimal(words) == amount
    assert len(words.partition(".")[2]) >= 2


def test_sums_have_more_digits_than_pythons_own_context_keeps() -> None:
    large, small = Decimal("1234567.000000000000000000001"), Decimal("0.0000000000000000000000000009")
    assert large + small != total([large, small]) == Decimal("1234567.0000000000000000000010000009")


def row(number: int, **facts: object) -> LedgerCall:
    defaults: dict[str, object] = {
        "request_id": f"r{number}",
        "session_id": "s",
        "turn_id": "t",
        "at": 1_700_000_000.0 + number,
        "provider": "p",
        "model": "m",
        "cost": Decimal("0.3"),
        "source": CostSource.COMPUTED,
    }
    return LedgerCall(**(defaults | facts))


def test_a_retry_brings_the_same_results_again_and_an_answer_ends_that() -> None:
    rows = [row(0), row(1, error_kind="overloaded"), row(2), row(3)]
    uses = [ToolUse(run_id="r0.0", request_id="r0", name="bash", chars=10)]
    assert tool_shares(rows, uses) == {"r1": {"bash": 10}, "r2": {"bash": 10}}
    assert {each.key: each.calls for each in grouped(rows, By.TOOL, shares=tool_shares(rows, uses))} == {
        "bash": 2,
        CONVERSATION: 2,
    }


def test_results_go_to_their_own_session() -> None:
    rows = [row(0), row(1, session_id="other"), row(2)]
    uses = [ToolUse(run_id="r0.0", request_id="r0", name="bash", chars=10)]
    assert tool_shares(rows, uses) == {"r2": {"bash": 10}}


def test_days_and_months_are_local() -> None:
    late = row(0, at=1_700_005_000.0)  # 2023-11-14 23:36:40 UTC
    assert [each.key for each in grouped([late], By.DAY, zone=UTC)] == ["2023-11-14"]
    assert [each.key for each in grouped([late], By.DAY, zone=timezone(timedelta(hours=1)))] == ["2023-11-15"]
    assert [each.key for each in grouped([late], By.MONTH, zone=UTC)] == ["2023-11"]


def test_latency_counts_calls_that_did_not_fail() -> None:
    rows = [row(n, duration_s=float(n), first_token_s=n / 10, output_tokens=9) for n in range(1, 21)]
    rows.append(row(30, duration_s=500.0, error_kind="timeout"))
    found = spent(rows)
    assert (found.latency_s, found.latency_p95_s) == (10.5, 19.0)
    assert (found.first_token_s, found.errors) == (1.05, 1)
    assert found.tokens_per_s is not None
    assert abs(found.tokens_per_s - 20 * 9 / (210 * 0.9)) < 1e-9


def test_nothing_is_nothing() -> None:
    found = spent([])
    assert (found.cost, found.calls, found.cache_hit_rate, found.latency_s, found.tokens_per_s) == (
        0,
        0,
        None,
        None,
        None,
    )
    assert grouped([], By.MODEL) == []


def test_the_query_takes_models_by_id_by_full_name_and_by_pattern() -> None:
    call = row(0, provider="OpenRouter", model="anthropic/Claude-4")
    for given_ in ("anthropic/claude-4", "openrouter/anthropic/claude-4", "openrouter/*", "*claude*"):
        assert Query(model=given_).takes(call), given_
    assert not Query(model="claude").takes(call)
    assert Query(provider="openrouter", since=call.at, until=call.at + 1).takes(call)
    assert not Query(until=call.at).takes(call)
    assert not Query(session_id="other").takes(call)
    assert not Query(folder="/x").takes(call)

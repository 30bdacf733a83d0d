from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.engine.forecast import ALLOWANCE, FIRST_ANSWER, forecast, output_room
from patchbay.app.engine.state import SessionState, StreamText, TextPart
from patchbay.providers.base import FREE, Price, PriceTier
from patchbay.providers.events import Usage
from patchbay.providers.pricing import cost_of
from support.session_states import answer, model

D = Decimal
CACHED = Price(input_per_mtok=D(3), output_per_mtok=D(15), cache_read_per_mtok=D("0.3"), cache_write_per_mtok=D("3.75"))
CLAUDE = replace(model(), price=CACHED)
GPT_LIKE = replace(CLAUDE, price=replace(CACHED, cache_write_per_mtok=None))
GPT = model("openai", "gpt-5", price=Price(input_per_mtok=D("1.25"), output_per_mtok=D(10)))


def answered(usage, estimated=10_000, ref=CLAUDE.ref, ended=1000.0):
    part = TextPart(index=0, text=StreamText(["x"], 1, 1), closed=True)
    return answer(usage=usage, estimated_input_tokens=estimated, ref=ref, ended_at=ended, parts=(part,))


def state(*answers):
    return SessionState(model=CLAUDE, dialect="anthropic_messages", transcript=answers)


def test_before_any_answer_the_estimate_stands_and_the_bound_is_wide():
    plan = forecast(state(), replace(CLAUDE, max_output=64_000), 5000, cost_of, now=0.0)
    assert (plan.input_tokens, plan.cached_tokens, plan.output_tokens) == (5000, 0, FIRST_ANSWER)
    assert (plan.most_input, plan.most_output) == (6500, ALLOWANCE)
    assert plan.expected == (5000 * D("3.75") + FIRST_ANSWER * 15) / 1_000_000
    assert plan.rough


def test_the_servers_own_count_calibrates_what_comes():
    before = answered(Usage(input_tokens=12_000, output_tokens=500))
    plan = forecast(state(before), CLAUDE, 11_000, cost_of, now=1001.0)
    assert plan.input_tokens == 12_000 + 1000 * 1.2
    assert plan.output_tokens == 500
    assert not plan.rough
    assert plan.expected == (13_200 * 3 + 500 * 15) / D(1_000_000)


def test_a_count_of_some_other_text_says_nothing_of_new_text():
    before = answered(Usage(input_tokens=400, output_tokens=50))
    plan = forecast(state(before), CLAUDE, 10_300, cost_of, now=1001.0)
    assert 600 <= plan.input_tokens <= 700
    assert plan.most_input >= 700


def test_what_was_read_and_written_is_cached_for_some_minutes():
    before = answered(Usage(input_tokens=10, cache_read_tokens=7000, cache_write_tokens=2990, output_tokens=200))
    soon = forecast(state(before), CLAUDE, 10_500, cost_of, now=1100.0)
    assert (soon.input_tokens, soon.cached_tokens) == (10_500, 9990)
    assert soon.expected == (510 * D("3.75") + 9990 * D("0.3") + 200 * 15) / 1_000_000
    assert forecast(state(before), CLAUDE, 10_500, cost_of, now=1301.0).cached_tokens == 0


def test_a_cache_that_fills_by_itself_is_expected_but_not_counted_on_before_it_was_seen():
    first = answered(Usage(input_tokens=10_000, cache_read_tokens=0, output_tokens=200))
    plan = forecast(state(first), GPT_LIKE, 10_100, cost_of, now=1001.0)
    assert plan.cached_tokens == 9500
    assert plan.most >= (10_100 * 3) / D(1_000_000)
    second = answered(Usage(input_tokens=10_100, cache_read_tokens=0, output_tokens=200))
    assert forecast(state(first, second), GPT_LIKE, 10_100, cost_of, now=1001.0).cached_tokens == 0


def test_another_model_finds_nothing_cached():
    before = answered(Usage(input_tokens=10, cache_read_tokens=9990, output_tokens=200))
    plan = forecast(state(before), GPT, 10_000, cost_of, now=1001.0, dialect="openai_responses")
    assert (plan.input_tokens, plan.cached_tokens, plan.rough) == (10_000, 0, True)
    assert plan.expected == (10_000 * D("1.25") + 200 * 10) / 1_000_000


def test_a_caches_price_of_writing_counts_where_it_is_written():
    gpt = answered(Usage(input_tokens=10_000, output_tokens=200), ref=GPT.ref)
    plan = forecast(state(gpt), CLAUDE, 10_000, cost_of, now=1001.0, dialect="anthropic_messages")
    assert plan.expected == (10_000 * D("3.75") + 200 * 15) / 1_000_000
    plain = forecast(state(gpt), CLAUDE, 10_000, cost_of, now=1001.0, dialect="openai_chat")
    assert plain.expected == (10_000 * 3 + 200 * 15) / D(1_000_000)
    uncached = answered(Usage(input_tokens=10_000, output_tokens=200))
    assert forecast(state(uncached), CLAUDE, 10_000, cost_of, now=1001.0).expected == plain.expected


def test_long_prompts_cost_their_tier():
    tier = PriceTier(above_tokens=200_000, price=Price(input_per_mtok=D(6), output_per_mtok=D("22.5")))
    tiered = replace(GPT, price=replace(GPT.price, tiers=(tier,)))
    plan = forecast(state(), tiered, 250_000, cost_of, now=0.0)
    assert plan.expected == (250_000 * 6 + FIRST_ANSWER * D("22.5")) / 1_000_000


def test_the_longest_answer_widens_the_bound_up_to_what_the_model_can_say():
    answers = [answered(Usage(input_tokens=10_000, output_tokens=length)) for length in (100, 4000, 200)]
    plan = forecast(state(*answers), CLAUDE, 10_000, cost_of, now=1001.0)
    assert (plan.output_tokens, plan.most_output) == (200, 8000)
    assert forecast(state(*answers), replace(CLAUDE, max_output=512), 10_000, cost_of, now=1001.0).most_output == 512


def test_unknown_prices_have_no_amount_and_free_ones_cost_nothing():
    unknown = forecast(state(), replace(CLAUDE, price=None), 10, cost_of, now=0.0)
    assert (unknown.expected, unknown.most) == (None, None)
    assert forecast(state(), replace(CLAUDE, price=FREE), 10, cost_of, now=0.0).most == 0


@given(st.integers(1, 500_000), st.integers(0, 50_000), st.decimals("0.01", "5", places=4))
def test_an_answer_of_the_room_there_is_never_passes_what_is_left(estimated, seen, left):
    before = answered(Usage(input_tokens=max(1, estimated - seen), output_tokens=seen), estimated=max(1, estimated))
    plan = forecast(state(before), CLAUDE, estimated + 300, cost_of, now=1001.0)
    if plan.most <= left:
        room = output_room(plan, CLAUDE, cost_of, left)
        assert room >= plan.most_output
        usage = Usage(
            input_tokens=plan.most_input - plan.cached_tokens,
            cache_read_tokens=plan.cached_tokens,
            output_tokens=room,
        )
        assert cost_of(usage, CACHED)[0] <= left


@pytest.mark.parametrize("price", [FREE, None])
def test_what_costs_nothing_has_room_without_end(price):
    free = replace(CLAUDE, price=price)
    assert output_room(forecast(state(), free, 10, cost_of, now=0.0), free, cost_of, D(0)) > 1_000_000


def test_how_a_server_counted_in_other_sessions_goes_before_how_another_counts():
    before = answered(Usage(input_tokens=9000, output_tokens=200))
    plan = forecast(state(before), GPT, 10_000, cost_of, now=1001.0, rate=1.25)
    assert (plan.input_tokens, plan.rough) == (12_500, True)
    own = forecast(state(before), CLAUDE, 10_000, cost_of, now=1001.0, rate=1.25)
    assert own.input_tokens == 9000


def test_what_was_estimated_after_a_break_is_no_count_of_the_server():
    counted = answered(Usage(input_tokens=12_000, output_tokens=500))
    broken = replace(answered(Usage(input_tokens=30_000, output_tokens=9)), usage_estimated=True)
    assert forecast(state(counted, broken), CLAUDE, 11_000, cost_of, now=1001.0).input_tokens == 13_200
    alone = forecast(state(broken), CLAUDE, 11_000, cost_of, now=1001.0)
    assert (alone.input_tokens, alone.rough) == (11_000, True)

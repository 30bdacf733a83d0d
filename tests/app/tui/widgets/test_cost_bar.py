from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from patchbay.app.engine.budget_events import BudgetLevel, BudgetReached, BudgetScope, SpendingRead
from patchbay.app.engine.budget_state import BudgetState
from patchbay.app.engine.events import RetryScheduled
from patchbay.app.engine.state import PromptEntry, SessionState, StreamText, ThinkingPart, Totals
from patchbay.app.tui.transcript.palette import ASCII_SIGNS
from patchbay.app.tui.widgets.cost_bar import CostBar, bar_segments, live_usage
from patchbay.providers.base import FREE
from patchbay.providers.events import Usage
from patchbay.providers.messages import Effort
from patchbay.tools.base import Mode
from support.session_states import PAID, answer, model, question, run
from support.sessions import cost_of
from support.widget_app import WidgetApp

NOW = 110.0


def bar(state: SessionState, width: int = 160, now: float = NOW) -> str:
    return "".join(segment.text for segment in bar_segments(state, now, width, cost_of))


def role_of(state: SessionState, text: str, width: int = 160) -> str:
    return next(part.role for part in bar_segments(state, NOW, width, cost_of) if text in part.text)


TOTALS = Totals(calls=2, input_tokens=12_400, cache_read_tokens=9100, output_tokens=2100, cost=Decimal("0.0431"))
IDLE = SessionState(model=model(window=200_000), context_tokens=74_000, totals=TOTALS)
STREAMING = SessionState(model=model(), turn_id="t1", answer=answer(), context_tokens=3000, totals=TOTALS)


def test_an_idle_bar_says_everything_once():
    text = bar(IDLE)
    assert text.startswith(" anthropic · claude-sonnet-4-6   ○ ready")
    assert text.endswith("ctx ▰▰▰▱▱▱▱▱  37 %   in  12.4k  cache   9.1k  out   2.1k      $0.043      ask ")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (SessionState(), "no model  ○ ready"),
        (SessionState(model=model(), turn_id="t", turn_started_at=108.0), "○ waiting for first token   2.0 s"),
        (SessionState(model=model(), answer=answer(first_token_at=None)), "○ waiting for first token  10.0 s"),
        (STREAMING, "● streaming   25 t/s"),
        (SessionState(model=model(), active_runs=(run(started_at=107.6),)), "● tool bash   2.4 s"),
        (SessionState(model=model(), active_runs=(run(), run(run_id="2"))), "● tool bash +1  10.0 s"),
        (SessionState(model=model(), active_runs=(run(),), approvals=(question(),)), "● waits for your answer"),
    ],
)
def test_every_phase_has_its_word_and_its_clock(state: SessionState, words: str):
    assert words in bar(state)


def test_the_effort_is_named_unless_it_is_the_providers_own():
    assert "default" not in bar(IDLE)
    assert bar(replace(IDLE, effort=Effort.HIGH)).startswith(" anthropic · claude-sonnet-4-6 high   ○ ready")


@pytest.mark.parametrize(("now", "left"), [(110.0, "4 s"), (113.9, "1 s"), (115.0, "0 s")])
def test_a_wait_before_the_next_attempt_is_counted_down(now: float, left: str):
    retry = RetryScheduled(
        turn_id="t",
        request_id="q1",
        attempt=2,
        attempts=5,
        wait_s=4.0,
        due_at=114.0,
        reason="rate limit\x1b[31m (429)",
    )
    state = SessionState(model=model(), turn_id="t", turn_started_at=100.0, retry=retry)
    assert f"● retry 2/5 in {left}: rate limit" in bar(state, now=now)
    assert "\x1b" not in bar(state, now=now)


def test_thinking_is_told_from_answering():
    thought = ThinkingPart(index=0, text=StreamText(), started_at=101.0)
    assert "● thinking" in bar(SessionState(model=model(), answer=answer(parts=(thought,))))


def test_a_rate_is_shown_only_when_it_means_something():
    assert "t/s" not in bar(STREAMING, now=102.3)


def test_prompts_that_wait_are_counted():
    queued = (PromptEntry(prompt_id="p", text="x", at=1.0),)
    assert "+1 queued" in bar(SessionState(model=model(), answer=answer(), queued=queued))


def test_the_open_answer_counts_as_an_estimate_until_the_provider_counts():
    assert live_usage(answer()) == Usage(input_tokens=4000, output_tokens=200)
    text = bar(STREAMING)
    # 4,000 in and 200 out on top of the sums; 0.0431 + 4000 * 3e-6 + 200 * 15e-6.
    assert "in ~16.4k" in text
    assert "out  ~2.3k" in text
    assert text.endswith("  ~$0.058      ask ")


def test_counted_input_is_exact_while_the_output_still_grows():
    counted = Usage(input_tokens=500, cache_read_tokens=3500, output_tokens=1)
    text = bar(SessionState(model=model(), answer=answer(usage=counted), totals=TOTALS))
    assert "in  12.9k  cache  12.6k  out  ~2.3k" in text


def test_input_all_from_the_cache_is_not_estimated_again():
    cached = Usage(cache_read_tokens=4000)
    assert live_usage(answer(usage=cached)) == Usage(input_tokens=0, cache_read_tokens=4000, output_tokens=200)


def test_the_context_does_not_shrink_when_an_estimate_begins():
    state = SessionState(model=model(window=200_000), answer=answer(), context_tokens=74_000)
    assert "~37 %" in bar(state)


def test_the_context_of_the_open_answer_is_what_was_sent_and_came():
    assert "ctx ▰▱▱▱▱▱▱▱  ~2 %" in bar(STREAMING)


@pytest.mark.parametrize(("used", "role"), [(100_000, "text"), (150_000, "warn"), (190_000, "danger")])
def test_a_full_window_warns(used: int, role: str):
    state = SessionState(model=model(window=200_000), context_tokens=used)
    assert role_of(state, f"{used // 2000} %") == role


def test_an_overfull_window_does_not_break_the_gauge():
    assert "ctx ▰▰▰▰▰▰▰▰ 150 %" in bar(SessionState(model=model(window=1000), context_tokens=1500))


def test_an_unknown_window_has_no_percentage():
    assert "ctx   8.2k" in bar(SessionState(model=model(window=None), context_tokens=8200))
    assert "ctx      ?" in bar(SessionState(model=model()))


@pytest.mark.parametrize(
    ("state", "cost"),
    [
        (SessionState(model=model(price=FREE)), "free"),
        (SessionState(model=model(price=FREE), totals=Totals(calls=3)), "free"),
        (SessionState(model=model(price=FREE), totals=TOTALS), "$0.043"),
        (SessionState(model=model(price=None)), "price ?"),
        (SessionState(model=model(price=None), totals=Totals(calls=1, unknown_calls=1)), "cost unknown"),
        (SessionState(model=model(price=None), answer=answer()), "cost unknown"),
        (SessionState(model=model(), totals=Totals(calls=2, unknown_calls=1, cost=Decimal("0.5"))), "$0.500 + ?"),
        (SessionState(model=model(), totals=Totals(calls=1, estimated=True, cost=Decimal("0.5"))), "~$0.500"),
        (SessionState(model=model(price=PAID)), "$0.00"),
    ],
)
def test_free_unknown_estimated_and_exact_money_are_told_apart(state: SessionState, cost: str):
    assert bar(state).endswith(f" {cost}      ask ")


@pytest.mark.parametrize(
    ("mode", "words"), [(Mode.PLAN, " plan"), (Mode.ASK, "  ask"), (Mode.ACCEPT_EDITS, "edits"), (Mode.AUTO, " auto")]
)
def test_the_mode_and_what_protects_stand_at_the_end_on_the_same_cells(mode: Mode, words: str):
    state = replace(IDLE, mode=mode, protection="landlock")
    assert bar(state).endswith(f"$0.043    {words} · landlock ")
    assert bar(state).index("ctx") == bar(replace(IDLE, protection="landlock")).index("ctx")
    assert words in bar(replace(STREAMING, mode=mode, protection="landlock"), 80)


def test_what_protects_is_safe_text():
    assert "\x1b" not in bar(replace(IDLE, protection="land\x1b[2Jlock"))


def test_numbers_stay_in_their_columns_while_they_count():
    def at(chars: int) -> tuple[int, ...]:
        text = bar(SessionState(model=model(), answer=answer(output_chars=chars), totals=TOTALS))
        return tuple(text.index(word) for word in ("t/s", "ctx ", "in ", "cache ", "out "))

    assert len({at(chars) for chars in (40, 400, 4000, 40_000)}) == 1


@pytest.mark.parametrize(
    ("width", "kept", "gone"),
    [
        (80, ["claude-sonnet-4-6", "streaming", "ctx", "~$0.058", "ask"], ["cache", "out", "▰"]),
        (100, ["streaming", "ctx", "~$0.058"], ["cache"]),
        (60, ["claude-sonnet-4-6", "streaming", "~$0.058"], ["anthropic", "ctx"]),
        (24, ["~$0.058", "ask"], ["ctx"]),
    ],
)
def test_a_narrow_bar_leaves_out_what_matters_least(width: int, kept: list[str], gone: list[str]):
    text = bar(STREAMING, width)
    assert [word for word in kept if word not in text] == []
    assert [word for word in gone if word in text] == []


@given(st.integers(0, 220), st.sampled_from([IDLE, STREAMING, SessionState()]), st.text(max_size=60))
def test_the_bar_fills_its_width_exactly(width: int, state: SessionState, name: str):
    if state.model is not None:
        state = SessionState(model=model(name=name or "m"), answer=state.answer, totals=state.totals)
    assert cell_len(bar(state, width)) == width


def test_model_names_cannot_paint_controls():
    text = bar(SessionState(model=model(name="evil\x1b[31m\u202ename")))
    assert "\x1b" not in text
    assert "evil⟨U+202E⟩name" in text


def test_poor_terminals_get_ascii():
    segments = bar_segments(IDLE, NOW, 160, cost_of, ASCII_SIGNS)
    assert "".join(segment.text for segment in segments).isascii()


async def test_the_widget_paints_the_state_and_takes_names_literally():
    app = WidgetApp(lambda: [CostBar(cost_of, clock=lambda: NOW)])
    async with app.run_test(size=(120, 3)) as pilot:
        app.query_one(CostBar).sync(SessionState(model=model(name="[red]x[/]"), totals=TOTALS))
        await pilot.pause()
        row = app.screen_text()[0]
    assert "[red]x[/]" in row
    assert "$0.043" in row


@pytest.mark.parametrize(
    ("limit", "role"), [(Decimal("2.00"), "muted"), (Decimal("0.05"), "warn"), (Decimal("0.04"), "danger")]
)
def test_a_budget_stands_behind_the_cost_and_warns(limit: Decimal, role: str):
    state = replace(IDLE, budget=BudgetState(session=limit))
    assert f"$0.043 of ${limit}" in bar(state)
    assert f"$0.043 of ${limit}" in bar(state, 80)
    assert role_of(state, "of $") == role


def test_the_nearest_limit_is_the_one_that_is_shown():
    others = SpendingRead(today="2026-03-02", day=Decimal("4.50"), month=Decimal("9"))
    budget = BudgetState(session=Decimal(2), day=Decimal(5), month=Decimal(100), others=others)
    assert "$0.043 day $4.50 of $5.00" in bar(replace(IDLE, budget=budget))


def test_a_request_that_waits_for_its_budget_is_said():
    waiting = BudgetReached(
        scope=BudgetScope.SESSION, level=BudgetLevel.PAUSE, spent=Decimal(2), limit=Decimal(2), forecast=Decimal(1)
    )
    state = replace(IDLE, turn_id="t", budget=BudgetState(session=Decimal(2), waiting=waiting))
    assert "● budget: waits for your answer" in bar(state)

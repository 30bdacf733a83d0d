from dataclasses import replace
from decimal import Decimal

from patchbay.app.engine.budget_events import BudgetLevel, BudgetReached, BudgetScope
from patchbay.app.engine.forecast import Forecast
from patchbay.app.engine.preview import Preview
from patchbay.app.engine.spent import ModelRecord
from patchbay.app.engine.state import SessionState
from patchbay.app.tui.shelf import Inspection
from patchbay.app.tui.widgets.switcher_meaning import meaning, shown
from patchbay.app.tui.widgets.switcher_rows import all_rows, arranged
from patchbay.providers.base import FREE
from support.session_states import model, provider

NOW = model(name="sonnet")
OTHER = model("openai", "gpt", window=100_000)
ROWS = all_rows([provider("anthropic", NOW), provider("openai", OTHER)])
STATE = SessionState(model=NOW, context_tokens=30_000)


def plan(expected="0.05", tokens=37_000, cached=0):
    return Forecast(
        input_tokens=tokens,
        cached_tokens=cached,
        output_tokens=300,
        expected=None if expected is None else Decimal(expected),
        most_input=tokens,
        most_output=1024,
        most=None if expected is None else Decimal(expected) * 2,
        rough=True,
    )


AHEAD = Preview(model=OTHER, plan=plan(), now=plan("0.008", cached=30_000), lost=(), over=None)
RECORD = ModelRecord(calls=38, failed=1, duration_s=4.2, first_token_s=1.13)


def said(ahead=AHEAD, record=RECORD, row=1, state=STATE):
    return shown(meaning(state, ROWS[row], Inspection(preview=ahead, record=record))).splitlines()


def test_three_lines_say_fit_and_money_loss_and_record():
    assert said() == [
        "fits (37 % of its window)  · next request ~$0.050, the cache is lost (now ~$0.0080)",
        "nothing is lost",
        "first token 1.1 s, answer 4.2 s (median)  · 3 % failed of the last 38",
    ]


def test_what_is_lost_is_named():
    lost = replace(AHEAD, lost=("2 images it cannot see", "thinking"))
    assert said(lost)[1] == "lost: 2 images it cannot see, thinking"


def test_a_window_too_small_a_budget_and_failures_warn():
    over = BudgetReached(
        scope=BudgetScope.SESSION, level=BudgetLevel.PAUSE, spent=Decimal(1), limit=Decimal(2), forecast=Decimal(3)
    )
    lines = said(
        replace(AHEAD, plan=plan("3", tokens=120_000), over=over),
        ModelRecord(calls=4, failed=4, duration_s=None, first_token_s=None),
    )
    assert lines[0].startswith("does not fit: ~120k in use, window 100 k. Shorten the session first")
    assert lines[0].endswith("over the budget for this session")
    assert lines[2] == "100 % failed of the last 4"


def test_unknown_and_free_prices_are_no_forecast():
    assert "price unknown" in said(replace(AHEAD, model=replace(OTHER, price=None), plan=plan(None)))[0]
    assert said(replace(AHEAD, model=replace(OTHER, price=FREE), plan=plan("0")))[0].endswith("· free")


def test_the_model_that_answers_now_says_what_it_costs_and_how_it_does():
    mine = Preview(model=NOW, plan=plan("0.008"), now=None, lost=(), over=None)
    assert said(mine, None, row=0) == [
        "This model answers now.  · next request ~$0.0080",
        "not asked from here yet",
    ]


def test_before_anything_is_worked_out_the_first_line_stands():
    assert shown(meaning(STATE, ROWS[1], None)) == "fits (30 % of its window)"


def test_favourites_then_recent_models_stand_on_top():
    refs = [row.ref for row in arranged(ROWS, (OTHER.ref,), (NOW.ref,))]
    assert refs == [OTHER.ref, NOW.ref]
    assert arranged(ROWS, (), ()) == ROWS

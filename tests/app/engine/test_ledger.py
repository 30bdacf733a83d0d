from dataclasses import replace
from decimal import Decimal

from patchbay.app.engine.events import CostSource
from patchbay.app.engine.ledger import priced
from patchbay.app.engine.state import AnswerEntry, StreamText, TextPart
from patchbay.providers.base import FREE, ModelRef
from patchbay.providers.events import ErrorKind, ResponseError, Usage
from support.sessions import cost_of, model

ENTRY = AnswerEntry(
    request_id="r",
    turn_id="t",
    ref=ModelRef(provider="fake", model="demo"),
    dialect="d",
    started_at=100.0,
    first_token_at=101.5,
    estimated_input_tokens=1000,
    output_chars=370,
    parts=(TextPart(index=0, text=StreamText().appended("x" * 370)),),
)


def test_a_counted_call_is_computed_at_the_price_of_the_moment():
    row = priced(replace(ENTRY, usage=Usage(input_tokens=1_000, output_tokens=10)), model(), cost_of, ended_at=104.0)
    assert row.cost.amount == Decimal("0.00315")
    assert row.cost.source is CostSource.COMPUTED
    assert row.price == model().price
    assert (row.duration_s, row.first_token_s) == (4.0, 1.5)


def test_an_uncounted_call_is_estimated_and_says_so():
    row = priced(ENTRY, model(), cost_of, ended_at=104.0)
    assert row.usage == Usage(input_tokens=1000, output_tokens=100)
    assert row.cost.amount == Decimal("0.0045")
    assert row.cost.source is CostSource.ESTIMATED
    assert row.usage_estimated


def test_an_unknown_price_stays_unknown_and_a_free_one_is_zero():
    unknown = priced(ENTRY, replace(model(), price=None), cost_of, ended_at=104.0)
    assert (unknown.cost.amount, unknown.cost.source) == (None, CostSource.UNKNOWN)
    free = priced(ENTRY, replace(model(), price=FREE), cost_of, ended_at=104.0)
    assert (free.cost.amount, free.cost.source) == (0, CostSource.COMPUTED)


def test_a_call_that_never_reached_a_model_costs_nothing():
    error = ResponseError(kind=ErrorKind.NETWORK, message="refused")
    row = priced(replace(ENTRY, parts=(), output_chars=0, error=error), model(), cost_of, ended_at=104.0)
    assert (row.cost.amount, row.error_kind) == (0, "network")

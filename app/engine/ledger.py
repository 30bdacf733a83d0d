"""Money: what one HTTP call used and what it cost, frozen at the price of that moment. Pure.

A provider's own count wins. Where a call ended without one (cancelled, broken off, or a server that counts
nothing), tokens are estimated from characters and the row says so. Unknown stays unknown, never zero.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeAlias

from ...providers.base import ModelInfo, ModelRef, Price
from ...providers.events import ResponseError, Usage
from .events import CallPriced, CallPurpose, Cost, CostSource
from .state import AnswerEntry, estimate_tokens

CostOf: TypeAlias = Callable[[Usage, Price | None], tuple[Decimal | None, str]]
"""Prices a usage: the amount in USD (None when unknown) and the name of a ``CostSource``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """An HTTP call that ended, as far as the ledger is concerned. Times are seconds since the epoch."""

    request_id: str
    turn_id: str
    ref: ModelRef
    started_at: float
    first_token_at: float | None
    estimated_input_tokens: int
    output_chars: int
    answered: bool
    """Whether a model began to answer: a call that never reached one used nothing."""
    usage: Usage
    error: ResponseError | None


def counted(call: Called) -> tuple[Usage, bool]:
    """The call's usage, and whether any of it is estimated. A call that never reached a model used nothing."""
    usage = call.usage
    if (usage.input_tokens is not None and usage.output_tokens is not None) or not call.answered:
        return usage, False
    filled = replace(
        usage,
        input_tokens=call.estimated_input_tokens if usage.input_tokens is None else usage.input_tokens,
        output_tokens=estimate_tokens(call.output_chars) if usage.output_tokens is None else usage.output_tokens,
    )
    return filled, True


def priced(answer: AnswerEntry, model: ModelInfo, cost_of: CostOf, *, ended_at: float) -> CallPriced:
    """The ledger row of a response that just ended."""
    called = Called(
        request_id=answer.request_id,
        turn_id=answer.turn_id,
        ref=answer.ref,
        started_at=answer.started_at,
        first_token_at=answer.first_token_at,
        estimated_input_tokens=answer.estimated_input_tokens,
        output_chars=answer.output_chars,
        answered=bool(answer.parts),
        usage=answer.usage,
        error=answer.error,
    )
    return priced_call(called, model, cost_of, ended_at=ended_at)


def priced_call(
    call: Called,
    model: ModelInfo,
    cost_of: CostOf,
    *,
    ended_at: float,
    purpose: CallPurpose = CallPurpose.ANSWER,
) -> CallPriced:
    """The ledger row of a call that just ended, whatever it was for."""
    usage, estimated = counted(call)
    if call.error is not None and not call.answered and usage == Usage():
        cost = Cost(amount=Decimal(0), source=CostSource.COMPUTED)
    else:
        amount, source = cost_of(usage, model.price)
        kind = CostSource(source)
        if estimated and kind is CostSource.COMPUTED and amount:
            kind = CostSource.ESTIMATED
        cost = Cost(amount=amount, source=kind)
    first = call.first_token_at
    return CallPriced(
        turn_id=call.turn_id,
        request_id=call.request_id,
        ref=call.ref,
        usage=usage,
        cost=cost,
        price=model.price,
        usage_estimated=estimated,
        duration_s=max(0.0, ended_at - call.started_at),
        first_token_s=None if first is None else max(0.0, first - call.started_at),
        error_kind=None if call.error is None else call.error.kind.value,
        purpose=purpose,
    )

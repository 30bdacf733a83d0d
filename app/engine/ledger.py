"""Money: what one HTTP call used and what it cost, frozen at the price of that moment. Pure.

A provider's own count wins. Where a call ended without one (cancelled, broken off, or a server that counts
nothing), tokens are estimated from characters and the row says so. Unknown stays unknown, never zero.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TypeAlias

from ...providers.base import ModelInfo, Price
from ...providers.events import Usage
from .events import CallPriced, Cost, CostSource
from .state import AnswerEntry, estimate_tokens

CostOf: TypeAlias = Callable[[Usage, Price | None], tuple[Decimal | None, str]]
"""Prices a usage: the amount in USD (None when unknown) and the name of a ``CostSource``."""


def counted(answer: AnswerEntry) -> tuple[Usage, bool]:
    """The answer's usage, and whether any of it is estimated. A call that never reached a model used nothing."""
    usage = answer.usage
    if usage.input_tokens is not None and usage.output_tokens is not None:
        return usage, False
    if not answer.parts:
        return usage, False
    filled = replace(
        usage,
        input_tokens=answer.estimated_input_tokens if usage.input_tokens is None else usage.input_tokens,
        output_tokens=estimate_tokens(answer.output_chars) if usage.output_tokens is None else usage.output_tokens,
    )
    return filled, True


def priced(answer: AnswerEntry, model: ModelInfo, cost_of: CostOf, *, ended_at: float) -> CallPriced:
    """The ledger row of a response that just ended."""
    usage, estimated = counted(answer)
    if answer.error is not None and not answer.parts and usage == Usage():
        cost = Cost(amount=Decimal(0), source=CostSource.COMPUTED)
    else:
        amount, source = cost_of(usage, model.price)
        kind = CostSource(source)
        if estimated and kind is CostSource.COMPUTED and amount:
            kind = CostSource.ESTIMATED
        cost = Cost(amount=amount, source=kind)
    first = answer.first_token_at
    return CallPriced(
        turn_id=answer.turn_id,
        request_id=answer.request_id,
        ref=answer.ref,
        usage=usage,
        cost=cost,
        price=model.price,
        usage_estimated=estimated,
        duration_s=max(0.0, ended_at - answer.started_at),
        first_token_s=None if first is None else max(0.0, first - answer.started_at),
        error_kind=None if answer.error is None else answer.error.kind.value,
    )

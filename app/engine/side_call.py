"""A call to a model beside the conversation: a title, a summary. Its answer is returned, its cost is in the ledger.

It publishes ``SideCallStarted`` before anything is sent and ``CallPriced`` however it ends, so that no call that may
cost money is without a row; a process that dies between the two leaves a call that ``unfinished_side_calls`` prices.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from ...providers.base import ModelInfo, Provider
from ...providers.events import (
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    StopReason,
    TerminalEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    Usage,
    UsageUpdate,
)
from ...providers.messages import ChatRequest
from .budget import skipped
from .bus import MessageBus
from .context import calibration
from .events import CallPriced, CallPurpose, SideCallStarted
from .ids import new_id
from .ledger import Called, CostOf, priced_call
from .state import SessionState
from .token_estimate import request_weight
from .worker import read_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class SideAnswer:
    """What came back. ``error`` None and an end reason of ``END_TURN`` mean that the text is whole."""

    text: str
    end: TerminalEvent
    usage: Usage

    @property
    def whole(self) -> bool:
        """Whether the model said all it wanted to say."""
        return isinstance(self.end, ResponseEnd) and self.end.stop_reason is StopReason.END_TURN


@dataclass(slots=True)
class _Heard:
    """What is kept of a stream that nobody watches."""

    text: list[str] = field(default_factory=list[str])
    chars: int = 0
    usage: Usage = field(default_factory=Usage)
    first_token_at: float | None = None


async def side_call(
    bus: MessageBus,
    provider: Provider,
    request: ChatRequest,
    *,
    model: ModelInfo,
    cost_of: CostOf,
    purpose: CallPurpose,
    turn_id: str = "",
) -> SideAnswer:
    """Ask a model once, without retries. Cancelling closes the connection, writes the ledger row and re-raises.

    A call that does not fit the session's budgets is not made: its answer is an error of kind ``QUOTA``, and nobody
    is asked.
    """
    weight = request_weight(request)
    if (over := skipped(bus.store.state, model, weight, cost_of, now=bus.now)) is not None:
        return SideAnswer(text="", end=over, usage=Usage())
    started = SideCallStarted(
        request_id=new_id("req"),
        purpose=purpose,
        ref=model.ref,
        estimated_input_tokens=calibration(bus.store.state, model.ref).tokens(weight),
        weight=weight,
        turn_id=turn_id,
    )
    bus.publish(started)
    started_at, heard = bus.now, _Heard()
    end: TerminalEvent = ResponseEnd(stop_reason=StopReason.CANCELLED)
    try:
        end = await read_stream(provider, request, lambda event: _hear(heard, event, bus.now))
    except asyncio.CancelledError:
        end = ResponseEnd(stop_reason=StopReason.CANCELLED)
        raise
    finally:
        called = Called(
            request_id=started.request_id,
            turn_id=turn_id,
            ref=model.ref,
            started_at=started_at,
            first_token_at=heard.first_token_at,
            estimated_input_tokens=started.estimated_input_tokens,
            output_chars=heard.chars,
            answered=heard.chars > 0,
            usage=heard.usage,
            error=end if isinstance(end, ResponseError) else None,
        )
        bus.publish(priced_call(called, model, cost_of, ended_at=bus.now, purpose=purpose))
    return SideAnswer(text="".join(heard.text).strip(), end=end, usage=heard.usage)


def unfinished_side_calls(
    state: SessionState, models: Iterable[ModelInfo], cost_of: CostOf, *, now: float
) -> list[CallPriced]:
    """Ledger rows, estimated, for calls whose process died before they ended. A model not known has no price."""
    known = {model.ref: model for model in models}
    return [
        priced_call(
            Called(
                request_id=call.request_id,
                turn_id=call.turn_id,
                ref=call.ref,
                started_at=now,
                first_token_at=None,
                estimated_input_tokens=call.estimated_input_tokens,
                output_chars=0,
                answered=True,
                usage=Usage(),
                error=None,
            ),
            known.get(call.ref, ModelInfo(ref=call.ref)),
            cost_of,
            ended_at=now,
            purpose=call.purpose,
        )
        for call in state.side_calls
    ]


def _hear(heard: _Heard, event: ResponseEvent, now: float) -> None:
    match event:
        case TextDelta():
            heard.text.append(event.text)
            heard.chars += len(event.text)
        case ThinkingDelta():
            heard.chars += len(event.text)
        case ToolCallDelta():
            heard.chars += len(event.arguments_json)
        case UsageUpdate():
            heard.usage = event.usage
            return
        case _:
            return
    if heard.first_token_at is None:
        heard.first_token_at = now

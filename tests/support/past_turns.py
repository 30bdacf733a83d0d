"""Whole turns of a conversation, published as they would come: for sessions with a past."""

from decimal import Decimal

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.events import (
    CallPriced,
    Cost,
    CostSource,
    PromptSubmitted,
    ProviderActivity,
    RequestStarted,
    ToolActivity,
    TurnEnded,
    TurnOutcome,
    TurnStarted,
)
from patchbay.providers.base import ModelRef
from patchbay.providers.events import (
    ResponseEnd,
    ResponseStart,
    StopReason,
    TextDelta,
    TextEnd,
    TextStart,
    ToolCallEnd,
    ToolCallStart,
    Usage,
)
from patchbay.tools.events import Outcome, ToolOutputDelta, ToolRunFinished, ToolRunStarted

REF = ModelRef(provider="shop", model="fast-1")


def publish_turn(
    bus: MessageBus,
    name: str,
    *,
    prompt: str,
    text: str,
    command: str = "ls",
    result: str = "a\nb",
    live: bool = False,
    cost: Decimal | None = None,
    usage: Usage = Usage(input_tokens=9, output_tokens=4),  # noqa: B008 - a frozen value
) -> None:
    """A prompt, and an answer of a text and a call; ``live``: the tool's output is seen as it comes, in two pieces."""
    turn, request = f"turn-{name}", f"req-{name}"
    bus.publish(PromptSubmitted(prompt_id=f"prompt-{name}", text=prompt))
    bus.publish(TurnStarted(turn_id=turn))
    bus.publish(
        RequestStarted(turn_id=turn, request_id=request, ref=REF, dialect="openai_chat", estimated_input_tokens=9)
    )
    call_id = f"call-{name}"
    for event in (
        ResponseStart(response_id=name, model="fast-1"),
        TextStart(index=0),
        *(TextDelta(index=0, text=each) for each in _halves(text)),
        TextEnd(index=0),
        ToolCallStart(index=1, call_id=call_id, name="bash"),
        ToolCallEnd(index=1, call_id=call_id, name="bash", arguments={"command": command}),
        ResponseEnd(stop_reason=StopReason.TOOL_CALLS),
    ):
        bus.publish(ProviderActivity(turn_id=turn, request_id=request, event=event))
    bus.publish(
        CallPriced(
            turn_id=turn,
            request_id=request,
            ref=REF,
            usage=usage,
            cost=Cost(amount=cost, source=CostSource.UNKNOWN if cost is None else CostSource.COMPUTED),
            price=None,
            duration_s=0.5,
            first_token_s=0.1,
        )
    )
    run_id = f"{request}.1"
    for tool_event in (
        ToolRunStarted(run_id=run_id, name="bash", title=command),
        *(ToolOutputDelta(run_id=run_id, text=each) for each in _halves(result) if live),
        ToolRunFinished(run_id=run_id, outcome=Outcome.OK, content=result, summary="exit 0", duration_s=0.1),
    ):
        bus.publish(ToolActivity(turn_id=turn, request_id=request, part_index=1, event=tool_event))
    bus.publish(TurnEnded(turn_id=turn, outcome=TurnOutcome.DONE))


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]

"""Sessions on disk for tests, written by the recorder itself."""

from decimal import Decimal
from pathlib import Path

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.events import (
    CallPriced,
    Cost,
    CostSource,
    ModelSelected,
    PromptSubmitted,
    ProviderActivity,
    RequestStarted,
    SessionStarted,
    ToolActivity,
    TurnEnded,
    TurnOutcome,
    TurnStarted,
)
from patchbay.app.engine.recorder import Recorder
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.providers.base import ModelInfo, ModelRef
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
from patchbay.tools.events import Outcome, ToolRunFinished, ToolRunStarted

REF = ModelRef(provider="shop", model="fast-1")


def written_session(
    database: Path,
    session_id: str,
    *,
    prompts: int = 2,
    folder: str = "/src/shop",
    text: str = "The lighthouse is lit.",
    cost: Decimal | None = Decimal("0.25"),
    started: float = 1_700_000_000.0,
) -> SessionState:
    """A session with as many prompts, each answered with a tool call and a text; returns its state."""
    ticks = iter(range(10_000_000))
    bus = MessageBus(SessionStore(SessionState(session_id=session_id)), clock=lambda: started + next(ticks) / 100)
    recorder = Recorder(database)
    bus.attach(recorder.sink)
    bus.publish(SessionStarted(folder=folder, version="test"))
    bus.publish(ModelSelected(model=ModelInfo(ref=REF), dialect="openai_chat"))
    for number in range(prompts):
        _turn(bus, f"{session_id}-{number}", f"Question {number} about the harbour", text, cost)
    recorder.close()
    return bus.store.state


def _turn(bus: MessageBus, name: str, prompt: str, text: str, cost: Decimal | None) -> None:
    turn, request = f"turn-{name}", f"req-{name}"
    bus.publish(PromptSubmitted(prompt_id=f"prompt-{name}", text=prompt))
    bus.publish(TurnStarted(turn_id=turn))
    bus.publish(
        RequestStarted(turn_id=turn, request_id=request, ref=REF, dialect="openai_chat", estimated_input_tokens=9)
    )
    for event in (
        ResponseStart(response_id=name, model="fast-1"),
        TextStart(index=0),
        TextDelta(index=0, text=text[: len(text) // 2]),
        TextDelta(index=0, text=text[len(text) // 2 :]),
        TextEnd(index=0),
        ToolCallStart(index=1, call_id="call", name="bash"),
        ToolCallEnd(index=1, call_id="call", name="bash", arguments={"command": "ls"}),
        ResponseEnd(stop_reason=StopReason.TOOL_CALLS),
    ):
        bus.publish(ProviderActivity(turn_id=turn, request_id=request, event=event))
    bus.publish(
        CallPriced(
            turn_id=turn,
            request_id=request,
            ref=REF,
            usage=Usage(input_tokens=9, output_tokens=4),
            cost=Cost(amount=cost, source=CostSource.UNKNOWN if cost is None else CostSource.COMPUTED),
            price=None,
            duration_s=0.5,
            first_token_s=0.1,
        )
    )
    answer = bus.store.state.transcript[-1]
    run_id = next(part.run_id for part in answer.parts if hasattr(part, "run_id"))
    for tool_event in (
        ToolRunStarted(run_id=run_id, name="bash", title="ls"),
        ToolRunFinished(run_id=run_id, outcome=Outcome.OK, content="a\nb", summary="exit 0", duration_s=0.1),
    ):
        bus.publish(ToolActivity(turn_id=turn, request_id=request, part_index=1, event=tool_event))
    bus.publish(TurnEnded(turn_id=turn, outcome=TurnOutcome.DONE))

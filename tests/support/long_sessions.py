"""A session of many messages and much tool output, as the recorder writes it."""

import random
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
from patchbay.tools.events import Outcome, ToolOutputDelta, ToolRunFinished, ToolRunStarted

REF = ModelRef(provider="shop", model="fast-1")
LONG_ID = "session-long"
ANSWER = """Here is what I found in the **second** file:

- the `total` is computed twice
- the cache is never emptied, so it grows

```python
def total(values: list[float]) -> float:
    return sum(values)
```
"""


class LongSession:
    """Publishes turns of two messages each, with a tool run of ``output`` characters, half of it given to the model."""

    def __init__(self, database: Path, *, session_id: str = LONG_ID, folder: str = "/src/shop", seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._ticks = 0
        self.bus = MessageBus(SessionStore(SessionState(session_id=session_id)), clock=self._clock)
        self.recorder = Recorder(database)
        self.bus.attach(self.recorder.sink)
        self.bus.publish(SessionStarted(folder=folder, version="test"))
        self.bus.publish(ModelSelected(model=ModelInfo(ref=REF, context_window=128_000), dialect="openai_chat"))

    def _clock(self) -> float:
        self._ticks += 1
        return 1_700_000_000.0 + self._ticks / 20

    def lines(self, chars: int) -> str:
        """Text such as a build prints, hard to compress."""
        words: list[str] = []
        length = 0
        while length < chars:
            word = f"{self._random.getrandbits(40):x}" if self._random.random() < 0.5 else "compiling module"
            words.append(word + ("\n" if self._random.random() < 0.15 else " "))
            length += len(words[-1])
        return "".join(words)[:chars]

    def turn(self, number: int, *, output: int) -> None:
        """A prompt, and an answer with a tool run."""
        turn, request = f"turn-{number}", f"req-{number}"
        self.bus.publish(PromptSubmitted(prompt_id=f"prompt-{number}", text=f"Question {number} about the harbour"))
        self.bus.publish(TurnStarted(turn_id=turn))
        self.bus.publish(
            RequestStarted(turn_id=turn, request_id=request, ref=REF, dialect="openai_chat", estimated_input_tokens=9)
        )
        for event in (
            ResponseStart(response_id=request, model="fast-1"),
            TextStart(index=0),
            TextDelta(index=0, text=ANSWER[:80]),
            TextDelta(index=0, text=ANSWER[80:]),
            TextEnd(index=0),
            ToolCallStart(index=1, call_id=f"call-{number}", name="bash"),
            ToolCallEnd(index=1, call_id=f"call-{number}", name="bash", arguments={"command": f"make {number}"}),
            ResponseEnd(stop_reason=StopReason.TOOL_CALLS),
        ):
            self.bus.publish(ProviderActivity(turn_id=turn, request_id=request, event=event))
        self.bus.publish(
            CallPriced(
                turn_id=turn,
                request_id=request,
                ref=REF,
                usage=Usage(input_tokens=9, output_tokens=40),
                cost=Cost(amount=Decimal("0.0007"), source=CostSource.COMPUTED),
                price=None,
                duration_s=0.5,
                first_token_s=0.1,
            )
        )
        run_id = f"{request}.1"
        text = self.lines(output // 2)
        for tool_event in (
            ToolRunStarted(run_id=run_id, name="bash", title=f"make {number}"),
            ToolOutputDelta(run_id=run_id, text=text[: len(text) // 2]),
            ToolOutputDelta(run_id=run_id, text=text[len(text) // 2 :]),
            ToolRunFinished(run_id=run_id, outcome=Outcome.OK, content=text, summary="exit 0", duration_s=0.1),
        ):
            self.bus.publish(ToolActivity(turn_id=turn, request_id=request, part_index=1, event=tool_event))
        self.bus.publish(TurnEnded(turn_id=turn, outcome=TurnOutcome.DONE))


def write_long_session(
    database: Path, *, messages: int = 10_000, output: int = 50_000_000, folder: str = "/src/shop"
) -> None:
    """A session of so many messages and characters of tool output."""
    session = LongSession(database, folder=folder)
    turns = messages // 2
    for number in range(turns):
        session.turn(number, output=output // turns)
    session.recorder.close()

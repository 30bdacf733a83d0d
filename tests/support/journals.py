"""Sessions on disk for tests, written by the recorder itself."""

from decimal import Decimal
from pathlib import Path

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.events import (
    ModelSelected,
    SessionStarted,
)
from patchbay.app.engine.recorder import Recorder
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.providers.base import ModelInfo
from support.past_turns import REF, publish_turn


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
        publish_turn(bus, f"{session_id}-{number}", prompt=f"Question {number} about the harbour", text=text, cost=cost)
    recorder.close()
    return bus.store.state

"""Session states for tests of what is painted."""

from decimal import Decimal

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.events import ProviderActivity, RequestStarted
from patchbay.app.engine.state import AnswerEntry, SessionState, StreamText, TextPart, ToolRun
from patchbay.app.engine.store import SessionStore
from patchbay.providers.base import ModelInfo, ModelRef, Online, Origin, Price, ProviderStatus
from patchbay.providers.events import TextDelta, TextStart
from patchbay.tools.events import ApprovalRequested

PAID = Price(input_per_mtok=Decimal(3), output_per_mtok=Decimal(15))


def model(
    provider: str = "anthropic",
    name: str = "claude-sonnet-4-6",
    *,
    window: int | None = 200_000,
    price: Price | None = PAID,
    **abilities: bool | None,
) -> ModelInfo:
    return ModelInfo(ref=ModelRef(provider=provider, model=name), context_window=window, price=price, **abilities)


def provider(
    name: str, *models: ModelInfo, online: Online = Online.ONLINE, problem: str = "", origin: Origin = Origin.CONFIGURED
) -> ProviderStatus:
    return ProviderStatus(
        name=name, dialect="openai_chat", origin=origin, local=False, online=online, models=models, problem=problem
    )


def answer(**changes: object) -> AnswerEntry:
    base: dict = {
        "request_id": "q1",
        "turn_id": "t1",
        "ref": ModelRef(provider="anthropic", model="claude-sonnet-4-6"),
        "dialect": "anthropic_messages",
        "started_at": 100.0,
        "first_token_at": 102.0,
        "estimated_input_tokens": 4000,
        "output_chars": 740,
        "parts": (TextPart(index=0, text=StreamText()),),
    }
    return AnswerEntry(**(base | changes))


def streaming(count: int) -> SessionState:
    """The state while an answer arrives, after ``count`` deltas of a word each."""
    bus = MessageBus(SessionStore(SessionState(session_id="s")), clock=lambda: 1.0)
    ref = ModelRef(provider="p", model="m")
    bus.publish(RequestStarted(turn_id="t", request_id="r", ref=ref, dialect="d", estimated_input_tokens=5))
    bus.publish(ProviderActivity(turn_id="t", request_id="r", event=TextStart(index=0)))
    for _ in range(count):
        bus.publish(ProviderActivity(turn_id="t", request_id="r", event=TextDelta(index=0, text="word ")))
    return bus.store.state


def run(**changes: object) -> ToolRun:
    base: dict = {
        "run_id": "q1.0",
        "request_id": "q1",
        "part_index": 0,
        "name": "bash",
        "title": "pytest -q",
        "output": StreamText(),
        "started_at": 100.0,
    }
    return ToolRun(**(base | changes))


def question(approval_id: str = "a1", **changes: object) -> ApprovalRequested:
    base: dict = {
        "approval_id": approval_id,
        "run_id": "q1.0",
        "name": "bash",
        "title": "pytest -q",
        "reason": "runs a command: no rule allows it yet",
        "pattern": "pytest *",
        "preview": "pytest -q",
    }
    return ApprovalRequested(**(base | changes))

"""Sessions on real servers whose windows fill up."""

from pathlib import Path
from typing import Any

import pytest

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.events import RequestStarted, SessionStarted, TurnOutcome
from patchbay.app.engine.handoff import Prepared
from patchbay.app.engine.session import Parts, Session
from patchbay.app.engine.state import AnswerEntry, SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.providers.base import FREE, ModelInfo, ModelRef
from patchbay.providers.dialects import DIALECTS
from patchbay.providers.endpoint import Endpoint
from patchbay.providers.events import ErrorKind
from patchbay.providers.handoff import prepare
from patchbay.providers.pricing import cost_of
from patchbay.tools.policy import Policy
from patchbay.tools.toolbox import LocalToolbox
from support.servers import RealServer
from support.sessions import Recording

PROSE = "The committee met on Tuesday to discuss the plan for the old harbour, which nobody had liked at first. "


class Directory:
    def __init__(self, server: RealServer) -> None:
        self._provider = DIALECTS["openai_chat"](
            Endpoint(
                name="llama.cpp",
                dialect="openai_chat",
                base_url=f"{server.root}/v1",
                local=True,
                first_token_timeout_s=900,
            )
        )

    def provider(self, ref: ModelRef) -> Any:
        return self._provider


def prepared(messages, ref, dialect, *, continuation) -> Prepared:
    done = prepare(messages, provider=ref.provider, dialect=dialect, model=ref.model, continuation=continuation)
    return Prepared(messages=done.messages, changes=done.changes)


def session_on(server: RealServer, folder: Path, *, window: int, output: int = 2):
    """A session with the real tools; answers are kept short by the model's own limit, for the sake of time."""
    toolbox = LocalToolbox(folder, Policy(()), state_folder=folder / "state")
    bus = MessageBus(SessionStore(SessionState(session_id="s1")))
    recording = Recording(bus)
    parts = Parts(directory=Directory(server), toolbox=toolbox, prepare=prepared, cost_of=cost_of)
    session = Session(bus, parts)
    bus.publish(SessionStarted(folder=str(folder), version="test"))
    ref = ModelRef(provider="llama.cpp", model="smollm2-135m")
    session.select_model(
        ModelInfo(ref=ref, context_window=window, tools=True, price=FREE, max_output=output), "openai_chat"
    )
    return session, recording


def counts(recording: Recording, session: Session) -> list[tuple[int, int]]:
    """What was estimated for each request, and what the server counted."""
    estimates = {each.request_id: each.estimated_input_tokens for each in recording.of(RequestStarted)}
    return [
        (estimates[entry.request_id], (entry.usage.input_tokens or 0) + (entry.usage.cache_read_tokens or 0))
        for entry in session.state.transcript
        if isinstance(entry, AnswerEntry) and entry.usage.input_tokens is not None
    ]


async def ask(session: Session, prompt: str) -> None:
    """Send a prompt. This server answers 500 when so small a model babbles half a call: then it is asked again."""
    session.submit(prompt)
    for _ in range(8):
        outcome = await session.wait_idle()
        if outcome is TurnOutcome.DONE:
            return
        newest = session.state.transcript[-1]
        assert isinstance(newest, AnswerEntry) and newest.error is not None
        assert newest.error.kind in (ErrorKind.SERVER_ERROR, ErrorKind.NETWORK), newest.error
        session.retry()
    pytest.fail("the server never answered")

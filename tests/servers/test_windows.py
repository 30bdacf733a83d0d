"""Full windows on a real llama.cpp server: the meter against its counts, and runs that need several windows.

The model is so small that its summaries mean nothing; that the work goes on, says so, and ends where there is no hope,
is what is tested.
"""

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.compaction_words import compaction_line
from patchbay.app.engine.events import (
    Compacted,
    InstructionFile,
    InstructionsLoaded,
    NoticePosted,
    RequestStarted,
    SessionStarted,
    TurnOutcome,
)
from patchbay.app.engine.runner import Prepared
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
from support.servers import RealServer, llama
from support.sessions import Recording

pytestmark = [pytest.mark.cases, pytest.mark.timeout(600)]

CODE = Path(__file__).read_text(encoding="utf-8")
PROSE = "The committee met on Tuesday to discuss the plan for the old harbour, which nobody had liked at first. "


class Directory:
    def __init__(self, server: RealServer) -> None:
        self._provider = DIALECTS["openai_chat"](
            Endpoint(name="llama.cpp", dialect="openai_chat", base_url=f"{server.root}/v1", local=True)
        )

    def provider(self, ref: ModelRef) -> Any:
        return self._provider


def prepared(messages, ref, dialect, *, continuation) -> Prepared:
    done = prepare(messages, provider=ref.provider, dialect=dialect, model=ref.model, continuation=continuation)
    return Prepared(messages=done.messages, changes=done.changes)


def session_on(server: RealServer, folder: Path, *, window: int, output: int = 24):
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


@pytest.fixture(scope="module")
def small() -> Iterator[RealServer]:
    server = llama(CTX="512").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def large() -> Iterator[RealServer]:
    server = llama(CTX="8192").start()
    yield server
    server.stop()


def counts(recording: Recording, session: Session) -> list[tuple[int, int]]:
    """What was estimated for each request, and what the server counted."""
    estimates = {each.request_id: each.estimated_input_tokens for each in recording.of(RequestStarted)}
    return [
        (estimates[entry.request_id], (entry.usage.input_tokens or 0) + (entry.usage.cache_read_tokens or 0))
        for entry in session.state.transcript
        if isinstance(entry, AnswerEntry) and entry.usage.input_tokens is not None
    ]


async def test_the_meter_is_within_five_percent_of_the_servers_own_count(large: RealServer, tmp_path: Path) -> None:
    session, recording = session_on(large, tmp_path, window=8192)
    for prompt in (
        "Say hello.",
        CODE[:3000],
        PROSE * 6,
        json.dumps([{"id": n, "name": f"item {n}"} for n in range(40)]),
    ):
        session.submit(prompt)
        assert await session.wait_idle() is TurnOutcome.DONE, session.state.transcript[-1]
    off = [estimate / counted - 1 for estimate, counted in counts(recording, session)]
    print("meter against server:", counts(recording, session), [f"{each:+.1%}" for each in off])
    assert all(abs(each) < 0.05 for each in off[1:]), off
    assert abs(off[0]) < 0.10, off

"""Disks that fail under a running session: 20 faults here, 200 with ``make soak``.

The session goes on, says what is wrong, and when the disk works again everything is saved. No database is left corrupt.
"""

import asyncio
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from patchbay.app.engine import snapshotter, writing_place
from patchbay.app.engine.database import connect, load_events
from patchbay.app.engine.events import (
    CallPriced,
    NoticeLevel,
    NoticePosted,
    PromptSubmitted,
    SessionStarted,
    TurnOutcome,
)
from patchbay.app.engine.recorder import Recorder
from patchbay.app.engine.snapshots import load_session
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.providers.scripted import ScriptedProvider, answer, end, text, tool_call, usage
from support.failing_disk import FAULTS, Fault
from support.journals import written_session
from support.sessions import FakeToolbox, Recording, make_session

RUNS = int(os.environ.get("PATCHBAY_SOAK_RUNS", "100")) // 5
FIRST = int(os.environ.get("PATCHBAY_SOAK_FIRST", "0"))


async def _read(arguments: dict[str, object], _emit: object, _approve: object) -> str:
    return f"{arguments} " * 200


class _Life:
    """A session on a disk that fails in the middle of it."""

    def __init__(self, seed: int, fault: Fault, database: Path) -> None:
        self._chance = random.Random(seed)
        self._fault = fault
        self._database = database
        self._number = 0
        self.told: list[str] = []

    async def live(self) -> None:
        """Turns before, during and after the fault; then everything must be on disk."""
        written_session(self._database, "session-bystander", prompts=3)
        recorder = Recorder(self._database)
        session, _ = make_session(
            ScriptedProvider("fake", lambda _request: self._answer()),
            toolbox=FakeToolbox(read=_read),
            durable=recorder.durable,
        )
        loop = asyncio.get_running_loop()
        recorder.on_problem = lambda message: loop.call_soon_threadsafe(self._tell, session, message)
        recording = Recording(session.bus)
        session.bus.attach(recorder.sink)
        session.bus.publish(SessionStarted(folder="project", version="test"))
        before = await self._turns(session, 1, 4)
        failing = self._fault.begin(self._database, recorder)
        next(failing)
        try:
            during = await self._turns(session, 1, 4)
        except BaseException:
            failing.close()
            raise
        if self._fault.ends:
            told, unsaved = list(self.told), recorder.unsaved
        next(failing, None)
        if self._fault.ends:
            assert any(self._fault.words in words for words in told), f"told: {told}"
            assert len(told) == 1, "said once"
            assert unsaved > 0
        after = await self._turns(session, 1, 4)
        await session.aclose()
        recorder.close()
        assert set(before + during + after) == {TurnOutcome.DONE}, "the session goes on whatever the disk does"
        if self._fault.words:
            assert any(self._fault.words in words for words in self.told), f"told: {self.told}"
            notices = [event.message for event in recording.of(NoticePosted) if event.level is NoticeLevel.WARNING]
            assert [words for words in self.told if words not in notices] == []
        self._check(recording, session.state)

    async def _turns(self, session, least: int, most: int) -> list[TurnOutcome | None]:
        outcomes = []
        for _ in range(self._chance.randint(least, most)):
            self._number += 1
            session.submit(f"prompt {self._number}")
            outcomes.append(await session.wait_idle())
        return outcomes

    def _answer(self):
        words = text("words " * self._chance.randrange(1, 80))
        if self._chance.random() < 0.4:
            self._number += 1
            return answer(words, tool_call(f"c{self._number}", "read", {"path": "a"}), usage(10, 5), end())
        return answer(words, usage(10, 5), end())

    def _tell(self, session, message: str) -> None:
        self.told.append(message)
        session.notice(message, NoticeLevel.WARNING)

    def _check(self, recording: Recording, state: SessionState) -> None:
        connection = connect(self._database)
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        events, _, problems = load_events(connection, state.session_id)
        assert problems == [] or self._fault.destroys
        loaded = load_session(connection, state.session_id)
        assert loaded.state == SessionStore(SessionState(session_id=state.session_id)).replay(events)
        rows = {
            row[0]
            for row in connection.execute("SELECT request_id FROM calls WHERE session_id = ?", (state.session_id,))
        }
        priced = [event.request_id for event in recording.of(CallPriced)]
        prompts = [each.event.text for each in events if isinstance(each.event, PromptSubmitted)]
        said = [event.text for event in recording.of(PromptSubmitted)]
        if self._fault.destroys:
            assert prompts[-1] == said[-1], "what comes after the damage is saved"
            assert priced[-1] in rows
            return
        assert prompts == said
        assert rows == set(priced)
        assert _without_warnings(loaded.state) == _without_warnings(state)
        connection.close()


def _without_warnings(state: SessionState):
    """The conversation; what the recorder had to say at its very end is said to nobody."""
    entries = [entry for entry in state.transcript if "saved" not in getattr(entry, "message", "")]
    return entries, state.runs, state.totals


@contextmanager
def _impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(writing_place, "_WAIT_S", 2.0)  # our own snapshot writer may hold the lock for a moment
    monkeypatch.setattr(writing_place, "_WAIT_AGAIN_S", 0.01)
    monkeypatch.setattr(snapshotter, "TAIL", 40)
    yield


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
async def test_a_session_outlives_its_disk(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = FAULTS[seed % len(FAULTS)]
    with _impatient(monkeypatch):
        life = _Life(seed, fault, tmp_path / "state" / "patchbay.db")
        await life.live()
    print(f"\n{fault.name}: {life.told}")

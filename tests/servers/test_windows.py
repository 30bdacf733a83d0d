"""Full windows on a real llama.cpp server: the meter against its counts, and runs that need several windows.

The model is so small that its summaries mean nothing; that the work goes on, says so, and ends where there is no hope,
is what is tested.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchbay.app.engine.compaction_events import Compacted
from patchbay.app.engine.compaction_words import compaction_line
from patchbay.app.engine.events import NoticePosted, TurnOutcome
from patchbay.app.engine.state import AnswerEntry
from patchbay.providers.events import ErrorKind
from support.full_windows import PROSE, ask, counts, session_on
from support.servers import RealServer, llama

pytestmark = [pytest.mark.cases, pytest.mark.timeout(600)]

CODE = Path(__file__).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def small() -> Iterator[RealServer]:
    server = llama(CTX="512", TEMPLATE="tools", THREADS="2").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def large() -> Iterator[RealServer]:
    server = llama(CTX="8192", TEMPLATE="tools", THREADS="2").start()
    yield server
    server.stop()


async def test_the_meter_is_within_five_percent_of_the_servers_own_count(large: RealServer, tmp_path: Path) -> None:
    session, recording = session_on(large, tmp_path, window=8192)
    for prompt in (
        "Say hello.",
        CODE[:3000],
        PROSE * 6,
        json.dumps([{"id": n, "name": f"item {n}"} for n in range(40)]),
    ):
        await ask(session, prompt)
    off = [estimate / counted - 1 for estimate, counted in counts(recording, session)]
    print("meter against server:", counts(recording, session), [f"{each:+.1%}" for each in off])
    assert all(abs(each) < 0.05 for each in off), off


async def test_a_run_of_three_small_windows_completes_by_compaction_and_says_so(
    small: RealServer, tmp_path: Path
) -> None:
    session, recording = session_on(small, tmp_path, window=512, output=16)
    for number in range(16):
        await ask(session, f"Number {number}. {PROSE * 4}")
    done = recording.of(Compacted)
    sent = sum(counted for _, counted in counts(recording, session))
    print("512:", len(done), "compactions;", sent, "tokens read;", compaction_line(done[-1]))
    assert len(done) >= 3
    assert all(each.after_tokens < each.before_tokens for each in done)
    assert all(counted <= 512 for _, counted in counts(recording, session))
    notices = [each.message for each in recording.of(NoticePosted)]
    assert any("tools are offered" in each for each in notices), notices


async def test_a_hopeless_run_is_stopped_with_what_helps(small: RealServer, tmp_path: Path) -> None:
    session, _recording = session_on(small, tmp_path, window=512)
    session.submit(PROSE * 60)
    assert await session.wait_idle() is TurnOutcome.FAILED
    failed = session.state.transcript[-1]
    assert isinstance(failed, AnswerEntry) and failed.error is not None
    assert failed.error.kind is ErrorKind.CONTEXT_OVERFLOW and "larger window" in failed.error.message

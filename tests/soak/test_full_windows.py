"""A run of three windows of 8,192 tokens on a real llama.cpp server: many minutes on a small machine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchbay.app.engine.compaction_events import Compacted
from patchbay.app.engine.compaction_words import compaction_line
from patchbay.app.engine.events import CallPriced, CallPurpose
from support.full_windows import PROSE, ask, counts, session_on
from support.servers import RealServer, llama

pytestmark = pytest.mark.cases

WINDOW = 8192
RUNS = int(os.environ.get("PATCHBAY_SOAK_RUNS", "100"))


@pytest.fixture
def server() -> Iterator[RealServer]:
    server = llama(CTX=str(WINDOW), TEMPLATE="tools", THREADS="2").start()
    yield server
    server.stop()


@pytest.mark.timeout(3600)
@pytest.mark.skipif(RUNS < 1000, reason="takes many minutes; `make soak` runs it")
async def test_a_run_of_three_windows_completes_by_compaction_and_says_so(server: RealServer, tmp_path: Path) -> None:
    session, recording = session_on(server, tmp_path, window=WINDOW)
    for number in range(12):
        await ask(session, f"Number {number}. {PROSE * 100}")
    done = recording.of(Compacted)
    said = sum(len(f"Number {number}. {PROSE * 100}") for number in range(12)) // 5
    print(WINDOW, "tokens:", [compaction_line(each) for each in done], counts(recording, session))
    assert said > 3 * WINDOW - 2000 and len(done) >= 3
    assert all(each.after_tokens < each.before_tokens for each in done)
    assert all(counted <= WINDOW for _, counted in counts(recording, session))
    assert any(row.purpose is CallPurpose.COMPACTION for row in recording.of(CallPriced))

"""How small a session becomes that is compacted on disk, and what it costs to read it from there.

A session of 2,000 messages and 10 MB of tool output that hardly compresses, written by the recorder, with a snapshot.
Counted are the bytes of the whole file before and after, and the processor time of a replay without the snapshot.
"""

import time
from pathlib import Path

import pytest

from patchbay.app.engine.database import connect, load_events
from patchbay.app.engine.free_pages import settle, shorten
from patchbay.app.engine.journal_packing import pack_session, session_bytes
from patchbay.app.engine.snapshots import load_session, renew
from support.long_sessions import LONG_ID, write_long_session

MOST_OF_THE_FILE = 0.25
"""Measured: 0.19."""
MOST_OF_THE_JOURNAL = 0.22
"""Measured: 0.17."""
MOST_REPLAY = 2.5
"""What reading every row may cost, of what it cost before. Measured: 1.4."""


@pytest.mark.timeout(600)
def test_a_compacted_session_is_a_fraction_of_itself(tmp_path: Path) -> None:
    database = tmp_path / "patchbay.db"
    write_long_session(database, messages=2000, output=10_000_000)
    connection = connect(database)
    renew(connection, LONG_ID)
    settle(connection)
    file, journal = database.stat().st_size, session_bytes(connection, LONG_ID)
    events, read = _read(connection)
    begun, longest = time.process_time(), 0.0
    before = time.perf_counter()

    def may_go_on() -> bool:
        nonlocal before, longest
        longest = max(longest, time.perf_counter() - before)
        before = time.perf_counter()
        return True

    rows = pack_session(connection, LONG_ID, may_go_on=may_go_on)
    spent = time.process_time() - begun
    shorten(connection, may_go_on=lambda: True)
    settle(connection)
    small_file, small_journal = database.stat().st_size, session_bytes(connection, LONG_ID)
    again, read_again = _read(connection)
    print(
        f"\n{rows:,} rows packed in {spent:.2f} s of CPU, at most {longest:.2f} s a step"
        f"\nfile: {file:,} -> {small_file:,} bytes ({small_file / file:.2f});"
        f" journal and snapshot: {journal:,} -> {small_journal:,} bytes ({small_journal / journal:.2f})"
        f"\nreading every row: {read:.2f} -> {read_again:.2f} s of CPU ({read_again / read:.1f})"
    )
    assert again == events
    assert load_session(connection, LONG_ID).snapshot_seq > 0
    assert small_file < MOST_OF_THE_FILE * file
    assert small_journal < MOST_OF_THE_JOURNAL * journal
    assert read_again < MOST_REPLAY * read


def _read(connection) -> tuple[object, float]:
    """The whole journal, and the least CPU time of three readings."""
    spent: list[float] = []
    events: object = None
    for _ in range(3):
        begun = time.process_time()
        events = load_events(connection, LONG_ID)
        spent.append(time.process_time() - begun)
    return events, min(spent)

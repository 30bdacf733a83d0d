import asyncio
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from patchbay.app.cli import compacting_sessions, main
from patchbay.app.cli.compacting_sessions import BackgroundCompaction
from patchbay.app.cli.retention import Retention
from patchbay.app.cli.session_shelf import SessionShelf
from patchbay.app.engine import archive, fault_points, journal_packing
from patchbay.app.engine.database import connect, load_events
from patchbay.app.engine.session_lock import SessionLock
from patchbay.app.engine.state import SessionState
from patchbay.app.paths import find_paths
from support.journals import written_session
from support.long_sessions import LONG_ID, LongSession

HOLD = """
import sys
from pathlib import Path
from patchbay.app.engine.session_lock import SessionLock
lock = SessionLock(Path(sys.argv[1]), sys.argv[2])
print("held" if lock.acquire() else "refused", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def database(own_home):
    return find_paths(os.environ).database


@pytest.fixture
def paths(database):
    return find_paths(os.environ)


@pytest.fixture
def log(monkeypatch):
    noted = []
    monkeypatch.setattr(compacting_sessions, "note", lambda message, fields, *_level: noted.append((message, fields)))
    return noted


def run(capsys, *words):
    code = main(["sessions", *words])
    return code, *capsys.readouterr()


def long_session(database):
    session = LongSession(database, folder="/src/shop")
    for number in range(3):
        session.turn(number, output=30_000)
    session.recorder.close()


def content(database):
    """Every row of every table."""
    connection = connect(database)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


def packed(database):
    return {row[0] for row in connect(database).execute("SELECT DISTINCT session_id FROM packs")}


def test_it_says_what_it_gave_and_nothing_looks_different(database, capsys):
    long_session(database)
    written_session(database, "session-abc", prompts=9)
    views = [
        *(("export", each, "--format", form) for each in (LONG_ID, "abc") for form in ("jsonl", "markdown", "html")),
        ("list", "--all", "--json"),
        ("search", "lighthouse", "--json"),
        ("search", "harb", "--json"),
    ]
    before = [run(capsys, *view) for view in views]
    calls = content(database)["calls"]
    code, out, err = run(capsys, "compact", LONG_ID)
    assert code == 0
    figures = re.fullmatch(r"Compacted session-long  ([\d,]+) -> ([\d,]+) bytes  Question 0 about the harbour\n", out)
    assert figures is not None
    was, now = (int(each.replace(",", "")) for each in figures.groups())
    assert now < 0.3 * was
    sizes = re.search(r"patchbay\.db: ([\d,]+) -> ([\d,]+) bytes", err)
    assert sizes is not None
    assert int(sizes[2].replace(",", "")) == database.stat().st_size < int(sizes[1].replace(",", ""))
    assert packed(database) == {LONG_ID}
    assert [run(capsys, *view) for view in views] == before
    assert content(database)["calls"] == calls
    again = run(capsys, "compact", LONG_ID)[1]
    assert re.search(r" ([\d,]+) -> \1 bytes", again)


def test_a_dry_run_changes_nothing_and_foretells_what_happens(database, capsys):
    long_session(database)
    written_session(database, "session-abc", prompts=9)
    before = content(database)
    code, out, _ = run(capsys, "compact", "--dry-run")
    assert code == 0
    assert out.count("Would compact session-") == 2
    assert content(database) == before
    assert run(capsys, "compact")[1] == out.replace("Would compact", "Compacted")


def test_only_what_is_idle_long_enough_is_compacted(database, capsys, own_home):
    written_session(database, "session-old", prompts=9)
    written_session(database, "session-new", prompts=9, started=time.time() - 5 * 86_400)
    assert "session-new" not in run(capsys, "compact")[1]
    assert packed(database) == {"session-old"}
    assert "all sessions that are idle for 7 days are compact already" in run(capsys, "compact")[2]
    config = own_home / ".config/patchbay/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[sessions]\ncompact_after_days = 0\n")
    assert "Compaction is off" in run(capsys, "compact")[2]
    config.write_text("[sessions]\ncompact_after_days = 3\n")
    assert "Would compact session-new" in run(capsys, "compact", "--dry-run")[1]
    assert "session-new" not in run(capsys, "compact", "--after-days", "6")[1]
    assert "Compacted session-new" in run(capsys, "compact", "new")[1]
    config.write_text("[sessions]\ncompact_after_days = 0\n")
    written_session(database, "session-now", prompts=9, started=time.time() - 60)
    assert "Compacted session-now" in run(capsys, "compact", "--after-days", "0")[1]
    assert "all sessions are compact already" in run(capsys, "compact", "--after-days", "0")[2]
    assert run(capsys, "compact", "--after-days", "-1")[0] == 2
    assert run(capsys, "compact", "nobody")[0] == 2


def test_a_session_that_another_process_has_open_is_left_alone(database, paths, capsys):
    long_session(database)
    held = subprocess.Popen(
        [sys.executable, "-P", "-c", HOLD, str(paths.locks), LONG_ID],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert held.stdout.readline() == "held\n"
    before = content(database)
    code, out, err = run(capsys, "compact", LONG_ID)
    assert (code, out) == (0, "")
    assert "session-long is open in another Patchbay" in err
    assert content(database) == before
    held.communicate("")
    assert "Compacted session-long" in run(capsys, "compact", LONG_ID)[1]


def test_only_one_process_compacts(database, paths, capsys, log):
    long_session(database)
    lock = SessionLock(paths.state_folder, "compacting")
    assert lock.acquire()
    code, _, err = run(capsys, "compact", LONG_ID)
    assert code == 2
    assert "another Patchbay compacts" in err
    quietly = BackgroundCompaction(paths, 7, begins_after_s=0)
    quietly.begin()
    quietly.wait()
    assert packed(database) == set()
    assert log == []
    lock.release()


def test_a_disk_that_refuses_is_said(database, capsys):
    long_session(database)
    before = content(database)

    def fail(point):
        if point == "pack.before_commit":
            raise journal_packing.sqlite3.OperationalError("database or disk is full")

    fault_points.on_reaching(fail)
    try:
        code, _, err = run(capsys, "compact", LONG_ID)
    finally:
        fault_points.on_reaching(None)
    assert code == 2
    assert "patchbay.db: database or disk is full" in err
    assert content(database) == before


def test_what_would_not_read_the_same_is_left_alone_and_the_others_are_not(database, paths, capsys, monkeypatch, log):
    long_session(database)
    written_session(database, "session-abc", prompts=9)
    events = load_events(connect(database), LONG_ID)
    honest = journal_packing.plan

    def spoil(rows, known):
        step = honest(rows, known)
        return step if "session-abc" in rows[-1].body else replace(step, texts=())

    monkeypatch.setattr(journal_packing, "plan", spoil)
    code, out, err = run(capsys, "compact")
    assert code == 1
    assert "Left alone: session-long, events" in err
    assert "Compacted session-abc" in out
    quietly = BackgroundCompaction(paths, 7, begins_after_s=0)
    quietly.begin()
    quietly.wait()
    assert [message for message, _ in log] == ["session not compacted"]
    assert load_events(connect(database), LONG_ID) == events


def test_in_the_background_everything_idle_is_compacted(database, paths, log):
    long_session(database)
    written_session(database, "session-open", prompts=9)
    lock = SessionLock(paths.locks, "session-open")
    assert lock.acquire()
    events = load_events(connect(database), LONG_ID)
    quietly = BackgroundCompaction(paths, 7, begins_after_s=0)
    quietly.begin()
    quietly.wait()
    quietly.stop()
    lock.release()
    assert packed(database) == {LONG_ID}
    assert load_events(connect(database), LONG_ID) == events
    assert [message for message, _ in log] == ["sessions compacted"]


def test_it_ends_with_the_application(database, paths, monkeypatch, log):
    monkeypatch.setattr(journal_packing, "STEP_CHARS", 1000)
    long_session(database)
    events = load_events(connect(database), LONG_ID)
    quietly = BackgroundCompaction(paths, 7, begins_after_s=0)
    steps = 0

    def end(point):
        nonlocal steps
        if point == "pack.committed":
            steps += 1
            quietly._stopped.set()

    fault_points.on_reaching(end)
    try:
        quietly.begin()
        quietly.wait()
    finally:
        fault_points.on_reaching(None)
    quietly.stop()
    assert steps == 1
    assert load_events(connect(database), LONG_ID) == events
    never = BackgroundCompaction(paths, 7, begins_after_s=3600)
    never.begin()
    never.stop()
    off = BackgroundCompaction(paths, 0, begins_after_s=0)
    off.begin()
    off.wait()
    assert steps == 1


def test_a_disk_that_refuses_in_the_background_is_logged(database, paths, log):
    long_session(database)
    other = connect(database)
    other.execute("BEGIN EXCLUSIVE")
    quietly = BackgroundCompaction(paths, 7, begins_after_s=0)
    quietly.begin()
    quietly.wait()
    other.rollback()
    assert log == [("sessions not compacted", {"error": "database is locked"})]


async def test_the_shelf_compacts_after_it_has_purged(database, paths):
    long_session(database)
    written_session(database, "session-removed", prompts=9)
    archive.remove(connect(database), "session-removed", at=1.0)
    shelf = SessionShelf(paths, lambda: SessionState(session_id="s"), Retention(compact_after_days=7))
    shelf._compaction._begins_after_s = 0
    assert await shelf.tidy() == 1
    await asyncio.to_thread(shelf._compaction.wait)
    assert packed(database) == {LONG_ID}
    shelf.close()


def test_the_setting_is_read(own_home, capsys, database):
    written_session(database, "session-abc")
    config = own_home / ".config/patchbay/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[sessions]\ncompact_after_days = -3\n")
    code, _, err = run(capsys, "compact")
    assert code == 2
    assert "sessions.compact_after_days" in err
    assert json.loads(run(capsys, "list", "--all", "--json")[1])["sessions"]

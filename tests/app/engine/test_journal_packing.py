import json
import random
import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import patchbay.app
from patchbay.app.engine import archive, fault_points, journal_packing, packed_rows
from patchbay.app.engine.archive import fork, insert_event, purge, remove
from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.database import connect, load_events
from patchbay.app.engine.events import PromptSubmitted
from patchbay.app.engine.history import history
from patchbay.app.engine.journal_packing import PackingError, foreseen, idle_sessions, pack_session, session_bytes
from patchbay.app.engine.kept_text import LOST, KeptRun
from patchbay.app.engine.packed_rows import PACKED_TYPES, journal_rows, last_seq_of, row_ends_at
from patchbay.app.engine.reducer import reduce
from patchbay.app.engine.salvage import salvage
from patchbay.app.engine.schema import MIGRATIONS
from patchbay.app.engine.snapshots import load_session, renew
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.app.engine.transfer import export_lines
from patchbay.app.engine.writing_place import _copy
from support.journals import written_session
from support.long_sessions import LONG_ID, LongSession
from support.random_journals import SESSION, random_journal


@pytest.fixture
def database(tmp_path):
    return tmp_path / "state" / "patchbay.db"


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr(journal_packing, "STEP_CHARS", 4000)
    monkeypatch.setattr(journal_packing, "LEAST_ROWS", 1)


def always():
    return True


def empty_database(path):
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
    for script in MIGRATIONS:
        connection.executescript(script)
    return connection


def states_at_prompts(events):
    """The state before each prompt, and the last one."""
    state, states = SessionState(session_id=SESSION), []
    for stamped in events:
        if isinstance(stamped.event, PromptSubmitted):
            states.append(state)
        state = reduce(state, stamped)
    return [*states, state]


def long_session(database, turns=3, output=40_000):
    session = LongSession(database)
    for number in range(turns):
        session.turn(number, output=output)
    session.recorder.close()
    return connect(database)


def rows_of(connection, session_id):
    return list(journal_rows(connection, session_id))


def count(connection, table):
    return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def sample(database):
    """A session that was packed, and its rows as they were."""
    connection = long_session(database)
    before = rows_of(connection, LONG_ID)
    assert pack_session(connection, LONG_ID, may_go_on=always) > 0
    return connection, before


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    length=st.integers(2, 100),
    step=st.integers(200, 20_000),
    cuts=st.sets(st.integers(1, 99), max_size=3),
)
def test_a_packed_journal_is_the_journal(tmp_path_factory, seed, length, step, cuts):
    """Packed again and again as it grows; rewinds, cancelled answers, runs and side calls in any order."""
    folder = tmp_path_factory.mktemp("any")
    plain, packed = empty_database(folder / "plain.db"), empty_database(folder / "packed.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_packing, "STEP_CHARS", step)
        patch.setattr(journal_packing, "LEAST_ROWS", 1)
        seq = 0
        for connection in (plain, packed):
            connection.execute(
                "INSERT INTO sessions (id, folder, created_at, updated_at) VALUES (?, '/', 1, 1)", (SESSION,)
            )
            connection.commit()
        for number, stamped in enumerate(random_journal(random.Random(seed), length), 1):
            last = seq + random.Random(number).randint(1, 3)  # a row of several deltas
            for connection in (plain, packed):
                insert_event(connection, replace(stamped, seq=seq + 1), last)
                connection.commit()
            seq = last
            if number in cuts:
                renew(packed, SESSION)
                pack_session(packed, SESSION, may_go_on=always)
        pack_session(packed, SESSION, may_go_on=always)
        assert count(packed, "packs") > 0 or not set(PACKED_TYPES) & {row.type for row in rows_of(plain, SESSION)}
        assert not packed.execute(f"SELECT 1 FROM events WHERE type IN {PACKED_TYPES}").fetchall()
        assert rows_of(packed, SESSION) == rows_of(plain, SESSION)
        events, last, problems = load_events(packed, SESSION)
        assert (events, last, problems) == load_events(plain, SESSION)
        assert states_at_prompts(events) == states_at_prompts(load_events(plain, SESSION)[0])
        loaded = load_session(packed, SESSION)
        assert loaded.state == load_session(plain, SESSION).state
        assert history(loaded.state) == history(load_session(plain, SESSION).state)
        assert loaded.snapshot_seq == (packed.execute("SELECT max(seq) FROM snapshots").fetchone()[0] or 0)
        assert last_seq_of(packed, SESSION) == last
        assert list(export_lines(packed, SESSION)) == list(export_lines(plain, SESSION))
        for after in range(0, seq + 2, 7):
            assert load_events(packed, SESSION, after=after) == load_events(plain, SESSION, after=after)
            assert row_ends_at(packed, SESSION, after) == row_ends_at(plain, SESSION, after)
        prompts = {stamped.event.prompt_id for stamped in events if isinstance(stamped.event, PromptSubmitted)}
        for prompt in (None, *sorted(prompts)):
            for connection in (plain, packed):
                fork(connection, SESSION, f"copy-{prompt}", at=2.0, before_prompt=prompt)
            assert rows_of(packed, f"copy-{prompt}") == rows_of(plain, f"copy-{prompt}")
    plain.close()
    packed.close()


def test_a_session_takes_a_fraction_of_the_room_and_reads_the_same(database):
    connection = long_session(database)
    before, size = rows_of(connection, LONG_ID), session_bytes(connection, LONG_ID)
    would = foreseen(connection, LONG_ID)
    pack_session(connection, LONG_ID, may_go_on=always)
    assert rows_of(connection, LONG_ID) == before
    assert (would.before, would.after) == (size, session_bytes(connection, LONG_ID))
    assert session_bytes(connection, LONG_ID) < 0.3 * size
    assert pack_session(connection, LONG_ID, may_go_on=always) == 0, "once is enough"


def test_live_output_stands_inside_of_what_the_model_got(database):
    """As ``bash`` writes it: the model's text is the output and how it ended."""
    connection = long_session(database, turns=1)
    body = connection.execute("SELECT body FROM events WHERE body LIKE '%ToolRunFinished%'").fetchone()[0]
    event = json.loads(body)
    event["event"]["content"] = f"$ make\n{event['event']['content']}\n[exit 0]"
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    with connection:
        connection.execute("UPDATE events SET body = ? WHERE body LIKE '%ToolRunFinished%'", (text,))
    before = rows_of(connection, LONG_ID)
    pack_session(connection, LONG_ID, may_go_on=always)
    assert rows_of(connection, LONG_ID) == before
    stored = connection.execute("SELECT name, part_of, start, body IS NULL FROM pack_texts ORDER BY part_of").fetchall()
    assert [(row[1] is None, row[3]) for row in stored] == [(True, 0), (False, 1)]
    assert stored[1][1:3] == (stored[0][0], len("$ make\n"))


def test_texts_of_a_snapshot_are_kept_once_and_still_read(database):
    connection = long_session(database)
    renew(connection, LONG_ID)
    assert count(connection, "kept_texts") == 3
    before = SessionStore(SessionState(session_id=LONG_ID)).replay(load_events(connection, LONG_ID)[0])
    pack_session(connection, LONG_ID, may_go_on=always)
    assert count(connection, "kept_texts") == 0
    loaded = load_session(connection, LONG_ID)
    assert loaded.snapshot_seq == last_seq_of(connection, LONG_ID)
    assert isinstance(loaded.state.runs[0], KeptRun)
    assert loaded.state == before
    with connection:
        connection.execute("DELETE FROM snapshots")
    renew(connection, LONG_ID)
    assert count(connection, "kept_texts") == 0, "a new snapshot finds them in the journal"
    assert load_session(connection, LONG_ID).state == before


def test_a_snapshot_of_another_version_goes_and_one_of_this_stays(database):
    connection = long_session(database)
    renew(connection, LONG_ID)
    with connection:
        connection.execute("UPDATE snapshots SET format = format + 1")
    would = foreseen(connection, LONG_ID)
    pack_session(connection, LONG_ID, may_go_on=always)
    assert count(connection, "snapshots") == count(connection, "kept_texts") == 0
    assert would.after == session_bytes(connection, LONG_ID)


def test_a_row_that_is_not_written_our_way_is_taken_as_it_is(database, small_steps):
    connection = long_session(database, turns=1)
    odd = '{ "$type": "ToolActivity", "deep": ' + "[" * 5000 + "]" * 5000 + "}"
    with connection:
        connection.execute("UPDATE events SET body = ' ' || body WHERE type = 'ProviderActivity'")
        for number, body in enumerate((odd, "no json at all", '"text"', '{"a":1e999,"b":"' + "x" * 5000 + '"}')):
            row = (LONG_ID, 1000 + number, 1000 + number, 1.5, "ToolActivity", body)
            connection.execute(
                "INSERT INTO events (session_id, seq, last_seq, at, type, body) VALUES (?,?,?,?,?,?)", row
            )
    before = rows_of(connection, LONG_ID)
    pack_session(connection, LONG_ID, may_go_on=always)
    assert not connection.execute(f"SELECT 1 FROM events WHERE type IN {PACKED_TYPES}").fetchall()
    assert rows_of(connection, LONG_ID) == before


def test_what_would_not_read_the_same_is_undone_and_said(database, monkeypatch):
    connection = long_session(database)
    before = rows_of(connection, LONG_ID)
    honest = packed_rows.pack
    monkeypatch.setattr("patchbay.app.engine.pack_plan.pack", lambda rows, holes: honest(rows[:-1], holes))
    with pytest.raises(PackingError, match=r"session-long, events \d+ to \d+"):
        pack_session(connection, LONG_ID, may_go_on=always)
    assert count(connection, "packs") == count(connection, "pack_texts") == 0
    assert rows_of(connection, LONG_ID) == before


@pytest.mark.parametrize("point", fault_points.COMPACTION_POINTS)
def test_a_step_that_breaks_anywhere_is_done_or_undone(database, point, small_steps):
    connection = long_session(database)
    renew(connection, LONG_ID)
    with connection:
        connection.execute("UPDATE snapshots SET format = 1")
    before = rows_of(connection, LONG_ID)

    def fail(reached):
        if reached == point:
            raise sqlite3.OperationalError("disk I/O error")

    fault_points.on_reaching(fail)
    try:
        if point.startswith("pack"):
            with pytest.raises(sqlite3.OperationalError):
                pack_session(connection, LONG_ID, may_go_on=always)
    finally:
        fault_points.on_reaching(None)
    other = connect(database)
    assert rows_of(other, LONG_ID) == before
    pack_session(connection, LONG_ID, may_go_on=always)
    assert rows_of(other, LONG_ID) == before


def test_a_full_disk_leaves_every_row(database, small_steps):
    connection = long_session(database)
    before = rows_of(connection, LONG_ID)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        pack_session(connection, LONG_ID, may_go_on=always)
    connection.execute("PRAGMA max_page_count = 1000000")
    assert rows_of(connection, LONG_ID) == before
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    pack_session(connection, LONG_ID, may_go_on=always)
    assert rows_of(connection, LONG_ID) == before


def test_two_at_once_pack_each_row_once(database, small_steps):
    one, other = long_session(database), connect(database)
    before = rows_of(one, LONG_ID)
    asked = 0

    def the_other_is_faster():
        nonlocal asked
        asked += 1
        return True

    def interfere(reached):
        if reached == "pack.begun" and asked == 2:
            fault_points.on_reaching(None)
            pack_session(other, LONG_ID, may_go_on=always)

    fault_points.on_reaching(interfere)
    try:
        pack_session(one, LONG_ID, may_go_on=the_other_is_faster)
    finally:
        fault_points.on_reaching(None)
    assert rows_of(one, LONG_ID) == before
    assert not one.execute(f"SELECT 1 FROM events WHERE type IN {PACKED_TYPES}").fetchall()


def test_it_stops_when_it_is_told_to(database, small_steps):
    connection = long_session(database)
    before = rows_of(connection, LONG_ID)
    answers = iter([True, True, True, False])
    assert 0 < pack_session(connection, LONG_ID, may_go_on=lambda: next(answers)) < len(before)
    assert count(connection, "packs") == 2
    assert rows_of(connection, LONG_ID) == before


def test_a_session_goes_on_behind_its_packed_rows(database):
    connection, before = sample(database)
    loaded = load_session(connection, LONG_ID)
    session = LongSession(database)
    session.bus = MessageBus(SessionStore(loaded.state), first_seq=loaded.last_seq + 1)
    session.bus.attach(session.recorder.sink)
    session.turn(7, output=5000)
    session.recorder.close()
    rows = rows_of(connection, LONG_ID)
    assert rows[: len(before)] == before
    assert [row.seq for row in rows] == sorted({row.seq for row in rows})
    assert pack_session(connection, LONG_ID, may_go_on=always) > 0
    assert rows_of(connection, LONG_ID) == rows


def test_a_damaged_record_costs_its_rows_and_is_said(database, small_steps):
    connection, before = sample(database)
    first = connection.execute("SELECT min(seq) FROM packs").fetchone()[0]
    with connection:
        connection.execute("UPDATE packs SET body = substr(body, 1, length(body) / 2) WHERE seq = ?", (first,))
    events, last, problems = load_events(connection, LONG_ID)
    assert len(problems) == 1
    assert re.match(rf"events {first} to \d+: a packed record is damaged", problems[0])
    assert last == before[-1].last_seq
    assert {each.seq for each in events} < {row.seq for row in before}
    with pytest.raises(sqlite3.DatabaseError, match="damaged"):
        list(export_lines(connection, LONG_ID))


def test_a_text_that_is_gone_costs_that_text_alone(database):
    connection, before = sample(database)
    with connection:
        connection.execute("UPDATE pack_texts SET body = x'00' WHERE rowid = (SELECT min(rowid) FROM pack_texts)")
    events, _, problems = load_events(connection, LONG_ID)
    assert [each.seq for each in events] == [row.seq for row in before]
    assert len(problems) == 1
    assert "can no longer be read" in problems[0]
    state = SessionStore(SessionState(session_id=LONG_ID)).replay(events)
    assert [run.content == LOST for run in state.runs] == [True, False, False]


def test_a_purge_takes_packed_rows_along(database):
    connection, _ = sample(database)
    remove(connection, LONG_ID, at=1.0)
    assert purge(connection, removed_before=2.0) == [LONG_ID]
    assert count(connection, "packs") == count(connection, "pack_texts") == 0


def test_packed_rows_are_salvaged_and_taken_along(database, tmp_path):
    connection, before = sample(database)
    target = connect(tmp_path / "other" / "patchbay.db")
    _copy(connection, target, LONG_ID)
    assert rows_of(target, LONG_ID) == before
    connection.close()
    salvage(database, MIGRATIONS)
    assert rows_of(connect(database), LONG_ID) == before


def test_what_is_idle_and_loose_is_found(database):
    written_session(database, "session-new", prompts=9, started=2_000_000_000.0)
    written_session(database, "session-old", prompts=9, started=1_000_000_000.0)
    written_session(database, "session-older", prompts=9, started=900_000_000.0)
    written_session(database, "session-short", prompts=1, started=900_000_000.0)
    written_session(database, "session-gone", prompts=9, started=900_000_000.0)
    connection = connect(database)
    archive.remove(connection, "session-gone", at=1.0)
    assert idle_sessions(connection, before=1_500_000_000.0) == ["session-older", "session-old"]
    pack_session(connection, "session-older", may_go_on=always)
    assert idle_sessions(connection, before=1_500_000_000.0) == ["session-old"]


def test_no_query_looks_for_what_may_be_packed():
    """But the migrations, which run before anything is packed, and their triggers, which see each row once."""
    app = Path(patchbay.app.__file__).parent
    asking = [
        file.name
        for file in app.rglob("*.py")
        if "FROM events" in (text := file.read_text())
        and file.name != "schema.py"
        and re.search(rf"type (=|IN|LIKE)[^\n]*({'|'.join(PACKED_TYPES)})", text)
    ]
    assert asking == []

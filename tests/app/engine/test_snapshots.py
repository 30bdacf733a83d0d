import random
import sqlite3
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.engine import snapshots
from patchbay.app.engine.archive import insert_event, purge, remove
from patchbay.app.engine.database import connect, load_events
from patchbay.app.engine.history import history
from patchbay.app.engine.kept_text import LOST, KeptRun, KeptText
from patchbay.app.engine.reducer import reduce
from patchbay.app.engine.schema import MIGRATIONS
from patchbay.app.engine.snapshots import load_session, renew
from patchbay.app.engine.state import Revisions, SessionState
from patchbay.app.engine.state_codec import KEPT_CHARS, StateError, unpack_state
from patchbay.app.engine.store import SessionStore
from patchbay.providers.redact import remember_secret
from support.journals import written_session
from support.long_sessions import LONG_ID, LongSession
from support.random_journals import SESSION, random_journal


@pytest.fixture
def database(tmp_path):
    return tmp_path / "state" / "patchbay.db"


def replayed(connection, session_id):
    events, _, _ = load_events(connection, session_id)
    return SessionStore(SessionState(session_id=session_id)).replay(events)


def unrevised(state):
    """Deltas that share a row count once: how often a state moved is its process's own affair."""
    return replace(state, revisions=Revisions())


def with_schema(path):
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
    for script in MIGRATIONS:
        connection.executescript(script)
    return connection


def long_session(database, turns=3, output=3 * KEPT_CHARS):
    session = LongSession(database)
    for number in range(turns):
        session.turn(number, output=output)
    return session


@given(
    seed=st.integers(0, 2**32), length=st.integers(2, 120), cuts=st.sets(st.integers(1, 119), min_size=1, max_size=3)
)
def test_a_snapshot_and_what_came_after_it_is_what_a_replay_gives(tmp_path_factory, seed, length, cuts):
    connection = with_schema(tmp_path_factory.mktemp("any") / "any.db")
    store = SessionStore(SessionState(session_id=SESSION))
    for stamped in random_journal(random.Random(seed), length):
        insert_event(connection, stamped, stamped.seq)
        store.apply(stamped)
        if stamped.seq in cuts:
            assert renew(connection, SESSION) == stamped.seq
    loaded = load_session(connection, SESSION)
    assert loaded.snapshot_seq == max(cut for cut in (0, *cuts) if cut <= length)
    assert loaded.state == replayed(connection, SESSION)
    assert loaded.state == store.state
    assert history(loaded.state) == history(store.state)
    connection.close()


def test_a_session_goes_on_from_its_snapshot(database, monkeypatch):
    monkeypatch.setattr("patchbay.app.engine.snapshotter.TAIL", 10)
    session = long_session(database)
    session.recorder.close()
    connection = connect(database)
    loaded = load_session(connection, LONG_ID)
    assert loaded.snapshot_seq > 0
    assert loaded.weight < 30
    assert unrevised(loaded.state) == unrevised(session.bus.store.state)
    assert loaded.problems == []


def test_long_output_stays_on_disk_until_it_is_read(database):
    session = long_session(database)
    session.recorder.close()
    connection = connect(database)
    renew(connection, LONG_ID)
    state = load_session(connection, LONG_ID).state
    runs = session.bus.store.state.runs
    assert all(isinstance(run, KeptRun) and isinstance(run.output, KeptText) for run in state.runs)
    assert [run.content for run in state.runs] == [run.content for run in runs]
    assert [str(run.output) for run in state.runs] == [str(run.output) for run in runs]
    assert "".join(state.runs[0].output.since(0)) == str(runs[0].output)
    assert list(state.runs[0].output.since(1)) == []
    changed = replace(state.runs[0], summary="exit 1")
    assert (changed.summary, changed.content) == ("exit 1", runs[0].content)
    assert str(state.runs[0].output.appended("!")) == f"{runs[0].output}!"
    connection.execute("DELETE FROM kept_texts")
    connection.commit()
    snapshots.database_shelf.cache_clear()
    assert load_session(connection, LONG_ID).state.runs[0].content == LOST


def test_a_text_that_went_into_another_file_with_its_session_is_found_there(database):
    session = long_session(database)
    session.recorder.close()
    connection = connect(database)
    renew(connection, LONG_ID)
    state = load_session(connection, LONG_ID).state
    assert state.runs[0].content == session.bus.store.state.runs[0].content
    copy = connect(database.with_name("copy.db"))
    connection.execute("DELETE FROM kept_texts WHERE name = ?", (state.runs[1].content_name,))
    connection.commit()
    kept = connection.execute("SELECT * FROM kept_texts").fetchall()
    connection.execute("DELETE FROM kept_texts")
    connection.commit()
    with copy:
        copy.executemany("INSERT INTO kept_texts VALUES (?, ?, ?)", kept)
    copy.execute("PRAGMA journal_mode = DELETE")
    for opened in (copy, connection):
        opened.close()
    for ending in ("-wal", "-shm"):
        database.with_name(f"{database.name}{ending}").unlink(missing_ok=True)
    database.with_name("copy.db").replace(database)
    assert state.runs[2].content == session.bus.store.state.runs[2].content
    assert state.runs[1].content == LOST, "one that is nowhere is looked for, and lost"


def test_a_second_snapshot_keeps_each_text_once(database):
    session = long_session(database)
    session.recorder.close()
    connection = connect(database)
    renew(connection, LONG_ID)
    kept = connection.execute("SELECT count(*) FROM kept_texts").fetchone()
    last = load_session(connection, LONG_ID)
    more = random_journal(random.Random(1), 2)[-1]
    insert_event(connection, replace(more, session_id=LONG_ID, seq=last.last_seq + 1), last.last_seq + 1)
    assert renew(connection, LONG_ID) == last.last_seq + 1
    assert connection.execute("SELECT count(*) FROM kept_texts").fetchone() == kept
    assert load_session(connection, LONG_ID).state.runs == session.bus.store.state.runs


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE snapshots SET body = zeroblob(100)",
        "UPDATE snapshots SET body = substr(body, 1, length(body) / 2)",
        "UPDATE snapshots SET format = format + 1",
        "UPDATE snapshots SET seq = seq + 1",
        "UPDATE snapshots SET session_id = 'another'",
        "DROP TABLE snapshots",
    ],
)
def test_a_snapshot_that_cannot_be_trusted_is_passed_over(database, harm):
    written_session(database, "s", prompts=3)
    connection = connect(database)
    renew(connection, "s")
    connection.executescript(harm)
    loaded = load_session(connection, "s")
    assert loaded.snapshot_seq == 0
    assert loaded.state == replayed(connection, "s")
    assert loaded.problems == []


def test_bytes_of_a_damaged_snapshot_raise_nothing_but_their_own_error(database):
    rng = random.Random(1)
    written_session(database, "s", prompts=1)
    connection = connect(database)
    renew(connection, "s")
    ((body,),) = connection.execute("SELECT body FROM snapshots")
    shelf = snapshots.database_shelf(database, "s")
    refused = 0
    for _ in range(2000):
        text = bytearray(zlib.decompress(body))
        for _ in range(rng.randrange(1, 4)):
            text[rng.randrange(len(text))] = rng.choice(b'[]{}",0123456789\n-n')
        try:
            unpack_state(zlib.compress(text, 1), shelf)
        except StateError:
            refused += 1
    assert refused > 500


def test_a_key_that_was_split_over_two_rows_is_not_in_the_snapshot(database):
    session = LongSession(database)
    session.lines = lambda _chars: "x" * KEPT_CHARS + "canary-" + "key-0123456789"
    session.turn(0, output=0)
    session.recorder.close()
    remember_secret("canary-key-0123456789")
    connection = connect(database)
    renew(connection, LONG_ID)
    kept = [zlib.decompress(row[0]) for row in connection.execute("SELECT body FROM kept_texts")]
    kept += [zlib.decompress(row[0]) for row in connection.execute("SELECT body FROM snapshots")]
    assert len(kept) > 1
    assert not any(b"canary-key" in each for each in kept)


def test_deleting_a_session_deletes_what_was_made_of_it(database):
    long_session(database).recorder.close()
    connection = connect(database)
    renew(connection, LONG_ID)
    with connection:
        connection.execute("INSERT INTO drafts VALUES (?, 1.0, 'half a thought')", (LONG_ID,))
    remove(connection, LONG_ID, at=1.0)
    purge(connection, removed_before=2.0)
    for table in ("snapshots", "kept_texts", "drafts"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0


def test_a_journal_that_lost_its_end_is_replayed(database):
    written_session(database, "s", prompts=3)
    connection = connect(database)
    seq = renew(connection, "s")
    with connection:
        connection.execute("DELETE FROM events WHERE seq > ?", (seq - 4,))
    loaded = load_session(connection, "s")
    assert loaded.snapshot_seq == 0
    assert loaded.state == replayed(connection, "s")


def test_what_the_reducer_adds_later_is_not_lost(database):
    """The state after a snapshot takes events as any other state does."""
    written_session(database, "s", prompts=2)
    connection = connect(database)
    renew(connection, "s")
    state, plain = load_session(connection, "s").state, replayed(connection, "s")
    for stamped in random_journal(random.Random(5), 200):
        state, plain = reduce(state, stamped), reduce(plain, stamped)
    assert state == plain

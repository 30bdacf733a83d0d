import os
import random
import sqlite3
from contextlib import closing

import pytest

from patchbay.app.engine.archive import list_sessions, search
from patchbay.app.engine.database import DatabaseUnwritable, attach, connect, load_events, open_database
from patchbay.app.engine.schema import MIGRATIONS
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from support.journals import written_session


@pytest.fixture
def database(tmp_path):
    return tmp_path / "state" / "patchbay.db"


def test_a_file_that_is_no_database_is_set_aside(database):
    database.parent.mkdir(parents=True)
    database.write_bytes(b"this is not sqlite at all" * 100)
    opened = open_database(database)
    assert "damaged" in opened.warning
    assert list_sessions(opened.connection) == []
    (aside,) = database.parent.glob("patchbay.damaged-*.db")
    assert aside.read_bytes() == b"this is not sqlite at all" * 100


@pytest.mark.parametrize("seed", range(12))
def test_what_can_be_read_of_a_damaged_database_goes_on_in_a_new_one(database, seed):
    for number in range(6):
        written_session(database, f"session-{number}", prompts=30)
    whole = {row.session_id for row in list_sessions(connect(database))}
    rng = random.Random(seed)
    with open(database, "r+b") as file:
        size = os.fstat(file.fileno()).st_size
        assert size > 20 * 4096
        for _ in range(3):
            file.seek(4096 * rng.randrange(1, size // 4096))
            file.write(rng.randbytes(4096))
    opened = open_database(database)
    if not opened.warning:  # what was struck was free, or a page that SQLite does not check: all rows are there
        pytest.skip("the damage hit nothing that matters")
    kept = {row.session_id for row in list_sessions(opened.connection)}
    assert kept <= whole
    events = opened.connection.execute("SELECT count(*) FROM events").fetchone()[0]
    assert kept or events, "the pages that were not struck are read"
    for session_id in kept:
        found, _, problems = load_events(opened.connection, session_id)
        SessionStore(SessionState(session_id=session_id)).replay(found)
        assert problems == []
    assert opened.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    search(opened.connection, "lighthouse")
    assert len(list(database.parent.glob("patchbay.damaged-*.db"))) == 1


def test_the_files_are_for_their_owner_alone(database):
    connect(database).close()
    assert database.stat().st_mode & 0o077 == 0
    assert database.parent.stat().st_mode & 0o077 == 0


def test_a_database_that_cannot_be_made_names_cause_and_fix(tmp_path):
    (tmp_path / "state").write_text("a file where the folder should be")
    with pytest.raises(DatabaseUnwritable, match="XDG_STATE_HOME"):
        connect(tmp_path / "state" / "patchbay.db")


def test_a_database_of_the_first_schema_gets_a_search_index(database):
    written_session(database, "session-a", prompts=2)
    old = database.with_name("old.db")
    connection = sqlite3.connect(old)
    connection.executescript(MIGRATIONS[0] + "PRAGMA user_version = 1;")
    connection.execute("ATTACH ? AS whole", (str(database),))
    with connection:
        for table, columns in (("sessions", "id, folder, created_at, updated_at, title, model"), ("events", "*")):
            connection.execute(f"INSERT INTO {table} SELECT {columns} FROM whole.{table}")
    connection.close()
    os.replace(old, database)
    for rest in ("-wal", "-shm"):
        database.with_name(database.name + rest).unlink(missing_ok=True)
    hits = search(connect(database), "harbour")
    assert [hit.session.session_id for hit in hits] == ["session-a"]
    assert hits[0].hits == 2


def test_one_more_connection_makes_no_file_and_writes_only_when_it_is_to(tmp_path):
    path = tmp_path / "a folder with % and #" / "patchbay.db"
    for write in (False, True):
        with pytest.raises(sqlite3.OperationalError):
            attach(path, write=write)
    assert not path.parent.exists()
    connect(path).close()
    with closing(attach(path)) as reading, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reading.execute("DELETE FROM sessions")
    with closing(attach(path, write=True)) as writing, writing:
        writing.execute("INSERT INTO drafts VALUES ('s', 1.0, 'x')")
    with closing(attach(path)) as reading:
        assert reading.execute("SELECT text FROM drafts").fetchall() == [("x",)]

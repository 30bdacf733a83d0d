import os
import sqlite3
import stat
from contextlib import closing

import pytest

from patchbay.app.engine.archive import purge, remove, search
from patchbay.app.engine.database import connect, open_database
from patchbay.app.engine.drafts import save_draft
from patchbay.app.engine.journal_packing import pack_session
from patchbay.app.engine.schema import SESSION_TABLES
from patchbay.app.engine.snapshots import renew
from patchbay.app.engine.writing_place import WritingPlace, _copy
from support.journals import written_session
from support.long_sessions import LONG_ID, LongSession


@pytest.fixture
def database(tmp_path):
    return tmp_path / "state" / "patchbay.db"


def rows_of(database, session_id):
    """Every row of a session, by table; without the numbers that texts have in each file."""
    with closing(sqlite3.connect(database)) as connection:
        found = {}
        for table in SESSION_TABLES:
            listed = "session_id, seq, kind, body" if table.name == "texts" else "*"
            query = f"SELECT {listed} FROM {table.name} WHERE {table.session} = ?"
            found[table.name] = sorted(connection.execute(query, (session_id,)), key=repr)
        return found


def full_session(database):
    """A session with something in every table: it was compacted in part."""
    session = LongSession(database)
    for number in range(4):
        session.turn(number, output=100_000)
    session.recorder.close()
    with closing(connect(database)) as connection:
        steps = iter((True, True, False))
        pack_session(connection, LONG_ID, may_go_on=lambda: next(steps))
        renew(connection, LONG_ID)
        save_draft(connection, LONG_ID, "not sent yet", at=1.0)
    return LONG_ID


def test_the_list_names_every_table_that_holds_something_of_a_session(database):
    with closing(connect(database)) as connection:
        tables = {
            str(name): [str(row[1]) for row in connection.execute(f"PRAGMA table_info({name})")]
            for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        }
    listed = {table.name: table for table in SESSION_TABLES}
    assert {name for name, columns in tables.items() if "session_id" in columns} == {*listed, "snapshots"} - {
        "sessions"
    }
    for name, table in listed.items():
        assert {table.session, *table.key} <= set(tables[name])


def test_a_session_moves_whole_and_there_and_back_again_without_doubles(database):
    session_id = full_session(database)
    before = rows_of(database, session_id)
    assert all(before.values()), before.keys()
    away = database.with_name("away.db")
    place = WritingPlace(database, open_database(database).connection)
    database.rename(away)
    with place.ready(session_id):
        pass
    assert rows_of(database, session_id) == before
    assert "moved" in place.take_warnings()[0]
    database.unlink()
    away.rename(database)
    with place.ready(session_id) as back:
        (found,) = search(back, "emptied")
    place.close()
    assert rows_of(database, session_id) == before
    assert found.session.session_id == session_id
    assert found.hits == 4


def test_every_session_is_copied_and_what_the_ledger_has_of_purged_ones(database):
    written_session(database, "kept", prompts=2)
    written_session(database, "gone", prompts=2)
    source = connect(database)
    remove(source, "gone", at=1.0)
    assert purge(source, removed_before=2.0) == ["gone"]
    other = database.with_name("other.db")
    target = connect(other)
    for _ in range(2):
        _copy(source, target, None)
    for connection in (source, target):
        connection.close()
    for session_id in ("kept", "gone"):
        assert rows_of(other, session_id) == rows_of(database, session_id)
    assert rows_of(other, "gone")["calls"]


def test_a_rescued_journal_is_its_owners_only(database, monkeypatch):
    place = WritingPlace(database, open_database(database).connection)
    for number in range(3):
        with place.ready("s") as connection:
            connection.execute("INSERT INTO drafts VALUES (?, 1.0, ?)", (f"s{number}", "x" * 9000))
    journal = database.with_name("patchbay.db-wal")
    with open(journal, "r+b") as file:
        file.truncate(journal.stat().st_size // 2)
    modes = {}

    replaced = os.replace

    def replace(source, target):
        modes[str(target)] = stat.S_IMODE(source.stat().st_mode)
        replaced(source, target)

    monkeypatch.setattr("patchbay.app.engine.writing_place.os.replace", replace)
    with place.ready("s"):
        pass
    place.close()
    assert modes == {str(database): 0o600, str(journal): 0o600}

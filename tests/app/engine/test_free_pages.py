import sqlite3
from itertools import pairwise

import pytest

from patchbay.app.engine import free_pages
from patchbay.app.engine.database import connect, load_events
from patchbay.app.engine.free_pages import file_size, settle, shorten, why_not_anew, write_anew
from support.journals import written_session
from support.many_sessions import many_sessions


def always():
    return True


def wasteful(path):
    """A database of which most pages are free, and a session in it."""
    many_sessions(path, 150).close()
    written_session(path, "session-kept")
    connection = connect(path)
    with connection:
        connection.execute("DELETE FROM texts WHERE session_id != 'session-kept'")
    return connection


def older(path):
    """The same as a file that was made before free pages could be given back step by step."""
    connection = wasteful(path)
    connection.execute("PRAGMA auto_vacuum = NONE")
    connection.execute("VACUUM")
    with connection:
        connection.execute("CREATE TABLE ballast (body BLOB)")
        connection.execute("INSERT INTO ballast VALUES (zeroblob(2000000))")
    with connection:
        connection.execute("DROP TABLE ballast")
    connection.close()
    return connect(path)


def test_a_new_file_is_shortened_a_few_pages_at_a_time(tmp_path):
    path = tmp_path / "patchbay.db"
    connection = wasteful(path)
    settle(connection)
    before, size = load_events(connection, "session-kept"), path.stat().st_size
    assert file_size(connection).wasteful
    asked = []

    def three_times():
        asked.append(file_size(connection).free)
        return len(asked) <= 3

    shorten(connection, may_go_on=three_times)
    steps = [one - other for one, other in pairwise(asked)]
    assert steps == [free_pages.STEP_PAGES * 4096] * 3
    assert asked[-1] > 0
    shorten(connection, may_go_on=always)
    settle(connection)
    assert file_size(connection).free == 0
    assert path.stat().st_size == file_size(connection).total < size / 2
    assert load_events(connection, "session-kept") == before
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_an_older_file_is_written_anew_once(tmp_path):
    path = tmp_path / "patchbay.db"
    connection = older(path)
    assert not file_size(connection).step_by_step
    assert file_size(connection).wasteful
    shorten(connection, may_go_on=always)
    assert file_size(connection).wasteful, "it cannot be done step by step"
    before = load_events(connection, "session-kept")
    write_anew(connection)
    settle(connection)
    assert file_size(connection).step_by_step
    assert file_size(connection).free == 0
    assert path.stat().st_size == file_size(connection).total
    assert load_events(connect(path), "session-kept") == before


def test_writing_anew_waits_for_room_and_for_others(tmp_path, monkeypatch):
    path = tmp_path / "patchbay.db"
    connection = older(path)
    assert why_not_anew(connection, path, in_use=True) == ""
    monkeypatch.setattr(free_pages, "SHORT_BYTES", 1000)
    assert "a session is open" in why_not_anew(connection, path, in_use=True)
    assert why_not_anew(connection, path, in_use=False) == ""
    usage = free_pages.shutil.disk_usage(tmp_path)._replace(free=5000)
    monkeypatch.setattr(free_pages.shutil, "disk_usage", lambda _folder: usage)
    assert "5,000 bytes" in why_not_anew(connection, path, in_use=False)


def test_a_reader_in_the_way_is_no_error(tmp_path):
    path = tmp_path / "patchbay.db"
    connection = wasteful(path)
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sessions").fetchone()
    connection.execute("PRAGMA busy_timeout = 10")
    shorten(connection, may_go_on=always)
    settle(connection)
    assert file_size(connection).free == 0
    reader.close()


def test_a_writer_in_the_way_is_said(tmp_path):
    path = tmp_path / "patchbay.db"
    connection = wasteful(path)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    connection.execute("PRAGMA busy_timeout = 10")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        shorten(connection, may_go_on=always)
    writer.close()

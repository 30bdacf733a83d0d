import sqlite3
from contextlib import closing

import pytest

from patchbay.app.cli.lane import Lane
from patchbay.app.engine.database import connect
from support.journals import written_session


@pytest.fixture
def database(tmp_path):
    return tmp_path / "state" / "patchbay.db"


@pytest.fixture
def lane(database):
    opened = Lane(database, "test")
    yield opened
    opened.close()


def count(connection):
    return connection.execute("SELECT count(*) FROM sessions").fetchone()[0]


def name_it(connection):
    with connection:
        connection.execute("UPDATE sessions SET name = 'named' WHERE id = 'session-b'")


async def test_work_goes_to_the_file_that_stands_at_the_path(lane, database):
    written_session(database, "session-a")
    assert await lane.run(count) == 1
    database.rename(database.with_name("away.db"))
    with pytest.raises(sqlite3.OperationalError):
        await lane.run(count)
    written_session(database, "session-b")
    written_session(database, "session-c")
    assert await lane.run(count) == 2
    await lane.run(name_it)
    with closing(connect(database)) as connection:
        assert connection.execute("SELECT name FROM sessions WHERE id = 'session-b'").fetchone() == ("named",)


async def test_a_file_put_in_its_place_is_read_at_once(lane, database, tmp_path):
    written_session(database, "session-a")
    assert await lane.run(count) == 1
    other = tmp_path / "other.db"
    for name in ("session-b", "session-c", "session-d"):
        written_session(other, name)
    other.replace(database)
    for ending in ("-wal", "-shm"):
        database.with_name(f"{database.name}{ending}").unlink(missing_ok=True)
    assert await lane.run(count) == 3
    lane.post(name_it)
    assert await lane.run(lambda each: each.execute("SELECT id FROM sessions WHERE name = 'named'").fetchall()) == [
        ("session-b",)
    ]

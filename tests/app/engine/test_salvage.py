import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from patchbay.app.engine import fault_points
from patchbay.app.engine.archive import list_sessions
from patchbay.app.engine.database import connect, load_events, open_database
from patchbay.app.engine.fault_points import SALVAGE_POINTS
from patchbay.app.engine.schema import MIGRATIONS
from patchbay.app.engine.snapshots import renew
from support.journals import written_session
from support.long_sessions import LONG_ID, LongSession


class Died(BaseException):
    pass


@pytest.fixture
def database(tmp_path):
    return tmp_path / "state" / "patchbay.db"


@pytest.fixture
def dies_at():
    def arrange(point):
        def hook(reached):
            if reached == point:
                fault_points.on_reaching(None)
                raise Died

        fault_points.on_reaching(hook)

    yield arrange
    fault_points.on_reaching(None)


def damage(database):
    """Sessions whose index is broken: the tables can be read."""
    for number in range(3):
        written_session(database, f"session-{number}", prompts=20)
    connection = connect(database)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'sessions_by_folder'").fetchone()[0]
    connection.close()
    with open(database, "r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(b"\x00" * 4096)


@pytest.mark.parametrize("point", SALVAGE_POINTS)
def test_a_salvage_that_dies_is_done_by_the_next_start(database, dies_at, point):
    damage(database)
    broken = database.read_bytes()
    dies_at(point)
    with pytest.raises(Died):
        open_database(database)
    assert database.exists(), "there is never no database"
    opened = open_database(database)
    assert opened.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert {row.session_id for row in list_sessions(opened.connection)} == {f"session-{number}" for number in range(3)}
    for number in range(3):
        events, _, problems = load_events(opened.connection, f"session-{number}")
        assert len(events) > 200
        assert problems == []
    (aside,) = database.parent.glob("patchbay.damaged-*.db")
    assert aside.read_bytes() == broken
    assert not list(database.parent.glob("patchbay.salvag*ed"))
    assert not list(database.parent.glob("patchbay.salvaging*"))


def test_two_processes_that_start_on_a_damaged_file_salvage_it_once(database):
    damage(database)
    script = (
        "import sys; from pathlib import Path; from patchbay.app.engine.database import open_database\n"
        "sys.stdin.readline(); opened = open_database(Path(sys.argv[1]))\n"
        "print(opened.connection.execute('SELECT count(*) FROM events').fetchone()[0], bool(opened.warning))"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = []
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in both:
        said.append(process.communicate(timeout=60)[0].split())
    assert said[0][0] == said[1][0]
    assert sorted(words[1] for words in said) == ["False", "True"]
    assert len(list(database.parent.glob("patchbay.damaged-*.db"))) == 1


def test_two_processes_that_start_at_once_make_one_database(database):
    script = (
        "import sys; from pathlib import Path; from patchbay.app.engine.database import connect\n"
        "sys.stdin.readline(); print(connect(Path(sys.argv[1])).execute('PRAGMA user_version').fetchone()[0])"
    )
    many = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        for _ in range(4)
    ]
    for process in many:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert {process.communicate(timeout=60)[0] for process in many} == {f"{len(MIGRATIONS)}\n"}


def test_what_was_put_aside_and_what_the_ledger_has_is_salvaged_too(database):
    session = LongSession(database)
    session.turn(0, output=100_000)
    session.recorder.close()
    with closing(connect(database)) as connection:
        renew(connection, LONG_ID)
    counts = ("SELECT count(*) FROM kept_texts", "SELECT run_id, outcome, chars FROM tool_runs", "SELECT * FROM calls")
    damage(database)
    with closing(sqlite3.connect(database)) as broken:
        broken.execute("UPDATE tool_runs SET asked = 1, decision = 'always'")  # what no event tells again
        broken.commit()
        before = [sorted(broken.execute(each)) for each in counts]
    assert all(before)
    with closing(open_database(database).connection) as connection:
        assert [sorted(connection.execute(each)) for each in counts] == before
        assert connection.execute("SELECT DISTINCT asked, decision FROM tool_runs").fetchall() == [(1, "always")]

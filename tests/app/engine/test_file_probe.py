import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from patchbay.app.engine.database import open_database
from patchbay.app.engine.file_probe import FileProbe
from patchbay.app.engine.writing_place import WritingPlace
from patchbay.app.paths import make_private_file

ANOTHER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("INSERT INTO told VALUES (1)")
connection.commit()
connection.close()
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state" / "patchbay.db"


def journal_survives_another_process(database: Path) -> bool:
    """Whether a process that uses the database and ends leaves the journal of this one alone."""
    subprocess.run([sys.executable, "-c", ANOTHER, database], check=True)
    return database.with_name("patchbay.db-wal").exists()


def test_looking_at_a_database_leaves_its_locks(database: Path) -> None:
    connection = open_database(database).connection
    connection.execute("CREATE TABLE told (x)")
    open_database(database).connection.close()
    assert journal_survives_another_process(database), "a second opening took the locks away"
    make_private_file(database)
    probe = FileProbe(database)
    assert probe.is_database() and probe.stands_at(database)
    probe.close()
    assert journal_survives_another_process(database), "a look took the locks away"
    connection.close()


def test_a_recorders_looks_leave_its_locks(database: Path) -> None:
    place = WritingPlace(database, open_database(database).connection)
    with place.ready("s") as connection:
        connection.execute("CREATE TABLE told (x)")
    other = open_database(database).connection
    with place.ready("s"):
        pass
    place.close()
    assert journal_survives_another_process(database), "what was closed took the locks of what is open"
    other.close()
    assert not journal_survives_another_process(database)


def test_a_probe_knows_what_became_of_its_file(database: Path) -> None:
    open_database(database).connection.close()
    probe = FileProbe(database)
    assert b"".join(probe.chunks()) == database.read_bytes()
    database.rename(database.with_name("moved.db"))
    assert not probe.stands_at(database) and probe.is_database()
    database.with_name("moved.db").write_bytes(b"no database")
    assert not probe.is_database()
    probe.close()


def test_a_journal_that_was_cut_costs_no_more_than_what_was_cut(database: Path) -> None:
    place = WritingPlace(database, open_database(database).connection)
    with place.ready("s") as connection:
        connection.execute("CREATE TABLE told (x)")
    for number in range(200):
        with place.ready("s") as connection:
            connection.execute("INSERT INTO told VALUES (?)", (f"{number} " + "x" * 2000,))
    journal = database.with_name("patchbay.db-wal")
    with open(journal, "r+b") as file:
        file.truncate(journal.stat().st_size // 2)
    with place.ready("s") as connection:
        connection.execute("INSERT INTO told VALUES ('after')")
    place.close()
    whole = sqlite3.connect(database)
    assert whole.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    kept = [row[0].split()[0] for row in whole.execute("SELECT x FROM told ORDER BY rowid")]
    assert kept == [*map(str, range(len(kept) - 1)), "after"]
    assert len(kept) > 20
    whole.close()

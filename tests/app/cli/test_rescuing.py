"""A session that no disk took until the end: it goes to a file, and comes back from there."""

import os
import sqlite3
import stat
import tempfile
from pathlib import Path

import pytest

from patchbay.app.cli.opening import Journal, open_journal
from patchbay.app.engine import fault_points
from patchbay.app.engine.archive import search
from patchbay.app.engine.database import open_database
from patchbay.app.engine.events import CommandStarted
from patchbay.app.engine.snapshots import load_session
from patchbay.app.engine.state import AnswerEntry, PromptEntry, SessionState
from patchbay.app.engine.transfer import Imported, import_lines
from patchbay.app.paths import find_paths
from support.past_turns import publish_turn


@pytest.fixture
def paths():
    return find_paths(os.environ)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Another disk, and a database that takes what it is given again in the end."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    fault_points.on_reaching(None)


def fill_the_disk() -> None:
    def full(point: str) -> None:
        if point == "write.before_commit":
            raise sqlite3.OperationalError("database or disk is full")

    fault_points.on_reaching(full)


def turn(journal: Journal, number: int) -> None:
    publish_turn(journal.bus, str(number), prompt=f"prompt {number}", text=f"answer {number} about harbours")


def said(state: SessionState) -> list[str]:
    words: list[str] = []
    for entry in state.transcript:
        match entry:
            case PromptEntry():
                words.append(entry.text)
            case AnswerEntry():
                words += [str(part.text) for part in entry.parts if hasattr(part, "text")]
            case _:
                continue
    return words


def imported(file: Path, database: Path) -> tuple[Imported, SessionState]:
    connection = open_database(database).connection
    with file.open(encoding="utf-8") as lines:
        came = import_lines(connection, lines, "session-back", at=5.0)
    assert [hit.session.session_id for hit in search(connection, "harbours")] == ["session-back"]
    return came, load_session(connection, "session-back").state


async def test_what_the_disk_never_took_is_in_a_file_with_all_before_it(paths, elsewhere, tmp_path):
    journal = open_journal(paths, "/a")
    turn(journal, 1)
    await journal.recorder.durable()
    fill_the_disk()
    turn(journal, 2)
    turn(journal, 3)
    told = journal.close()
    (file,) = elsewhere.iterdir()
    assert f"It is in {file}, and `patchbay sessions import {file}`" in told
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    came, state = imported(file, tmp_path / "other.db")
    assert (came.left_out, came.title) == (0, "prompt 1")
    assert said(state) == said(journal.bus.store.state)
    assert len(said(state)) == 6


async def test_a_session_that_lived_in_memory_alone_is_in_a_file_too(paths, elsewhere, tmp_path):
    paths.state_folder.parent.mkdir(parents=True, exist_ok=True)
    paths.state_folder.write_text("in the way")
    journal = open_journal(paths, "/a")
    turn(journal, 1)
    assert "could not be saved" in journal.close()
    (file,) = elsewhere.iterdir()
    came, state = imported(file, tmp_path / "other.db")
    assert (came.left_out, said(state), state.folder) == (0, said(journal.bus.store.state), "/a")


async def test_private_commands_stay_private(paths, elsewhere):
    journal = open_journal(paths, "/a")
    fill_the_disk()
    turn(journal, 1)
    journal.bus.publish(CommandStarted(run_id="own-1", command="cat diary", private=True))
    journal.close()
    (file,) = elsewhere.iterdir()
    assert "diary" not in file.read_text()


async def test_a_file_that_is_there_is_not_touched_and_the_next_place_is_taken(paths, elsewhere, own_home):
    journal = open_journal(paths, "/a")
    fill_the_disk()
    turn(journal, 1)
    name = f"patchbay-{journal.bus.store.state.session_id}.jsonl"
    (elsewhere / name).symlink_to(own_home / "target")
    assert str(own_home / name) in journal.close()
    assert not (own_home / "target").exists() and "prompt 1" in (own_home / name).read_text()


async def test_when_nothing_can_be_written_anywhere_it_is_said_that_it_is_lost(paths, monkeypatch, tmp_path):
    journal = open_journal(paths, "/a")
    fill_the_disk()
    turn(journal, 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    monkeypatch.setenv("HOME", str(tmp_path / "gone"))
    os.rename(paths.state_folder, tmp_path / "moved")
    paths.state_folder.write_text("in the way")
    told = journal.close()
    assert "is lost: no file could be written either" in told and "No such file" in told


async def test_a_session_that_is_saved_leaves_no_file(paths, elsewhere):
    journal = open_journal(paths, "/a")
    fill_the_disk()
    turn(journal, 1)
    await journal.recorder.durable()
    fault_points.on_reaching(None)
    assert journal.close() == ""
    assert list(elsewhere.iterdir()) == []

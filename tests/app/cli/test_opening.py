import os
import subprocess
import sys

import pytest

from patchbay.app.cli.opening import BACK, COPIED, open_journal
from patchbay.app.engine.archive import list_sessions, purgeable, remove
from patchbay.app.engine.database import DatabaseUnwritable, connect
from patchbay.app.engine.events import PromptSubmitted
from patchbay.app.engine.session_lock import SessionLock
from patchbay.app.engine.state import PromptEntry
from patchbay.app.paths import find_paths
from patchbay.app.settings import SettingsError
from support.journals import written_session


@pytest.fixture
def paths():
    return find_paths(os.environ)


def prompts(journal):
    return [entry.text for entry in journal.bus.store.state.transcript if isinstance(entry, PromptEntry)]


def test_the_last_session_of_a_folder_or_a_named_one_goes_on(paths):
    written_session(paths.database, "session-one", folder="/a", prompts=1, started=1000.0)
    written_session(paths.database, "session-two", folder="/a", prompts=2, started=2000.0)
    last = open_journal(paths, "/a", resume=True)
    assert len(prompts(last)) == 2
    assert last.warnings == ()
    last.close()
    named = open_journal(paths, "/elsewhere", session="one")
    assert named.bus.store.state.session_id == "session-one"
    assert named.bus.store.state.folder == "/elsewhere", "what the model is told is where its tools work"
    assert named.warnings == ("This session was in /a, which is gone: its tools work in /elsewhere from here on.",)
    named.close()
    assert {row.folder for row in list_sessions(connect(paths.database))} == {"/a"}, "it is listed where it began"
    back = open_journal(paths, "/a", session="one")
    assert (back.bus.store.state.folder, len(prompts(back))) == ("/a", 1)
    back.close()
    with pytest.raises(SettingsError, match="no session"):
        open_journal(paths, "/a", session="three")


def test_a_session_in_use_is_copied_and_both_go_their_own_way(paths):
    written_session(paths.database, "session-one", folder="/a", prompts=1)
    first = open_journal(paths, "/a", session="one")
    second = open_journal(paths, "/a", session="one")
    assert second.warnings == (COPIED,)
    assert second.bus.store.state.session_id != "session-one"
    assert prompts(second) == prompts(first)
    first.bus.publish(PromptSubmitted(prompt_id="p1", text="first"))
    second.bus.publish(PromptSubmitted(prompt_id="p2", text="second"))
    first.close()
    second.close()
    again = open_journal(paths, "/a", session="one")
    assert again.warnings == ()
    assert prompts(again)[1:] == ["first"]
    again.close()
    assert len(list_sessions(connect(paths.database))) == 2


def test_a_removed_session_that_is_gone_on_with_is_back_in_the_lists(paths):
    written_session(paths.database, "session-one", folder="/a", prompts=1)
    connection = connect(paths.database)
    remove(connection, "session-one", at=5.0)
    journal = open_journal(paths, "/a", session="one")
    assert journal.warnings == (BACK,)
    journal.close()
    assert [row.session_id for row in list_sessions(connection)] == ["session-one"]
    assert purgeable(connection, removed_before=10.0) == [], "what is said in it now is not deleted with it"


def test_going_on_after_damage_says_what_happened(paths):
    for number in range(4):
        written_session(paths.database, f"session-{number}", folder="/a", prompts=20)
    with open(paths.database, "r+b") as file:  # what lies behind the sessions table
        file.seek(4096 * 12)
        file.write(os.urandom(4096 * 3))
    journal = open_journal(paths, "/a", resume=True)
    assert "damaged" in " ".join(journal.warnings)
    journal.close()


def test_a_session_has_one_holder_whoever_comes_while_it_is_given_back(tmp_path, monkeypatch):
    first, second, third = (SessionLock(tmp_path, "s") for _ in range(3))
    assert first.acquire()
    opened = os.open

    def open_then_lose_it(path, flags, *rest, **more):
        """The second has opened the lock file when the first gives it back, with the file."""
        descriptor = opened(path, flags, *rest, **more)
        if str(path).endswith("s.lock") and flags & os.O_RDWR and not flags & os.O_CREAT:
            monkeypatch.setattr(os, "open", opened)
            first.release()
        return descriptor

    monkeypatch.setattr(os, "open", open_then_lose_it)
    assert second.acquire()
    assert not third.acquire(), "the second holds the file that stands there, not one that is gone"
    second.release()
    assert third.acquire()
    third.release()


def test_a_lock_ends_with_its_process(tmp_path):
    script = (
        "import sys; from pathlib import Path; from patchbay.app.engine.session_lock import SessionLock\n"
        "lock = SessionLock(Path(sys.argv[1]), 's'); print(lock.acquire(), flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "True"
    assert not SessionLock(tmp_path, "s").acquire()
    holder.kill()
    holder.wait()
    lock = SessionLock(tmp_path, "s")
    assert lock.acquire()
    lock.release()
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_saved_the_session_lives_in_memory_and_says_so(paths):
    paths.state_folder.parent.mkdir(parents=True, exist_ok=True)
    paths.state_folder.write_text("in the way")
    journal = open_journal(paths, "/a")
    assert journal.bus.store.state.folder == "/a"
    assert "lives in memory" in journal.warnings[0]
    journal.bus.publish(PromptSubmitted(prompt_id="p", text="written later"))
    with pytest.raises(DatabaseUnwritable):
        open_journal(paths, "/a", session="one")
    paths.state_folder.unlink()
    journal.close()
    again = open_journal(paths, "/a", resume=True)
    assert prompts(again) == ["written later"], "what could not be saved at first is saved whole"
    again.close()

import asyncio
import os
from contextlib import closing

import pytest

from patchbay.app.cli.retention import DAY_S, Retention
from patchbay.app.cli.session_shelf import SessionShelf
from patchbay.app.engine import archive
from patchbay.app.engine.database import connect
from patchbay.app.engine.drafts import save_draft
from patchbay.app.engine.session_lock import SessionLock, held_sessions
from patchbay.app.engine.state import PromptEntry, SessionState
from patchbay.app.paths import find_paths
from patchbay.app.tui.sessions import SessionsError
from patchbay.providers.redact import remember_secret
from support.journals import written_session


@pytest.fixture
def paths():
    return find_paths(os.environ)


@pytest.fixture
def shelf(paths):
    written_session(paths.database, "session-a", text="The lighthouse is lit.")
    written_session(paths.database, "session-b", text="The harbour is dark.", started=1_800_000_000.0)
    made = SessionShelf(paths, lambda: SessionState(session_id="session-a"), Retention())
    yield made
    made.close()


async def test_sessions_are_listed_searched_and_previewed(shelf):
    assert [row.session_id for row in await shelf.listed()] == ["session-b", "session-a"]
    assert [hit.session.session_id for hit in await shelf.search("lighth")] == ["session-a"]
    assert (await shelf.last_messages("session-a"))[-1].text == "The lighthouse is lit."
    assert shelf.current == "session-a"
    await shelf.rename("session-a", "Lamps")
    assert await shelf.name() == "Lamps"
    await shelf.remove("session-b")
    assert [row.session_id for row in await shelf.listed()] == ["session-a"]
    assert (await shelf.restore_last()).session_id == "session-b"
    assert await shelf.restore_last() is None


async def test_only_the_newest_search_finds(shelf):
    answers = await asyncio.gather(*(shelf.search(text) for text in ("l", "li", "lig", "lighthouse")))
    assert [len(each) for each in answers] == [0, 0, 0, 1]


async def test_a_copy_up_to_a_prompt_has_that_prompt_unsent(shelf, paths):
    second = (await shelf.prompts("session-a"))[1]
    copy = await shelf.fork("session-a", second)
    assert [each.text for each in await shelf.prompts(copy)] == ["Question 0 about the harbour"]
    opened = SessionShelf(paths, lambda: SessionState(session_id=copy), Retention())
    assert await opened.draft() == "Question 1 about the harbour"
    opened.close()
    with pytest.raises(SessionsError, match="gone"):
        await shelf.fork("session-a", PromptEntry(prompt_id="nope", text="", at=0.0))


@pytest.mark.parametrize(("name", "sign"), [("a.md", "# "), ("a.html", "<!doctype html>"), ("a.jsonl", '{"format"')])
async def test_an_export_is_private_whole_and_never_over_another_file(shelf, tmp_path, name, sign):
    file = tmp_path / name
    await shelf.export("session-a", file)
    assert file.read_text().startswith(sign)
    assert file.stat().st_mode & 0o077 == 0
    file.write_text("mine")
    with pytest.raises(SessionsError, match="exists"):
        await shelf.export("session-a", file)
    assert file.read_text() == "mine"


async def test_what_cannot_be_exported_or_imported_is_said(shelf, tmp_path):
    with pytest.raises(SessionsError, match=r"\.html"):
        await shelf.export("session-a", tmp_path / "notes.txt")
    with pytest.raises(SessionsError, match="No such file"):
        await shelf.export("session-a", tmp_path / "none" / "a.md")
    with pytest.raises(SessionsError, match="gone"):
        await shelf.export("session-x", tmp_path / "x.md")
    with pytest.raises(SessionsError, match="No such file"):
        await shelf.bring_in(tmp_path / "none.jsonl")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(SessionsError, match="exported"):
        await shelf.bring_in(tmp_path / "bytes.jsonl")


async def test_an_export_comes_back_in(shelf, tmp_path):
    await shelf.export("session-a", tmp_path / "a.jsonl")
    new = (await shelf.bring_in(tmp_path / "a.jsonl")).session_id
    assert [each.text for each in await shelf.last_messages(new)] == [
        each.text for each in await shelf.last_messages("session-a")
    ]


@pytest.mark.parametrize("name", ["a.md", "a.html", "a.jsonl"])
async def test_no_export_holds_a_key(paths, tmp_path, name):
    written_session(paths.database, "session-k", text="The key is sk-abcdefghijklmnop1234567890 and zebra-crossing-9.")
    remember_secret("zebra-crossing-9")
    shelf = SessionShelf(paths, lambda: SessionState(session_id="session-k"), Retention())
    await shelf.export("session-k", tmp_path / name)
    shelf.close()
    page = (tmp_path / name).read_text()
    assert "The key is" in page
    assert "abcdefghijklmnop1234567890" not in page
    assert "zebra-crossing" not in page


async def test_a_draft_is_kept_and_found_again(shelf, paths):
    assert await shelf.draft() == ""
    shelf.keep_draft("half a")
    shelf.keep_draft("half a thought")
    assert await shelf.draft() == "half a thought"


async def test_without_a_database_everything_is_said(paths):
    shelf = SessionShelf(paths, SessionState, Retention())
    with pytest.raises(SessionsError, match="database"):
        await shelf.listed()
    shelf.keep_draft("goes nowhere, quietly")
    shelf.close()
    assert not paths.database.exists()


async def test_a_session_in_use_is_known_and_never_purged(shelf, paths):
    lock = SessionLock(paths.locks, "session-b")
    assert lock.acquire()
    assert await shelf.in_use() == {"session-b"}
    connection = connect(paths.database)
    for name in ("session-a", "session-b"):
        archive.remove(connection, name, at=1000.0)
    assert Retention(keep_removed_days=1).purge(connection, paths, at=1000.0 + 2 * DAY_S) == ["session-a"]
    lock.release()
    assert held_sessions(paths.locks) == frozenset()
    assert connection.execute("SELECT count(*) FROM calls WHERE session_id = 'session-a'").fetchone()[0] == 2


async def test_a_stale_lock_file_is_nobody_s(paths):
    (paths.locks).mkdir(parents=True)
    (paths.locks / "session-dead.lock").touch()
    assert held_sessions(paths.locks) == frozenset()


async def test_sessions_are_kept_as_long_as_the_settings_say(shelf, paths):
    now = 1_800_000_000.0 + 10 * DAY_S
    connection = connect(paths.database)
    assert Retention().purgeable(connection, paths, at=now) == []
    old = Retention(keep_days=30).purgeable(connection, paths, at=now)
    assert [row.session_id for row in old] == ["session-a"]
    archive.remove(connection, "session-b", at=now - 40 * DAY_S)
    assert Retention(keep_removed_days=0).purgeable(connection, paths, at=now) == []
    assert [row.session_id for row in Retention().purgeable(connection, paths, at=now)] == ["session-b"]
    shelf.keep_draft("of session-a")
    await shelf.draft()
    assert sorted(Retention(keep_days=5).purge(connection, paths, at=now)) == ["session-a", "session-b"]
    for table in ("sessions", "events", "texts", "drafts"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0
    assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] == 4


async def test_what_stood_unsent_where_nothing_was_sent_is_in_the_next_session_of_the_folder(paths):
    for name, folder in (("first", "/a"), ("other", "/b"), ("open", "/a"), ("new", "/a"), ("newer", "/a")):
        written_session(paths.database, f"session-{name}", folder=folder, prompts=0)
    written_session(paths.database, "session-listed", folder="/a")
    with closing(connect(paths.database)) as connection:
        for at, name in enumerate(("first", "other", "listed", "open")):
            save_draft(connection, f"session-{name}", f"thought of {name}", at=float(at))
    locks = [SessionLock(paths.locks, f"session-{name}") for name in ("open", "new")]
    assert all(lock.acquire() for lock in locks)

    async def draft(session_id: str) -> str:
        shelf = SessionShelf(paths, lambda: SessionState(session_id=session_id, folder="/a"), Retention())
        found = await shelf.draft()
        shelf.close()
        return found

    assert await draft("session-new") == "thought of first", "no list shows the session it was written in"
    assert await draft("session-newer") == "", "it is taken over once"
    assert await draft("session-new") == "thought of first"
    assert await draft("session-listed") == "thought of listed"
    for lock in locks:
        lock.release()

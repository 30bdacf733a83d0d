from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.engine import archive
from patchbay.app.engine.database import connect, latest_session, load_events
from patchbay.app.engine.history import history
from patchbay.app.engine.state import PromptEntry, SessionState
from patchbay.app.engine.store import SessionStore
from support.journals import written_session


@pytest.fixture
def database(tmp_path):
    return tmp_path / "patchbay.db"


def replayed(connection, session_id):
    events, _, problems = load_events(connection, session_id)
    assert problems == []
    return SessionStore(SessionState(session_id=session_id)).replay(events)


def test_sessions_are_listed_newest_first_with_their_money(database):
    written_session(database, "session-old", folder="/a", started=1000.0)
    written_session(database, "session-new", folder="/b", prompts=3, cost=Decimal("0.1"), started=2000.0)
    written_session(database, "session-dear", folder="/b", cost=None, started=3000.0)
    connection = connect(database)
    rows = archive.list_sessions(connection)
    assert [row.session_id for row in rows] == ["session-dear", "session-new", "session-old"]
    assert [(row.cost, row.unknown_calls, row.prompts, row.calls) for row in rows] == [
        (Decimal(0), 2, 2, 2),
        (Decimal("0.3"), 0, 3, 3),
        (Decimal("0.50"), 0, 2, 2),
    ]
    assert rows[0].title == "Question 0 about the harbour"
    assert rows[0].model == "shop/fast-1"
    assert [row.session_id for row in archive.list_sessions(connection, folder="/a")] == ["session-old"]


def test_a_search_wants_every_word_and_takes_an_unfinished_last_one(database):
    written_session(database, "session-a", text="Quoted commas survive the parser.")
    written_session(database, "session-b", text="The parser splits at every comma.")
    connection = connect(database)

    def found(text):
        return {hit.session.session_id for hit in archive.search(connection, text)}

    assert found("parser") == {"session-a", "session-b"}
    assert found("parser quoted") == {"session-a"}
    assert found("spli") == {"session-b"}
    assert found("PARSER comma") == {"session-a", "session-b"}
    assert found("lighthouse") == set()
    (hit,) = archive.search(connection, "surviv")
    assert [hit.snippet[start:end] for start, end in hit.marks] == ["survive"]
    assert hit.kind == "answer"
    assert hit.hits == 2


@given(st.text(max_size=40))
def test_no_search_text_is_an_error(text):
    connection = connect_in_memory()
    archive.search(connection, text)


_MEMORY = []


def connect_in_memory():
    import sqlite3

    from patchbay.app.engine.schema import MIGRATIONS

    if not _MEMORY:
        connection = sqlite3.connect(":memory:")
        for script in MIGRATIONS:
            connection.executescript(script)
        _MEMORY.append(connection)
    return _MEMORY[0]


def test_a_removed_session_is_nowhere_until_it_is_restored(database):
    written_session(database, "session-a", folder="/a")
    connection = connect(database)
    archive.remove(connection, "session-a", at=5.0)
    assert archive.list_sessions(connection) == []
    assert archive.search(connection, "harbour") == []
    assert latest_session(connection, "/a") is None
    assert [row.session_id for row in archive.list_sessions(connection, removed=True)] == ["session-a"]
    archive.restore(connection, "session-a")
    assert latest_session(connection, "/a") == "session-a"
    archive.remove(connection, "session-a", at=5.0)
    assert archive.purge(connection, removed_before=5.0) == []
    assert archive.purge(connection, removed_before=5.1, spared={"session-a"}) == []
    assert archive.purge(connection, removed_before=5.1) == ["session-a"]
    assert archive.find_session(connection, "session-a") == []
    assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] == 2, "what was spent stays spent"
    assert connection.execute("SELECT count(*) FROM events").fetchone()[0] == 0


def test_a_name_is_shown_and_found_and_can_be_taken_away(database):
    written_session(database, "session-a")
    connection = connect(database)
    archive.rename(connection, "session-a", "Tariff rework")
    (row,) = archive.list_sessions(connection)
    assert row.title == "Tariff rework"
    assert [hit.kind for hit in archive.search(connection, "tariff")] == ["name"]
    archive.rename(connection, "session-a", "  ")
    assert archive.list_sessions(connection)[0].title == "Question 0 about the harbour"


def test_a_title_that_a_model_wrote_is_found(database):
    written_session(database, "session-a")
    connection = connect(database)
    with connection:
        connection.execute("UPDATE sessions SET title = 'Änderung der Tariffs'")
    assert [(hit.kind, hit.snippet) for hit in archive.search(connection, "tariff")] == [
        ("title", "Änderung der Tariffs")
    ]
    assert len(archive.search(connection, "anderung")) == 1, "accents count no more than in messages"


def test_words_are_found_in_the_messages_of_a_session_together(database):
    written_session(database, "session-a", text="The lighthouse is lit.")
    written_session(database, "session-b", text="Nothing of the kind.")
    connection = connect(database)

    def found(text):
        return [hit.session.session_id for hit in archive.search(connection, text)]

    assert found("lighthouse question") == ["session-a"], "one stands in a prompt, the other in an answer"
    assert found("lighthouse zebra") == []


def test_an_id_may_be_cut_short(database):
    written_session(database, "session-abc1")
    written_session(database, "session-abd2")
    connection = connect(database)

    def ids(prefix):
        return {row.session_id for row in archive.find_session(connection, prefix)}

    assert ids("abc") == ids("session-abc") == ids("session-abc1") == {"session-abc1"}
    assert ids("ab") == {"session-abc1", "session-abd2"}
    assert ids("%") == ids("") == ids("zz") == set()


def test_a_fork_has_the_history_before_the_prompt_and_costs_nothing_yet(database):
    state = written_session(database, "session-a", prompts=3)
    connection = connect(database)
    second = [entry for entry in state.transcript if isinstance(entry, PromptEntry)][1]
    archive.fork(connection, "session-a", "session-f", at=9e9, before_prompt=second.prompt_id)
    forked = replayed(connection, "session-f")
    prompts = [entry.text for entry in forked.transcript if isinstance(entry, PromptEntry)]
    assert prompts == ["Question 0 about the harbour"]
    assert forked.totals.cost == 0
    assert forked.folder == state.folder
    assert history(forked) == history(state)[: len(history(forked))]
    assert replayed(connection, "session-a").transcript == state.transcript, "the source is as it was"
    (row,) = (row for row in archive.list_sessions(connection) if row.session_id == "session-f")
    assert (row.cost, row.prompts) == (Decimal(0), 1)


def test_forking_what_is_not_there_changes_nothing(database):
    written_session(database, "session-a")
    connection = connect(database)
    with pytest.raises(KeyError):
        archive.fork(connection, "session-x", "session-f", at=1.0)
    with pytest.raises(KeyError):
        archive.fork(connection, "session-a", "session-f", at=1.0, before_prompt="prompt-none")
    assert archive.find_session(connection, "session-f") == []

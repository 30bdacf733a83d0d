import json
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.engine import archive
from patchbay.app.engine.archive import insert_event
from patchbay.app.engine.budget_events import (
    BudgetLevel,
    BudgetReached,
    BudgetRules,
    BudgetScope,
    BudgetSet,
    SpendingRead,
    UnknownPrice,
)
from patchbay.app.engine.budget_state import BudgetState
from patchbay.app.engine.database import connect, load_events
from patchbay.app.engine.events import Stamped
from patchbay.app.engine.state import SessionState, Totals
from patchbay.app.engine.store import SessionStore
from patchbay.app.engine.transfer import TransferError, export_lines, import_lines
from support.journals import written_session


@pytest.fixture
def connection(tmp_path):
    written_session(tmp_path / "patchbay.db", "session-a", prompts=3)
    return connect(tmp_path / "patchbay.db")


def replayed(connection, session_id):
    events, _, problems = load_events(connection, session_id)
    assert problems == []
    return SessionStore(SessionState(session_id=session_id)).replay(events)


def test_a_session_goes_out_and_comes_in_as_it_was(connection):
    lines = list(export_lines(connection, "session-a"))
    done = import_lines(connection, lines, "session-b", at=5.0)
    assert (done.session_id, done.left_out) == ("session-b", 0)
    assert done.title == "Question 0 about the harbour"
    before, after = replayed(connection, "session-a"), replayed(connection, "session-b")
    assert after.transcript[:-1] == before.transcript
    assert after.runs == before.runs
    *again, forked = [json.loads(line) for line in export_lines(connection, "session-b")][1:]
    assert again == [json.loads(line) for line in lines[1:]]
    assert forked["event"] == {"$type": "SessionForked", "origin": "session-a"}
    assert before.totals.calls and after.totals == Totals(), "what it cost is in no other ledger"
    assert {hit.session.session_id for hit in archive.search(connection, "lighthouse")} == {"session-a", "session-b"}


@pytest.mark.parametrize("at", ["NaN", "Infinity", "1e308", "-5e12", "-1"])
def test_a_line_of_no_time_is_left_out(connection, at):
    head, *lines = export_lines(connection, "session-a")
    timeless = [line for line in lines if "TurnEnded" in line]
    odd = [re.sub(r'"at":[^,]+', f'"at":{at}', line) for line in timeless]
    done = import_lines(
        connection, [head, *(line for line in lines if line not in timeless), *odd], "session-b", at=5.0
    )
    assert done.left_out == len(odd) > 0
    assert replayed(connection, "session-b").transcript


def test_lines_in_another_order_or_twice_make_the_same_session(connection):
    head, *lines = export_lines(connection, "session-a")
    done = import_lines(connection, [head, *reversed(lines), *lines], "session-b", at=5.0)
    assert done.title == "Question 0 about the harbour"
    assert (done.events, done.left_out) == (len(lines), len(lines)), "what is there twice is taken once"
    assert replayed(connection, "session-b").transcript[:-1] == replayed(connection, "session-a").transcript
    messages = {row.session_id: row.messages for row in archive.list_sessions(connection)}
    assert messages["session-b"] == messages["session-a"]


def test_the_title_that_is_told_is_the_one_that_is_listed(connection):
    archive.rename(connection, "session-a", "Harbour lights")
    done = import_lines(connection, list(export_lines(connection, "session-a")), "session-b", at=5.0)
    (row,) = archive.find_session(connection, "session-b")
    assert done.title == row.title == "Harbour lights"


def test_lines_of_another_version_are_left_out_and_counted(connection):
    head, *lines = export_lines(connection, "session-a")
    odd = ['{"seq": 900, "last_seq": 900, "at": 1, "event": {"$type": "FromTheFuture"}}', "not json", "[1]", ""]
    done = import_lines(connection, [head, *lines, *odd], "session-b", at=5.0)
    assert done.left_out == 3
    assert replayed(connection, "session-b").transcript[:-1] == replayed(connection, "session-a").transcript


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "no exported session"),
        (["# Markdown"], "no exported session"),
        (["[" * 200_000], "no exported session"),
        (['{"format": "patchbay-session", "version": 99}'], "version 99"),
        (['{"format": "patchbay-session", "version": 1}'], "no prompt"),
    ],
)
def test_what_is_no_session_is_refused_and_nothing_is_added(connection, lines, said):
    with pytest.raises(TransferError, match=said):
        import_lines(connection, lines, "session-b", at=5.0)
    assert archive.find_session(connection, "session-b") == []


@given(st.lists(st.text(max_size=60), max_size=5))
def test_garbage_is_refused_by_name(lines):
    import sqlite3

    with pytest.raises(TransferError):
        import_lines(sqlite3.connect(":memory:"), lines, "session-b", at=5.0)


def test_budgets_of_whoever_exported_it_do_not_come_along(tmp_path):
    state = written_session(tmp_path / "patchbay.db", "session-a", prompts=1)
    connection = connect(tmp_path / "patchbay.db")
    foreign = [
        BudgetSet(scope=BudgetScope.SESSION, limit=Decimal(1000)),
        BudgetRules(warn_at=Decimal("0.99"), unknown_price=UnknownPrice.ALLOW),
        SpendingRead(today="2026-03-02", day=Decimal(7), month=Decimal(70)),
        BudgetReached(scope=BudgetScope.DAY, level=BudgetLevel.PAUSE, spent=Decimal(7), limit=Decimal(8)),
    ]
    for seq, event in enumerate(foreign, 900):
        insert_event(connection, Stamped(seq=seq, at=1.0, session_id="session-a", event=event), seq)
    done = import_lines(connection, list(export_lines(connection, "session-a")), "session-b", at=5.0)
    assert done.left_out == 0, "they are of this version"
    assert replayed(connection, "session-a").budget.session == 1000
    copy = replayed(connection, "session-b")
    assert copy.budget == BudgetState()
    assert copy.transcript[:-1] == state.transcript

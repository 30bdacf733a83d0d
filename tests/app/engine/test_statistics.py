"""Days in a row, tools that were asked about and denied, copies that count once."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from patchbay.app.engine import archive
from patchbay.app.engine.database import connect
from patchbay.app.engine.ledger_rows import LedgerCall, Query
from patchbay.app.engine.statistics import Days, days_of, statistics
from support.journals import written_session


def on(day: int) -> LedgerCall:
    at = datetime(2026, 11, day, 12, tzinfo=UTC).timestamp()
    return LedgerCall(request_id=f"r{day}", session_id="s", turn_id="t", at=at, provider="p", model="m")


def test_days_in_a_row() -> None:
    calls = [on(1), on(2), on(3), on(3), on(7), on(8)]
    assert days_of(calls, date(2026, 11, 9), UTC) == Days(
        active=5, longest=3, current=2, busiest="2026-11-03", busiest_calls=2
    )
    assert days_of(calls, date(2026, 11, 10), UTC).current == 0
    assert days_of([], date(2026, 11, 10), UTC) == Days()


def test_copies_count_once_and_deleted_sessions_keep_their_tools(tmp_path: Path) -> None:
    database = tmp_path / "state" / "patchbay.db"
    written_session(database, "session-a", prompts=3)
    connection = connect(database)
    archive.fork(connection, "session-a", "session-b", at=1_700_000_500.0)
    found = statistics(connection, Query(), now=1_700_000_500.0, zone=UTC)
    assert (found.sessions, found.prompts, found.turns, found.total.calls) == (1, 3, 3, 3)
    assert [(tool.name, tool.runs, tool.success_rate) for tool in found.tools] == [("bash", 3, 1.0)]
    assert found.total.cost == Decimal("0.75")
    archive.purge(connection, removed_before=0, idle_before=4e9)
    after = statistics(connection, Query(folder="/src/shop"), now=1_700_000_500.0, zone=UTC)
    assert (after.total.cost, after.tools) == (found.total.cost, found.tools)
    assert statistics(connection, Query(folder="/elsewhere"), now=1.0, zone=UTC).tools == ()
    connection.close()

"""Days in a row, tools that were asked about and denied, copies that count once."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from patchbay.app.engine import archive
from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.database import connect
from patchbay.app.engine.events import (
    CallPriced,
    Cost,
    CostSource,
    ProviderActivity,
    RequestStarted,
    SessionStarted,
    ToolActivity,
)
from patchbay.app.engine.ledger_rows import LedgerCall, Query
from patchbay.app.engine.recorder import Recorder
from patchbay.app.engine.schema import MIGRATIONS
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.statistics import Days, days_of, statistics
from patchbay.app.engine.store import SessionStore
from patchbay.providers.events import ResponseEnd, StopReason, ToolCallEnd, Usage
from patchbay.tools.events import ApprovalResolved, Decision, Outcome
from support.journals import written_session
from support.past_turns import REF
from support.sessions import finished, question


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


def asked_and_denied(database: Path) -> None:
    """A run that a person denied, called with arguments that are no JSON for SQLite."""
    bus = MessageBus(SessionStore(SessionState(session_id="session-n")), clock=lambda: 1_700_000_000.0)
    recorder = Recorder(database)
    bus.attach(recorder.sink)
    bus.publish(SessionStarted(folder="/f", version="test"))
    place = {"turn_id": "t", "request_id": "req-n"}
    bus.publish(RequestStarted(**place, ref=REF, dialect="scripted", estimated_input_tokens=1))
    call = ToolCallEnd(index=0, call_id="c", name="bash", arguments={"command": "rm x"})
    odd = ToolCallEnd(index=1, call_id="d", name="odd", arguments={"deep": float("nan")})
    for event in (call, odd, ResponseEnd(stop_reason=StopReason.TOOL_CALLS)):
        bus.publish(ProviderActivity(**place, event=event))
    cost = Cost(amount=Decimal(1), source=CostSource.COMPUTED)
    bus.publish(CallPriced(**place, ref=REF, usage=Usage(), cost=cost, price=None, duration_s=1, first_token_s=None))
    for event in (
        question("req-n.0"),
        ApprovalResolved(approval_id="ask-1", run_id="req-n.0", decision=Decision.DENY),
        finished("req-n.0", Outcome.DENIED, "no"),
    ):
        bus.publish(ToolActivity(**place, part_index=0, event=event))
    recorder.close()


def test_what_was_asked_and_denied_is_no_failure_of_the_tool(tmp_path: Path) -> None:
    database = tmp_path / "state" / "patchbay.db"
    asked_and_denied(database)
    connection = connect(database)
    (tool,) = statistics(connection, Query(), now=1_700_000_000.0).tools
    assert (tool.name, tool.runs, tool.asked, tool.denied, tool.success_rate) == ("bash", 1, 1, 1, None)
    kept = connection.execute("SELECT count(*) FROM events").fetchone()[0]
    assert kept == 9, "an event that SQLite cannot look into is kept all the same"
    connection.close()


def test_an_older_journal_gets_the_same_runs(tmp_path: Path) -> None:
    database = tmp_path / "state" / "patchbay.db"
    asked_and_denied(database)
    written_session(database, "session-a", prompts=2)
    connection = connect(database)
    query = "SELECT * FROM tool_runs ORDER BY run_id"
    recorded = connection.execute(query).fetchall()
    for name in ("tool_called", "tool_ran", "tool_asked"):
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("DROP TABLE tool_runs")
    script = MIGRATIONS[2]
    end = "DROP TABLE told;"
    connection.executescript(script[script.index("CREATE TABLE tool_runs") : script.index(end) + len(end)])
    assert connection.execute(query).fetchall() == recorded
    connection.close()

import json
from contextlib import closing
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from patchbay.app.engine.budget_events import SpendingRead
from patchbay.app.engine.database import connect
from patchbay.app.engine.spent import model_record, spent_elsewhere
from support.journals import written_session
from support.past_turns import REF

NOON = datetime(2026, 3, 2, 12, 0)


def at(moment: datetime) -> float:
    return moment.timestamp()


def test_day_and_month_are_local_and_leave_out_the_session_itself(tmp_path: Path):
    database = tmp_path / "patchbay.db"
    amount = Decimal("0.0000001")
    for name, moment in (
        ("mine", NOON),
        ("today", NOON - timedelta(hours=11)),
        ("yesterday", NOON - timedelta(hours=13)),
        ("february", NOON - timedelta(days=2)),
    ):
        written_session(database, name, prompts=2, cost=amount, started=at(moment))
    written_session(database, "unknown", prompts=1, cost=None, started=at(NOON))
    read = spent_elsewhere(database, "mine", date(2026, 3, 2))
    assert read == SpendingRead(today="2026-03-02", day=2 * amount, month=4 * amount)
    assert str(read.month) == "4E-7"
    assert spent_elsewhere(database, "another", date(2026, 3, 2)).day == 4 * amount


def test_nothing_is_lost_in_thousands_of_tiny_amounts(tmp_path: Path):
    database = tmp_path / "patchbay.db"
    written_session(database, "s", prompts=300, cost=Decimal("0.1"), started=at(NOON))
    assert spent_elsewhere(database, "t", NOON.date()).day == Decimal(30)


def test_an_amount_that_is_none_is_left_out(tmp_path: Path):
    database = tmp_path / "patchbay.db"
    written_session(database, "s", prompts=2, cost=Decimal("0.25"), started=at(NOON))
    with closing(connect(database)) as connection, connection:
        connection.execute("UPDATE calls SET cost = 'no number' WHERE request_id = 'req-s-0'")
    assert spent_elsewhere(database, "t", NOON.date()).day == Decimal("0.25")


def test_no_digit_is_lost_however_different_the_amounts_are(tmp_path: Path):
    database = tmp_path / "patchbay.db"
    large, small = Decimal("123456789.12"), Decimal("0.0000000000000000000000001")
    written_session(database, "large", prompts=1, cost=large, started=at(NOON))
    written_session(database, "small", prompts=1, cost=small, started=at(NOON))
    assert str(spent_elsewhere(database, "t", NOON.date()).day) == "123456789.1200000000000000000000001"


def test_a_request_is_told_by_what_the_journal_says_of_it_last(tmp_path: Path):
    database = tmp_path / "patchbay.db"
    written_session(database, "s", prompts=1, started=at(NOON))
    with closing(connect(database)) as connection, connection:
        (seq, body) = connection.execute(
            "SELECT seq, body FROM events WHERE type = 'RequestStarted' ORDER BY seq"
        ).fetchone()
        earlier = json.dumps({**json.loads(body), "estimated_input_tokens": 900})
        connection.execute("UPDATE events SET seq = 1000, last_seq = 1000 WHERE seq = ?", (seq,))
        connection.execute("INSERT INTO events VALUES ('s', ?, ?, 1.0, 'RequestStarted', ?)", (seq, seq, earlier))
    record = model_record(database, REF)
    assert record is not None
    assert record.rate == 1.0

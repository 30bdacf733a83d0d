from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from patchbay.app.engine.budget_events import SpendingRead
from patchbay.app.engine.spent import spent_elsewhere
from support.journals import written_session

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

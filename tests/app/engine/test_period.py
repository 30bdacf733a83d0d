import contextlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.engine.period import PeriodError, since, until

NOW = datetime(2026, 11, 26, 15, 30, tzinfo=UTC).timestamp()


def at(*parts: int, zone=UTC) -> float:
    return datetime(*parts, tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("text", "begins", "ended"),
    [
        ("7d", NOW - 7 * 86_400, NOW - 7 * 86_400),
        ("12h", NOW - 12 * 3600, NOW - 12 * 3600),
        ("30 min", NOW - 1800, NOW - 1800),
        ("2W", NOW - 14 * 86_400, NOW - 14 * 86_400),
        ("today", at(2026, 11, 26), at(2026, 11, 27)),
        ("yesterday", at(2026, 11, 25), at(2026, 11, 26)),
        ("2026-11-01", at(2026, 11, 1), at(2026, 11, 2)),
        ("2026-12", at(2026, 12, 1), at(2027, 1, 1)),
        ("2024-02", at(2024, 2, 1), at(2024, 3, 1)),
        ("2026-11-01T14:30", at(2026, 11, 1, 14, 30), at(2026, 11, 1, 14, 30)),
        ("2026-11-01 14:30:05", at(2026, 11, 1, 14, 30, 5), at(2026, 11, 1, 14, 30, 5)),
        ("2026-11-01T14:30+02:00", at(2026, 11, 1, 12, 30), at(2026, 11, 1, 12, 30)),
    ],
)
def test_what_people_write(text: str, begins: float, ended: float) -> None:
    assert (since(text, NOW, UTC), until(text, NOW, UTC)) == (begins, ended)


def test_a_day_of_25_hours_is_a_day() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert until("2026-10-25", NOW, berlin) - since("2026-10-25", NOW, berlin) == 25 * 3600
    now = datetime(2026, 10, 25, 23, 0, tzinfo=berlin).timestamp()
    assert since("today", now, berlin) == at(2026, 10, 25, zone=berlin)


@pytest.mark.parametrize("text", ["", "7", "7y", "-7d", "2026-13", "2026-02-30", "tomorrow", "2026-11-01T25:00", "٧d٧"])
def test_what_cannot_be_read_is_said_with_what_can(text: str) -> None:
    with pytest.raises(PeriodError, match="Write 7d, 12h"):
        since(text, NOW, UTC)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(PeriodError):
        assert since(text, NOW, UTC) <= until(text, NOW, UTC)

"""Spans of time as people write them: ``7d``, ``today``, ``2026-11-01``."""

import re
from datetime import datetime, timedelta, tzinfo

_AGO = re.compile(r"(\d{1,5})\s*(min|h|d|w)")
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
FORMS = "7d, 12h, 30min or 2w (so long ago), today, yesterday, 2026-11-01, 2026-11 or 2026-11-01T14:30"
"""What can be written, for messages."""


class PeriodError(ValueError):
    """A time that cannot be read; the message says how to write one."""


def since(text: str, now: float, zone: tzinfo | None = None) -> float:
    """The moment a period begins, in epoch seconds: a day or a month from its first moment. Raises ``PeriodError``."""
    return _span(text, now, zone)[0]


def until(text: str, now: float, zone: tzinfo | None = None) -> float:
    """The moment a period has ended, in epoch seconds: a day or a month counts whole. Raises ``PeriodError``."""
    return _span(text, now, zone)[1]


def _span(text: str, now: float, zone: tzinfo | None) -> tuple[float, float]:
    """First moment of what is written, and the first one after it; a moment is both."""
    word = text.strip().lower()
    if found := _AGO.fullmatch(word):
        moment = now - int(found[1]) * _UNITS[found[2]].total_seconds()
        return moment, moment
    # Midnights are looked up in the calendar: a day of 23 or 25 hours is a day.
    today = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    match word:
        case "today":
            return _days(today, 1, zone)
        case "yesterday":
            return _days(today - timedelta(days=1), 1, zone)
        case _:
            return _written(text, word, zone)


def _written(text: str, word: str, zone: tzinfo | None) -> tuple[float, float]:
    try:
        if re.fullmatch(r"\d{4}-\d{2}", word):
            month = datetime.strptime(word, "%Y-%m")
            following = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
            return _epoch(month, zone), _epoch(following, zone)
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", word):
            return _days(datetime.strptime(word, "%Y-%m-%d"), 1, zone)
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}[t ]\d{2}:\d{2}.*", word):
            moment = _epoch(datetime.fromisoformat(word.upper()), zone)
            return moment, moment
    except (ValueError, OverflowError, OSError):
        pass
    raise PeriodError(f"{text!r} is no time that can be read. Write {FORMS}.")


def _days(first: datetime, count: int, zone: tzinfo | None) -> tuple[float, float]:
    return _epoch(first, zone), _epoch(first + timedelta(days=count), zone)


def _epoch(moment: datetime, zone: tzinfo | None) -> float:
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).timestamp()

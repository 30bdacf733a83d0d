"""How long a server asks us to wait: Retry-After and the rate-limit headers, in seconds.

Retry-After: RFC 9110 section 10.2.3. The reset headers are each provider's own: OpenAI, Groq and xAI write
durations (``1m2.5s``), Azure seconds, Anthropic RFC 3339 times, OpenRouter milliseconds since 1970.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_MILLISECONDS = re.compile(r"(\d+(?:\.\d+)?)ms")
_IN_WORDS = re.compile(
    r"(?:try again|retry) (?:in|after) ((?:\d+h)?(?:\d+m(?!s))?(?:\d+(?:\.\d+)?m?s)?)", re.IGNORECASE
)
_DAY = 86_400.0


def seconds_to_wait(headers: Mapping[str, str], message: str = "", *, now: datetime | None = None) -> float | None:
    """The seconds the server asks for, or None when it says nothing usable.

    First what it says outright, then the reset of whichever limit is used up, then what its message says in words.
    """
    now = now or datetime.now(UTC)
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    milliseconds = _number(lower.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    said = lower.get("retry-after", "")
    wait = _number(said)
    if wait is None:
        wait = _until_http_date(said, now)
    if wait is None:
        wait = _reset_of_used_up_limit(lower, now)
    if wait is None and (found := _IN_WORDS.search(message)):
        wait = _duration(found.group(1))
    return wait


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return max(0.0, value) if isfinite(value) else None


def _duration(text: str) -> float | None:
    """Seconds of ``120ms``, ``6s``, ``1m2.5s`` or a bare number of seconds."""
    if found := _MILLISECONDS.fullmatch(text):
        return float(found.group(1)) / 1000
    found = _DURATION.fullmatch(text)
    if text and found:
        return sum(float(part) * unit for part, unit in zip(found.groups(), (_DAY, 3600, 60, 1), strict=True) if part)
    return _number(text)


def _until_http_date(text: str, now: datetime) -> float | None:
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return _until(when, now)


def _until(when: datetime, now: datetime) -> float:
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


def _reset_of_used_up_limit(headers: Mapping[str, str], now: datetime) -> float | None:
    """The longest reset among the limits of which nothing remains."""
    waits: list[float] = []
    for name, value in headers.items():
        if "ratelimit" not in name or "reset" not in name:
            continue
        remaining = _number(headers.get(name.replace("reset", "remaining"), "0"))
        wait = _reset(value, now)
        if wait is not None and remaining == 0:
            waits.append(wait)
    return max(waits, default=None)


def _reset(text: str, now: datetime) -> float | None:
    """Seconds until a reset given as a duration, a number of seconds, an epoch time or an RFC 3339 time."""
    number = _number(text)
    if number is not None:
        if number > 1e11:
            return max(0.0, number / 1000 - now.timestamp())
        return max(0.0, number - now.timestamp()) if number > 1e9 else number
    try:
        return _until(datetime.fromisoformat(text), now)
    except ValueError:
        return _duration(text)

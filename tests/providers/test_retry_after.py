"""How long servers ask us to wait, in all the ways they say it."""

from datetime import UTC, datetime

import pytest

from patchbay.providers.retry_after import seconds_to_wait

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"Retry-After": "0"}, 0),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"x-ratelimit-reset-requests": "120ms"}, 0.12),
        ({"x-ratelimit-reset-tokens": "6s", "x-ratelimit-remaining-tokens": "0"}, 6),
        ({"x-ratelimit-reset-tokens": "1m2.5s"}, 62.5),
        ({"x-ratelimit-reset-tokens": "1h0m1s"}, 3601),
        ({"x-ratelimit-reset-tokens": "2"}, 2),
        ({"anthropic-ratelimit-tokens-reset": "2026-03-01T12:00:45Z"}, 45),
        ({"x-ratelimit-reset": str(int(NOW.timestamp() * 1000) + 4000)}, 4),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 5)}, 5),
    ],
)
def test_headers(headers: dict[str, str], seconds: float) -> None:
    assert seconds_to_wait(headers, now=NOW) == pytest.approx(seconds)


def test_the_limit_that_is_used_up_counts() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "99",
        "x-ratelimit-reset-requests": "1h",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "3s",
    }
    assert seconds_to_wait(headers, now=NOW) == 3


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Limit reached. Please try again in 2.5s.", 2.5),
        ("Please try again in 120ms", 0.12),
        ("try again in 1m30.5s. Visit", 90.5),
        ("Please retry in 34s", 34),
        ("try again in a moment", None),
    ],
)
def test_words(message: str, seconds: float | None) -> None:
    assert seconds_to_wait({}, message, now=NOW) == seconds


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", "99 Foo 2026", "Sun, 01 Mar 99999999999 12:00:30 GMT"])
def test_nonsense_is_nothing(value: str) -> None:
    assert seconds_to_wait({"retry-after": value, "x-ratelimit-reset": value}, now=NOW) is None

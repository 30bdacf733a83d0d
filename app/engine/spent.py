"""What the ledger says beyond this session: what others spent today and this month, and how models have done.

Read off the loop, on a connection of its own that cannot write. Sums are exact: amounts are added as decimals, never
by the database.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from statistics import median

from ...providers.base import ModelRef
from .budget_events import SpendingRead
from .database import attach
from .exact import amount, total

RECORD_CALLS = 50
"""How many of a model's newest calls its record is made of."""
RATED_CALLS = 3
"""How many of them tell how its server counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """How the newest calls to a model went. Times are seconds, medians of the calls that were answered."""

    calls: int
    failed: int
    duration_s: float | None
    first_token_s: float | None
    rate: float | None = None
    """How many tokens its server counts for one that is estimated; None when it never counted."""


def spent_elsewhere(database: Path, session_id: str, today: date) -> SpendingRead:
    """What all other sessions spent on that day and in its month, local time. Raises ``sqlite3.Error``."""
    midnight, first = _begins(today), _begins(today.replace(day=1))
    with closing(attach(database)) as connection:
        rows = connection.execute(
            "SELECT at, cost FROM calls WHERE at >= ? AND session_id != ? AND cost IS NOT NULL", (first, session_id)
        )
        costs = [(at, cost) for at, text in rows if (cost := amount(text)) is not None]
    return SpendingRead(
        today=today.isoformat(),
        day=total(cost for at, cost in costs if at >= midnight),
        month=total(cost for _, cost in costs),
    )


def model_record(database: Path, ref: ModelRef) -> ModelRecord | None:
    """How a model has done lately; None for one that was never asked. Raises ``sqlite3.Error``."""
    with closing(attach(database)) as connection:
        rows: list[tuple[float, float | None, str | None]] = connection.execute(
            "SELECT duration_s, first_token_s, error_kind FROM calls WHERE provider = ? AND model = ?"
            " ORDER BY at DESC LIMIT ?",
            (ref.provider, ref.model, RECORD_CALLS),
        ).fetchall()
        rate = _rate(connection, ref)
    if not rows:
        return None
    answered = [row for row in rows if row[2] is None]
    firsts = [first for _, first, _ in answered if first is not None]
    return ModelRecord(
        calls=len(rows),
        failed=len(rows) - len(answered),
        duration_s=median(duration for duration, _, _ in answered) if answered else None,
        first_token_s=median(firsts) if firsts else None,
        rate=rate,
    )


def _rate(connection: sqlite3.Connection, ref: ModelRef) -> float | None:
    """What a model's server counted of its newest requests, for each token that was estimated of them then."""
    counted: list[tuple[str, str, int]] = connection.execute(
        "SELECT session_id, request_id, input_tokens + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)"
        " FROM calls WHERE provider = ? AND model = ? AND purpose = 'answer' AND error_kind IS NULL"
        " AND input_tokens IS NOT NULL AND usage_estimated = 0 ORDER BY at DESC LIMIT ?",
        (ref.provider, ref.model, RATED_CALLS),
    ).fetchall()
    rates: list[float] = []
    for session_id, request_id, tokens in counted:
        row = connection.execute(
            "SELECT coalesce(json_extract(body, '$.weight'), json_extract(body, '$.estimated_input_tokens'))"
            " FROM events"
            " WHERE session_id = ? AND type = 'RequestStarted' AND json_extract(body, '$.request_id') = ?"
            " ORDER BY seq DESC LIMIT 1",
            (session_id, request_id),
        ).fetchone()
        if row is not None and row[0]:
            rates.append(tokens / int(row[0]))
    return median(rates) if rates else None


def recent_models(database: Path, limit: int = 5) -> tuple[ModelRef, ...]:
    """The models that answered last in any session, newest first. Raises ``sqlite3.Error``."""
    with closing(attach(database)) as connection:
        rows: list[tuple[str, str, float]] = connection.execute(
            "SELECT provider, model, max(at) AS latest FROM calls WHERE purpose = 'answer' AND error_kind IS NULL"
            " GROUP BY provider, model ORDER BY latest DESC LIMIT ?",
            (limit,),
        ).fetchall()
    return tuple(ModelRef(provider=provider, model=model) for provider, model, _ in rows)


def _begins(day: date) -> float:
    """Epoch seconds of its local midnight."""
    return datetime.combine(day, time()).timestamp()

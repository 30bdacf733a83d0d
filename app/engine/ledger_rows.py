"""The ledger as rows: what one HTTP call to a model used, took and cost.

Rows of sessions that were purged are still there: what was spent stays spent.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from math import inf
from typing import Any

from .events import CallPriced, CostSource, Stamped
from .exact import amount
from .live_ledger import LiveLedger, ToolUse

CURRENCY = "USD"
_SOURCES = {source.value: source for source in CostSource}


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCall:
    """One row. Token classes are disjoint; None was not counted by anybody. Times are epoch seconds."""

    request_id: str
    session_id: str
    turn_id: str
    at: float
    """When it ended."""
    provider: str
    model: str
    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    thinking_tokens: int | None = None
    """A part of the output."""
    cost: Decimal | None = None
    """USD, frozen at the price of that moment; None is unknown."""
    source: CostSource = CostSource.UNKNOWN
    duration_s: float = 0.0
    first_token_s: float | None = None
    error_kind: str | None = None
    purpose: str = "answer"
    usage_estimated: bool = False
    folder: str = ""
    """The session's folder; empty when nobody knows any more."""
    title: str = ""
    """The session's name or first prompt; empty for one that was purged."""

    @property
    def ref(self) -> str:
        """``provider/model``."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which calls are meant. ``model`` is an id or ``provider/model`` and may hold ``*``; letters' case is ignored."""

    since: float = -inf
    """Epoch seconds; a call counts when it ended then or later."""
    until: float = inf
    """Epoch seconds; a call counts when it ended before."""
    model: str = ""
    provider: str = ""
    session_id: str = ""
    folder: str = ""

    def takes(self, call: LedgerCall) -> bool:
        """Whether a call is meant."""
        return (
            self.since <= call.at < self.until
            and self.session_id in ("", call.session_id)
            and self.folder in ("", call.folder)
            and (not self.provider or self.provider.lower() == call.provider.lower())
            and (not self.model or _fits(self.model.lower(), call))
        )


def _fits(pattern: str, call: LedgerCall) -> bool:
    names = (call.model.lower(), call.ref.lower())
    return pattern in names or any(fnmatchcase(name, pattern) for name in names)


_CALLS = """
    SELECT c.request_id, c.session_id, c.turn_id, c.at, c.provider, c.model, c.input_tokens, c.cache_read_tokens,
        c.cache_write_tokens, c.output_tokens, c.thinking_tokens, c.cost, c.currency, c.source, c.duration_s,
        c.first_token_s, c.error_kind, c.purpose, c.usage_estimated, coalesce(s.folder, c.folder, ''),
        coalesce(s.name, s.title, '')
    FROM calls c LEFT JOIN sessions s ON s.id = c.session_id
"""


def read_calls(connection: sqlite3.Connection, query: Query) -> list[LedgerCall]:
    """The calls that are meant, oldest first."""
    where, values = "c.at >= ? AND c.at < ?", (query.since, query.until)
    if query.session_id:
        where, values = f"{where} AND c.session_id = ?", (*values, query.session_id)
    rows = connection.execute(f"{_CALLS} WHERE {where} ORDER BY c.at, c.rowid", values)
    return [call for row in rows if query.takes(call := _call(row))]


def read_history(connection: sqlite3.Connection, session_ids: Sequence[str]) -> tuple[list[LedgerCall], list[ToolUse]]:
    """Every call of some sessions, oldest first, and every tool run their answers called."""
    calls: list[LedgerCall] = []
    uses: list[ToolUse] = []
    for session_id in session_ids:
        rows = connection.execute(f"{_CALLS} WHERE c.session_id = ? ORDER BY c.at, c.rowid", (session_id,))
        calls += map(_call, rows)
        runs = connection.execute(
            "SELECT run_id, request_id, name, chars FROM tool_runs WHERE session_id = ? AND chars IS NOT NULL"
            " ORDER BY rowid",
            (session_id,),
        )
        uses += [
            ToolUse(run_id=str(run), request_id=str(request), name=str(name), chars=int(chars))
            for run, request, name, chars in runs
        ]
    return calls, uses


def _call(row: tuple[Any, ...]) -> LedgerCall:
    """A row of ``_CALLS``; the tables are strict, so that each value has the type of its column."""
    (request_id, session_id, turn_id, at, provider, model, fresh, read, written, made, thought, *rest) = row
    text, currency, word, duration, first, error, purpose, estimated, folder, title = rest
    cost, source = _cost(text, currency), _SOURCES.get(word, CostSource.UNKNOWN)
    if cost is None or source is CostSource.UNKNOWN:
        cost, source = None, CostSource.UNKNOWN
    return LedgerCall(
        request_id=request_id,
        session_id=session_id,
        turn_id=turn_id,
        at=at,
        provider=provider,
        model=model,
        input_tokens=fresh,
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=made,
        thinking_tokens=thought,
        cost=cost,
        source=source,
        duration_s=duration,
        first_token_s=first,
        error_kind=error,
        purpose=purpose,
        usage_estimated=bool(estimated),
        folder=folder,
        title=title,
    )


def _cost(text: str | None, currency: str) -> Decimal | None:
    """An amount that can be summed; one in another currency, or one that is no number, is unknown."""
    return amount(text) if currency == CURRENCY else None


def with_live(kept: Sequence[LedgerCall], live: LiveLedger, query: Query) -> list[LedgerCall]:
    """The calls that are meant: what the disk has, and after it what it has not."""
    seen = {call.request_id for call in kept}
    heard_of = tuple(live.calls.values())
    mine = [_heard(stamped, call, live.folder) for stamped, call in heard_of if call.request_id not in seen]
    return [*kept, *filter(query.takes, mine)]


def _heard(stamped: Stamped, call: CallPriced, folder: str) -> LedgerCall:
    """The row of a call that was just priced."""
    usage = call.usage
    return LedgerCall(
        request_id=call.request_id,
        session_id=stamped.session_id,
        turn_id=call.turn_id,
        at=stamped.at,
        provider=call.ref.provider,
        model=call.ref.model,
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
        thinking_tokens=usage.thinking_tokens,
        cost=call.cost.amount,
        source=call.cost.source,
        duration_s=call.duration_s,
        first_token_s=call.first_token_s,
        error_kind=call.error_kind,
        purpose=call.purpose.value,
        usage_estimated=call.usage_estimated,
        folder=folder,
    )


def turn_names(connection: sqlite3.Connection, session_ids: Sequence[str]) -> Mapping[str, str]:
    """What each turn of some sessions was about: the prompt before it. Turns of purged sessions are not in it."""
    names: dict[str, str] = {}
    for session_id in session_ids:
        names.update(_turns(connection, session_id))
    return names


def _turns(connection: sqlite3.Connection, session_id: str) -> Iterator[tuple[str, str]]:
    rows = connection.execute(
        "SELECT type, CASE type WHEN 'TurnStarted' THEN json_extract(body, '$.turn_id')"
        " ELSE substr(json_extract(body, '$.text'), 1, 200) END FROM events"
        " WHERE session_id = ? AND type IN ('PromptSubmitted', 'TurnStarted') ORDER BY seq",
        (session_id,),
    )
    prompt = ""
    for kind, text in rows:
        if kind == "TurnStarted":
            yield str(text), prompt
        else:
            prompt = str(text)

"""The ledger read for a person: one report with its total, its groups and what broke the cache."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from .cache_breaks import CacheReport, cache_breaks, read_happened
from .ledger_rows import LedgerCall, Query, read_calls, read_history, turn_names, with_live
from .live_ledger import LiveLedger
from .spending import By, Spent, grouped, spent, tool_shares


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingReport:
    """What was asked for: the sum of all calls that are meant, and the groups that add up to it."""

    query: Query
    by: By
    total: Spent
    groups: tuple[Spent, ...]
    cache: CacheReport | None = None
    """What broke the cache; only for one session."""


def report(
    connection: sqlite3.Connection | None,
    query: Query,
    by: By,
    *,
    live: LiveLedger | None = None,
    zone: tzinfo | None = None,
) -> SpendingReport:
    """Read the ledger and add it up. ``live`` adds what is not on disk. Raises ``sqlite3.Error``."""
    calls = _calls(connection, query, live)
    sessions = list(dict.fromkeys(call.session_id for call in calls))
    turns: Mapping[str, str] = {}
    if by is By.TURN and connection is not None:
        turns = turn_names(connection, sessions)
    shares = _shares(connection, sessions, live) if by is By.TOOL else {}
    return SpendingReport(
        query=query,
        by=by,
        total=spent(calls),
        groups=tuple(grouped(calls, by, zone=zone, turns=turns, shares=shares)),
        cache=_cache(connection, query, live, zone) if query.session_id else None,
    )


def _calls(connection: sqlite3.Connection | None, query: Query, live: LiveLedger | None) -> list[LedgerCall]:
    calls = [] if connection is None else read_calls(connection, query)
    return calls if live is None else with_live(calls, live, query)


def _shares(
    connection: sqlite3.Connection | None, sessions: Sequence[str], live: LiveLedger | None
) -> dict[str, dict[str, int]]:
    """Which tools each call brought results of: told from whole sessions, whatever part of them is meant."""
    history, uses = ([], []) if connection is None else read_history(connection, sessions)
    if live is not None:
        history, uses = with_live(history, live, Query()), live.with_uses(uses)
    return tool_shares(history, uses)


def _cache(
    connection: sqlite3.Connection | None, query: Query, live: LiveLedger | None, zone: tzinfo | None
) -> CacheReport:
    """Causes stand between a call and the one before it, which the query may leave out: all of the session is read."""
    calls = _calls(connection, Query(session_id=query.session_id), live)
    happened = [] if connection is None else read_happened(connection, query.session_id)
    return cache_breaks(calls, happened, zone=zone, wanted=query.takes)

"""The ledger read for a person: one report with its total, its groups and what broke the cache.

Reading happens in a thread, over a connection of its own that cannot write.
"""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path
from typing import Protocol

from .bus import MessageBus
from .cache_breaks import CacheReport, cache_breaks, read_happened
from .ledger_rows import LedgerCall, LiveLedger, Query, read_calls, read_history, turn_names
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
    calls = [] if connection is None else read_calls(connection, query)
    if live is not None:
        calls = live.with_calls(calls, query)
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
        cache=_cache(connection, calls, query, zone) if query.session_id else None,
    )


def _shares(
    connection: sqlite3.Connection | None, sessions: Sequence[str], live: LiveLedger | None
) -> dict[str, dict[str, int]]:
    """Which tools each call brought results of: told from whole sessions, whatever part of them is meant."""
    history, uses = ([], []) if connection is None else read_history(connection, sessions)
    if live is not None:
        history, uses = live.with_calls(history, Query()), live.with_uses(uses)
    return tool_shares(history, uses)


def _cache(
    connection: sqlite3.Connection | None, calls: Sequence[LedgerCall], query: Query, zone: tzinfo | None
) -> CacheReport:
    happened = [] if connection is None else read_happened(connection, query.session_id)
    return cache_breaks(calls, happened, zone=zone)


class Durable(Protocol):
    """Whoever writes the ledger down."""

    async def durable(self) -> None:
        """Wait until everything published so far is on disk."""
        ...


@dataclass(slots=True, kw_only=True)
class LedgerReader:
    """Reports for the screen, with the calls of this process whether they are on disk or not."""

    database: Path | None
    """None when nothing is saved."""
    live: LiveLedger = field(default_factory=LiveLedger)
    writer: Durable | None = None

    async def read(self, query: Query, by: By) -> SpendingReport:
        """One report; the event loop stays free. Raises ``sqlite3.Error`` when the file cannot be read."""
        if self.writer is not None:
            await self.writer.durable()
        return await asyncio.to_thread(self._read, replace(query), by)

    def _read(self, query: Query, by: By) -> SpendingReport:
        if self.database is None or not self.database.exists():
            return report(None, query, by, live=self.live)
        connection = sqlite3.connect(f"{self.database.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            return report(connection, query, by, live=self.live)
        finally:
            connection.close()


def open_ledger(bus: MessageBus, database: Path, writer: Durable | None, folder: str) -> LedgerReader:
    """What was spent: as it is on disk, and what this session adds from here on. Without a writer nothing is."""
    live = LiveLedger(folder=folder)
    bus.attach(live.sink)
    return LedgerReader(database=None if writer is None else database, live=live, writer=writer)

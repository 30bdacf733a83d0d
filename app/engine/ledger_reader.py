"""Where the screen asks what was spent. What adds a ledger up is loaded when somebody asks, not at the start."""

import asyncio
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .bus import MessageBus
from .database import attach
from .live_ledger import LiveLedger

if TYPE_CHECKING:
    from .ledger_rows import Query
    from .spending import By
    from .spending_report import SpendingReport


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

    async def read(self, query: "Query", by: "By") -> "SpendingReport":
        """One report; the event loop stays free. Raises ``sqlite3.Error`` when the file cannot be read."""
        if self.writer is not None:
            await self.writer.durable()
        return await asyncio.to_thread(self._read, query, by)

    def _read(self, query: "Query", by: "By") -> "SpendingReport":
        from .spending_report import report

        if self.database is None or not self.database.exists():
            return report(None, query, by, live=self.live)
        with closing(attach(self.database)) as connection:
            return report(connection, query, by, live=self.live)


def open_ledger(bus: MessageBus, database: Path, writer: Durable, folder: str) -> LedgerReader:
    """What was spent: as it is on disk, and what this session adds from here on."""
    live = LiveLedger(folder=folder)
    bus.attach(live.sink)
    return LedgerReader(database=database, live=live, writer=writer)

"""A thread with a connection of its own to the session database: work goes in order, and off the event loop."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ..engine.database import attach

Result = TypeVar("Result")
_TIMEOUT_S = 10.0
"""How long a lane waits for another writer."""


class Lane:
    """Runs work one after the other on one connection, opened when it is first needed."""

    def __init__(self, database: Path, name: str) -> None:
        self._database = database
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"patchbay-{name}")
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        """Device and inode of the file that the connection leads to."""

    async def run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do the work and return what it returns. Raises ``sqlite3.Error``, also when there is no database."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._do, work)

    def post(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Do the work some time before ``close`` ends. Nobody hears what becomes of it."""

        def quietly() -> None:
            with contextlib.suppress(sqlite3.Error):
                self._do(work)

        self._executor.submit(quietly)

    def interrupt(self) -> None:
        """Break off what runs now: it raises ``sqlite3.OperationalError``."""
        if self._connection is not None:
            self._connection.interrupt()

    def close(self) -> None:
        """Finish what was given and close the connection. Blocks until then."""
        self._executor.submit(self._disconnect)
        self._executor.shutdown(wait=True)

    def _do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        there = _identity(self._database)
        if there != self._opened:  # replaced or gone: what is written into a file without a name is lost
            self._disconnect()
        if self._connection is None:
            # Whoever opened the session has checked and migrated the file; here it only has to be there.
            self._connection, self._opened = attach(self._database, write=True, wait_s=_TIMEOUT_S), there
        return work(self._connection)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path now; None when there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino

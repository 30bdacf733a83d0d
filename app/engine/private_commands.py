"""Keeps private commands (``!!``) out of what is given away: they are the person's, and a journal is exported whole."""

import json
from collections.abc import Iterable, Iterator
from typing import TypeAlias

Row: TypeAlias = tuple[int, int, float, str]
"""``seq``, ``last_seq``, time and body of an event, as the journal has them."""


def without_private(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows of a journal, in order, without those of private commands. What comes after does not depend on them."""
    run_ids: set[str] = set()
    for row in rows:
        body = row[3]
        if '"CommandStarted"' in body and (run_id := _private_run(body)):
            run_ids.add(run_id)
        elif not any(f'"{run_id}"' in body for run_id in run_ids):
            yield row


def _private_run(body: str) -> str:
    """The run of a private command that begins here; empty for any other event."""
    event = json.loads(body)
    private = event.get("$type") == "CommandStarted" and event.get("private") is True
    return str(event.get("run_id", "")) if private else ""

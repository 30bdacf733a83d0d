"""What broke the prompt cache: calls that read less from it than the call before had left there, and why.

A provider keeps the beginning of a prompt as long as it comes again byte for byte within the cache's lifetime. So a
drop has a cause between the two calls, and the journal knows most of them.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from .codec import event_object
from .events import CallPurpose
from .ledger_rows import LedgerCall

LIFETIME_S = 300.0
"""How long most providers keep a cache that nobody reads."""
GRAIN_TOKENS = 128
"""Caches keep whole blocks: losing less than one is no loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something in the journal that changes what is sent. ``at`` is epoch seconds."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheBreak:
    """A call that read less from the cache than could have been there."""

    request_id: str
    turn_id: str
    at: float
    model: str
    """``provider/model`` of the call that had to pay."""
    lost_tokens: int
    """Tokens that were in the cache after the call before and were sent anew."""
    reasons: tuple[str, ...]
    """The likeliest first, in words; never empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheReport:
    """The breaks of a session, and how many calls could have met one."""

    breaks: tuple[CacheBreak, ...] = ()
    looked_at: int = 0
    """Calls whose predecessor had left something in a cache."""


def cache_breaks(
    calls: Sequence[LedgerCall],
    happened: Sequence[Happened],
    *,
    zone: tzinfo | None = None,
    wanted: Callable[[LedgerCall], bool] = lambda _: True,
) -> CacheReport:
    """The breaks among the calls of one session, oldest first, as far as it was a ``wanted`` call that met one.

    ``calls`` are all of the session, ``happened`` is in order of time. Calls that failed, and calls beside the
    conversation (titles, summaries), neither leave nor miss this cache.
    """
    breaks: list[CacheBreak] = []
    before: LedgerCall | None = None
    looked_at = 0
    for call in calls:
        if call.purpose != CallPurpose.ANSWER or call.error_kind is not None or call.input_tokens is None:
            continue
        kept = 0 if before is None else _left(before)
        if before is not None and kept and wanted(call):
            looked_at += 1
            lost = kept - (call.cache_read_tokens or 0)
            if lost >= GRAIN_TOKENS:
                breaks.append(_break(before, call, lost, _between(before, call, calls, happened, zone)))
        before = call
    return CacheReport(breaks=tuple(breaks), looked_at=looked_at)


def _left(call: LedgerCall) -> int:
    """Tokens surely in the cache after a call: those it read, and those it is said to have written.

    Services that cache by themselves do not count what they write; what was read is still there.
    """
    return (call.cache_read_tokens or 0) + (call.cache_write_tokens or 0)


def _break(before: LedgerCall, call: LedgerCall, lost: int, reasons: Sequence[str]) -> CacheBreak:
    return CacheBreak(
        request_id=call.request_id,
        turn_id=call.turn_id,
        at=call.at,
        model=call.ref,
        lost_tokens=lost,
        reasons=tuple(reasons) or (_why_else(call),),
    )


def _why_else(call: LedgerCall) -> str:
    if call.cache_read_tokens is None:
        return "unknown: the server said nothing of its cache this time"
    return "unknown: nothing changed here; the server may have dropped it"


def _between(
    before: LedgerCall, call: LedgerCall, calls: Sequence[LedgerCall], happened: Sequence[Happened], zone: tzinfo | None
) -> list[str]:
    """Every cause between two calls, the surest first."""
    began = call.at - call.duration_s
    reasons: list[str] = []
    if before.provider != call.provider:
        reasons.append(f"provider switched from {before.provider} to {call.provider}")
    elif before.model != call.model:
        reasons.append(f"model switched from {before.model} to {call.model}")
    summed_up = any(
        each.purpose == CallPurpose.COMPACTION and before.at <= each.at <= began and each.error_kind is None
        for each in calls
    )
    said = [each.reason for each in happened if before.at - before.duration_s < each.at <= began]
    if summed_up and COMPACTED not in said:
        said.insert(0, COMPACTED)
    reasons += [reason for reason in _ORDER if reason in said]
    if _day(before.at - before.duration_s, zone) != _day(began, zone):
        reasons.append("a new day: the date is part of the instructions")
    pause = began - before.at
    if pause > LIFETIME_S:
        reasons.append(f"a pause of {_minutes(pause)}: most caches live {LIFETIME_S / 60:.0f} min")
    return reasons


def _day(at: float, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(at, zone).date().isoformat()


def _minutes(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


COMPACTED = "the conversation was compacted"
REWOUND = "the conversation was rewound"
INSTRUCTED = "the instruction files changed"
MODE = "the mode changed: it is part of the instructions"
EFFORT = "the thinking effort changed"
_ORDER = (COMPACTED, REWOUND, INSTRUCTED, MODE, EFFORT)


def read_happened(connection: sqlite3.Connection, session_id: str) -> list[Happened]:
    """What the journal of a session says of such causes, in order."""
    rows = connection.execute(
        "SELECT at, type, body FROM events WHERE session_id = ? AND (type IN"
        " ('Rewound', 'InstructionsLoaded', 'ModeSelected', 'EffortSelected') OR type LIKE '%Compact%')"
        " ORDER BY seq",
        (session_id,),
    )
    return list(_causes((float(at), str(kind), str(body)) for at, kind, body in rows))


def _causes(rows: Iterable[tuple[float, str, str]]) -> Iterable[Happened]:
    """Only real changes: what is selected or read anew and is the same breaks nothing."""
    effort, planned, files = "", False, ""
    for at, kind, body in rows:
        event = event_object(body)
        match kind:
            case "Rewound":
                if event.get("conversation") is True:
                    yield Happened(at=at, reason=REWOUND)
            case "InstructionsLoaded":
                if (now := json.dumps(event.get("files"))) != files:
                    files = now
                    yield Happened(at=at, reason=INSTRUCTED)
            case "ModeSelected":
                if (plan := event.get("mode") == "plan") != planned:
                    planned = plan
                    yield Happened(at=at, reason=MODE)
            case "EffortSelected":
                if (chosen := str(event.get("effort"))) != effort:
                    effort = chosen
                    yield Happened(at=at, reason=EFFORT)
            case _:
                yield Happened(at=at, reason=COMPACTED)

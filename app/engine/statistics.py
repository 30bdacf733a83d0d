"""How it went, from the journal and the ledger of this machine: turns, days, tools, models. Nothing leaves it."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from statistics import median

from ...tools.events import Decision, Outcome
from .events import TurnOutcome
from .ledger_rows import LedgerCall, Query, read_calls
from .spending import By, Spent, grouped, spent


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFigures:
    """How often a tool ran and what came of it."""

    name: str
    """As the model called it: untrusted."""
    runs: int
    outcomes: Mapping[str, int]
    """By the values of ``Outcome``."""
    asked: int
    """Runs that waited for a person, each counted once."""
    denied: int
    median_s: float | None
    """Of the runs that came to their own end."""

    @property
    def success_rate(self) -> float | None:
        """Of the runs that came to their own end (not denied, cancelled or interrupted); None without any."""
        ended = sum(self.outcomes.get(each, 0) for each in _ENDED)
        return self.outcomes.get(Outcome.OK, 0) / ended if ended else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The days on which a model was asked. A row of days that reaches today or yesterday is the current one."""

    active: int = 0
    longest: int = 0
    current: int = 0
    busiest: str = ""
    """ISO date; empty without any day."""
    busiest_calls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The figures of one period."""

    sessions: int
    prompts: int
    turns: int
    outcomes: Mapping[str, int]
    """Turns by the values of ``TurnOutcome``."""
    days: Days
    total: Spent
    models: tuple[Spent, ...]
    purposes: tuple[Spent, ...]
    tools: tuple[ToolFigures, ...]
    error_kinds: Mapping[str, int] = field(default_factory=dict[str, int])
    """Failed calls by what failed."""


_OUTCOMES = frozenset(outcome.value for outcome in TurnOutcome)
_ENDED = (Outcome.OK, Outcome.ERROR, Outcome.TIMEOUT)


def statistics(connection: sqlite3.Connection, query: Query, *, now: float, zone: tzinfo | None = None) -> Statistics:
    """The figures of what is meant. Copies of sessions are not counted twice. Raises ``sqlite3.Error``."""
    calls = read_calls(connection, query)
    prompts, turns = _turns(connection, query)
    return Statistics(
        sessions=len({call.session_id for call in calls}),
        prompts=prompts,
        turns=sum(turns.values()),
        outcomes=turns,
        days=days_of(calls, datetime.fromtimestamp(now, zone).date(), zone),
        total=spent(calls),
        models=tuple(grouped(calls, By.MODEL)),
        purposes=tuple(grouped(calls, By.PURPOSE)),
        tools=tuple(_tools(connection, query)),
        error_kinds=dict(Counter(call.error_kind for call in calls if call.error_kind is not None).most_common()),
    )


def days_of(calls: Iterable[LedgerCall], today: date, zone: tzinfo | None = None) -> Days:
    """Which days were active, and how many in a row."""
    counts = Counter(datetime.fromtimestamp(call.at, zone).date() for call in calls)
    if not counts:
        return Days()
    runs = _in_a_row(sorted(counts))
    last = runs[-1]
    busiest = max(counts, key=lambda day: (counts[day], day))
    return Days(
        active=len(counts),
        longest=max(map(len, runs)),
        current=len(last) if last[-1] >= today - timedelta(days=1) else 0,
        busiest=busiest.isoformat(),
        busiest_calls=counts[busiest],
    )


def _in_a_row(days: Sequence[date]) -> list[list[date]]:
    runs: list[list[date]] = []
    for day in days:
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _within(query: Query) -> tuple[str, list[float | str]]:
    """The condition on rows with ``at`` and ``session_id``, and its values."""
    words, values = "at >= ? AND at < ?", [query.since, query.until, *([query.folder] if query.folder else [])]
    if query.folder:
        words += " AND session_id IN (SELECT session_id FROM known_folders WHERE folder = ?)"
    return words, values


_FOLDERS = """
    WITH known_folders AS (
        SELECT id AS session_id, folder FROM sessions
        UNION SELECT session_id, folder FROM calls WHERE folder IS NOT NULL
    )
"""


def _turns(connection: sqlite3.Connection, query: Query) -> tuple[int, dict[str, int]]:
    """How many prompts there were, and the turns by outcome."""
    where, values = _within(query)
    rows = connection.execute(
        f"""
        {_FOLDERS}
        SELECT type, coalesce(json_extract(body, '$.prompt_id'), json_extract(body, '$.turn_id')),
            json_extract(body, '$.outcome')
        FROM events WHERE type IN ('PromptSubmitted', 'TurnEnded') AND {where}
        """,  # noqa: S608 - only our own words are put in
        values,
    )
    prompts: set[str] = set()
    outcomes: dict[str, str] = {}
    for kind, name, outcome in rows:
        if kind == "PromptSubmitted":
            prompts.add(str(name))
        elif outcome in _OUTCOMES:
            outcomes[str(name)] = str(outcome)
    return len(prompts), dict(Counter(outcomes.values()).most_common())


def _tools(connection: sqlite3.Connection, query: Query) -> list[ToolFigures]:
    """Every tool, the busiest first. Runs of imported sessions belong to another machine's ledger."""
    where, values = _within(query)
    rows = connection.execute(
        f"""
        {_FOLDERS}
        SELECT name, outcome, duration_s, asked, decision FROM tool_runs
        WHERE outcome IS NOT NULL AND request_id IN (SELECT request_id FROM calls) AND {where}
        """,  # noqa: S608
        values,
    )
    runs: dict[str, list[tuple[str, float | None, bool, str | None]]] = {}
    for name, outcome, duration, asked, decision in rows:
        runs.setdefault(str(name), []).append((str(outcome), duration, bool(asked), decision))
    figures = [_figures(name, each) for name, each in runs.items()]
    return sorted(figures, key=lambda each: (-each.runs, each.name))


def _figures(name: str, runs: Sequence[tuple[str, float | None, bool, str | None]]) -> ToolFigures:
    took = [duration for outcome, duration, _, _ in runs if outcome in _ENDED and duration is not None]
    return ToolFigures(
        name=name,
        runs=len(runs),
        outcomes=dict(Counter(outcome for outcome, *_ in runs).most_common()),
        asked=sum(asked for _, _, asked, _ in runs),
        denied=sum(decision == Decision.DENY for *_, decision in runs),
        median_s=median(took) if took else None,
    )

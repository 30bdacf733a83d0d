"""``patchbay stats``: how it went, from this machine's own journal."""

import argparse
import os
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from ...tools.safe_text import safe_line
from ..engine.database import DatabaseError, connect
from ..engine.statistics import Statistics, ToolFigures, statistics
from ..paths import find_paths
from ..settings import SettingsError
from .arguments import ExitCode
from .cost import figures, query_of
from .headless import to_json

NOTHING = (
    'There is nothing to count yet: no model was asked. `patchbay` opens the screen, `patchbay run -p "..."` asks.'
)


def stats_command(options: argparse.Namespace) -> int:
    """Print the figures and return the exit code. Raises SettingsError."""
    query, now = query_of(options), time.time()
    path = find_paths(os.environ).database
    if not path.exists():
        return _empty(NOTHING, as_json=options.json)
    try:
        with closing(connect(path)) as connection:
            found = statistics(connection, query, now=now)
    except (DatabaseError, sqlite3.Error) as error:
        raise SettingsError(str(error)) from None
    if options.json:
        sys.stdout.write(to_json(as_json(found)) + "\n")
    elif found.total.calls or found.prompts:
        sys.stdout.writelines(f"{line}\n" for line in stats_lines(found))
    else:
        return _empty("Nothing happened in that time.", as_json=False)
    return ExitCode.OK


def _empty(words: str, *, as_json: bool) -> int:
    if as_json:
        sys.stdout.write("{}\n")
    sys.stderr.write(f"{words}\n")
    return ExitCode.OK


def stats_lines(found: Statistics) -> Iterator[str]:
    """The figures for people."""
    total, days = found.total, found.days
    yield f"Sessions  {found.sessions:,} with {found.prompts:,} prompts in {found.turns:,} turns"
    if found.outcomes:
        yield f"Turns     {_counts(found.outcomes)}"
    if days.active:
        yield (
            f"Days      {days.active:,} active, {days.longest} in a row at most, {days.current} now;"
            f" busiest {days.busiest} ({days.busiest_calls:,} calls)"
        )
    failed = f", {total.errors:,} failed ({_percent(total.errors / total.calls)})" if total.calls else ""
    yield f"Calls     {total.calls:,}{failed}"
    if found.error_kinds:
        yield f"Errors    {_counts(found.error_kinds)}"
    hit = "" if total.cache_hit_rate is None else f"; {_percent(total.cache_hit_rate)} of it from caches"
    yield f"Tokens    {total.prompt_tokens:,} sent{hit}, {total.output_tokens:,} received"
    unknown = f" and {total.unknown_calls:,} calls of unknown price" if total.unknown_calls else ""
    yield f"Cost      {total.words()}{unknown if total.cost else ''}"
    yield from _table(("model", "calls", "failed", "median", "95 %", "first token", "tokens/s"), _models(found))
    yield from _table(("tool", "runs", "succeed", "failed", "asked", "denied", "median"), map(_tool, found.tools))


def _models(found: Statistics) -> Iterator[tuple[str, ...]]:
    for each in found.models:
        yield (
            safe_line(each.label),
            f"{each.calls:,}",
            _percent(each.errors / each.calls) if each.calls else "-",
            _seconds(each.latency_s),
            _seconds(each.latency_p95_s),
            _seconds(each.first_token_s),
            "-" if each.tokens_per_s is None else f"{each.tokens_per_s:.0f}",
        )


def _tool(each: ToolFigures) -> tuple[str, ...]:
    return (
        safe_line(each.name),
        f"{each.runs:,}",
        "-" if each.success_rate is None else _percent(each.success_rate),
        f"{each.outcomes.get('error', 0) + each.outcomes.get('timeout', 0):,}",
        f"{each.asked:,}",
        f"{each.denied:,}",
        _seconds(each.median_s),
    )


def _table(head: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    cells = [tuple(head), *rows]
    if len(cells) == 1:
        return
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    yield ""
    for name, *numbers in cells:
        yield "  ".join([name.ljust(widths[0]), *(n.rjust(w) for n, w in zip(numbers, widths[1:], strict=True))])


def as_json(found: Statistics) -> dict[str, Any]:
    """The figures for programs; amounts are decimal strings in USD, times seconds."""
    return {
        "sessions": found.sessions,
        "prompts": found.prompts,
        "turns": found.turns,
        "turn_outcomes": dict(found.outcomes),
        "days": {
            "active": found.days.active,
            "longest_in_a_row": found.days.longest,
            "in_a_row_now": found.days.current,
            "busiest": found.days.busiest or None,
            "busiest_calls": found.days.busiest_calls,
        },
        "errors": dict(found.error_kinds),
        "total": figures(found.total),
        "models": [{"model": each.key, **figures(each)} for each in found.models],
        "purposes": [{"purpose": each.key, **figures(each)} for each in found.purposes],
        "tools": [
            {
                "tool": each.name,
                "runs": each.runs,
                "outcomes": dict(each.outcomes),
                "success_rate": None if each.success_rate is None else round(each.success_rate, 4),
                "asked": each.asked,
                "denied": each.denied,
                "median_s": each.median_s,
            }
            for each in found.tools
        ],
    }


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {safe_line(name).replace('_', ' ')}" for name, count in counts.items())


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s" if value < 60 else f"{value / 60:.1f} min"

"""``patchbay cost``: what was spent, exactly, as a table, CSV or JSON."""

import argparse
import csv
import io
import os
import sqlite3
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from ...tools.safe_text import safe_line
from ..engine import period
from ..engine.cache_breaks import CacheReport
from ..engine.database import DatabaseError, connect
from ..engine.events import CostSource
from ..engine.exact import decimals, plain
from ..engine.ledger_rows import CURRENCY, Query
from ..engine.spending import By, Spent
from ..engine.spending_report import SpendingReport, report
from ..paths import find_paths
from ..settings import SettingsError
from .arguments import ExitCode
from .headless import to_json

COLUMNS = (
    "calls",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "thinking_tokens",
    "cache_hit_rate",
    "cost_usd",
    "reported_usd",
    "computed_usd",
    "estimated_usd",
    "unknown_price_calls",
    "estimated_token_calls",
    "errors",
    "latency_median_s",
    "latency_p95_s",
    "first_token_median_s",
    "first_token_p95_s",
    "output_tokens_per_s",
)
"""What CSV and JSON say of each group, beside its key and name. Amounts are decimal strings with every digit."""
_NAME_CELLS = 50
_HEAD = ("calls", "input", "cache read", "cache write", "output", "hit", "cost", "")


def cost_command(options: argparse.Namespace) -> int:
    """Print the spending that is asked for and return the exit code. Raises SettingsError."""
    found = _read(query_of(options), By(options.by))
    text = {"table": table_text, "csv": csv_text, "json": json_text}[options.format](found)
    if found.total.calls or options.format != "table":
        sys.stdout.write(text)
    if not found.total.calls:
        sys.stderr.write(f"{_nothing(found.query)}\n")
    return ExitCode.OK


def query_of(options: argparse.Namespace) -> Query:
    """What the options mean. Raises SettingsError for a time or a folder that cannot be meant."""
    now = time.time()
    limits: dict[str, float] = {}
    for name, read in (("since", period.since), ("until", period.until)):
        given = getattr(options, name)
        if given is not None:
            try:
                limits[name] = read(given, now)
            except period.PeriodError as error:
                raise SettingsError(f"--{name}: {error}") from None
    query = Query(
        **limits,
        model=getattr(options, "model", None) or "",
        provider=getattr(options, "provider", None) or "",
        session_id=getattr(options, "session", None) or "",
        folder="" if options.folder is None else str(Path(options.folder).resolve()),
    )
    if query.since >= query.until:
        raise SettingsError(f"--since {options.since} is not before --until {options.until}: nothing can be between.")
    return query


def _read(query: Query, by: By) -> SpendingReport:
    path = find_paths(os.environ).database
    if not path.exists():
        return report(None, query, by)
    try:
        with closing(connect(path)) as connection:
            return report(connection, _whole_id(connection, query), by)
    except (DatabaseError, sqlite3.Error) as error:
        raise SettingsError(str(error)) from None


def _whole_id(connection: sqlite3.Connection, query: Query) -> Query:
    """The query with the whole id of the session it names, also of one that was purged. Raises SettingsError."""
    given = query.session_id
    if not given:
        return query
    ids = [
        str(row[0])
        for row in connection.execute(
            "SELECT DISTINCT session_id FROM calls WHERE substr(session_id, 1, ?) = ? OR session_id = ? LIMIT 20",
            (len(given), given, f"session-{given}"),
        )
    ]
    if given in ids or f"session-{given}" in ids:
        ids = [given if given in ids else f"session-{given}"]
    match ids:
        case [one]:
            return replace(query, session_id=one)
        case []:
            raise SettingsError(
                f"no session {safe_line(given)!r} has cost anything."
                " `patchbay cost --by session --format csv` names those that have."
            )
        case several:
            listed = ", ".join(several[:5])
            raise SettingsError(f"{safe_line(given)!r} is the beginning of {len(several)} sessions: {listed}.")


def _nothing(query: Query) -> str:
    return (
        "Nothing was spent yet: no request was made to a model."
        if query == Query()
        else "Nothing was spent that fits. Without --since, --until, --model, --provider, --session and --folder"
        " everything counts."
    )


# ---- table


def table_text(found: SpendingReport) -> str:
    """Rows for people: every digit of every amount, a total, and what the marks mean."""
    groups = [*found.groups, found.total]
    places = max(2, *(decimals(each.cost) for each in groups))
    rows = [_cells(each, places) for each in groups]
    names = [_name(_label(each, found.by)) for each in groups]
    wide = max([len(found.by), *map(len, names)])
    widths = [max(len(row[column]) for row in [_HEAD, *rows]) for column in range(len(_HEAD))]
    lines = [
        f"{name.ljust(wide)}  {'  '.join(cell.rjust(w) for cell, w in zip(row[:-1], widths, strict=False))}"
        f"  {row[-1]}".rstrip()
        for name, row in zip([str(found.by), *names], [_HEAD, *rows], strict=True)
    ]
    lines.insert(len(lines) - 1, "-" * max(map(len, lines)))
    return "".join(f"{line}\n" for line in [*lines, *_legend(found.total), *_broken(found.cache)])


def _cells(each: Spent, places: int) -> tuple[str, ...]:
    tokens = (each.input_tokens, each.cache_read_tokens, each.cache_write_tokens, each.output_tokens)
    mark = "~" if each.estimated_calls else ""
    return (
        f"{each.calls:,}",
        *(f"{mark}{count:,}" for count in tokens),
        "-" if each.cache_hit_rate is None else f"{100 * each.cache_hit_rate:.0f} %",
        each.words(places),
        remarks(each),
    )


def remarks(each: Spent) -> str:
    """Where the cost comes from, and what it does not hold."""
    words = [source.value for source in each.by_source]
    words += [f"{each.unknown_calls} of unknown price"] if each.unknown_calls else []
    words += [f"{each.errors} failed"] if each.errors else []
    return ", ".join(words)


def _legend(total: Spent) -> Iterable[str]:
    meanings = {
        CostSource.REPORTED: "reported: the provider said what it cost",
        CostSource.COMPUTED: "computed: counted tokens at the price of that moment",
        CostSource.ESTIMATED: "estimated (~): nobody counted all tokens; they are estimated from characters",
    }
    lines = [words for source, words in meanings.items() if source in total.by_source]
    if total.unknown_calls:
        lines.append("unknown (?): no price is known; such calls are counted and not contained in any sum")
    return ["", *lines]


def _broken(cache: CacheReport | None) -> Iterable[str]:
    """What broke the cache of one session."""
    if cache is None or not cache.breaks:
        return []
    lines = [
        f"  {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(each.at))}  {each.lost_tokens:,} tokens sent anew:"
        f" {safe_line('; '.join(each.reasons))}"
        for each in cache.breaks
    ]
    return ["", f"cache broken {len(lines)} of {cache.looked_at} times it could have served:", *lines]


def _label(each: Spent, by: By) -> str:
    """A session's name alone would not tell it from others."""
    named = by is By.SESSION and each.key != "total"
    return f"{each.key.removeprefix('session-')}  {each.label}" if named else each.label


def _name(label: str) -> str:
    name = " ".join(safe_line(label).split()) or "-"
    return name if len(name) <= _NAME_CELLS else name[: _NAME_CELLS - 1] + "…"


# ---- CSV and JSON


def figures(each: Spent) -> dict[str, int | float | str | None]:
    """The numbers of a group under the names of ``COLUMNS``; None where there is nothing to say."""
    sources = [each.by_source.get(source) for source in (CostSource.REPORTED, CostSource.COMPUTED)]
    estimated = each.by_source.get(CostSource.ESTIMATED)
    amounts = [None if value is None else plain(value) for value in (*sources, estimated)]
    values = (
        each.calls,
        each.input_tokens,
        each.cache_read_tokens,
        each.cache_write_tokens,
        each.output_tokens,
        each.thinking_tokens,
        _rounded(each.cache_hit_rate),
        plain(each.cost),
        *amounts,
        each.unknown_calls,
        each.estimated_calls,
        each.errors,
        _rounded(each.latency_s),
        _rounded(each.latency_p95_s),
        _rounded(each.first_token_s),
        _rounded(each.first_token_p95_s),
        _rounded(each.tokens_per_s),
    )
    return dict(zip(COLUMNS, values, strict=True))


def csv_text(found: SpendingReport) -> str:
    """RFC 4180 with a head and a last row ``total``. No cell begins as a formula of a spreadsheet does."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([str(found.by), "name", *COLUMNS])
    for each in [*found.groups, found.total]:
        numbers = ["" if value is None else value for value in figures(each).values()]
        writer.writerow([_cell(each.key), _cell(each.label), *numbers])
    return out.getvalue()


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    cell = safe_line(text)
    return f"'{cell}" if cell.lstrip()[:1] in tuple("=+-@|%＝＋－＠") and cell.strip() else cell


def json_text(found: SpendingReport) -> str:
    """One object: what was asked, the groups, the total and, for one session, what broke the cache."""
    query = found.query
    asked = {
        "since": query.since if isfinite(query.since) else None,
        "until": query.until if isfinite(query.until) else None,
        "model": query.model or None,
        "provider": query.provider or None,
        "session": query.session_id or None,
        "folder": query.folder or None,
    }
    value: dict[str, Any] = {
        "by": str(found.by),
        "currency": CURRENCY,
        "filter": asked,
        "groups": [{"key": each.key, "name": each.label, **figures(each)} for each in found.groups],
        "total": figures(found.total),
    }
    if found.cache is not None:
        value["cache_breaks"] = [
            {
                "at": each.at,
                "turn": each.turn_id,
                "model": each.model,
                "lost_tokens": each.lost_tokens,
                "reasons": list(each.reasons),
            }
            for each in found.cache.breaks
        ]
    return to_json(value) + "\n"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)

"""The spending screen's text: tables of what calls used and cost, where each number comes from, what broke the cache.

Pure. Amounts have every digit: they are compared with bills. Tokens of the cost table are short, those of the token
table exact.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from math import inf

from rich.cells import cell_len
from textual.content import Content

from ...tools.safe_text import safe_line
from ..engine import period
from ..engine.cache_breaks import CacheReport
from ..engine.events import CostSource
from ..engine.exact import decimals, plain
from ..engine.ledger_rows import Query
from ..engine.spending import BY_TIME, By, Spent
from ..engine.spending_report import SpendingReport
from . import amounts
from .transcript.palette import Signs
from .transcript.rows import elide

_NAME_CELLS = 18
"""Columns are left out until names have so much room."""
_BAR_CELLS = 8
MARKS = {
    CostSource.REPORTED: "r",
    CostSource.COMPUTED: "c",
    CostSource.ESTIMATED: "~",
    CostSource.UNKNOWN: "?",
}
"""How a table says where its numbers come from."""
LEGEND = "cost: r reported  c computed  ~ estimated  ? unknown price, in no sum"


class View(StrEnum):
    """Which numbers the table shows."""

    COST = "cost"
    TOKENS = "tokens"


class Scope(StrEnum):
    """Which calls count."""

    SESSION = "this session"
    TODAY = "today"
    WEEK = "7 days"
    MONTH = "30 days"
    ALL = "all"


_SINCE = {Scope.TODAY: "today", Scope.WEEK: "7d", Scope.MONTH: "30d"}


class Order(StrEnum):
    """How rows are sorted."""

    COST = "cost"
    TOKENS = "tokens"
    CALLS = "calls"
    NAME = "name"
    TIME = "time"


def query_of(scope: Scope, session_id: str, now: float) -> Query:
    """What a scope means at an epoch time."""
    if scope is Scope.SESSION:
        return Query(session_id=session_id)
    return Query(since=period.since(_SINCE[scope], now) if scope in _SINCE else -inf)


def command_of(scope: Scope, by: By, session_id: str) -> str:
    """The command line that prints the same numbers."""
    words = ["patchbay cost"]
    words += [f"--session {session_id}"] if scope is Scope.SESSION else []
    words += [f"--since {_SINCE[scope]}"] if scope in _SINCE else []
    return " ".join([*words, f"--by {by}"])


def ordered(groups: Sequence[Spent], by: By, order: Order | None) -> list[Spent]:
    """The groups in the order that was asked for; None is what suits them: time, else the dearest first."""
    match order or (Order.TIME if by in BY_TIME else Order.COST):
        case Order.COST:
            return sorted(groups, key=lambda each: (-each.cost, -each.calls))
        case Order.TOKENS:
            return sorted(groups, key=lambda each: -_tokens(each))
        case Order.CALLS:
            return sorted(groups, key=lambda each: -each.calls)
        case Order.NAME:
            return sorted(groups, key=lambda each: each.label.casefold())
        case Order.TIME:
            return sorted(groups, key=lambda each: each.last_at, reverse=by is By.SESSION)


# ---- the table


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    head: str
    cell: Callable[[Spent], str]
    keep: int
    """The lower, the sooner it is left out on a narrow screen."""
    role: str = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of equal width: a head, the groups, their total."""

    head: Content
    rows: tuple[Content, ...]
    total: Content


def table(found: SpendingReport, groups: Sequence[Spent], view: View, width: int, signs: Signs) -> Table:
    """The groups as a table that fills ``width`` cells."""
    every = [*groups, found.total]
    columns = _fitting(_columns(found, groups, view, signs), every, width)
    cells = [[column.cell(each) for column in columns] for each in every]
    widths = [max(cell_len(column.head), *(cell_len(row[i]) for row in cells)) for i, column in enumerate(columns)]
    room = width - sum(widths) - 2 * len(widths)

    def line(name: str, texts: Sequence[str], roles: Sequence[str], name_role: str) -> Content:
        padded = [f"{' ' * (size - cell_len(text))}{text}" for text, size in zip(texts, widths, strict=True)]
        short = elide(name, max(room, 1), signs.more)
        pieces = [(f"{short}{' ' * max(0, room - cell_len(short))}", f"${name_role}")]
        pieces += [(f"  {text}", f"${role}") for text, role in zip(padded, roles, strict=True)]
        return Content.assemble(*pieces)

    roles = [column.role for column in columns]
    muted = ["muted"] * len(columns)
    return Table(
        head=line(str(found.by), [column.head for column in columns], muted, "muted"),
        rows=tuple(line(_name(each), row, roles, "text") for each, row in zip(groups, cells, strict=False)),
        total=line("total", cells[-1], roles, "accent").stylize("bold"),
    )


def _columns(found: SpendingReport, groups: Sequence[Spent], view: View, signs: Signs) -> list[_Column]:
    places = max(2, *(decimals(each.cost) for each in [*groups, found.total]))
    calls = _Column(head="calls", cell=lambda each: f"{each.calls:,}", keep=8)
    hit = _Column(head="hit", cell=lambda each: _percent(each.cache_hit_rate), keep=5)
    if view is View.TOKENS:
        return [
            calls,
            _Column(head="input", cell=lambda each: _exact(each, each.input_tokens), keep=9),
            _Column(head="cache read", cell=lambda each: _exact(each, each.cache_read_tokens), keep=9),
            _Column(head="cache write", cell=lambda each: _exact(each, each.cache_write_tokens), keep=7),
            _Column(head="output", cell=lambda each: _exact(each, each.output_tokens), keep=9),
            _Column(head="thinking", cell=lambda each: _exact(each, each.thinking_tokens), keep=4),
            hit,
            _Column(head="cost", cell=lambda each: each.words(places), keep=3),
            _Column(head="", cell=_share(found, signs, lambda each: Decimal(_tokens(each))), keep=6, role="accent"),
        ]
    return [
        calls,
        _Column(head="sent", cell=lambda each: _short(each, each.prompt_tokens), keep=6),
        _Column(head="out", cell=lambda each: _short(each, each.output_tokens), keep=5),
        hit,
        _Column(head="failed", cell=lambda each: f"{each.errors:,}" if each.errors else "", keep=1, role="danger"),
        _Column(head="median", cell=lambda each: _seconds(each.latency_s), keep=2),
        _Column(head="t/s", cell=lambda each: f"{each.tokens_per_s:.0f}" if each.tokens_per_s else "", keep=0),
        _Column(head="cost", cell=lambda each: each.words(places), keep=10),
        _Column(head="", cell=marks, keep=9, role="muted"),
        _Column(head="", cell=_share(found, signs, lambda each: each.cost), keep=7, role="accent"),
    ]


def _fitting(columns: list[_Column], every: Sequence[Spent], width: int) -> list[_Column]:
    """As many columns as leave names their room, the most important ones."""

    def size(column: _Column) -> int:
        return 2 + max(cell_len(column.head), *(cell_len(column.cell(each)) for each in every))

    kept = list(columns)
    sizes = {id(column): size(column) for column in columns}
    while len(kept) > 1 and width - sum(sizes[id(column)] for column in kept) < _NAME_CELLS:
        kept.remove(min(kept, key=lambda column: column.keep))
    return kept


def marks(each: Spent) -> str:
    """Where the numbers of a row come from, as the signs of the legend."""
    signs = [MARKS[source] for source in each.by_source]
    return "".join([*signs, *([MARKS[CostSource.UNKNOWN]] if each.unknown_calls else [])])


def _share(found: SpendingReport, signs: Signs, of: Callable[[Spent], Decimal]) -> Callable[[Spent], str]:
    """A bar of a row's share of the total, with the share in figures."""
    whole = of(found.total)
    full, empty = ("#", ".") if signs.more == "~" else ("▰", "▱")

    def bar(each: Spent) -> str:
        if not whole or each.words() == "?":
            return ""
        share = float(of(each) / whole)
        cells = min(_BAR_CELLS, round(share * _BAR_CELLS))
        return f"{full * cells}{empty * (_BAR_CELLS - cells)} {100 * share:3.0f} %"

    return bar


# ---- what stands around it


def headline(found: SpendingReport, scope: Scope) -> Content:
    """What was spent in all."""
    total = found.total
    known = (
        "" if total.words() == "?" else f" and {total.unknown_calls} of unknown price" if total.unknown_calls else ""
    )
    return Content.assemble(
        ("Spending  ", "bold $accent"),
        (f"{scope}: ", "not bold $muted"),
        ("price unknown" if total.words() == "?" else total.words(), "bold $text"),
        (
            f"{known}   {total.calls:,} calls   {total.prompt_tokens:,} in, {total.output_tokens:,} out",
            "not bold $muted",
        ),
    )


def detail(each: Spent | None) -> list[Content]:
    """Two lines about the row under the cursor: its sum by source, and how the calls went."""
    if each is None:
        return [Content(""), Content("")]
    sums = [f"{'~' if s is CostSource.ESTIMATED else ''}${plain(a)} {s.value}" for s, a in each.by_source.items()]
    if each.unknown_calls:
        sums.append(f"{each.unknown_calls:,} of {each.calls:,} calls of unknown price")
    return [
        Content.assemble((f"{_name(each)}: ", "$text"), (", ".join(sums) or "nothing was counted", "$muted")),
        Content.assemble(("   ".join(_manner(each)), "$muted")),
    ]


def _manner(each: Spent) -> Iterator[str]:
    if each.latency_s is not None and each.latency_p95_s is not None:
        yield f"{amounts.seconds(each.latency_s)} a call, 95 % within {amounts.seconds(each.latency_p95_s)}"
    if each.first_token_s is not None:
        yield f"first token after {amounts.seconds(each.first_token_s)}"
    if each.tokens_per_s is not None:
        yield f"{each.tokens_per_s:.0f} tokens/s"
    if each.thinking_tokens:
        yield f"{each.thinking_tokens:,} of the output thinking"
    if not each.calls:
        yield "its results went along with more of another tool's"
    if each.errors:
        yield f"{each.errors:,} failed"
    if each.estimated_calls:
        yield f"~ tokens of {each.estimated_calls:,} calls estimated"


def cache_lines(total: Spent, cache: CacheReport | None, count: int) -> list[Content]:
    """How well the cache served, and the newest breaks with why; at most ``count`` lines."""
    if total.cache_hit_rate is None:
        return []
    said = f"Cache: {_percent(total.cache_hit_rate)} of {total.prompt_tokens:,} tokens sent came from it"
    if cache is None:
        return [Content.assemble((f"{said}. What broke it is shown for this session.", "$muted"))]
    breaks = cache.breaks
    broken = "never broken" if not breaks else "broken once" if len(breaks) == 1 else f"broken {len(breaks)} times"
    older = len(breaks) - (count - 1)
    more = f", the newest {count - 1}:" if older > 0 and count > 1 else ":" if breaks and count > 1 else ""
    lines = [Content.assemble((f"{said}; {broken}{more}", "$muted"))]
    for each in breaks[::-1][: max(0, count - 1)]:
        when = time.strftime("%H:%M:%S", time.localtime(each.at))
        why = safe_line(f"{each.reasons[0]}{f' (and {len(each.reasons) - 1} more)' if each.reasons[1:] else ''}")
        lines.append(
            Content.assemble(
                (f"  {when}  ", "$muted"), (f"{each.lost_tokens:,} tokens anew", "$warn"), (f"  {why}", "$text")
            )
        )
    return lines


def empty_words(scope: Scope) -> str:
    """What the table says when there is nothing."""
    if scope is Scope.SESSION:
        return "Nothing was spent in this session yet. Send a prompt, or press p for another period."
    return "Nothing was spent in this period. Press p for another one."


def _name(each: Spent) -> str:
    return " ".join(safe_line(each.label).split()) or "-"


def _tokens(each: Spent) -> int:
    return each.prompt_tokens + each.output_tokens


def _exact(each: Spent, count: int) -> str:
    return f"{'~' if each.estimated_calls else ''}{count:,}"


def _short(each: Spent, count: int) -> str:
    return amounts.tokens(count, estimated=bool(each.estimated_calls))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _seconds(value: float | None) -> str:
    return "" if value is None else amounts.seconds(value)

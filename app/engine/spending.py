"""What the ledger adds up to: exact sums by session, day, month, model, provider, tool, turn or purpose. Pure.

Every call is in exactly one group, so that the groups of any kind add up to the total of the rows. By tool, a call
that brings fresh tool results to a model belongs to those tools: its tokens and its cost are split by the length of
the results, to the last digit; as a call it is counted once, at the tool that gave back most. Calls without fresh
results are the conversation, or what they were for (a title, a compaction).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from math import ceil
from statistics import median

from .events import CallPurpose, CostSource
from .exact import plain, split, split_count, total
from .ledger_rows import LedgerCall, ToolUse


class By(StrEnum):
    """What calls are put together by."""

    SESSION = "session"
    DAY = "day"
    MONTH = "month"
    MODEL = "model"
    PROVIDER = "provider"
    TOOL = "tool"
    TURN = "turn"
    PURPOSE = "purpose"


BY_TIME = frozenset({By.DAY, By.MONTH, By.TURN})
"""Groups of these come in order of time, others the dearest first."""
CONVERSATION = "conversation"
"""By tool: the calls that brought no fresh result of a tool."""
BETWEEN_TURNS = "between turns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What some calls used and cost, in USD. ``cost`` holds no call of ``unknown_calls``."""

    key: str
    """What the group is: a date, an id, a name."""
    label: str
    """The same for people, as it was written by whoever named it: untrusted."""
    calls: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    thinking_tokens: int
    """A part of the output."""
    cost: Decimal
    by_source: Mapping[CostSource, Decimal]
    """The cost by where it comes from: reported, computed, estimated."""
    unknown_calls: int
    estimated_calls: int
    """Calls with tokens that nobody counted."""
    errors: int
    latency_s: float | None
    """Median of the calls that did not fail; None without any."""
    latency_p95_s: float | None
    first_token_s: float | None
    first_token_p95_s: float | None
    tokens_per_s: float | None
    """Output of the calls that did not fail, for each second after their first token."""
    first_at: float
    last_at: float
    """When the first and the last of them ended, in epoch seconds."""

    @property
    def prompt_tokens(self) -> int:
        """All that was sent, cached or not."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def cache_hit_rate(self) -> float | None:
        """The share of what was sent that came from a cache; None when nothing was sent."""
        return self.cache_read_tokens / self.prompt_tokens if self.prompt_tokens else None

    @property
    def free(self) -> bool:
        """Whether something was used, all of it of known price, and cost nothing: a local model."""
        return not self.cost and not self.unknown_calls and self.prompt_tokens + self.output_tokens > 0

    def words(self, places: int = 2) -> str:
        """The cost with all its digits, at least so many of them decimal places.

        ``~$0.0502`` with an estimate in it; ``free``; ``?`` when nothing of it is known.
        """
        if self.calls and self.unknown_calls == self.calls and not self.cost:
            return "?"
        if self.free:
            return "free"
        return f"{'~' if self.estimated_cost else ''}${plain(self.cost, places)}"

    @property
    def estimated_cost(self) -> Decimal:
        """How much of the cost is an estimate."""
        return self.by_source.get(CostSource.ESTIMATED, Decimal(0))


@dataclass(slots=True, kw_only=True)
class _Piece:
    """A call, or a tool's part of one."""

    call: LedgerCall
    """With the tokens and the cost of this part."""
    whole: LedgerCall | None
    """The call as it was, where it counts as a call; None in the groups that only share it."""


@dataclass(slots=True)
class _Group:
    label: str
    pieces: list[_Piece] = field(default_factory=list[_Piece])


def spent(calls: Sequence[LedgerCall], key: str = "total", label: str = "total") -> Spent:
    """All of some calls together."""
    return _summed(key, label, [_Piece(call=call, whole=call) for call in calls])


def grouped(
    calls: Sequence[LedgerCall],
    by: By,
    *,
    zone: tzinfo | None = None,
    turns: Mapping[str, str] | None = None,
    shares: Mapping[str, Mapping[str, int]] | None = None,
) -> list[Spent]:
    """The calls in groups that add up to all of them.

    ``zone`` is the time zone of days and months (None: this machine's), ``turns`` says what each turn was about,
    ``shares`` comes from ``tool_shares``.
    """
    groups: dict[str, _Group] = {}
    for call in calls:
        for key, label, piece in _placed(call, by, zone, turns or {}, shares or {}):
            groups.setdefault(key, _Group(label)).pieces.append(piece)
    sums = [_summed(key, group.label, group.pieces) for key, group in groups.items()]
    if by is By.TURN:
        return sorted(sums, key=lambda each: each.first_at)
    if by in BY_TIME:
        return sorted(sums, key=lambda each: each.key)
    return sorted(sums, key=lambda each: (-each.cost, -each.calls, each.key))


def tool_shares(history: Sequence[LedgerCall], uses: Sequence[ToolUse]) -> dict[str, dict[str, int]]:
    """For each call that brought fresh tool results to a model: the tools and how many characters of each.

    ``history`` holds every call of the sessions, oldest first. A result is fresh until a call that carried it was
    answered: a retry carries it again.
    """
    called: dict[str, list[ToolUse]] = {}
    for use in uses:
        called.setdefault(use.request_id, []).append(use)
    waiting: dict[str, dict[str, int]] = {}
    shares: dict[str, dict[str, int]] = {}
    for call in history:
        if call.purpose != CallPurpose.ANSWER:
            continue
        fresh = waiting.setdefault(call.session_id, {})
        if fresh:
            shares[call.request_id] = dict(fresh)
        if call.error_kind is None:
            fresh.clear()
        for use in called.get(call.request_id, ()):
            fresh[use.name] = fresh.get(use.name, 0) + use.chars
    return shares


def _placed(
    call: LedgerCall,
    by: By,
    zone: tzinfo | None,
    turns: Mapping[str, str],
    shares: Mapping[str, Mapping[str, int]],
) -> Iterable[tuple[str, str, _Piece]]:
    """The group or groups of a call: key, label, and its part of the call."""
    if by is By.TOOL:
        return _by_tool(call, shares.get(call.request_id, {}))
    key, label = _key(call, by, zone, turns)
    return ((key, label, _Piece(call=call, whole=call)),)


def _key(call: LedgerCall, by: By, zone: tzinfo | None, turns: Mapping[str, str]) -> tuple[str, str]:
    match by:
        case By.SESSION:
            return call.session_id, call.title or "(deleted, or without a prompt)"
        case By.DAY | By.MONTH:
            day = datetime.fromtimestamp(call.at, zone).date().isoformat()
            key = day if by is By.DAY else day[:7]
            return key, key
        case By.MODEL:
            return call.ref, call.ref
        case By.PROVIDER:
            return call.provider, call.provider
        case By.TURN:
            return (call.turn_id, turns.get(call.turn_id) or call.turn_id) if call.turn_id else ("", BETWEEN_TURNS)
        case By.PURPOSE | By.TOOL:
            return call.purpose, call.purpose


def _by_tool(call: LedgerCall, tools: Mapping[str, int]) -> list[tuple[str, str, _Piece]]:
    if not tools:
        name = CONVERSATION if call.purpose == CallPurpose.ANSWER else f"({call.purpose})"
        return [(name, name, _Piece(call=call, whole=call))]
    names, weights = list(tools), list(tools.values())
    most = max(range(len(names)), key=lambda place: weights[place])

    def parts(count: int | None) -> list[int | None]:
        return [None] * len(names) if count is None else [*split_count(count, weights)]

    costs = [None] * len(names) if call.cost is None else [*split(call.cost, weights)]
    read, written = parts(call.cache_read_tokens), parts(call.cache_write_tokens)
    fresh, made, thought = parts(call.input_tokens), parts(call.output_tokens), parts(call.thinking_tokens)
    return [
        (
            name,
            name,
            _Piece(
                call=replace(
                    call,
                    input_tokens=fresh[place],
                    cache_read_tokens=read[place],
                    cache_write_tokens=written[place],
                    output_tokens=made[place],
                    thinking_tokens=thought[place],
                    cost=costs[place],
                ),
                whole=call if place == most else None,
            ),
        )
        for place, name in enumerate(names)
    ]


def _summed(key: str, label: str, pieces: Sequence[_Piece]) -> Spent:
    every = [piece.call for piece in pieces]
    calls = [piece.whole for piece in pieces if piece.whole is not None]
    answered = [call for call in calls if call.error_kind is None]
    latency = [call.duration_s for call in answered]
    first = [call.first_token_s for call in answered if call.first_token_s is not None]
    return Spent(
        key=key,
        label=label,
        calls=len(calls),
        input_tokens=_tokens(every, lambda call: call.input_tokens),
        cache_read_tokens=_tokens(every, lambda call: call.cache_read_tokens),
        cache_write_tokens=_tokens(every, lambda call: call.cache_write_tokens),
        output_tokens=_tokens(every, lambda call: call.output_tokens),
        thinking_tokens=_tokens(every, lambda call: call.thinking_tokens),
        cost=total(call.cost for call in every if call.cost is not None),
        by_source={
            source: total(call.cost for call in every if call.cost is not None and call.source is source)
            for source in (CostSource.REPORTED, CostSource.COMPUTED, CostSource.ESTIMATED)
            if any(call.source is source for call in every)
        },
        unknown_calls=sum(call.cost is None for call in calls),
        estimated_calls=sum(call.usage_estimated for call in calls),
        errors=sum(call.error_kind is not None for call in calls),
        latency_s=median(latency) if latency else None,
        latency_p95_s=_p95(latency),
        first_token_s=median(first) if first else None,
        first_token_p95_s=_p95(first),
        tokens_per_s=_speed(answered),
        first_at=min((call.at for call in every), default=0.0),
        last_at=max((call.at for call in every), default=0.0),
    )


def _tokens(calls: Iterable[LedgerCall], of: Callable[[LedgerCall], int | None]) -> int:
    return sum(of(call) or 0 for call in calls)


def _p95(values: Sequence[float]) -> float | None:
    """The smallest value that 95 of 100 do not pass."""
    return sorted(values)[ceil(0.95 * len(values)) - 1] if values else None


def _speed(calls: Iterable[LedgerCall]) -> float | None:
    tokens, seconds = 0, 0.0
    for call in calls:
        if call.output_tokens and call.first_token_s is not None and call.duration_s > call.first_token_s:
            tokens += call.output_tokens
            seconds += call.duration_s - call.first_token_s
    return tokens / seconds if tokens else None

"""What ``/cost`` and ``/tokens`` say: the session's sums, by model, with where each number comes from."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from ..engine.events import CostSource
from ..engine.state import AnswerEntry, SessionState


@dataclass(slots=True)
class _Sum:
    """The calls of one model."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    amount: Decimal = Decimal(0)
    unknown: int = 0
    sources: set[CostSource] = field(default_factory=set[CostSource])


def cost_report(state: SessionState) -> str:
    """The session's cost, in all and by model, as Markdown lines."""
    sums = _by_model(state)
    if not sums:
        return "Nothing was spent yet: no request was made in this session."
    total = sum((each.amount for each in sums.values()), Decimal(0))
    unknown = sum(each.unknown for each in sums.values())
    lines = [f"Session: {_exact(total)}" + (f" and {unknown} calls of unknown price" if unknown else "")]
    for name, each in sums.items():
        lines.append(f"{name}: {_amount(each)}, {each.calls} calls ({_sources(each)})")
    return "\n".join(lines)


def token_report(state: SessionState) -> str:
    """The session's tokens by class and by model, and how full the window is."""
    totals = state.totals
    if not totals.calls:
        return "No tokens were used yet: no request was made in this session."
    lines = [
        f"Session: {totals.input_tokens:,} input, {totals.cache_read_tokens:,} cache read,"
        f" {totals.cache_write_tokens:,} cache write, {totals.output_tokens:,} output"
        + (f" (of it {totals.thinking_tokens:,} thinking)" if totals.thinking_tokens else "")
    ]
    lines += [f"{name}: {each.tokens_in:,} in, {each.tokens_out:,} out" for name, each in _by_model(state).items()]
    window = None if state.model is None else state.model.context_window
    if state.context_tokens is not None and window:
        share = 100 * state.context_tokens / window
        mark = "~" if state.context_estimated else ""
        lines.append(f"Window: {mark}{state.context_tokens:,} of {window:,} ({share:.0f} %)")
    return "\n".join(lines)


def _by_model(state: SessionState) -> dict[str, _Sum]:
    sums: dict[str, _Sum] = {}
    for answer in _answers(state):
        each = sums.setdefault(str(answer.ref), _Sum())
        usage, cost = answer.usage, answer.cost
        each.calls += 1
        counted = (usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens)
        each.tokens_in += sum(tokens or 0 for tokens in counted)
        each.tokens_out += usage.output_tokens or 0
        if cost is None or cost.amount is None:
            each.unknown += 1
            each.sources.add(CostSource.UNKNOWN)
        else:
            each.amount += cost.amount
            each.sources.add(cost.source)
    return sums


def _answers(state: SessionState) -> Iterator[AnswerEntry]:
    return (entry for entry in state.transcript if isinstance(entry, AnswerEntry))


def _amount(each: _Sum) -> str:
    if each.unknown == each.calls:
        return "unknown"
    return _exact(each.amount) + (f" and {each.unknown} unknown" if each.unknown else "")


def _sources(each: _Sum) -> str:
    return ", ".join(sorted(source.value for source in each.sources))


def _exact(amount: Decimal) -> str:
    """Every digit of a sum: these numbers are compared with bills."""
    return f"${amount.normalize():f}" if amount else "$0.00"

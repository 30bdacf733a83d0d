"""What the lines under the switcher's list say of the model under the cursor. Pure.

The first line says whether it can answer, whether the session fits it and what the next request costs; the second what
is lost; the third how it has done lately. The first stands at once, the others as soon as they are worked out.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ....providers.base import ModelInfo, Online, ago
from ....tools.safe_text import safe_line
from ...engine.budget import SCOPE_WORDS
from ...engine.budget_events import BudgetLevel
from ...engine.preview import Preview
from ...engine.spent import ModelRecord
from ...engine.state import SessionState
from .. import amounts
from ..shelf import Inspection
from .switcher_rows import SwitcherRow

OFTEN = 0.1
"""From this share of failed calls on it is worth a warning."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A piece of a line that says what a switch means, and its role."""

    text: str
    role: str = "text"


def meaning(state: SessionState, row: SwitcherRow | None, found: Inspection | None) -> list[list[Remark]]:
    """The lines for this row. ``found`` None: nothing is worked out yet."""
    lines = [consequence(state, row, None if found is None else found.preview)]
    if row is None or found is None or row.ref is None:
        return lines
    if row.model is not None and (state.model is None or state.model.ref != row.model.ref):
        lines.append(_lost(found.preview))
    lines.append(_record(found.record))
    return lines


def consequence(state: SessionState, row: SwitcherRow | None, ahead: Preview | None = None) -> list[Remark]:
    """What choosing this row means for the session."""
    if row is None:
        return [Remark("No model matches. Backspace widens the search.", "muted")]
    provider, model = row.provider, row.model
    problem = safe_line(provider.problem)
    if provider.online is Online.DISABLED:
        return [Remark(problem or "It is not configured completely: run patchbay doctor.", "danger")]
    if provider.online is Online.OFFLINE:
        said = problem or f"{safe_line(provider.name)} does not answer: start it."
        if provider.last_seen is None:
            return [Remark(said, "warn")]
        return [Remark(f"offline, last seen {ago(time.time() - provider.last_seen)}", "warn"), Remark(said, "warn")]
    if provider.paused_until is not None:
        moment = time.strftime("%H:%M:%S", time.localtime(provider.paused_until))
        return [Remark(f"{safe_line(provider.name)} kept failing: it is tried again from {moment} on.", "warn")]
    if model is None:
        return [Remark("It lists no models.", "muted")]
    if state.model is not None and state.model.ref == model.ref:
        again = [] if ahead is None or not state.context_tokens else _next_request(ahead)
        return [Remark("This model answers now.", "muted"), *again]
    used = ahead.plan.input_tokens if ahead is not None and state.context_tokens else state.context_tokens
    return [*_fit(model, used), *(_known_price(model) if ahead is None else _next_request(ahead))]


def _fit(model: ModelInfo, used: int | None) -> list[Remark]:
    """Whether the conversation fits the model's window."""
    size = model.context_window
    if not used:
        return [Remark("from the next prompt on", "muted")]
    if size is None:
        return [Remark(f"window unknown, {amounts.tokens(used, estimated=True)} in use", "muted")]
    if used >= size:
        over = f"does not fit: {amounts.tokens(used, estimated=True)} in use, window {amounts.window(size)}"
        return [Remark(f"{over}. Shorten the session first", "danger")]
    share = f"{used / size:.0%}".replace("%", " %")
    return [Remark(f"fits ({share} of its window)", "ok")]


def _next_request(ahead: Preview) -> list[Remark]:
    """What the next request will probably cost, beside what it costs with the model that answers now."""
    expected = ahead.plan.expected
    if (known := _known_price(ahead.model)) or expected is None:
        return known
    lost = ", the cache is lost" if ahead.cache_lost else ""
    text = f"next request {amounts.dollars(expected, estimated=True)}{lost}"
    if ahead.now is not None and ahead.now.expected is not None:
        text += f" (now {amounts.dollars(ahead.now.expected, estimated=True)})"
    remarks = [Remark(text)]
    if ahead.over is not None and ahead.over.level is BudgetLevel.PAUSE:
        remarks.append(Remark(f"over the budget for {SCOPE_WORDS[ahead.over.scope]}", "danger"))
    return remarks


def _known_price(model: ModelInfo) -> list[Remark]:
    """What needs no forecast."""
    if model.price is None:
        return [Remark("price unknown", "muted")]
    return [Remark("free", "ok")] if model.price.free else []


def _lost(ahead: Preview) -> list[Remark]:
    if not ahead.lost:
        return [Remark("nothing is lost", "ok")]
    return [Remark(f"lost: {safe_line(', '.join(ahead.lost))}", "warn")]


def _record(record: ModelRecord | None) -> list[Remark]:
    """How the newest calls went."""
    if record is None:
        return [Remark("not asked from here yet", "muted")]
    remarks: list[Remark] = []
    if record.first_token_s is not None and record.duration_s is not None:
        first, whole = amounts.seconds(record.first_token_s), amounts.seconds(record.duration_s)
        remarks.append(Remark(f"first token {first}, answer {whole} (median)", "muted"))
    share = record.failed / record.calls
    failed = f"{share:.0%} failed".replace("%", " %") if record.failed else "none failed"
    remarks.append(Remark(f"{failed} of the last {record.calls}", "warn" if share >= OFTEN else "muted"))
    return remarks


def shown(lines: Sequence[Sequence[Remark]]) -> str:
    """The lines as plain text."""
    return "\n".join("  · ".join(remark.text for remark in line) for line in lines)

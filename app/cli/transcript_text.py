"""A session as Markdown, and the words that every export of it shares."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from ...tools.safe_text import safe_line, safe_text
from ..engine.answer_ends import cut_short
from ..engine.compaction_words import compaction_line
from ..engine.events import Cost, CostSource
from ..engine.state import (
    AnswerEntry,
    CommandEntry,
    CompactionEntry,
    Entry,
    NoticeEntry,
    PromptEntry,
    SessionState,
    SwitchEntry,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolRun,
)

_OUTPUT_CHARS = 20_000
"""Of one tool result; the JSON lines hold all of it."""
_TICKS = re.compile(r"`{3,}")


def to_markdown(state: SessionState, title: str) -> str:
    """The conversation as Markdown, tool results in fences."""
    parts = [f"# {heading(title)}", facts(state)]
    runs = {run.run_id: run for run in state.runs}
    for entry in state.transcript:
        parts.extend(_markdown_entry(entry, runs))
    return "\n\n".join(part.rstrip() for part in parts if part.strip()) + "\n"


def heading(title: str) -> str:
    """The title on one line; never empty."""
    return safe_line(title).strip() or "Session"


def facts(state: SessionState) -> str:
    """Folder, model, money of the whole session."""
    totals = state.totals
    money = f"{'~' if totals.estimated else ''}${totals.cost:f}" if totals.cost else "no cost"
    unknown = f" and {totals.unknown_calls} calls of unknown price" if totals.unknown_calls else ""
    model = "" if state.model is None else f" · {safe_line(str(state.model.ref))}"
    return f"{safe_line(state.folder)}{model} · {totals.calls} calls, {money}{unknown}"


def _markdown_entry(entry: Entry, runs: dict[str, ToolRun]) -> Iterator[str]:
    match entry:
        case PromptEntry():
            yield f"## {when(entry.at)}"
            yield "\n".join(f"> {line}" for line in safe_text(entry.text).splitlines())
            yield from (f"*with {safe_line(each)}*" for each in attachment_names(entry))
        case AnswerEntry():
            yield f"*{answer_facts(entry)}*"
            for part in entry.parts:
                yield from _markdown_part(part, runs)
            if entry.error is not None:
                yield f"**{safe_line(entry.error.message)}**"
            elif short := cut_short(entry):
                yield f"*({short})*"
        case NoticeEntry():
            yield f"*{safe_line(entry.message)}*"
        case SwitchEntry():
            yield f"*From here on: {safe_line(str(entry.ref))}*"
        case CompactionEntry(compacted=compacted):
            yield f"*{safe_line(compaction_line(compacted))}*"
        case CommandEntry():
            yield from _markdown_command(entry, runs)


def _markdown_part(part: object, runs: dict[str, ToolRun]) -> Iterator[str]:
    match part:
        case TextPart():
            yield safe_text(str(part.text))
        case ThinkingPart() if part.text.chars:
            yield "\n".join(f"> {line}" for line in f"*Thinking:*\n{safe_text(str(part.text))}".splitlines())
        case ToolCallPart():
            run = runs.get(part.run_id)
            title = part.name if run is None else f"{run.name}: {run.title} ({run.summary})"
            yield f"**{safe_line(title)}**"
            if run is not None and run.content:
                yield _fenced(bounded(run.content))
        case _:
            return


def _fenced(text: str) -> str:
    longest = max((len(ticks) for ticks in _TICKS.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}"


def _markdown_command(entry: CommandEntry, runs: dict[str, ToolRun]) -> Iterator[str]:
    """A command of the person's own; a private one stays out of what is given away."""
    if entry.private:
        return
    run = runs.get(entry.run_id)
    yield f"**{safe_line(f'$ {entry.command}')}**"
    if run is not None and run.content:
        yield _fenced(bounded(run.content))


def attachment_names(entry: PromptEntry) -> list[str]:
    """What went along with a prompt, by name."""
    return [f"{each.kind} {each.source}" for each in entry.attachments]


def bounded(text: str) -> str:
    """Output of a tool, safe, without what is beyond some thousand characters."""
    shown = safe_text(text[:_OUTPUT_CHARS])
    left = len(text) - _OUTPUT_CHARS
    return shown if left <= 0 else f"{shown}\n… {left:,} characters more"


def answer_facts(entry: AnswerEntry) -> str:
    """Model, time and price of an answer; ``~`` before an estimate."""
    money = "" if entry.cost is None else f" · {_money(entry.cost)}"
    took = "" if entry.ended_at is None else f" · {entry.ended_at - entry.started_at:.1f} s"
    return f"{safe_line(str(entry.ref))}{took}{money}"


def _money(cost: Cost) -> str:
    if cost.amount is None:
        return "price unknown"
    return f"{'~' if cost.source is CostSource.ESTIMATED else ''}${cost.amount:f}" if cost.amount else "free"


def when(at: float) -> str:
    """A moment (epoch seconds) for people."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")

"""A session as a document for people: Markdown, or one self-contained HTML page that is safe to open.

The page holds no script, loads nothing and follows nothing by itself: everything a model, a tool or a file wrote is
escaped, and a content security policy forbids the rest.
"""

import html
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TypeAlias

from ...tools.safe_text import safe_line, safe_text
from ..engine.state import (
    AnswerEntry,
    CommandEntry,
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

_STYLE = """\
:root { color-scheme: light dark; --bar: #3b6ea8; --soft: #8884; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 54rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: .2rem; } .facts, .meta { color: #777; font-size: .85rem; }
section { border-left: 3px solid var(--soft); padding: .1rem 0 .1rem 1rem; margin: 1.2rem 0; }
section.prompt { border-color: var(--bar); white-space: pre-wrap; font-weight: 600; }
pre { background: #8882; padding: .7rem; overflow-x: auto; border-radius: 4px; font-size: .85rem; }
code { font-family: ui-monospace, monospace; } details { margin: .5rem 0; } summary { cursor: pointer; }
table { border-collapse: collapse; } td, th { border: 1px solid var(--soft); padding: .2rem .5rem; }
p.notice { color: #777; font-size: .9rem; } p.problem { color: #b3261e; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


Render: TypeAlias = Callable[[str], str]
"""Markdown to HTML."""


def to_markdown(state: SessionState, title: str) -> str:
    """The conversation as Markdown, tool results in fences."""
    parts = [f"# {_heading(title)}", _facts(state)]
    runs = {run.run_id: run for run in state.runs}
    for entry in state.transcript:
        parts.extend(_markdown_entry(entry, runs))
    return "\n\n".join(part.rstrip() for part in parts if part.strip()) + "\n"


def to_html(state: SessionState, title: str) -> str:
    """The conversation as one page."""
    from markdown_it import MarkdownIt  # only an export needs it

    renderer = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    runs = {run.run_id: run for run in state.runs}
    body = "\n".join(piece for entry in state.transcript for piece in _html_entry(entry, runs, renderer.render))
    heading = html.escape(_heading(title))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="referrer" content="no-referrer">\n<meta name="viewport" content="width=device-width">\n'
        f"<title>{heading}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{heading}</h1>\n<p class="facts">{html.escape(_facts(state))}</p>\n{body}\n</body>\n</html>\n'
    )


def _heading(title: str) -> str:
    return safe_line(title).strip() or "Session"


def _facts(state: SessionState) -> str:
    """Folder, model, money of the whole session."""
    totals = state.totals
    money = f"{'~' if totals.estimated else ''}${totals.cost:f}" if totals.cost else "no cost"
    unknown = f" and {totals.unknown_calls} calls of unknown price" if totals.unknown_calls else ""
    model = "" if state.model is None else f" · {safe_line(str(state.model.ref))}"
    return f"{safe_line(state.folder)}{model} · {totals.calls} calls, {money}{unknown}"


def _markdown_entry(entry: Entry, runs: dict[str, ToolRun]) -> Iterator[str]:
    match entry:
        case PromptEntry():
            yield f"## {_when(entry.at)}"
            yield "\n".join(f"> {line}" for line in safe_text(entry.text).splitlines())
        case AnswerEntry():
            yield f"*{_answer_facts(entry)}*"
            for part in entry.parts:
                yield from _markdown_part(part, runs)
            if entry.error is not None:
                yield f"**{safe_line(entry.error.message)}**"
        case NoticeEntry():
            yield f"*{safe_line(entry.message)}*"
        case SwitchEntry():
            yield f"*From here on: {safe_line(str(entry.ref))}*"
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
                yield _fenced(_bounded(run.content))
        case _:
            return


def _markdown_command(entry: CommandEntry, runs: dict[str, ToolRun]) -> Iterator[str]:
    """A command of the person's own; a private one stays out of what is given away."""
    if entry.private:
        return
    run = runs.get(entry.run_id)
    yield f"**{safe_line(f'$ {entry.command}')}**"
    if run is not None and run.content:
        yield _fenced(_bounded(run.content))


def _html_command(entry: CommandEntry, runs: dict[str, ToolRun]) -> Iterator[str]:
    if entry.private:
        return
    run = runs.get(entry.run_id)
    content = "" if run is None else html.escape(_bounded(run.content))
    summary = f"<summary><code>$ {html.escape(safe_line(entry.command))}</code></summary>"
    yield f"<details>{summary}<pre>{content}</pre></details>"


def _fenced(text: str) -> str:
    longest = max((len(ticks) for ticks in _TICKS.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}"


def _html_entry(entry: Entry, runs: dict[str, ToolRun], render: Render) -> Iterator[str]:
    match entry:
        case PromptEntry():
            yield f'<p class="meta">{_when(entry.at)}</p>'
            yield f'<section class="prompt">{html.escape(safe_text(entry.text))}</section>'
        case AnswerEntry():
            yield f'<section class="answer"><p class="meta">{html.escape(_answer_facts(entry))}</p>'
            for part in entry.parts:
                yield from _html_part(part, runs, render)
            if entry.error is not None:
                yield f'<p class="problem">{html.escape(safe_line(entry.error.message))}</p>'
            yield "</section>"
        case NoticeEntry():
            yield f'<p class="notice">{html.escape(safe_line(entry.message))}</p>'
        case SwitchEntry():
            yield f'<p class="notice">From here on: {html.escape(safe_line(str(entry.ref)))}</p>'
        case CommandEntry():
            yield from _html_command(entry, runs)


def _html_part(part: object, runs: dict[str, ToolRun], render: Render) -> Iterator[str]:
    match part:
        case TextPart():
            yield render(safe_text(str(part.text)))
        case ThinkingPart() if part.text.chars:
            thought = html.escape(safe_text(str(part.text)))
            yield f"<details><summary>thought</summary><pre>{thought}</pre></details>"
        case ToolCallPart():
            run = runs.get(part.run_id)
            title = part.name if run is None else f"{run.name}  {run.title}  {run.summary}"
            content = "" if run is None else html.escape(_bounded(run.content))
            summary = f"<summary><code>{html.escape(safe_line(title))}</code></summary>"
            yield f"<details>{summary}<pre>{content}</pre></details>"
        case _:
            return


def _bounded(text: str) -> str:
    shown = safe_text(text[:_OUTPUT_CHARS])
    left = len(text) - _OUTPUT_CHARS
    return shown if left <= 0 else f"{shown}\n… {left:,} characters more"


def _answer_facts(entry: AnswerEntry) -> str:
    cost = entry.cost
    money = "" if cost is None else " · price unknown" if cost.amount is None else f" · ${cost.amount:f}"
    took = "" if entry.ended_at is None else f" · {entry.ended_at - entry.started_at:.1f} s"
    return f"{safe_line(str(entry.ref))}{took}{money}"


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")

"""A session as one self-contained HTML page that is safe to open.

The page holds no script, loads nothing and follows nothing by itself: everything a model, a tool or a file wrote is
escaped, keys are taken out, and a content security policy forbids the rest. It is light or dark as the reader's
system is, and prints.
"""

import difflib
import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from ...providers.redact import redact
from ...tools.events import FileChanged, Outcome
from ...tools.safe_text import reveal, safe_line, safe_text
from ..engine.answer_ends import cut_short
from ..engine.compaction_words import compaction_line
from ..engine.events import Attachment, NoticeLevel, Stamped, ToolActivity
from ..engine.state import (
    AnswerEntry,
    AnswerPart,
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
from .page_style import PAGE_STYLE
from .transcript_text import answer_facts, attachment_names, bounded, facts, heading, when

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_COMPARED_LINES = 6000
"""Lines of a file, before and after together, up to which its change is shown."""
_DIFF_LINES = 600
_OPEN_LINES = 40
"""A change of up to so many lines is unfolded."""
_IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_SIGNS = {Outcome.OK: "✓", Outcome.DENIED: "−", Outcome.CANCELLED: "−"}

Changes: TypeAlias = Mapping[str, list[FileChanged]]
"""What each tool run did to files, by its id."""
_Render: TypeAlias = Callable[[str], str]


def changes_by_run(events: Iterable[Stamped]) -> Changes:
    """The file changes of a journal, by tool run."""
    found: dict[str, list[FileChanged]] = {}
    for stamped in events:
        match stamped.event:
            case ToolActivity(event=FileChanged() as change):
                found.setdefault(change.run_id, []).append(change)
            case _:
                continue
    return found


def to_html(state: SessionState, title: str, changes: Changes | None = None) -> str:
    """The conversation as one page."""
    page = _Page({run.run_id: run for run in state.runs}, changes or {}, _markdown())
    body = "\n".join(piece for entry in state.transcript for piece in page.entry(entry))
    name = _text(heading(title))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="referrer" content="no-referrer">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n'
        f"<title>{name}</title>\n<style>\n{PAGE_STYLE}</style>\n</head>\n<body>\n"
        f'<header>\n<h1>{name}</h1>\n<p class="facts">{_text(facts(state))}</p>\n</header>\n'
        f"<main>\n{body}\n</main>\n<footer>A session of Patchbay. This page runs and loads nothing.</footer>\n"
        f"</body>\n</html>\n"
    )


class _Page:
    """Makes the pieces of one page."""

    def __init__(self, runs: Mapping[str, ToolRun], changes: Changes, render: _Render) -> None:
        self._runs = runs
        self._changes = changes
        self._render = render

    def entry(self, entry: Entry) -> Iterator[str]:
        """What one entry of the conversation becomes."""
        match entry:
            case PromptEntry():
                yield f'<section class="prompt"><p class="meta">{when(entry.at)}</p>'
                yield f'<div class="words">{_text(safe_text(entry.text))}</div>'
                yield from (f'<p class="meta">with {_line(name)}</p>' for name in attachment_names(entry))
                yield from filter(None, map(_image, entry.attachments))
                yield "</section>"
            case AnswerEntry():
                yield f'<section class="answer"><p class="meta">{_text(answer_facts(entry))}</p>'
                for part in entry.parts:
                    yield from self._part(part)
                if entry.error is not None:
                    yield f'<p class="notice error">{_line(entry.error.message)}</p>'
                elif short := cut_short(entry):
                    yield f'<p class="notice warning">{_line(short)}</p>'
                yield "</section>"
            case NoticeEntry():
                level = "" if entry.level is NoticeLevel.INFO else f" {entry.level.value}"
                yield f'<p class="notice{level}">{_text(safe_text(entry.message))}</p>'
            case CommandEntry() if not entry.private:
                yield from self._command(entry)
            case CommandEntry():  # a private one stays out of what is given away
                return
            case CompactionEntry(compacted=compacted):
                yield f'<p class="notice">{_line(compaction_line(compacted))}</p>'
            case SwitchEntry():
                yield f'<p class="notice">From here on: {_line(str(entry.ref))}</p>'

    def _command(self, entry: CommandEntry) -> Iterator[str]:
        run = self._runs.get(entry.run_id)
        content = "" if run is None else _text(bounded(run.content))
        yield f"<details><summary><code>$ {_line(entry.command)}</code></summary><pre>{content}</pre></details>"

    def _part(self, part: AnswerPart) -> Iterator[str]:
        match part:
            case TextPart():
                yield self._render(redact(safe_text(str(part.text))))
            case ThinkingPart() if part.text.chars:
                thought = _text(safe_text(str(part.text)))
                yield f'<details class="thought"><summary>thought</summary><div class="words">{thought}</div></details>'
            case ToolCallPart():
                yield from self._run(part.name, self._runs.get(part.run_id))
            case _:
                return

    def _run(self, name: str, run: ToolRun | None) -> Iterator[str]:
        """A tool run on one line, its output folded below it, and what it changed."""
        if run is None:
            yield f'<p class="run"><span class="sign">○</span> <b>{_line(name)}</b> <i>was not run</i></p>'
            return
        sign = _SIGNS.get(run.outcome or Outcome.OK, "✗")
        took = "" if run.duration_s is None else f"{run.duration_s:.1f} s"
        summary = (
            f'<summary><span class="sign {_line(str(run.outcome))}">{sign}</span> <b>{_line(run.name)}</b> '
            f"<code>{_line(run.title)}</code> <i>{_line(run.summary)}</i><time>{took}</time></summary>"
        )
        output = bounded(run.content)
        yield f'<details class="run">{summary}<pre>{_text(output) or "no output"}</pre></details>'
        for change in self._changes.get(run.run_id, ()):
            yield _change(change)


def _image(attachment: Attachment) -> str:
    """An image that went along, within the page; empty for anything that is not certainly one."""
    data = attachment.data_base64
    if attachment.media_type not in _IMAGE_TYPES or _BASE64.fullmatch(data) is None:
        return ""
    return f'<img alt="{_line(attachment.source)}" src="data:{attachment.media_type};base64,{data}">'


def _change(change: FileChanged) -> str:
    """What became of one file, as a coloured difference."""
    path = f"<code>{_text(reveal(change.path).replace(chr(10), '↵'))}</code>"
    before, after = (change.before or "").splitlines(), (change.after or "").splitlines()
    if len(before) + len(after) > _COMPARED_LINES or (change.before is None and change.after is None):
        what = "deleted" if change.deleted else "made" if change.created else "changed"
        return f'<p class="diff-head">{path} <i>{what}</i></p>'
    lines = list(difflib.unified_diff(before, after, lineterm="", n=3))[2:]
    added = sum(line.startswith("+") for line in lines)
    removed = sum(line.startswith("-") for line in lines)
    shown = "".join(_diff_line(line) for line in lines[:_DIFF_LINES])
    more = f'<span class="at">… {len(lines) - _DIFF_LINES:,} lines more</span>' if len(lines) > _DIFF_LINES else ""
    unfolded = " open" if len(lines) <= _OPEN_LINES else ""
    return (
        f'<details class="diff"{unfolded}><summary>{path} <span class="added">+{added}</span> '
        f'<span class="removed">−{removed}</span></summary><pre>{shown}{more}</pre></details>'
    )


def _diff_line(line: str) -> str:
    kind = {"+": "added", "-": "removed", "@": "at"}.get(line[:1], "same")
    words = _text(reveal(line)) or " "
    return f'<span class="{kind}">{words}</span>'


def _text(text: str) -> str:
    """Text as HTML, without keys."""
    return html.escape(redact(text))


def _line(text: str) -> str:
    return _text(safe_line(text))


def _markdown() -> _Render:
    """Markdown to HTML: no raw HTML, no pictures, no address but of the web and of mail."""
    from markdown_it import MarkdownIt  # only an export needs it

    renderer = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    renderer.add_render_rule("link_open", _link_open)
    return renderer.render


def _link_open(_renderer: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """A link that tells its target nothing of where it was followed."""
    address = html.escape(str(tokens[index].attrGet("href") or ""))
    if not address.lower().startswith(("https://", "http://", "mailto:")):
        return "<a>"
    return f'<a href="{address}" rel="noopener noreferrer nofollow">'

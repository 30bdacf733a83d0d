"""What ``write`` and ``edit`` share: from the old and the new content of a file to a plan."""

from dataclasses import dataclass
from functools import partial

from .diffs import unified_diff
from .events import FileChanged
from .text_file import TextFile, decode, displayable
from .tool import Plan, ToolContext, ToolResult
from .workspace import Place

_EVENT_BYTES = 400_000
"""Texts beyond this size are left out of events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file's content before (None: no file) and after."""

    place: Place
    before: bytes | None
    after: bytes

    @property
    def created(self) -> bool:
        """Whether there was no file."""
        return self.before is None


def planned(change: Change, context: ToolContext, *, note: str = "") -> Plan:
    """The plan that carries out ``change`` if the file is still as it was. ``note`` is added to the result."""
    before, after = _text(change.before or b""), _text(change.after)
    if change.before == change.after:
        result = ToolResult(content=f"{change.place.shown} already has this content.", summary="no change")
        return Plan(run=partial(_unchanged, change, context, result), needs_approval=False)
    if before is None or after is None:
        size = "−" if change.before is None else f"{len(change.before):,}"
        preview, summary = f"{change.place.shown}: {size} to {len(change.after):,} bytes\n", "rewritten"
    else:
        diff = unified_diff(before, after, change.place.shown, created=change.created)
        preview, summary = diff.text, diff.summary
    done = "Created" if change.created else "Changed"
    result = ToolResult(content=f"{done} {change.place.shown} ({summary}).{note}", summary=summary)
    return Plan(run=partial(_carry_out, change, context, result), preview=preview)


async def _unchanged(change: Change, context: ToolContext, result: ToolResult) -> ToolResult:
    context.seen.note(change.place, change.after)
    return result


async def _carry_out(change: Change, context: ToolContext, result: ToolResult) -> ToolResult:
    context.workspace.write(change.place, change.after, replaces=change.before)
    context.seen.note(change.place, change.after)
    context.emit(
        FileChanged(
            run_id=context.run_id,
            path=displayable(change.place.shown),
            before=None if change.before is None else _event_text(change.before),
            after=_event_text(change.after),
            created=change.created,
        )
    )
    return result


def _text(data: bytes) -> str | None:
    file: TextFile | None = decode(data)
    return None if file is None else file.text


def _event_text(data: bytes) -> str | None:
    text = _text(data) if len(data) <= _EVENT_BYTES else None
    return None if text is None else displayable(text)

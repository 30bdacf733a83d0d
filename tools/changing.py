"""From the old and the new content of files to a plan: what every tool that changes files ends in."""

from collections.abc import Sequence
from functools import partial

from .diffs import unified_diff
from .events import FileChanged
from .freshness import file_seen
from .text_file import TextFile, decode, displayable
from .tool import Plan, ToolContext, ToolResult
from .workspace import Change

__all__ = ["Change", "planned_changes"]

_EVENT_BYTES = 400_000
"""Texts beyond this size are left out of events."""


def planned_changes(changes: Sequence[Change], context: ToolContext, *, note: str = "", summary_note: str = "") -> Plan:
    """The plan that carries out all ``changes``, or none, if every file is still as it was.

    ``note`` is added to what the model is told, ``summary_note`` to the few words of the tool log. Changes that
    change nothing are left out; files are named in the order given. The plan can be made anew from some of its
    own ``changes``, or from changes with another ``after``.
    """
    real = tuple(change for change in changes if change.before != change.after)
    shown = [_Shown(change) for change in real]
    summary = _summary(shown) + (f", {summary_note}" if summary_note and real else "")
    if not real:
        names = ", ".join(change.place.shown for change in changes)
        content = f"{names} already {'has' if len(changes) == 1 else 'have'} this content."
        result = ToolResult(content=content, summary="no change")
    else:
        result = ToolResult(content="\n".join(one.done for one in shown) + note, summary=summary)
    return Plan(
        run=partial(_carry_out, tuple(changes), real, context, result),
        preview="".join(one.preview for one in shown),
        needs_approval=bool(real),
        changes=real,
    )


class _Shown:
    """How one change is shown to a person and told to the model."""

    def __init__(self, change: Change) -> None:
        name = change.place.shown
        before, after = _text(change.before or b""), _text(change.after or b"")
        self.counts: tuple[int, int] | None = None
        if before is None or after is None:
            sizes = ["−" if data is None else f"{len(data):,}" for data in (change.before, change.after)]
            self.preview = f"{name}: {sizes[0]} to {sizes[1]} bytes\n"
            summary = "rewritten"
        else:
            diff = unified_diff(before, after, name, created=change.created, deleted=change.deleted)
            self.preview, summary = diff.text, diff.summary
            self.counts = diff.added, diff.removed
        match change.created, change.deleted:
            case True, _:
                self.done = f"Created {name} ({summary})."
            case _, True:
                self.done = f"Deleted {name}."
            case _:
                self.done = f"Changed {name} ({summary})."
        self.summary = summary


def _summary(shown: Sequence[_Shown]) -> str:
    """Like ``+3 −1``, of several files ``3 files, +3 −1``."""
    if len(shown) == 1:
        return shown[0].summary
    added, removed = (sum(one.counts[side] for one in shown if one.counts) for side in (0, 1))
    return f"{len(shown)} files, +{added} −{removed}"


async def _carry_out(
    given: tuple[Change, ...], real: tuple[Change, ...], context: ToolContext, result: ToolResult
) -> ToolResult:
    context.workspace.apply(real)
    for change in given:
        if change.after is None:
            context.seen.forget(change.place)
        else:
            context.seen.note_changed(change.place, change.before, change.after)
    for change in real:
        context.emit(file_seen(context.run_id, change.place.shown, change.after))
        context.emit(
            FileChanged(
                run_id=context.run_id,
                path=displayable(change.place.shown),
                before=_event_text(change.before),
                after=_event_text(change.after),
                created=change.created,
                deleted=change.deleted,
            )
        )
    return result


def _text(data: bytes) -> str | None:
    file: TextFile | None = decode(data)
    return None if file is None else file.text


def _event_text(data: bytes | None) -> str | None:
    text = _text(data) if data is not None and len(data) <= _EVENT_BYTES else None
    return None if text is None else displayable(text)

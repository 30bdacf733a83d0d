"""The changes a diff pane can show: of files of the session, or proposed by a question; and how each is read."""

from dataclasses import replace
from typing import NamedTuple

from rich.cells import cell_len

from ....tools.events import ApprovalRequested
from ...engine.state import FileDiff
from ..diffing import TextDiff, diff_texts, parse_unified
from .diff_sheet import Subject

EMPTY = "No changes yet. What the model edits shows up here, hunk by hunk."


class Key(NamedTuple):
    """Which change: of a file, or proposed by a question."""

    path: str
    approval_id: str = ""


class Change(NamedTuple):
    """A change that can be shown; a file's hunks are only looked for when it is."""

    key: Key
    source: FileDiff | TextDiff


def proposed_changes(approval: ApprovalRequested) -> list[Change]:
    """The files of a question's diff; none when its preview is no diff (a command)."""
    return [Change(Key(diff.path, approval.approval_id), diff) for diff in parse_unified(approval.preview)]


def subject_of(key: Key | None, source: FileDiff | TextDiff | None) -> Subject:
    """What is shown of a change."""
    if key is None or source is None:
        return Subject(path="", diff=TextDiff(), words=EMPTY)
    if isinstance(source, TextDiff):
        return Subject(path=key.path or "?", diff=source, proposed=True)
    unknown = (source.after is None and not source.deleted) or (source.before is None and not source.created)
    if unknown:
        return Subject(
            path=key.path, diff=TextDiff(), words="Changed. It is binary or too large to be shown as a diff."
        )
    before, after = source.before or "", source.after or ""
    gone = source.deleted and not source.created
    diff = replace(diff_texts(before, after), path=key.path, deleted=gone)
    diff = replace(diff, created=source.created and not source.deleted)
    if diff.hunks:
        words = _line_ends(before, after)
    else:
        empty = "The file is empty." if diff.created else "The empty file is deleted." if gone else ""
        words = empty or "Nothing differs any more from before this session."
    return Subject(path=key.path, diff=diff, before=before, after=after, words=words)


def _line_ends(before: str, after: str) -> str:
    """Words for a difference that cannot be seen."""
    old, new = ("CRLF" if "\r\n" in text else "LF" for text in (before, after))
    return f"Line ends changed from {old} to {new}." if old != new and before and after else ""


def end_of(path: str, room: int, more: str) -> str:
    """A path on at most ``room`` cells; its end says more than its beginning."""
    if cell_len(path) <= room:
        return path
    while path and cell_len(path) > room - cell_len(more):
        path = path[1:]
    return more + path

"""The first row of the diff pane: which file, what happened to it, what was answered, and where one is. Pure."""

from dataclasses import dataclass

from rich.cells import cell_len

from ....tools.safe_text import safe_line
from ..transcript.palette import ASCII_SIGNS, Look, Signs
from ..transcript.rows import MUTED, Span, elide
from .diff_changes import end_of
from .diff_sheet import Subject, answer_sign
from .hunks import Answer, Tally

WIDE = 100
"""Columns (with the scrollbar) from which two texts fit side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the first row tells of."""

    subject: Subject
    hunk: int
    """The hunk that is looked at, from 0."""
    file: int
    """Which file of its group, from 1: those of one question, or those of the session."""
    files: int
    tally: Tally
    behind: bool
    """Whether something newer than this is there."""
    too_narrow: bool
    """Whether side by side was asked for and has no room."""


def header_spans(header: Header, width: int, signs: Signs) -> list[Span]:
    """The row as pieces that fill ``width`` cells; a long path is cut at its beginning."""
    left = _words(header, signs)
    right = _counts(header, width, signs)
    taken = sum(cell_len(text) for text, _ in (*left, *right)) + 3
    path = end_of(safe_line(header.subject.path), max(8, width - taken), signs.more)
    gap = max(2, width - taken - cell_len(path) + 2)
    return [(f" {path}", Look(role="accent", bold=True)), *left, (" " * gap, Look()), *right]


def _words(header: Header, signs: Signs) -> list[Span]:
    diff = header.subject.diff
    minus = "-" if signs == ASCII_SIGNS else "−"
    spans: list[Span] = []
    if header.subject.proposed:
        spans.append(("  proposed", Look(role="warn", bold=True)))
    if diff.created:
        spans.append(("  new file", MUTED))
    if diff.deleted:
        spans.append(("  deleted", Look(role="removed")))
    if diff.added or diff.removed:
        spans += [(f"  +{diff.added:,}", Look(role="added")), (f" {minus}{diff.removed:,}", Look(role="removed"))]
    return spans


def _counts(header: Header, width: int, signs: Signs) -> list[Span]:
    """Where one is, as far as there is room; before that, why side by side is not to be seen."""
    if header.too_narrow:
        return [(elide(f"side by side needs {WIDE} columns", max(8, width - 24), signs.more), MUTED)]
    hunks = len(header.subject.diff.hunks)
    words = f"hunk {header.hunk + 1}/{hunks}  " if hunks else ""
    newer: list[Span] = [("newer  ", Look(role="accent"))] if header.behind else []
    return [*newer, *_answers(header.tally, signs), (f"{words}file {header.file}/{header.files}", MUTED)]


def _answers(tally: Tally, signs: Signs) -> list[Span]:
    """The answers so far, each by its sign and how often."""
    spans: list[Span] = []
    for count, answer in zip(tally[:3], (Answer(True), Answer(False), Answer(True, text="")), strict=True):
        sign = answer_sign(answer, signs)
        if count and sign is not None:
            spans.append((f"{sign[0]}{count} ", sign[1]))
    return [*spans, (" ", MUTED)] if spans else []

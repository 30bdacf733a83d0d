"""The diff pane: what this session changed, file by file and hunk by hunk, and what it would like to change.

One file is shown at a time, its header always on the first row. The pane shows the newest change until a
person goes elsewhere; a question that waits for an answer with a diff in it comes to the front, as
*proposed*.
"""

from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from textual.binding import BindingType
from textual.geometry import Offset, Region
from textual.strip import Strip

from ....tools.events import ApprovalRequested
from ....tools.safe_text import safe_line
from ...engine.state import FileDiff, SessionState
from ..actions import bindings
from ..diffing import TextDiff, diff_texts, parse_unified
from ..transcript.base import LinePane
from ..transcript.palette import ASCII_SIGNS, UNICODE_SIGNS, Look, Signs
from ..transcript.rows import MUTED, Span, elide
from .diff_sheet import Sheet, Subject

WIDE = 100
"""Columns (with the scrollbar) from which two texts fit side by side."""
EMPTY = "No changes yet. What the model edits shows up here, hunk by hunk."


class _Key(NamedTuple):
    """Which change: of a file, or proposed by a question."""

    path: str
    approval_id: str = ""


class _Change(NamedTuple):
    """A change that can be shown; a file's hunks are only looked for when it is."""

    key: _Key
    source: FileDiff | TextDiff


class DiffPane(LinePane):
    """Unified or side-by-side diffs of the session's files and of what waits for approval."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("diff")]

    def __init__(
        self,
        *,
        signs: Signs = UNICODE_SIGNS,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(signs=signs, name=name, id=id, classes=classes)
        self.following = False
        self.side_by_side = False
        """What the person asked for; a narrow pane stays unified."""
        self._files: tuple[FileDiff, ...] = ()
        self._approvals: tuple[ApprovalRequested, ...] = ()
        self._changes: list[_Change] = []
        self._key: _Key | None = None
        self._pinned = False
        """True while a person looks at a change of their own choice."""
        self._hunk = 0
        self._subject = Subject(path="", diff=TextDiff(), words=EMPTY)
        self._sheet: Sheet | None = None
        self._strips: dict[int, Strip] = {}

    # ---- the state

    def sync(self, state: SessionState) -> None:
        """Show what changed; nothing happens unless files or questions did."""
        if state.files is self._files and state.approvals is self._approvals:
            return
        before = {change.key: change for change in self._changes}
        known = {change.key.approval_id for change in self._changes}
        self._files, self._approvals = state.files, state.approvals
        proposed = [change for approval in state.approvals for change in _proposed(approval)]
        # The oldest question is answered first, so it is the nearest; a question never changes.
        self._changes = [_Change(_Key(file.path), file) for file in state.files]
        self._changes += [before.get(change.key, change) for change in reversed(proposed)]
        now = {change.key: change.source for change in self._changes}
        self._pinned &= self._key in now and all(change.key.approval_id in known for change in proposed)
        key = self._key if self._pinned else next(reversed(now), None)
        if key is None or key != self._key or now[key] is not before[key].source:
            self._show(key, keep=self._pinned)
        else:
            self._refresh_header()

    def _show(self, key: _Key | None, *, hunk: int | None = None, keep: bool = False) -> None:
        """Show a change from one of its hunks: the given one, or the first that was not there before."""
        old, same = self._subject, key == self._key
        top = self.scroll_offset.y if same and keep else 0
        self._key = key
        self._pinned &= key is not None
        source = next((change.source for change in self._changes if change.key == key), None)
        self._subject = _subject(key, source)
        hunks = self._subject.diff.hunks
        if keep and same:
            hunk = self._hunk
        elif hunk is None:
            seen = {each.lines for each in old.diff.hunks} if same else set[object]()
            hunk = next((place for place, each in enumerate(hunks) if each.lines not in seen), 0)
        self._hunk = max(0, min(hunk % len(hunks) if hunks and hunk < 0 else hunk, len(hunks) - 1))
        self._lay_out(top, to_hunk=not (keep and same))

    # ---- what a person does

    def next_hunk(self) -> None:
        """Go to the next hunk; after the last one to the next file."""
        if self._hunk + 1 < len(self._subject.diff.hunks):
            self._go_to_hunk(self._hunk + 1)
        else:
            self._go_to_file(1, hunk=0)

    def previous_hunk(self) -> None:
        """Go to the hunk before; before the first one to the last of the file before."""
        if self._hunk > 0:
            self._go_to_hunk(self._hunk - 1)
        else:
            self._go_to_file(-1, hunk=-1)

    def next_file(self) -> None:
        """Go to the file that was changed after this one."""
        self._go_to_file(1, hunk=0)

    def previous_file(self) -> None:
        """Go to the file that was changed before this one."""
        self._go_to_file(-1, hunk=0)

    def toggle_layout(self) -> None:
        """Unified or side by side (in a pane that is wide enough)."""
        self.side_by_side = not self.side_by_side
        self._lay_out(0, to_hunk=True)

    def follow_newest(self) -> None:
        """Show the newest change, now and from now on."""
        self._pinned = False
        if self._changes:
            self._show(self._changes[-1].key)

    action_next = next_hunk
    action_previous = previous_hunk
    action_next_file = next_file
    action_previous_file = previous_file
    action_toggle_layout = toggle_layout
    action_follow = follow_newest
    jump_to_end = follow_newest

    def action_page_down(self) -> None:
        """A page less the row under the header."""
        self.scroll_relative(y=self._page, animate=False)

    def action_page_up(self) -> None:
        """A page less the row under the header."""
        self.scroll_relative(y=-self._page, animate=False)

    @property
    def _page(self) -> int:
        return max(1, self.scrollable_content_region.height - 1)

    def _place(self) -> int:
        return next((place for place, change in enumerate(self._changes) if change.key == self._key), 0)

    def _go_to_file(self, step: int, *, hunk: int) -> None:
        place = self._place() + step
        if 0 <= place < len(self._changes):
            self._pinned = True
            self._show(self._changes[place].key, hunk=hunk)

    def _go_to_hunk(self, hunk: int) -> None:
        self._pinned = True
        self._hunk = hunk
        self._scroll_keeping_hunk(self._hunk_row())
        self._strips.clear()
        self.refresh()

    # ---- rows: the header, then the sheet

    def rewrap(self, width: int, top: int) -> tuple[int, int]:
        """Lay the file out anew; the hunk that was in view stays there."""
        del top
        self._sheet = self._new_sheet(width)
        self._strips.clear()
        return 1 + len(self._sheet.rows), self._hunk_row()

    def _new_sheet(self, width: int) -> Sheet:
        wide = self.side_by_side and self._fits(width) and bool(self._subject.diff.hunks)
        return Sheet(self._subject, width, wide=wide, signs=self.signs)

    @staticmethod
    def _fits(width: int) -> bool:
        return width + 1 >= WIDE

    def _lay_out(self, top: int, *, to_hunk: bool) -> None:
        if not self.content_width:
            return
        self._sheet = self._new_sheet(self.content_width)
        self._strips.clear()
        self.rows_changed(1 + len(self._sheet.rows), news=False)
        self._scroll_keeping_hunk(self._hunk_row() if to_hunk else top)
        self.refresh()

    def _hunk_row(self) -> int:
        """Where to scroll for the current hunk: under the header, with the row before it."""
        firsts = self._sheet.firsts if self._sheet is not None else []
        return max(0, firsts[self._hunk] - 1) if 0 < self._hunk < len(firsts) else 0

    def _scroll_keeping_hunk(self, row: int) -> None:
        """Scroll without another hunk becoming the current one: the last may be too near the end to be on top."""
        hunk = self._hunk
        self.scroll_to(y=row)
        self._hunk = hunk

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling chooses the hunk that is read; the end of a diff is no tail to follow."""
        super().watch_scroll_y(old_value, new_value)
        if self._own_scroll:
            return
        self.following = False
        firsts = self._sheet.firsts if self._sheet is not None else []
        top = round(new_value) + 1
        hunk = max((place for place, first in enumerate(firsts) if first <= top), default=0)
        if firsts and round(old_value) != round(new_value) and hunk != self._hunk:
            self._hunk = hunk
            self._strips.clear()

    def palette_changed(self) -> None:
        """Strips were made with the old colours."""
        self._strips.clear()

    def line_at(self, row: int) -> Strip:
        """The header or a row of the sheet."""
        strip = self._strips.get(row)
        if strip is None:
            strip = self._header() if row == 0 or self._sheet is None else self._row(self._sheet, row - 1)
            self._strips[row] = strip
        return strip

    def _row(self, sheet: Sheet, row: int) -> Strip:
        several = len(sheet.firsts) > 1
        return sheet.paint(row, self.palette, self._hunk if several else -1)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The visible rows, with the header on the first one however far one scrolled."""
        strips = super().render_lines(crop)
        if strips and crop.y == 0 and self.scroll_offset.y and self._changes:
            first, last = crop.column_span
            header = self.line_at(0).apply_style(self.palette.base)
            strips[0] = header.adjust_cell_length(self.outer_size.width, self.palette.base).crop(first, last)
        return strips

    def source_between(self, start: Offset | None, end: Offset | None) -> str:
        """Copied lines come without numbers and signs, and unwrapped."""
        sheet = self._sheet
        if sheet is None or (self.side_by_side and self._fits(self.content_width)):
            return super().source_between(start, end)
        first, last = start or Offset(0, 0), end or Offset(1 << 30, self.row_count - 1)
        copied = ""
        for row in range(max(1, first.y), min(last.y + 1, self.row_count)):
            text, joined = sheet.text(row - 1)
            stop = max(0, last.x - sheet.gutter) if row == last.y else len(text)
            begin = max(0, first.x - sheet.gutter) if row == first.y else 0
            copied += ("" if joined or not copied else "\n") + text[begin:stop]
        return copied

    # ---- the header

    def _refresh_header(self) -> None:
        self._strips.pop(0, None)
        self.refresh(Region(0, 0, self.outer_size.width, 1))

    def _header(self) -> Strip:
        if not self._changes:
            return Strip([])
        left = self._header_words()
        right = self._header_counts()
        taken = sum(cell_len(text) for text, _ in (*left, *right)) + 3
        path = _end_of(safe_line(self._subject.path), max(8, self.content_width - taken), self.signs.more)
        gap = max(2, self.content_width - taken - cell_len(path) + 2)
        spans: list[Span] = [
            (f" {path}", Look(role="accent", bold=True)),
            *left,
            (" " * gap, Look()),
            *right,
        ]
        return Strip([Segment(text, self.palette.style(look)) for text, look in spans])

    def _header_words(self) -> list[Span]:
        diff = self._subject.diff
        minus = "-" if self.signs == ASCII_SIGNS else "−"
        spans: list[Span] = []
        if self._subject.proposed:
            spans.append(("  proposed", Look(role="warn", bold=True)))
        if diff.created:
            spans.append(("  new file", MUTED))
        if diff.added or diff.removed:
            spans += [(f"  +{diff.added:,}", Look(role="added")), (f" {minus}{diff.removed:,}", Look(role="removed"))]
        return spans

    def _header_counts(self) -> list[Span]:
        """Where one is, as far as there is room; before that, why side by side is not to be seen."""
        if self.side_by_side and not self._fits(self.content_width):
            return [
                (elide(f"side by side needs {WIDE} columns", max(8, self.content_width - 24), self.signs.more), MUTED)
            ]
        hunks = len(self._subject.diff.hunks)
        words = f"hunk {self._hunk + 1}/{hunks}  " if hunks else ""
        newest = self._changes[-1].key
        newer: list[Span] = [("newer  ", Look(role="accent"))] if self._key != newest else []
        return [*newer, (f"{words}file {self._place() + 1}/{len(self._changes)}", MUTED)]


def _proposed(approval: ApprovalRequested) -> list[_Change]:
    """The files of a question's diff; none when its preview is no diff (a command)."""
    return [_Change(_Key(diff.path, approval.approval_id), diff) for diff in parse_unified(approval.preview)]


def _subject(key: _Key | None, source: FileDiff | TextDiff | None) -> Subject:
    if key is None or source is None:
        return Subject(path="", diff=TextDiff(), words=EMPTY)
    if isinstance(source, TextDiff):
        return Subject(path=key.path or "?", diff=source, proposed=True)
    if source.after is None or (source.before is None and not source.created):
        return Subject(
            path=key.path, diff=TextDiff(), words="Changed. It is binary or too large to be shown as a diff."
        )
    before = source.before or ""
    diff = diff_texts(before, source.after)
    diff = TextDiff(hunks=diff.hunks, added=diff.added, removed=diff.removed, path=key.path, created=source.created)
    if diff.hunks:
        words = _line_ends(before, source.after)
    else:
        words = "The file is empty." if source.created else "Nothing differs any more from before this session."
    return Subject(path=key.path, diff=diff, before=before, after=source.after, words=words)


def _line_ends(before: str, after: str) -> str:
    """Words for a difference that cannot be seen."""
    old, new = ("CRLF" if "\r\n" in text else "LF" for text in (before, after))
    return f"Line ends changed from {old} to {new}." if old != new and before and after else ""


def _end_of(path: str, room: int, more: str) -> str:
    """A path on at most ``room`` cells; its end says more than its beginning."""
    if cell_len(path) <= room:
        return path
    while path and cell_len(path) > room - cell_len(more):
        path = path[1:]
    return more + path

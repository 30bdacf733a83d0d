"""The diff pane: what this session changed, file by file and hunk by hunk, and what it would like to change.

One file is shown at a time, its header always on the first row. The pane shows the newest change until a
person goes elsewhere; a question that waits for an answer with a diff in it comes to the front, as
*proposed*.
"""

from dataclasses import replace
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual.binding import BindingType
from textual.geometry import Offset, Region
from textual.message import Message
from textual.strip import Strip

from ....tools.events import ApprovalRequested
from ...engine.review_events import HunkReviewed
from ...engine.state import FileDiff, SessionState
from ..actions import bindings
from ..diffing import Hunk, TextDiff
from ..transcript.base import LinePane
from ..transcript.palette import UNICODE_SIGNS, Signs
from .diff_changes import EMPTY, Change, Key, proposed_changes, subject_of
from .diff_header import WIDE, Header, header_spans
from .diff_sheet import Sheet, Subject
from .hunks import Answer, Answers, Tally, verdicts


class Standing(NamedTuple):
    """The hunk a person looks at, and the change it is part of."""

    key: Key
    source: FileDiff | TextDiff
    diff: TextDiff
    """Its hunks, as they were proposed or as they happened."""
    hunk: int
    answer: Answer

    @property
    def lines(self) -> Hunk:
        """The hunk itself."""
        return self.diff.hunks[self.hunk]


class DiffPane(LinePane):
    """Unified or side-by-side diffs of the session's files and of what waits for approval."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("diff")]

    class Moved(Message):
        """Another hunk is looked at, or something else was said of it."""

    def __init__(
        self,
        *,
        answers: Answers | None = None,
        signs: Signs = UNICODE_SIGNS,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(signs=signs, name=name, id=id, classes=classes)
        self.following = False
        self.side_by_side = False
        """What the person asked for; a narrow pane stays unified."""
        self._answers = answers or Answers()
        self._reviews: tuple[HunkReviewed, ...] = ()
        self._files: tuple[FileDiff, ...] = ()
        self._approvals: tuple[ApprovalRequested, ...] = ()
        self._changes: list[Change] = []
        self._key: Key | None = None
        self._pinned = False
        """True while a person looks at a change of their own choice."""
        self._hunk = 0
        self._subject = Subject(path="", diff=TextDiff(), words=EMPTY)
        self._sheet: Sheet | None = None
        self._strips: dict[int, Strip] = {}

    # ---- the state

    def sync(self, state: SessionState) -> None:
        """Show what changed; nothing happens unless files or questions did."""
        if state.reviews is not self._reviews:
            self._reviews = state.reviews
            if state.files is self._files:
                self.answers_changed()
        if state.files is self._files and state.approvals is self._approvals:
            return
        before = {change.key: change for change in self._changes}
        known = {change.key.approval_id for change in self._changes}
        self._files, self._approvals = state.files, state.approvals
        proposed = [change for approval in state.approvals for change in proposed_changes(approval)]
        # The oldest question is answered first, so it is the nearest; a question never changes.
        self._changes = [Change(Key(file.path), file) for file in state.files]
        for approval in reversed(state.approvals):
            mine = [change for change in proposed if change.key.approval_id == approval.approval_id]
            self._changes += [before.get(change.key, change) for change in mine]
        self._answers.keep({approval.approval_id for approval in state.approvals})
        now = {change.key: change.source for change in self._changes}
        self._pinned &= self._key in now and all(change.key.approval_id in known for change in proposed)
        key = self._key if self._pinned else self._front()
        if key is None or key != self._key or now[key] is not before[key].source:
            self._show(key, keep=self._pinned)
        else:
            self._refresh_header()

    def _show(self, key: Key | None, *, hunk: int | None = None, keep: bool = False) -> None:
        """Show a change from one of its hunks: the given one, or the first that was not there before."""
        old, same = self._subject, key == self._key
        top = self.scroll_offset.y if same and keep else 0
        self._key = key
        self._pinned &= key is not None
        source = next((change.source for change in self._changes if change.key == key), None)
        self._subject = self._answered(subject_of(key, source))
        hunks = self._subject.diff.hunks
        if keep and same:
            hunk = self._hunk
        elif hunk is None:
            seen = {each.lines for each in old.diff.hunks} if same else set[object]()
            hunk = next((place for place, each in enumerate(hunks) if each.lines not in seen), 0)
        self._hunk = max(0, min(hunk % len(hunks) if hunks and hunk < 0 else hunk, len(hunks) - 1))
        self._lay_out(top, to_hunk=not (keep and same))

    def _front(self) -> Key | None:
        """What comes first: the first file of the oldest question, else the newest change."""
        if not self._changes:
            return None
        newest = self._changes[-1].key
        asked = [each.key for each in self._changes if newest.approval_id == each.key.approval_id != ""]
        return asked[0] if asked else newest

    # ---- answers to hunks

    @property
    def standing(self) -> Standing | None:
        """The hunk that is looked at; None when nothing shown can be answered."""
        source = next((change.source for change in self._changes if change.key == self._key), None)
        if self._key is None or source is None or not self._subject.diff.hunks:
            return None
        diff = source if isinstance(source, TextDiff) else self._subject.diff
        return Standing(self._key, source, diff, self._hunk, self._subject.answers[self._hunk])

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What was said of each hunk that is shown."""
        return self._subject.answers

    def diffs_of(self, approval_id: str) -> list[TextDiff]:
        """The files a question wants to change, in order."""
        sources = (change.source for change in self._changes if change.key.approval_id == approval_id)
        return [source for source in sources if isinstance(source, TextDiff)]

    def answers_changed(self) -> None:
        """Mark the hunks anew; the view stays where it is."""
        source = next((change.source for change in self._changes if change.key == self._key), None)
        diff = source if isinstance(source, TextDiff) else self._subject.diff
        self._subject = self._answered(replace(self._subject, diff=diff))
        self._lay_out(self.scroll_offset.y, to_hunk=False)

    def show_hunk(self, key: Key, hunk: int) -> None:
        """Go to a hunk of a change that can be shown."""
        if key == self._key:
            self._go_to_hunk(hunk)
        elif any(change.key == key for change in self._changes):
            self._pinned = True
            self._show(key, hunk=hunk)

    def _answered(self, subject: Subject) -> Subject:
        """The subject with what was said of its hunks."""
        diff, key = subject.diff, self._key
        if key is None or not diff.hunks:
            return subject
        if not key.approval_id:
            return replace(subject, answers=tuple(verdicts(key.path, diff, self._reviews)))
        answers = tuple(self._answers.of(key.approval_id, key.path, number) for number in range(len(diff.hunks)))
        return replace(subject, diff=self._answers.shown(key.approval_id, diff), answers=answers)

    def _tally(self) -> Tally:
        if self._key is not None and self._key.approval_id:
            return self._answers.tally(self._key.approval_id, self.diffs_of(self._key.approval_id))
        accepted = sum(answer.accepted is True for answer in self._subject.answers)
        return Tally(accepted=accepted)

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
            self._show(self._front())

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
        self.post_message(self.Moved())

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
        self.post_message(self.Moved())

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
        if round(old_value) > self.max_scroll_y:
            return  # the pane grew or the diff shrank: nobody scrolled
        firsts = self._sheet.firsts if self._sheet is not None else []
        top = round(new_value) + 1
        hunk = max((place for place, first in enumerate(firsts) if first <= top), default=0)
        if firsts and round(old_value) != round(new_value) and hunk != self._hunk:
            self._hunk = hunk
            self._strips.clear()
            self.post_message(self.Moved())

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
        asked = self._key.approval_id if self._key is not None else ""
        group = [change.key for change in self._changes if change.key.approval_id == asked]
        front = self._front()
        header = Header(
            subject=self._subject,
            hunk=self._hunk,
            file=next((place for place, key in enumerate(group, 1) if key == self._key), 1),
            files=len(group),
            tally=self._tally(),
            behind=front is not None and (asked != front.approval_id or (not asked and self._key != front)),
            too_narrow=self.side_by_side and not self._fits(self.content_width),
        )
        spans = header_spans(header, self.content_width, self.signs)
        return Strip([Segment(text, self.palette.style(look)) for text, look in spans])

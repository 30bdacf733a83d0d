"""The chat pane: the conversation as cells, brought up to date from the session state.

``sync`` compares the state with what is shown, by identity, and changes only what differs: with every flush
of a stream that is the tail of one cell. The pane holds nothing that is not in the state (but what is folded
and selected), so it can be made again from it at any moment.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import ClassVar

from textual.binding import BindingType
from textual.message import Message

from ...engine.state import CompactionEntry, Entry, SessionState, ToolRun
from ..actions import bindings
from ..transcript.cells import Cell, LinesCell, ThoughtCell
from ..transcript.earlier import SHOWN_AT_FIRST, EarlierCell
from ..transcript.entries import AnswerView, EntryView, Surroundings, entry_key, view_entry
from ..transcript.palette import UNICODE_SIGNS, Signs
from ..transcript.pane import CellPane
from ..transcript.rows import MUTED, plain_line


class ChatPane(CellPane):
    """The conversation. Its keys are the action table's; hints that name keys are given as text."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("chat")]

    class DroppedWanted(Message):
        """The person wants to see what a compaction dropped."""

        def __init__(self, entry: CompactionEntry) -> None:
            super().__init__()
            self.entry = entry

    def __init__(
        self,
        *,
        signs: Signs = UNICODE_SIGNS,
        jump_hint: str = "more below",
        retry_hint: str = "",
        welcome: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """``retry_hint`` stands under a failed last answer, ``welcome`` in an empty conversation."""
        super().__init__(signs=signs, jump_hint=jump_hint, id=id, classes=classes)
        self._around = Surroundings(signs=signs, retry_hint=retry_hint)
        self._welcome = welcome
        self._clock = clock
        self._views: list[EntryView] = []
        """What is shown of the entries, the first ``_skipped`` left out."""
        self._starts: list[int] = []
        self._skipped = 0
        """Entries at the start of a long session for which one cell stands until somebody scrolls there."""
        self._transcript: tuple[Entry, ...] = ()
        self._runs: tuple[ToolRun, ...] = ()
        self._active: tuple[ToolRun, ...] = ()
        self._ended_runs: dict[str, ToolRun] = {}
        self._live: list[EntryView] = []
        self._session = ""
        self._answering = False

    def sync(self, state: SessionState) -> None:
        """Show this state. Cheap when little changed; call it too, a few times a second, while a turn runs."""
        if state.session_id != self._session:
            self._session = state.session_id
            self._forget()
            self._transcript = ()
        self._around.now = self._clock()
        self._take_runs(state)
        same = _common(self._transcript, state.transcript) if self._transcript is not state.transcript else None
        first = len(state.transcript) if same is None else same
        self._transcript = state.transcript
        if first < self._skipped:
            self._forget()
        if not self._views:
            first = self._begin_at_end()
        tail: list[tuple[Entry, bool]] = [(entry, False) for entry in state.transcript[first:]]
        self._answering = state.answer is not None
        if state.answer is not None:
            tail.append((state.answer, False))
        tail += [(entry, True) for entry in state.queued]
        self._show(first, tail)
        self._refresh_live()
        if self._around.touched:
            touched, self._around.touched = self._around.touched, []
            self.cells_changed(cell for cell in touched if cell in self.column)

    @property
    def selected_entry(self) -> Entry | None:
        """What the selected cell belongs to."""
        if self.selected is None:
            return None
        at = bisect_right(self._starts, self.selected.index) - 1
        return self._views[at].entry if at >= 0 else None

    def toggle_thinking(self) -> None:
        """Fold or unfold all thoughts, and those to come."""
        folded = self._around.thoughts_folded = not self._around.thoughts_folded
        thoughts = [cell for cell in self.column.cells if isinstance(cell, ThoughtCell) and cell.folded is not folded]
        for cell in thoughts:
            cell.folded = folded
        self.cells_changed(thoughts)

    def select_previous_cell(self) -> None:
        """Select the cell above; the last one when none is selected."""
        if self._skipped and self.selected is not None and self.selected.index <= 2:
            self._show_earlier(self._skipped - SHOWN_AT_FIRST)
        super().select_previous_cell()

    action_next = CellPane.select_next_cell
    action_previous = select_previous_cell

    def action_unfold(self) -> None:
        """Unfold or fold what is selected; of a compaction, show what it dropped."""
        entry = self.selected_entry
        if isinstance(entry, CompactionEntry):
            self.post_message(self.DroppedWanted(entry))
        else:
            self.toggle_selected()

    # ---- the start of a long session

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Make cells of the earlier part a screen before it comes into view; what is read stays where it is."""
        super().watch_scroll_y(old_value, new_value)
        if not self._skipped or not self.content_width or self.following:
            return
        row, end = round(new_value), self.column.top(1)
        if row < end + 2 * self.scrollable_content_region.height:
            wanted = self._skipped * row // max(1, end)
            self._show_earlier(min(wanted - SHOWN_AT_FIRST // 2, self._skipped - SHOWN_AT_FIRST))
            if row == 0:
                self._scroll_itself(0)
            self._settle(0, None, self._anchor(), news=False)

    def _forget(self) -> None:
        """What is shown is no part of the conversation any more."""
        if self._views:
            self._views, self._starts, self._live, self._skipped = [], [], [], 0
            self.replace_cells(0, ())

    def _begin_at_end(self) -> int:
        """Nothing is shown yet: of a long session only the end is made into cells. Returns the first entry of it."""
        skipped = len(self._transcript) - SHOWN_AT_FIRST
        self._skipped = skipped if skipped > SHOWN_AT_FIRST else 0
        return self._skipped

    def _earlier(self) -> EarlierCell:
        entries = self._transcript[: self._skipped]

        def source() -> str:
            views = self._made(0, [(entry, False) for entry in entries])
            return "\n\n".join(cell.source() for view in views for cell in view.cells)

        return EarlierCell(entries, self._around.signs, source)

    def _show_earlier(self, first: int) -> None:
        """Make cells of the entries from ``first`` on that have none yet."""
        first = max(0, first)
        made = self._made(first, [(entry, False) for entry in self._transcript[first : self._skipped]])
        self._skipped = first
        cells: list[Cell] = [self._earlier()] if first else []
        starts: list[int] = []
        for view in made:
            starts.append(len(cells))
            cells += view.cells
        added = len(cells) - 1
        self._live += [view for view in made if isinstance(view, AnswerView) and view.live]
        self._views[:0] = made
        self._starts = [*starts, *(start + added for start in self._starts)]
        self.replace_first_cells(1, cells)

    # ---- from state to cells

    def _take_runs(self, state: SessionState) -> None:
        if state.runs is self._runs and state.active_runs is self._active:
            return
        if state.runs is not self._runs:
            known = _common(self._runs, state.runs)
            self._ended_runs |= {run.run_id: run for run in state.runs[known:]}
        self._runs, self._active = state.runs, state.active_runs
        self._around.runs = self._ended_runs | {run.run_id: run for run in state.active_runs}

    def _show(self, first: int, tail: Sequence[tuple[Entry, bool]]) -> None:
        """Make the views from ``first`` on show the entries of ``tail``."""
        for index, pair in enumerate(tail, first):
            entry, queued = pair
            key = entry_key(entry, index, queued=queued)
            place = index - self._skipped
            if place < len(self._views) and self._views[place].key == key:
                view = self._views[place]
                if view.entry is not entry and (added := view.update(entry)):
                    self._drop_views(index + 1)
                    self._put(view, added)
                continue
            self._drop_views(index)
            self._add_views(index, tail[index - first :])
            break
        self._drop_views(first + len(tail))
        self._show_welcome()

    def _add_views(self, index: int, entries: Sequence[tuple[Entry, bool]]) -> None:
        start = self._cell_count()
        cells: list[Cell] = [self._earlier()] if self._skipped and not self._views else []
        for view in self._made(index, entries):
            self._views.append(view)
            self._starts.append(start + len(cells))
            cells += view.cells
            if view.live:
                self._live.append(view)
        self.replace_cells(start, cells)

    def _made(self, index: int, entries: Sequence[tuple[Entry, bool]]) -> list[EntryView]:
        """Views of entries, the first of which is number ``index`` of the conversation."""
        place = index - self._skipped
        before = self._views[place - 1].entry if place > 0 else self._transcript[index - 1] if index else None
        made: list[EntryView] = []
        for at, (entry, queued) in enumerate(entries, index):
            made.append(view_entry(entry_key(entry, at, queued=queued), entry, before, self._around))
            before = entry
        return made

    def _put(self, view: EntryView, added: Sequence[Cell]) -> None:
        """New cells of the last view."""
        self.replace_cells(self._starts[-1] + len(view.cells) - len(added), added)
        if isinstance(view, AnswerView) and view.live and view not in self._live:
            self._live.append(view)

    def _drop_views(self, index: int) -> None:
        """Keep only what is shown of the first ``index`` entries."""
        count = max(0, index - self._skipped)
        if count >= len(self._views):
            return
        keep = self._starts[count]
        self._live = [view for view in self._live if view not in self._views[count:]]
        del self._views[count:]
        del self._starts[count:]
        self.replace_cells(keep, ())

    def _cell_count(self) -> int:
        return self._starts[-1] + len(self._views[-1].cells) if self._views else 0

    def _refresh_live(self) -> None:
        for view in self._live:
            view.refresh()
        self._live = [view for view in self._live if view.live]
        last = len(self._transcript) - 1 - self._skipped
        for index in range(max(0, last - 1), len(self._views)):
            view = self._views[index]
            if isinstance(view, AnswerView):
                view.set_retry_hint(shown=index == last and not self._answering)

    def _show_welcome(self) -> None:
        """An empty conversation says what to do next."""
        if self._views or not self._welcome or self.column.cells:
            return
        self.replace_cells(0, [LinesCell([plain_line(line, MUTED) for line in self._welcome])])


def _common(before: Sequence[object], after: Sequence[object]) -> int:
    """How many leading items are the same objects."""
    pairs = zip_longest(before, after)
    return next((index for index, (one, other) in enumerate(pairs) if one is not other), len(after))

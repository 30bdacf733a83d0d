"""The tool log: every run of a tool and every notice of the session, in order, live.

The log grows at its end only. A sync looks at what is new in the state and at the runs that are active, so
it costs the same in a session of ten runs and of thousands.
"""

import time
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import ClassVar

from rich.segment import Segment
from textual.binding import BindingType
from textual.strip import Strip

from ...engine.state import Entry, NoticeEntry, SessionState, ToolRun
from ..actions import bindings
from ..transcript.base import LinePane
from ..transcript.palette import UNICODE_SIGNS, Signs
from ..transcript.rows import MUTED, plain_line, wrap
from .tool_cells import EarlierCell, NoticeCell, RunCell

SHOWN_AT_FIRST = 300
"""Runs and notices of a long session that are laid out when it is opened, and each time a person comes to their top."""
EMPTY = "No tool has run yet. What the model reads, runs and edits shows up here, with its output."


class ToolLogPane(LinePane):
    """Runs and notices as lines; a run unfolds to its whole output."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("tools")]

    def __init__(
        self,
        *,
        signs: Signs = UNICODE_SIGNS,
        clock: Callable[[], float] = time.time,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(signs=signs, name=name, id=id, classes=classes)
        self._clock = clock
        """Epoch seconds, for the time of what still runs."""
        self._cells: list[RunCell | NoticeCell | EarlierCell] = []
        self._earlier: list[ToolRun | NoticeEntry] = []
        """What comes before the first cell, which stands for it."""
        self._starts = [0]
        """The first row of each cell, and the row after the last."""
        self._strips: dict[int, dict[int, Strip]] = {}
        """Painted rows of each cell that was in view."""
        self._live: dict[str, int] = {}
        """Cells of runs that are not finished."""
        self._session = ""
        self._runs: tuple[ToolRun, ...] = ()
        self._entries: tuple[Entry, ...] = ()
        self._selected: int | None = None

    # ---- the state

    def sync(self, state: SessionState) -> None:
        """Append what is new and bring what runs up to date."""
        if not self._continues(state):
            self._forget()
        now = self._clock()
        finished = state.runs[len(self._runs) :]
        entries = state.transcript[len(self._entries) :]
        self._session, self._runs, self._entries = state.session_id, state.runs, state.transcript
        dirty: set[int] = set()
        fresh: list[tuple[float, ToolRun | NoticeEntry]] = []
        for run in (*finished, *state.active_runs):
            place = self._live.get(run.run_id)
            if place is None:
                fresh.append((run.started_at, run))
            elif self._update(place, run, now):
                dirty.add(place)
            if run.outcome is not None:
                self._live.pop(run.run_id, None)
        fresh += [(entry.at, entry) for entry in entries if isinstance(entry, NoticeEntry)]
        first = len(self._cells)
        for source in self._put_off([source for _, source in sorted(fresh, key=lambda item: item[0])]):
            self._append(source, now)
        if dirty or fresh:
            self._changed(min(dirty, default=first), max(dirty, default=first))

    def _continues(self, state: SessionState) -> bool:
        """True when the state has only grown since the last one."""
        return (
            state.session_id == self._session
            and _begins_with(state.runs, self._runs)
            and _begins_with(state.transcript, self._entries)
        )

    def _put_off(self, fresh: list[ToolRun | NoticeEntry]) -> list[ToolRun | NoticeEntry]:
        """Of a long session that is opened only the end."""
        if self._cells or len(fresh) <= 2 * SHOWN_AT_FIRST:
            return fresh
        self._earlier = fresh[:-SHOWN_AT_FIRST]
        self._cells.append(EarlierCell(len(self._earlier), self.signs))
        return fresh[-SHOWN_AT_FIRST:]

    def _show_earlier(self) -> None:
        """Lay out some of what was put off, above what is shown; that stays where it is in the view."""
        shown, self._earlier = self._earlier[-SHOWN_AT_FIRST:], self._earlier[:-SHOWN_AT_FIRST]
        cells, live, before = self._cells[1:], self._live, self._starts[-1]
        self._cells = [EarlierCell(len(self._earlier), self.signs)] if self._earlier else []
        self._live = {}
        now = self._clock()
        for source in shown:
            self._append(source, now)
        added = len(self._cells) - 1
        self._live |= {run_id: place + added for run_id, place in live.items()}
        self._selected = None if self._selected is None else self._selected + added
        self._cells += cells
        self._starts = [0, *accumulate(cell.height for cell in self._cells)]
        self._strips.clear()
        self.rows_changed(self._height(), shift=self._starts[-1] - before, news=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """At the top, what was put off comes into view."""
        super().watch_scroll_y(old_value, new_value)
        if self._earlier and self.content_width and round(new_value) == 0 and round(old_value) > 0:
            self._show_earlier()

    def _forget(self) -> None:
        self._cells, self._starts, self._strips, self._live, self._earlier = [], [0], {}, {}, []
        self._runs, self._entries, self._selected = (), (), None
        self.rows_changed(self._height())

    def _append(self, source: ToolRun | NoticeEntry, now: float) -> None:
        if isinstance(source, NoticeEntry):
            cell: RunCell | NoticeCell = NoticeCell(source, self.signs)
        else:
            cell = RunCell(source, self.signs, now)
            if source.outcome is None:
                self._live[source.run_id] = len(self._cells)
        if self.content_width:
            cell.lay_out(self.content_width)
        self._cells.append(cell)

    def _update(self, place: int, run: ToolRun, now: float) -> bool:
        cell = self._cells[place]
        return isinstance(cell, RunCell) and cell.update(run, now)

    def _changed(self, first: int, last: int, *, news: bool = True) -> None:
        """Cells ``first`` to ``last``, and those that are new, look different."""
        old = self._starts
        top = self.scroll_offset.y
        known = len(old) - 1
        heights = (cell.height for cell in self._cells[first:])
        self._starts = [*old[:first], *accumulate(heights, initial=old[min(first, known)])]
        for place in range(first, last + 1):
            self._strips.pop(place, None)
        above = min(bisect_right(old, top) - 1, known)
        shift = self._starts[above] - old[above] if first < above and not self.following else 0
        grown = self._starts[min(last + 1, known)] != old[min(last + 1, known)] or len(self._cells) > known
        end = None if grown else self._starts[last + 1]
        self.rows_changed(self._height(), self._starts[first], end, shift=shift, news=news)

    def _height(self) -> int:
        return self._starts[-1] if self._cells else len(self._empty_rows())

    # ---- what a person does

    def select_next_run(self) -> None:
        """Select the run below, the last one at first."""
        self._select(1)

    def select_previous_run(self) -> None:
        """Select the run above, the last one at first."""
        self._select(-1)

    def toggle_selected(self) -> None:
        """Unfold or fold the selected run; without one, the last."""
        place = self._runs_places()[-1:] if self._selected is None else [self._selected]
        for each in place:
            self._selected = each
            self._toggle(each)

    action_next = select_next_run
    action_previous = select_previous_run
    action_unfold = toggle_selected

    def row_clicked(self, row: int) -> None:
        """A click on a run selects it and unfolds or folds it."""
        place = self._cell_at(row)
        if place is not None and isinstance(self._cells[place], RunCell):
            self._move_selection(place)
            self._toggle(place)

    def _runs_places(self) -> list[int]:
        return [place for place, cell in enumerate(self._cells) if isinstance(cell, RunCell)]

    def _select(self, step: int) -> None:
        places = self._runs_places()
        if not places:
            return
        if self._selected is None:
            self._move_selection(places[-1])
        else:
            if step < 0 and self._earlier and self._selected == places[0]:
                self._show_earlier()
                places = self._runs_places()
            at = places.index(self._selected) + step
            self._move_selection(places[max(0, min(at, len(places) - 1))])

    def _move_selection(self, place: int) -> None:
        old, self._selected = self._selected, place
        for each in (place if old is None else old, place):
            self._strips.pop(each, None)
            row = self._starts[each]
            self.rows_changed(self._height(), row, row + 1)
        self.show_row(self._starts[place], self._starts[place + 1])

    def _toggle(self, place: int) -> None:
        cell = self._cells[place]
        if isinstance(cell, RunCell):
            # What is unfolded is read from its start: stay there instead of following the end.
            self.following = False
            cell.toggle()
            self._changed(place, place, news=False)
            self.show_row(self._starts[place], self._starts[place + 1])
            self.following = self.scroll_offset.y >= self.max_scroll_y and not cell.unfolded

    # ---- rows

    def _cell_at(self, row: int) -> int | None:
        return bisect_right(self._starts, row) - 1 if self._cells and row < self._starts[-1] else None

    def rewrap(self, width: int, top: int) -> tuple[int, int]:
        """Lay every cell out; the one that was on top stays there."""
        above = self._cell_at(top)
        for cell in self._cells:
            cell.lay_out(width)
        self._starts = [0, *accumulate(cell.height for cell in self._cells)]
        self._strips.clear()
        return self._height(), top if above is None else self._starts[above]

    def palette_changed(self) -> None:
        """Strips were made with the old colours."""
        self._strips.clear()

    def line_at(self, row: int) -> Strip:
        """A row of the cell that stands there."""
        place = self._cell_at(row)
        strips = self._strips.setdefault(-1 if place is None else place, {})
        within = row if place is None else row - self._starts[place]
        strip = strips.get(within)
        if strip is None:
            if place is None:
                strip = self._empty_rows()[row]
            else:
                strip = self._cells[place].paint(within, self.palette, selected=place == self._selected)
            strips[within] = strip
        return strip

    def _empty_rows(self) -> list[Strip]:
        indent = (" ", MUTED)
        rows = wrap(plain_line(EMPTY, MUTED), max(2, self.content_width - 1), first=(indent,))
        return [Strip([Segment(text, self.palette.style(look)) for text, look in row.spans]) for row in rows]


def _begins_with(now: tuple[object, ...], before: tuple[object, ...]) -> bool:
    """True when ``now`` is ``before`` with more at its end; only the last item is compared, by identity."""
    count = len(before)
    return len(now) >= count and (not count or now[count - 1] is before[-1])

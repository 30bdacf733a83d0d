"""A pane of lines: one scrolling widget that paints rows and knows nothing of what they mean.

The chat, the diff and the tool log are subclasses. A subclass says how many rows there are
(``rows_changed``) and gives one as a ``Strip`` when asked (``line_at``); everything else is here: painting
only changed rows, following the tail, selection, resize, the hint that more came below.

Costs, which every change must keep: a flush never causes a layout, an unchanged row is never painted
again unless the view scrolled, and a row once painted is cached whole, with its escape sequences.
Give the same ``Strip`` object for the same look: the cache goes by identity.
"""

from time import perf_counter
from typing import ClassVar, NamedTuple, Self, cast

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import App
from textual.cache import LRUCache
from textual.geometry import Offset, Region, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.theme import Theme
from textual.widget import Widget

from .palette import UNICODE_SIGNS, Look, Palette, Signs

PAINTED_ROWS = 1024
"""Rows kept painted: a few screens, so that paging back and forth costs nothing."""
IDLE_PAUSE = 0.03
"""Seconds between two slices of idle work: keys and deltas come first."""
IDLE_SLICE = 0.004
"""Seconds one slice of idle work may take."""


class _Painted(NamedTuple):
    """A finished row and what it was made from."""

    source: Strip
    span: tuple[int, int] | None
    final: Strip


class LinePane(ScrollView, can_focus=True):
    """One ScrollView of rows.

    Subclasses override ``line_at`` and, as needed, ``rewrap``, ``source_between``, ``idle_slice``,
    ``palette_changed`` and ``row_clicked``.
    """

    STEADY_ROWS: ClassVar[bool] = False
    """True when scrolling changes no row's look: then rows that stay in view are not asked for again."""

    DEFAULT_CSS = """
    LinePane {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        background: $background;
        color: $foreground;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
        scrollbar-color: $panel;
        scrollbar-color-hover: $accent;
        scrollbar-color-active: $accent;
        &:focus { scrollbar-color: $accent; }
    }
    """

    def __init__(
        self,
        *,
        signs: Signs = UNICODE_SIGNS,
        jump_hint: str = "more below",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.signs = signs
        self.palette = Palette.from_theme({})
        self.following = True
        """True while the view keeps to the end; scrolling up stops it, reaching the end re-arms it."""
        self._jump_hint = jump_hint
        self._unseen = False
        self._total = 0
        self._width: int = 0
        self._own_scroll = False
        self._idle_waits = False
        self._painted: LRUCache[int, _Painted] = LRUCache(PAINTED_ROWS)
        self._frame: list[Strip | None] = []
        self._thumb = (0, 0)

    # ---- what a subclass gives

    def line_at(self, row: int) -> Strip:
        """Row ``row`` at the current width, without background or padding. Cache it: same look, same object."""
        raise NotImplementedError

    def rewrap(self, width: int, top: int) -> tuple[int, int]:
        """The content is ``width`` cells wide from now on; ``top`` is the row now first in view.

        Returns the number of rows and the row that shall be first in view, so that the text a person
        reads stays where it was. Wrap only what is visible and leave the rest to ``idle_slice``.
        """
        del width
        return self._total, top

    def source_between(self, start: Offset | None, end: Offset | None) -> str:
        """What copying a selection gives. Offsets are (character, row); None is the very start or end."""
        first = start or Offset(0, 0)
        last = end or Offset(len(self.line_at(self._total - 1).text), self._total - 1) if self._total else first
        lines = [self.line_at(row).text for row in range(first.y, min(last.y + 1, self._total))]
        if lines and last.y < self._total:
            lines[-1] = lines[-1][: last.x]
        if lines:
            lines[0] = lines[0][first.x :]
        return "\n".join(line.rstrip() for line in lines)

    def idle_slice(self, deadline: float) -> bool:
        """Do waiting work until ``deadline`` (``perf_counter`` seconds). True when some is left."""
        del deadline
        return False

    def palette_changed(self) -> None:
        """``palette`` is another one now: drop strips made with the old one. The pane repaints by itself."""

    def row_clicked(self, row: int) -> None:
        """A person clicked on a row (without dragging a selection)."""

    # ---- what a subclass calls

    @property
    def row_count(self) -> int:
        """Rows there are now."""
        return self._total

    @property
    def content_width(self) -> int:
        """Cells a row may fill; 0 before the first layout."""
        return self._width

    def rows_changed(
        self, total: int, first: int = 0, last: int | None = None, *, shift: int = 0, news: bool = True
    ) -> None:
        """Rows ``first`` to ``last`` (exclusive; None is the end) look different now, and there are ``total``.

        ``shift`` rows were put (or, negative, taken) above the first visible row: the view moves with its text.
        ``news`` False says that growth is no new content (a better count of what was there).
        """
        before, self._total = self._total, total
        if not self._width:
            return
        if total != before:
            self._resize_virtual()
        top = self.scroll_offset.y
        target = self.max_scroll_y if self.following else min(max(top + shift, 0), self.max_scroll_y)
        last = max(total, before) if last is None else last
        if target == top + shift:
            self._scroll_itself(target, silent=True)
        else:
            self._scroll_itself(target)
            first, last = (0, total) if shift else (first, last)
        self._refresh_rows(first, last)
        if news and not self.following and total > before + shift and not self._unseen:
            self._unseen = True
            self.refresh(self._hint_region())

    def start_idle_work(self) -> None:
        """Ask for ``idle_slice`` to be called while nothing else is to do."""
        if not self._idle_waits and self.is_mounted:
            self._idle_waits = True
            self.set_timer(IDLE_PAUSE, self._run_idle_slice)

    def show_row(self, first: int, last: int) -> None:
        """Scroll just enough to see rows ``first`` to ``last`` (exclusive); ``first`` goes on top if not all fit."""
        height = self.scrollable_content_region.height
        top = self.scroll_offset.y
        if first < top or last - first > height:
            self.scroll_to(y=first, animate=False)
        elif last > top + height:
            self.scroll_to(y=last - height, animate=False)

    # ---- what the application calls

    def jump_to_end(self) -> None:
        """Follow the tail again."""
        self.following = True
        self._unseen = False
        self._scroll_itself(self.max_scroll_y)
        self.refresh()

    # ---- scrolling

    def scroll_to(  # pyright: ignore[reportIncompatibleMethodOverride]  # the parameters passed on are Textual's own
        self, x: float | None = None, y: float | None = None, *, animate: bool = False, **options: object
    ) -> None:
        """Scroll at once: an animated scroll paints the whole pane many times and hides where one was."""
        del animate, options
        self._scroll_to(x, y, animate=False)

    def action_scroll_end(self) -> None:
        """Go to the end, at once too."""
        self.scroll_to(y=self.max_scroll_y)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Move what is painted; a person's scrolling decides whether the tail is followed."""
        before, now = round(old_value), round(new_value)
        self._place_thumb()
        if before != now:
            self._shift_frame(now - before)
        if self._own_scroll:
            return
        self.following = now >= self.max_scroll_y
        if self.following and self._unseen:
            self._unseen = False
            self.refresh(self._hint_region())

    def _scroll_itself(self, row: int, *, silent: bool = False) -> None:
        """Scroll without it counting as a person's; ``silent`` when the same text stays in view: nothing is painted."""
        if silent:
            self.set_reactive(Widget.scroll_y, float(row))
            self.set_reactive(cast("Reactive[float]", Widget.scroll_target_y), float(row))
            self._place_thumb()
            return
        self._own_scroll = True
        try:
            self._scroll_to(None, row, animate=False, force=True)
        finally:
            self._own_scroll = False

    def _resize_virtual(self) -> None:
        """Tell the scrollbar, not the layout: setting ``virtual_size`` itself would arrange the whole screen."""
        self.set_reactive(cast("Reactive[Size]", Widget.virtual_size), Size(self._width, self._total))
        self._place_thumb()

    def _place_thumb(self) -> None:
        """Tell the scrollbar where we are, if that would show: painting it costs as much as all the rows."""
        height, total = self.scrollable_content_region.height, max(self._total, 1)
        thumb = max(8, 8 * height * height // total)
        place = (thumb, round(self.scroll_y * (8 * height - thumb) / max(1, total - height)))
        if place != self._thumb:
            self._thumb = place
            bar = self.vertical_scrollbar
            bar.window_virtual_size, bar.window_size, bar.position = self._total, height, self.scroll_y

    def _refresh_rows(self, first: int, last: int) -> None:
        visible = range(self.scroll_offset.y, self.scroll_offset.y + self.scrollable_content_region.height)
        start, stop = max(first, visible.start), min(last, visible.stop)
        if start < stop:
            self.refresh(Region(0, start - visible.start, self._width, stop - start))

    def on_resize(self) -> None:
        """Wrap anew when the width changed, and stay where the person was."""
        width = self.scrollable_content_region.width
        top = self.scroll_offset.y
        if width != self._width:
            self._width = width
            self._painted.clear()
            self._total, top = self.rewrap(width, top)
        self._resize_virtual()
        self._scroll_itself(self.max_scroll_y if self.following else min(top, self.max_scroll_y))
        self.refresh()

    async def _run_idle_slice(self) -> None:
        self._idle_waits = False
        if self._width and self.idle_slice(perf_counter() + IDLE_SLICE):
            self.start_idle_work()

    # ---- colours

    def on_mount(self) -> None:
        """Take the theme's colours, now and whenever it changes."""
        app = cast("App[object]", self.app)
        app.theme_changed_signal.subscribe(self, self._take_theme)
        self._take_theme(app.current_theme)

    def _take_theme(self, _theme: Theme) -> None:
        self.palette = Palette.from_theme(cast("App[object]", self.app).theme_variables)
        self._painted.clear()
        self.palette_changed()
        self.refresh()

    # ---- painting

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Paint these regions anew, or all rows. The compositor asks for every row with each frame: see ``_frame``."""
        if not regions:
            self._frame = []
        for region in regions:
            for y in range(max(0, region.y), min(region.bottom, len(self._frame))):
                self._frame[y] = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def _shift_frame(self, rows: int) -> None:
        """The view moved: rows that stay in view are finished already, only their place is another one."""
        if not self.STEADY_ROWS:
            self.refresh()
            return
        kept = self._frame[max(0, rows) : len(self._frame) + min(0, rows)]
        new: list[Strip | None] = [None] * min(abs(rows), len(self._frame))
        self._frame = kept + new if rows > 0 else new + kept
        for y in {len(self._frame) - 1, len(self._frame) - 1 - rows} & set(range(len(self._frame))):
            self._frame[y] = None
        super().refresh(self.size.region)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Finished rows for the compositor, past the styles cache: nothing here has borders, padding or tints."""
        width, height = self.outer_size
        if len(self._frame) != height:
            self._frame = [None] * height
        selection = self.text_selection
        background = self.background_colors[1]
        filters = self.get_line_filters()
        strips: list[Strip] = []
        for y in crop.line_range:
            strip = self._frame[y]
            if strip is None:
                strip = self._finished(y, width, selection)
                for line_filter in filters:
                    strip = strip.apply_filter(line_filter, background)
                self._frame[y] = strip
            strips.append(strip)
        if crop.column_span != (0, width):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def render_line(self, y: int) -> Strip:
        """A row with the offsets that text selection asks for; painting itself goes through ``render_lines``."""
        row = self.scroll_offset.y + y
        content = self.line_at(row) if row < self._total and self._width else Strip.blank(0)
        return content.extend_cell_length(self._width, self.palette.base).apply_offsets(0, row)

    def _finished(self, y: int, width: int, selection: Selection | None) -> Strip:
        row = self.scroll_offset.y + y
        if self._unseen and y == self.scrollable_content_region.height - 1:
            return self._hint_strip(width)
        if row >= self._total or not self._width:  # before the first layout there are no rows yet
            return Strip.blank(width, self.palette.base)
        source = self.line_at(row)
        span = None if selection is None else selection.get_span(row)
        painted = self._painted.get(id(source))
        if painted is None or painted.source is not source or painted.span != span:
            painted = _Painted(source, span, self._finish(source, span, width))
            self._painted[id(source)] = painted
        return painted.final

    def _finish(self, source: Strip, span: tuple[int, int] | None, width: int) -> Strip:
        """A row on its background, padded to the pane's width, with the selected characters marked."""
        strip = source.apply_style(self.palette.base).adjust_cell_length(width, self.palette.base)
        if span is None:
            return strip
        start, end = span
        first = strip.index_to_cell_position(start)
        last = source.cell_length if end < 0 else strip.index_to_cell_position(min(end, len(source.text)))
        if last <= first:
            return strip
        marked = Segment.apply_style(strip.crop(first, last), post_style=Style(bgcolor=self.palette.selection))
        return Strip([*strip.crop(0, first), *marked, *strip.crop(last)], width)

    def _hint_region(self) -> Region:
        return Region(0, self.scrollable_content_region.height - 1, self._width, 1)

    def _hint_strip(self, width: int) -> Strip:
        """The row that says more came below, laid over the last visible one."""
        label = f" {self.signs.down} {self._jump_hint} "
        style = self.palette.style(Look(role="background", on="accent", bold=True))
        left = max(0, (self._width - len(label)) // 2)
        return Strip([Segment(" " * left, self.palette.base), Segment(label, style)]).adjust_cell_length(
            width, self.palette.base
        )

    def on_click(self, event: events.Click) -> None:
        """A click on the hint does what the hint says; any other is the subclass's."""
        row = self.scroll_offset.y + event.y
        if self._unseen and event.y == self.scrollable_content_region.height - 1:
            self.jump_to_end()
        elif row < self._total and self.text_selection is None:
            self.row_clicked(row)

    # ---- selection

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text as it was written, not as it was wrapped."""
        return self.source_between(selection.start, selection.end), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Paint what is selected now; rows whose selection did not change come from the cache."""
        del selection
        self.refresh()

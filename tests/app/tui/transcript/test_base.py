"""The pane of lines: what is painted, following the tail, the hint, selection, resize."""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from rich.segment import Segment
from textual.geometry import Offset, Region
from textual.pilot import Pilot
from textual.strip import Strip

from patchbay.app.tui.themes import THEME_NAMES
from patchbay.app.tui.transcript.base import LinePane
from support.widget_app import WidgetApp


class Rows(LinePane):
    """A pane whose rows are given as texts."""

    STEADY_ROWS = True

    def __init__(self) -> None:
        super().__init__(jump_hint="press End")
        self.strips: list[Strip] = []
        self.asked: list[int] = []
        self.clicked: list[int] = []

    def line_at(self, row: int) -> Strip:
        self.asked.append(row)
        return self.strips[row]

    def row_clicked(self, row: int) -> None:
        self.clicked.append(row)

    def add(self, *texts: str) -> None:
        first = len(self.strips)
        self.strips += [Strip([Segment(text)]) for text in texts]
        self.rows_changed(len(self.strips), first)

    def put(self, row: int, text: str) -> None:
        self.strips[row] = Strip([Segment(text)])
        self.rows_changed(len(self.strips), row, row + 1)


def numbered(first: int, last: int) -> list[str]:
    return [f"row {number}" for number in range(first, last)]


@asynccontextmanager
async def shown(size: tuple[int, int] = (30, 6)) -> AsyncIterator[tuple[Rows, WidgetApp, Pilot[None]]]:
    def panes() -> Iterator[Rows]:
        yield Rows()

    app = WidgetApp(panes)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app.query_one(Rows), app, pilot


def visible(app: WidgetApp) -> list[str]:
    return [text[:29].rstrip() for text in app.screen_text()]


async def test_rows_are_painted_from_the_top_and_the_tail_is_followed() -> None:
    async with shown() as (pane, app, pilot):
        pane.add("one", "two")
        await pilot.pause()
        assert visible(app) == ["one", "two", "", "", "", ""]
        pane.add(*numbered(2, 20))
        await pilot.pause()
        assert visible(app) == numbered(14, 20)
        assert pane.following


async def test_scrolling_up_stops_following_and_the_hint_says_that_more_came() -> None:
    async with shown() as (pane, app, pilot):
        pane.add(*numbered(0, 20))
        pane.scroll_to(y=5)
        await pilot.pause()
        assert not pane.following
        assert visible(app) == numbered(5, 11)
        pane.add("new")
        await pilot.pause()
        assert visible(app)[:5] == numbered(5, 10)
        assert "press End" in visible(app)[5]


async def test_reaching_the_end_follows_again() -> None:
    async with shown() as (pane, app, pilot):
        pane.add(*numbered(0, 20))
        pane.scroll_to(y=5)
        pane.add("new")
        pane.focus()
        await pilot.press("end")
        await pilot.pause()
        assert pane.following
        assert visible(app)[-1] == "new"
        pane.add("newer")
        await pilot.pause()
        assert visible(app)[-1] == "newer"


async def test_a_click_on_the_hint_jumps_to_the_end_and_any_other_is_a_click_on_a_row() -> None:
    async with shown() as (pane, app, pilot):
        pane.add(*numbered(0, 20))
        pane.scroll_to(y=5)
        pane.add("new")
        await pilot.click(offset=(3, 2))
        assert pane.clicked == [7]
        await pilot.click(offset=(3, 5))
        await pilot.pause()
        assert pane.clicked == [7]
        assert visible(app)[-1] == "new"


async def test_only_changed_rows_are_asked_for() -> None:
    async with shown() as (pane, app, pilot):
        pane.add(*numbered(0, 6))
        await pilot.pause()
        pane.asked.clear()
        pane.put(3, "changed")
        await pilot.pause()
        assert pane.asked == [3]
        assert visible(app)[3] == "changed"


async def test_scrolling_asks_only_for_rows_that_came_into_view() -> None:
    async with shown() as (pane, app, pilot):
        pane.add(*numbered(0, 40))
        pane.scroll_to(y=10)
        await pilot.pause()
        pane.asked.clear()
        pane.scroll_to(y=12)
        await pilot.pause()
        assert visible(app) == numbered(12, 18)
        assert set(pane.asked) <= {15, 16, 17}


async def test_a_change_never_arranges_the_screen() -> None:
    async with shown() as (pane, app, pilot):
        pane.add(*numbered(0, 40))
        await pilot.pause()
        arranged: list[object] = []
        app.screen._refresh_layout = lambda *args, **options: arranged.append(args)  # type: ignore[method-assign]
        pane.add(*numbered(40, 60))
        pane.put(59, "x")
        await pilot.pause()
        assert arranged == []
        assert visible(app)[-1] == "x"


async def test_what_is_painted_is_right_after_any_changes() -> None:
    async with shown((30, 8)) as (pane, app, pilot):
        chance = random.Random(7)
        for step in range(120):
            match chance.randrange(7):
                case 0 | 1:
                    pane.add(*(f"row {step}.{index}" for index in range(chance.randrange(1, 4))))
                case 2 if pane.strips:
                    pane.put(chance.randrange(len(pane.strips)), f"put {step}")
                case 3:
                    pane.scroll_to(y=chance.randrange(len(pane.strips) + 1))
                case 4 if len(pane.strips) > 9:
                    del pane.strips[-2:]
                    pane.rows_changed(len(pane.strips), len(pane.strips))
                case 5 if len(pane.strips) > 20:
                    pane.strips[:0] = [Strip([Segment(f"above {step}")])]
                    pane.rows_changed(len(pane.strips), 0, 0, shift=1)
                case 6 if len(pane.strips) > 4:
                    first = len(pane.strips) - chance.randrange(1, 5)
                    pane.strips[first] = Strip([Segment(f"both {step}")])
                    pane.strips.append(Strip([Segment(f"and {step}")]))
                    pane.rows_changed(len(pane.strips), first)
                case _:
                    pane.jump_to_end()
            await pilot.pause()
            top = pane.scroll_offset.y
            expected = [strip.text for strip in pane.strips[top : top + 8]]
            painted = visible(app)[: len(expected)]
            if not pane.following:
                expected[7:], painted[7:] = [], []
            assert painted == expected, step


async def test_rows_put_above_do_not_move_the_view() -> None:
    async with shown() as (pane, app, pilot):
        pane.add(*numbered(0, 20))
        pane.scroll_to(y=5)
        await pilot.pause()
        pane.strips[:0] = [Strip([Segment("above")])] * 3
        pane.rows_changed(23, 0, 0, shift=3, news=False)
        await pilot.pause()
        assert visible(app) == numbered(5, 11)
        assert pane.scroll_offset.y == 8


async def test_the_selection_is_marked_and_copied() -> None:
    async with shown() as (pane, app, pilot):
        pane.add("first row", "second row", "third row")
        await pilot.pause()
        await pilot.mouse_down(offset=(6, 0))
        await pilot.hover(offset=(5, 1))
        await pilot.mouse_up(offset=(5, 1))
        await pilot.pause()
        assert app.screen.get_selected_text() == "row\nsecond"
        marked = [
            segment.text
            for strip in pane.render_lines(Region(0, 0, 30, 2))
            for segment in strip
            if segment.style
            and segment.style.bgcolor
            and segment.style.bgcolor.get_truecolor().hex == pane.palette.selection.lower()
        ]
        assert "".join(marked) == "rowsecond"


async def test_a_selection_copies_from_the_start_to_the_end() -> None:
    async with shown() as (pane, _, _pilot):
        pane.add("one", "two  ", "three")
        assert pane.source_between(None, None) == "one\ntwo\nthree"
        assert pane.source_between(Offset(1, 0), Offset(2, 2)) == "ne\ntwo\nth"


async def test_the_tail_is_followed_through_a_resize_and_another_place_is_kept() -> None:
    async with shown() as (pane, app, pilot):
        pane.add(*numbered(0, 20))
        await pilot.resize_terminal(30, 4)
        await pilot.pause()
        assert visible(app) == numbered(16, 20)
        pane.scroll_to(y=3)
        await pilot.resize_terminal(30, 8)
        await pilot.pause()
        assert visible(app) == numbered(3, 11)


async def test_another_theme_repaints() -> None:
    async with shown() as (pane, app, pilot):
        pane.add("one")
        await pilot.pause()

        def background() -> str:
            style = next(iter(pane.render_lines(Region(0, 0, 30, 1))[0])).style
            assert style is not None and style.bgcolor is not None
            return style.bgcolor.get_truecolor().hex

        dark = background()
        app.theme = next(name for name in THEME_NAMES if "light" in name)
        await pilot.pause()
        assert not pane.palette.dark
        assert background() == pane.palette.background.lower() != dark

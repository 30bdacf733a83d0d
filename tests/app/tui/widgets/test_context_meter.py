"""The context meter, the line of a compaction and what it dropped, as a person meets them."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Static, TextArea

from patchbay.app.engine.context_report import ContextItem, ContextReport, Part
from patchbay.app.engine.state import CompactionEntry
from patchbay.app.tui.transcript.palette import ASCII_SIGNS, UNICODE_SIGNS
from patchbay.app.tui.widgets.context_meter import ContextScreen, bar, keys, rows, title
from patchbay.app.tui.widgets.dropped import DroppedScreen
from patchbay.providers.base import FREE
from patchbay.providers.messages import ChatRequest
from patchbay.providers.scripted import ScriptedProvider, answer, end, text, usage
from support.screens import on_screen
from support.sessions import make_session, model

LONG = "The quick brown fox jumps over the lazy dog, again and again. " * 12

REPORT = ContextReport(
    model="llama.cpp/small",
    window=8192,
    tokens=5200,
    counted=True,
    parts={
        Part.SYSTEM: 300,
        Part.INSTRUCTIONS: 900,
        Part.TOOLS: 1300,
        Part.FILES: 1500,
        Part.CONVERSATION: 1000,
        Part.OUTPUT: 200,
        Part.RESERVED: 1024,
        Part.FREE: 1968,
    },
    items=(
        ContextItem(part=Part.FILES, name="src/app.py", tokens=1500, stale=True),
        ContextItem(part=Part.INSTRUCTIONS, name="AGENTS.md", tokens=900),
    ),
    summarised=True,
)


def answering(request: ChatRequest):
    size = sum(len(block.text) for m in request.messages for block in getattr(m, "blocks", ())) // 4
    return answer(text("## Goal\nfoxes" if "You summarise" in request.system else LONG), usage(size, 9), end())


def small_session(window: int = 2500):
    return make_session(
        ScriptedProvider("fake", answering), select=replace(model("fake", window=window), price=FREE), step_limit=5
    )


@pytest.mark.parametrize("width", [20, 60, 104])
@pytest.mark.parametrize("signs", [UNICODE_SIGNS, ASCII_SIGNS])
def test_the_bar_fills_its_width_and_every_part_has_a_cell(width: int, signs) -> None:
    drawn = bar(REPORT, width, signs)
    assert drawn.cell_length == width
    if signs is ASCII_SIGNS:
        assert set("sitfcor.") == set(drawn.plain)
    tiny = replace(REPORT, parts=dict.fromkeys(Part, 1) | {Part.FREE: 100_000})
    assert bar(tiny, width, signs).cell_length == width


def test_numbers_say_what_is_counted_and_what_is_stale() -> None:
    assert "63 %" in title(REPORT).plain and "counted by the server" in title(REPORT).plain
    shown = "\n".join(row.plain for row in rows(REPORT, 100, UNICODE_SIGNS))
    assert "src/app.py  stale: changed on disk" in shown and "AGENTS.md  instructions" in shown
    assert ("f", "send stale files anew") in keys(REPORT) and ("d", "what was dropped") in keys(REPORT)
    assert "estimated" in title(replace(REPORT, counted=False, window=None)).plain


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_alt_c_shows_where_the_window_goes(size: tuple[int, int], tmp_path: Path) -> None:
    session, _ = small_session(8000)
    async with on_screen(session, size=size) as desk:
        await desk.type("hello")
        await desk.idle()
        await desk.pilot.press("alt+c")
        await desk.when(lambda: isinstance(desk.app.screen, ContextScreen))
        await desk.pilot.pause()
        shown = str(desk.app.screen.query_one("#context-parts", Static).render())
        assert "system rules" in shown and "conversation" in shown and "free" in shown
        await desk.pilot.press("escape")
        await desk.when(lambda: desk.app.screen is desk.screen)


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (160, 48)])
async def test_a_long_report_scrolls_and_its_keys_stay_in_sight(size: tuple[int, int]) -> None:
    session, _ = small_session(8000)
    many = tuple(ContextItem(part=Part.FILES, name=f"src/f{each}.py", tokens=9, stale=True) for each in range(40))
    async with on_screen(session, size=size) as desk:
        desk.app.push_screen(ContextScreen(replace(REPORT, items=many)))
        await desk.when(lambda: isinstance(desk.app.screen, ContextScreen))
        dialog, named = desk.app.screen.query_one(".dialog"), desk.app.screen.query_one(".dialog-keys")
        await desk.when(lambda: named.region.height == 1 and dialog.content_region.contains_region(named.region))
        view = desk.app.screen.query_one("#context-view")
        await desk.pilot.press("end")
        await desk.when(lambda: view.scroll_offset.y > 0 and view.scroll_offset.y == view.max_scroll_y)
        assert dialog.content_region.contains_region(view.region)


async def test_a_compaction_is_a_line_that_opens_what_it_dropped(tmp_path: Path) -> None:
    session, _ = small_session(20_000)
    async with on_screen(session) as desk:
        await desk.type("/dropped")
        for number in range(4):
            await desk.type(f"prompt {number}. {LONG}")
            await desk.idle()
        await desk.type("/compact the fox")
        await desk.idle()
        entry = session.state.transcript[-1]
        assert isinstance(entry, CompactionEntry) and entry.compacted.focus == "the fox"
        assert "Compacted: ~" in desk.text("chat") and "by the model (as you asked)" in desk.text("chat")
        await desk.pilot.press("alt+1")
        chat = desk.screen.query_one("#chat")
        for _ in range(4):
            await desk.pilot.press("k")
            if chat.selected_entry is entry:
                break
        assert chat.selected_entry is entry
        await desk.pilot.press("enter")
        await desk.when(lambda: isinstance(desk.app.screen, DroppedScreen))
        await desk.when(lambda: desk.app.screen.query(TextArea) and desk.app.screen.query_one(TextArea).text)
        told = desk.app.screen.query_one(TextArea).text
        assert "foxes" in told and "> prompt 0." in told and "Kept in mind: the fox" in told
        await desk.pilot.press("escape")
        await desk.pilot.press("alt+c")
        await desk.when(lambda: isinstance(desk.app.screen, ContextScreen))
        await desk.pilot.press("d")
        await desk.when(lambda: isinstance(desk.app.screen, DroppedScreen))

"""The key help, as a person meets it."""

import pytest
from textual.containers import VerticalScroll

from patchbay.app.tui.widgets.help import HelpScreen
from patchbay.providers.scripted import ScriptedProvider
from support.screens import on_screen
from support.sessions import make_session


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_the_key_help_scrolls_to_its_last_row(size: tuple[int, int]) -> None:
    session, _ = make_session(ScriptedProvider("fake", []))
    async with on_screen(session, size=size) as desk:
        await desk.pilot.press("f1")
        await desk.when(lambda: isinstance(desk.app.screen, HelpScreen))
        dialog, view = desk.app.screen.query_one(".dialog"), desk.app.screen.query_one(VerticalScroll)
        await desk.pilot.pause()
        await desk.pilot.press("end")
        await desk.when(lambda: view.scroll_offset.y == view.max_scroll_y)
        assert dialog.content_region.contains_region(view.region)

import json
from dataclasses import replace
from pathlib import Path

from patchbay.app.engine.events import ProvidersListed
from patchbay.app.kept_models import KeptModels
from patchbay.app.tui.app import PatchbayApp
from patchbay.app.tui.control import Preferences
from patchbay.app.tui.main_screen import MainScreen
from patchbay.app.tui.widgets.provider_switcher import ModelList, ProviderSwitcher
from patchbay.providers.base import FREE
from patchbay.providers.scripted import ScriptedProvider, answer, end, text, usage
from support.screens import Desk, Panel
from support.session_states import provider
from support.sessions import cost_of, make_session, model

FIRST, SECOND = model(), replace(model("fake", "small"), price=FREE, vision=False)


class Opened:
    """The application with a shelf in a folder."""

    def __init__(self, folder: Path) -> None:
        scripted = ScriptedProvider("fake", [answer(text("hello"), usage(2000, 100), end())] * 3)
        self.session, _ = make_session(scripted)
        self.session.bus.publish(ProvidersListed(providers=(provider("fake", FIRST, SECOND),)))
        self.shelf = KeptModels(folder / "favourites.json", folder / "none.db")
        self.panel = Panel(self.session, FIRST, SECOND)
        self.app = PatchbayApp(self.panel, Preferences(shelf=self.shelf), cost_of=cost_of)

    def desk(self, pilot) -> Desk:
        return Desk(self.app, pilot, self.session, self.panel)

    @property
    def switcher(self) -> ProviderSwitcher:
        assert isinstance(self.app.screen, ProviderSwitcher)
        return self.app.screen

    def meaning(self) -> str:
        return str(self.switcher.query_one("#switcher-meaning").render())


async def test_the_preview_stands_below_the_list_once_the_cursor_rests(tmp_path: Path):
    opened = Opened(tmp_path)
    async with opened.app.run_test(size=(160, 48)) as pilot:
        desk = opened.desk(pilot)
        await desk.type("hi")
        await desk.idle()
        await pilot.press("ctrl+o")
        await pilot.pause()
        await pilot.press("down")
        await desk.when(lambda: "not asked from here yet" in opened.meaning())
        lines = opened.meaning().splitlines()
        assert lines[0].startswith("fits (")
        assert lines[0].endswith("free")
        assert lines[1] == "nothing is lost"
        await pilot.press("up")
        await desk.when(lambda: "next request ~$0.00" in opened.meaning())
        assert opened.meaning().startswith("This model answers now.")


async def test_a_favourite_is_marked_in_the_switcher_and_stands_on_top(tmp_path: Path):
    opened = Opened(tmp_path)
    async with opened.app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("ctrl+o")
        await pilot.pause()
        await pilot.press("down", "ctrl+s")
        await pilot.pause()
        assert opened.shelf.favourites == (SECOND.ref,)
        assert opened.switcher.query_one(ModelList).rows[0].model == SECOND
        assert opened.switcher.query_one(ModelList).selected.model == SECOND
        await pilot.press("ctrl+s")
        assert opened.shelf.favourites == ()
        await pilot.press("escape")
    assert json.loads((tmp_path / "favourites.json").read_text()) == {"favourites": []}


async def test_keys_go_to_the_next_favourite_and_back_to_the_model_before(tmp_path: Path):
    opened = Opened(tmp_path)
    opened.shelf.toggle(SECOND.ref)
    async with opened.app.run_test(size=(160, 48)) as pilot:
        desk = opened.desk(pilot)
        await desk.type("hi")
        await desk.idle()
        await pilot.press("alt+n")
        await pilot.pause()
        assert opened.session.state.model == SECOND
        await pilot.press("alt+p")
        await desk.when(lambda: opened.session.state.model == FIRST)
        await pilot.press("alt+p")
        await desk.when(lambda: opened.session.state.model == SECOND)


async def test_without_a_favourite_the_key_says_how_to_get_one(tmp_path: Path):
    opened = Opened(tmp_path)
    async with opened.app.run_test(size=(160, 48)) as pilot:
        await pilot.pause()
        await pilot.press("alt+n", "alt+p")
        await pilot.pause()
        said = [notice.message for notice in opened.app._notifications]
        assert any("mark one in the switcher" in message for message in said)
        assert any("No other model has answered yet" in message for message in said)
        assert isinstance(opened.app.screen, MainScreen)
        assert opened.session.state.model == FIRST

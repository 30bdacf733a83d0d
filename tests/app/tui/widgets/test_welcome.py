import pytest
from textual.containers import VerticalScroll
from textual.widgets import Static

from patchbay.app.engine.state import SessionState
from patchbay.app.tui.actions import ACTIONS, ActionTable, key_label
from patchbay.app.tui.widgets.help import HelpScreen, help_text
from patchbay.app.tui.widgets.welcome import Welcome
from patchbay.providers.base import FREE, Online
from support.session_states import model, provider
from support.widget_app import WidgetApp

BROKEN = provider("openai", online=Online.DISABLED, problem="OPENAI_API_KEY is not set: export it.")


async def welcome_text(state: SessionState, size: tuple[int, int] = (80, 20)) -> str:
    app = WidgetApp(lambda: [Welcome(ActionTable(), config_file="~/.config/patchbay/config.toml")])
    async with app.run_test(size=size) as pilot:
        app.query_one(Welcome).sync(state)
        await pilot.pause()
        return "\n".join(row.rstrip() for row in app.screen_text())


@pytest.mark.parametrize("size", [(80, 20), (160, 44)])
async def test_the_first_screen_says_how_to_connect_each_kind_of_provider(size: tuple[int, int]):
    text = await welcome_text(SessionState(providers=(BROKEN,)), size)
    assert "export ANTHROPIC_API_KEY=…" in text
    assert "export OPENAI_API_KEY=…" in text
    assert "start Ollama, LM Studio, llama.cpp or vLLM, press Ctrl+O" in text
    assert "~/.config/patchbay/config.toml" in text
    assert "plays the demo" in text
    assert "✗ openai          OPENAI_API_KEY is not set: export it." in text
    assert "F1                Keys and commands" in text


async def test_nothing_is_cut_at_the_right_of_a_small_screen():
    problem = "the key variable is not set in the table and the file " * 3
    text = await welcome_text(
        SessionState(providers=(provider("x", online=Online.DISABLED, problem=problem),)), (60, 40)
    )
    assert " ".join(text.split()).count("the key variable is not set in the table and the file") == 3


async def test_with_a_model_it_teaches_the_next_step():
    text = await welcome_text(SessionState(model=model(window=200_000)))
    assert "Say what you want done, then press Enter." in text
    assert "anthropic/claude-sonnet-4-6" in text
    assert "200 k window · $3 / $15 per million tokens" in text
    assert "demo" not in text


async def test_a_model_without_tools_is_announced():
    text = await welcome_text(SessionState(model=model(price=FREE, tools=False)), (120, 20))
    assert "free · cannot call tools" in text
    assert "price unknown" in await welcome_text(SessionState(model=model(price=None)))


def test_the_help_names_every_key_and_command():
    text = str(help_text(ActionTable(), 1))
    for action in ACTIONS:
        assert action.title in text
        assert all(key_label(key) in text for key in action.keys)
        assert not action.slash or f"/{action.slash}" in text


def test_two_columns_hold_the_same_and_fit_a_wide_screen():
    one, two = (str(help_text(ActionTable(), columns)) for columns in (1, 2))
    assert sorted(one.split()) == sorted(two.split())
    assert max(map(len, two.split("\n"))) <= 148
    assert len(two.split("\n")) < len(one.split("\n")) * 0.7
    assert max(map(len, one.split("\n"))) <= 72


@pytest.mark.parametrize(("size", "columns"), [((80, 24), 1), ((160, 48), 2)])
async def test_the_help_screen_scrolls_and_closes(size: tuple[int, int], columns: int):
    app = WidgetApp(list)
    async with app.run_test(size=size) as pilot:
        help_screen = HelpScreen(ActionTable())
        app.push_screen(help_screen)
        await pilot.pause()
        assert str(help_screen.query_one("#help-text", Static).render()) == str(help_text(ActionTable(), columns))
        assert isinstance(app.focused, VerticalScroll)
        await pilot.press("f1")
        await pilot.pause()
        assert app.screen is not help_screen

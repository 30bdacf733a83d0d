import threading
from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from patchbay.app.engine.state import SessionState
from patchbay.app.tui.widgets.provider_switcher import ModelList, ProviderSwitcher
from patchbay.providers.base import FREE, ModelRef, Online
from support.session_states import model, provider
from support.sessions import until
from support.widget_app import WidgetApp

CLOUD = provider("anthropic", model(name="sonnet", window=1_000_000, tools=True), model(name="haiku"))
LOCAL = provider("ollama", model("ollama", "qwen3:30b", window=32_768, price=FREE))
BROKEN = provider("openai", online=Online.DISABLED, problem="OPENAI_API_KEY is not set: export it.")
STATE = SessionState(model=CLOUD.models[1], providers=(CLOUD, LOCAL, BROKEN))
UNSET = ModelRef(provider="nothing", model="chosen")


class Opened:
    """The switcher over a bare app, and what it was dismissed with."""

    def __init__(self, state: SessionState = STATE) -> None:
        self.app = WidgetApp(list)
        self.switcher = ProviderSwitcher(state)
        self.result: ModelRef | None = UNSET

    async def open(self, pilot: Pilot) -> None:
        self.app.push_screen(self.switcher, self._keep)
        await pilot.pause()

    def _keep(self, ref: ModelRef | None) -> None:
        self.result = ref

    @property
    def list(self) -> ModelList:
        return self.switcher.query_one(ModelList)

    def meaning(self) -> str:
        return str(self.switcher.query_one("#switcher-meaning").render())


@pytest.mark.parametrize("size", [(160, 48), (80, 24)])
async def test_rows_show_state_window_and_price_at_both_sizes(size: tuple[int, int]):
    opened = Opened()
    async with opened.app.run_test(size=size) as pilot:
        await opened.open(pilot)
        text = "\n".join(opened.app.screen_text())
    assert "● anthropic    sonnet" in text
    assert "1 M       $3 / $15" in text
    assert "haiku ✓" in text
    assert "free" in text
    assert "✗ openai       OPENAI_API_KEY is not set" in text


async def test_it_opens_on_the_model_in_use_and_escape_changes_nothing():
    opened = Opened()
    async with opened.app.run_test() as pilot:
        await opened.open(pilot)
        assert opened.list.cursor == 1
        assert opened.meaning() == "This model answers now."
        await pilot.press("escape")
        await pilot.pause()
    assert opened.result is None


async def test_a_few_letters_and_enter_choose():
    opened = Opened()
    async with opened.app.run_test() as pilot:
        await opened.open(pilot)
        await pilot.press(*"qwen", "enter")
        await pilot.pause()
    assert opened.result == ModelRef(provider="ollama", model="qwen3:30b")


async def test_arrows_move_and_stop_at_the_ends():
    opened = Opened()
    async with opened.app.run_test() as pilot:
        await opened.open(pilot)
        await pilot.press("up", "up", "up")
        assert opened.list.cursor == 0
        await pilot.press(*["down"] * 9)
        assert opened.list.cursor == 3


async def test_a_disabled_provider_says_why_and_cannot_be_chosen():
    opened = Opened()
    async with opened.app.run_test() as pilot:
        await opened.open(pilot)
        await pilot.press(*"openai", "enter")
        await pilot.pause()
        assert opened.result is UNSET
        assert opened.app.screen is opened.switcher
        assert opened.meaning() == "OPENAI_API_KEY is not set: export it."


async def test_a_provider_that_comes_appears_while_the_cursor_stays_on_its_model():
    opened = Opened()
    async with opened.app.run_test() as pilot:
        await opened.open(pilot)
        await pilot.press("down")
        assert opened.list.selected is not None
        assert opened.list.selected.name == "qwen3:30b"
        new = provider("lmstudio", model("lmstudio", "gemma"))
        opened.switcher.sync(replace(STATE, providers=(new, *STATE.providers)))
        await pilot.pause()
        assert opened.list.selected.name == "qwen3:30b"
        assert any("lmstudio" in row for row in opened.app.screen_text())


async def test_losing_the_model_under_the_cursor_does_not_lose_the_cursor():
    opened = Opened()
    async with opened.app.run_test() as pilot:
        await opened.open(pilot)
        await pilot.press("down")
        opened.switcher.sync(replace(STATE, providers=(CLOUD,)))
        await pilot.press("enter")
        await pilot.pause()
    assert opened.result == CLOUD.models[0].ref


async def test_no_match_is_said_and_enter_waits():
    opened = Opened()
    async with opened.app.run_test() as pilot:
        await opened.open(pilot)
        await pilot.press(*"zzzz", "enter")
        assert opened.meaning().startswith("No model matches")
        assert opened.result is UNSET


async def test_a_click_moves_and_a_second_click_chooses():
    opened = Opened()
    async with opened.app.run_test() as pilot:
        await opened.open(pilot)
        await pilot.click(ModelList, offset=(10, 0))
        assert opened.list.cursor == 0
        await pilot.click(ModelList, offset=(10, 0))
        await pilot.pause()
    assert opened.result == CLOUD.models[0].ref


async def test_the_wheel_moves_the_cursor_and_its_meaning():
    opened = Opened()
    async with opened.app.run_test() as pilot:
        await opened.open(pilot)
        opened.switcher.on_mouse_scroll_down()
        assert opened.list.cursor == 3
        assert opened.meaning() == "OPENAI_API_KEY is not set: export it."
        opened.switcher.on_mouse_scroll_up()
        assert opened.list.cursor == 0


async def test_many_models_cost_no_more_widgets_and_filter_while_typing():
    many = tuple(model("openrouter", f"maker{i % 40}/model-{i}") for i in range(1500))
    opened = Opened(SessionState(providers=(provider("openrouter", *many),)))
    async with opened.app.run_test(size=(160, 48)) as pilot:
        await opened.open(pilot)
        assert len(opened.switcher.query("*")) < 10
        opened.switcher.query_one(Input).value = "maker7 1487"
        await pilot.pause()
        assert opened.list.selected is not None
        assert opened.list.selected.name == "maker7/model-1487"
        opened.switcher.query_one(Input).value = ""
        await pilot.pause()
        await pilot.press("pagedown")
        assert opened.list.cursor > 10
        for _ in range(200):
            opened.switcher.action_page_down()
        assert opened.list.cursor == 1499
        await pilot.pause()
        assert any("model-1499" in row for row in opened.app.screen_text())


async def test_names_from_servers_are_painted_as_they_are():
    nasty = provider("x", model("x", "[bold]a[/]\x1b]0;t\x07\u202eb"))
    opened = Opened(SessionState(providers=(nasty,)))
    async with opened.app.run_test() as pilot:
        await opened.open(pilot)
        assert any("[bold]a[/]⟨U+202E⟩b" in row for row in opened.app.screen_text())


async def test_an_answer_that_streams_below_does_not_keep_a_model_from_being_looked_into(monkeypatch):
    """The state moves with every piece of an answer, faster than a cursor counts as resting."""
    monkeypatch.setattr("patchbay.app.tui.widgets.provider_switcher.SETTLED_S", 0)
    begun, go_on = threading.Event(), threading.Event()
    looked: list[str] = []

    def inspect(info, _dialect):
        looked.append(info.ref.model)
        begun.set()
        go_on.wait(10)
        raise AssertionError("only the calls are counted")

    opened = Opened()
    opened.switcher = ProviderSwitcher(STATE, inspect=inspect)
    async with opened.app.run_test() as pilot:
        await opened.open(pilot)
        await until(begun.is_set)
        await pilot.pause()
        before = [*looked]
        for tokens in range(5):
            opened.switcher.sync(replace(STATE, context_tokens=None, title=f"moved {tokens}"))
            await pilot.pause()
        opened.switcher.workers.cancel_all()
        go_on.set()
        await pilot.pause()
    assert looked == before

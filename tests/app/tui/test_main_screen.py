import asyncio

import pytest

from patchbay.app.engine.events import NoticeLevel, ProvidersListed
from patchbay.app.engine.state import AnswerEntry, NoticeEntry, Phase, PromptEntry, SessionState
from patchbay.app.tui.control import Ending
from patchbay.app.tui.panes.tool_log import ToolLogPane
from patchbay.app.tui.spending import View
from patchbay.app.tui.widgets.approval import ApprovalBar
from patchbay.app.tui.widgets.cost_bar import CostBar
from patchbay.app.tui.widgets.help import HelpScreen
from patchbay.app.tui.widgets.prompt import Prompt
from patchbay.app.tui.widgets.provider_switcher import ProviderSwitcher
from patchbay.app.tui.widgets.spending import SpendingScreen
from patchbay.providers.base import Online, Origin, ProviderStatus
from patchbay.providers.events import ErrorKind, ResponseStart, StopReason, TextDelta, TextStart
from patchbay.providers.redact import remember_secret
from patchbay.providers.scripted import ScriptedProvider, answer, end, fail, text, tool_call, usage
from patchbay.tools.events import Decision
from support.past_turns import publish_turn
from support.screens import on_screen
from support.sessions import FakeToolbox, make_session, model, question


def endless():
    gate = asyncio.Event()

    async def script(_request):
        yield ResponseStart()
        yield TextStart(index=0)
        yield TextDelta(index=0, text="still going")
        await gate.wait()

    return script


def listed(*models):
    return tuple(
        ProviderStatus(
            name=each.ref.provider,
            dialect="scripted",
            origin=Origin.CONFIGURED,
            local=False,
            online=Online.ONLINE,
            models=(each,),
        )
        for each in models
    )


async def test_a_prompt_is_answered_in_the_chat_and_counted_in_the_bar():
    session, _ = make_session(ScriptedProvider("fake", [answer(text("Forty-two."), usage(100, 10), end())]))
    async with on_screen(session) as desk:
        assert desk.screen.has_class("welcome")
        await desk.type("What is it?")
        await desk.idle()
        assert not desk.screen.has_class("welcome")
        assert "What is it?" in desk.text("chat")
        assert "Forty-two." in desk.text("chat")
        bar = desk.screen.query_one(CostBar).render().plain
        assert "$0.0004" in bar
        assert "ready" in bar


async def test_enter_on_nothing_starts_the_demo_only_where_no_model_is():
    session, _ = make_session(ScriptedProvider("fake", []))
    async with on_screen(session) as desk:
        await desk.pilot.press("enter")
        assert desk.app.return_value is None
    bare, _ = make_session(ScriptedProvider("fake", []), select=None)
    bare.bus.store._state = bare.state.__class__(session_id="s1", folder="/x")
    async with on_screen(bare, problem="No provider available.") as desk:
        await desk.pilot.press("enter")
        await desk.pilot.pause()
        assert desk.app.return_value is Ending.DEMO


async def test_without_a_model_a_prompt_is_kept_and_the_problem_said():
    session, _ = make_session(ScriptedProvider("fake", []))
    session.bus.store._state = session.state.__class__(session_id="s1", folder="/x")
    async with on_screen(session, problem="No provider available. Configure one.") as desk:
        await desk.type("do it")
        await desk.pilot.pause()
        assert desk.screen.query_one(Prompt).text == "do it"
        assert any("No provider available" in note.message for note in desk.app._notifications)


async def test_escape_stops_a_stream_and_the_answer_stays():
    session, _ = make_session(ScriptedProvider("fake", [endless()]))
    async with on_screen(session) as desk:
        await desk.type("go")
        await desk.when(lambda: session.state.phase is Phase.STREAMING)
        await desk.pilot.press("escape")
        await desk.idle()
        entry = session.state.transcript[-1]
        assert isinstance(entry, AnswerEntry)
        assert entry.stop_reason is StopReason.CANCELLED
        assert "still going" in desk.text("chat")


async def test_a_failed_answer_names_the_key_that_asks_again_and_the_key_does():
    broken = (ResponseStart(), *fail(ErrorKind.NETWORK, "the server went away"))
    session, _ = make_session(ScriptedProvider("fake", [broken, answer(text("back"), end())]))
    async with on_screen(session) as desk:
        await desk.type("go")
        await desk.idle()
        assert "the server went away" in desk.text("chat")
        assert "Ctrl+R asks again" in desk.text("chat")
        await desk.pilot.press("ctrl+r")
        await desk.idle()
        assert "back" in desk.text("chat")


async def asking(_arguments, _emit, approve):
    answered = await approve(question("run"))
    return f"{answered.decision} {answered.comment}"


@pytest.mark.parametrize(
    ("keys", "content"),
    [(["y"], "once "), (["s"], "session "), (["n"], "deny "), (["c", *"tests first", "enter"], "deny tests first")],
)
async def test_the_keys_of_a_question_answer_it(keys, content):
    provider = ScriptedProvider("fake", [answer(tool_call("a", "bash", {}), end()), answer(text("ok"), end())])
    session, _ = make_session(provider, toolbox=FakeToolbox(bash=asking))
    async with on_screen(session) as desk:
        await desk.type("go")
        await desk.when(lambda: session.state.phase is Phase.APPROVAL)
        await desk.pilot.pause(0.05)
        bar = desk.screen.query_one(ApprovalBar)
        assert bar.has_focus
        bar._deaf.end()
        await desk.pilot.press(*("space" if key == " " else key for key in keys))
        await desk.idle()
        assert session.state.runs[0].content == content
        assert desk.screen.query_one(Prompt).has_focus


async def test_nothing_a_model_says_can_answer_a_question():
    provider = ScriptedProvider("fake", [answer(tool_call("a", "bash", {}), end()), answer(text("y"), end())])
    session, _ = make_session(provider, toolbox=FakeToolbox(bash=asking))
    async with on_screen(session) as desk:
        await desk.type("y")
        await desk.when(lambda: session.state.phase is Phase.APPROVAL)
        session.submit("y")
        await desk.pilot.pause(0.05)
        assert session.state.phase is Phase.APPROVAL
        session.resolve("ask-1", Decision.DENY)
        await desk.idle()


async def test_leaving_the_switcher_goes_back_to_the_question_that_waits():
    provider = ScriptedProvider("fake", [answer(tool_call("a", "bash", {}), end()), answer(text("ok"), end())])
    session, _ = make_session(provider, toolbox=FakeToolbox(bash=asking))
    async with on_screen(session) as desk:
        await desk.type("go")
        await desk.when(lambda: session.state.phase is Phase.APPROVAL)
        await desk.pilot.pause(0.05)
        await desk.pilot.press("f2")
        await desk.pilot.press("escape")
        await desk.pilot.pause()
        assert desk.screen.query_one(ApprovalBar).has_focus
        session.resolve("ask-1", Decision.DENY)
        await desk.idle()


@pytest.mark.parametrize("key", ["alt+c", "alt+r", "f1", "alt+m"])
async def test_a_question_that_appears_under_another_screen_has_the_keys_when_that_closes(key):
    wanted = asyncio.Event()

    async def later(arguments, emit, approve):
        await wanted.wait()
        return await asking(arguments, emit, approve)

    provider = ScriptedProvider(
        "fake", [answer(text("hi"), end()), answer(tool_call("a", "bash", {}), end()), endless()]
    )
    session, _ = make_session(provider, toolbox=FakeToolbox(bash=later))
    async with on_screen(session) as desk:
        await desk.type("first")
        await desk.idle()
        await desk.pilot.press(key)
        await desk.when(lambda: desk.app.screen is not desk.screen)
        session.submit("go")
        wanted.set()
        await desk.when(lambda: session.state.phase is Phase.APPROVAL)
        await desk.when(lambda: desk.screen.query_one(ApprovalBar).question is not None)
        await desk.pilot.press("escape")
        await desk.when(lambda: desk.app.screen is desk.screen)
        assert desk.screen.query_one(ApprovalBar).has_focus
        session.cancel()
        await desk.idle()


async def test_a_screen_that_is_left_gives_the_keys_back_to_the_pane_that_had_them():
    session, _ = make_session(ScriptedProvider("fake", [answer(text("hi"), end())]))
    async with on_screen(session) as desk:
        await desk.type("first")
        await desk.idle()
        await desk.pilot.press("alt+1", "alt+c")
        await desk.when(lambda: desk.app.screen is not desk.screen)
        await desk.pilot.press("escape")
        await desk.when(lambda: desk.app.screen is desk.screen)
        await desk.pilot.pause()
        assert desk.screen.focused.id == "chat"


async def test_the_key_that_opens_a_screen_closes_it_also_when_it_is_another_one():
    session, _ = make_session(ScriptedProvider("fake", []))
    keys = {"app.show_help": ("f9",), "session.show_cost": ("alt+h",), "session.show_context": ("alt+w",)}
    async with on_screen(session, keys=keys) as desk:
        for (key,) in keys.values():
            await desk.pilot.press(key)
            await desk.when(lambda: desk.app.screen is not desk.screen)
            await desk.pilot.press(key)
            await desk.when(lambda: desk.app.screen is desk.screen)


async def test_the_switcher_switches_and_the_history_goes_along():
    one = ScriptedProvider("one", [answer(text("from one"), end())])
    two = ScriptedProvider("two", [answer(text("from two"), end())])
    models = (model("one"), model("two", "other"))
    session, _ = make_session(one, two)
    async with on_screen(session, *models) as desk:
        session.bus.publish(ProvidersListed(providers=listed(*models)))
        await desk.type("first")
        await desk.idle()
        await desk.pilot.press("ctrl+o")
        assert isinstance(desk.app.screen, ProviderSwitcher)
        await desk.pilot.press(*"oth", "enter")
        await desk.type("second")
        await desk.idle()
        assert "from two" in desk.text("chat")
        assert len(two.requests[0].messages) == 3


async def test_the_switcher_says_how_old_prices_are():
    session, _ = make_session(ScriptedProvider("fake", []))
    async with on_screen(session) as desk:
        await desk.pilot.press("ctrl+o")
        await desk.pilot.pause()
        lines = [str(line.render()) for line in desk.app.screen.query(".dialog-keys")]
        assert lines[-1].endswith("leave it as it is   prices as of 2026-05-21, shipped")


async def test_servers_are_watched_while_the_screen_is_open():
    session, _ = make_session(ScriptedProvider("fake", []))
    async with on_screen(session) as desk:
        await desk.when(lambda: desk.panel.watched is not None)
        assert desk.panel.watched() is desk.app.app_focus


async def test_slash_commands_do_what_their_keys_do():
    session, _ = make_session(ScriptedProvider("fake", [answer(text("hi"), usage(10, 2), end())]))
    async with on_screen(session, model(), model("two", "other")) as desk:
        await desk.type("/help")
        await desk.pilot.pause()
        assert isinstance(desk.app.screen, HelpScreen)
        await desk.pilot.press("escape")
        await desk.type("hello")
        await desk.idle()
        for command, view in (("/cost", View.COST), ("/tokens", View.TOKENS)):
            await desk.type(command)
            await desk.when(lambda: isinstance(desk.app.screen, SpendingScreen))
            assert desk.app.screen.view is view
            await desk.pilot.press("escape")
        await desk.type("/model two/other")
        await desk.pilot.pause()
        assert str(session.state.model.ref) == "two/other"
        await desk.type("/model nowhere/x")
        await desk.pilot.pause()
        assert any("Unknown model 'nowhere/x'" in note.message for note in desk.app._notifications)
        await desk.type("/theme patchbay-light")
        assert desk.app.theme == "patchbay-light"


async def test_an_unknown_command_is_said_and_kept_but_a_path_is_a_prompt():
    session, _ = make_session(ScriptedProvider("fake", [answer(text("a folder"), end())]))
    async with on_screen(session) as desk:
        await desk.type("/frobnicate")
        await desk.pilot.pause()
        assert any("/frobnicate is no command" in note.message for note in desk.app._notifications)
        assert desk.screen.query_one(Prompt).text == "/frobnicate"
        desk.screen.query_one(Prompt).text = ""
        await desk.type("/etc/hosts says what?")
        await desk.idle()
        assert "a folder" in desk.text("chat")


async def test_a_small_terminal_shows_one_pane_and_keys_move_between_them():
    session, _ = make_session(ScriptedProvider("fake", [answer(text("hi"), end())]))
    async with on_screen(session, size=(80, 24)) as desk:
        await desk.type("hello")
        await desk.idle()
        shown = lambda: [name for name in ("chat", "diff", "tools") if desk.screen.query_one(f"#{name}").size.height]  # noqa: E731
        assert shown() == ["chat"]
        await desk.pilot.press("alt+2")
        await desk.pilot.pause()
        assert shown() == ["diff"]
        await desk.pilot.press("alt+3")
        await desk.pilot.pause()
        assert shown() == ["tools"]
        await desk.pilot.press("escape")
        assert desk.screen.query_one(Prompt).has_focus
        assert desk.screen.query_one(Prompt).size.height == 1


async def test_control_c_twice_leaves_and_once_does_not():
    session, _ = make_session(ScriptedProvider("fake", []))
    async with on_screen(session) as desk:
        await desk.pilot.press("ctrl+c")
        assert desk.app.return_value is None
        await desk.pilot.press("ctrl+c")
        await desk.pilot.pause()
        assert desk.app.return_value is Ending.QUIT


async def test_a_prompt_sent_meanwhile_is_shown_and_prompts_are_remembered(tmp_path):
    session, _ = make_session(ScriptedProvider("fake", [endless(), answer(text("then this"), end())]))
    async with on_screen(session, history_file=tmp_path / "prompts.jsonl") as desk:
        await desk.type("go")
        await desk.when(lambda: session.state.phase is Phase.STREAMING)
        await desk.type("and then")
        await desk.pilot.pause(0.1)
        assert "and then" in desk.text("chat")
        await desk.pilot.press("escape")
        await desk.when(lambda: not session.busy)
        await desk.pilot.pause(0.1)
        assert "then this" in desk.text("chat")
    assert (tmp_path / "prompts.jsonl").read_text().splitlines() == ['"go"', '"and then"']


async def test_keys_can_be_given_to_other_actions():
    session, _ = make_session(ScriptedProvider("fake", []))
    async with on_screen(session, keys={"app.show_help": ("f9",)}) as desk:
        await desk.pilot.press("f9")
        await desk.pilot.pause()
        assert isinstance(desk.app.screen, HelpScreen)


async def test_two_thousand_messages_take_few_widgets():
    session, _ = make_session(ScriptedProvider("fake", []))
    for number in range(1000):
        publish_turn(session.bus, str(number), prompt=f"prompt {number}", text=f"answer {number}")
    async with on_screen(session) as desk:
        await desk.pilot.pause()
        asked = [entry for entry in session.state.transcript if isinstance(entry, PromptEntry | AnswerEntry)]
        assert len(asked) == 2000
        assert len(list(desk.screen.walk_children())) <= 60
        assert "answer 999" in desk.text("chat")


@pytest.mark.parametrize("size", [(160, 48), (80, 24)])
async def test_a_session_with_a_past_is_shown_from_the_first_frame(size):
    async def work(_arguments, emit, _approve):
        return "done"

    provider = ScriptedProvider("fake", [answer(tool_call("a", "bash", {}), end()), answer(text("all done"), end())])
    session, _ = make_session(provider, toolbox=FakeToolbox(bash=work))
    session.notice("The last run ended in mid-turn.")
    session.submit("go")
    await session.wait_idle()
    session.notice("Something to know.")
    async with on_screen(session, size=size) as desk:
        assert "all done" in desk.text("chat")
        await desk.pilot.press("alt+3")
        await desk.pilot.pause()
        assert "Something to know." in desk.text("tools")
        assert "bash" in desk.text("tools")


def test_a_pane_that_has_no_size_yet_paints_nothing_and_does_not_fail():
    pane = ToolLogPane()
    session_state = SessionState(
        session_id="s", transcript=(NoticeEntry(message="hello", level=NoticeLevel.INFO, at=1.0),)
    )
    pane.sync(session_state)
    assert pane.row_count == 1
    assert pane._finished(0, 20, None).text.strip() == ""


@pytest.mark.parametrize(("asked", "said"), [(None, 0), ("llama.cpp/huge", 1)])
async def test_a_model_that_was_asked_for_and_cannot_be_had_is_said_aloud(asked, said):
    session, _ = make_session(ScriptedProvider("fake", []))
    session.bus.store._state = SessionState(session_id="s1", folder="/x")
    async with on_screen(session, problem="It has no such model.", asked_model=asked) as desk:
        await desk.pilot.pause(0.1)
        assert len(desk.app._notifications) == said


async def test_a_key_that_a_model_says_is_not_painted():
    remember_secret("sk-said-by-a-model-31337")
    said = answer(text("The key is sk-said-by-a-model-31337, keep it."), usage(100, 10), end())
    session, _ = make_session(ScriptedProvider("fake", [said]))
    async with on_screen(session) as desk:
        await desk.type("What is the key?")
        await desk.idle()
        assert "The key is [redacted], keep it." in desk.text("chat")

"""The mode: one key, one command, and a bar that tells the truth."""

from patchbay.app.engine.system_prompt import mode_note
from patchbay.app.tui.mode import choose_mode
from patchbay.app.tui.widgets.cost_bar import CostBar
from patchbay.providers.scripted import ScriptedProvider
from patchbay.tools.base import Mode
from support.screens import on_screen
from support.sessions import FakeToolbox, make_session


def test_one_step_after_the_other_and_round_again():
    session, _ = make_session(ScriptedProvider("fake", []))
    seen = [(choose_mode(session), session.state.mode)[1] for _ in range(4)]
    assert seen == [Mode.ACCEPT_EDITS, Mode.AUTO, Mode.PLAN, Mode.ASK]


def test_a_mode_that_cannot_be_had_is_skipped_and_why_is_said():
    toolbox = FakeToolbox()
    toolbox.sandboxed = False
    session, _ = make_session(ScriptedProvider("fake", []), toolbox=toolbox)
    choose_mode(session, "accept-edits")
    words = choose_mode(session)
    assert session.state.mode is Mode.PLAN
    assert "auto cannot be chosen: there is no sandbox here" in words
    assert "there is no sandbox here" in choose_mode(session, "auto")
    assert session.state.mode is Mode.PLAN
    assert choose_mode(session, "yolo").endswith("There are: plan, ask, accept-edits, auto")


async def test_the_key_and_the_command_change_what_the_bar_says():
    session, _ = make_session(ScriptedProvider("fake", []))
    async with on_screen(session, size=(80, 24)) as desk:
        await desk.pilot.press("f5")
        await desk.pilot.pause()
        assert desk.screen.query_one(CostBar).render().plain.rstrip().endswith(("edits", "edits · landlock"))
        await desk.type("/mode plan")
        await desk.pilot.pause(0.1)
        assert session.state.mode is Mode.PLAN


def test_only_plan_mode_is_told_to_the_model():
    assert "change nothing" in mode_note(Mode.PLAN)
    assert [mode_note(mode) for mode in Mode if mode is not Mode.PLAN] == ["", "", ""]

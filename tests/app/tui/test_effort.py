import pytest

from patchbay.app.tui.widgets.cost_bar import CostBar
from patchbay.providers.messages import Effort
from patchbay.providers.scripted import ScriptedProvider, answer, end, text
from support.screens import on_screen
from support.sessions import make_session


def shown(desk):
    return [note.message for note in desk.app._notifications]


async def test_a_key_goes_round_the_scale_and_the_bar_follows():
    session, _ = make_session(ScriptedProvider("fake", []))
    async with on_screen(session) as desk:
        seen = []
        for _ in Effort:
            await desk.pilot.press("f8")
            await desk.pilot.pause(0.1)
            seen.append(session.state.effort)
            named = f" {session.state.effort} " in desk.screen.query_one(CostBar).render().plain
            assert named == (session.state.effort is not Effort.DEFAULT)
        assert seen == [*list(Effort)[1:], Effort.DEFAULT]


@pytest.mark.parametrize(("command", "effort"), [("/effort HIGH", Effort.HIGH), ("/effort", Effort.OFF)])
async def test_the_command_takes_a_word_or_goes_on_by_one(command, effort):
    session, _ = make_session(ScriptedProvider("fake", []))
    async with on_screen(session) as desk:
        await desk.type(command)
        await desk.when(lambda: session.state.effort is effort)


async def test_a_word_that_is_none_changes_nothing_and_names_those_there_are():
    session, _ = make_session(ScriptedProvider("fake", []))
    async with on_screen(session) as desk:
        await desk.type("/effort extreme")
        assert session.state.effort is Effort.DEFAULT
        assert any("off, low, medium, high, max" in message for message in shown(desk))


async def test_requests_carry_what_was_chosen_and_what_is_known_of_the_model():
    asked = []

    def script(request):
        asked.append(request)
        return answer(text("ok"), end())

    session, _ = make_session(ScriptedProvider("fake", [script]))
    session.select_effort(Effort.LOW)
    session.submit("go")
    await session.wait_idle()
    (request,) = asked
    assert (request.effort, request.thinks, request.context_window) == (Effort.LOW, None, 8000)
    assert "Date: " in request.system_tail and "Date: " not in request.system

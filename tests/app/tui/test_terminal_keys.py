from textual import events
from textual._xterm_parser import XTermParser

from patchbay.app.tui.actions import ACTIONS
from patchbay.app.tui.terminal_keys import release_alt_digits
from patchbay.app.tui.widgets.prompt import Prompt
from patchbay.providers.scripted import ScriptedProvider
from support.screens import on_screen
from support.sessions import make_session


def received(sequence: str) -> list[events.Key]:
    parser = XTermParser()
    return [event for event in (*parser.feed(sequence), *parser.feed("")) if isinstance(event, events.Key)]


def keys_of(sequence: str) -> list[str]:
    return [event.key for event in received(sequence)]


def test_alt_and_a_digit_arrive_as_such_and_other_keys_as_before():
    release_alt_digits()
    release_alt_digits()
    assert keys_of("\x1b2") == ["alt+2"]
    assert keys_of("2") == ["2"]
    assert keys_of("\x1bOP") == ["f1"]


def test_alt_and_a_letter_of_an_action_arrives_in_terminals_of_the_old_protocol():
    letters = [key[-1] for action in ACTIONS for key in action.keys if len(key) == 5 and key.startswith("alt+")]
    release_alt_digits()
    assert letters and [keys_of(f"\x1b{letter}") for letter in letters] == [[f"alt+{letter}"] for letter in letters]


async def test_what_the_terminal_sends_for_alt_and_a_digit_types_nothing_and_goes_to_the_pane():
    session, _ = make_session(ScriptedProvider("fake", []))
    async with on_screen(session, size=(80, 24)) as desk:
        (event,) = received("\x1b2")
        desk.app.post_message(event)
        await desk.pilot.pause()
        assert desk.screen.query_one(Prompt).text == ""
        assert desk.screen.query_one("#diff").has_focus
        assert desk.screen.query_one("#diff").size.height > 5

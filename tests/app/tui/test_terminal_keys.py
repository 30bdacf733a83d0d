from textual import events
from textual._xterm_parser import XTermParser

from patchbay.app.tui.terminal_keys import release_alt_digits


def keys_of(sequence: str) -> list[str]:
    parser = XTermParser()
    received = [*parser.feed(sequence), *parser.feed("")]
    return [event.key for event in received if isinstance(event, events.Key)]


def test_alt_and_a_digit_arrive_as_such_and_other_keys_as_before():
    release_alt_digits()
    release_alt_digits()
    assert keys_of("\x1b2") == ["alt+2"]
    assert keys_of("2") == ["2"]
    assert keys_of("\x1bOP") == ["f1"]

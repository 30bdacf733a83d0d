from patchbay.app.tui.screen_text import ScreenTextStream, screen_text
from patchbay.providers.redact import PLACEHOLDER, remember_secret

KEY = "painted-key-90210"


def test_a_key_split_by_a_control_sequence_is_still_a_key():
    remember_secret(KEY)
    assert screen_text(f"it is {KEY[:5]}\x1b[31m{KEY[5:]}!") == f"it is {PLACEHOLDER}!"


def test_a_key_in_pieces_is_never_painted():
    remember_secret(KEY)
    stream = ScreenTextStream()
    shown = "".join(stream.feed(letter) for letter in f"it is \x1b[1m{KEY}.")
    assert shown + stream.flush() == f"it is {PLACEHOLDER}."

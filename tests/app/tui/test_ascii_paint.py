"""With signs that every terminal has, no other one reaches the terminal, whoever drew it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from patchbay.app.tui.ascii_paint import AsciiFilter
from patchbay.providers.scripted import ScriptedProvider, answer, end, text, usage
from support.screens import on_screen
from support.sessions import make_session, model

BLACK = Color(0, 0, 0)
SAID = "It’s “done” → next… │ ✓ ok ▏ ⠋ naïve 漢字\n\n| a | b |\n|---|---|\n| — | ≤ 3 |\n\n- one\n  - two\n"
SCREENS = ("f1", "f2", "alt+c", "alt+m", "alt+r", "ctrl+p")
MAIN = 2
"""Screens of the application when nothing is open over the main one."""


def painted(text: str) -> str:
    return "".join(each.text for each in AsciiFilter().apply([Segment(text, Style(bold=True))], BLACK))


@given(st.text(st.sampled_from("a é漢│─┌┼═▏▎█▁▅▀▔⠋…→←↑↓✓✗●○▸▾“”‘’—–−≤≥•·✎♥")))
def test_signs_become_ascii_of_the_same_width_and_letters_stay(text: str) -> None:
    plain = painted(text)
    assert cell_len(plain) == cell_len(text)
    assert [c for c in plain if not c.isascii()] == [c for c in text if c in "é漢"]
    assert painted(plain) == plain


def test_styles_stay_and_plain_text_is_not_made_anew() -> None:
    style = Style(bold=True)
    plain, sign = AsciiFilter().apply([plain_one := Segment("plain", style), Segment("→", style)], BLACK)
    assert plain is plain_one and sign == Segment(">", style)


@pytest.mark.parametrize("size", [(160, 48), (80, 24)])
async def test_every_screen_is_free_of_other_signs(size: tuple[int, int]) -> None:
    provider = ScriptedProvider("fake", [answer(text(SAID), usage(input_tokens=10, output_tokens=5), end())])
    session, _ = make_session(provider, select=model())
    async with on_screen(session, size=size, ascii=True) as desk:
        await desk.type("go")
        await desk.idle()
        seen = shown(desk.app)
        assert 'It\'s "done" > next~ | + ok | * naïve 漢字' in seen
        for key in SCREENS:
            await desk.pilot.press(key)
            await desk.when(lambda: len(desk.app.screen_stack) > MAIN)
            await desk.pilot.pause()
            seen += shown(desk.app)
            await desk.pilot.press("escape")
            await desk.when(lambda: len(desk.app.screen_stack) == MAIN)
    assert {c for c in seen if not c.isascii()} == set("ï漢字")


def shown(app) -> str:
    """What the terminal gets."""
    return "\n".join("".join(each.text for each in row) for row in app.screen._compositor.render_strips())

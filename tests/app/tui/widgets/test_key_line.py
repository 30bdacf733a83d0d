from textual.widgets import Static

from patchbay.app.tui.actions import ActionTable
from patchbay.app.tui.transcript.palette import ASCII_SIGNS
from patchbay.app.tui.widgets.help import HelpScreen
from patchbay.app.tui.widgets.key_line import key_line
from support.widget_app import WidgetApp


def test_keys_stand_out_and_arrows_are_words_on_poor_terminals() -> None:
    keys = (("↑ ↓", "rows"), ("Esc", "closes"))
    assert key_line(*keys).plain == "↑ ↓ rows   Esc closes"
    assert key_line(*keys, signs=ASCII_SIGNS).plain == "Up/Down rows   Esc closes"
    assert [str(span.style) for span in key_line(*keys).spans] == ["$text", "$muted"] * 2


async def test_the_title_of_the_help_has_no_arrows_there() -> None:
    app = WidgetApp(list)
    async with app.run_test() as pilot:
        await app.push_screen(HelpScreen(ActionTable(), signs=ASCII_SIGNS))
        await pilot.pause()
        assert "Up/Down scroll" in str(app.screen.query_one(".dialog-title", Static).render())

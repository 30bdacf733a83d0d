import pytest
from textual import events
from textual.pilot import Pilot

from patchbay.app.tui.actions import ActionTable
from patchbay.app.tui.widgets.completions import Completions
from patchbay.app.tui.widgets.prompt import MAX_ROWS, Prompt
from patchbay.app.tui.widgets.prompt_box import PromptBox
from support.widget_app import WidgetApp


class Typed:
    """A prompt in a bare app, what it sent and what it kept."""

    def __init__(self, *, history: list[str] | None = None, table: ActionTable | None = None) -> None:
        self.kept: list[str] = []
        self.table = table or ActionTable()
        self.prompt = Prompt(history=history or (), remember=self.kept.append)
        self.app = WidgetApp(lambda: [PromptBox(self.prompt, self.table)])
        self.app.set_keymap(self.table.keymap())

    def run(self, size: tuple[int, int] = (80, 24)):
        return self.app.run_test(size=size, message_hook=self.app.hear)

    async def press(self, pilot: Pilot, *keys: str) -> None:
        self.prompt.focus()
        await pilot.press(*keys)
        await pilot.pause()

    @property
    def sent(self) -> list[str]:
        seen: dict[int, str] = {id(m): m.text for m in self.app.messages(Prompt.Submitted)}
        return list(seen.values())

    async def paste(self, pilot: Pilot, text: str) -> None:
        self.prompt.post_message(events.Paste(text))
        await pilot.pause()


async def test_enter_sends_clears_and_keeps():
    typed = Typed()
    async with typed.run() as pilot:
        await typed.press(pilot, *"hello", "enter")
        assert typed.sent == ["hello"]
        assert typed.prompt.text == ""
        assert typed.kept == ["hello"]


async def test_enter_on_nothing_says_so_and_keeps_nothing():
    typed = Typed()
    async with typed.run() as pilot:
        await typed.press(pilot, "enter")
        assert typed.sent == [""]
        assert typed.kept == []


@pytest.mark.parametrize("key", ["shift+enter", "ctrl+j", "alt+enter"])
async def test_each_newline_key_makes_a_line_and_sends_nothing(key: str):
    typed = Typed()
    async with typed.run() as pilot:
        await typed.press(pilot, "a", key, "b")
        assert typed.prompt.text == "a\nb"
        assert typed.sent == []


async def test_a_backslash_at_the_end_is_a_newline_elsewhere_a_character():
    typed = Typed()
    async with typed.run() as pilot:
        await typed.press(pilot, "a", "backslash", "enter", "b")
        assert typed.prompt.text == "a\nb"
        await typed.press(pilot, "backslash", "left", "enter")
        assert typed.sent == ["a\nb\\"]


async def test_a_paste_of_many_lines_never_sends_and_stays_whole():
    typed = Typed()
    pasted = "def f():\r\n\treturn 1\r\n\r\nf()\n"
    async with typed.run() as pilot:
        await typed.paste(pilot, pasted)
        assert typed.prompt.text == "def f():\n\treturn 1\n\nf()\n"
        assert typed.sent == []
        await typed.press(pilot, "enter")
        assert typed.sent == ["def f():\n\treturn 1\n\nf()"]


async def test_a_pasted_escape_sequence_is_taken_out():
    typed = Typed()
    async with typed.run() as pilot:
        await typed.paste(pilot, "ls\x1b[201~\x1b]52;c;aaaa\x07 -l\u202e")
        assert typed.prompt.text == "ls -l⟨U+202E⟩"


async def test_a_large_paste_is_kept_to_the_last_character():
    typed = Typed()
    pasted = "\n".join(f"line {number} of a long log with some words in it" for number in range(20_000))
    async with typed.run() as pilot:
        await typed.paste(pilot, pasted)
        assert typed.prompt.text == pasted
        assert typed.prompt.size.height == MAX_ROWS


async def test_history_goes_back_and_forth_and_returns_to_the_draft():
    typed = Typed(history=["first", "second\nof two lines"])
    async with typed.run() as pilot:
        await typed.press(pilot, *"new", "up")
        assert typed.prompt.text == "second\nof two lines"
        await typed.press(pilot, "up", "up")
        assert typed.prompt.text == "first"
        await typed.press(pilot, "up")
        assert typed.prompt.text == "first"
        await typed.press(pilot, "down", "down")
        assert typed.prompt.text == "new"
        await typed.press(pilot, "down")
        assert typed.prompt.text == "new"


async def test_arrows_move_inside_a_text_of_several_rows():
    typed = Typed(history=["old"])
    async with typed.run() as pilot:
        await typed.press(pilot, "a", "ctrl+j", "b", "up", "x")
        assert typed.prompt.text == "ax\nb"
        await typed.press(pilot, "up")
        assert typed.prompt.text == "old"


async def test_a_wrapped_line_counts_as_rows_for_the_arrows():
    typed = Typed(history=["old"])
    async with typed.run(size=(30, 12)) as pilot:
        await typed.press(pilot, *("word " * 10))
        assert typed.prompt.size.height > 1
        await typed.press(pilot, "up")
        assert typed.prompt.text.startswith("word")


async def test_what_was_sent_is_the_newest_of_the_history_and_repeats_are_kept_once():
    typed = Typed(history=["same"])
    async with typed.run() as pilot:
        await typed.press(pilot, *"same", "enter", *"other", "enter", "up", "up")
        assert typed.prompt.text == "same"
        assert typed.kept == ["other"]


async def test_it_grows_to_eight_rows_shrinks_again_and_lays_out_only_then():
    typed = Typed()
    async with typed.run() as pilot:
        await typed.press(pilot, "a")
        assert typed.prompt.size.height == 1
        await typed.press(pilot, *["ctrl+j"] * 3)
        assert typed.prompt.size.height == 4
        await typed.press(pilot, *["ctrl+j"] * 9)
        assert typed.prompt.size.height == MAX_ROWS
        before = typed.prompt.styles.height
        await typed.press(pilot, *"more")
        assert typed.prompt.styles.height is before
        await typed.press(pilot, "enter")
        assert typed.prompt.size.height == 1


async def test_the_slash_offers_commands_and_tab_completes():
    typed = Typed()
    async with typed.run() as pilot:
        offered = typed.app.query_one(Completions)
        assert not offered.display
        await typed.press(pilot, *"/mod")
        assert offered.display
        row = typed.app.screen_text()[offered.region.y]
        assert row.split() == [">", "/model", "[provider/model]", "Switch", "model", "Ctrl+O"]
        await typed.press(pilot, "down", "tab")
        assert typed.prompt.text == "/mode "
        await typed.press(pilot, *["backspace"] * 2, "tab")
        assert typed.prompt.text == "/model "
        assert not offered.display
        assert typed.sent == []


async def test_enter_takes_the_first_command_that_is_offered():
    typed = Typed()
    async with typed.run() as pilot:
        await typed.press(pilot, *"/ret", "enter")
        assert typed.sent == ["/retry"]


async def test_a_path_is_no_command():
    typed = Typed()
    async with typed.run() as pilot:
        await typed.press(pilot, *"/usr/bin", "enter")
        assert typed.sent == ["/usr/bin"]


async def test_the_persons_keys_count():
    typed = Typed(table=ActionTable.remapped({"prompt.submit": ["f9"], "prompt.newline": ["enter"]}))
    async with typed.run() as pilot:
        await typed.press(pilot, "a", "enter", "b")
        assert typed.prompt.text == "a\nb"
        await typed.press(pilot, "f9")
        assert typed.sent == ["a\nb"]


async def test_the_editor_is_asked_for_with_the_text():
    typed = Typed()
    async with typed.run() as pilot:
        await typed.press(pilot, *"draft", "ctrl+g")
        assert {message.text for message in typed.app.messages(Prompt.EditRequested)} == {"draft"}
        typed.prompt.replace_all("from the editor\nsecond")
        assert typed.prompt.cursor_location == (1, 6)


async def test_paging_and_copying_nothing_are_left_to_the_screen():
    typed = Typed()
    async with typed.run() as pilot:
        await typed.press(pilot, *"abc")
        assert typed.prompt.check_action("cursor_page_up", ()) is False
        assert typed.prompt.check_action("copy", ()) is False
        typed.prompt.select_all()
        assert typed.prompt.check_action("copy", ()) is True

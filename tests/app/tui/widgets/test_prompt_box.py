import asyncio

from textual import events

from patchbay.app.tui.actions import ActionTable
from patchbay.app.tui.completing import PathSource
from patchbay.app.tui.widgets.completions import LOW_ROWS, Completions
from patchbay.app.tui.widgets.prompt import Prompt
from patchbay.app.tui.widgets.prompt_box import PromptBox
from support.widget_app import WidgetApp

FILES = ["README.md", "src/app.py", "src/parser.py", "src/my notes.md", "tests/test_parser.py", "a/b/deep.txt"]


class Box:
    """A prompt with files to mention, in a bare app."""

    def __init__(
        self, files=FILES, *, gate: asyncio.Event | None = None, values=lambda _action: (), history=()
    ) -> None:
        async def look():
            if gate is not None:
                await gate.wait()
            return files

        self.source = PathSource(look)
        self.prompt = Prompt(history=history)
        self.app = WidgetApp(
            lambda: [PromptBox(self.prompt, ActionTable(), files=self.source, values=values)],
        )

    def run(self, size=(80, 24)):
        return self.app.run_test(size=size, message_hook=self.app.hear)

    async def type(self, pilot, *keys: str) -> None:
        self.prompt.focus()
        await pilot.press(*keys)
        await self.settled(pilot)

    async def settled(self, pilot) -> None:
        await pilot.pause()
        await self.app.workers.wait_for_complete()
        await pilot.pause()

    @property
    def popup(self) -> Completions:
        return self.app.query_one(Completions)

    @property
    def offered(self) -> list[str]:
        return [choice.text for choice in self.popup.choices]

    @property
    def sent(self) -> list[str]:
        return list({id(m): m.text for m in self.app.messages(Prompt.Submitted)}.values())


async def test_the_at_sign_offers_files_and_letters_narrow_them():
    box = Box()
    async with box.run() as pilot:
        await box.type(pilot, *"see @")
        assert box.offered == ["a/", "src/", "tests/", "README.md"]
        await box.type(pilot, *"pars")
        assert box.offered == ["src/parser.py", "tests/test_parser.py"]
        text = box.app.screen_text()
        assert " > src/parser.py" in text[box.popup.region.y]
        assert box.popup.region.height == 2


async def test_tab_and_enter_put_the_chosen_one_in_and_do_not_send():
    box = Box()
    async with box.run() as pilot:
        await box.type(pilot, *"see @pars", "tab")
        assert box.prompt.text == "see @src/parser.py "
        assert not box.popup.display
        await box.type(pilot, *"and @pars", "down", "enter")
        assert box.prompt.text == "see @src/parser.py and @tests/test_parser.py "
        assert box.sent == []
        await box.type(pilot, "enter")
        assert box.sent == ["see @src/parser.py and @tests/test_parser.py"]


async def test_a_whole_path_is_sent_at_once():
    box = Box()
    async with box.run() as pilot:
        await box.type(pilot, *"@src/app.py", "enter")
        assert box.sent == ["@src/app.py"]


async def test_a_path_with_blanks_is_quoted_and_a_folder_is_written_on():
    box = Box()
    async with box.run() as pilot:
        await box.type(pilot, *"@notes", "tab")
        assert box.prompt.text == '@"src/my notes.md" '
        box.prompt.replace_all("")
        await box.type(pilot, *"@te", "down", "tab")
        assert box.prompt.text in ("@tests/", "@tests/test_parser.py ")
        box.prompt.replace_all("")
        await box.type(pilot, *"@tests", "tab")
        assert box.prompt.text == "@tests/"
        assert "tests/test_parser.py" in box.offered


async def test_a_mention_in_the_middle_is_completed_in_place():
    box = Box()
    async with box.run() as pilot:
        box.prompt.replace_all("look at @app now\nsecond line")
        box.prompt.move_cursor((0, 12))
        await box.settled(pilot)
        assert box.offered[0] == "src/app.py"
        await box.type(pilot, "tab")
        assert box.prompt.text == "look at @src/app.py now\nsecond line"


async def test_escape_closes_it_until_another_word_and_arrows_are_history_again():
    box = Box(history=["before"])
    async with box.run() as pilot:
        await box.type(pilot, *"@a", "escape")
        assert not box.popup.display
        await box.type(pilot, "p")
        assert not box.popup.display
        await box.type(pilot, *" @a")
        assert box.popup.display
        await box.type(pilot, "escape", "up")
        assert box.prompt.text == "before"


async def test_a_prompt_from_the_history_opens_no_list():
    box = Box(history=["one", "see @src"])
    async with box.run() as pilot:
        await box.type(pilot, "up")
        assert box.prompt.text == "see @src"
        assert not box.popup.display
        await box.type(pilot, "up")
        assert box.prompt.text == "one"


async def test_nothing_is_offered_for_lines_addresses_and_what_fits_nothing():
    box = Box()
    async with box.run() as pilot:
        for text in ("@src/app.py:1", "me@exa", "@zzzz"):
            box.prompt.replace_all(text)
            await box.settled(pilot)
            assert not box.popup.display, text
        await box.type(pilot, "enter")
        assert box.sent == ["@zzzz"]


async def test_keys_faster_than_the_search_use_the_newest_letters():
    box = Box()
    async with box.run() as pilot:
        await box.type(pilot, "@")
        box.prompt.insert("deep")
        box.prompt.action_submit()
        await box.settled(pilot)
        assert box.prompt.text == "@a/b/deep.txt "


async def test_while_names_are_looked_up_enter_sends_and_the_list_says_so():
    gate = asyncio.Event()
    box = Box(gate=gate)
    async with box.run() as pilot:
        box.prompt.focus()
        await pilot.press(*"@ap")
        await pilot.pause()
        assert "looking for files" in box.app.screen_text()[box.popup.region.y]
        await pilot.press("enter")
        gate.set()
        await box.settled(pilot)
        assert box.sent == ["@ap"]
        assert not box.popup.display


async def test_names_are_looked_up_again_when_they_may_be_out_of_date():
    now = [0.0]
    looks = []

    async def look():
        looks.append(now[0])
        return ["a.py"]

    source = PathSource(look, clock=lambda: now[0])
    assert source.stale
    await asyncio.gather(source.refresh(), source.refresh())
    assert looks == [0.0]
    now[0] = 4.0
    assert not source.stale
    now[0] = 6.0
    assert source.stale
    await source.refresh()
    assert looks == [0.0, 6.0]


async def test_a_long_list_scrolls_with_the_chosen_row():
    box = Box([f"file{number:02}.py" for number in range(30)])
    async with box.run() as pilot:
        await box.type(pilot, *"@file")
        assert box.popup.region.height == LOW_ROWS
        await box.type(pilot, *["down"] * 7)
        rows = box.app.screen_text()[box.popup.region.y : box.popup.region.bottom]
        assert rows[-1].strip() == "> file07.py"
        await box.type(pilot, *["up"] * 8)
        assert box.popup.choices[box.popup.chosen].text == "file29.py"


async def test_the_argument_of_a_command_is_offered():
    box = Box(values=lambda action: ["fake/one", "fake/two", "other/one"] if action == "session.switch_model" else [])
    async with box.run() as pilot:
        await box.type(pilot, *"/model two")
        assert box.offered == ["/model fake/two"]
        await box.type(pilot, "enter")
        assert box.sent == ["/model fake/two"]
        await box.type(pilot, *"/model ")
        assert len(box.offered) == 3
        await box.type(pilot, "enter")
        assert box.sent[-1] == "/model"


async def test_a_command_of_ones_own_looks_like_one():
    box = Box()
    async with box.run() as pilot:
        await box.type(pilot, *"!ls")
        assert box.app.query_one(PromptBox).has_class("own-command")
        assert "goes with the next prompt" in box.app.screen_text()[box.popup.region.y]
        await box.type(pilot, "home", "!")
        assert "no model ever sees" in box.app.screen_text()[box.popup.region.y]
        await box.type(pilot, *["delete"] * 4, *["backspace"] * 4)
        assert not box.app.query_one(PromptBox).has_class("own-command")
        assert not box.popup.display


async def test_a_dropped_image_becomes_a_mention(tmp_path):
    shot = tmp_path / "my shot.png"
    shot.write_bytes(b"x")
    box = Box()
    async with box.run() as pilot:
        for pasted in (
            str(shot),
            f"'{shot}'",
            str(shot).replace(" ", "\\ ") + " ",
            f"file://{str(shot).replace(' ', '%20')}",
        ):
            box.prompt.replace_all("")
            box.prompt.post_message(events.Paste(pasted))
            await pilot.pause()
            assert box.prompt.text == f'@"{shot}" ', pasted
        for pasted in (f"{tmp_path}/gone.png", f"see {shot}", "/etc/passwd"):
            box.prompt.replace_all("")
            box.prompt.post_message(events.Paste(pasted))
            await pilot.pause()
            assert box.prompt.text == pasted

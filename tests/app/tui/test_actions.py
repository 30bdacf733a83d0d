from typing import ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.widgets import TextArea

from patchbay.app.tui.actions import ACTIONS, Action, ActionTable, KeymapError, bindings, key_label


def test_ids_slash_commands_and_the_shown_hints_are_unique_and_complete():
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
    commands = [action.slash for action in ACTIONS if action.slash]
    assert len(set(commands)) == len(commands)
    assert {"model", "retry", "help", "quit", "cost", "tokens"} <= set(commands)
    assert all(action.hint for action in ACTIONS if action.show)
    assert all(action.keys or action.slash for action in ACTIONS)


def test_no_two_actions_get_the_same_key_press():
    assert list(ActionTable().clashes()) == []


def test_the_prompt_and_the_global_keys_leave_the_editing_keys_alone():
    editing = {key.strip() for binding in TextArea.BINDINGS for key in binding.key.split(",")}
    passed_on = {"ctrl+c", "up", "down", "pageup", "pagedown"}
    ours = {key for action in ACTIONS if action.context in ("global", "prompt") for key in action.keys}
    assert ours & editing <= passed_on
    assert not any(len(key) == 1 for key in ours), "a bare letter belongs to the text"


def test_a_letter_does_the_same_in_each_pane():
    meanings: dict[str, set[str]] = {}
    for action in ACTIONS:
        if action.context == "sessions":  # no pane: a screen of its own, with its keys below it
            continue
        for key in action.keys:
            if len(key) == 1:
                meanings.setdefault(key, set()).add(action.name)
    assert {key: names for key, names in meanings.items() if len(names) > 1} == {}


def test_a_clash_is_named_with_both_actions():
    with pytest.raises(KeymapError, match=r'Ctrl\+P is on both "app.command_palette" and "session.retry"'):
        ActionTable.remapped({"session.retry": ["ctrl+p"]})


def test_a_key_may_move_when_the_action_that_had_it_moves_too():
    table = ActionTable.remapped({"session.retry": ["ctrl+p"], "app.command_palette": ["f12"]})
    assert table.keymap() == {"session.retry": "ctrl+p", "app.command_palette": "f12"}


def test_the_switcher_may_use_keys_of_the_screen_below_it():
    table = ActionTable.remapped({"switcher.leave": ["ctrl+o", "escape"]})
    assert table["switcher.leave"].keys == ("ctrl+o", "escape")


@pytest.mark.parametrize(
    ("action_id", "key", "message"),
    [
        ("session.swich_model", "ctrl+n", 'no action "session.swich_model". Did you mean session.switch_model'),
        ("zzz", "ctrl+n", r"The key help \(F1\) names them all"),
        ("session.retry", "crtl+n", r"no key is called 'crtl\+n'. Write it as ctrl\+o"),
        ("session.retry", "ctrl+nope", "no key is called"),
        ("session.retry", "", "no key is called"),
        ("session.retry", "x", "x types a character in the prompt"),
        ("session.retry", "shift+x", "types a character"),
        ("session.retry", "ctrl+w", r"Ctrl\+W edits the text in the prompt. Use a function key"),
    ],
)
def test_keys_that_cannot_be_used_say_why_and_what_to_do(action_id: str, key: str, message: str):
    with pytest.raises(KeymapError, match=message):
        ActionTable.remapped({action_id: [key]})


@pytest.mark.parametrize(
    ("written", "key"), [("Ctrl+N", "ctrl+n"), (" F12 ", "f12"), ("shift+ctrl+f8", "ctrl+shift+f8"), ("alt+x", "alt+x")]
)
def test_keys_are_taken_in_any_usual_spelling(written: str, key: str):
    assert ActionTable.remapped({"session.retry": [written]})["session.retry"].keys == (key,)


def test_a_pane_may_have_letters_and_signs():
    table = ActionTable.remapped({"diff.next": ["]", "N"], "diff.previous": ["["]})
    assert table["diff.next"].keys == ("right_square_bracket", "N")
    assert table["diff.previous"].keys == ("left_square_bracket",)


def test_an_action_may_lose_its_keys():
    table = ActionTable.remapped({"view.next_theme": []})
    assert table["view.next_theme"].keys == ()
    assert table.keymap() == {"view.next_theme": "f24"}


def test_slash_commands_are_found_by_their_beginning_and_parsed_with_an_argument():
    table = ActionTable()
    assert [action.slash for action in table.matching_commands("/mo")] == ["model", "mode"]
    assert len(table.matching_commands("/")) == len(table.commands)
    assert table.matching_commands("/model x") == ()
    assert table.matching_commands("model") == ()
    parsed = table.parse_command("  /Model openrouter/qwen/qwen3 ")
    assert parsed == (table["session.switch_model"], "openrouter/qwen/qwen3")
    assert table.parse_command("/usr/bin is full") is None
    assert table.parse_command("what is /model?") is None


@pytest.mark.parametrize(
    ("key", "label"),
    [("ctrl+o", "Ctrl+O"), ("escape", "Esc"), ("J", "J"), ("j", "j"), ("alt+1", "Alt+1"), ("f2", "F2")],
)
def test_keys_are_written_as_people_know_them(key: str, label: str):
    assert key_label(key) == label


class _Keyed(App[None]):
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("global")]

    def __init__(self, table: ActionTable) -> None:
        super().__init__()
        self.done: list[str] = []
        self.set_keymap(table.keymap())

    def compose(self) -> ComposeResult:
        yield TextArea()

    def action_retry(self) -> None:
        self.done.append("retry")

    def action_switch_model(self) -> None:
        self.done.append("switch")


async def test_bindings_call_the_action_methods_and_follow_the_persons_keys():
    app = _Keyed(ActionTable.remapped({"session.retry": ["f9"], "session.switch_model": []}))
    async with app.run_test() as pilot:
        await pilot.press("ctrl+r", "ctrl+o", "f2", "f9")
    assert app.done == ["retry"]


async def test_the_usual_keys_work_without_any_settings():
    app = _Keyed(ActionTable())
    async with app.run_test() as pilot:
        await pilot.press("ctrl+r", "ctrl+o", "f2")
    assert app.done == ["retry", "switch", "switch"]


def test_an_actions_method_is_named_after_its_id():
    assert Action(id="diff.next_file", title="").name == "next_file"

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from patchbay.app.engine.state import SessionState
from patchbay.app.tui.actions import ActionTable
from patchbay.app.tui.widgets.approval import ApprovalBar
from patchbay.app.tui.widgets.approval_content import preview_lines
from patchbay.app.tui.widgets.deaf import DEAF_SECONDS
from patchbay.tools.events import ApprovalRequested, Decision
from support.session_states import question
from support.widget_app import WidgetApp

DIFF = "--- a/parser.py\n+++ b/parser.py\n@@ -1,2 +1,2 @@\n import csv\n-old\n+new"


class Asked:
    """The bar in a bare app, with a clock that moves only by hand."""

    def __init__(self) -> None:
        self.now = 50.0
        self.bar = ApprovalBar(ActionTable(), clock=lambda: self.now)
        self.app = WidgetApp(lambda: [self.bar])

    def run(self, size: tuple[int, int] = (100, 30)):
        return self.app.run_test(size=size, message_hook=self.app.hear)

    async def ask(self, pilot: Pilot, *questions: ApprovalRequested, wait: float = 1.0) -> None:
        self.bar.sync(SessionState(approvals=questions))
        self.bar.focus()
        await pilot.pause()
        self.now += wait

    async def press(self, pilot: Pilot, *keys: str) -> None:
        await pilot.press(*keys)
        await pilot.pause()

    @property
    def answers(self) -> list[tuple[str, Decision, str]]:
        seen = {id(m): (m.approval_id, m.decision, m.comment) for m in self.app.messages(ApprovalBar.Answered)}
        return list(seen.values())

    def text(self) -> str:
        return "\n".join(self.app.screen_text())


@pytest.mark.parametrize(
    ("key", "decision"),
    [("y", Decision.ONCE), ("s", Decision.SESSION), ("p", Decision.ALWAYS), ("n", Decision.DENY)],
)
async def test_each_key_gives_its_answer(key: str, decision: Decision):
    asked = Asked()
    async with asked.run() as pilot:
        await asked.ask(pilot, question())
        await asked.press(pilot, key)
        assert asked.answers == [("a1", decision, "")]


async def test_it_says_what_why_and_which_keys():
    asked = Asked()
    async with asked.run() as pilot:
        await asked.ask(pilot, question(), question("a2"))
        text = asked.text()
    assert "● bash  pytest -q   +1 more waiting" in text
    assert "runs a command: no rule allows it yet" in text
    assert 'y once   s this session   p always "pytest *"   n no   c comment' in text


async def test_no_pattern_no_always():
    asked = Asked()
    async with asked.run() as pilot:
        await asked.ask(pilot, question(pattern=None))
        assert "always" not in asked.text()
        await asked.press(pilot, "p")
        assert asked.answers == []


async def test_no_answer_is_taken_before_the_question_was_seen():
    asked = Asked()
    async with asked.run() as pilot:
        await asked.ask(pilot, question(), wait=DEAF_SECONDS - 0.01)
        await asked.press(pilot, "y")
        assert asked.answers == []
        asked.now += DEAF_SECONDS + 0.01
        await asked.press(pilot, "y")
        assert asked.answers == [("a1", Decision.ONCE, "")]


async def test_who_types_on_answers_nothing_until_they_stop():
    asked = Asked()
    async with asked.run() as pilot:
        await asked.ask(pilot, question(), wait=0.0)
        for key in "say yes please":
            await asked.press(pilot, "space" if key == " " else key)
            asked.now += 0.2
        assert asked.answers == []
        assert not asked.bar.commenting
        asked.now += DEAF_SECONDS
        await asked.press(pilot, "n")
        assert asked.answers == [("a1", Decision.DENY, "")]


async def test_the_next_question_is_deaf_again():
    asked = Asked()
    async with asked.run() as pilot:
        await asked.ask(pilot, question("a1"), question("a2"))
        await asked.press(pilot, "y")
        await asked.ask(pilot, question("a2"), wait=0.0)
        await asked.press(pilot, "y")
        assert [answer[0] for answer in asked.answers] == ["a1"]


async def test_a_sync_without_change_does_not_make_it_deaf_or_move_the_preview():
    asked = Asked()
    long = question(preview="\n".join(f"line {n}" for n in range(40)))
    async with asked.run() as pilot:
        await asked.ask(pilot, long)
        await asked.press(pilot, "down", "down")
        await asked.ask(pilot, long, wait=0.0)
        assert "line 2" in asked.text()
        assert "line 1\n" not in asked.text()
        await asked.press(pilot, "y")
        assert len(asked.answers) == 1


async def test_a_comment_is_written_in_place_and_denies():
    asked = Asked()
    async with asked.run() as pilot:
        await asked.ask(pilot, question())
        await asked.press(pilot, "c")
        assert asked.bar.commenting
        assert "Enter no, with this comment   Esc back" in asked.text()
        await asked.press(pilot, *"use yes", "enter")
        assert asked.answers == [("a1", Decision.DENY, "use yes")]


async def test_escape_leaves_the_comment_and_keeps_the_question():
    asked = Asked()
    async with asked.run() as pilot:
        await asked.ask(pilot, question())
        await asked.press(pilot, "c", "y", "escape")
        assert not asked.bar.commenting
        assert asked.answers == []
        assert asked.app.focused is asked.bar
        await asked.press(pilot, "c")
        assert asked.app.query_one(Input).value == ""


async def test_the_bar_comes_and_goes_with_the_question():
    asked = Asked()
    async with asked.run() as pilot:
        assert not asked.bar.display
        await asked.ask(pilot, question())
        assert asked.bar.display
        assert asked.app.messages(ApprovalBar.Appeared)
        await asked.ask(pilot)
        assert not asked.bar.display
        assert asked.app.messages(ApprovalBar.Gone)


async def test_a_question_that_goes_while_commenting_takes_the_comment_with_it():
    asked = Asked()
    async with asked.run() as pilot:
        await asked.ask(pilot, question("a1"))
        await asked.press(pilot, "c", "x")
        await asked.ask(pilot, question("a2"))
        assert not asked.bar.commenting
        await asked.press(pilot, "y")
        assert asked.answers == [("a2", Decision.ONCE, "")]


async def test_a_long_preview_scrolls_to_its_end_and_no_further():
    asked = Asked()
    async with asked.run() as pilot:
        await asked.ask(pilot, question(preview="\n".join(f"line {n}" for n in range(20))))
        assert "1-8 of 20 lines" in asked.text()
        await asked.press(pilot, *["pagedown"] * 5)
        assert "13-20 of 20 lines" in asked.text()
        assert "line 19" in asked.text()
        await asked.press(pilot, *["pageup"] * 5)
        assert "1-8 of 20 lines" in asked.text()


async def test_nothing_in_a_question_is_hidden_or_obeyed():
    nasty = question(
        title="rm \x1b[8mx\nls", reason="[bold]r[/]", preview="echo \u202ehi\x07\r[red]a", pattern="rm\u200b *"
    )
    asked = Asked()
    async with asked.run() as pilot:
        await asked.ask(pilot, nasty)
        text = asked.text()
    assert "rm ⟨U+001B⟩[8mx↵ls" in text
    assert "[bold]r[/]" in text
    assert "echo ⟨U+202E⟩hi⟨U+0007⟩⟨U+000D⟩[red]a" in text
    assert 'always "rm⟨U+200B⟩ *"' in text
    assert "\x1b" not in text


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_all_keys_fit_on_the_screen(size: tuple[int, int]):
    asked = Asked()
    async with asked.run(size) as pilot:
        await asked.ask(
            pilot, question(pattern="a very long pattern that goes on and on for ever and ever *", preview=DIFF)
        )
        row = next(row for row in asked.app.screen_text() if "y once" in row)
    assert row.rstrip().endswith("h hunks")


@pytest.mark.parametrize(("width", "spelled_out"), [(80, True), (140, False)])
async def test_a_pattern_too_long_for_the_keys_is_spelled_out_above(width: int, spelled_out: bool):
    asked = Asked()
    async with asked.run((width, 24)) as pilot:
        await asked.ask(pilot, question(reason="asks", pattern="bash:git commit --amend *"))
        text = asked.text()
    assert ('asks; always means "bash:git commit --amend *"' in text) is spelled_out
    assert ('p always "bash:git commit --amend *"' in text) is not spelled_out


def test_a_diffs_header_is_left_out_only_when_it_says_nothing_new():
    assert preview_lines(question(title="parser.py", preview=DIFF))[0] == "@@ -1,2 +1,2 @@"
    assert preview_lines(question(title="other.py", preview=DIFF))[0] == "--- a/parser.py"
    assert preview_lines(question(title="parser.py", preview="--- a\n+++ b")) == ["--- a", "+++ b"]
    assert preview_lines(question(preview="")) == []


LOUD = {"reason": "deletes everything (rule: loud)", "confirm": "delete", "preview": "rm -rf ~/work"}


async def test_a_loud_question_takes_no_key_for_a_yes():
    asked = Asked()
    async with asked.run() as pilot:
        await asked.ask(pilot, question(**LOUD))
        text = asked.text()
        assert 'y type "delete" for yes   n no   c comment' in text
        assert "this session" not in text and "always" not in text
        assert asked.bar.has_class("loud")
        await asked.press(pilot, "s", "p", "y")
        assert asked.answers == []
        await asked.press(pilot, *"delet", "enter")
        assert asked.answers == []
        assert 'That is not "delete".' in asked.text()
        await asked.press(pilot, "e", "enter")
        assert asked.answers == [("a1", Decision.ONCE, "")]


async def test_escape_answers_a_loud_question_with_nothing_and_n_with_no():
    asked = Asked()
    async with asked.run() as pilot:
        await asked.ask(pilot, question(**LOUD))
        await asked.press(pilot, "y", *"delete", "escape")
        assert asked.answers == []
        assert asked.app.focused is asked.bar
        await asked.press(pilot, "y", "enter")
        assert asked.answers == []
        await asked.press(pilot, "escape", "n")
        assert asked.answers == [("a1", Decision.DENY, "")]


async def test_a_loud_question_is_deaf_first_and_the_next_one_is_quiet_again():
    asked = Asked()
    async with asked.run() as pilot:
        await asked.ask(pilot, question(**LOUD), wait=DEAF_SECONDS - 0.01)
        await asked.press(pilot, "y")
        assert not asked.bar.commenting
        await asked.ask(pilot, question("a2"))
        assert not asked.bar.has_class("loud")


async def test_the_whole_command_can_be_read_whatever_its_length():
    command = "echo " + "x" * 3000 + " ; rm -rf ~"
    asked = Asked()
    async with asked.run((80, 24)) as pilot:
        await asked.ask(pilot, question(**(LOUD | {"preview": command})))
        seen: dict[str, None] = {}
        for _ in range(60):
            seen |= dict.fromkeys(
                row.strip("▌ ") for row in asked.app.screen_text() if "xxxx" in row or "rm -rf" in row
            )
            await asked.press(pilot, "down")
        assert any(row.endswith("rm -rf ~") for row in seen)


async def test_a_diff_offers_its_hunks_and_a_command_does_not():
    asked = Asked()
    async with asked.run() as pilot:
        await asked.ask(pilot, question(preview=DIFF))
        assert "h hunks" in asked.text()
        await asked.press(pilot, "h")
        assert len(asked.app.messages(ApprovalBar.HunksWanted)) >= 1
        await asked.ask(pilot, question("a2"))
        assert "h hunks" not in asked.text()

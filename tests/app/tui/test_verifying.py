"""/verify on the real screen: key, command, progress, Esc."""

from pathlib import Path

import pytest

from patchbay.app.engine.verify_events import VerifyOutcome
from patchbay.app.tui.widgets.check_list import CheckList
from support.screens import on_screen
from support.verifying import LINT, MEND_LINT, MEND_TEST, PYTHON, running_in, verify_session

SLOW = f"{PYTHON} -c 'import time; time.sleep(600)'"


@pytest.mark.parametrize("size", [(160, 48), (80, 24)])
async def test_the_key_runs_the_checks_until_they_are_green(tmp_path: Path, size: tuple[int, int]) -> None:
    session, _, _ = verify_session(tmp_path, [*MEND_TEST, *MEND_LINT])
    async with on_screen(session, size=size) as desk:
        await desk.pilot.pause(0.1)
        await desk.pilot.press("alt+v")
        await desk.when(lambda: desk.screen.query_one(CheckList).display)
        await desk.idle()
        assert session.state.verification.outcome is VerifyOutcome.GREEN
        shown = desk.text("chat")
        assert "Verify: 2 checks, the model mends up to 3 times" in shown
        assert "Verify, round 2 of 3: mend what fails: lint.py." in shown
        assert "Verify: green after 2 rounds, all 2 checks pass." in shown
        assert "patchbay-note" not in shown
        assert not desk.screen.query_one(CheckList).display


async def test_esc_stops_it_and_nothing_is_left(tmp_path: Path) -> None:
    session, _, _ = verify_session(tmp_path, [], checks=(SLOW, LINT))
    async with on_screen(session) as desk:
        await desk.type("/verify")
        await desk.when(lambda: bool(session.state.active_runs))
        await desk.pilot.press("escape")
        await desk.idle()
        assert session.state.verification.outcome is VerifyOutcome.CANCELLED
        assert "Verify: cancelled. Nothing of it runs any more." in desk.text("chat")
    assert running_in(tmp_path / "work") == []


async def test_the_number_of_rounds_is_taken_from_the_command(tmp_path: Path) -> None:
    session, _, provider = verify_session(tmp_path, [])
    async with on_screen(session) as desk:
        await desk.type("/verify 0")
        await desk.idle()
        assert "unittest and lint.py failed." in desk.text("chat")
        assert provider.requests == []
        await desk.type("/verify many")
        assert session.state.verification.rounds == 0 and not session.busy
        toast = next(iter(desk.app._notifications))
        assert toast.message == "/verify takes a number of rounds from 0 (only check) to 50, not 'many'."


async def test_a_question_about_a_check_is_answered_where_all_are(tmp_path: Path) -> None:
    session, _, _ = verify_session(tmp_path, [], checks=(f"{PYTHON} -c pass",), rules=())
    async with on_screen(session) as desk:
        await desk.type("/verify 0")
        await desk.when(lambda: bool(session.state.approvals))
        await desk.pilot.pause(0.5)  # no answer is taken in the first moment
        await desk.pilot.press("y")
        await desk.idle()
        assert session.state.verification.outcome is VerifyOutcome.GREEN

"""/verify on a real project, with the real tools and a scripted model: where it ends, and that nothing is left."""

import asyncio
from pathlib import Path

import pytest

from patchbay.app.engine.codec import decode_stamped, encode
from patchbay.app.engine.events import NoticePosted, PromptSubmitted, ToolActivity, TurnOutcome
from patchbay.app.engine.repair import repair
from patchbay.app.engine.review_events import HunkReviewed, ReviewVerdict
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.app.engine.verify import Verifier
from patchbay.app.engine.verify_events import (
    CheckFinished,
    CheckOutcome,
    CheckStarted,
    VerifyEnded,
    VerifyOutcome,
    VerifyStarted,
)
from patchbay.providers.events import ErrorKind
from patchbay.providers.messages import TextBlock, UserMessage
from patchbay.providers.scripted import answer, fail, text
from patchbay.tools.events import ApprovalRequested, Decision
from support.sessions import cost_of, until
from support.verifying import LINT, MEND_LINT, MEND_TEST, PYTHON, TESTS, idle_turn, running_in, verify_session


def ran(recording) -> list[tuple[int, int, str]]:
    """Round, check and outcome of every run, in order."""
    return [(each.round, each.index, each.outcome.value) for each in recording.of(CheckFinished)]


def said(request) -> str:
    """The newest thing the model was told."""
    newest = next(m for m in reversed(request.messages) if isinstance(m, UserMessage))
    return "\n".join(block.text for block in newest.blocks if isinstance(block, TextBlock))


async def test_green_after_two_rounds_when_the_model_mends_one_each(tmp_path: Path) -> None:
    session, recording, _ = verify_session(tmp_path, [*MEND_TEST, *MEND_LINT])
    assert session.verify() == ""
    assert await session.wait_idle() is TurnOutcome.DONE
    # What failed is run again first, and everything once nothing fails.
    assert ran(recording) == [
        *[(0, 0, "failed"), (0, 1, "failed")],
        *[(1, 0, "passed"), (1, 1, "failed")],
        *[(2, 1, "passed"), (2, 0, "passed")],
    ]
    (ended,) = recording.of(VerifyEnded)
    assert (ended.outcome, ended.rounds) == (VerifyOutcome.GREEN, 2)
    assert ended.message == "Verify: green after 2 rounds, all 2 checks pass."
    assert session.state.verification.outcome is VerifyOutcome.GREEN
    assert [run.outcome for run in session.state.verification.checks] == [CheckOutcome.PASSED] * 2


async def test_the_model_is_told_by_the_program_what_failed_and_how(tmp_path: Path) -> None:
    session, recording, provider = verify_session(tmp_path, [*MEND_TEST, *MEND_LINT])
    session.verify()
    await session.wait_idle()
    first = said(provider.requests[0])
    assert first.startswith("<patchbay-note>\nFrom the program, not from the user:")
    assert "AssertionError: -1 != 5" in first and "F401 os imported but unused" in first
    assert f"`{TESTS}`" in first and "(exit 1)" in first
    second = said(provider.requests[2])
    assert "F401" in second and "AssertionError" not in second
    prompts = recording.of(PromptSubmitted)
    assert [prompt.by_program for prompt in prompts] == [True, True]
    assert prompts[0].text == "Verify, round 1 of 3: mend what fails: " + " and ".join(names(session)) + "."


def names(session) -> list[str]:
    return [run.check.name for run in session.state.verification.checks]


async def test_it_stops_at_the_round_limit_and_says_so(tmp_path: Path) -> None:
    session, recording, provider = verify_session(tmp_path, [*idle_turn(), *MEND_TEST], rounds=3)
    session.verify(2)
    assert await session.wait_idle() is TurnOutcome.FAILED
    (ended,) = recording.of(VerifyEnded)
    assert (ended.outcome, ended.rounds) == (VerifyOutcome.ROUND_LIMIT, 2)
    assert ended.message == f"Verify: stopped after 2 rounds; {names(session)[1]} still failed."
    assert len(provider.requests) == 3


async def test_no_progress_is_said_to_person_and_model(tmp_path: Path) -> None:
    session, recording, provider = verify_session(tmp_path, [*idle_turn(), *idle_turn(), *idle_turn()], rounds=2)
    session.verify()
    await session.wait_idle()
    notices = [event.message for event in recording.of(NoticePosted)]
    assert sum("in the same way as before the last change: no progress" in notice for notice in notices) == 2
    assert "did not help" not in said(provider.requests[0])
    assert "it did not help. Look for another cause" in said(provider.requests[1])
    assert recording.of(VerifyEnded)[0].message.endswith("still failed, in the same way as the round before.")


async def test_rounds_0_only_checks(tmp_path: Path) -> None:
    session, recording, provider = verify_session(tmp_path, [])
    session.verify(0)
    assert await session.wait_idle() is TurnOutcome.FAILED
    assert recording.of(VerifyEnded)[0].outcome is VerifyOutcome.RED
    assert provider.requests == []


async def test_a_green_project_asks_no_model(tmp_path: Path) -> None:
    session, recording, provider = verify_session(tmp_path, [], checks=(f"{PYTHON} -c pass",))
    session.verify()
    assert await session.wait_idle() is TurnOutcome.DONE
    assert recording.of(VerifyEnded)[0].message == "Verify: green, the check passes."
    assert provider.requests == []


async def test_the_plan_is_said_before_anything_runs(tmp_path: Path) -> None:
    session, recording, _ = verify_session(tmp_path, [], checks=(f"{PYTHON} -c pass",))
    session.verify()
    await session.wait_idle()
    kinds = [type(event) for event in recording.events]
    assert kinds.index(VerifyStarted) < kinds.index(CheckStarted) < kinds.index(ToolActivity)
    shown = session.state.transcript[0].message
    assert shown.startswith("Verify: 1 check, the model mends up to 3 times") and f"{PYTHON} -c pass" in shown


async def test_nothing_to_check_is_said_with_the_way_out(tmp_path: Path) -> None:
    session, recording, _ = verify_session(tmp_path, [], checks=())
    session.verify()
    assert await session.wait_idle() is TurnOutcome.FAILED
    assert recording.of(VerifyEnded)[0].outcome is VerifyOutcome.NO_CHECKS
    assert "[verify]\nchecks = " in recording.of(VerifyEnded)[0].message


async def test_cancel_leaves_nothing_running(tmp_path: Path) -> None:
    """The check starts a child in a session of its own; both are gone when the turn is over."""
    child = "import os,time; os.setsid() if os.getpid() != os.getsid(0) else None; time.sleep(600)"
    (tmp_path / "work").mkdir()
    script = (
        f"import subprocess,sys,os,time\nchild = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "open('pids.tmp', 'w').write(f'{os.getpid()} {child.pid}'); os.rename('pids.tmp', 'pids')\ntime.sleep(600)\n"
    )
    (tmp_path / "work" / "slow.py").write_text(script)
    session, recording, provider = verify_session(tmp_path, [], checks=(f"{PYTHON} slow.py", LINT))
    session.verify()
    pids = tmp_path / "work" / "pids"
    await until(pids.exists)
    assert session.busy and session.state.active_runs[0].name == "bash"
    assert len(running_in(tmp_path / "work")) >= 2 or not Path("/proc").is_dir()
    assert session.cancel()
    assert await session.wait_idle() is TurnOutcome.CANCELLED
    assert session.state.active_runs == () and not session.busy
    assert ran(recording) == [(0, 0, "cancelled")]
    assert recording.of(VerifyEnded)[0].outcome is VerifyOutcome.CANCELLED
    assert running_in(tmp_path / "work") == []
    assert provider.requests == []


async def test_cancel_while_the_model_mends_ends_the_whole(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def held(request):
        for event in answer(text("I am at it")):
            yield event
        await gate.wait()

    session, recording, _ = verify_session(tmp_path, [held])
    session.verify()
    await until(lambda: session.state.answer is not None and session.state.answer.parts)
    session.cancel()
    assert await session.wait_idle() is TurnOutcome.CANCELLED
    assert recording.of(VerifyEnded)[0].outcome is VerifyOutcome.CANCELLED
    assert len(ran(recording)) == 2


async def test_a_turn_that_fails_ends_it(tmp_path: Path) -> None:
    steps = [answer(fail(ErrorKind.AUTHENTICATION, "the key is wrong"))]
    session, recording, _ = verify_session(tmp_path, steps)
    session.verify()
    assert await session.wait_idle() is TurnOutcome.FAILED
    ended = recording.of(VerifyEnded)[0]
    assert (ended.outcome, ended.rounds) == (VerifyOutcome.TURN_FAILED, 1)


@pytest.mark.parametrize(
    ("turn", "outcome"),
    [
        (TurnOutcome.BUDGET, VerifyOutcome.BUDGET),
        (TurnOutcome.STEP_LIMIT, VerifyOutcome.TURN_FAILED),
        (TurnOutcome.CANCELLED, VerifyOutcome.CANCELLED),
        (TurnOutcome.FAILED, VerifyOutcome.TURN_FAILED),
    ],
)
async def test_how_a_turn_ends_decides(tmp_path: Path, turn: TurnOutcome, outcome: VerifyOutcome) -> None:
    """A turn that the budget stopped is not followed by another, nor by a check."""
    session, recording, _ = verify_session(tmp_path, [])
    turns: list[TurnOutcome] = []

    async def run_turn() -> TurnOutcome:
        turns.append(turn)
        return turn

    verifier = Verifier(
        session.bus,
        session._verifier.rules,
        toolbox=session._toolbox,
        approve=session._ask,
        durable=session._durable,
        run_turn=run_turn,
    )
    assert await verifier.run(3) is outcome
    assert turns == [turn]
    assert {each[0] for each in ran(recording)} == {0}
    if outcome is VerifyOutcome.BUDGET:
        assert recording.of(VerifyEnded)[0].message.startswith("Verify: stopped at the budget; ")


async def test_checks_ask_like_any_command_and_a_no_is_no_failure(tmp_path: Path) -> None:
    session, recording, provider = verify_session(tmp_path, [], rules=())
    session.verify()
    for _ in range(2):
        await until(lambda: session.state.approvals != ())
        asked = session.state.approvals[0]
        assert asked.name == "bash" and "rule: commands ask" in asked.reason
        session.resolve(asked.approval_id, Decision.DENY)
        await until(lambda known=asked: known not in session.state.approvals)
    assert await session.wait_idle() is TurnOutcome.FAILED
    assert [each[2] for each in ran(recording)] == ["denied", "denied"]
    assert recording.of(VerifyEnded)[0].outcome is VerifyOutcome.INCOMPLETE
    assert provider.requests == []
    asked_runs = [e.event.run_id for e in recording.of(ToolActivity) if isinstance(e.event, ApprovalRequested)]
    assert asked_runs == [each.run_id for each in recording.of(CheckStarted)]


async def test_a_program_that_is_not_installed_is_nothing_to_mend(tmp_path: Path) -> None:
    checks = ("no-such-linter-here .", f"{PYTHON} -c pass")
    session, recording, provider = verify_session(tmp_path, [], checks=checks)
    session.verify()
    await session.wait_idle()
    assert [each[2] for each in ran(recording)] == ["missing", "passed"]
    ended = recording.of(VerifyEnded)[0]
    assert ended.outcome is VerifyOutcome.INCOMPLETE
    assert ended.message.startswith("Verify: not run: no-such-linter-here (not installed); 1 passed. Install what")
    assert provider.requests == []


async def test_a_check_that_takes_too_long_has_failed(tmp_path: Path) -> None:
    slow = f"{PYTHON} -c 'import time; time.sleep(60)'"
    session, recording, _ = verify_session(tmp_path, [], checks=(slow,), timeout_s=1)
    session.verify(0)
    await session.wait_idle()
    assert [each[2] for each in ran(recording)] == ["timeout"]
    assert recording.of(VerifyEnded)[0].outcome is VerifyOutcome.RED


async def test_auto_follows_a_turn_that_changed_files(tmp_path: Path) -> None:
    session, recording, _ = verify_session(tmp_path, [*MEND_TEST, *MEND_LINT, *idle_turn()], auto=True)
    session.submit("mend add")
    assert await session.wait_idle() is TurnOutcome.DONE
    assert ran(recording) == [(0, 0, "passed"), (0, 1, "failed"), (1, 1, "passed"), (1, 0, "passed")]
    session.submit("look")
    await session.wait_idle()
    assert len(recording.of(VerifyStarted)) == 1


async def test_auto_does_not_follow_a_review_of_what_was_changed_before(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def held(_request):
        for event in idle_turn()[0]:
            yield event
            await gate.wait()

    session, recording, _ = verify_session(tmp_path, [*MEND_TEST, *MEND_LINT, held], auto=True)
    session.submit("mend add")
    await session.wait_idle()
    session.submit("look")
    await until(lambda: session.state.answer is not None)
    accepted = HunkReviewed(path="calc.py", hunk=0, hunks=1, diff="-a\n+b", verdict=ReviewVerdict.ACCEPTED)
    assert await session.review(accepted) == ""
    gate.set()
    assert await session.wait_idle() is TurnOutcome.DONE
    assert len(recording.of(VerifyStarted)) == 1


async def test_a_prompt_sent_meanwhile_goes_along(tmp_path: Path) -> None:
    session, recording, provider = verify_session(tmp_path, [*MEND_TEST, *MEND_LINT])
    session.verify()
    session.submit("keep it short")
    await session.wait_idle()
    prompts = recording.of(PromptSubmitted)
    assert [prompt.by_program for prompt in prompts] == [True, False, True]
    assert "keep it short" in said(provider.requests[0])
    assert session.state.queued == ()


async def test_only_one_thing_at_a_time(tmp_path: Path) -> None:
    session, _, _ = verify_session(tmp_path, [], checks=(f"{PYTHON} -c pass",))
    assert session.verify() == ""
    assert "stop it first" in session.verify()
    await session.wait_idle()


async def test_its_journal_replays_to_the_same_state(tmp_path: Path) -> None:
    session, recording, _ = verify_session(tmp_path, [*MEND_TEST, *MEND_LINT])
    session.verify()
    await session.wait_idle()
    store = SessionStore(SessionState(session_id="s1"))
    for stamped in recording.stamped:
        store.apply(decode_stamped(encode(stamped)))
    assert store.state == session.state


async def test_a_process_that_died_meanwhile_leaves_no_open_verification(tmp_path: Path) -> None:
    session, recording, _ = verify_session(tmp_path, [])
    check = session._verifier.rules.find()
    session.bus.publish(VerifyStarted(verify_id="v1", checks=check, rounds=3))
    session.bus.publish(CheckStarted(verify_id="v1", index=0, round=0, run_id="check-1"))
    repair(session.bus, cost_of)
    assert session.state.verification.outcome is VerifyOutcome.INTERRUPTED
    assert repair(session.bus, cost_of) is False
    assert len(recording.of(VerifyEnded)) == 1

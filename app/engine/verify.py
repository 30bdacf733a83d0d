"""/verify: run the project's checks, let the model mend what fails, and run them again, up to a number of rounds.

Every check is a call of the ``bash`` tool: the same policy, question, sandbox and undo as if the model had made it.
What failed is run again first; only when that passes do the others follow, and only when all of them pass after the
last change is the project green. The model hears of failures in a prompt that is marked as the program's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from ...tools.base import Approve, Toolbox
from ...tools.events import ApprovalRequested, ApprovalResolved, Outcome, ToolEvent, ToolRunFinished
from .bus import MessageBus
from .check_report import CheckResult, fingerprint, program_missing, report
from .closing import not_finished, of_no_call
from .events import (
    NoticePosted,
    PromptSubmitted,
    TurnOutcome,
)
from .ids import new_id
from .verify_events import (
    DEFAULT_ROUNDS,
    DEFAULT_TIMEOUT_S,
    Check,
    CheckFinished,
    CheckOutcome,
    CheckStarted,
    VerifyEnded,
    VerifyOutcome,
    VerifyStarted,
)

CHECK_TOOL = "bash"
_RESULT_BYTES = 60_000
_NO_CHECKS = (
    "No checks were found in this folder. Name them in your settings, for example:\n"
    '[verify]\nchecks = ["make test", "ruff check"]'
)
_CANCELLED = VerifyOutcome.CANCELLED, "Verify: cancelled. Nothing of it runs any more."


def no_checks() -> tuple[Check, ...]:
    """Nothing to run."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRules:
    """What a verification runs, and how long it tries."""

    find: Callable[[], tuple[Check, ...]] = no_checks
    """The checks of the project as it is now. Reads files and runs nothing; called in a thread."""
    rounds: int = DEFAULT_ROUNDS
    """How often the model is asked at most, unless the person says otherwise."""
    timeout_s: int = DEFAULT_TIMEOUT_S
    """Seconds one check may take."""
    auto: bool = False
    """Verify after each turn that changed files."""


class Verifier:
    """Runs verifications of one session. ``run_turn`` runs one turn of the model on the prompts there are."""

    def __init__(
        self,
        bus: MessageBus,
        rules: VerifyRules,
        *,
        toolbox: Toolbox,
        approve: Approve,
        durable: Callable[[], Awaitable[None]],
        run_turn: Callable[[], Awaitable[TurnOutcome]],
    ) -> None:
        self.rules = rules
        self._bus = bus
        self._toolbox = toolbox
        self._approve = approve
        self._durable = durable
        self._run_turn = run_turn

    async def run(self, rounds: int | None = None) -> VerifyOutcome:
        """Verify once; ``rounds`` 0 only checks. Cancelling the task ends it in an orderly way, as ``CANCELLED``."""
        run = _Run(
            verify_id=new_id("verify"),
            limit=self.rules.rounds if rounds is None else rounds,
            results={},
        )
        outcome, message = VerifyOutcome.INTERRUPTED, "Verify: broke off inside Patchbay."
        try:
            run.checks = await asyncio.to_thread(self.rules.find)
            self._bus.publish(VerifyStarted(verify_id=run.verify_id, checks=run.checks, rounds=run.limit))
            await self._durable()
            outcome, message = await self._rounds(run)
        except asyncio.CancelledError:
            outcome, message = _CANCELLED
        finally:
            ended = VerifyEnded(verify_id=run.verify_id, outcome=outcome, rounds=run.round, message=message)
            self._bus.publish(ended)
        return outcome

    async def _rounds(self, run: "_Run") -> tuple[VerifyOutcome, str]:
        """Check, and as long as there is something to mend and a round left, have it mended and check again."""
        if not run.checks:
            return VerifyOutcome.NO_CHECKS, _NO_CHECKS
        before = ""
        while True:
            await self._check(run)
            failing = run.failing
            if not failing:
                return _all_passed(run)
            names = _names(failing)
            if run.limit == 0:
                return VerifyOutcome.RED, f"Verify: {names} failed."
            now = fingerprint(failing)
            stuck = now == before
            if stuck:
                said = f"Verify: {names} failed in the same way as before the last change: no progress."
                self._bus.publish(NoticePosted(message=said))
            if run.round == run.limit:
                same = ", in the same way as the round before" if stuck else ""
                times = "1 round" if run.limit == 1 else f"{run.limit} rounds"
                return VerifyOutcome.ROUND_LIMIT, f"Verify: stopped after {times}; {names} still failed{same}."
            before = now
            run.round += 1
            ended = await self._mend(run, failing, stuck=stuck)
            if (stopped := _stopped(ended, names)) is not None:
                return stopped

    async def _mend(self, run: "_Run", failing: Sequence[CheckResult], *, stuck: bool) -> TurnOutcome:
        """One turn of the model about what failed."""
        model = self._bus.store.state.model
        window = None if model is None else model.context_window
        self._bus.publish(
            PromptSubmitted(
                prompt_id=new_id("prompt"),
                text=f"Verify, round {run.round} of {run.limit}: mend what fails: {_names(failing)}.",
                by_program=True,
                note=report(failing, window=window, stuck=stuck),
            )
        )
        await self._durable()
        return await self._run_turn()

    async def _check(self, run: "_Run") -> None:
        """Run what failed before, or everything; and the rest only when that passes."""
        again = [index for index, result in run.results.items() if result.failing]
        for index in again or range(len(run.checks)):
            if index not in run.skipped:
                run.results[index] = await self._run_check(run, index)
        if not again or run.failing:
            return
        for index in range(len(run.checks)):
            if index not in again and index not in run.skipped:
                run.results[index] = await self._run_check(run, index)

    async def _run_check(self, run: "_Run", index: int) -> CheckResult:
        check, run_id = run.checks[index], new_id("check")
        self._bus.publish(CheckStarted(verify_id=run.verify_id, index=index, round=run.round, run_id=run_id))
        started_at = self._bus.now
        try:
            finished = await self._toolbox.run(
                run_id=run_id,
                name=CHECK_TOOL,
                arguments={"command": check.command, "timeout_s": self.rules.timeout_s},
                emit=self._publish_tool,
                approve=self._ask,
                max_result_bytes=_RESULT_BYTES,
            )
        except asyncio.CancelledError:
            self._publish_tool(not_finished(run_id, Outcome.CANCELLED, "Cancelled by the user."))
            self._publish_result(run, index, CheckOutcome.CANCELLED, "cancelled", self._bus.now - started_at)
            raise
        self._publish_tool(finished)
        outcome = _outcome(finished)
        summary = "not installed" if outcome is CheckOutcome.MISSING else finished.summary
        self._publish_result(run, index, outcome, summary, finished.duration_s)
        if outcome in (CheckOutcome.DENIED, CheckOutcome.MISSING):
            run.skipped.add(index)
        await self._durable()
        return CheckResult(check=check, outcome=outcome, summary=summary, output=finished.content)

    def _publish_result(self, run: "_Run", index: int, outcome: CheckOutcome, summary: str, duration_s: float) -> None:
        self._bus.publish(
            CheckFinished(
                verify_id=run.verify_id,
                index=index,
                round=run.round,
                outcome=outcome,
                summary=summary,
                duration_s=duration_s,
            )
        )

    async def _ask(self, question: ApprovalRequested) -> ApprovalResolved:
        self._publish_tool(question)
        answer = await self._approve(question)
        self._publish_tool(answer)
        await self._durable()
        return answer

    def _publish_tool(self, event: ToolEvent) -> None:
        """What happens in a check. No turn, request or call of a model stands behind it."""
        self._bus.publish(of_no_call(event))


@dataclass(slots=True, kw_only=True)
class _Run:
    """A verification in the making."""

    verify_id: str
    limit: int
    results: dict[int, CheckResult]
    checks: tuple[Check, ...] = ()
    round: int = 0
    """How often the model was asked."""
    skipped: set[int] = field(default_factory=set[int])
    """Checks that cannot be run, and are not tried again."""

    @property
    def failing(self) -> list[CheckResult]:
        """What there is to mend, in the order of the checks."""
        return [self.results[index] for index in sorted(self.results) if self.results[index].failing]


def _outcome(finished: ToolRunFinished) -> CheckOutcome:
    match finished.outcome:
        case Outcome.OK:
            return CheckOutcome.PASSED
        case Outcome.DENIED:
            return CheckOutcome.DENIED
        case Outcome.TIMEOUT:
            return CheckOutcome.TIMEOUT
        case Outcome.CANCELLED | Outcome.INTERRUPTED:
            return CheckOutcome.CANCELLED
        case Outcome.ERROR:
            missing = program_missing(finished.exit_status, finished.content)
            return CheckOutcome.MISSING if missing else CheckOutcome.FAILED


def _all_passed(run: _Run) -> tuple[VerifyOutcome, str]:
    """Nothing fails: green, unless something could not be run."""
    open_ones = [run.results[index] for index in sorted(run.skipped)]
    passed = sum(result.outcome is CheckOutcome.PASSED for result in run.results.values())
    if not open_ones:
        after = {0: "", 1: " after 1 round"}.get(run.round, f" after {run.round} rounds")
        what = "the check passes" if passed == 1 else f"all {passed} checks pass"
        return VerifyOutcome.GREEN, f"Verify: green{after}, {what}."
    why = ", ".join(f"{result.check.name} ({result.summary})" for result in open_ones)
    rest = f"; {passed} passed" if passed else ""
    missing = any(result.outcome is CheckOutcome.MISSING for result in open_ones)
    hint = " Install what is missing, or name your own checks: [verify] checks in the settings." if missing else ""
    return VerifyOutcome.INCOMPLETE, f"Verify: not run: {why}{rest}.{hint}"


def _stopped(ended: TurnOutcome, names: str) -> tuple[VerifyOutcome, str] | None:
    """How a turn that did not end well ends the verification; None when there is something new to check."""
    match ended:
        case TurnOutcome.DONE:
            return None
        case TurnOutcome.CANCELLED:
            return _CANCELLED
        case TurnOutcome.BUDGET:
            return VerifyOutcome.BUDGET, f"Verify: stopped at the budget; {names} still failed."
        case TurnOutcome.STEP_LIMIT:
            return VerifyOutcome.TURN_FAILED, f"Verify: stopped at the step limit of a turn; {names} still failed."
        case TurnOutcome.FAILED | TurnOutcome.INTERRUPTED:
            return VerifyOutcome.TURN_FAILED, f"Verify: stopped, the model's turn failed; {names} still failed."


def _names(results: Sequence[CheckResult]) -> str:
    """``tests and ruff``."""
    *most, last = [result.check.name for result in results]
    return f"{', '.join(most)} and {last}" if most else last

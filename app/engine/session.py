"""A session: the facade of the user interfaces. Intents go in as plain calls, everything comes out of the store."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from ...providers.base import ModelInfo
from ...providers.messages import ChatRequest, Effort
from ...tools.base import Checkpoints, Mode, Toolbox, UndoUnit
from ...tools.events import ApprovalRequested, ApprovalResolved, Decision, HunkAnswer, ToolEvent
from .budget import BudgetGate, ReadSpending
from .budget_events import BudgetChoice, BudgetScope, BudgetSet
from .bus import MessageBus
from .closing import of_no_call
from .compacting import Compacting
from .defects import report
from .events import (
    Attachment,
    EffortSelected,
    InstructionFile,
    InstructionsLoaded,
    ModelSelected,
    ModeSelected,
    NoticeLevel,
    NoticePosted,
    PromptQueued,
    PromptSubmitted,
    PromptsWithdrawn,
    TurnOutcome,
)
from .folder_instructions import FindNested
from .handoff import Prepare
from .history import needs_answer
from .ids import new_id
from .ledger import CostOf
from .no_checkpoints import NoCheckpoints
from .own_commands import OwnCommands, RunOwn
from .preview import Preview, preview
from .recovery import NoRecovery, Recovery
from .restoring import Restoring
from .review_events import HunkReviewed, ReviewVerdict
from .runner import TurnRunner
from .state import PromptEntry, SessionState
from .verify import Verifier, VerifyRules
from .verify_events import VerifyOutcome
from .wiring import Directory, Stale, Wiring


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the composition root hands to a session."""

    directory: Directory
    toolbox: Toolbox
    prepare: Prepare
    cost_of: CostOf
    step_limit: int = 50
    durable: Callable[[], Awaitable[None]] | None = None
    """Waits until everything published is on disk; None for a session kept in memory."""
    recovery: Recovery = field(default_factory=NoRecovery)
    """What is tried again, and which model goes on instead."""
    run_own: RunOwn | None = None
    """Runs commands of the person's own; None where none can be run."""
    checkpoints: Checkpoints = field(default_factory=NoCheckpoints)
    """What tools did to files, and the way back."""
    verify: VerifyRules = field(default_factory=VerifyRules)
    """The project's checks."""
    compacting: Compacting = field(default_factory=Compacting)
    """When room is made in the model's window."""
    stale: Stale | None = None
    nested: FindNested | None = None
    """What sub-folders say of the files a tool touched; None where that does not count."""
    read_spending: ReadSpending | None = None
    """What other sessions spent, for budgets of days and months; None where there is no ledger."""


class Session:
    """One conversation in one folder."""

    def __init__(self, bus: MessageBus, parts: Parts) -> None:
        self.bus = bus
        self._durable = parts.durable or _at_once
        self._toolbox = parts.toolbox
        self._cost_of = parts.cost_of
        self._questions: dict[str, asyncio.Future[ApprovalResolved]] = {}
        self._turn: asyncio.Task[TurnOutcome] | None = None
        self._closing = False
        self._held = self.state.queued
        """Prompts that wait since an earlier run: nothing sends them but the person."""
        self.checkpoints = parts.checkpoints
        self._own = OwnCommands(bus, parts.run_own, self._durable)
        self._restoring = Restoring(bus, parts.checkpoints, self._durable)
        self._budget = BudgetGate(bus, parts.cost_of, durable=self._durable, read=parts.read_spending)
        self._runner = TurnRunner(
            bus,
            Wiring(
                directory=parts.directory,
                toolbox=parts.toolbox,
                prepare=parts.prepare,
                cost_of=parts.cost_of,
                approve=self._ask,
                durable=self._durable,
                step_limit=parts.step_limit,
                recovery=parts.recovery,
                checkpoints=parts.checkpoints,
                compacting=parts.compacting,
                stale=parts.stale,
                nested=parts.nested,
                budget=self._budget,
            ),
        )
        self._verifier = Verifier(
            bus,
            parts.verify,
            toolbox=parts.toolbox,
            approve=self._ask,
            durable=self._durable,
            run_turn=self._runner.run,
        )

    @property
    def state(self) -> SessionState:
        """The newest state."""
        return self.bus.store.state

    @property
    def folder(self) -> Path:
        """The workspace."""
        return Path(self.state.folder)

    @property
    def busy(self) -> bool:
        """True while a turn runs, a command of the person's own does, or files are put back."""
        return self._restoring.active or self._turn_runs or self._own.active

    @property
    def _turn_runs(self) -> bool:
        return self._turn is not None and not self._turn.done()

    def submit(self, text: str, attachments: tuple[Attachment, ...] = ()) -> None:
        """Send a prompt with what goes along. While a turn runs it is queued and delivered after the current tool."""
        if not text.strip():
            return
        prompt_id = new_id("prompt")
        if self.busy or self.state.queued:  # what waited since an earlier run goes first, in its order
            self.bus.publish(PromptQueued(prompt_id=prompt_id, text=text, attachments=attachments))
        else:
            self.bus.publish(PromptSubmitted(prompt_id=prompt_id, text=text, attachments=attachments))
        if not self.busy:
            self._start()

    def run_command(self, command: str, *, private: bool) -> str:
        """Run a command of the person's own, unasked. Returns why that cannot be; empty when it runs.

        Its output goes along with the next prompt, unless it is ``private``. A prompt that is sent meanwhile waits
        for its end.
        """
        if not self._own.available:
            return "Commands cannot be run here."
        if self._own.active:
            return "A command of yours is running: wait for its end, or stop it (Esc)."
        if self.busy:
            return "A turn is running: wait for its end, or stop it (Esc), before you run a command."
        self._own.start(command, private=private, ended=self._send_what_waits)
        return ""

    def retry(self) -> bool:
        """Ask for the missing or broken answer again, and send what waits. False when there is nothing to do (yet)."""
        if self.busy or not (self.state.queued or needs_answer(self.state)):
            return False
        self._start()
        return True

    def verify(self, rounds: int | None = None) -> str:
        """Run the project's checks and let the model mend what fails, up to ``rounds`` times (None: as set).

        Returns why that cannot be; empty when it has begun. ``cancel`` stops it, ``wait_idle`` waits for its end.
        """
        if self.busy:
            return "A turn runs: stop it first (Esc), or wait for its end."
        self._start(self._verify(rounds))
        return ""

    def withdraw(self) -> tuple[PromptEntry, ...]:
        """Take back the prompts that wait and were not sent yet; returns them, oldest first."""
        queued = self.state.queued
        if queued:
            self.bus.publish(PromptsWithdrawn(prompt_ids=tuple(entry.prompt_id for entry in queued)))
        return queued

    def cancel(self) -> bool:
        """Stop what runs: the stream is closed, tools are killed, the history stays valid. False when idle."""
        if self._own.cancel():
            return True
        if not self._turn_runs or self._turn is None:
            return False
        self._turn.cancel()
        return True

    def compact(self, focus: str = "") -> str:
        """Let a summary stand for the older part of the conversation. Returns why that cannot be.

        It runs like a turn: it can be cancelled, and prompts that are sent meanwhile wait for its end.
        """
        if self.busy:
            return "A turn runs, and makes room by itself when it must: wait for its end, or stop it (Esc)."
        if self.state.model is None:
            return "No model is selected."
        self._start(self._runner.compact(focus))
        return ""

    async def look_at_files(self) -> None:
        """Find out which files the model was given have changed since."""
        await self._runner.look_at_files()

    def next_request(self) -> ChatRequest | None:
        """The request as it would be sent now; None without a model."""
        model = self.state.model
        return None if model is None else self._runner.requests.next(model).request

    def select_model(self, model: ModelInfo, dialect: str) -> None:
        """Let another model answer from the next request on, also in mid-turn."""
        self.bus.publish(ModelSelected(model=model, dialect=dialect))
        self._runner.hurry()
        self._budget.look_again(BudgetChoice.MODEL)

    def set_budget(self, scope: BudgetScope, limit: Decimal | None) -> None:
        """Set a limit in USD, also while a request waits for it; None takes it away."""
        self.bus.publish(BudgetSet(scope=scope, limit=limit))
        self._budget.look_again(BudgetChoice.RAISE)

    def answer_budget(self, choice: BudgetChoice) -> bool:
        """Let a request that waits for its budget go, or end the turn. False when none waits."""
        return self._budget.answer(choice)

    def preview(self, model: ModelInfo, dialect: str, *, rate: float | None = None) -> Preview:
        """What the next request would be with that model. Takes as long as building it: call it from a thread.

        ``rate`` is how many tokens its server counted elsewhere for one that was estimated.
        """
        build, now = self._runner.requests.next, self.bus.now
        return preview(self.state, model, dialect, build=build, cost_of=self._cost_of, now=now, rate=rate)

    def select_effort(self, effort: Effort) -> None:
        """Let models think this much from the next request on."""
        self.bus.publish(EffortSelected(effort=effort))

    def instruct(self, files: tuple[InstructionFile, ...]) -> bool:
        """Give models these standing instructions from the next request on. False when they have them already."""
        if files == self.state.instructions:
            return False
        self.bus.publish(InstructionsLoaded(files=files))
        return True

    def select_mode(self, mode: Mode) -> str:
        """Let tools do this much unasked from the next call on. Returns why that cannot be; empty when it is done."""
        problem = self._toolbox.select_mode(mode)
        if not problem:
            self.bus.publish(ModeSelected(mode=mode, protection=self._toolbox.protection()))
        return problem

    async def review(self, review: HunkReviewed, *, left: str | None = None, wanted: str | None = None) -> str:
        """Take a person's word on a hunk of a finished change. Returns why that cannot be; empty when it is done.

        ``REVERTED`` changes the file: ``left`` is its text as the session left it, ``wanted`` the same without the
        hunk (None: no file). The lines of anybody else are never touched.
        """
        if review.verdict is ReviewVerdict.REVERTED:
            if self.busy:
                return "A turn is running: wait for its end, or stop it, before you take a hunk back."
            problem = await self._toolbox.revert_hunk(
                run_id=new_id("review"), path=review.path, left=left, wanted=wanted, emit=self._publish_review
            )
            if problem:
                return problem
        self.bus.publish(review)
        await self._durable()
        return ""

    def _publish_review(self, event: ToolEvent) -> None:
        """What a review did to a file. No turn, request or call of a model stands behind it."""
        self.bus.publish(of_no_call(event))

    def resolve(
        self, approval_id: str, decision: Decision, comment: str = "", hunks: tuple[HunkAnswer, ...] = ()
    ) -> bool:
        """Answer an approval question. False when nobody waits for that answer (any more)."""
        question = self._questions.get(approval_id)
        waiting = next((each for each in self.state.approvals if each.approval_id == approval_id), None)
        if question is None or question.done() or waiting is None:
            return False
        question.set_result(
            ApprovalResolved(
                approval_id=approval_id, run_id=waiting.run_id, decision=decision, comment=comment, hunks=hunks
            )
        )
        return True

    async def finish_restoring(self) -> str:
        """Finish what a dead process had begun to put back; for a resumed session. Returns why not."""

        async def finish() -> str:
            await self._restoring.finish()
            return ""

        return await self._put_back(finish())

    async def undo(self, unit: UndoUnit = UndoUnit.TURN) -> str:
        """Put the files back that the newest turn (or prompt) changed. Returns why not; empty when it is done."""
        return await self._put_back(self._restoring.undo(unit))

    async def redo(self) -> str:
        """Take back the newest undo or rewind of files. Returns why not; empty when it is done."""
        return await self._put_back(self._restoring.redo())

    async def rewind(self, prompt_id: str, *, files: bool, conversation: bool) -> str:
        """Go back to before a prompt was sent. Returns why not; empty when it is done."""
        return await self._put_back(self._restoring.rewind(prompt_id, files=files, conversation=conversation))

    async def _put_back(self, work: Coroutine[None, None, str]) -> str:
        """Do it unless something runs; a prompt that is sent meanwhile starts its turn afterwards."""
        if self.busy:
            work.close()
            return "A turn runs: stop it first (Esc), or wait for its end."
        try:
            return await self._restoring.run(work)
        finally:
            self._send_what_waits()

    def notice(self, message: str, level: NoticeLevel = NoticeLevel.INFO, *, quotes: bool = False) -> None:
        """Put a notice where it happened in the conversation; it is not sent to a model. See ``NoticePosted``."""
        self.bus.publish(NoticePosted(message=message, level=level, quotes=quotes))

    async def wait_idle(self) -> TurnOutcome | None:
        """Wait for the running turn, if one runs, and return how it ended."""
        if self._turn is None:
            return None
        turn = self._turn
        await asyncio.wait([turn])
        # A task cancelled before its first step never ran: there is nothing to settle.
        return TurnOutcome.CANCELLED if turn.cancelled() else turn.result()

    async def aclose(self) -> None:
        """Cancel what runs and wait until everything is on disk. A prompt that is queued stays queued there."""
        self._closing = True
        self.checkpoints.close()
        if self.cancel() and self._turn is not None:
            await asyncio.wait([self._turn])
        await self._own.wait()
        await self._durable()

    def _start(self, work: Coroutine[None, None, TurnOutcome] | None = None) -> None:
        if work is None:
            self._held, work = (), self._prompted_turn()
        self._turn = asyncio.create_task(work, name="turn")
        self._turn.add_done_callback(self._ended)

    async def _prompted_turn(self) -> TurnOutcome:
        """A turn for the person; when it changed files and that is wished for, the checks follow."""
        before = self.state.files
        outcome = await self._runner.run()
        changed = self.state.files is not before
        if outcome is TurnOutcome.DONE and changed and self._verifier.rules.auto:
            return await self._verify(None)
        return outcome

    async def _verify(self, rounds: int | None) -> TurnOutcome:
        outcome = await self._verifier.run(rounds)
        await self._durable()
        match outcome:
            case VerifyOutcome.GREEN:
                return TurnOutcome.DONE
            case VerifyOutcome.CANCELLED:
                return TurnOutcome.CANCELLED
            case _:
                return TurnOutcome.FAILED

    def _ended(self, turn: "asyncio.Task[TurnOutcome]") -> None:
        """A prompt that is still queued starts the next turn; a defect is shown, not swallowed."""
        error = None if turn.cancelled() else turn.exception()
        if error is not None:
            report("the turn broke off", error)
            self.notice(f"The turn broke off inside Patchbay: {type(error).__name__}: {error}", NoticeLevel.ERROR)
            return
        self._send_what_waits()

    def _send_what_waits(self) -> None:
        """Start a turn for prompts that were sent while something ran."""
        fresh = any(entry not in self._held for entry in self.state.queued)
        if fresh and not self._closing and not self.busy:
            self._start()

    async def _ask(self, question: ApprovalRequested) -> ApprovalResolved:
        future: asyncio.Future[ApprovalResolved] = asyncio.get_running_loop().create_future()
        self._questions[question.approval_id] = future
        try:
            return await future
        finally:
            del self._questions[question.approval_id]


async def _at_once() -> None:
    """Nothing to wait for: the session lives in memory only."""

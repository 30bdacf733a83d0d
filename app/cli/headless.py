"""Runs one prompt through a session without a screen. The engine is the same as under the screen."""

import asyncio
import json
import re
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...tools.events import ApprovalRequested, Decision
from ..engine.attached import Gathered
from ..engine.budget_events import BudgetChoice, BudgetLevel, BudgetReached
from ..engine.codec import without_keys
from ..engine.events import NoticeLevel, Stamped, ToolActivity
from .report import RunReport

if TYPE_CHECKING:
    from ..engine.session import Session

_NOBODY = "Denied: this run has no person to ask. Go on without it, or say in your answer what you would need."
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters JSON lets through that steer a terminal, end a line for some readers, or cannot be encoded."""


async def run_prompt(
    session: "Session",
    prompt: str | None,
    *,
    gathered: Gathered | None = None,
    sinks: tuple[Callable[[Stamped], None], ...] = (),
    decision: Decision = Decision.DENY,
) -> tuple[RunReport, int]:
    """Send a prompt (None: ask again) and wait for the end of its turn; returns the report and the exit code.

    What was ``gathered`` for the prompt goes along. Approval questions are answered with ``decision``; a request that
    would pass a budget ends the turn. Ctrl+C and SIGTERM cancel it in an orderly way: what arrived is kept, tools are
    killed, the history stays valid.
    """
    report = RunReport()
    detach = [session.bus.attach(sink) for sink in (report, *sinks, _answer_with(session, decision))]
    with _cancelled_by_signals(session) as received:
        if prompt is None:
            session.retry()
        else:
            gathered = gathered or Gathered()
            for remark in gathered.remarks:
                session.notice(remark, NoticeLevel.WARNING, quotes=True)
            session.submit(prompt, gathered.attachments)
        await session.wait_idle()
    for each in detach:
        each()
    return report, 128 + received[0] if received else report.exit_code


async def run_checks(
    session: "Session", rounds: int | None, *, sinks: tuple[Callable[[Stamped], None], ...] = (), checks: Decision
) -> int:
    """Verify once and wait for its end; returns 128 and the number of the signal that ended it, else 0.

    Questions about a check itself are answered with ``checks`` (never loud ones), all others with no; a request that
    would pass a budget ends it.
    """
    detach = [session.bus.attach(sink) for sink in (*sinks, _answer_with(session, checks, of_checks=True))]
    with _cancelled_by_signals(session) as received:
        session.verify(rounds)
        await session.wait_idle()
    for each in detach:
        each()
    return 128 + received[0] if received else 0


def to_json(value: Any) -> str:
    """One line of JSON, without keys, readable in any language and harmless to a terminal."""
    text = json.dumps(without_keys(value), ensure_ascii=False)
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def configuration_error(message: str) -> dict[str, Any]:
    """What ``--output json`` prints when there was no run at all."""
    error = {"kind": "configuration", "message": message}
    return RunReport().summary("") | {"session_id": None, "error": error}


def _answer_with(session: "Session", decision: Decision, *, of_checks: bool = False) -> Callable[[Stamped], None]:
    """Answers in place of a person. ``of_checks``: the decision is only about checks, and about none that is loud."""

    def answer(stamped: Stamped) -> None:
        match stamped.event:
            case ToolActivity(turn_id=turn_id, event=ApprovalRequested(approval_id=approval_id, confirm=confirm)):
                # What a model wants belongs to a turn.
                given = Decision.DENY if of_checks and (turn_id or confirm) else decision
                comment = _NOBODY if given is Decision.DENY else ""
                # The asker begins to wait right after it has published the question: answer in the next round.
                asyncio.get_running_loop().call_soon(session.resolve, approval_id, given, comment)
            case BudgetReached(level=BudgetLevel.ASK | BudgetLevel.PAUSE):
                asyncio.get_running_loop().call_soon(session.answer_budget, BudgetChoice.STOP)
            case _:
                pass

    return answer


@contextmanager
def _cancelled_by_signals(session: "Session") -> Generator[list[int]]:
    """Cancel the turn on SIGINT and SIGTERM; yields the signals that came."""
    loop = asyncio.get_running_loop()
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        session.cancel()

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stop, number)
    try:
        yield received
    finally:
        for number in signals:
            loop.remove_signal_handler(number)

"""How the events of a verification change the state: the checks as they stand, and what is said of them."""

from dataclasses import replace
from typing import TypeAlias

from .events import NoticeLevel
from .state import CheckRun, Entry, NoticeEntry, SessionState, Verification
from .verify_events import CheckFinished, CheckStarted, VerifyEnded, VerifyOutcome, VerifyStarted

VerifyEvent: TypeAlias = VerifyStarted | CheckStarted | CheckFinished | VerifyEnded
_CALM = frozenset({VerifyOutcome.GREEN, VerifyOutcome.CANCELLED})


def verify_moved(state: SessionState, event: VerifyEvent, at: float) -> SessionState:
    """The state after one event of a verification; what belongs to another than the one at hand changes nothing."""
    if isinstance(event, VerifyStarted):
        waiting = tuple(CheckRun(check=check) for check in event.checks)
        begun = Verification(verify_id=event.verify_id, rounds=event.rounds, checks=waiting)
        return _moved(state, begun, NoticeEntry(message=_plan(event), level=NoticeLevel.INFO, at=at))
    now = state.verification
    if now is None or now.verify_id != event.verify_id:
        return state
    match event:
        case CheckStarted():
            return _moved(state, _with_check(_in_round(now, event.round), event.index, started_at=at))
        case CheckFinished():
            return _moved(state, _with_result(now, event))
        case VerifyEnded():
            level = NoticeLevel.INFO if event.outcome in _CALM else NoticeLevel.WARNING
            ended = replace(now, outcome=event.outcome, round=event.rounds)
            return _moved(state, ended, NoticeEntry(message=event.message, level=level, at=at))


def _plan(event: VerifyStarted) -> str:
    """What is going to run, and where each command comes from: said before anything runs."""
    if not event.checks:
        return "Verify"
    width = max(len(check.name) for check in event.checks)
    rows = [f"  {check.name:<{width}}  {check.command}  ({check.origin})" for check in event.checks]
    times = "" if event.rounds == 0 else f", the model mends up to {event.rounds} times"
    count = "1 check" if len(rows) == 1 else f"{len(rows)} checks"
    return "\n".join([f"Verify: {count}{times}", *rows])


def _in_round(now: Verification, number: int) -> Verification:
    """A new round forgets what the last one found: those results are about other files."""
    if number == now.round:
        return now
    return replace(now, round=number, checks=tuple(CheckRun(check=run.check) for run in now.checks))


def _with_check(now: Verification, index: int, *, started_at: float) -> Verification:
    runs = tuple(
        CheckRun(check=run.check, started_at=started_at) if at == index else run for at, run in enumerate(now.checks)
    )
    return replace(now, checks=runs)


def _with_result(now: Verification, event: CheckFinished) -> Verification:
    runs = tuple(
        replace(run, outcome=event.outcome, summary=event.summary, duration_s=event.duration_s)
        if at == event.index
        else run
        for at, run in enumerate(now.checks)
    )
    return replace(now, checks=runs)


def _moved(state: SessionState, verification: Verification, entry: Entry | None = None) -> SessionState:
    moved = state.revisions.moved(chat=entry is not None, tools=1, status=1)
    transcript = state.transcript if entry is None else (*state.transcript, entry)
    return replace(state, verification=verification, transcript=transcript, revisions=moved)

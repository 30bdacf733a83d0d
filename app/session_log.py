"""What of a session goes into the local log: who was asked, how it ended and how long it took; never what was said."""

import logging
from typing import Any

from ..providers.events import ResponseError
from ..tools.events import ApprovalResolved, ToolRunFinished, ToolRunStarted
from .engine.events import (
    CallPriced,
    Cost,
    ModelSelected,
    NoticeLevel,
    NoticePosted,
    ProviderActivity,
    RequestStarted,
    RetryScheduled,
    Stamped,
    ToolActivity,
    TurnEnded,
    TurnStarted,
)
from .engine.verify_events import CheckFinished, VerifyEnded, VerifyStarted
from .log_file import note

_LEVELS = {NoticeLevel.WARNING: logging.WARNING, NoticeLevel.ERROR: logging.ERROR}


class SessionLog:
    """A sink of the bus."""

    def __init__(self, session_id: str) -> None:
        self._session = session_id
        self._tools: dict[str, str] = {}

    def __call__(self, stamped: Stamped) -> None:
        """Take one event."""
        match stamped.event:
            case ProviderActivity(request_id=request_id, event=ResponseError() as error):
                # The server's words may quote the prompt: its kind and status say enough here.
                fields = {"request": request_id, "error": error.kind.value, "status": error.status}
                self._note("provider error", fields, logging.WARNING)
            case ProviderActivity():
                return
            case ToolActivity(event=event):
                self._tool(event)
            case TurnStarted() | TurnEnded() | RequestStarted() | RetryScheduled() | CallPriced():
                self._turn(stamped.event)
            case ModelSelected(model=model, dialect=dialect):
                self._note("model selected", {"model": str(model.ref), "dialect": dialect})
            case NoticePosted(level=level, message=message, quotes=quotes) if level in _LEVELS:
                fields = {"characters": len(message)} if quotes else {"message": message.split("\n", 1)[0]}
                self._note("notice", fields, _LEVELS[level])
            case VerifyStarted(checks=checks, rounds=rounds):
                self._note("verify started", {"checks": len(checks), "rounds": rounds})
            case CheckFinished(index=index, round=number, outcome=outcome, duration_s=duration):
                fields = {"check": index, "round": number, "outcome": outcome.value, "duration_s": round(duration, 3)}
                self._note("check finished", fields)
            case VerifyEnded(outcome=outcome, rounds=rounds):
                self._note("verify ended", {"outcome": outcome.value, "rounds": rounds})
            case _:
                return

    def _turn(self, event: TurnStarted | TurnEnded | RequestStarted | RetryScheduled | CallPriced) -> None:
        match event:
            case TurnStarted(turn_id=turn_id):
                self._note("turn started", {"turn": turn_id})
            case TurnEnded(turn_id=turn_id, outcome=outcome):
                self._note("turn ended", {"turn": turn_id, "outcome": outcome.value})
            case RequestStarted(request_id=request_id, ref=ref, dialect=dialect):
                self._note("request", {"request": request_id, "model": str(ref), "dialect": dialect}, logging.DEBUG)
            case RetryScheduled(request_id=request_id, attempt=attempt, wait_s=wait):
                self._note("retry", {"request": request_id, "attempt": attempt, "wait_s": round(wait, 3)})
            case CallPriced() as call:
                self._note("call", call_fields(call), logging.WARNING if call.error_kind else logging.INFO)

    def _tool(self, event: object) -> None:
        match event:
            case ToolRunStarted(run_id=run_id, name=name):
                self._tools[run_id] = name
            case ToolRunFinished(run_id=run_id, outcome=outcome, duration_s=duration, exit_status=status):
                fields = {"tool": self._tools.pop(run_id, "unknown"), "outcome": outcome.value}
                self._note("tool", fields | {"duration_s": round(duration, 3), "exit_status": status})
            case ApprovalResolved(decision=decision):
                self._note("answered", {"decision": decision.value})
            case _:
                return

    def _note(self, event: str, fields: dict[str, Any], level: int = logging.INFO) -> None:
        known = {name: value for name, value in fields.items() if value is not None}
        note(event, {"session": self._session, **known}, level)


def call_fields(call: CallPriced) -> dict[str, Any]:
    """One HTTP call of a model: who, how long, how much."""
    return {
        "request": call.request_id,
        "provider": call.ref.provider,
        "model": call.ref.model,
        "purpose": call.purpose.value,
        "error": call.error_kind,
        "duration_s": round(call.duration_s, 3),
        "first_token_s": None if call.first_token_s is None else round(call.first_token_s, 3),
        "input_tokens": call.usage.input_tokens,
        "output_tokens": call.usage.output_tokens,
        "cost_usd": _amount(call.cost),
        "cost_source": call.cost.source.value,
    }


def _amount(cost: Cost) -> str | None:
    return None if cost.amount is None else f"{cost.amount:f}"

"""What a headless run amounts to, gathered from the events of the session."""

from collections.abc import Callable
from typing import Any, TypedDict

from ...providers.events import (
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    StopReason,
    TextDelta,
    ToolCallEnd,
    Usage,
)
from ...tools.events import Outcome, ToolRunFinished
from ..engine.budget import in_words
from ..engine.budget_events import BudgetReached
from ..engine.events import (
    CallPriced,
    Cost,
    CostSource,
    NoticeLevel,
    NoticePosted,
    ProviderActivity,
    RequestStarted,
    Stamped,
    ToolActivity,
    TurnEnded,
    TurnOutcome,
    TurnStarted,
)
from ..engine.exact import total
from .arguments import ExitCode

COUNTERS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "thinking_tokens")
_LEAST_CERTAIN_FIRST = (CostSource.UNKNOWN, CostSource.ESTIMATED, CostSource.COMPUTED, CostSource.REPORTED)


class ToolCallRow(TypedDict):
    """A call the model made, and whether it ran and succeeded."""

    name: str
    ok: bool


class RunReport:
    """Attach it to the bus; it sums up the events from then on."""

    def __init__(self) -> None:
        self.text = ""
        """The last answer: what the model said after its last tool call."""
        self.turns = 0
        self.requests = 0
        self.stop_reason: str | None = None
        self.outcome: TurnOutcome | None = None
        self.denied = False
        self._calls: dict[tuple[str, int], ToolCallRow] = {}
        self._usages: list[Usage] = []
        self._costs: list[Cost] = []
        self._error: dict[str, Any] | None = None
        self._trouble = ""
        self._over_budget = ""

    def __call__(self, stamped: Stamped) -> None:
        """Take one event."""
        match stamped.event:
            case TurnStarted():
                self.turns += 1
            case RequestStarted():
                self.requests += 1
                self._error = None
                if self.stop_reason != StopReason.PAUSE_TURN:
                    self.text = ""
            case ProviderActivity(request_id=request_id, event=event):
                self._response(request_id, event)
            case ToolActivity(request_id=request_id, part_index=index, event=ToolRunFinished(outcome=outcome)):
                self.denied |= outcome is Outcome.DENIED
                if (call := self._calls.get((request_id, index))) is not None:
                    call["ok"] = outcome is Outcome.OK
            case CallPriced(usage=usage, cost=cost):
                self._usages.append(usage)
                self._costs.append(cost)
            case NoticePosted(level=NoticeLevel.ERROR, message=message):
                self._trouble = message
            case BudgetReached() as reached:
                self._over_budget = f"Stopped: {in_words(reached)} Raise --max-cost, or [budget] in the settings."
            case TurnEnded(outcome=outcome):
                self.outcome = outcome
            case _:
                pass

    @property
    def tool_calls(self) -> list[ToolCallRow]:
        """Every call, in the order the model made them."""
        return list(self._calls.values())

    @property
    def usage(self) -> dict[str, int | None]:
        """Sums over all requests; None where no server counted."""
        return {counter: self._sum(lambda usage, name=counter: getattr(usage, name)) for counter in COUNTERS}

    @property
    def cost(self) -> Cost:
        """The sum over all requests. One unknown price makes it unknown; the source is the least certain one."""
        amounts = [cost.amount for cost in self._costs if cost.amount is not None]
        if not self._costs or len(amounts) < len(self._costs):
            return Cost(amount=None, source=CostSource.UNKNOWN)
        source = min((cost.source for cost in self._costs), key=_LEAST_CERTAIN_FIRST.index)
        return Cost(amount=total(amounts), source=source)

    @property
    def error(self) -> dict[str, Any] | None:
        """What went wrong, or None: kind, message, and what the server said of it."""
        match self.outcome:
            case TurnOutcome.DONE | None:
                return None
            case TurnOutcome.BUDGET:
                return {"kind": "budget", "message": self._over_budget}
            case TurnOutcome.STEP_LIMIT:
                return {"kind": "step_limit", "message": f"Stopped after {self.requests} requests: raise --max-turns."}
            case TurnOutcome.CANCELLED:
                return {"kind": "cancelled", "message": "The run was interrupted."}
            case _:
                return self._error or {"kind": "internal", "message": self._trouble or "The turn broke off."}

    @property
    def exit_code(self) -> ExitCode:
        """What the shell gets to know; a signal's own code is the caller's to say."""
        match self.outcome:
            case TurnOutcome.DONE:
                return ExitCode.DENIED if self.denied else ExitCode.OK
            case TurnOutcome.CANCELLED:
                return ExitCode.INTERRUPTED
            case TurnOutcome.BUDGET:
                return ExitCode.BUDGET
            case TurnOutcome.STEP_LIMIT:
                return ExitCode.STEPS
            case _:
                return ExitCode.FAILED

    def summary(self, session_id: str) -> dict[str, Any]:
        """The object that ``--output json`` prints. Money is a decimal string, or null when it is unknown."""
        cost = self.cost
        return {
            "session_id": session_id,
            "text": self.text,
            "stop_reason": self.stop_reason,
            "turns": self.turns,
            "requests": self.requests,
            "tool_calls": self.tool_calls,
            "usage": self.usage,
            "cost": {
                "amount": None if cost.amount is None else f"{cost.amount:f}",
                "currency": cost.currency,
                "source": cost.source.value,
            },
            "error": self.error,
        }

    def _response(self, request_id: str, event: ResponseEvent) -> None:
        match event:
            case TextDelta(text=text):
                self.text += text
            case ToolCallEnd(index=index, name=name):
                self._calls[request_id, index] = {"name": name, "ok": False}
            case ResponseEnd(stop_reason=reason):
                self.stop_reason = reason.value
            case ResponseError(kind=kind, message=message, status=status, retryable=retryable):
                self.stop_reason = None
                self._error = {"kind": kind.value, "message": message, "status": status, "retryable": retryable}
            case _:
                pass

    def _sum(self, counter: Callable[[Usage], int | None]) -> int | None:
        counts = [count for usage in self._usages if (count := counter(usage)) is not None]
        return sum(counts) if counts else None

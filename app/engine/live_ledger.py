"""What this process was told of money: calls that were priced and tools that ran, whether they are on disk or not.

It listens from the start of a session on, so that it loads nothing of what adds a ledger up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...providers.events import ToolCallEnd
from ...providers.redact import redact_registered
from ...tools.events import ToolRunFinished
from .events import CallPriced, ProviderActivity, Stamped, ToolActivity


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """A run of a tool, as far as money is concerned: which answer called it, and how much it gave back."""

    run_id: str
    request_id: str
    name: str
    chars: int
    """Length of the result that a model was given."""


@dataclass(slots=True)
class LiveLedger:
    """The rows of this process, as the bus tells them. Attach ``sink`` to the bus; ``folder`` is the session's."""

    folder: str = ""
    calls: dict[str, tuple[Stamped, CallPriced]] = field(default_factory=dict[str, tuple[Stamped, CallPriced]])
    """By request id: the call, and the event that told of it."""
    uses: dict[str, ToolUse] = field(default_factory=dict[str, ToolUse])
    """By run id."""
    _names: dict[str, str] = field(default_factory=dict[str, str])

    def sink(self, stamped: Stamped) -> None:
        """Take one event."""
        match stamped.event:
            case CallPriced() as call:
                self.calls[call.request_id] = stamped, call
            case ProviderActivity(event=ToolCallEnd() as part) as activity:
                self._names[f"{activity.request_id}.{part.index}"] = redact_registered(part.name)
            case ToolActivity(event=ToolRunFinished() as end) as activity:
                self.uses[end.run_id] = ToolUse(
                    run_id=end.run_id,
                    request_id=activity.request_id,
                    name=self._names.pop(end.run_id, "?"),
                    chars=len(end.content),
                )
            case _:
                pass

    def with_uses(self, kept: Sequence[ToolUse]) -> list[ToolUse]:
        """The tool runs the disk has, and after them those it has not."""
        seen = {use.run_id for use in kept}
        return [*kept, *(use for use in tuple(self.uses.values()) if use.run_id not in seen)]

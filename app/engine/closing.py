"""What ends whatever is open, so that the history is valid for the next request. Pure."""

from ...providers.events import TerminalEvent
from ...tools.events import Outcome, ToolRunFinished
from .events import ProviderActivity, ToolActivity
from .state import SessionState


def closing_events(
    state: SessionState, turn_id: str, end: TerminalEvent, outcome: Outcome, content: str
) -> list[ProviderActivity | ToolActivity]:
    """Events that end whatever is open in ``state``: a response with ``end``, runs with ``outcome``."""
    events: list[ProviderActivity | ToolActivity] = []
    if state.answer is not None:
        events.append(ProviderActivity(turn_id=turn_id, request_id=state.answer.request_id, event=end))
    for run in state.active_runs:
        finished = not_finished(run.run_id, outcome, content)
        events.append(
            ToolActivity(turn_id=turn_id, request_id=run.request_id, part_index=run.part_index, event=finished)
        )
    return events


def not_finished(run_id: str, outcome: Outcome, content: str) -> ToolRunFinished:
    """The end of a tool run that was not run, or not to its end."""
    return ToolRunFinished(run_id=run_id, outcome=outcome, content=content, summary=outcome.value, duration_s=0.0)

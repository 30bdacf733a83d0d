"""What ends whatever is open, so that the history is valid for the next request. Pure."""

from ...providers.events import StopReason, TerminalEvent
from ...tools.events import Outcome, ToolEvent, ToolRunFinished
from .events import ProviderActivity, ToolActivity
from .state import AnswerEntry, SessionState, ToolCallPart, ToolRun

MAY_HAVE_RUN = "Patchbay ended while this ran: it may or may not have taken effect. Check before doing it again."
WAITED = "Not run: Patchbay ended while this waited for the user's approval."
NOT_BEGUN = "Not run: Patchbay ended before its turn came."


def closing_events(
    state: SessionState, turn_id: str, end: TerminalEvent, outcome: Outcome, content: str
) -> list[ProviderActivity | ToolActivity]:
    """Events that end whatever is open in ``state``: a response with ``end``, runs and calls with ``outcome``."""
    events: list[ProviderActivity | ToolActivity] = []
    if state.answer is not None:
        events.append(ProviderActivity(turn_id=turn_id, request_id=state.answer.request_id, event=end))
    for run in state.active_runs:
        finished = not_finished(run.run_id, outcome, content)
        events.append(
            ToolActivity(turn_id=turn_id, request_id=run.request_id, part_index=run.part_index, event=finished)
        )
    events += [_never_run(answer, call, outcome, content) for answer, call in _not_begun(state, turn_id)]
    return events


def of_no_call(event: ToolEvent) -> ToolActivity:
    """A tool event that no turn, request or call of a model stands behind: checks, reviews, a person's commands."""
    return ToolActivity(turn_id="", request_id="", part_index=0, event=event)


def not_finished(run_id: str, outcome: Outcome, content: str) -> ToolRunFinished:
    """The end of a tool run that was not run, or not to its end."""
    return ToolRunFinished(run_id=run_id, outcome=outcome, content=content, summary=outcome.value, duration_s=0.0)


def dead_tools(state: SessionState) -> list[ToolActivity]:
    """Events that end the calls a dead process was working through, each with what is known of it.

    A run that waits was never begun: its approval is on disk before it goes on. Of calls without a run the first may
    have been begun in the last moment, which is not on disk; the others were not.
    """
    turn = state.turn_id or ""
    events = [_ended(run, turn, WAITED if run.waiting else MAY_HAVE_RUN) for run in state.active_runs]
    content = NOT_BEGUN if state.active_runs else MAY_HAVE_RUN
    for answer, call in _not_begun(state, state.turn_id):
        events.append(_never_run(answer, call, Outcome.INTERRUPTED, content))
        content = NOT_BEGUN
    return events


def _not_begun(state: SessionState, turn_id: str | None) -> list[tuple[AnswerEntry, ToolCallPart]]:
    """The whole calls of a turn's newest answer that have no run. Those of an answer that broke off are never run."""
    answer = next((entry for entry in reversed(state.transcript) if isinstance(entry, AnswerEntry)), None)
    if answer is None or answer.turn_id != turn_id or state.answer is not None:
        return []
    if answer.error is not None or answer.stop_reason is StopReason.CANCELLED:
        return []
    known = {run.run_id for run in (*state.runs, *state.active_runs)}
    calls = (part for part in answer.parts if isinstance(part, ToolCallPart) and part.arguments is not None)
    return [(answer, call) for call in calls if call.run_id not in known]


def _never_run(answer: AnswerEntry, call: ToolCallPart, outcome: Outcome, content: str) -> ToolActivity:
    finished = not_finished(call.run_id, outcome, content)
    return ToolActivity(turn_id=answer.turn_id, request_id=answer.request_id, part_index=call.index, event=finished)


def _ended(run: ToolRun, turn_id: str, content: str) -> ToolActivity:
    finished = not_finished(run.run_id, Outcome.INTERRUPTED, content)
    return ToolActivity(turn_id=turn_id, request_id=run.request_id, part_index=run.part_index, event=finished)

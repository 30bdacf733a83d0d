"""How one event of a tool run changes the runs, the waiting questions and the changed files."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias, assert_never

from ...tools.events import (
    ApprovalRequested,
    ApprovalResolved,
    FileChanged,
    FileFate,
    FileSeen,
    TodoChanged,
    ToolOutputDelta,
    ToolRunFinished,
    ToolRunStarted,
)
from .events import FolderInstructed, ToolActivity
from .stale import seen
from .state import AnswerEntry, FileDiff, PromptEntry, SessionState, StreamText, ToolCallPart, ToolRun

Change: TypeAlias = Callable[[ToolRun], ToolRun]


def reduce_tool(state: SessionState, activity: ToolActivity, at: float) -> SessionState:
    """The state after one event of a tool run."""
    event = activity.event
    match event:
        case ToolRunStarted():
            return _started(state, activity, event, at)
        case ToolOutputDelta():
            return _changed(state, event.run_id, lambda run: replace(run, output=run.output.appended(event.text)))
        case ApprovalRequested():
            state = replace(state, approvals=(*state.approvals, event))
            return _changed(state, event.run_id, lambda run: replace(run, waiting=True))
        case ApprovalResolved():
            approvals = tuple(each for each in state.approvals if each.approval_id != event.approval_id)
            state = replace(state, approvals=approvals)
            return _changed(state, event.run_id, lambda run: replace(run, waiting=False))
        case FileChanged():
            return _file_changed(state, event)
        case TodoChanged():
            return replace(state, todos=event.items, revisions=state.revisions.moved(chat=1, tools=1, status=1))
        case FileSeen():
            return seen(state, event)
        case ToolRunFinished():
            return _finished(state, activity, event, at)
        case _:
            assert_never(event)


def _new_run(activity: ToolActivity, run_id: str, name: str, title: str, at: float) -> ToolRun:
    return ToolRun(
        run_id=run_id,
        request_id=activity.request_id,
        part_index=activity.part_index,
        name=name,
        title=title,
        output=StreamText(),
        started_at=at,
    )


def _started(state: SessionState, activity: ToolActivity, event: ToolRunStarted, at: float) -> SessionState:
    run = _new_run(activity, event.run_id, event.name, event.title, at)
    return replace(
        state, active_runs=(*state.active_runs, run), revisions=state.revisions.moved(chat=1, tools=1, status=1)
    )


def _changed(state: SessionState, run_id: str, change: Change) -> SessionState:
    runs = tuple(change(run) if run.run_id == run_id else run for run in state.active_runs)
    return replace(state, active_runs=runs, revisions=state.revisions.moved(chat=1, tools=1, status=1))


def _finished(state: SessionState, activity: ToolActivity, event: ToolRunFinished, at: float) -> SessionState:
    run = next((run for run in state.active_runs if run.run_id == event.run_id), None)
    if run is None:
        # A call that never started (unknown tool, broken arguments): its name is in the answer's part.
        name = _called_name(state, activity)
        run = _new_run(activity, event.run_id, name, event.summary, at)
    run = replace(
        run,
        waiting=False,
        outcome=event.outcome,
        content=event.content,
        summary=event.summary,
        duration_s=event.duration_s,
        exit_status=event.exit_status,
    )
    return replace(
        state,
        active_runs=tuple(each for each in state.active_runs if each.run_id != event.run_id),
        approvals=tuple(each for each in state.approvals if each.run_id != event.run_id),
        runs=(*state.runs, run),
        revisions=state.revisions.moved(chat=1, tools=1, status=1),
    )


def reduce_instructed(state: SessionState, event: FolderInstructed) -> SessionState:
    """The state after instructions were added to a finished run, or to a prompt."""
    if event.prompt_id:
        return _instructed_prompt(state, event)
    runs = tuple(replace(run, instructions=event.files) if run.run_id == event.run_id else run for run in state.runs)
    return replace(state, runs=runs, revisions=state.revisions.moved(chat=1, tools=1, status=1))


def _instructed_prompt(state: SessionState, event: FolderInstructed) -> SessionState:
    entries = state.transcript
    for at in range(len(entries) - 1, -1, -1):
        entry = entries[at]
        if isinstance(entry, PromptEntry) and entry.prompt_id == event.prompt_id:
            told = replace(entry, instructions=event.files)
            revisions = state.revisions.moved(chat=1, status=1)
            return replace(state, transcript=(*entries[:at], told, *entries[at + 1 :]), revisions=revisions)
    return state


def _called_name(state: SessionState, activity: ToolActivity) -> str:
    for entry in reversed(state.transcript):
        if isinstance(entry, AnswerEntry) and entry.request_id == activity.request_id:
            calls = (part for part in entry.parts if isinstance(part, ToolCallPart))
            return next((call.name for call in calls if call.index == activity.part_index), "tool")
    return "tool"


def _file_changed(state: SessionState, event: FileChanged) -> SessionState:
    """One diff a file over the whole session. The newest is last."""
    moved = state.revisions.moved(files=1, status=1)
    return replace(state, files=with_change(state.files, event), revisions=moved)


def with_change(files: Sequence[FileDiff], change: FileChanged | FileFate) -> tuple[FileDiff, ...]:
    """The diffs of a session after one more change of a file; its diff goes from before its first change to now."""
    known = next((each for each in files if each.path == change.path), None)
    diff = FileDiff(
        path=change.path,
        before=change.before if known is None else known.before,
        after=change.after,
        created=change.created if known is None else known.created,
        changes=1 if known is None else known.changes + 1,
        deleted=change.deleted,
    )
    return (*(each for each in files if each.path != change.path), diff)

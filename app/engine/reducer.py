"""``reduce(state, event) -> state``: pure, exhaustive, O(1) for every delta."""

from dataclasses import replace
from typing import assert_never

from ...providers.events import Usage
from .budget_events import BudgetAnswered, BudgetReached, BudgetRules, BudgetSet, SpendingRead
from .budget_state import after_event, turn_over, with_cost
from .compaction_events import Compacted
from .events import (
    CallPriced,
    CommandStarted,
    CostSource,
    EffortSelected,
    FilesRestored,
    FilesWentStale,
    FolderInstructed,
    InstructionsLoaded,
    ModelSelected,
    ModeSelected,
    NoticeLevel,
    NoticePosted,
    PromptQueued,
    PromptSubmitted,
    PromptsWithdrawn,
    ProviderActivity,
    ProvidersListed,
    RequestStarted,
    RetryScheduled,
    Rewound,
    SavingChanged,
    SessionForked,
    SessionStarted,
    SideCallStarted,
    Stamped,
    TitleProposed,
    ToolActivity,
    TurnEnded,
    TurnStarted,
)
from .exact import total as exact_total
from .reduce_answer import reduce_response
from .reduce_commands import own_command_ended
from .reduce_compaction import compacted
from .reduce_restore import put_back
from .reduce_tools import reduce_instructed, reduce_tool
from .reduce_verify import verify_moved
from .review_events import HunkReviewed
from .reviews import review_note, reviewed
from .stale import attached, stale_note, went_stale
from .state import (
    AnswerEntry,
    CommandEntry,
    Entry,
    NoticeEntry,
    PromptEntry,
    SessionState,
    SwitchEntry,
    Totals,
)
from .verify_events import CheckFinished, CheckStarted, VerifyEnded, VerifyStarted


def reduce(state: SessionState, stamped: Stamped) -> SessionState:
    """The state after one more event."""
    event, at = stamped.event, stamped.at
    match event:
        case ProviderActivity():
            return reduce_response(state, event, at)
        case ToolActivity():
            return own_command_ended(reduce_tool(state, event, at), event)
        case SessionStarted() | SessionForked() | TitleProposed():
            return _began(state, stamped)
        case ModelSelected() | EffortSelected() | ModeSelected() | InstructionsLoaded() | FolderInstructed():
            return _selected(state, event, at)
        case PromptQueued() | PromptSubmitted() | PromptsWithdrawn() | CommandStarted():
            return _prompted(state, event, at)
        case TurnStarted() | TurnEnded():
            return _turn_moved(state, event, at)
        case HunkReviewed() | FilesRestored() | Rewound():
            return _judged(state, event, at)
        case RequestStarted() | RetryScheduled() | SideCallStarted() | CallPriced():
            return _request_moved(state, event, at)
        case NoticePosted() | ProvidersListed() | SavingChanged():
            return _told(state, event, at)
        case VerifyStarted() | CheckStarted() | CheckFinished() | VerifyEnded():
            return verify_moved(state, event, at)
        case BudgetSet() | BudgetRules() | SpendingRead() | BudgetReached() | BudgetAnswered():
            return replace(state, budget=after_event(state.budget, event), revisions=state.revisions.moved(status=1))
        case Compacted() | FilesWentStale():
            return compacted(state, event, at) if isinstance(event, Compacted) else went_stale(state, event)
        case _:
            assert_never(event)


def with_entry(state: SessionState, entry: Entry, *, tools: int = 0) -> SessionState:
    """The state with one more closed entry in its transcript."""
    return replace(
        state, transcript=(*state.transcript, entry), revisions=state.revisions.moved(chat=1, status=1, tools=tools)
    )


def _judged(state: SessionState, event: HunkReviewed | FilesRestored | Rewound, at: float) -> SessionState:
    """A person looked at what was done, or took it back."""
    if isinstance(event, HunkReviewed):
        return replace(reviewed(state, event, at), revisions=state.revisions.moved(chat=1, files=1, status=1))
    return put_back(state, event, at)


def _told(state: SessionState, event: NoticePosted | ProvidersListed | SavingChanged, at: float) -> SessionState:
    """Something to know: for the person, of what can be used, or of what cannot be saved."""
    if isinstance(event, SavingChanged):
        return replace(state, unsaved=event.problem, revisions=state.revisions.moved(status=1))
    if isinstance(event, ProvidersListed):
        return replace(state, providers=event.providers, revisions=state.revisions.moved(providers=1, status=1))
    return with_entry(state, NoticeEntry(message=event.message, level=event.level, at=at), tools=1)


def _began(state: SessionState, stamped: Stamped) -> SessionState:
    """A session starts, gets a title, or goes on from a copy, whose cost stays with the session it comes from."""
    if isinstance(stamped.event, TitleProposed):
        return replace(state, title=stamped.event.title, revisions=state.revisions.moved(status=1))
    if isinstance(stamped.event, SessionStarted):
        folder = stamped.event.folder
        return replace(state, session_id=stamped.session_id, folder=folder, revisions=state.revisions.moved(status=1))
    message = "From here on this is a copy of the session."
    entry = NoticeEntry(message=message, level=NoticeLevel.INFO, at=stamped.at)
    budget = replace(state.budget, own=(), others=None, warned=())
    return with_entry(replace(state, session_id=stamped.session_id, totals=Totals(), budget=budget), entry)


def _selected(
    state: SessionState,
    event: ModelSelected | EffortSelected | ModeSelected | InstructionsLoaded | FolderInstructed,
    at: float,
) -> SessionState:
    """What holds from the next request on."""
    if isinstance(event, FolderInstructed):
        return reduce_instructed(state, event)
    if isinstance(event, ModeSelected):
        return replace(state, mode=event.mode, protection=event.protection, revisions=state.revisions.moved(status=1))
    if isinstance(event, InstructionsLoaded):
        return replace(state, instructions=event.files, revisions=state.revisions.moved(status=1))
    if isinstance(event, EffortSelected):
        return replace(state, effort=event.effort, revisions=state.revisions.moved(status=1))
    switched = state.model is not None and state.model.ref != event.model.ref and bool(state.transcript)
    state = replace(state, model=event.model, dialect=event.dialect, revisions=state.revisions.moved(status=1))
    if not switched:
        return state
    # What the model before counted, or was estimated of it, is an estimate for this one.
    state = replace(state, context_estimated=state.context_tokens is not None)
    return with_entry(state, SwitchEntry(ref=event.model.ref, at=at))


def _prompted(
    state: SessionState, event: PromptQueued | PromptSubmitted | PromptsWithdrawn | CommandStarted, at: float
) -> SessionState:
    """A prompt or command of the person: it waits, no longer does, or becomes part of the conversation.

    A prompt takes along the reviews and the commands since the last one.
    """
    if isinstance(event, CommandStarted):
        entry = CommandEntry(run_id=event.run_id, command=event.command, private=event.private, at=at)
        return with_entry(state, entry)
    if isinstance(event, PromptsWithdrawn):
        kept = tuple(entry for entry in state.queued if entry.prompt_id not in event.prompt_ids)
        return replace(state, queued=kept, revisions=state.revisions.moved(chat=1, status=1))
    if isinstance(event, PromptQueued):
        entry = PromptEntry(prompt_id=event.prompt_id, text=event.text, at=at, attachments=event.attachments)
        return replace(state, queued=(*state.queued, entry), revisions=state.revisions.moved(chat=1, status=1))
    queued = tuple(entry for entry in state.queued if entry.prompt_id != event.prompt_id)
    notes = (review_note(state.untold_reviews), stale_note(state.untold_stale), event.note)
    entry = PromptEntry(
        prompt_id=event.prompt_id,
        text=event.text,
        at=at,
        note="\n".join(filter(None, notes)),
        attachments=(*state.untold_commands, *event.attachments),
        by_program=event.by_program,
    )
    told = replace(state, queued=queued, untold_reviews=(), untold_stale=(), untold_commands=())
    return with_entry(attached(told, event.attachments), entry)


def _turn_moved(state: SessionState, event: TurnStarted | TurnEnded, at: float) -> SessionState:
    moved = state.revisions.moved(chat=1, status=1)
    if isinstance(event, TurnStarted):
        return replace(state, turn_id=event.turn_id, turn_started_at=at, revisions=moved)
    budget = turn_over(state.budget)
    return replace(state, turn_id=None, turn_started_at=None, retry=None, budget=budget, revisions=moved)


def _request_moved(
    state: SessionState, event: RequestStarted | RetryScheduled | SideCallStarted | CallPriced, at: float
) -> SessionState:
    match event:
        case RequestStarted():
            return _request_started(state, event, at)
        case RetryScheduled():
            return _retry_scheduled(state, event)
        case SideCallStarted():
            return replace(state, side_calls=(*state.side_calls, event), revisions=state.revisions.moved(status=1))
        case CallPriced():
            return _call_priced(replace(state, budget=with_cost(state.budget, event.cost.amount, at)), event)


def _request_started(state: SessionState, event: RequestStarted, at: float) -> SessionState:
    answer = AnswerEntry(
        request_id=event.request_id,
        turn_id=event.turn_id,
        ref=event.ref,
        dialect=event.dialect,
        started_at=at,
        estimated_input_tokens=event.estimated_input_tokens,
        weight=event.weight,
    )
    return replace(state, answer=answer, retry=None, revisions=state.revisions.moved(chat=1, status=1))


def _retry_scheduled(state: SessionState, event: RetryScheduled) -> SessionState:
    """An attempt that showed nothing leaves no answer behind; its error is in the journal and its row in the ledger."""
    kept = tuple(
        entry
        for entry in state.transcript
        if not (isinstance(entry, AnswerEntry) and entry.request_id == event.request_id and not entry.parts)
    )
    return replace(state, transcript=kept, retry=event, revisions=state.revisions.moved(chat=1, status=1))


def _call_priced(state: SessionState, event: CallPriced) -> SessionState:
    totals = _added(state.totals, event)
    waiting = tuple(call for call in state.side_calls if call.request_id != event.request_id)
    state = replace(state, totals=totals, side_calls=waiting, revisions=state.revisions.moved(chat=1, status=1))
    transcript = state.transcript
    # The priced answer is nearly always the last entry: notices may have come after it.
    for position in range(len(transcript) - 1, -1, -1):
        entry = transcript[position]
        if isinstance(entry, AnswerEntry) and entry.request_id == event.request_id:
            priced = replace(entry, cost=event.cost, usage=event.usage, usage_estimated=event.usage_estimated)
            return replace(state, transcript=(*transcript[:position], priced, *transcript[position + 1 :]))
    return state


def _added(totals: Totals, event: CallPriced) -> Totals:
    usage: Usage = event.usage
    amount = event.cost.amount
    return Totals(
        calls=totals.calls + 1,
        input_tokens=totals.input_tokens + (usage.input_tokens or 0),
        cache_read_tokens=totals.cache_read_tokens + (usage.cache_read_tokens or 0),
        cache_write_tokens=totals.cache_write_tokens + (usage.cache_write_tokens or 0),
        output_tokens=totals.output_tokens + (usage.output_tokens or 0),
        thinking_tokens=totals.thinking_tokens + (usage.thinking_tokens or 0),
        cost=totals.cost if amount is None else exact_total((totals.cost, amount)),
        estimated=totals.estimated or event.cost.source is CostSource.ESTIMATED,
        tokens_estimated=totals.tokens_estimated or event.usage_estimated,
        unknown_calls=totals.unknown_calls + (amount is None),
    )

"""Ends what was in flight when the process of a session died."""

from dataclasses import replace

from ...providers.base import ModelInfo
from ...providers.events import ErrorKind, ResponseError
from .bus import MessageBus
from .closing import dead_tools
from .events import NoticeLevel, NoticePosted, ProviderActivity, TurnEnded, TurnOutcome
from .ledger import CostOf, priced
from .side_call import unfinished_side_calls
from .verify_events import VerifyEnded, VerifyOutcome


def repair(bus: MessageBus, cost_of: CostOf) -> bool:
    """End what was in flight when the process of a resumed session died; True when something was.

    A tool that was running may have run: its result says so. A response that was arriving keeps what came and gets
    the ledger row it lacks, estimated. The next request is valid.
    """
    state = bus.store.state
    answer = state.answer
    models = () if state.model is None else (state.model,)
    for row in unfinished_side_calls(state, models, cost_of, now=bus.now):
        bus.publish(row)
    if (checking := state.verification) is not None and checking.outcome is None:
        message = "Patchbay ended while the project's checks ran. Run /verify again."
        interrupted = VerifyOutcome.INTERRUPTED
        bus.publish(
            VerifyEnded(verify_id=checking.verify_id, outcome=interrupted, rounds=checking.round, message=message)
        )
    turn_id = state.turn_id or (answer.turn_id if answer else None)
    if turn_id is None and not state.active_runs:
        return False
    end = ResponseError(
        kind=ErrorKind.NETWORK,
        message="Patchbay ended while this answer was arriving. What came is kept.",
        retryable=True,
    )
    own_only = turn_id is None and not any(run.request_id for run in state.active_runs)
    if answer is not None:
        bus.publish(ProviderActivity(turn_id=answer.turn_id, request_id=answer.request_id, event=end))
    for event in dead_tools(state):
        bus.publish(event)
    if own_only:  # a command of the person's own: no turn was broken off
        return True
    if answer is not None:
        # Another model may have been chosen while this one answered: its price is not the price of this call.
        chosen = state.model
        model = chosen if chosen is not None and chosen.ref == answer.ref else ModelInfo(ref=answer.ref)
        bus.publish(priced(replace(answer, error=end), model, cost_of, ended_at=bus.now))
    bus.publish(TurnEnded(turn_id=turn_id or "", outcome=TurnOutcome.INTERRUPTED))
    if answer is None:
        message = "The last run ended in mid-turn. What was done is kept; retry to go on."
        bus.publish(NoticePosted(message=message, level=NoticeLevel.WARNING))
    return True

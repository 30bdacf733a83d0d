"""How a compaction changes the state: a line in the transcript. What it dropped stays where it was. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from ...providers.events import ErrorKind
from .compaction_events import Compacted, CompactionCause
from .sent import newest_compaction, position_of
from .state import AnswerEntry, CompactionEntry, Entry, SessionState


def compacted(state: SessionState, event: Compacted, at: float) -> SessionState:
    """The state after older entries gave way to a summary.

    The answer that never came, because the request did not fit, leaves the transcript: the compaction says so, and
    its error is in the journal.
    """
    transcript = state.transcript
    if event.cause is CompactionCause.OVERFLOW:
        transcript = tuple(entry for entry in transcript if not _did_not_fit(entry))
    return replace(
        state,
        transcript=(*transcript, CompactionEntry(compacted=event, at=at)),
        context_tokens=event.after_tokens,
        context_estimated=True,
        revisions=state.revisions.moved(chat=1, tools=1, status=1),
    )


def still_holding(before: Sequence[Entry], after: Sequence[Entry]) -> CompactionEntry | None:
    """The newest compaction of ``before`` that also holds for its beginning ``after``, and is not in it.

    It does when all that it dropped, and the first entry that it kept, are in ``after``.
    """
    at = newest_compaction(before)
    if at is None or at < len(after):
        return None
    entry = before[at]
    assert isinstance(entry, CompactionEntry)
    return entry if position_of(after, entry.compacted.kept_from, len(after)) < len(after) else None


def _did_not_fit(entry: Entry) -> bool:
    return (
        isinstance(entry, AnswerEntry)
        and not entry.parts
        and entry.error is not None
        and entry.error.kind is ErrorKind.CONTEXT_OVERFLOW
    )

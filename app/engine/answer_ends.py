"""How an answer ended, in words for people."""

from ...providers.events import StopReason
from .state import AnswerEntry

_STOPS = {
    StopReason.MAX_TOKENS: "cut off: the answer reached its token limit",
    StopReason.CONTENT_FILTER: "stopped by the provider's content filter",
    StopReason.REFUSAL: "the model refused",
    StopReason.CANCELLED: "cancelled",
}


def cut_short(entry: AnswerEntry) -> str:
    """Why an answer without an error is not all there is; empty when it ended as it should."""
    return "" if entry.stop_reason is None else _STOPS.get(entry.stop_reason, "")

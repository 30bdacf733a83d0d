"""A compaction in words, for the chat, the progress of a run and exports."""

from .compaction_events import Compacted, CompactionCause, CompactionMethod

_CAUSES = {
    CompactionCause.THRESHOLD: "the window was nearly full",
    CompactionCause.OVERFLOW: "the request did not fit the window",
    CompactionCause.ASKED: "as you asked",
}


def compaction_line(event: Compacted) -> str:
    """What happened, in a line: ``Compacted: ~84.0k → ~12.1k tokens, by the model (the window was nearly full)``."""
    sizes = f"~{_short(event.before_tokens)} → ~{_short(event.after_tokens)} tokens"
    how = "by the model" if event.method is CompactionMethod.MODEL else "mechanically"
    why = f": {event.why_digest}" if event.why_digest else ""
    return f"Compacted: {sizes}, {how}{why} ({_CAUSES[event.cause]})"


def _short(count: int) -> str:
    return str(count) if count < 1000 else f"{count / 1000:.1f}k" if count < 99_950 else f"{count / 1000:.0f}k"

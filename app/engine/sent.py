"""Which entries of a transcript are still sent to a model, after the older part was compacted. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from .compaction_events import Compacted
from .state import AnswerEntry, CompactionEntry, Entry, PromptEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What is sent of a transcript."""

    positions: tuple[int, ...]
    """Entries that are sent (notices between them included), oldest first."""
    compacted: Compacted | None = None
    """The newest compaction that holds: its summary comes before them."""

    @property
    def shortened(self) -> dict[str, int]:
        """How many characters are kept of long texts, by the id of the run or of the prompt's attachment."""
        compacted = self.compacted
        return {} if compacted is None else {each.subject: each.characters for each in compacted.shortened}


def entry_id(entry: Entry) -> str:
    """The id of a prompt or an answer; empty for other entries."""
    match entry:
        case PromptEntry(prompt_id=found) | AnswerEntry(request_id=found):
            return found
        case _:
            return ""


def sent(transcript: Sequence[Entry]) -> Sent:
    """What is sent of this transcript."""
    at = newest_compaction(transcript)
    if at is None:
        return Sent(positions=tuple(range(len(transcript))))
    entry = transcript[at]
    assert isinstance(entry, CompactionEntry)
    compacted = entry.compacted
    start = position_of(transcript, compacted.kept_from, at)
    prompts = frozenset(compacted.kept_prompts)
    earlier = (each for each in range(start) if prompts and entry_id(transcript[each]) in prompts)
    return Sent(positions=(*earlier, *range(start, len(transcript))), compacted=compacted)


def newest_compaction(transcript: Sequence[Entry]) -> int | None:
    """Where the newest compaction stands."""
    return next((at for at in range(len(transcript) - 1, -1, -1) if isinstance(transcript[at], CompactionEntry)), None)


def position_of(transcript: Sequence[Entry], wanted: str, end: int) -> int:
    """Where the entry with this id stands; ``end`` when there is none. The notices before a prompt are its own."""
    if not wanted:
        return end
    at = next((each for each in range(end) if entry_id(transcript[each]) == wanted), end)
    if at < end and isinstance(transcript[at], PromptEntry):
        while at and not entry_id(transcript[at - 1]) and not isinstance(transcript[at - 1], CompactionEntry):
            at -= 1
    return at

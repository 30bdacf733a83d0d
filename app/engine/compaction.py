"""What stays when a conversation gets too long for its window. Pure.

A cut is possible before a prompt, and before an answer whose predecessor is complete: an answer and the results of
its calls are one entry here, so that no cut comes between them. A turn that the server paused is never cut open.
The prompts that are being worked on stay, wherever the cut is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...providers.events import StopReason
from ...providers.messages import TextBlock
from .compaction_events import CompactionCause, Shortened
from .history import answer_messages, attached, result_text
from .sent import entry_id, sent
from .state import AnswerEntry, CompactionEntry, Entry, PromptEntry, SessionState, ToolCallPart, ToolRun
from .token_estimate import MESSAGE_WEIGHT, block_weight, messages_weight

SHORTENINGS = (12_000, 6_000, 3_000, 1_500, 700, 300, 120)
"""Characters to which long texts of the kept part are shortened, one after the other until it fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What stays, and what gives way to a summary."""

    kept_from: str
    """The id of the first entry that stays; empty when none does."""
    kept_prompts: tuple[str, ...]
    shortened: tuple[Shortened, ...]
    dropped: tuple[Entry, ...]
    """What was still sent and no longer is, oldest first."""

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return not self.dropped and not self.shortened


def plan(state: SessionState, keep: float, *, bare: bool = False) -> Cut:
    """The cut that keeps the newest part up to a weight of ``keep``: whole turns, else whole steps of the newest turn,
    else that step with long texts shortened. ``bare`` keeps the prompts that are being worked on and nothing else.
    """
    parts = _Parts(state)
    cuts = parts.cuts()
    own = parts.own_prompts()
    end = len(state.transcript)
    if parts.paused:  # the server goes on with its answer: that much must stay
        end = max(cuts, default=0)
    start = end if bare else _start(parts, cuts, own, keep, end)
    return _cut(parts, own, start, keep)


def _start(parts: "_Parts", cuts: Sequence[int], own: frozenset[str], keep: float, end: int) -> int:
    weights = parts.weights_from(own)
    fitting = [at for at in cuts if weights[at] <= keep]
    turns = [at for at in fitting if isinstance(parts.transcript[at], PromptEntry)]
    if turns or fitting:
        return min(turns or fitting)
    # Not even the newest step fits: it stays and gets shorter, if it can get short enough.
    newest = max(cuts, default=end)
    least = parts.shortenings(newest, own, 0)
    return newest if parts.kept_weight(newest, own, least) <= keep else end


def _cut(parts: "_Parts", own: frozenset[str], start: int, keep: float) -> Cut:
    kept = parts.kept(start, own)
    shortened = parts.shortenings(start, own, keep)
    fresh = any(parts.shortened_before.get(name) != limit for name, limit in shortened.items())
    dropped = tuple(
        parts.transcript[at]
        for at in parts.positions
        if at not in kept and isinstance(parts.transcript[at], PromptEntry | AnswerEntry)
    )
    transcript = parts.transcript
    listed = tuple(Shortened(subject=name, characters=limit) for name, limit in shortened.items())
    return Cut(
        kept_from=entry_id(transcript[start]) if start < len(transcript) else "",
        kept_prompts=tuple(entry_id(transcript[at]) for at in sorted(kept) if at < start),
        shortened=listed if dropped or fresh else (),
        dropped=dropped,
    )


class _Parts:
    """The entries that are sent now, with their weights."""

    def __init__(self, state: SessionState) -> None:
        chosen = sent(state.transcript)
        self._state = state
        self.transcript = state.transcript
        self.positions = chosen.positions
        self.shortened_before = chosen.shortened
        self._runs: Mapping[str, ToolRun] = {run.run_id: run for run in state.runs}

    @property
    def paused(self) -> bool:
        """Whether the newest answer is one that the server paused."""
        newest = (entry for at in reversed(self.positions) if entry_id(entry := self.transcript[at]))
        return _paused(next(newest, None))

    def cuts(self) -> list[int]:
        """Positions before which a cut is possible, oldest first."""
        found: list[int] = []
        before: Entry | None = None
        for at in self.positions:
            entry = self.transcript[at]
            match entry:
                case PromptEntry():
                    possible = True
                case AnswerEntry(parts=parts):
                    possible = bool(parts) and isinstance(before, AnswerEntry)
                case _:
                    continue
            if possible and not _paused(before):
                found.append(at)
            before = entry
        return found

    def own_prompts(self) -> frozenset[str]:
        """The prompts of the turn that runs; none between turns."""
        turn_id = self._state.turn_id
        if turn_id is None:
            return frozenset()
        entries = [self.transcript[at] for at in self.positions]
        asked = [at for at, entry in enumerate(entries) if isinstance(entry, PromptEntry)]
        mine = (at for at, entry in enumerate(entries) if isinstance(entry, AnswerEntry) and entry.turn_id == turn_id)
        first = next(mine, len(entries))
        others = (at for at in range(first - 1, -1, -1) if isinstance(entries[at], AnswerEntry))
        since = next(others, -1)
        # A turn that only tries again has no prompt of its own: the newest one is what it is about.
        chosen = [at for at in asked if at > since] or asked[-1:]
        return frozenset(entry_id(entries[at]) for at in chosen)

    def kept(self, start: int, own: frozenset[str]) -> frozenset[int]:
        """The positions that stay with a cut before ``start``."""
        return frozenset(at for at in self.positions if at >= start or entry_id(self.transcript[at]) in own)

    def weights_from(self, own: frozenset[str]) -> dict[int, float]:
        """For each position the weight of what stays with a cut before it, all in one go."""
        weights = [self.weight(self.transcript[at], self.shortened_before) for at in self.positions]
        total = sum(
            weight for at, weight in zip(self.positions, weights, strict=True) if entry_id(self.transcript[at]) in own
        )
        found: dict[int, float] = {}
        for at, weight in zip(reversed(self.positions), reversed(weights), strict=True):
            if entry_id(self.transcript[at]) not in own:  # its own prompts stay, and count, wherever the cut is
                total += weight
            found[at] = total
        return found

    def kept_weight(self, start: int, own: frozenset[str], shortened: Mapping[str, int] | None = None) -> float:
        """The weight of what stays."""
        short = self.shortened_before if shortened is None else shortened
        return sum(self.weight(self.transcript[at], short) for at in self.kept(start, own))

    def shortenings(self, start: int, own: frozenset[str], keep: float) -> dict[str, int]:
        """What must be shortened so that the kept part has a weight of ``keep``; what already was stays so."""
        subjects = dict(self._subjects(self.kept(start, own)))
        limits = {name: limit for name, limit in self.shortened_before.items() if name in subjects}
        for characters in SHORTENINGS:
            if self.kept_weight(start, own, limits) <= keep:
                break
            for name, size in subjects.items():
                if min(size, limits.get(name, size)) > characters:
                    limits[name] = characters
        return limits

    def _subjects(self, kept: Iterable[int]) -> Iterable[tuple[str, int]]:
        """What can be shortened: results of tools and attached texts, with their length in characters."""
        for at in sorted(kept):
            match self.transcript[at]:
                case PromptEntry(prompt_id=prompt_id, attachments=attachments):
                    for number, attachment in enumerate(attachments):
                        yield f"{prompt_id}/{number}", len(attachment.text)
                case AnswerEntry(parts=parts):
                    for part in parts:
                        run = self._runs.get(part.run_id) if isinstance(part, ToolCallPart) else None
                        if run is not None:
                            yield run.run_id, len(result_text(run))
                case _:
                    continue

    def weight(self, entry: Entry, shortened: Mapping[str, int]) -> float:
        """The weight of one entry as it is sent."""
        match entry:
            case PromptEntry():
                blocks = (*attached(entry, shortened), TextBlock(text=entry.note), TextBlock(text=entry.text))
                return MESSAGE_WEIGHT + sum(map(block_weight, blocks))
            case AnswerEntry():
                return messages_weight(answer_messages(entry, self._runs, shortened))
            case _:
                return 0


def _paused(entry: Entry | None) -> bool:
    return isinstance(entry, AnswerEntry) and entry.stop_reason is StopReason.PAUSE_TURN


def entries_weight(state: SessionState, entries: Iterable[Entry]) -> float:
    """The weight of some entries as they are."""
    parts = _Parts(state)
    return sum(parts.weight(entry, {}) for entry in entries)


def passes_in_vain(state: SessionState) -> int:
    """How often room was made since the newest answer that came, at nobody's wish."""
    count = 0
    for entry in reversed(state.transcript):
        match entry:
            case AnswerEntry(error=None):
                break
            case CompactionEntry(compacted=compacted) if compacted.cause is not CompactionCause.ASKED:
                count += 1
            case _:
                continue
    return count


def dropped_by(transcript: Sequence[Entry], at: int) -> tuple[Entry, ...]:
    """What the compaction at this place took out of what is sent: what was sent before it and is not after it."""
    before = set(sent(transcript[:at]).positions)
    after = set(sent(transcript[: at + 1]).positions)
    return tuple(transcript[each] for each in sorted(before - after))


def earlier_summary(state: SessionState) -> str:
    """What stands for what was dropped before; empty when nothing was."""
    earlier = sent(state.transcript).compacted
    return "" if earlier is None else earlier.summary

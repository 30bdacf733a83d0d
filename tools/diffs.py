"""Unified diffs of texts, bounded in time: for previews, summaries and stale-file excerpts."""

import difflib
from dataclasses import dataclass
from typing import TypeAlias

from .text_file import as_lines

_COMPARED_LINES = 3000
"""Differing lines on one side up to which a small diff is looked for; beyond, one block replaces the other."""
_CONTEXT = 3

_Change: TypeAlias = tuple[int, int, int, int]
"""Lines ``[0]:[1]`` of the old text become lines ``[2]:[3]`` of the new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """A unified diff ("" when nothing differs) and its counts of lines."""

    text: str
    added: int
    removed: int

    @property
    def summary(self) -> str:
        """Like ``+3 −1``."""
        added, removed = f"+{self.added}", f"−{self.removed}"
        return f"{added} {removed}" if self.added and self.removed else removed if self.removed else added


def unified_diff(before: str, after: str, path: str, *, created: bool = False, deleted: bool = False) -> Diff:
    """The diff from ``before`` to ``after``, with ``\\n`` line ends whatever those of the texts are."""
    old, new = _lines(before), _lines(after)
    changes = _changes(old, new)
    if not changes:
        return Diff(text="", added=0, removed=0)
    shown = ["--- /dev/null" if created else f"--- a/{path}", "+++ /dev/null" if deleted else f"+++ b/{path}"]
    for group in _grouped(changes):
        shown += _hunk(old, new, group)
    added, removed = (sum(change[k + 1] - change[k] for change in changes) for k in (2, 0))
    return Diff(text="\n".join(shown) + "\n", added=added, removed=removed)


def _lines(text: str) -> list[str]:
    """The lines without their ends; a last line that has none carries the usual mark."""
    lines = as_lines(text).split("\n")
    last = lines.pop()
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines


def _changes(old: list[str], new: list[str]) -> list[_Change]:
    shorter = min(len(old), len(new))
    lead = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    tail = next((n for n in range(shorter - lead) if old[-1 - n] != new[-1 - n]), shorter - lead)
    old_part, new_part = old[lead : len(old) - tail], new[lead : len(new) - tail]
    if not old_part and not new_part:
        return []
    if max(len(old_part), len(new_part)) > _COMPARED_LINES:
        return [(lead, len(old) - tail, lead, len(new) - tail)]
    steps = difflib.SequenceMatcher(None, old_part, new_part).get_opcodes()
    return [(a + lead, b + lead, c + lead, d + lead) for step, a, b, c, d in steps if step != "equal"]


def _grouped(changes: list[_Change]) -> list[list[_Change]]:
    """Changes with at most twice the context between them share a hunk."""
    groups = [[changes[0]]]
    for change in changes[1:]:
        if change[0] - groups[-1][-1][1] <= 2 * _CONTEXT:
            groups[-1].append(change)
        else:
            groups.append([change])
    return groups


def _hunk(old: list[str], new: list[str], group: list[_Change]) -> list[str]:
    first = max(0, group[0][0] - _CONTEXT)
    last = min(len(old), group[-1][1] + _CONTEXT)
    new_first = group[0][2] - (group[0][0] - first)
    new_last = group[-1][3] + (last - group[-1][1])
    lines = [f"@@ -{_extent(first, last)} +{_extent(new_first, new_last)} @@"]
    here = first
    for start, end, new_start, new_end in group:
        lines += [f" {line}" for line in old[here:start]]
        lines += [f"-{line}" for line in old[start:end]]
        lines += [f"+{line}" for line in new[new_start:new_end]]
        here = end
    return [*lines, *(f" {line}" for line in old[here:last])]


def _extent(first: int, last: int) -> str:
    """``start,count`` of a hunk's header; an empty extent names the line before it."""
    count = last - first
    return f"{first + 1}" if count == 1 else f"{first + (1 if count else 0)},{count}"

"""Unified diffs of texts, bounded in time: for previews, summaries and stale-file excerpts."""

import difflib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

_COMPARED_LINES = 3000
"""Differing lines on one side up to which a small diff is looked for; beyond, one block replaces the other."""
_PAIRS = 30_000
"""Pairs of equal lines up to which lines that are everywhere (blank ones, brackets) are compared like all others."""
CONTEXT = 3
"""Unchanged lines before and after the changes of a hunk."""

LineChange: TypeAlias = tuple[int, int, int, int]
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
    old, new, groups = changed_lines(before, after)
    if not groups:
        return Diff(text="", added=0, removed=0)
    shown = ["--- /dev/null" if created else f"--- a/{path}", "+++ /dev/null" if deleted else f"+++ b/{path}"]
    for group in groups:
        shown += _hunk(old, new, group)
    added, removed = (sum(change[k + 1] - change[k] for group in groups for change in group) for k in (2, 0))
    return Diff(text="\n".join(shown) + "\n", added=added, removed=removed)


def _lines(text: str) -> list[str]:
    """The lines with their ends as they are: joined, they are the text again."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def bare(line: str) -> str:
    """A line without its end."""
    return line.removesuffix("\n").removesuffix("\r")


def changed_lines(before: str, after: str) -> tuple[list[str], list[str], list[list[LineChange]]]:
    """The lines of both texts, with their ends, and the changes from one to the other, grouped to hunks.

    This is what a hunk is, for everybody: ``unified_diff`` shows these groups in this order.
    """
    old, new = _lines(before), _lines(after)
    changes = line_changes(old, new)
    return old, new, _grouped(changes) if changes else []


def line_changes(old: list[str], new: list[str]) -> list[LineChange]:
    """What differs, in order; words will do too. Bounded in time: where many differ or repeat, blocks are larger."""
    shorter = min(len(old), len(new))
    lead = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    tail = next((n for n in range(shorter - lead) if old[-1 - n] != new[-1 - n]), shorter - lead)
    old_part, new_part = old[lead : len(old) - tail], new[lead : len(new) - tail]
    if not old_part and not new_part:
        return []
    if max(len(old_part), len(new_part)) > _COMPARED_LINES:
        return [(lead, len(old) - tail, lead, len(new) - tail)]
    counts, others = Counter(old_part), Counter(new_part)
    often = sum(count * others[line] for line, count in counts.items()) > _PAIRS
    steps = difflib.SequenceMatcher(None, old_part, new_part, autojunk=often).get_opcodes()
    return [(a + lead, b + lead, c + lead, d + lead) for step, a, b, c, d in steps if step != "equal"]


def _grouped(changes: list[LineChange]) -> list[list[LineChange]]:
    """Changes with at most twice the context between them share a hunk."""
    groups = [[changes[0]]]
    for change in changes[1:]:
        if change[0] - groups[-1][-1][1] <= 2 * CONTEXT:
            groups[-1].append(change)
        else:
            groups.append([change])
    return groups


def _hunk(old: list[str], new: list[str], group: list[LineChange]) -> list[str]:
    first = max(0, group[0][0] - CONTEXT)
    last = min(len(old), group[-1][1] + CONTEXT)
    new_first = group[0][2] - (group[0][0] - first)
    new_last = group[-1][3] + (last - group[-1][1])
    lines = [f"@@ -{_extent(first, last)} +{_extent(new_first, new_last)} @@"]
    here = first
    for start, end, new_start, new_end in group:
        removed, added = old[start:end], new[new_start:new_end]
        came, went = frozenset(added), frozenset(removed)
        lines += [f" {_shown(line)}" for line in old[here:start]]
        lines += [f"-{_shown(line, beside=came)}" for line in removed]
        lines += [f"+{_shown(line, beside=went)}" for line in added]
        here = end
    return [*lines, *(f" {_shown(line)}" for line in old[here:last])]


def _shown(line: str, beside: Collection[str] = ()) -> str:
    """A line as a diff has it. Its ``\\r`` is kept only where it is what tells it from a line ``beside`` it."""
    if not line.endswith("\n"):
        return f"{line}\n\\ No newline at end of file"
    text = bare(line)
    other = f"{text}\n" if line.endswith("\r\n") else f"{text}\r\n"
    return line[:-1] if other in beside and line not in beside else text


def _extent(first: int, last: int) -> str:
    """``start,count`` of a hunk's header; an empty extent names the line before it."""
    count = last - first
    return f"{first + 1}" if count == 1 else f"{first + (1 if count else 0)},{count}"

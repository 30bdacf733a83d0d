"""Finds the parts of a file that look most like a text that is not in it."""

import difflib
import re
from collections import Counter
from dataclasses import dataclass

_WORD = re.compile(r"\w+|[^\w\s]")
_CANDIDATES = 8
"""Windows compared letter by letter; the others are judged by the words they share."""
_COMPARED = 4000
"""Characters of a window that are compared letter by letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Lines ``first`` to ``last`` (counted from 1, both included) and how alike they are, 0 to 1."""

    first: int
    last: int
    likeness: float


def nearest_regions(lines: list[str], wanted: list[str], *, count: int = 3) -> list[Region]:
    """The ``count`` regions of ``lines`` most like ``wanted``, best first, at least a third alike, not overlapping."""
    size = min(len(wanted), len(lines))
    if not size:
        return []
    target = "\n".join(line.strip() for line in wanted)[:_COMPARED]
    regions: list[Region] = []
    for start in _likely_starts(lines, wanted, size):
        window = "\n".join(line.strip() for line in lines[start : start + size])[:_COMPARED]
        likeness = (
            difflib.SequenceMatcher(None, window, target, autojunk=False).ratio()
            if len(window) < 400
            else (
                difflib.SequenceMatcher(None, window.split("\n"), target.split("\n"), autojunk=False).ratio() * 0.5
                + difflib.SequenceMatcher(None, _WORD.findall(window), _WORD.findall(target), autojunk=False).ratio()
                * 0.5
            )
        )
        if likeness >= 0.34:
            regions.append(Region(first=start + 1, last=start + size, likeness=likeness))
    return sorted(regions, key=lambda region: -region.likeness)[:count]


def _likely_starts(lines: list[str], wanted: list[str], size: int) -> list[int]:
    """Starts of the windows that share most words with ``wanted``; rare words weigh more. Linear time."""
    words = [set(_WORD.findall(line)) for line in lines]
    common = Counter(word for line in words for word in line)
    sought = set(_WORD.findall("\n".join(wanted)))
    weights = [sum(1 / common[word] for word in line & sought) for line in words]
    total = sum(weights[:size])
    scores = [total]
    for start in range(1, len(lines) - size + 1):
        total += weights[start + size - 1] - weights[start - 1]
        scores.append(total)
    starts: list[int] = []
    for start in sorted(range(len(scores)), key=lambda index: -scores[index]):
        if scores[start] <= 1e-9 or len(starts) == _CANDIDATES:
            break
        if all(abs(start - taken) >= size for taken in starts):
            starts.append(start)
    return starts

"""Finds the parts of a file that look most like a text that is not in it."""

import difflib
import re
from collections import Counter
from dataclasses import dataclass

_WORD = re.compile(r"\w+|[^\w\s]")
_CANDIDATES = 8
"""Windows compared letter by letter; the others are judged by the words they share."""
_COMPARED = 4000
"""Characters of a window that are compared."""
_SPELLED = 2000
"""Lines looked at for similar spelling."""
_LEAST = 0.34
_SHOWN_LINES = 12
_SHOWN_CHARACTERS = 200
_EXCERPTS = 5
_EXCERPT_LINES = 60
_AROUND = 5
"""Lines shown above and below."""


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
    for start in _likely_starts(lines, wanted, size) or _starts_by_letters(lines, wanted, size):
        window = "\n".join(line.strip() for line in lines[start : start + size])[:_COMPARED]
        likeness = _likeness(window, target)
        if likeness >= _LEAST:
            regions.append(Region(first=start + 1, last=start + size, likeness=likeness))
    return sorted(regions, key=lambda region: -region.likeness)[:count]


def shown_regions(lines: list[str], wanted: list[str]) -> str:
    """The nearest regions with their line numbers, for the model; a sentence when there are none."""
    regions = nearest_regions(lines, wanted)
    if not regions:
        return " Nothing in the file is like it: read the file again."
    shown = [" Most similar:"]
    for region in regions:
        last = min(region.last, region.first + _SHOWN_LINES - 1)
        shown.append(f"lines {region.first}-{region.last} ({region.likeness:.0%} alike):")
        shown += _numbered(lines, region.first, last)
    return "\n".join(shown)


def excerpt(lines: list[str], wanted: list[list[str]]) -> tuple[str, set[str]]:
    """What is around each of ``wanted`` (or what is most like it), numbered, and the lines that this shows whole."""
    parts: list[str] = []
    known: set[str] = set()
    for each in wanted[:_EXCERPTS]:
        size = len(each)
        exact = next((at + 1 for at in range(len(lines) - size + 1) if size and lines[at : at + size] == each), None)
        found = nearest_regions(lines, each, count=1) if exact is None else []
        first = exact if exact is not None else found[0].first if found else None
        if first is None:
            continue
        last = min(first + min(size, _EXCERPT_LINES) - 1 + _AROUND, len(lines))
        first = max(1, first - _AROUND)
        parts.append("\n".join(_numbered(lines, first, last)))
        known |= {line for line in lines[first - 1 : last] if len(line) <= _SHOWN_CHARACTERS}
    return "\n…\n".join(parts), known


def _numbered(lines: list[str], first: int, last: int) -> list[str]:
    return [f"{number}\t{lines[number - 1][:_SHOWN_CHARACTERS]}" for number in range(first, last + 1)]


def _likeness(window: str, target: str) -> float:
    """Letter by letter for short texts, word by word for longer ones, where letters would take too long."""
    if len(window) + len(target) < 800:
        return difflib.SequenceMatcher(None, window, target, autojunk=False).ratio()
    one, other = _WORD.findall(window), _WORD.findall(target)
    return 2 * _common_words(one, other) / max(len(one) + len(other), 1)


def _common_words(one: list[str], other: list[str]) -> int:
    """How many words a longest common subsequence has. Where words repeat, difflib takes cubic time.

    Bit-parallel, a row of the table in one integer: H. Hyyrö, "Bit-Parallel LCS-length Computation Revisited"
    (AWOCA 2004), section 3.
    """
    places: dict[str, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    every = (1 << len(one)) - 1
    row = every
    for word in other:
        taken = row & places.get(word, 0)
        row = ((row + taken) | (row - taken)) & every
    return len(one) - row.bit_count()


def _starts_by_letters(lines: list[str], wanted: list[str], size: int) -> list[int]:
    """Where no word is shared: lines spelled much like the longest one wanted."""
    at, longest = max(enumerate(line.strip() for line in wanted), key=lambda pair: len(pair[1]))
    first_at = {line.strip()[:_COMPARED]: number for number, line in reversed(list(enumerate(lines[:_SPELLED])))}
    close = difflib.get_close_matches(longest[:200], list(first_at), n=3, cutoff=0.5)
    return [min(max(0, first_at[line] - at), len(lines) - size) for line in close]


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

"""Differences of two texts as values: hunks of numbered lines, for whoever paints them.

``diff_texts`` compares; ``parse_unified`` reads a diff that somebody else made (the preview of an approval).
Both give the same values. Comparing is bounded: lines that occur once on both sides are matched first (as in
patience diffs, n log n), the stretches between them line by line if they are short, else as one block.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, TypeAlias

CONTEXT = 3
"""Unchanged lines shown before and after a change."""
CLOSE_LINES = 200
"""Lines of a stretch up to which it is compared line by line; beyond, one block replaces the other."""
LARGEST_TEXT = 50_000
"""Lines of a text above which only what is the same at both ends is looked for."""

Sign: TypeAlias = Literal[" ", "+", "-"]
_Change: TypeAlias = tuple[int, int, int, int]
"""Lines ``[0]:[1]`` of the old text become lines ``[2]:[3]`` of the new one."""
_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)")
_UNENDED = "\\ No newline at end of file"
_NO_FILE = "/dev/null"


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line, without its newline, and its number (from 1) on the sides that have it."""

    sign: Sign
    text: str
    old: int | None
    new: int | None
    unended: bool = False
    """True for a last line without a newline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    """Changed lines that lie close together, with their context."""

    old_start: int
    """Old lines before the hunk."""
    new_start: int
    lines: tuple[DiffLine, ...]
    heading: str = ""
    """What follows the second ``@@``: the function around it, if the tool that made the diff says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDiff:
    """The hunks of one file and how many lines they add and take away."""

    hunks: tuple[Hunk, ...] = ()
    added: int = 0
    removed: int = 0
    path: str = ""
    """The file a parsed diff names, "" when it names none."""
    created: bool = False
    deleted: bool = False
    cut: bool = False
    """True when a parsed diff is not whole."""


Pair: TypeAlias = tuple[DiffLine | None, DiffLine | None]
"""What stands on the left and on the right of one row, side by side."""


def diff_texts(before: str, after: str) -> TextDiff:
    """The hunks that turn ``before`` into ``after``. Lines end at ``\\n`` only; a ``\\r`` belongs to its line."""
    old, new = _lines(before), _lines(after)
    changes = list(_changes(old, new))
    hunks = tuple(_hunk(old, new, group) for group in _grouped(changes))
    added = sum(new_end - new_start for _, _, new_start, new_end in changes)
    return TextDiff(hunks=hunks, added=added, removed=sum(end - start for start, end, _, _ in changes))


def side_by_side(lines: Sequence[DiffLine]) -> Iterator[Pair]:
    """Lines of a hunk as pairs: what was taken away stands beside what came in its place."""
    removed: list[DiffLine] = []
    added: list[DiffLine] = []
    for line in lines:
        match line.sign:
            case "-" if not added:
                removed.append(line)
            case "+":
                added.append(line)
            case _:
                yield from _paired(removed, added)
                removed, added = ([line], []) if line.sign == "-" else ([], [])
                if line.sign == " ":
                    yield line, line
    yield from _paired(removed, added)


def _paired(removed: Sequence[DiffLine], added: Sequence[DiffLine]) -> Iterator[Pair]:
    for place in range(max(len(removed), len(added))):
        left = removed[place] if place < len(removed) else None
        yield left, added[place] if place < len(added) else None


# ---- comparing


def _lines(text: str) -> list[str]:
    """The lines with their newlines, so that a missing last one is a difference."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _changes(old: Sequence[str], new: Sequence[str]) -> Iterator[_Change]:
    """What differs, in order; neighbours are never adjacent on both sides."""
    start: tuple[int, int] | None = None
    here = (0, 0)
    for a, b, size in (*_matches(old, new), (len(old), len(new), 0)):
        if (a, b) != here and start is None:
            start = here
        if start is not None:
            yield start[0], a, start[1], b
            start = None
        here = (a + size, b + size)


def _matches(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Equal stretches in order: where in the old text, where in the new one, how many lines."""
    lead, tail = _common_ends(old, new)
    if lead:
        yield 0, 0, lead
    old_end, new_end = len(old) - tail, len(new) - tail
    a, b = lead, lead
    for old_anchor, new_anchor in (*_anchors(old, new, lead, old_end, new_end), (old_end, new_end)):
        for i, j, size in _close_matches(old[a:old_anchor], new[b:new_anchor]):
            yield a + i, b + j, size
        if old_anchor < old_end:
            yield old_anchor, new_anchor, 1
        a, b = old_anchor + 1, new_anchor + 1
    if tail:
        yield old_end, new_end, tail


def _common_ends(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """How many lines are the same at the start, and after those at the end."""
    shorter = min(len(old), len(new))
    lead = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    tail = next((n for n in range(shorter - lead) if old[-1 - n] != new[-1 - n]), shorter - lead)
    return lead, tail


def _anchors(
    old: Sequence[str], new: Sequence[str], lead: int, old_end: int, new_end: int
) -> Sequence[tuple[int, int]]:
    """The longest ordered run of lines that occur exactly once on both sides."""
    if max(old_end, new_end) - lead > LARGEST_TEXT:
        return ()
    old_counts, new_counts = Counter(old[lead:old_end]), Counter(new[lead:new_end])
    places = {new[j]: j for j in range(lead, new_end) if new_counts[new[j]] == 1}
    shared = [(i, places[old[i]]) for i in range(lead, old_end) if old_counts[old[i]] == 1 and old[i] in places]
    return _longest_rising(shared)


def _longest_rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence whose second numbers rise (patience sorting)."""
    tops: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        pile = bisect_left(tops, j)
        before.append(last[pile - 1] if pile else -1)
        tops[pile : pile + 1] = [j]
        last[pile : pile + 1] = [index]
    chain: list[tuple[int, int]] = []
    index = last[-1] if last else -1
    while index >= 0:
        chain.append(pairs[index])
        index = before[index]
    return chain[::-1]


def _close_matches(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Equal stretches of two short texts; of long ones only the equal ends."""
    if not old or not new:
        return
    lead, tail = _common_ends(old, new)
    if lead:
        yield 0, 0, lead
    old_end, new_end = len(old) - tail, len(new) - tail
    if max(old_end, new_end) - lead <= CLOSE_LINES:
        matcher = SequenceMatcher(None, old[lead:old_end], new[lead:new_end])
        yield from ((lead + i, lead + j, size) for i, j, size in matcher.get_matching_blocks() if size)
    if tail:
        yield old_end, new_end, tail


def _grouped(changes: Sequence[_Change]) -> Iterator[list[_Change]]:
    """Changes with at most twice the context between them share a hunk."""
    group: list[_Change] = []
    for change in changes:
        if group and change[0] - group[-1][1] > 2 * CONTEXT:
            yield group
            group = []
        group.append(change)
    if group:
        yield group


def _hunk(old: Sequence[str], new: Sequence[str], group: Sequence[_Change]) -> Hunk:
    first = max(0, group[0][0] - CONTEXT)
    last = min(len(old), group[-1][1] + CONTEXT)
    shift = group[0][2] - group[0][0]
    lines: list[DiffLine] = []
    a, b = first, first + shift
    for start, end, new_start, new_end in (*group, (last, last, 0, 0)):
        lines += [_line(" ", old[i], i + 1, i - a + b + 1) for i in range(a, start)]
        lines += [_line("-", old[i], i + 1, None) for i in range(start, end)]
        lines += [_line("+", new[j], None, j + 1) for j in range(new_start, new_end)]
        a, b = end, new_end
    return Hunk(old_start=first, new_start=first + shift, lines=tuple(lines))


def _line(sign: Sign, line: str, old: int | None, new: int | None) -> DiffLine:
    ended = line.endswith("\n")
    return DiffLine(sign, line[:-1] if ended else line, old, new, not ended)


# ---- parsing


def parse_unified(text: str) -> tuple[TextDiff, ...]:
    """The files of a unified diff (POSIX ``diff -u``, Git); empty when the text holds no hunk.

    Tolerant: a hunk ends early at a line that cannot belong to it, and the file is then marked ``cut``.
    """
    parser = _Parser()
    for line in text.removesuffix("\n").split("\n"):
        parser.feed(line)
    parser.close_file()
    return tuple(parser.files)


class _Parser:
    """Reads a unified diff line by line. How many lines a hunk has is known from its header."""

    def __init__(self) -> None:
        self.files: list[TextDiff] = []
        self._paths = ["", ""]
        self._cut = False
        self._hunks: list[Hunk] = []
        self._start = (0, 0, "")
        self._lines: list[DiffLine] = []
        self._old, self._new = 1, 1
        self._old_left, self._new_left = 0, 0

    def feed(self, line: str) -> None:
        """Take the next line, without its newline."""
        if line == _UNENDED and self._lines:
            last = self._lines[-1]
            self._lines[-1] = DiffLine(last.sign, last.text, last.old, last.new, unended=True)
        elif (self._old_left or self._new_left) and line[:1] in (" ", "+", "-", ""):
            self._body(line)
        elif found := _HUNK.fullmatch(line):
            self._open_hunk(found)
        elif line.startswith(("--- ", "diff ")):
            self.close_file()
            self._paths[0] = _path(line)
        elif line.startswith("+++ "):
            self._paths[1] = _path(line)
        else:
            # Git's header lines stand before the first hunk; anything after it means that something is missing.
            self._cut |= bool(self._lines)
            self._old_left = self._new_left = 0

    def _open_hunk(self, found: re.Match[str]) -> None:
        self._close_hunk()
        old, new = int(found[1]), int(found[3])
        self._old_left, self._new_left = int(found[2] or 1), int(found[4] or 1)
        # An empty extent has the number of the line before it.
        self._old, self._new = old + (not self._old_left), new + (not self._new_left)
        self._start = (self._old - 1, self._new - 1, found[5])

    def _body(self, line: str) -> None:
        text = line[1:]
        match line[:1]:
            case "-":
                self._lines.append(DiffLine("-", text, self._old, None))
            case "+":
                self._lines.append(DiffLine("+", text, None, self._new))
            case _:
                self._lines.append(DiffLine(" ", text, self._old, self._new))
        if line[:1] != "+":
            self._old, self._old_left = self._old + 1, max(0, self._old_left - 1)
        if line[:1] != "-":
            self._new, self._new_left = self._new + 1, max(0, self._new_left - 1)

    def _close_hunk(self) -> None:
        self._cut |= bool(self._old_left or self._new_left)
        if self._lines:
            old, new, heading = self._start
            self._hunks.append(Hunk(old_start=old, new_start=new, lines=tuple(self._lines), heading=heading))
        self._lines, self._old_left, self._new_left = [], 0, 0

    def close_file(self) -> None:
        """The file is over: keep it if it has a hunk."""
        self._close_hunk()
        if self._hunks:
            signs = Counter(line.sign for hunk in self._hunks for line in hunk.lines)
            before, after = self._paths
            self.files.append(
                TextDiff(
                    hunks=tuple(self._hunks),
                    added=signs["+"],
                    removed=signs["-"],
                    path=before if after in ("", _NO_FILE) else after,
                    created=before == _NO_FILE,
                    deleted=after == _NO_FILE,
                    cut=self._cut,
                )
            )
        self._paths, self._hunks, self._cut = ["", ""], [], False


def _path(line: str) -> str:
    """The path of a ``---`` or ``+++`` line, without Git's ``a/`` or ``b/`` and without a time stamp."""
    if line.startswith("diff "):
        return ""
    path = line[4:].split("\t", 1)[0].rstrip("\r")
    return path[2:] if path[:2] in ("a/", "b/") else path

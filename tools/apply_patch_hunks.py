"""Finds the places of a patch's hunks in a text and puts their new lines there.

Each hunk is looked for exactly, then with the tolerances of ``matching``. Hunks stand in the order of the file and
do not overlap; that often leaves one place for each of several that look alike. Where it does not, the line above
the hunk that the patch names decides, or a line number that is right; else nothing is applied.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .apply_patch_model import Hunk, HunkLine
from .failures import ToolFailure
from .matching import TOLERANCES, IndentationUnclear, LineKey, has_substance, indentation
from .regions import shown_regions
from .text_file import Lines

_LISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Patched:
    """The new text, and the tolerances used, in words."""

    text: str
    tolerances: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    """The lines of the old text, from 1, both included, that the hunks matched."""


@dataclass(slots=True, kw_only=True)
class _Placed:
    """A hunk (perhaps without blank lines at its ends) and the lines, from 0, where it can go."""

    hunk: Hunk
    lines: tuple[HunkLine, ...]
    size: int
    starts: list[int]
    tolerance: str = ""


def patched(text: str, hunks: Sequence[Hunk], path: str) -> Patched:
    """Apply all hunks or none. Raises ``ToolFailure``; ``path`` is named in it."""
    view = Lines(text)
    lines = view.text.split("\n")
    if lines[-1] == "":
        lines.pop()
    placed = [_placed(hunk, lines, label) for hunk, label in zip(hunks, _labels(hunks, path), strict=True)]
    _settle(placed, lines, _labels(hunks, path))
    offsets = list(itertools.accumulate((len(line) + 1 for line in lines), initial=0))
    parts: list[tuple[int, int, str]] = []
    for each, label in sorted(zip(placed, _labels(hunks, path), strict=True), key=lambda pair: pair[0].starts[0]):
        try:
            parts += _parts(each, lines, view.text, offsets)
        except IndentationUnclear:
            raise ToolFailure(
                f"{label}is in the file with another indentation that does not carry over to its new lines: give "
                "them with the exact indentation of the file.",
                kind="not_found",
            ) from None
    return Patched(
        text=view.replaced(_joined(parts)),
        tolerances=tuple(dict.fromkeys(each.tolerance for each in placed if each.tolerance)),
        spans=tuple((each.starts[0] + 1, max(each.starts[0] + each.size, 1)) for each in placed),
    )


def _labels(hunks: Sequence[Hunk], path: str) -> list[str]:
    if len(hunks) == 1:
        return [f"{path}: the hunk "]
    return [f"{path}: hunk {number} of {len(hunks)} " for number in range(1, len(hunks) + 1)]


def _placed(hunk: Hunk, lines: list[str], label: str) -> _Placed:
    """Every place of a hunk at the tightest tolerance that has one. Raises ``ToolFailure`` when there is none."""
    if not hunk.old:
        return _insertion(hunk, lines, label)
    for variant in _variants(hunk.lines):
        wanted = [line.text for line in variant if line.sign != "+"]
        for tolerance, key in (("", None), *TOLERANCES):
            starts = _starts(lines, wanted, key)
            if hunk.at_end:
                starts = [start for start in starts if start + len(wanted) == len(lines)]
            if starts:
                return _Placed(hunk=hunk, lines=variant, size=len(wanted), starts=starts, tolerance=tolerance)
    where = "at the end of the file" if hunk.at_end else "in the file"
    raise ToolFailure(f"{label}is not {where}.{shown_regions(lines, list(hunk.old))}", kind="not_found")


def _variants(lines: tuple[HunkLine, ...]) -> list[tuple[HunkLine, ...]]:
    """The hunk as given, then without empty lines at its ends that only separate it from its neighbours."""
    variants = [lines]
    last = len(lines)
    while last and lines[last - 1].bare:
        last -= 1
    first = 0
    while first < last and lines[first].bare:
        first += 1
    for shorter in (lines[:last], lines[first:last]):
        if len(shorter) < len(variants[-1]) and any(line.sign != "+" for line in shorter):
            variants.append(shorter)
    return variants


def _starts(lines: list[str], wanted: list[str], key: LineKey | None) -> list[int]:
    if key is not None:
        wanted = [key(line) for line in wanted]
        if not has_substance(wanted):
            return []
        lines = [key(line) for line in lines]
    size = len(wanted)
    return [at for at in range(len(lines) - size + 1) if lines[at] == wanted[0] and lines[at : at + size] == wanted]


def _insertion(hunk: Hunk, lines: list[str], label: str) -> _Placed:
    """New lines without any old ones: below the line named, at a number a program wrote, else at the end."""
    if hunk.scopes:
        starts = [at + 1 for at in _scopes(hunk.scopes, lines, label)]
        if len(starts) > 1:
            raise ToolFailure(_ambiguous(label, [at - 1 for at in starts]), kind="ambiguous")
    elif hunk.first is None or not lines or hunk.first >= len(lines) or hunk.at_end:
        starts = [len(lines)]
    elif hunk.exact:
        starts = [hunk.first]
    else:
        raise ToolFailure(f"{label}has only new lines: add lines of the file around them.", kind="not_found")
    return _Placed(hunk=hunk, lines=hunk.lines, size=0, starts=starts)


def _scopes(scopes: Sequence[str], lines: list[str], label: str) -> list[int]:
    """The lines, from 0, where the last of the named lines stands below the others."""
    reached: list[int] = [-1]
    for scope in scopes:
        found = _lines_like(scope, lines)
        below = {next((at for at in found if at > above), None) for above in reached}
        # without a scope above it, each place of the line counts, not only the first
        reached = found if reached == [-1] else sorted(at for at in below if at is not None)
        if not reached:
            raise ToolFailure(
                f"{label}names the line {scope!r}, which is not in the file{' there' if found else ''}."
                f"{shown_regions(lines, [scope])}",
                kind="not_found",
            )
    return reached


_SAME: tuple[Callable[[str, str], bool], ...] = (
    lambda line, scope: line == scope,
    lambda line, scope: line.strip() == scope.strip(),
    lambda line, scope: TOLERANCES[-1][1](line) == TOLERANCES[-1][1](scope),
    lambda line, scope: line.strip().startswith(scope.strip()),
)


def _lines_like(scope: str, lines: list[str]) -> list[int]:
    for same in _SAME:
        found = [at for at, line in enumerate(lines) if same(line, scope)]
        if found:
            return found
    return []


def _settle(placed: list[_Placed], lines: list[str], labels: list[str]) -> None:
    """Leave one place to each hunk. Raises ``ToolFailure`` when that cannot be told, or when none is left."""
    ordered = [(each, label) for each, label in zip(placed, labels, strict=True) if each.size]
    reached = 0
    for each, label in ordered:
        elsewhere = each.starts
        each.starts = [start for start in each.starts if start >= reached]
        if not each.starts:
            _loosen(each, lines, reached)
        if not each.starts:
            numbers = ", ".join(str(at + 1) for at in elsewhere[:_LISTED])
            raise ToolFailure(
                f"{label}is only at line {numbers}, which is above or inside the hunk before it: give the hunks in "
                "the order of the file, without overlaps.",
                kind="not_found",
            )
        if each.hunk.scopes:
            each.starts = _below_scopes(each, lines, label)
        reached = min(each.starts) + each.size
    _drop_what_leaves_no_room(ordered)
    for number, (each, label) in enumerate(ordered):
        if len(each.starts) > 1:
            each.starts = _hinted(each, ordered[number - 1][0] if number else None) or each.starts
            _keep_in_order(ordered)
        if len(each.starts) > 1:
            raise ToolFailure(_ambiguous(label, each.starts), kind="ambiguous")


def _loosen(each: _Placed, lines: list[str], reached: int) -> None:
    """Look below ``reached`` with more tolerance than was needed above it."""
    wanted = [line.text for line in each.lines if line.sign != "+"]
    for tolerance, key in TOLERANCES:
        starts = [start for start in _starts(lines, wanted, key) if start >= reached]
        if starts and not (each.hunk.at_end and starts[-1] + each.size != len(lines)):
            each.starts, each.tolerance = starts, tolerance
            return


def _below_scopes(each: _Placed, lines: list[str], label: str) -> list[int]:
    """For each place of the named line the first place of the hunk below it (or beginning with it)."""
    scopes = _scopes(each.hunk.scopes, lines, label)
    below = {next((start for start in each.starts if start > scope), None) for scope in scopes} - {None}
    below = below or {next((start for start in each.starts if start == scope), None) for scope in scopes} - {None}
    if not below:
        raise ToolFailure(f"{label}is not below the line {each.hunk.scopes[-1]!r}.", kind="not_found")
    return sorted(start for start in below if start is not None)


def _drop_what_leaves_no_room(ordered: list[tuple[_Placed, str]]) -> None:
    limit: int | None = None
    for each, _ in reversed(ordered):
        each.starts = [start for start in each.starts if limit is None or start + each.size <= limit]
        limit = max(each.starts)


def _keep_in_order(ordered: list[tuple[_Placed, str]]) -> None:
    reached = 0
    for each, _ in ordered:
        each.starts = [start for start in each.starts if start >= reached] or each.starts[-1:]
        reached = min(each.starts) + each.size


def _hinted(each: _Placed, before: _Placed | None) -> list[int]:
    """The place that the line number names, as it is or as far off as that of the hunk before."""
    if each.hunk.first is None:
        return []
    drifts = [0]
    if before is not None and before.hunk.first is not None and len(before.starts) == 1:
        drifts.insert(0, before.starts[0] + 1 - before.hunk.first)
    for drift in drifts:
        if each.hunk.first - 1 + drift in each.starts:
            return [each.hunk.first - 1 + drift]
    return []


def _ambiguous(label: str, starts: list[int]) -> str:
    numbers = ", ".join(str(at + 1) for at in starts[:_LISTED]) + (", …" if len(starts) > _LISTED else "")
    return f"{label}fits {len(starts)} places, at lines {numbers}: add more lines around it, or a line above after @@."


def _parts(each: _Placed, lines: list[str], text: str, offsets: list[int]) -> list[tuple[int, int, str]]:
    """The changes of one hunk as characters ``[0]:[1]`` of ``text`` that become ``[2]``."""
    at = each.starts[0]
    asked = [line.text for line in each.lines if line.sign != "+"]
    there = lines[at : at + each.size]
    parts: list[tuple[int, int, str]] = []
    done = 0  # old lines of the hunk passed so far
    for run in _runs(each.lines):
        removed = [line.text for line in run if line.sign == "-"]
        added = [line.text for line in run if line.sign == "+"]
        if run[0].sign != " ":
            indent = _indent(removed, there[done : done + len(removed)], asked, there)
            new = "".join(f"{indent(line)}\n" for line in added)
            start, end = offsets[at + done], min(offsets[at + done + len(removed)], len(text))
            if start > len(text):  # below a last line without a line end
                start, new = len(text), f"\n{new}"
            if run[-1] is each.lines[-1]:
                new = new.removesuffix("\n") if each.hunk.unended and end == len(text) else new
            parts.append((start, end, new))
            done += len(removed)
        else:
            done += len(run)
    return parts


def _indent(removed: list[str], there: list[str], asked: list[str], all_there: list[str]) -> Callable[[str], str]:
    """How new lines are indented: like those they replace, else like the whole hunk."""
    if removed:
        try:
            local = indentation(removed, there) if any(line.strip() for line in removed) else None
        except IndentationUnclear:
            local = None
        if local is not None:
            return local
    return indentation(asked, all_there) if asked else str


def _runs(lines: tuple[HunkLine, ...]) -> list[list[HunkLine]]:
    """Lines that stay and lines that change, in turn."""
    runs: list[list[HunkLine]] = []
    for line in lines:
        if runs and (runs[-1][0].sign == " ") == (line.sign == " "):
            runs[-1].append(line)
        else:
            runs.append([line])
    return runs


def _joined(parts: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """In order; several insertions at the same place become one."""
    joined: list[tuple[int, int, str]] = []
    for start, end, new in sorted(parts, key=lambda part: part[:2]):
        if joined and joined[-1][0] == joined[-1][1] == start == end:
            extra = new.removeprefix("\n") if joined[-1][2].startswith("\n") and new.startswith("\n") else new
            joined[-1] = (start, end, joined[-1][2] + extra)
        else:
            joined.append((start, end, new))
    return joined

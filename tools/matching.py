"""Locates the text that an edit replaces: exactly where possible, else by lines that differ only in blanks.

Tolerance is for finding only. What is replaced must be unique (or every occurrence be wanted), lines that the
edit leaves alone keep the bytes of the file, and a changed line gets the indentation of its place.
"""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass

_TYPOGRAPHY = str.maketrans(
    "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u2010\u2011\u2012\u2013\u2014\u2212\u00a0\u202f\u2009\u3000",
    "''''\"\"\"------" + "    ",
)
_INDENT = re.compile(r"[ \t]*")
_SUBSTANCE = re.compile(r"\w")

LineKey = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Characters ``start`` to ``end`` of the text are to become ``new``."""

    start: int
    end: int
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Every place that fits, and in what the text there differs from what was asked for ("" if in nothing)."""

    matches: tuple[Match, ...]
    tolerance: str = ""


class IndentationUnclear(Exception):
    """The place was found, but not how its indentation goes with that of the new text."""


def locate(text: str, old: str, new: str) -> Located:
    """The places of ``old`` in ``text``, all three with ``\\n`` line ends. No match: an empty tuple."""
    exact = _exact(text, old, new)
    if exact:
        return Located(matches=exact)
    tolerances: tuple[tuple[str, LineKey], ...] = (
        ("blanks at line ends", str.rstrip),
        ("typographic quotes, dashes or blanks", lambda line: line.translate(_TYPOGRAPHY).rstrip()),
        ("indentation", lambda line: line.translate(_TYPOGRAPHY).strip()),
        ("blanks within lines", lambda line: " ".join(line.translate(_TYPOGRAPHY).split())),
    )
    for tolerance, key in tolerances:
        matches = _by_lines(text, old, new, key)
        if matches:
            return Located(matches=matches, tolerance=tolerance)
    return Located(matches=())


def _exact(text: str, old: str, new: str) -> tuple[Match, ...]:
    """Occurrences, overlapping ones too: where they overlap nobody can say which one was meant."""
    found: list[Match] = []
    start = text.find(old)
    while start >= 0:
        found.append(Match(start=start, end=start + len(old), new=new))
        start = text.find(old, start + 1)
    return tuple(found)


def _by_lines(text: str, old: str, new: str, key: LineKey) -> tuple[Match, ...]:
    """Runs of whole lines whose keys are those of the lines of ``old``."""
    whole = old.endswith("\n")
    old_lines = old.removesuffix("\n").split("\n")
    wanted = [key(line) for line in old_lines]
    if not _SUBSTANCE.search("".join(wanted)):
        return ()
    lines = text.split("\n")
    keys = [key(line) for line in lines]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    matches: list[Match] = []
    size = len(wanted)
    for index in range(len(keys) - size + 1):
        if keys[index] == wanted[0] and keys[index : index + size] == wanted:
            replacement, end = new, starts[index + size] - 1
            if whole and new.endswith("\n"):
                replacement = new[:-1]
            elif whole:
                end = min(end + 1, len(text))
            merged = _merged(old_lines, replacement.split("\n"), lines[index : index + size])
            matches.append(Match(start=starts[index], end=end, new=merged))
    return tuple(matches)


def _merged(old: list[str], new: list[str], there: list[str]) -> str:
    """The new lines as they belong in the file: unchanged ones with its bytes, the others indented like it."""
    if new == [""]:
        return ""
    indent = _indentation(old, there)
    merged: list[str] = []
    steps = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for step, old_first, old_last, new_first, new_last in steps:
        if step == "equal":
            merged += there[old_first:old_last]
        else:
            merged += [indent(line) for line in new[new_first:new_last]]
    return "\n".join(merged)


def _indentation(old: list[str], there: list[str]) -> Callable[[str], str]:
    """How a line indented like ``old`` is indented like ``there``."""
    pairs = {(_blank(one), _blank(other)) for one, other in zip(old, there, strict=True) if one.strip()}
    if all(one == other for one, other in pairs):
        return lambda line: line
    for candidate in (_by_prefix(pairs), _by_table(pairs)):
        if candidate is not None:
            return candidate
    raise IndentationUnclear


def _by_prefix(pairs: set[tuple[str, str]]) -> Callable[[str], str] | None:
    """Every line has the same additional (or missing) beginning."""
    one, other = next(iter(pairs))
    if other.endswith(one):
        added = other[: len(other) - len(one)]
        if all(there == added + asked for asked, there in pairs):
            return lambda line: added + line if line.strip() else line
    if one.endswith(other):
        missing = one[: len(one) - len(other)]
        if all(asked == missing + there for asked, there in pairs):
            return lambda line: _without(line, missing)
    return None


def _without(line: str, missing: str) -> str:
    if line.strip() and not line.startswith(missing):
        raise IndentationUnclear
    return line.removeprefix(missing)


def _by_table(pairs: set[tuple[str, str]]) -> Callable[[str], str] | None:
    """Each indentation has its counterpart; one not seen before is scaled like the others (2 blanks to a tab)."""
    table = dict(sorted(pairs))
    if len(table) < len(pairs) or len(set(table.values())) < len(table):
        return None
    asked, there = max(table.items(), key=lambda pair: len(pair[0]))
    even = bool(asked) and all(len(a) * len(there) == len(t) * len(asked) for a, t in pairs) and len(set(there)) == 1

    def indented(line: str) -> str:
        blank = _blank(line)
        if not line.strip():
            return line
        if blank in table:
            return table[blank] + line[len(blank) :]
        scaled, rest = divmod(len(blank) * len(there), len(asked)) if even else (0, 1)
        if rest or set(blank) != set(asked):
            raise IndentationUnclear
        return there[0] * scaled + line[len(blank) :]

    return indented


def _blank(line: str) -> str:
    found = _INDENT.match(line)
    return found[0] if found else ""

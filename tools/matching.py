"""Locates the text that an edit replaces: exactly where possible, else by lines that differ only in blanks.

Tolerance is for finding only. What is replaced must be unique (or every occurrence be wanted), lines that the
edit leaves alone keep the bytes of the file, and a changed line gets the indentation of its place.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise

from .diffs import LineChange, line_changes

_TYPOGRAPHY = str.maketrans(
    "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u2010\u2011\u2012\u2013\u2014\u2212\u00a0\u202f\u2009\u3000",
    "''''\"\"\"------" + "    ",
)
_INDENT = re.compile(r"[ \t]*")
_WORDS = re.compile(r"\w+|\W")
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
    """Every place that fits, and how the text there differs from what was asked for ("" if in nothing)."""

    matches: tuple[Match, ...]
    tolerance: str = ""


class IndentationUnclear(Exception):
    """The place was found, but not how its indentation goes with that of the new text."""


def locate(text: str, old: str, new: str) -> Located:
    """The places of ``old`` in ``text``, all three with ``\\n`` line ends. No match: an empty tuple."""
    exact = _exact(text, old, new)
    if exact:
        return Located(matches=exact)
    for tolerance, key in TOLERANCES:
        matches = _by_lines(text, old, new, key)
        if matches:
            return Located(matches=matches, tolerance=tolerance)
    matches = _within_a_line(text, old, new)
    if matches:
        return Located(matches=matches, tolerance=TOLERANCES[1][0])
    trimmed = _without_blank_ends(old, new)
    if trimmed is None:
        return Located(matches=())
    located = locate(text, *trimmed)
    also = f", {located.tolerance}" if located.tolerance else ""
    return Located(matches=located.matches, tolerance=f"blank lines around it differ{also}")


def _plain(line: str) -> str:
    """Typographic characters as their ASCII likeness, composed letters in one spelling. Nothing looser (no NFKC)."""
    return line if line.isascii() else unicodedata.normalize("NFC", line.translate(_TYPOGRAPHY))


TOLERANCES: tuple[tuple[str, LineKey], ...] = (
    ("blanks at line ends differ", str.rstrip),
    ("typographic characters differ", lambda line: _plain(line).rstrip()),
    ("indentation differs", lambda line: _plain(line).strip()),
    ("blanks within lines differ", lambda line: " ".join(_plain(line).split())),
)
"""From the tightest to the loosest: lines with the same key count as the same."""


def has_substance(keys: list[str]) -> bool:
    """Whether lines say enough to be looked for with tolerance: brackets and blank lines are everywhere."""
    return _SUBSTANCE.search("".join(keys)) is not None


def _within_a_line(text: str, old: str, new: str) -> tuple[Match, ...]:
    """A part of a line that differs in typography only. What old and new share keeps the characters of the file."""
    wanted, there = old.translate(_TYPOGRAPHY), text.translate(_TYPOGRAPHY)
    if "\n" in old or not has_substance([wanted]) or (wanted == old and there == text):
        return ()
    merge = _merging_words(old, new)
    found: list[Match] = []
    start = there.find(wanted)
    while start >= 0:
        end = start + len(old)
        found.append(Match(start=start, end=end, new=merge(text[start:end])))
        start = there.find(wanted, start + 1)
    return tuple(found)


def _merging_words(old: str, new: str) -> Callable[[str], str]:
    """The new text with the characters that the file has for the words of ``old`` that stay."""
    old_words, new_words = _WORDS.findall(old), _WORDS.findall(new)
    starts = [0, *accumulate(map(len, old_words))]
    changes = line_changes(old_words, new_words)

    return lambda there: "".join(_patched([there[a:b] for a, b in pairwise(starts)], new_words, changes))


def _without_blank_ends(old: str, new: str) -> tuple[str, str] | None:
    """Both texts without the blank lines at the ends of ``old`` that ``new`` has too; None when ``old`` has none."""
    old_lines, new_lines = old.split("\n"), new.split("\n")
    whole = old_lines[-1] == "" and new_lines[-1] == ""
    if whole:
        del old_lines[-1], new_lines[-1]
    before = len(old_lines)
    for end in (0, -1):
        while len(old_lines) > 1 and not old_lines[end].strip():
            old_lines.pop(end)
            if len(new_lines) > 1 and not new_lines[end].strip():
                new_lines.pop(end)
    if len(old_lines) == before:
        return None
    end = "\n" if whole else ""
    return "\n".join(old_lines) + end, "\n".join(new_lines) + end


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
    if not has_substance(wanted):
        return ()
    lines = text.split("\n")
    keys = [key(line) for line in lines]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    size = len(wanted)
    found = [at for at in range(len(keys) - size + 1) if keys[at] == wanted[0] and keys[at : at + size] == wanted]
    if not found:
        return ()
    ended = whole and new.endswith("\n")
    merge = _merging(old_lines, (new[:-1] if ended else new).split("\n"))
    over = 0 if whole and not ended else 1  # with the line end goes the line
    return tuple(
        Match(
            start=starts[at],
            end=min(starts[at + size] - over, len(text)),
            new=merge(lines[at : at + size]),
        )
        for at in found
    )


def _merging(old: list[str], new: list[str]) -> Callable[[list[str]], str]:
    """How the new lines belong in the file: unchanged ones with its bytes, the others indented like it."""
    if new == [""]:
        return lambda there: ""
    changes = line_changes(old, new)  # once: places may be many

    return lambda there: "\n".join(_patched(there, new, changes, indentation(old, there)))


def _patched(
    there: list[str], new: list[str], changes: list[LineChange], fitted: Callable[[str], str] = str
) -> list[str]:
    """The pieces that are there, with new ones, made to fit, where old ones were changed."""
    pieces: list[str] = []
    kept = 0
    for old_first, old_last, new_first, new_last in changes:
        pieces += [*there[kept:old_first], *map(fitted, new[new_first:new_last])]
        kept = old_last
    return [*pieces, *there[kept:]]


def indentation(old: list[str], there: list[str]) -> Callable[[str], str]:
    """How a line indented like ``old`` is indented like ``there``. Raises ``IndentationUnclear``, later too."""
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

"""The place of a text that shows best why it was found, in plain Python.

SQLite's own ``snippet`` looks its words up again for every text; over fifty texts that takes longer than finding them.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

_WINDOW_CHARS = 140
_LEAD_CHARS = 30
"""Characters shown before the first word that was found."""
_LOOKED_AT = 200_000
_MATCHES = 40
_BLANKS = re.compile(r"\s+")


class _Folding(dict[int, int]):
    """Letters as they are compared: small, without accents; each stays one letter, so that places stay."""

    def __missing__(self, code: int) -> int:
        folded = unicodedata.normalize("NFD", chr(code))[0].lower()
        self[code] = ord(folded) if len(folded) == 1 else code
        return self[code]


_FOLDING = _Folding()


def folded(text: str) -> str:
    """The text as it is compared: as long as it was, in small letters without accents."""
    return text.lower() if text.isascii() else text.translate(_FOLDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A piece of a text on one line, and where the words stand in it: start and end."""

    text: str
    marks: tuple[tuple[int, int], ...]


def snippet(body: str, words: Sequence[str]) -> Snippet:
    """The piece of the text that holds most of the words (the last of them may be the beginning of one).

    A text in which they cannot be seen (SQLite divides some words otherwise) is shown from its beginning.
    """
    text = body[:_LOOKED_AT]
    matches = _matches(folded(text), [folded(word) for word in words])
    first = _best(matches)
    start = 0 if first is None else _word_start(text, first.start() - _LEAD_CHARS)
    end = _word_end(text, start + _WINDOW_CHARS)
    shown = [(match.start(), match.end()) for match in matches if start <= match.start() and match.end() <= end]
    return _on_one_line(text, start, end, shown, whole=end >= len(body))


def _matches(text: str, words: Sequence[str]) -> list[re.Match[str]]:
    if not words:
        return []
    *whole, last = map(re.escape, words)
    choices = "|".join([*(rf"{word}(?!\w)" for word in whole), rf"{last}\w*"])
    return list(islice(re.finditer(rf"(?<!\w)(?:{choices})", text), _MATCHES))


def _best(matches: Sequence[re.Match[str]]) -> re.Match[str] | None:
    """The match after which most different words stand close by; the first one among equals."""
    room = _WINDOW_CHARS - _LEAD_CHARS

    def variety(match: re.Match[str]) -> int:
        return len({each[0] for each in matches if 0 <= each.start() - match.start() < room})

    return max(matches, key=variety, default=None)


def _word_start(text: str, place: int) -> int:
    if place <= 0:
        return 0
    space = re.compile(r"\s").search(text, place, place + _LEAD_CHARS)
    return place if space is None else space.end()


def _word_end(text: str, place: int) -> int:
    if place >= len(text):
        return len(text)
    return max(text.rfind(" ", place - _LEAD_CHARS, place), text.rfind("\n", place - _LEAD_CHARS, place), 0) or place


def _on_one_line(text: str, start: int, end: int, marks: Sequence[tuple[int, int]], *, whole: bool) -> Snippet:
    """The piece with every run of blanks as one; marks move along."""
    out, moved, at = "…" if start else "", list[tuple[int, int]](), start
    for left, right in marks:
        out += _BLANKS.sub(" ", text[at:left])
        begin = len(out)
        out += text[left:right]
        moved.append((begin, len(out)))
        at = right
    out += _BLANKS.sub(" ", text[at:end]).rstrip()
    return Snippet(text=out if whole else f"{out}…", marks=tuple(moved))

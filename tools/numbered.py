"""Lines of a file as models are shown them: number, tab, text, in a number of bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

from .bounds import clipped, size
from .safe_text import marked_exactly
from .text_file import Lines, displayable

LINE_CHARACTERS = 10_000
"""Of one line; of a longer one, how much is left out is said."""
MARKS_NOTE = "\n[⟨U+…⟩ stands for one control or invisible character; edit takes it so]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """The lines that fit: ``count`` of them, at least one. ``text`` says so when marks stand for characters."""

    text: str
    count: int
    cut: int
    """Lines of them that are too long to be shown whole; the text says how much of each is missing."""


def lines_of(text: str) -> list[str]:
    """The lines of a file's text, whatever ends them; the last line end begins no line."""
    return Lines(text).text.removesuffix("\n").split("\n")


def numbered(lines: Sequence[str], *, first: int, last: int, limit: int) -> Numbered:
    """Lines ``first`` to ``last`` (from 1, both there) in about ``limit`` bytes, a note about marks not counted.

    No more lines are looked at than fit.
    """
    shown: list[str] = []
    used, cut, is_marked = 0, 0, False
    for number in range(first, last + 1):
        plain = _cut(lines[number - 1])
        marked = marked_exactly(plain)
        line = f"{number}\t{marked}"
        used += size(line) + 1
        if used > limit + 1:
            if shown:
                break
            line = clipped(line, limit)
        shown.append(line)
        cut += len(lines[number - 1]) > LINE_CHARACTERS or used > limit + 1
        is_marked = is_marked or marked != displayable(plain)
    return Numbered(text="\n".join(shown) + (MARKS_NOTE if is_marked else ""), count=len(shown), cut=cut)


def _cut(line: str) -> str:
    if len(line) <= LINE_CHARACTERS:
        return line
    return f"{line[:LINE_CHARACTERS]}[… {len(line) - LINE_CHARACTERS:,} characters of this line left out …]"

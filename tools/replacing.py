"""Applies the replacements of an ``edit`` call to a text: all of them, or none."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .failures import ToolFailure
from .matching import IndentationUnclear, Located, locate
from .regions import shown_regions
from .safe_text import unmarked
from .text_file import Lines, as_lines

_LISTED = 10
_NUMBERED = re.compile(r"\s*\d+\t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """``old`` becomes ``new``; it must occur once, unless ``everywhere``."""

    old: str
    new: str
    everywhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """The new text, how many places changed, and notes for the model on tolerance used."""

    text: str
    places: int
    notes: tuple[str, ...]
    tolerance: str = ""
    """The same in few words, for the tool log: ``indentation differs``."""


def replace_all(text: str, replacements: Sequence[Replacement]) -> Replaced:
    """Apply each replacement to the result of the one before. Raises ``ToolFailure``; then nothing is changed."""
    places, notes, tolerances = 0, list[str](), list[str]()
    original = text
    for number, replacement in enumerate(replacements, 1):
        label = f"edits[{number - 1}]: " if len(replacements) > 1 else ""
        lines = Lines(text)
        located = _located(lines.text, replacement, label)
        text = lines.replaced((match.start, match.end, match.new) for match in located.matches)
        places += len(located.matches)
        if located.tolerance:
            notes.append(f"{label}matched, although {located.tolerance} from the file.")
            tolerances.append(located.tolerance)
    if text == original:
        raise ToolFailure("The edits change nothing: the file is already as they would leave it.", kind="no_change")
    return Replaced(text=text, places=places, notes=tuple(notes), tolerance=", ".join(dict.fromkeys(tolerances)))


def _located(text: str, replacement: Replacement, label: str) -> Located:
    old, new = as_lines(replacement.old), as_lines(replacement.new)
    if not old:
        raise ToolFailure(
            f"{label}old_text is empty: give the text to replace, or use write for a whole file.", kind="empty_old"
        )
    if old == new:
        raise ToolFailure(f"{label}old_text and new_text are the same.", kind="no_change")
    try:
        located = locate(text, old, new)
        if not located.matches and unmarked(old) != old:  # written as read shows characters that cannot be seen
            located = locate(text, unmarked(old), unmarked(new))
    except IndentationUnclear:
        raise ToolFailure(
            f"{label}old_text is in the file with another indentation that does not carry over to new_text: "
            "give both with the exact indentation of the file.",
            kind="not_found",
        ) from None
    match len(located.matches):
        case 0:
            raise ToolFailure(_not_found(text, old, label), kind="not_found")
        case 1:
            return located
        case count if not replacement.everywhere:
            raise ToolFailure(_ambiguous(text, located, count, label), kind="ambiguous")
        case _:
            return _without_overlaps(located)


def _without_overlaps(located: Located) -> Located:
    kept = [located.matches[0]]
    for match in located.matches[1:]:
        if match.start >= kept[-1].end:
            kept.append(match)
    return Located(matches=tuple(kept), tolerance=located.tolerance)


def _ambiguous(text: str, located: Located, count: int, label: str) -> str:
    numbers = [str(text.count("\n", 0, match.start) + 1) for match in located.matches[:_LISTED]]
    more = ", …" if count > _LISTED else ""
    return (
        f"{label}old_text occurs {count} times, at lines {', '.join(numbers)}{more}: "
        "add surrounding lines to make it unique, or set replace_all."
    )


def _not_found(text: str, old: str, label: str) -> str:
    lines = text.removesuffix("\n").split("\n")
    wanted = old.removesuffix("\n").split("\n")
    message = f"{label}old_text is not in the file."
    if all(_NUMBERED.match(line) for line in wanted):
        message += " It holds line numbers as read shows them: leave them out."
    return message + shown_regions(lines, wanted)

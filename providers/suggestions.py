"""The names a person may have meant, for messages about one that does not exist."""

from collections.abc import Iterable
from difflib import get_close_matches


def closest(word: str, words: Iterable[str]) -> list[str]:
    """Up to three of the names that look like the word, whatever their case, nearest first."""
    by_lower = {candidate.lower(): candidate for candidate in words}
    return [by_lower[match] for match in get_close_matches(word.lower(), by_lower, n=3)]


def choices(words: Iterable[str]) -> str:
    """``a or b or c``."""
    return " or ".join(words)


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """A sentence with a blank before it, or nothing when no name is near."""
    near = closest(word, words)
    return f" Did you mean {choices(near)}?" if near else ""

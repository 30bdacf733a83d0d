"""What a person says of the hunks of a change."""

from dataclasses import dataclass
from enum import StrEnum


class ReviewVerdict(StrEnum):
    """What a person says of a hunk of a finished change."""

    ACCEPTED = "accepted"
    REVERTED = "reverted"
    """It was taken back on disk."""
    COMMENTED = "commented"
    """It stays, with a word to the model."""
    CLEARED = "cleared"
    """What was said of it before no longer holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HunkReviewed:
    """A person looked at one hunk of a finished change. The model hears of it with the next prompt."""

    path: str
    hunk: int
    """Which hunk of that file's diff it was, from 0."""
    hunks: int
    """How many the diff had."""
    diff: str
    """The hunk's lines with their signs, context included: what tells it from others when numbers move."""
    verdict: ReviewVerdict
    comment: str = ""

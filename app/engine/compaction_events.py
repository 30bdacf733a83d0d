"""What happens to the older part of a conversation when room is made in a model's window."""

from dataclasses import dataclass
from enum import StrEnum


class CompactionMethod(StrEnum):
    """Who wrote what stands for the older part of a conversation."""

    MODEL = "model"
    DIGEST = "digest"
    """The program: prompts, files, commands and last words, without a model."""


class CompactionCause(StrEnum):
    """Why room was made."""

    THRESHOLD = "threshold"
    """The next request would have come near the end of the window."""
    OVERFLOW = "overflow"
    """The server said that the request did not fit."""
    ASKED = "asked"
    """The person asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortened:
    """A long text of the kept part of which the model gets only the beginning and the end."""

    subject: str
    """The id of a tool run, or of a prompt with ``/`` and the number of its attachment."""
    characters: int
    """How many are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """From the next request on a summary stands for the older part of the conversation. The journal keeps it all."""

    summary: str
    method: CompactionMethod
    cause: CompactionCause
    kept_from: str
    """The prompt or request id of the first entry that is still sent as it was; empty when none is."""
    kept_prompts: tuple[str, ...] = ()
    """Prompts before that one that stay too: those that are being worked on."""
    shortened: tuple[Shortened, ...] = ()
    before_tokens: int = 0
    after_tokens: int = 0
    """Estimates of the next request's input, without and with it."""
    focus: str = ""
    """What the person wanted kept in mind."""
    why_digest: str = ""
    """Why the model did not write the summary, in a few words."""
    turn_id: str = ""

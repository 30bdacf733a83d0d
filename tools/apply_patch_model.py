"""What a patch says, whichever format it came in."""

from dataclasses import dataclass
from enum import StrEnum


class FileAction(StrEnum):
    """What a patch does to a file."""

    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class HunkLine:
    """One line of a hunk, without its line end."""

    sign: str
    """A blank for what stays, ``-`` for what goes, ``+`` for what comes."""
    text: str
    bare: bool = False
    """An empty line that lacked its sign: it may be part of the text or stand between two hunks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    """Lines that are in the file as they are (``old``) and what is to stand there (``new``)."""

    lines: tuple[HunkLine, ...]
    scopes: tuple[str, ...] = ()
    """Lines above the hunk, the outermost first: the hunk is what follows them."""
    first: int | None = None
    """The line of the file, from 1, where the patch says that ``old`` begins: a hint, models cannot count."""
    exact: bool = False
    """The header's numbers agree with the lines: a program wrote them."""
    at_end: bool = False
    """The hunk ends where the file ends."""
    unended: bool = False
    """The last new line has no line end."""

    @property
    def old(self) -> tuple[str, ...]:
        """The lines looked for."""
        return tuple(line.text for line in self.lines if line.sign != "+")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePatch:
    """What happens to one file. ``hunks`` of an added file hold its lines."""

    action: FileAction
    path: str
    move_to: str = ""
    """The new path; empty when the file stays where it is."""
    copy: bool = False
    """With ``move_to``: the old file stays as it is."""
    spelled: str = ""
    """The path before ``a/`` was taken off: meant when only this file exists."""
    hunks: tuple[Hunk, ...] = ()
    overwrite: bool = False
    """Adding may replace a file that the model knows."""
    whole: bool = False
    """Deleting is only right when the hunks are all of the file."""

"""What a Markdown document is made of once it is flat: leaves, and the containers they are in."""

from dataclasses import dataclass, field
from enum import Enum, auto

from .palette import Look
from .rows import MUTED, Span


class Kind(Enum):
    """What a leaf is."""

    PARAGRAPH = auto()
    HEADING = auto()
    CODE = auto()
    TABLE = auto()
    RULE = auto()


@dataclass(slots=True, eq=False, kw_only=True)
class Container:
    """A quote or a list item that leaves are in."""

    marker: str
    """What is drawn before the first row; a quote draws it before every row."""
    indent: int = 0
    """Columns that belong to the item in the source."""
    number: int | None = None
    delimiter: str = ""
    quote: bool = False
    shown: bool = False
    """The marker stands before a row already."""
    done: bool = False
    """A task that is ticked off."""

    def prefix(self, *, first: bool) -> Span:
        """What this container puts before a row."""
        if self.quote:
            return (self.marker, MUTED)
        if first and not self.shown:
            return (self.marker, Look(role="ok") if self.done else Look(role="accent"))
        return (" " * len(self.marker), MUTED)


@dataclass(slots=True, eq=False, kw_only=True)
class Leaf:
    """A block that holds text, with its lines freed of what the containers took."""

    kind: Kind
    containers: tuple[Container, ...] = ()
    first: tuple[Span, ...] = ()
    """Spans before the first row."""
    rest: tuple[Span, ...] = ()
    """Spans before every other row."""
    gap: tuple[Span, ...] | None = None
    """Spans of the empty row above; None when there is none."""
    lines: list[str] = field(default_factory=list[str])
    level: int = 0
    """Of a heading, 1 to 6."""
    language: str = ""
    closed: bool = False

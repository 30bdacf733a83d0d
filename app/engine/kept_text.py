"""Long texts of a resumed session that stay on disk until somebody reads them.

A session may hold hundreds of megabytes of tool output of which a screen shows a few lines. What a snapshot put
aside is fetched by name when it is read, and the last few are remembered.
"""

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Iterator
from threading import Lock

from .packed_rows import LOST
from .state import StreamText, ToolRun

REMEMBERED_CHARS = 4_000_000
"""Characters of texts that were read last and stay in memory: about what a model's window holds."""


class Shelf:
    """Fetches texts by name and remembers the last ones. Safe to use from several threads."""

    def __init__(self, fetch: Callable[[str], str | None]) -> None:
        """``fetch`` gives the text of a name, or None when it is gone; it must not raise."""
        self._fetch = fetch
        self._lock = Lock()
        self._recent: OrderedDict[str, str] = OrderedDict()
        self._chars = 0

    def read(self, name: str) -> str:
        """The text, or a sentence that says that it is lost."""
        with self._lock:
            text = self._recent.get(name)
            if text is not None:
                self._recent.move_to_end(name)
                return text
            text = self._fetch(name)
            if text is None:
                return LOST
            self._recent[name] = text
            self._chars += len(text)
            while self._chars > REMEMBERED_CHARS and len(self._recent) > 1:
                self._chars -= len(self._recent.popitem(last=False)[1])
            return text


class KeptText(StreamText):
    """A finished text that is on a shelf. Equal to any ``StreamText`` with the same characters."""

    __slots__ = ("_shelf", "name")

    def __init__(self, shelf: Shelf, name: str, chars: int) -> None:
        super().__init__(None, 1, chars)
        self._shelf = shelf
        self.name = name
        """What the shelf knows it by."""

    def appended(self, text: str) -> StreamText:
        """The whole text with one more chunk, in memory."""
        return StreamText([str(self), text], 2, self.chars + len(text))

    def since(self, count: int) -> Iterator[str]:
        """The whole text, unless it was read."""
        return iter(()) if count else iter((str(self),))

    def __str__(self) -> str:
        return self._shelf.read(self.name)


class KeptRun(ToolRun):
    """A finished run whose ``content`` is on a shelf. Equal to a ``ToolRun`` with the same fields."""

    __slots__ = ("_shelf", "content_name", "own_content")
    _shelf: Shelf
    content_name: str
    own_content: str

    @classmethod
    def of(cls, run: ToolRun, shelf: Shelf, name: str) -> "KeptRun":
        """The run with the content that the shelf knows by that name."""
        kept = cls(**{field.name: getattr(run, field.name) for field in dataclasses.fields(ToolRun)})
        object.__setattr__(kept, "_shelf", shelf)
        object.__setattr__(kept, "content_name", name)
        return kept

    # As read-only as the field it stands for: a property that a frozen class sets once.
    @property
    def content(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What the model got, fetched when it is read."""
        name = content_name(self)
        return self._shelf.read(name) if name else self.own_content

    @content.setter
    def content(self, value: str) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        object.__setattr__(self, "own_content", value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ToolRun):
            return NotImplemented
        return all(getattr(self, field.name) == getattr(other, field.name) for field in dataclasses.fields(ToolRun))

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # a run's output has no hash either


def content_name(run: ToolRun) -> str:
    """What a shelf knows the run's content by; empty when it is in memory, as in a changed copy of a kept run."""
    return getattr(run, "content_name", "")

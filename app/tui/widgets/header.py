"""The first row: the folder, its git branch, and what this session is about."""

from pathlib import Path

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from ....tools.safe_text import safe_line
from ...engine.state import PromptEntry, SessionState
from ..transcript.palette import UNICODE_SIGNS, Signs
from ..transcript.rows import elide

NOT_SAVED = "not saved"


class Header(Widget):
    """``patchbay  ~/src/shop  main  untrusted`` and, at the right, the title. ``home`` is shortened to ``~``."""

    def __init__(self, *, home: Path | None = None, signs: Signs = UNICODE_SIGNS, id: str | None = None) -> None:
        super().__init__(id=id)
        self._home = Path.home() if home is None else home
        self._signs = signs
        self._folder = ""
        self._branch = ""
        self._title = ""
        self._name = ""
        self._remark = ""
        self._unsaved = False

    def show_branch(self, branch: str) -> None:
        """The git branch, with ``*`` when there are uncommitted changes; empty outside a repository."""
        self._branch = safe_line(branch)
        self.refresh()

    def show_remark(self, remark: str) -> None:
        """What the person should know of the folder, in a word; empty for nothing."""
        self._remark = remark
        self.refresh()

    def show_name(self, name: str) -> None:
        """What the person called the session: it stands above every other title. Empty for no name."""
        self._name = safe_line(name)
        self.refresh()

    def sync(self, state: SessionState) -> None:
        """Follow the folder, the title (the first prompt until a model wrote one) and whether it is saved."""
        if self._unsaved is not bool(state.unsaved):
            self._unsaved = bool(state.unsaved)
            self.refresh()
        folder = safe_line(short_path(state.folder, self._home))
        title = safe_line(state.title)
        if not self._title or folder != self._folder or (title and title != self._title):
            first = next((entry.text for entry in state.transcript if isinstance(entry, PromptEntry)), "")
            self._folder = folder
            self._title = title or safe_line(first.strip().partition("\n")[0])
            self.refresh()

    def render(self) -> Content:
        """The row: the left part stays whole as long as it can, the title takes what is left."""
        width = self.size.width
        unsaved = NOT_SAVED if self._unsaved else ""
        words = sum(cell_len(word) + 2 for word in (self._branch, self._remark, unsaved) if word)
        place = elide(self._folder, max(8, width - 12 - words - 2), self._signs.more)
        used = 12 + cell_len(place) + words
        room = width - used - 4
        title = elide(self._name or self._title, room, self._signs.more) if room > 8 else ""
        gap = " " * max(0, width - used - cell_len(title) - 1)
        return Content.assemble(
            (" patchbay  ", "bold $accent"),
            (place, "$text"),
            (f"  {self._branch}" if self._branch else "", "$muted"),
            (f"  {self._remark}" if self._remark else "", "$warn"),
            (f"  {unsaved}" if unsaved else "", "bold $danger"),
            f"{gap} ",
            (title, "$muted"),
        )


def short_path(folder: str, home: Path) -> str:
    """A folder as people write it: below the home folder it begins with ``~``."""
    path = Path(folder)
    if folder and path.is_relative_to(home):
        rest = path.relative_to(home).as_posix()
        return "~" if rest == "." else f"~/{rest}"
    return folder

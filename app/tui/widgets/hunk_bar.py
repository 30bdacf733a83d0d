"""The rows under the diff: which keys answer the hunk that is looked at, and where its words and lines are written."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static, TextArea

from ....tools.safe_text import safe_text
from ..actions import bindings

MOST_ROWS = 12
"""Rows of the editor of a hunk; more lines scroll."""


class KeyWord(NamedTuple):
    """A key and what it does now; without a key, words only."""

    key: str
    word: str


class HunkEditor(TextArea):
    """The lines of a hunk. What is pasted comes without control characters."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("hunk")]

    class Saved(Message):
        """The person keeps these lines."""

    class Abandoned(Message):
        """The person leaves the lines as they were."""

    class EditorWanted(Message):
        """The person wants to write in their own editor."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(compact=True, highlight_cursor_line=False, soft_wrap=False, tab_behavior="indent", id=id)
        self.cursor_blink = False

    def action_save(self) -> None:
        """Keep the lines."""
        self.post_message(self.Saved())

    def action_edit_externally(self) -> None:
        """Go on in the person's own editor."""
        self.post_message(self.EditorWanted())

    async def _on_key(self, event: events.Key) -> None:
        """Escape leaves; in a plain text area it would go on to whatever stands next on the screen."""
        if event.key == "escape":
            event.stop()
            event.prevent_default()
            self.post_message(self.Abandoned())

    async def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        if result := self._replace_via_keyboard(safe_text(event.text), *self.selection):
            self.move_cursor(result.end_location)


class HunkBar(Vertical):
    """Keys, and one of two entries: a line for words, or an editor for lines."""

    class Said(Message):
        """Words were written for ``purpose``."""

        def __init__(self, purpose: str, text: str) -> None:
            super().__init__()
            self.purpose = purpose
            self.text = text

    class Written(Message):
        """Lines were written."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The entry was left without a word."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._purpose = ""
        self._keys: Sequence[KeyWord] = ()
        self.display = False

    def compose(self) -> ComposeResult:
        """Keys, the line, the editor."""
        entry = Input(compact=True, id="hunk-words")
        entry.display = False
        lines = HunkEditor(id="hunk-lines")
        lines.display = False
        yield Static(id="hunk-keys", markup=False)
        yield entry
        yield lines

    @property
    def purpose(self) -> str:
        """What is being written: ``lines``, or what the words are for; empty when nothing is."""
        return self._purpose

    @property
    def writing(self) -> bool:
        """Whether something is being written."""
        return bool(self._purpose)

    def show(self, keys: Sequence[KeyWord]) -> None:
        """Name these keys; without any the bar goes away."""
        self._keys = keys
        self.display = bool(keys)
        self._fill()

    def ask(self, purpose: str, placeholder: str, text: str = "") -> None:
        """Open the line for words."""
        self._purpose = purpose
        entry = self.query_one("#hunk-words", Input)
        entry.placeholder, entry.value, entry.display = placeholder, text, True
        entry.cursor_position = len(text)
        entry.focus()

    def write(self, text: str) -> None:
        """Open the editor for lines."""
        self._purpose = "lines"
        editor = self.query_one(HunkEditor)
        editor.text = text
        editor.styles.height = max(2, min(MOST_ROWS, text.count("\n") + 2))
        editor.display = True
        editor.focus()

    @property
    def lines(self) -> str:
        """What the editor holds."""
        return self.query_one(HunkEditor).text

    def close(self) -> None:
        """Put the entries away."""
        self._purpose = ""
        for entry in (self.query_one("#hunk-words", Input), self.query_one(HunkEditor)):
            entry.display = False

    def on_resize(self) -> None:
        """Flow the keys anew."""
        self._fill()

    @on(Input.Submitted)
    def send_words(self, event: Input.Submitted) -> None:
        """The line was written."""
        event.stop()
        purpose = self._purpose
        self.close()
        self.post_message(self.Said(purpose, event.value.strip()))

    @on(HunkEditor.Saved)
    def send_lines(self, event: HunkEditor.Saved) -> None:
        """The lines were written."""
        event.stop()
        text = self.lines
        self.close()
        self.post_message(self.Written(text))

    @on(HunkEditor.Abandoned)
    def leave(self) -> None:
        """The entry goes away, what was in it too."""
        self.close()
        self.post_message(self.Left())

    def on_key(self, event: events.Key) -> None:
        """Escape leaves the entry."""
        if event.key == "escape" and self.writing:
            event.stop()
            self.leave()

    def _fill(self) -> None:
        if self.is_mounted:
            self.query_one("#hunk-keys", Static).update(flowed(self._keys, self.size.width or 80))


def flowed(keys: Sequence[KeyWord], width: int) -> Content:
    """Keys and words on as many rows as they need."""
    rows: list[Content] = []
    for key, word in keys:
        piece = (
            Content.assemble((key, "bold $accent"), " ", (word, "$text")) if key else Content.assemble((word, "$muted"))
        )
        if rows and rows[-1].cell_length + 3 + piece.cell_length <= width:
            rows[-1] = rows[-1] + Content("   ") + piece
        else:
            rows.append(piece)
    return Content("\n").join(rows)

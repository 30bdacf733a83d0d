"""The prompt: several lines, history and paste. What it may become is offered by the box around it (``prompt_box``).

Enter sends; a paste never does. The prompt grows with its text up to ``MAX_ROWS`` rows; the layout is
touched only when the number of rows changes.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import TextArea

from ....tools.safe_text import safe_text
from ..actions import bindings
from ..dropped_files import as_mentions

MAX_ROWS = 8
PLACEHOLDER = "Ask for a change, @ for files, ! for a command, / for more"


class Offers(Protocol):
    """What the text may become, as a list beside it. Each answers whether there was something to do."""

    def take(self, *, sending: bool) -> bool:
        """Put the chosen one in. ``sending``: Enter was pressed, which sends what needs nothing more."""
        ...

    def move(self, step: int) -> bool:
        """Choose another one."""
        ...

    def close(self) -> bool:
        """Take the list away."""
        ...

    def hush(self) -> None:
        """Offer nothing for the text as it stands."""
        ...


class Prompt(TextArea):
    """The editor. ``history`` holds earlier prompts, oldest first; ``remember`` keeps a new one."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("prompt")]

    class Submitted(Message):
        """The person sent the prompt; ``text`` is empty when there was none."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class EditRequested(Message):
        """The person wants to write in their own editor; answer with ``Prompt.replace_all``."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(
        self,
        *,
        history: Sequence[str] = (),
        remember: Callable[[str], None] = lambda _: None,
        placeholder: str = PLACEHOLDER,
        id: str | None = None,
    ) -> None:
        super().__init__(compact=True, highlight_cursor_line=False, soft_wrap=True, placeholder=placeholder, id=id)
        self.cursor_blink = False
        self.offers: Offers | None = None
        self._remember = remember
        self._history = list(history)
        self._position = len(self._history)
        self._draft = ""
        self._rows = 1

    # ---- text

    def replace_all(self, text: str) -> None:
        """Put another text in, the cursor at its end."""
        self.text = text
        self.move_cursor(self.document.end)

    def action_submit(self) -> None:
        """Send the text; a backslash at its end asks for a new line instead."""
        if self.text.endswith("\\") and self.cursor_location == self.document.end:
            self.action_delete_left()
            self.insert("\n")
            return
        if self.offers is not None and self.offers.take(sending=True):
            return
        text = self.text
        self.text = ""
        self._keep(text)
        self.post_message(self.Submitted(text.strip()))

    def action_newline(self) -> None:
        """Begin a new line."""
        start, end = self.selection
        self.replace("\n", start, end, maintain_selection_offset=False)
        self.scroll_cursor_visible()

    def action_edit_externally(self) -> None:
        """Ask for the person's own editor."""
        self.post_message(self.EditRequested(self.text))

    async def _on_paste(self, event: events.Paste) -> None:
        """Insert what was pasted, whole, without control characters; files dropped on the terminal as mentions."""
        event.prevent_default()
        event.stop()
        text = as_mentions(event.text) or safe_text(event.text)
        if result := self._replace_via_keyboard(text, *self.selection):
            self.move_cursor(result.end_location)
            self.focus()

    async def _on_key(self, event: events.Key) -> None:
        """Enter and keys with Alt are the bindings'; tab and escape are the list's while there is one."""
        if event.key == "enter" or event.key.startswith("alt+"):  # a key with Alt types nothing, whatever it carries
            event.prevent_default()
            return
        offers = self.offers
        if offers is None:
            return
        if (event.key == "tab" and offers.take(sending=False)) or (event.key == "escape" and offers.close()):
            event.stop()
            event.prevent_default()

    # ---- history

    def action_history_previous(self) -> None:
        """In a list the row above; on the first row the prompt before; elsewhere a row up."""
        if self.offers is not None and self.offers.move(-1):
            return
        if self.cursor_at_first_row and self._position > 0:
            self._show_history(self._position - 1)
        else:
            self.action_cursor_up()

    def action_history_next(self) -> None:
        """In a list the row below; on the last row the prompt after, at last the draft; elsewhere a row down."""
        if self.offers is not None and self.offers.move(1):
            return
        if self.cursor_at_last_row and self._position < len(self._history):
            self._show_history(self._position + 1)
        else:
            self.action_cursor_down()

    @property
    def cursor_at_first_row(self) -> bool:
        """Whether the cursor is on the first row as wrapped."""
        return self.wrapped_document.location_to_offset(self.cursor_location).y == 0

    @property
    def cursor_at_last_row(self) -> bool:
        """Whether the cursor is on the last row as wrapped."""
        return self.wrapped_document.location_to_offset(self.cursor_location).y >= self.wrapped_document.height - 1

    def _show_history(self, position: int) -> None:
        if self._position == len(self._history):
            self._draft = self.text
        self._position = position
        self.replace_all(self._draft if position == len(self._history) else self._history[position])
        if self.offers is not None:
            self.offers.hush()

    def _keep(self, text: str) -> None:
        """Remember a prompt, unless it is empty or the one before."""
        self._draft = ""
        if text.strip() and (not self._history or self._history[-1] != text):
            self._history.append(text)
            self._remember(text)
        self._position = len(self._history)

    # ---- what the prompt has no use for goes on to the screen

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Paging and copying nothing are left to the screen and the app."""
        match action:
            case "cursor_page_up" | "cursor_page_down":
                return False
            case "copy":
                return not self.selection.is_empty
            case _:
                return super().check_action(action, parameters)

    # ---- height

    def on_text_area_changed(self) -> None:
        """Grow or shrink with the text."""
        self._fit()

    def on_resize(self) -> None:
        """Wrapping changed with the width."""
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        rows = min(MAX_ROWS, max(1, self.wrapped_document.height))
        if rows != self._rows:
            self._rows = rows
            self.styles.height = rows

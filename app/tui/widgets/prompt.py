"""The prompt: several lines, history and paste. What it may become is offered by the box around it (``prompt_box``).

Enter sends; a paste never does. The prompt grows with its text up to ``MAX_ROWS`` rows; the layout is
touched only when the number of rows changes.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import TextArea
from textual.widgets.text_area import Selection

from ....tools.safe_text import safe_text
from ...engine.mentions import PASTED_NAME
from ..actions import bindings
from ..dropped_files import as_mentions

MAX_ROWS = 8
PLACEHOLDER = "Ask for a change, @ for files, ! for a command, / for more"

_IMAGE_BEFORE = re.compile(rf"@{PASTED_NAME.pattern} ?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a paste was asked for: in which text, and what was selected there."""

    text: str
    before: str
    selection: Selection


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

    class ImageWanted(Message):
        """The person wants the image on the clipboard; answer with ``Prompt.end_paste``, whatever comes of it."""

        def __init__(self, *, or_text: bool) -> None:
            """``or_text``: when there is none, the text of the application's own clipboard is wanted."""
            super().__init__()
            self.or_text = or_text

    def __init__(
        self,
        *,
        history: Sequence[str] = (),
        remember: Callable[[str], None] = lambda _: None,
        placeholder: str = PLACEHOLDER,
        images: bool = False,
        id: str | None = None,
    ) -> None:
        """``images``: somebody answers ``ImageWanted``."""
        super().__init__(compact=True, highlight_cursor_line=False, soft_wrap=True, placeholder=placeholder, id=id)
        self.cursor_blink = False
        self.offers: Offers | None = None
        self._remember = remember
        self._history = list(history)
        self._position = len(self._history)
        self._draft = ""
        self._rows = 1
        self._images = images
        self._awaited: _Place | None = None
        """Where what is being read from the clipboard goes; None while nothing is."""
        self._enter_waits = False

    # ---- text

    def replace_all(self, text: str) -> None:
        """Put another text in, the cursor at its end."""
        self.text = text
        self.move_cursor(self.document.end)

    def action_submit(self) -> None:
        """Send the text; a backslash at its end asks for a new line instead."""
        if self._awaited is not None:
            self._enter_waits = True
            return
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
        """Insert what was pasted, whole, without control characters; files dropped on the terminal as mentions.

        Some terminals send an empty paste when the clipboard holds no text: it may hold an image.
        """
        event.prevent_default()
        event.stop()
        if not event.text:
            self.want_image()
            return
        text = as_mentions(event.text) or safe_text(event.text)
        if result := self._replace_via_keyboard(text, *self.selection):
            self.move_cursor(result.end_location)
            self.focus()

    # ---- what has to be read from the clipboard first

    def action_paste(self) -> None:
        """The image on the clipboard; without one, what was cut or copied here."""
        if self._images:
            self.want_image(or_text=True)
        else:
            super().action_paste()

    def want_image(self, *, or_text: bool = False) -> None:
        """Ask for the image on the clipboard. Enter waits for it; asked again meanwhile, it is still one."""
        if self._images and self._awaited is None:
            before = self.get_text_range((0, 0), min(self.selection))
            self._awaited = _Place(text=self.text, before=before, selection=self.selection)
            self.post_message(self.ImageWanted(or_text=or_text))

    def end_paste(self, text: str, *, mention: bool = False) -> None:
        """Put in what was asked for, where it was asked for; empty when there is nothing.

        A ``mention`` stands apart from the words around it.
        """
        place, waits = self._awaited, self._enter_waits
        self._awaited, self._enter_waits = None, False
        if not text or place is None:
            return  # nor is anything sent: it would lack what was asked for
        start, end = self.selection
        if self.text == place.text:
            start, end = place.selection
        elif self.text.startswith(place.before):  # one wrote on meanwhile
            start = end = min(place.selection)
        start, end = sorted((start, end))
        if mention:
            text = self._apart(text, start, end)
        at_end = max(self.selection) == end
        result = self.replace(text, start, end, maintain_selection_offset=True)
        if at_end:
            self.move_cursor(result.end_location)
        if waits:
            self.action_submit()

    def _apart(self, mention: str, start: tuple[int, int], end: tuple[int, int]) -> str:
        before = self.document.get_line(start[0])[: start[1]]
        after = self.document.get_line(end[0])[end[1] :]
        return f"{' ' if before and not before[-1].isspace() else ''}{mention}{'' if after[:1].isspace() else ' '}"

    def action_delete_left(self) -> None:
        """Delete a character; an image that was pasted goes in one piece."""
        row, column = self.cursor_location
        image = _IMAGE_BEFORE.search(self.document.get_line(row)[:column]) if self.selection.is_empty else None
        if image is None:
            super().action_delete_left()
        else:
            self._delete_via_keyboard((row, image.start()), (row, column))

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

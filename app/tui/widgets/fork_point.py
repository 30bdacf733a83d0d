"""Where a session is forked: whole, or before one of its prompts, which then stands unsent in the copy."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ....tools.safe_text import safe_line
from ...engine.state import PromptEntry
from ..transcript.palette import UNICODE_SIGNS, Signs
from .key_line import key_line
from .rewind import age

WHOLE = "whole"


class ForkPoint(ModalScreen[PromptEntry | str | None]):
    """Dismisses with a prompt, ``WHOLE``, or None when nothing is forked."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "leave", "Leave", show=False, priority=True)]

    def __init__(self, prompts: Sequence[PromptEntry], now: float, *, signs: Signs = UNICODE_SIGNS) -> None:
        """``prompts`` oldest first; ``now`` is seconds since the epoch."""
        super().__init__()
        self._prompts = list(reversed(prompts))
        self._now = now
        self._signs = signs

    def compose(self) -> ComposeResult:
        """The whole session first, then its prompts, newest first."""
        with Vertical(classes="dialog"):
            yield Static("Fork the session", classes="dialog-title", markup=False)
            yield OptionList(
                Option(Content.assemble(("     all  ", "$accent"), ("the whole conversation", "$text"))),
                *(Option(self._row(entry)) for entry in self._prompts),
                id="fork-prompts",
                markup=False,
            )
            yield Static(
                "Before a prompt: it stands unsent in the copy, to be edited. The session itself stays as it is.",
                id="fork-meaning",
                markup=False,
            )
            keys = key_line(("Enter", "fork"), ("↑ ↓", "prompt"), ("Esc", "leave it as it is"), signs=self._signs)
            yield Static(keys, classes="dialog-keys", markup=False)

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        """Take the row under the cursor."""
        self.dismiss(WHOLE if event.option_index == 0 else self._prompts[event.option_index - 1])

    def action_leave(self) -> None:
        """Fork nothing."""
        self.dismiss(None)

    def _row(self, entry: PromptEntry) -> Content:
        return Content.assemble((f"{age(self._now - entry.at):>8}  ", "$muted"), (safe_line(entry.text)[:200], "$text"))

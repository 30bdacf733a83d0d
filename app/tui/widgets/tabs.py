"""The row that names the panes where only one of them fits: ``1 chat   2 diff ●   3 tools``."""

from typing import NamedTuple

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from ...engine.state import SessionState
from ..transcript.palette import UNICODE_SIGNS, Signs

PANES = ("chat", "diff", "tools")
"""The panes in the order of their tabs."""


class Tab(NamedTuple):
    """One tab as it stands in the row."""

    pane: str
    text: str
    role: str


class TabLine(Widget):
    """One tab a pane; a dot says that a pane which is not shown has something new."""

    class Chosen(Message):
        """A person clicked on the tab of a pane."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, *, signs: Signs = UNICODE_SIGNS, id: str | None = None) -> None:
        super().__init__(id=id)
        self._signs = signs
        self._active = PANES[0]
        self._state = SessionState()
        self._seen = {"chat": 0, "diff": 0, "tools": 0}

    def activate(self, pane: str) -> None:
        """Mark the pane that is shown. Raises ValueError for an unknown one."""
        if pane not in PANES:
            raise ValueError(f"there is no pane {pane!r}; the panes are {', '.join(PANES)}")
        self._active = pane
        self.sync(self._state)

    def sync(self, state: SessionState) -> None:
        """Note what is new; what the active pane shows counts as seen."""
        self._state = state
        self._seen[self._active] = self._revision(self._active)
        self.refresh()

    def tabs(self) -> list[Tab]:
        """The tabs from left to right."""
        row: list[Tab] = []
        for number, pane in enumerate(PANES, 1):
            new = pane != self._active and (self._revision(pane) > self._seen[pane] or self._proposed(pane))
            role = "bold $accent" if pane == self._active else "$muted"
            row.append(Tab(pane, f" {number} {pane} {self._signs.running if new else ' '}", role))
        return row

    def render(self) -> Content:
        """The row."""
        return Content.assemble(*((tab.text, tab.role) for tab in self.tabs()))

    def on_click(self, event: events.Click) -> None:
        """Choose the tab under the pointer."""
        right = 0
        for tab in self.tabs():
            right += cell_len(tab.text)
            if event.x < right:
                self.post_message(self.Chosen(tab.pane))
                return

    def _proposed(self, pane: str) -> bool:
        """Whether the diff pane shows a change that waits for an answer."""
        return pane == "diff" and any(question.preview.startswith("--- ") for question in self._state.approvals[:1])

    def _revision(self, pane: str) -> int:
        revisions = self._state.revisions
        return {"chat": revisions.chat, "diff": revisions.files, "tools": revisions.tools}[pane]

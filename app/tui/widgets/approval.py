"""The question that waits for the person, standing at the prompt.

It says what would happen, why it asks and which keys answer. Nothing in it is markup, and control characters
of the command or the diff are made visible. Keys are deaf for the first 300 ms of a question, and as long
as keys keep coming from what the person was just typing: nobody answers what they have not seen. A loud question
(destructive, exfiltrating) takes no key for a yes: its word is typed in full and sent with Enter.
"""

import time
from collections.abc import Callable
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from ....tools.events import ApprovalRequested, Decision
from ...engine.state import SessionState
from ..actions import ActionTable, bindings
from ..transcript.palette import UNICODE_SIGNS, Signs
from .approval_content import (
    Entry,
    PreviewRow,
    has_hunks,
    keys_content,
    preview_lines,
    preview_rows,
    revealed_line,
    title_content,
)
from .deaf import DeafTime
from .key_line import key_text

PREVIEW_ROWS = 8
"""Rows of the preview in view; the rest scrolls."""
LOUD_ROWS = 16
"""The same for a loud question."""


class ApprovalBar(Vertical, can_focus=True):
    """Shows the oldest question that waits and posts its answer. ``clock`` is monotonic, in seconds."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("approval")]

    class Answered(Message):
        """The person answered. A denial may carry a comment for the model."""

        def __init__(self, approval_id: str, decision: Decision, comment: str = "") -> None:
            super().__init__()
            self.approval_id = approval_id
            self.decision = decision
            self.comment = comment

    class HunksWanted(Message):
        """The person goes to the diff, to answer hunk by hunk."""

    class Appeared(Message):
        """A new question stands here; the screen may focus it, ring or notify."""

        def __init__(self, question: ApprovalRequested) -> None:
            super().__init__()
            self.question = question

    class Gone(Message):
        """No question waits any more."""

    def __init__(
        self,
        table: ActionTable,
        *,
        clock: Callable[[], float] = time.monotonic,
        signs: Signs = UNICODE_SIGNS,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._table = table
        self._signs = signs
        self._waiting: tuple[ApprovalRequested, ...] = ()
        self._deaf = DeafTime(clock)
        self._lines: list[str] = []
        self._rows: list[PreviewRow] = []
        self._top = 0
        self._confirming = False
        self._mistyped = False
        self._folded = False
        self.display = False

    def compose(self) -> ComposeResult:
        """Title, reason, preview, the comment's line, keys."""
        yield Static(id="approval-title", markup=False)
        yield Static(id="approval-preview", markup=False)
        comment = Input(placeholder="why not, or what instead", compact=True, id="approval-comment")
        comment.display = False
        yield comment
        yield Static(id="approval-keys", markup=False)

    @property
    def question(self) -> ApprovalRequested | None:
        """The question on screen."""
        return self._waiting[0] if self._waiting else None

    @property
    def commenting(self) -> bool:
        """Whether the person writes a comment, or the word of a loud question."""
        return self.is_mounted and self.query_one("#approval-comment", Input).display

    def sync(self, state: SessionState) -> None:
        """Show the oldest question of the state; hide when there is none."""
        before, self._waiting = self.question, state.approvals
        question = self.question
        if question is None:
            if before is not None:
                self._close_comment()
                self.display = False
                self.post_message(self.Gone())
            return
        if before is None or before.approval_id != question.approval_id:
            self._deaf.begin()
            self._lines = preview_lines(question)
            self._top = 0
            self._close_comment()
            self.display = True
            self.set_class(bool(question.confirm), "loud")
            self._fill(question)
            self.post_message(self.Appeared(question))
        elif self.is_mounted:
            self._fill_title(question)

    def fold(self, folded: bool) -> None:
        """Show only what asks while its hunks are answered: the diff needs the rows, and no key works here then."""
        if folded != self._folded:
            self._folded = folded
            if self.question is not None:
                self._fill(self.question)

    # ---- answers

    def action_once(self) -> None:
        """Allow this one call; of a loud question this only opens the line for its word."""
        if self.question is not None and self.question.confirm:
            if self._deaf.hears():
                self._open_entry(f"type {revealed_line(self.question.confirm)} in full, then Enter", confirming=True)
            return
        self._answer(Decision.ONCE)

    def action_session(self) -> None:
        """Allow calls like this one until the session ends; never for a loud question."""
        if self.question is not None and not self.question.confirm:
            self._answer(Decision.SESSION)

    def action_always(self) -> None:
        """Allow the pattern from now on, where there is one."""
        if self.question is not None and self.question.pattern is not None and not self.question.confirm:
            self._answer(Decision.ALWAYS)

    def action_deny(self) -> None:
        """Deny it."""
        self._answer(Decision.DENY)

    def action_comment(self) -> None:
        """Open the line for a comment."""
        if self.question is not None and self._deaf.hears():
            self._open_entry("why not, or what instead", confirming=False)

    def action_hunks(self) -> None:
        """Go to the diff of the question, if it has one."""
        if self.question is not None and has_hunks(self.question) and self._deaf.hears():
            self.post_message(self.HunksWanted())

    def _open_entry(self, placeholder: str, *, confirming: bool) -> None:
        self._confirming, self._mistyped = confirming, False
        entry = self.query_one("#approval-comment", Input)
        entry.placeholder, entry.display = placeholder, True
        entry.focus()
        if self.question is not None:
            self._fill_keys(self.question)

    @on(Input.Submitted)
    def send_comment(self, event: Input.Submitted) -> None:
        """Deny with the comment, or say yes with the word of a loud question."""
        event.stop()
        if self._confirming:
            self._confirm(event.value)
            return
        comment = event.value.strip()
        self._close_comment()
        self.focus()
        self._post(Decision.DENY, comment)

    def _confirm(self, typed: str) -> None:
        """A yes if the word is whole; else nothing is answered."""
        if self.question is None:
            return
        self._mistyped = typed.strip() != self.question.confirm
        if self._mistyped:
            self._fill_keys(self.question)
            return
        self._close_comment()
        self.focus()
        self._post(Decision.ONCE, "")

    def _answer(self, decision: Decision) -> None:
        if self._deaf.hears():
            self._post(decision, "")

    def _post(self, decision: Decision, comment: str) -> None:
        if self.question is not None:
            self.post_message(self.Answered(self.question.approval_id, decision, comment))

    def _close_comment(self) -> None:
        if self.is_mounted:
            entry = self.query_one("#approval-comment", Input)
            entry.value = ""
            entry.display = False
        self._confirming = self._mistyped = False

    # ---- keys that are not answers

    def on_key(self, event: events.Key) -> None:
        """Escape leaves the comment; arrows scroll the preview; any other key shows that somebody is typing."""
        match event.key:
            case "escape" if self.commenting:
                event.stop()
                self._close_comment()
                self.focus()
                if self.question is not None:
                    self._fill_keys(self.question)
            case "up" | "down" | "pageup" | "pagedown" if not self.commenting:
                event.stop()
                self._scroll({"up": -1, "down": 1, "pageup": -PREVIEW_ROWS, "pagedown": PREVIEW_ROWS}[event.key])
            case _ if event.is_printable and not self.commenting:
                if not self._is_answer(event.key):
                    self._deaf.hears()
            case _:
                pass

    def _is_answer(self, key: str) -> bool:
        return any(key in action.keys for action in self._table.within("approval"))

    def _scroll(self, by: int) -> None:
        self._top = max(0, min(self._top + by, len(self._rows) - self._preview_rows()))
        self._fill_preview()

    # ---- painting

    def on_resize(self) -> None:
        """Cut lines anew."""
        if self.question is not None:
            self._fill(self.question)

    def _fill(self, question: ApprovalRequested) -> None:
        if not self.is_mounted:
            return
        self._rows = preview_rows(self._lines, self.size.width or self.screen.size.width)
        self._fill_title(question)
        self._fill_preview()
        self._fill_keys(question)

    def _fill_title(self, question: ApprovalRequested) -> None:
        others = len(self._waiting) - 1
        self.query_one("#approval-title", Static).update(
            title_content(question, self.size.width, self._signs, others), layout=False
        )

    def _fill_preview(self) -> None:
        preview = self.query_one("#approval-preview", Static)
        preview.display = bool(self._rows) and not self._folded
        rows = self._preview_rows()
        self._top = max(0, min(self._top, len(self._rows) - rows))
        preview.styles.height = rows + (len(self._rows) > rows)
        shown = self._rows[self._top : self._top + rows]
        below = len(self._rows) - self._top - len(shown)
        content = Content("\n").join(Content.assemble((f"  {text}", f"${role}")) for text, role in shown)
        if self._top or below:
            arrows = key_text("↑ ↓", self._signs)
            place = f" {self._top + 1}-{self._top + len(shown)} of {len(self._rows)} lines, {arrows} scroll"
            content = content + Content.assemble(("\n" + place, "$muted"))
        preview.update(content, layout=False)

    def _preview_rows(self) -> int:
        """Rows of the preview; one of them says how to scroll when there are more lines."""
        most = LOUD_ROWS if self.question is not None and self.question.confirm else PREVIEW_ROWS
        room = max(2, min(most, self.screen.size.height // 3)) if self.is_mounted else most
        return min(room, len(self._rows))

    def _fill_keys(self, question: ApprovalRequested) -> None:
        if self._folded:
            words = Content.assemble(("Esc", "bold $accent"), " ", ("back to the whole question", "$text"))
            self.query_one("#approval-keys", Static).update(words, layout=False)
            return
        self.query_one("#approval-keys", Static).update(
            keys_content(question, self._table, self.size.width, self._signs, **self._entry()), layout=False
        )

    def _entry(self) -> Entry:
        """What is being written."""
        return Entry(
            commenting=self.commenting and not self._confirming,
            confirming=self.commenting and self._confirming,
            mistyped=self._mistyped,
        )

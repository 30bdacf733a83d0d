"""The question that waits for the person, standing at the prompt.

It says what would happen, why it asks and which keys answer. Nothing in it is markup, and control characters
of the command or the diff are made visible. Keys are deaf for the first 300 ms of a question, and as long
as keys keep coming from what the person was just typing: nobody answers what they have not seen. A loud question
(destructive, exfiltrating) takes no key for a yes: its word is typed in full and sent with Enter.
"""

import time
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple, TypedDict

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from ....tools.events import ApprovalRequested, Decision
from ....tools.safe_text import reveal
from ...engine.state import SessionState
from ..actions import ActionTable, bindings, key_label
from ..diffing import parse_unified
from ..transcript.palette import UNICODE_SIGNS, Signs
from ..transcript.rows import break_text, elide, expand_tabs

DEAF_SECONDS = 0.3
"""How long a new question takes no answer, counted anew from each key that comes meanwhile."""
PREVIEW_ROWS = 8
"""Rows of the preview in view; the rest scrolls."""
LOUD_ROWS = 16
"""The same for a loud question."""
_LINE_LIMIT = 2000
"""Characters of one line of a diff that are shown; of a command every one is."""


class Entry(TypedDict, total=False):
    """What is being written in the bar's line."""

    commenting: bool
    confirming: bool
    mistyped: bool


class PreviewRow(NamedTuple):
    """A row of the preview and the role that colours it."""

    text: str
    role: str


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
        self._clock = clock
        self._signs = signs
        self._waiting: tuple[ApprovalRequested, ...] = ()
        self._deaf_until = 0.0
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
            self._deaf_until = self._clock() + DEAF_SECONDS
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
            if self._hears():
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
        if self.question is not None and self._hears():
            self._open_entry("why not, or what instead", confirming=False)

    def action_hunks(self) -> None:
        """Go to the diff of the question, if it has one."""
        if self.question is not None and has_hunks(self.question) and self._hears():
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
        if self._hears():
            self._post(decision, "")

    def _post(self, decision: Decision, comment: str) -> None:
        if self.question is not None:
            self.post_message(self.Answered(self.question.approval_id, decision, comment))

    def _hears(self) -> bool:
        """Whether a key counts now. A key in the deaf time makes it last longer."""
        now = self._clock()
        if now < self._deaf_until:
            self._deaf_until = now + DEAF_SECONDS
            return False
        return True

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
                if self._clock() < self._deaf_until and not self._is_answer(event.key):
                    self._deaf_until = self._clock() + DEAF_SECONDS
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
            place = f" {self._top + 1}-{self._top + len(shown)} of {len(self._rows)} lines, ↑ ↓ scroll"
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


def has_hunks(question: ApprovalRequested) -> bool:
    """Whether a question can be answered hunk by hunk."""
    return not question.confirm and any(not diff.cut for diff in parse_unified(question.preview))


def preview_lines(question: ApprovalRequested) -> list[str]:
    """The preview's lines, with everything invisible made visible.

    The two header lines of a diff are left out when they name no other file than the title does.
    """
    lines = reveal(question.preview).rstrip("\n").split("\n") if question.preview else []
    if len(lines) > 2 and lines[0].startswith("--- ") and lines[1].startswith("+++ "):
        named = {line[4:].removeprefix(side) for line, side in zip(lines, ("a/", "b/"), strict=False)}
        lines = lines[2:] if named <= {reveal(question.title), "/dev/null"} else lines
    if lines and lines[0].startswith(("--- ", "@@ -")):
        return [expand_tabs(_shortened(line)) for line in lines]
    return [expand_tabs(line) for line in lines]


def _shortened(line: str) -> str:
    return line if len(line) <= _LINE_LIMIT else f"{line[:_LINE_LIMIT]} [{len(line) - _LINE_LIMIT:,} more characters]"


def preview_rows(lines: Sequence[str], width: int) -> list[PreviewRow]:
    """The lines wrapped to a width, nothing left out; a line of a diff has the colour of its first character."""
    room = max(4, width - 5)
    rows: list[PreviewRow] = []
    for line in lines:
        muted = line.startswith(("@@", "---", "+++"))
        role = "muted" if muted else {"+": "added", "-": "removed"}.get(line[:1], "text")
        rows += (PreviewRow(line[start:end], role) for start, end in break_text(line, room, room, words=False))
    return rows


def title_content(question: ApprovalRequested, width: int, signs: Signs, others: int = 0) -> Content:
    """Two rows: what asks for what, and why; also what "always" would allow, when the keys have no room to say it."""
    more = f"   +{others} more waiting" if others > 0 else ""
    name = revealed_line(question.name)
    reason = revealed_line(question.reason)
    pattern = revealed_line(question.pattern or "")
    if cell_len(pattern) > _pattern_room(width):
        reason = f'{reason}; always means "{pattern}"'
    room = max(10, width - cell_len(name) - len(more) - 6)
    return Content.assemble(
        (f"{signs.running} ", "$danger" if question.confirm else "$warn"),
        (f"{name}  ", "bold $danger" if question.confirm else "bold $text"),
        (elide(revealed_line(question.title), room, signs.more), "$text"),
        (more, "$muted"),
        "\n",
        (f"  {elide(reason, max(10, width - 3), signs.more)}", "bold $danger" if question.confirm else "$muted"),
    )


def _pattern_room(width: int) -> int:
    """Cells left for the pattern when all other keys and their words stand beside it."""
    return max(8, width - 70)


def revealed_line(text: str) -> str:
    """Text on one line with nothing hidden in it."""
    return reveal(text).replace("\n", "↵").replace("\t", "⇥")


def keys_content(
    question: ApprovalRequested,
    table: ActionTable,
    width: int,
    signs: Signs,
    *,
    commenting: bool = False,
    confirming: bool = False,
    mistyped: bool = False,
) -> Content:
    """The keys that answer now, and only those."""
    pattern = (
        "" if question.pattern is None else elide(revealed_line(question.pattern), _pattern_room(width), signs.more)
    )
    if commenting:
        keys = [("Enter", "no, with this comment"), ("Esc", "back")]
    elif confirming:
        word = elide(revealed_line(question.confirm), max(8, width - 50), signs.more)
        keys = [("Enter", "yes"), ("Esc", "no answer")]
        keys = [("", f'That is not "{word}".'), *keys] if mistyped else keys
    elif question.confirm:
        word = elide(revealed_line(question.confirm), max(8, width - 50), signs.more)
        words = {"approval.once": f'type "{word}" for yes', "approval.deny": "no", "approval.comment": "comment"}
        keys = [(key_label(table[id].keys[0]), word) for id, word in words.items() if table[id].keys]
    else:
        words = {
            "approval.once": "once",
            "approval.session": "this session",
            "approval.always": f'always "{pattern}"' if question.pattern is not None else "",
            "approval.deny": "no",
            "approval.comment": "comment",
            "approval.hunks": "hunks" if has_hunks(question) else "",
        }
        keys = [(key_label(table[id].keys[0]), word) for id, word in words.items() if word and table[id].keys]
    return Content("   ").join(Content.assemble((key, "bold $accent"), " ", (word, "$text")) for key, word in keys)

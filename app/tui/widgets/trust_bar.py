"""The question whether a folder may steer this program, standing at the prompt until it is answered.

It names the files that ask for trust, and nothing that is in them: reading them is what it asks about. Until an
answer the folder is restricted, and work can go on beside the question. Keys are deaf for the first moment, as
they are for every question here.
"""

import time
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ....tools.safe_text import reveal, safe_line
from ...folder_config import ConfigItem
from ...trust import Change, FolderTrust
from ..actions import ActionTable, bindings, key_label
from ..transcript.palette import UNICODE_SIGNS, Signs
from ..transcript.rows import elide
from .deaf import DeafTime

FILES_SHOWN = 6
"""Files that are named; the others are counted."""


class TrustBar(Vertical, can_focus=True):
    """Asks about one folder. ``clock`` is monotonic, in seconds."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("trust")]

    class Answered(Message):
        """The person answered. ``problem`` says why the answer holds for this session only; mostly empty."""

        def __init__(self, problem: str = "") -> None:
            super().__init__()
            self.problem = problem

    def __init__(
        self,
        trust: FolderTrust | None,
        table: ActionTable,
        *,
        clock: Callable[[], float] = time.monotonic,
        signs: Signs = UNICODE_SIGNS,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._trust = trust
        self._table = table
        self._signs = signs
        self._deaf = DeafTime(clock)
        self.display = False

    def compose(self) -> ComposeResult:
        """The question, the files, the keys."""
        yield Static(id="trust-question", markup=False)
        yield Static(id="trust-files", markup=False)
        yield Static(id="trust-keys", markup=False)

    def on_mount(self) -> None:
        """Ask at once, when there is something to ask."""
        if self._trust is not None and self._trust.asks:
            self.ask()

    def ask(self) -> bool:
        """Put the question, also again; False where there is none (the demo's own folder)."""
        if self._trust is None:
            return False
        self._deaf.begin()
        self.display = True
        self._fill()
        self.focus()
        return True

    # ---- answers

    def action_session(self) -> None:
        """Trust it until the session ends."""
        self._answer(lambda trust: trust.trust(always=False))

    def action_always(self) -> None:
        """Trust this configuration, until it changes."""
        if self._trust is not None and self._trust.can_be_kept:
            self._answer(lambda trust: trust.trust(always=True))

    def action_deny(self) -> None:
        """Leave it restricted."""
        self._answer(FolderTrust.refuse)

    def _answer(self, give: Callable[[FolderTrust], None]) -> None:
        if self._trust is None or not self._deaf.hears():
            return
        problem = ""
        try:
            give(self._trust)
        except OSError as error:
            problem = f"The answer cannot be kept ({error.strerror}): it holds for this session."
        self.display = False
        self.post_message(self.Answered(problem))

    # ---- painting

    def on_resize(self) -> None:
        """Cut lines anew."""
        self._fill()

    def _fill(self) -> None:
        if self._trust is None or not self.is_mounted:
            return
        width = max(20, self.size.width or self.screen.size.width - 3)
        contents = {
            "question": question_content(self._trust, width, self._signs),
            "files": files_content(self._trust, width, self._signs),
            "keys": keys_content(self._trust, self._table),
        }
        for part, content in contents.items():
            self.query_one(f"#trust-{part}", Static).update(content)


def question_content(trust: FolderTrust, width: int, signs: Signs) -> Content:
    """Two rows: the folder, and what is asked about it."""
    title = "This folder changed since you answered" if trust.changes else "Do you trust this folder?"
    root = elide(_shown(str(trust.config.root)), max(10, width - len(title) - 6), signs.more)
    if trust.wide:
        why = "It holds everything you have: it can be trusted for this session only."
    elif not trust.config.complete:
        why = "It brings more configuration than anybody would look through: better not."
    elif not trust.config.items and not trust.changes:
        why = "It brings no settings or instructions now; trusted, rules count at once."
    else:
        why = "Until then nothing of it counts: settings, instructions, hooks, servers."
    return Content.assemble(
        (f"{signs.running} ", "$warn"),
        (f"{title}  ", "bold $text"),
        (root, "$text"),
        "\n",
        (f"  {elide(why, max(10, width - 3), signs.more)}", "$muted"),
    )


def files_content(trust: FolderTrust, width: int, signs: Signs) -> Content:
    """The files by name, those that changed first."""
    rows = [*trust.changes]
    named = {name for name, _ in rows}
    known: list[tuple[str, Change | None]] = [
        (item.name, None) for item in trust.config.items if item.name not in named
    ]
    listed = [*rows, *known]
    problems = {item.name: item for item in trust.config.items if item.content is None}
    lines = [_file_line(name, change, problems.get(name), width, signs) for name, change in listed[:FILES_SHOWN]]
    if len(listed) > FILES_SHOWN:
        lines.append(Content.assemble((f"    and {len(listed) - FILES_SHOWN} more", "$muted")))
    return Content("\n").join(lines)


def _file_line(name: str, change: Change | None, problem: ConfigItem | None, width: int, signs: Signs) -> Content:
    remark = f"  {change}" if change is not None else ""
    if problem is not None:
        remark += f"  never read: {_shown(problem.problem)}"
    room = max(10, width - len(remark) - 5)
    return Content.assemble(
        ("    " + elide(_shown(name), room, signs.more), "$text"),
        (elide(remark, max(1, width - 16), signs.more), "$warn" if change is not None else "$muted"),
    )


def keys_content(trust: FolderTrust, table: ActionTable) -> Content:
    """The keys that answer now."""
    words = {
        "trust.session": "trust for this session",
        "trust.always": "always, as it is now" if trust.can_be_kept else "",
        "trust.deny": "no, stay restricted",
    }
    keys = [(key_label(table[id].keys[0]), word) for id, word in words.items() if word and table[id].keys]
    return Content("   ").join(Content.assemble((key, "bold $accent"), " ", (word, "$text")) for key, word in keys)


def _shown(text: str) -> str:
    return safe_line(reveal(text))

"""Rewind (Alt+R): back to before a prompt, with its files, its conversation or both.

For the prompt under the cursor the screen says what would be put back, what would be left alone because somebody
changed it since, and what cannot be put back; nothing is touched before Enter.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ....tools.base import Checkpoints, Restoration
from ....tools.events import Fate, FileFate, RestoreKind
from ....tools.safe_text import reveal, safe_line
from ...engine.state import PromptEntry
from .key_line import key_line

_COMPARED = 10
"""Kept files whose differences are shown at once."""
_COMPARED_LINES = 200
_KEYS = (("Enter", "rewind"), ("e", "edit, resend"), ("f", "fork"), ("Tab", "what"), ("d", "compare"), ("Esc", "back"))
_MODES: tuple[tuple[bool, bool, str], ...] = (
    (True, True, "files and conversation"),
    (True, False, "files only"),
    (False, True, "conversation only"),
)
"""Files, conversation, and the words for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewindChoice:
    """What the person decided."""

    prompt_id: str
    text: str
    """The prompt, to be edited and sent again."""
    files: bool
    conversation: bool
    fork: bool = False
    """Nothing is rewound: a copy of the session up to the prompt is wanted."""
    edit: bool = False
    """The prompt is to be edited and sent again, whatever stands in the prompt now."""


class RewindScreen(ModalScreen[RewindChoice | None]):
    """Dismisses with a choice, or None when everything stays as it is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Leave", show=False, priority=True),
        Binding("tab,space", "next_mode", "What", show=False, priority=True),
        Binding("e", "edit", "Edit and send again", show=False, priority=True),
        Binding("f", "fork", "Fork", show=False, priority=True),
        Binding("d", "compare", "Differences", show=False, priority=True),
    ]

    def __init__(self, checkpoints: Checkpoints, prompts: Sequence[PromptEntry], now: float) -> None:
        """``prompts`` newest first; ``now`` is seconds since the epoch."""
        super().__init__()
        self._checkpoints = checkpoints
        self._prompts = prompts
        self._now = now
        self._mode = 0
        self._seen: Restoration | None = None

    def compose(self) -> ComposeResult:
        """The prompts, what would happen, and the keys."""
        with Vertical(classes="dialog"):
            yield Static("Rewind to before a prompt", classes="dialog-title", markup=False)
            yield OptionList(id="rewind-prompts", markup=False)
            yield Static(markup=False, id="rewind-mode")
            with VerticalScroll(id="rewind-view"):
                yield Static(markup=False, id="rewind-files")
            yield Static(key_line(*_KEYS), classes="dialog-keys", markup=False)

    def on_mount(self) -> None:
        """Begin with the newest prompt."""
        self.query_one("#rewind-view").can_focus = False
        self._fill({})
        self._show_mode()
        self._count()

    @work(group="rewind-count")
    async def _count(self) -> None:
        """How many files were changed since each prompt."""
        try:
            self._fill(await self._checkpoints.changed_since())
        except OSError as error:
            self._say([(f"The checkpoints cannot be used: {error.strerror or error}.", "danger")])

    def _fill(self, changed: Mapping[str, int]) -> None:
        options = self.query_one(OptionList)
        at = options.highlighted or 0
        options.clear_options()
        options.add_options(
            Option(prompt_row(entry, self._now, changed.get(entry.prompt_id, 0)), id=entry.prompt_id)
            for entry in self._prompts
        )
        options.highlighted = at
        options.focus()

    @on(OptionList.OptionHighlighted)
    def look_ahead(self) -> None:
        """What a rewind to the prompt under the cursor would do."""
        self._preview()

    @on(OptionList.OptionSelected)
    def choose(self) -> None:
        """Do it."""
        files, conversation, _ = _MODES[self._mode]
        self._choose(files=files, conversation=conversation)

    def action_edit(self) -> None:
        """Rewind the conversation, and the files if that is chosen, and give the prompt to be edited."""
        self._choose(files=_MODES[self._mode][0], conversation=True, edit=True)

    def action_fork(self) -> None:
        """Leave this session as it is and go on in a copy of it."""
        self._choose(files=False, conversation=False, fork=True)

    def _choose(self, *, files: bool, conversation: bool, fork: bool = False, edit: bool = False) -> None:
        entry = self._entry
        if entry is not None:
            self.dismiss(
                RewindChoice(
                    prompt_id=entry.prompt_id,
                    text=entry.text,
                    files=files,
                    conversation=conversation,
                    fork=fork,
                    edit=edit,
                )
            )

    def action_leave(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)

    def action_next_mode(self) -> None:
        """Both, files only, conversation only."""
        self._mode = (self._mode + 1) % len(_MODES)
        self._show_mode()

    def action_compare(self) -> None:
        """How the kept files differ from what the session left."""
        self._compare()

    @property
    def _entry(self) -> PromptEntry | None:
        at = self.query_one(OptionList).highlighted
        return None if at is None or at >= len(self._prompts) else self._prompts[at]

    @work(group="rewind-look", exclusive=True)
    async def _preview(self) -> None:
        entry = self._entry
        if entry is None:
            return
        try:
            self._seen = await self._checkpoints.preview(RestoreKind.REWIND, entry.prompt_id)
        except OSError as error:
            self._say([(f"The checkpoints cannot be used: {error.strerror or error}.", "danger")])
            return
        self._show_files()

    @work(group="rewind-look", exclusive=True)
    async def _compare(self) -> None:
        kept = [file.path for file in (self._seen.files if self._seen else ()) if file.fate is Fate.KEPT]
        lines: list[tuple[str, str]] = []
        try:
            for path in kept[:_COMPARED]:
                lines += _compared(path, reveal(await self._checkpoints.compare(path)).splitlines())
        except OSError as error:
            lines.append((f"It cannot be compared: {error.strerror or error}.", "danger"))
        if len(kept) > _COMPARED:
            lines.append((f"and {len(kept) - _COMPARED} more files", "muted"))
        self._say(lines or [("No file would be kept: there is nothing to compare.", "muted")])

    def _show_mode(self) -> None:
        words = _MODES[self._mode][2]
        self.query_one("#rewind-mode", Static).update(
            Content.assemble(("Rewind ", "$muted"), (words, "bold $accent"), ("   Tab changes it", "$muted"))
        )
        self._show_files()

    def _show_files(self) -> None:
        if not _MODES[self._mode][0]:
            self._say([("No file is touched. The model is told which ones were changed since.", "muted")])
        elif self._seen is not None:
            self._say(list(file_lines(self._seen.files)))

    def _say(self, lines: Iterable[tuple[str, str]]) -> None:
        rows = [Content.assemble((text, f"${role}")) for text, role in lines]
        self.query_one("#rewind-files", Static).update(Content("\n").join(rows))


def prompt_row(entry: PromptEntry, now: float, changed: int) -> Content:
    """One prompt: its age, how many files were changed since, and its beginning."""
    files = "no file" if changed == 0 else "1 file" if changed == 1 else f"{changed} files"
    return Content.assemble(
        (f"{age(now - entry.at):>8}  ", "$muted"),
        (f"{files:>9}  ", "$muted" if changed == 0 else "$accent"),
        (safe_line(entry.text)[:200], "$text"),
    )


def age(seconds: float) -> str:
    """How long ago, in the largest unit that fits: ``12 s``, ``5 min``, ``3 h``, ``2 d``."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def file_lines(files: Sequence[FileFate]) -> Iterator[tuple[str, str]]:
    """What would become of each path, in lines with their roles."""
    groups = (
        (Fate.RESTORED, "Would be put back", "ok"),
        (Fate.KEPT, "Would be kept, because somebody else changed it", "warn"),
        (Fate.LOST, "Cannot be put back", "danger"),
    )
    if not files:
        yield "No file was changed since.", "muted"
    for fate, title, role in groups:
        chosen = [file for file in files if file.fate is fate]
        if not chosen:
            continue
        yield f"{title} ({len(chosen)})", role
        for file in chosen:
            yield f"  {_what(file):<9} {safe_line(reveal(file.path))}{f'  ({file.why})' if file.why else ''}", "text"


def _compared(path: str, said: Sequence[str]) -> Iterator[tuple[str, str]]:
    """How one file differs, in lines with their roles."""
    yield f"{safe_line(reveal(path))}: what was changed since the session left it", "text"
    yield from ((line, _diff_role(line)) for line in said[:_COMPARED_LINES])
    if len(said) > _COMPARED_LINES:
        yield f"and {len(said) - _COMPARED_LINES} more lines", "muted"


def _what(file: FileFate) -> str:
    if file.fate is not Fate.RESTORED:
        return file.fate.value
    return "deleted" if file.deleted else "made" if file.created else "changed"


def _diff_role(line: str) -> str:
    return "added" if line.startswith("+") else "removed" if line.startswith("-") else "muted"

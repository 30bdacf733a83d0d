"""What a compaction took out of the model's view: the summary that stands for it, and the turns themselves."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from ....tools.safe_text import reveal, safe_line
from ...engine.attached import attachment_line
from ...engine.compaction import dropped_by
from ...engine.compaction_words import compaction_line
from ...engine.state import (
    AnswerEntry,
    CompactionEntry,
    Entry,
    PromptEntry,
    SessionState,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolRun,
)
from ..transcript.palette import UNICODE_SIGNS, Signs
from .key_line import key_line

RESULT_CHARS = 4_000
"""Characters of a tool's result that are shown; the tool log and exports have the rest."""
MOST_CHARS = 300_000
"""Characters that are shown at all: a view that scrolls for ever helps nobody, and laying it out takes time."""


class DroppedScreen(ModalScreen[None]):
    """Shows one compaction at a time: the summary first, then what it stands for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Leave", show=False, priority=True),
        Binding("left", "step(-1)", "Earlier", show=False, priority=True),
        Binding("right", "step(1)", "Later", show=False, priority=True),
    ]

    def __init__(self, state: SessionState, at: int, *, signs: Signs = UNICODE_SIGNS) -> None:
        """``at`` is the compaction's place in the transcript."""
        super().__init__()
        self._signs = signs
        self._state = state
        self._places = [place for place, entry in enumerate(state.transcript) if isinstance(entry, CompactionEntry)]
        self._chosen = self._places.index(at)

    def compose(self) -> ComposeResult:
        """A title, a text and the keys."""
        with Vertical(classes="dialog"):
            yield Static(classes="dialog-title", markup=False, id="dropped-title")
            yield TextArea(read_only=True, show_line_numbers=False, id="dropped-text")
            more = [("← →", "other compactions")] if len(self._places) > 1 else []
            keys = key_line(("↑ ↓", "scroll"), *more, ("Esc", "closes"), signs=self._signs)
            yield Static(keys, classes="dialog-keys", markup=False)

    def on_mount(self) -> None:
        """The text has the keys."""
        self._show()
        self.query_one(TextArea).focus()

    def action_leave(self) -> None:
        """Go back."""
        self.dismiss(None)

    def action_step(self, by: int) -> None:
        """The compaction before or after."""
        self._chosen = min(max(self._chosen + by, 0), len(self._places) - 1)
        self._show()

    def _show(self) -> None:
        at = self._places[self._chosen]
        entry = self._state.transcript[at]
        assert isinstance(entry, CompactionEntry)
        number = f" {self._chosen + 1} of {len(self._places)}" if len(self._places) > 1 else ""
        self.query_one("#dropped-title", Static).update(f"What was dropped{number}")
        self.run_worker(self._read(at), exclusive=True)

    async def _read(self, at: int) -> None:
        """Long results may have to be fetched from disk: in a thread, while the screen is there already."""
        text = await asyncio.to_thread(dropped_text, self._state, at)
        self.query_one(TextArea).load_text(text)


def dropped_text(state: SessionState, at: int) -> str:
    """The compaction at a place of the transcript, its summary, and the turns it took out, the words in full."""
    entry = state.transcript[at]
    assert isinstance(entry, CompactionEntry)
    done = entry.compacted
    runs = {run.run_id: run for run in state.runs}
    parts = [compaction_line(done)]
    if done.focus:
        parts.append(f"Kept in mind: {done.focus}")
    if done.shortened:
        parts.append(f"{len(done.shortened)} long results of the kept part are shortened for the model.")
    parts += ["", "── What the model reads instead ──", "", done.summary, "", "── What it no longer reads ──"]
    entries = dropped_by(state.transcript, at)
    parts += _within(_told(entries, runs)) if entries else ["", "Nothing: only results were shortened."]
    return reveal("\n".join(parts))


def _within(texts: Iterable[str]) -> list[str]:
    """As many as fit, and a word about the others."""
    kept: list[str] = []
    left = MOST_CHARS
    for text in texts:
        if left < len(text):
            return [*kept, text[:left], "", "(There is more: `patchbay sessions export` writes all of it.)"]
        kept.append(text)
        left -= len(text)
    return kept


def _cut(text: str) -> str:
    if len(text) <= RESULT_CHARS:
        return text
    return f"{text[:RESULT_CHARS]}\n({len(text) - RESULT_CHARS:,} more characters: in the tool log, and in exports)"


def _told(entries: Sequence[Entry], runs: Mapping[str, ToolRun]) -> Iterator[str]:
    for entry in entries:
        match entry:
            case PromptEntry():
                yield f"\n> {entry.text}"
                yield from ("+ {}  {}".format(*attachment_line(each)) for each in entry.attachments)
            case AnswerEntry():
                yield f"\n{safe_line(str(entry.ref))}"
                for part in entry.parts:
                    yield from _part(part, runs)
            case _:
                continue


def _part(part: object, runs: Mapping[str, ToolRun]) -> Iterator[str]:
    match part:
        case TextPart():
            yield str(part.text)
        case ThinkingPart() if part.text.chars:
            yield "(thought) " + str(part.text)
        case ToolCallPart():
            run = runs.get(part.run_id)
            yield f"[{part.name}]" if run is None else f"[{run.name}] {run.title}: {run.summary}\n{_cut(run.content)}"
        case _:
            return

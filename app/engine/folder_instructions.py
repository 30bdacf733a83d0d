"""Instructions of sub-folders: brought to the model with the first prompt or tool result about a file there.

They stand behind it for good, so that nothing that was sent before changes and prompt caches hold. What a
compaction took out of what is sent is brought again when a file there is touched next; so is a file that changed.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from posixpath import dirname, join

from ...tools.events import FileChanged, FileSeen, ToolEvent
from .attached import cut_end
from .bus import MessageBus
from .events import Attachment, AttachmentKind, FolderInstructed, InstructionFile, NoticeLevel, NoticePosted
from .sent import sent
from .state import AnswerEntry, PromptEntry, SessionState, ToolCallPart

_CHARS_PER_TOKEN = 3
_LEAST_CHARS = 400
_MOST_PLACES = 64
"""Folders of one tool run that are looked at: a command may change thousands of files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """What was found between the working folder and some files: outermost first, and what the person should know."""

    files: tuple[InstructionFile, ...] = ()
    remarks: tuple[str, ...] = ()


FindNested = Callable[[tuple[str, ...]], Nested]
"""Looks for the instructions of some files (paths relative to the working folder). Blocks; never raises."""


class FolderInstructions:
    """Hears which files a tool touches and brings what its folders say."""

    def __init__(self, bus: MessageBus, find: FindNested | None) -> None:
        """``find`` is None where there is nothing to look at."""
        self._bus = bus
        self._find = find
        self._touched: dict[str, str] = {}
        self._said: set[str] = set()

    def hear(self, event: ToolEvent) -> None:
        """Note the files of a run."""
        if isinstance(event, FileSeen | FileChanged) and len(self._touched) < _MOST_PLACES:
            self._touched.setdefault(dirname(event.path), event.path)

    async def bring(self, run_id: str, window: int | None) -> None:
        """Add to a finished run what its folders say and the model is not told yet. ``window`` is in tokens."""
        touched, self._touched = tuple(self._touched.values()), {}
        if files := await self._told_of(touched, window):
            self._publish(FolderInstructed(run_id=run_id, files=files))

    async def bring_with_prompts(self, window: int | None) -> None:
        """Add to the prompts that wait for an answer what the folders of their files say. ``window`` is in tokens."""
        for entry in _unanswered(self._bus.store.state):
            places = {dirname(path): path for path in map(_within, entry.attachments) if path}
            if files := await self._told_of(tuple(places.values())[:_MOST_PLACES], window):
                self._publish(FolderInstructed(prompt_id=entry.prompt_id, files=files))

    async def _told_of(self, touched: tuple[str, ...], window: int | None) -> tuple[InstructionFile, ...]:
        """What the model is not told yet of these files, as much as fits; problems are said once."""
        if self._find is None or not touched:
            return ()
        found = await asyncio.to_thread(self._find, touched)
        for remark in found.remarks:
            if remark not in self._said:
                self._said.add(remark)
                self._bus.publish(NoticePosted(message=remark, level=NoticeLevel.WARNING))
        return _fitting(tuple(_news(self._bus.store.state, found.files, touched)), window)

    def _publish(self, event: FolderInstructed) -> None:
        self._bus.publish(event)
        names = ", ".join(file.path for file in event.files)
        self._bus.publish(NoticePosted(message=f"The model is told the instructions of {names}."))


def _unanswered(state: SessionState) -> list[PromptEntry]:
    """The prompts since the last answer, oldest first."""
    entries = takewhile(lambda entry: not isinstance(entry, AnswerEntry), reversed(state.transcript))
    return [entry for entry in entries if isinstance(entry, PromptEntry)][::-1]


def _within(attachment: Attachment) -> str:
    """A path in the folder that an attachment is about; "" for one that is about none."""
    match attachment.kind:
        case AttachmentKind.FILE | AttachmentKind.IMAGE:
            return attachment.source
        case AttachmentKind.FOLDER:
            return join(attachment.source, "any")
        case AttachmentKind.COMMAND:
            return ""


def told_of_folders(state: SessionState) -> tuple[InstructionFile, ...]:
    """The instructions of sub-folders that stand in what is sent now, in prompts and behind results, oldest first."""
    runs = {run.run_id: run.instructions for run in state.runs if run.instructions}
    found: list[InstructionFile] = []
    for at in sent(state.transcript).positions:
        entry = state.transcript[at]
        if isinstance(entry, PromptEntry):
            found += entry.instructions
        elif isinstance(entry, AnswerEntry) and runs:
            for part in entry.parts:
                if isinstance(part, ToolCallPart):
                    found += runs.get(part.run_id, ())
    return tuple(found)


def _news(
    state: SessionState, files: tuple[InstructionFile, ...], touched: tuple[str, ...]
) -> Iterator[InstructionFile]:
    """What the model is not told yet. What it wrote itself in this session is no instruction to it."""
    told = {(file.path, file.digest) for file in told_of_folders(state)}
    written = {each.path for each in state.files}
    for file in files:
        if (file.path, file.digest) not in told and file.path not in written and file.path not in touched:
            yield file


def _fitting(files: tuple[InstructionFile, ...], window: int | None) -> tuple[InstructionFile, ...]:
    """At most about an eighth of a known window; the nearest keep their text when not all can."""
    left = sum(len(file.text) for file in files)
    if window is not None:
        left = min(left, max(_LEAST_CHARS, window // 8 * _CHARS_PER_TOKEN))
    fitting: list[InstructionFile] = []
    for file in reversed(files):
        fitting.append(replace(file, text=cut_end(file.text, left)))
        left = max(0, left - len(file.text))
    return tuple(reversed(fitting))

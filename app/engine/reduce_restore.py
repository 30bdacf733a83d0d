"""How undo, redo and rewind change the state: the diff list, the conversation, and what the model will be told."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ...tools.events import Fate, FileFate, RestoreKind
from .events import FilesRestored, NoticeLevel, Rewound
from .reduce_answer import context_after
from .reduce_compaction import still_holding
from .reduce_tools import with_change
from .state import AnswerEntry, Entry, FileDiff, NoticeEntry, PromptEntry, SessionState

_NAMED = 20
"""Paths that are named to the model; of more, only the number."""
_DONE = {RestoreKind.UNDO: "Undone", RestoreKind.REDO: "Done again", RestoreKind.REWIND: "Rewound"}


def put_back(state: SessionState, event: FilesRestored | Rewound, at: float) -> SessionState:
    """The state after an undo, a redo or a rewind."""
    return _rewound(state, event, at) if isinstance(event, Rewound) else _files_restored(state, event, at)


def _files_restored(state: SessionState, event: FilesRestored, at: float) -> SessionState:
    """The files are as the event says; the person sees what was done, the model will be told."""
    files = state.files
    for file in event.files:
        if file.fate is Fate.RESTORED and not file.folder:
            files = _with_file(files, file)
    entry = NoticeEntry(message=for_person(event), level=_level(event), at=at, note=for_model(event))
    moved = state.revisions.moved(chat=1, files=1, status=1, tools=1)
    transcript = (*state.transcript, entry)
    return replace(state, files=files, transcript=transcript, last_restore=event.restore_id, revisions=moved)


def _rewound(state: SessionState, event: Rewound, at: float) -> SessionState:
    """Without the prompt and all that came after it, when the conversation was rewound. What was paid stays paid."""
    if not event.conversation:
        return state
    transcript = _until(state.transcript, event.prompt_id)
    answers = [entry for entry in transcript if isinstance(entry, AnswerEntry)]
    tokens, estimated = context_after(answers[-1]) if answers else (None, False)
    holding = still_holding(state.transcript, transcript)
    if holding is not None:  # the prompt came after what was dropped: without it the rest would not fit again
        transcript = (*transcript, holding)
        tokens, estimated = holding.compacted.after_tokens, True
    if event.changed:
        message = f"The conversation is rewound; {_count(event.changed)} stay as they were changed since."
        note = f"The conversation was taken back to here, but not the files. Changed since: {_names(event.changed)}."
        transcript = (*transcript, NoticeEntry(message=message, level=NoticeLevel.INFO, at=at, note=note))
    return replace(
        state,
        transcript=transcript,
        untold_commands=(),  # they came after the newest prompt: their entries are gone too
        context_tokens=tokens,
        context_estimated=estimated,
        retry=None,
        revisions=state.revisions.moved(chat=1, tools=1, status=1),
    )


def for_person(event: FilesRestored) -> str:
    """What was done, in lines for the conversation."""
    restored = [file.path for file in event.files if file.fate is Fate.RESTORED and not file.folder]
    lines = [f"{_DONE[event.kind]}: {_names(restored)}" if restored else f"{_DONE[event.kind]}: no file"]
    for file in event.files:
        match file.fate:
            case Fate.KEPT:
                lines.append(f"kept: {file.path} ({file.why})")
            case Fate.LOST:
                lines.append(f"could not be restored: {file.path} ({file.why})")
            case Fate.RESTORED:
                pass
    return "\n".join(lines)


def for_model(event: FilesRestored) -> str:
    """What was done, for the model. After a rewind of both it needs to know only what is not as it remembers."""
    restored = [file.path for file in event.files if file.fate is Fate.RESTORED and not file.folder]
    others = [file.path for file in event.files if file.fate is not Fate.RESTORED]
    said: list[str] = []
    if restored and not event.conversation:
        how = "made the last undone changes again" if event.kind is RestoreKind.REDO else "took back earlier changes"
        said.append(f"The user {how} ({event.kind.value}). These files are no longer as you last saw them: ")
        said.append(f"{_names(restored)}.")
    if others:
        said.append(f" These could not be taken back and hold later changes: {_names(others)}.")
    return "".join([*said, " Read a file again before you rely on it."]).strip() if said else ""


def _with_file(files: Sequence[FileDiff], file: FileFate) -> tuple[FileDiff, ...]:
    """The diff list after one file was put back; one that is as it was before the session is no diff any more."""
    if file.pristine:
        return tuple(each for each in files if each.path != file.path)
    return with_change(files, file)


def _until(transcript: Sequence[Entry], prompt_id: str) -> tuple[Entry, ...]:
    for position, entry in enumerate(transcript):
        if isinstance(entry, PromptEntry) and entry.prompt_id == prompt_id:
            return tuple(transcript[:position])
    return tuple(transcript)


def _level(event: FilesRestored) -> NoticeLevel:
    whole = all(file.fate is Fate.RESTORED for file in event.files)
    return NoticeLevel.INFO if whole else NoticeLevel.WARNING


def _names(paths: Iterable[str]) -> str:
    listed = list(paths)
    more = len(listed) - _NAMED
    return ", ".join(listed[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _count(paths: Sequence[str]) -> str:
    return "1 file" if len(paths) == 1 else f"{len(paths)} files"

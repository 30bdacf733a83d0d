"""Files whose content the model was given and that something else has changed since. Pure.

The state knows the digest of each such file: from a prompt's attachments, from ``read``, and from what the agent wrote
itself, which is no news to it. Whoever looks at the disk says which ones differ (``FilesWentStale``); the model is told
with the prompt that was just sent, or else with the next one.
"""

from collections.abc import Iterable
from dataclasses import replace

from ...tools.events import FileSeen
from .events import Attachment, AttachmentKind, FilesWentStale
from .state import AnswerEntry, Entry, KnownFile, PromptEntry, SessionState

_NAMED = 20
_KNOWN = 500


def seen(state: SessionState, event: FileSeen) -> SessionState:
    """The model read or wrote a file."""
    return _known(state, ((event.path, event.digest),))


def attached(state: SessionState, attachments: Iterable[Attachment]) -> SessionState:
    """Files went along with a prompt."""
    return _known(
        state, ((each.source, each.digest) for each in attachments if each.kind is AttachmentKind.FILE and each.digest)
    )


def _known(state: SessionState, files: Iterable[tuple[str, str]]) -> SessionState:
    known = {each.path: each for each in state.known_files}
    fresh: set[str] = set()
    for path, digest in files:
        known.pop(path, None)
        known[path] = KnownFile(path=path, digest=digest)
        fresh.add(path)
    if not fresh:
        return state
    return replace(
        state,
        known_files=tuple(known.values())[-_KNOWN:],
        stale_files=tuple(path for path in state.stale_files if path not in fresh),
        untold_stale=tuple(path for path in state.untold_stale if path not in fresh),
    )


def went_stale(state: SessionState, event: FilesWentStale) -> SessionState:
    """The state after a look at the disk. A prompt that was not sent yet takes the news along."""
    news = tuple(path for path in event.paths if path not in state.stale_files)
    waiting = tuple(path for path in state.untold_stale if path in event.paths)
    untold = (*waiting, *(path for path in news if path not in waiting))
    transcript = state.transcript
    at = None if state.answer is not None else _unanswered(transcript)
    entry = None if at is None else transcript[at]
    if untold and at is not None and isinstance(entry, PromptEntry):
        note = "\n".join(filter(None, (entry.note, stale_note(untold))))
        transcript = (*transcript[:at], replace(entry, note=note), *transcript[at + 1 :])
        untold = ()
    moved = state.revisions.moved(chat=1, status=1)
    return replace(state, stale_files=event.paths, untold_stale=untold, transcript=transcript, revisions=moved)


def stale_note(paths: tuple[str, ...]) -> str:
    """What the model is told; empty when there is no news."""
    if not paths:
        return ""
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return (
        f"files that you were shown have been changed since, by something else: {', '.join(paths[:_NAMED])}{more}. "
        "Read them again before you rely on them."
    )


def _unanswered(transcript: tuple[Entry, ...]) -> int | None:
    """Where the newest prompt stands, if no answer follows it."""
    for at in range(len(transcript) - 1, -1, -1):
        match transcript[at]:
            case PromptEntry():
                return at
            case AnswerEntry():
                return None
            case _:
                continue
    return None

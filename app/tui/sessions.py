"""What the screens may ask of all sessions on disk. Nothing here runs on the event loop; errors come in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..engine.archive import Hit, SessionRow
from ..engine.archive_views import Message
from ..engine.state import PromptEntry
from ..engine.transfer import Imported

EXPORT_SUFFIXES = {".md": "markdown", ".html": "html", ".jsonl": "jsonl"}
"""The form of an export by the ending of its file's name."""


class SessionsError(Exception):
    """It cannot be done; the message names the cause and the fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """Why the user interface was left: another session is to be shown."""

    folder: str
    session_id: str | None = None
    """None begins a new one."""
    model: str | None = None
    """The model to begin with, as ``provider/model``; None leaves it to the session or the settings."""


class Sessions(Protocol):
    """Every session on disk. Whatever returns a value may raise ``SessionsError``."""

    @property
    def current(self) -> str:
        """The id of the session on screen."""
        ...

    async def listed(self) -> Sequence[SessionRow]:
        """All sessions with a prompt, newest first."""
        ...

    async def search(self, text: str) -> Sequence[Hit]:
        """Sessions that hold all words of the text, best first; none when a newer search has begun meanwhile."""
        ...

    async def name(self) -> str:
        """What the person called the session on screen; empty for no name."""
        ...

    async def in_use(self) -> frozenset[str]:
        """The ids of sessions that a process has open now."""
        ...

    async def last_messages(self, session_id: str) -> Sequence[Message]:
        """The newest prompts and answers, oldest of them first."""
        ...

    async def prompts(self, session_id: str) -> Sequence[PromptEntry]:
        """The prompts a session can be forked at, oldest first."""
        ...

    async def rename(self, session_id: str, name: str) -> None:
        """Give a session a name; an empty one takes it away again."""
        ...

    async def remove(self, session_id: str) -> None:
        """Take a session out of every list, until it is restored or purged."""
        ...

    async def restore_last(self) -> SessionRow | None:
        """Bring back the session that was removed last and is not back yet; None when there is none."""
        ...

    async def fork(self, session_id: str, prompt: PromptEntry | None = None) -> str:
        """Copy a session, whole or up to a prompt, which then stands unsent in the copy. Returns the copy's id."""
        ...

    async def export(self, session_id: str, file: Path) -> None:
        """Write a session in the form that the file's name ends with (``EXPORT_SUFFIXES``); never over another file."""
        ...

    async def bring_in(self, file: Path) -> Imported:
        """Import an exported session under a new id."""
        ...

    async def draft(self) -> str:
        """What stood unsent in the prompt of the session on screen."""
        ...

    def keep_draft(self, text: str) -> None:
        """Keep what stands unsent now. Never blocks; a disk that refuses costs the draft, nothing else."""
        ...

    async def tidy(self) -> int:
        """Delete for good what the person's settings no longer keep. Returns how many sessions."""
        ...

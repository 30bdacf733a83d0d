"""What the prompt may become while it is being written: a file that is mentioned, a slash command, its argument."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ...tools.safe_text import safe_line
from .actions import Action, ActionTable, key_label
from .path_index import PathIndex

FRESH_S = 5.0
"""Names older than this are looked up again when the next mention begins; longer where looking takes long."""
_PAUSE = 10
"""A look is followed by a pause of this many times its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One thing the text may become."""

    text: str
    """What is put in."""
    title: str
    marks: tuple[int, ...] = ()
    """Characters of the title that fit what was typed."""
    detail: str = ""
    key: str = ""


class PathSource:
    """The names that can be mentioned: looked up off the screen's loop, and again when they may be out of date."""

    def __init__(
        self, files: Callable[[], Awaitable[Sequence[str]]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.index: PathIndex | None = None
        """None before the first look has ended."""
        self._files = files
        self._clock = clock
        self._due = 0.0
        self._looking: asyncio.Lock | None = None

    @property
    def stale(self) -> bool:
        """Whether the names should be looked up again."""
        return self.index is None or self._clock() >= self._due

    async def refresh(self) -> None:
        """Look the names up, unless that was done a moment ago."""
        self._looking = self._looking or asyncio.Lock()
        async with self._looking:
            if not self.stale:
                return
            began = self._clock()
            files = await self._files()
            self.index = await asyncio.to_thread(PathIndex, files)
            now = self._clock()
            self._due = now + max(FRESH_S, _PAUSE * (now - began))


def command_choices(table: ActionTable, text: str) -> tuple[Choice, ...]:
    """The slash commands that ``text``, a prompt of one word, may become."""
    return tuple(_command(action) for action in table.matching_commands(text))


def argument_choices(table: ActionTable, text: str, values: Callable[[str], Sequence[str]]) -> tuple[Choice, ...]:
    """What the argument of a slash command may become; ``values`` has the ones of an action."""
    found = table.parse_command(text) if " " in text and "\n" not in text else None
    if found is None or not found[0].argument:
        return ()
    action, typed = found
    wanted, known = typed.lower(), values(action.id)
    fits = [value for value in known if wanted in value.lower()] if typed not in known else []
    fits.sort(key=lambda value: not value.lower().startswith(wanted))
    return tuple(
        Choice(text=f"/{action.slash} {value}", title=safe_line(value), marks=_found(value, wanted)) for value in fits
    )


def _command(action: Action) -> Choice:
    argument = f" {action.argument}" if action.argument else ""
    return Choice(
        text=f"/{action.slash}{' ' if action.argument else ''}",
        title=f"/{action.slash}{argument}",
        detail=action.title,
        key=key_label(action.keys[0]) if action.keys else "",
    )


def _found(value: str, wanted: str) -> tuple[int, ...]:
    at = value.lower().find(wanted)
    return tuple(range(at, at + len(wanted))) if at >= 0 else ()

"""Instructions of sub-folders: AGENTS.md (CLAUDE.md where there is none) between the working folder and a file.

They count only in a trusted folder and are read when a tool touches a file there. A repository inside it, and what the
project ignores (dependencies, most of the time), is somebody else's: what stands there says nothing here.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..tools.ignores import IgnoreFile, ignored
from ..tools.project_files import ignore_file
from ..tools.safe_text import safe_line
from .engine.folder_instructions import Nested
from .folder_config import INSTRUCTIONS
from .instructions import READ_BYTES, FoundInstructions, bounded
from .plain_file import read_plain_file
from .trust import FolderTrust


class NestedInstructions:
    """Looks below one working folder."""

    def __init__(self, folder: Path, trust: FolderTrust | None) -> None:
        """``trust`` says how the folder stands; None when nothing is known of it, and then nothing counts."""
        self._folder = Path(os.path.realpath(folder))
        self._trust = trust

    def find(self, paths: Sequence[str]) -> Nested:
        """What counts for these files (relative to the folder), outermost first. Never raises."""
        trust = self._trust
        if trust is None:
            return Nested()
        found: list[FoundInstructions] = []
        remarks: list[str] = []
        for place in self._places(paths):
            for file in self._of_place(place):
                name = safe_line(file.relative_to(self._folder).as_posix())
                if not trust.standing.counts:
                    remarks.append(f"The model is not told {name}: this folder is not trusted. /trust changes that.")
                    break
                try:
                    content = self._read(file)
                except (OSError, ValueError) as error:
                    problem = (error.strerror if isinstance(error, OSError) else None) or str(error)
                    remarks.append(f"{name} was not read: {safe_line(problem)}.")
                    continue
                found.append(FoundInstructions(path=name, content=content))
                break
        return Nested(files=bounded(found, remarks), remarks=tuple(remarks))

    def _places(self, paths: Sequence[str]) -> list[Path]:
        """The folders between the working folder and the files, each once, outermost first."""
        found: dict[Path, None] = {}
        for path in paths:
            for place in self._above(path):
                found.setdefault(place)
        return sorted(found, key=lambda place: len(place.parts))

    def _above(self, path: str) -> list[Path]:
        """The folders of one file below the working folder, outermost first, up to where somebody else's begin."""
        try:
            holder = Path(os.path.realpath(self._folder / path)).parent
            below = holder.relative_to(self._folder)
        except (OSError, ValueError):  # elsewhere, or no name that a file can have
            return []
        places: list[Path] = []
        place = self._folder
        for part in below.parts:
            place = place / part
            if os.path.lexists(place / ".git") or self._is_ignored(place):
                break
            places.append(place)
        return places

    def _is_ignored(self, place: Path) -> bool:
        files: list[tuple[str, IgnoreFile]] = []
        above = [each for each in reversed(place.parents) if each.is_relative_to(self._folder)]
        for each in above:
            if (patterns := _patterns(each)) is not None:
                prefix = "" if each == self._folder else f"{each.relative_to(self._folder).as_posix()}/"
                files.append((prefix, patterns))
        return ignored(place.relative_to(self._folder).as_posix(), files, folder=True)

    def _of_place(self, place: Path) -> Iterator[Path]:
        return (place / name for name in INSTRUCTIONS if os.path.lexists(place / name))

    def _read(self, file: Path) -> bytes:
        """Raises ``OSError`` also for a link out of the working folder."""
        real = Path(os.path.realpath(file))
        if not real.is_relative_to(self._folder):
            raise OSError(0, "is a link out of the folder")
        return read_plain_file(real, READ_BYTES, follow=False)


def _patterns(folder: Path) -> IgnoreFile | None:
    """What a folder's ``.gitignore`` says; None when it says nothing."""
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        return ignore_file(opened, ".gitignore")
    finally:
        os.close(opened)

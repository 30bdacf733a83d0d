"""The files of a workspace by name, for completing a mention and for listing a folder that was mentioned.

In a trusted folder git says which files count, as for ``glob``. Elsewhere no program may start: names are walked here
and ``.gitignore`` files are obeyed without git. Symbolic links are neither listed nor followed.
"""

import asyncio
import os
import stat
from pathlib import Path

from .ignores import IgnoreFile
from .project_files import counts, ignore_file
from .tool import ToolContext
from .walk import files_below
from .workspace import Place

MOST_FILES = 200_000
_DEEPEST = 64
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


async def files_of(place: Place, context: ToolContext) -> list[str]:
    """Regular files below a folder, relative to it, sorted, without what the project ignores."""
    if context.may_start_programs and place.inside and await asyncio.to_thread(_in_repository, place.real):
        return await files_below(place, context)
    return await asyncio.to_thread(walked, place.real)


def walked(root: Path, *, most: int = MOST_FILES) -> list[str]:
    """The same without git: only ``.gitignore`` files at and below ``root`` are obeyed. Never raises."""
    walk = _Walk(most)
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        exclude = ignore_file(descriptor, ".git/info/exclude")
        walk.folder(descriptor, "", [("", exclude)] if exclude else [], 0)
    finally:
        os.close(descriptor)
    return sorted(walk.found)


class _Walk:
    """One look over a tree of folders."""

    def __init__(self, most: int) -> None:
        self.found: list[str] = []
        self._most = most

    def folder(self, descriptor: int, prefix: str, files: list[tuple[str, IgnoreFile]], depth: int) -> None:
        """Take in a folder and what is below it."""
        own = ignore_file(descriptor, ".gitignore")
        files = [*files, (prefix, own)] if own else files
        try:
            below = self._names(descriptor, prefix, files)
        except OSError:  # gone while we looked
            return
        if depth == _DEEPEST:
            return
        for name in below:
            try:
                inner = os.open(name, _FOLDER, dir_fd=descriptor)
            except OSError:  # closed to us, or gone
                continue
            try:
                self.folder(inner, f"{prefix}{name}/", files, depth + 1)
            finally:
                os.close(inner)

    def _names(self, descriptor: int, prefix: str, files: list[tuple[str, IgnoreFile]]) -> list[str]:
        """Take in the files of a folder; returns its sub-folders that count."""
        below: list[str] = []
        with os.scandir(descriptor) as names:
            for entry in names:
                if len(self.found) >= self._most:
                    return []
                if not counts(entry, prefix + entry.name, files):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    self.found.append(prefix + entry.name)
        return below


def _in_repository(folder: Path) -> bool:
    """Whether there is a repository around the folder for git to ask."""
    return any(_is_repository(each / ".git") for each in (folder, *folder.parents))


def _is_repository(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode) or stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False

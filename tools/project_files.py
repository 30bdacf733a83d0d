"""What does not count as a project's own: folders of version control and package tools, and what is ignored."""

import os

from .ignores import IgnoreFile, ignored
from .opening import read_file

PASSED_OVER = frozenset(
    (
        ".git",
        ".hg",
        ".svn",
        ".jj",
        "node_modules",
        ".venv",
        "venv",
        "__pycache__",
        ".tox",
        ".nox",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
    )
)
"""Folders that are never walked: other programs fill them, and can fill them again."""
_IGNORE_FILE_BYTES = 1_000_000


def counts(entry: os.DirEntry[str], path: str, files: list[tuple[str, IgnoreFile]]) -> bool:
    """Whether a name is the project's own. ``files`` are the ignore files above it, see ``ignores.ignored``."""
    folder = entry.is_dir(follow_symlinks=False)
    if entry.name == ".git" or (folder and entry.name in PASSED_OVER):
        return False
    return not ignored(path, files, folder=folder)


def ignore_file(folder: int, name: str) -> IgnoreFile | None:
    """The patterns of a file in an open folder; None when there is none, or nothing of a sane size."""
    try:
        content = read_file(folder, name, _IGNORE_FILE_BYTES)
    except OSError:
        return None
    return None if content is None else IgnoreFile(content.decode("utf-8", "surrogateescape"))

"""The branch checked out in a folder, read from git's own files: no process is started for a header line."""

from pathlib import Path

from ...tools.safe_text import safe_line
from ..plain_file import read_plain_file

SHORT_HASH = 8
_MOST_BYTES = 4096


def git_branch(folder: Path) -> str:
    """The branch name, a short commit id when none is checked out, or nothing outside a repository."""
    git = _git_folder(folder)
    if git is None:
        return ""
    head = _first_line(git / "HEAD")
    name = head.removeprefix("ref: refs/heads/") if head.startswith("ref: ") else head[:SHORT_HASH]
    return safe_line(name)


def _git_folder(folder: Path) -> Path | None:
    """``.git`` of the folder or of a parent; in a worktree it is a file that points elsewhere."""
    for candidate in (folder, *folder.parents):
        git = candidate / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            target = _first_line(git).removeprefix("gitdir: ")
            return (candidate / target) if target else None
    return None


def _first_line(file: Path) -> str:
    """The first line of a small file; nothing from anything else. The folder may be anybody's: a pipe would wait."""
    try:
        content = read_plain_file(file, _MOST_BYTES)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return ""
    return content.decode("utf-8", "replace").strip().partition("\n")[0]

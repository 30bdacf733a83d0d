"""The branch checked out in a folder, read from git's own files: no process is started for a header line."""

from pathlib import Path

from ...tools.safe_text import safe_line

SHORT_HASH = 8


def git_branch(folder: Path) -> str:
    """The branch name, a short commit id when none is checked out, or nothing outside a repository."""
    git = _git_folder(folder)
    if git is None:
        return ""
    try:
        head = (git / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    name = head.removeprefix("ref: refs/heads/") if head.startswith("ref: ") else head[:SHORT_HASH]
    return safe_line(name)


def _git_folder(folder: Path) -> Path | None:
    """``.git`` of the folder or of a parent; in a worktree it is a file that points elsewhere."""
    for candidate in (folder, *folder.parents):
        git = candidate / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            try:
                target = git.read_text(encoding="utf-8", errors="replace").strip().removeprefix("gitdir: ")
            except OSError:
                return None
            return (candidate / target) if target else None
    return None

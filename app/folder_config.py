"""What a folder brings along that would steer this program: settings, instructions, servers, skills.

Everything is found by name and read once, as bytes, so that what a person trusts is what is used: whoever needs
such a file takes its content from here and never opens it again. Nothing is obeyed here, and no process starts.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .plain_file import read_plain_file

INSTRUCTIONS = ("AGENTS.md", "CLAUDE.md")
"""What the model is told: also looked for above a folder that is in no repository, below the home folder."""
FILES = ("AGENTS.md", "CLAUDE.md", ".mcp.json")
"""Instructions and servers, in the folder and in each parent up to the root of its repository."""
FOLDERS = (".patchbay", ".agents")
"""Settings, hooks and skills: everything below them, in the same places."""
PROJECT_SETTINGS = ".patchbay/config.toml"
MAX_FILE_BYTES = 1_000_000
"""A larger file is never read as configuration."""
MAX_FILES = 500
"""Of one configuration; a folder with more cannot be trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigItem:
    """One file that would steer this program."""

    name: str
    """Relative to the root, with forward slashes."""
    digest: str
    """Of its content, or of what stands in its place."""
    content: bytes | None
    """None when it is never read; then ``problem`` says why."""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderConfig:
    """The configuration of one folder, as it was at one moment."""

    root: Path
    """The folder trust belongs to: the real path of the repository, or of the folder where there is none."""
    folder: Path
    """The real path of the folder that was looked at."""
    items: tuple[ConfigItem, ...]
    complete: bool = True
    """False when there is more than anybody would look through."""
    outer: tuple[Path, ...] = ()
    """Folders above a root that is no repository, the nearest first; of these only the instructions count."""

    def digests(self) -> dict[str, str]:
        """What each file holds, by its name."""
        return {item.name: item.digest for item in self.items}

    def content(self, name: str) -> bytes | None:
        """A file by its name relative to ``folder``; None when it is missing or never read."""
        wanted = _relative(self.folder / name, self.root)
        return next((item.content for item in self.items if item.name == wanted), None)

    def by_place(self, names: tuple[str, ...]) -> Iterator[tuple[ConfigItem, ...]]:
        """The files of these names, place by place from the outermost to ``folder``, in the order of ``names``."""
        for place in reversed([*_places(self.folder, self.root), *self.outer]):
            wanted = [_relative(place / name, self.root) for name in names]
            found = {item.name: item for item in self.items if item.name in wanted}
            if found:
                yield tuple(found[name] for name in wanted if name in found)

    def covers(self, name: str) -> bool:
        """Whether a file of this name, relative to the root, would have been found if it were there."""
        if any(_relative(place / each, self.root) == name for place in self.outer for each in INSTRUCTIONS):
            return True
        return any(
            _relative(place / each, self.root) == name or name.startswith(_relative(place / each, self.root) + "/")
            for place in _places(self.folder, self.root)
            for each in (*FILES, *FOLDERS)
        )


def trust_root(folder: Path, home: Path) -> Path:
    """The folder whose trust counts for work in ``folder``.

    That is the innermost repository around it, by its ``.git``, else the folder itself; always the real path. A
    home folder, and what lies above it, is no repository that others share: dotfiles are kept in such ones.
    """
    real = Path(os.path.realpath(folder))
    for candidate in (real, *real.parents):
        if is_wide(candidate, home):
            break
        if os.path.lexists(candidate / ".git"):
            return candidate
    return real


def is_wide(folder: Path, home: Path) -> bool:
    """Whether a folder holds everything a person has: the home folder, one above it, or ``/``."""
    return Path(os.path.realpath(home)).is_relative_to(folder) or folder == folder.parent


def look_at(folder: Path, home: Path) -> FolderConfig:
    """Find and read the configuration of a folder. Never raises, never waits, starts nothing."""
    real = Path(os.path.realpath(folder))
    root = trust_root(real, home)
    outer = _outer(root, home)
    items = [_item(place / name, root) for place in outer for name in INSTRUCTIONS if os.path.lexists(place / name)]
    for path in _found(real, root):
        if len(items) == MAX_FILES:
            return FolderConfig(root=root, folder=real, items=tuple(items), complete=False, outer=outer)
        items.append(_item(path, root))
    return FolderConfig(root=root, folder=real, items=tuple(items), outer=outer)


def _outer(root: Path, home: Path) -> tuple[Path, ...]:
    """The folders between a root that is no repository and the home folder, the nearest first."""
    real_home = Path(os.path.realpath(home))
    if os.path.lexists(root / ".git") or not root.is_relative_to(real_home):
        return ()
    return tuple(place for place in root.parents if place != real_home and place.is_relative_to(real_home))


def _places(folder: Path, root: Path) -> Iterator[Path]:
    """The folder and its parents, up to the root."""
    for place in (folder, *folder.parents):
        yield place
        if place == root:
            return


def _found(folder: Path, root: Path) -> Iterator[Path]:
    for place in _places(folder, root):
        for name in FILES:
            if os.path.lexists(place / name):
                yield place / name
        for name in FOLDERS:
            yield from _below(place / name)


def _below(path: Path) -> Iterator[Path]:
    """Every file below a folder, sorted; the path itself when it is a file or a link. Links are not entered."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    if not stat.S_ISDIR(mode):
        yield path
        return
    try:
        names = sorted(os.listdir(path))
    except OSError:
        yield path
        return
    for name in names:
        yield from _below(path / name)


def _item(path: Path, root: Path) -> ConfigItem:
    name = _relative(path, root)
    try:
        target = _target(path, root)
        content = read_plain_file(Path(os.path.realpath(path)), MAX_FILE_BYTES, follow=False)
    except (OSError, ValueError) as error:
        problem = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return ConfigItem(name=name, digest=_digest(f"not read: {problem}".encode()), content=None, problem=problem)
    return ConfigItem(name=name, digest=_digest(target + content), content=content)


def _target(path: Path, root: Path) -> bytes:
    """Where a link leads, as part of what is trusted. Raises ``OSError`` for one that leaves the root."""
    if not path.is_symlink():
        return b""
    target = os.readlink(path)
    if not Path(os.path.realpath(path)).is_relative_to(root):
        raise OSError(0, f"is a link out of the folder, to {target}")
    return b"link to " + os.fsencode(target) + b"\0"


def _relative(path: Path, root: Path) -> str:
    """The name of a path, from the root; above it with ``..``."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else os.path.relpath(path, root)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

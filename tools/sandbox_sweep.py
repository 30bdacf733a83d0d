"""Protected names of a workspace, before and after a command: what appeared is taken away, what changed is put back.

The kernel can forbid to write to what exists, but not to make a certain name in a folder that is otherwise free;
and Landlock alone cannot make an exception inside a folder either. So once nothing of a command runs any more,
its workspace is compared with what was there before. Nothing is lost: what is taken away is kept in a folder.
"""

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .sandbox_paths import is_protected, protected_in_git

_FILE_BYTES = 1_000_000
_FILES = 500
"""The most files of protected folders whose content is remembered."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """One file, folder or link as it was; ``content`` is None when only its state was remembered."""

    mode: int
    content: bytes | None
    state: tuple[int, int]


class Sweep:
    """The protected names at the top of a workspace and in its git folders.

    ``fixed`` says that the kernel keeps existing ones as they are, so that only new ones need a look.
    """

    def __init__(self, root: Path, git_folders: Iterable[Path], *, taken: Path, fixed: bool) -> None:
        self._root = root
        self._git = [git for git in (root / ".git", *git_folders) if git.is_dir() and not git.is_symlink()]
        self._taken = taken
        self._fixed = fixed
        self._before = dict(self._look())

    def found(self) -> frozenset[str]:
        """The paths of all protected names when this was made."""
        return frozenset(self._before)

    def settle(self, expected: frozenset[str] = frozenset()) -> list[str]:
        """Undo what was done to protected names; a sentence for each. ``expected`` were changed by somebody else."""
        said: list[str] = []
        now = dict(self._look())
        for path in sorted(now.keys() - self._before.keys(), key=len):
            if path not in expected and os.path.lexists(path):
                said.append(self._take(path))
        if not self._fixed:
            for path, kept in sorted(self._before.items()):
                if path not in expected and now.get(path) != kept:
                    said.append(self._put_back(path, kept))
        return said

    def _look(self) -> Iterator[tuple[str, _Kept]]:
        room = [_FILES]
        for path in self._names():
            yield from self._remembered(path, room)

    def _names(self) -> Iterator[Path]:
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(self._root)):
                if is_protected(name) and (self._root / name) not in self._git:
                    yield self._root / name
        for git in self._git:
            yield from (path for path in protected_in_git(git) if os.path.lexists(path))

    def _remembered(self, path: Path, room: list[int]) -> Iterator[tuple[str, _Kept]]:
        try:
            status = os.lstat(path)
        except OSError:
            return
        room[0] -= 1
        content: bytes | None = None
        with contextlib.suppress(OSError):
            if stat.S_ISLNK(status.st_mode):
                content = os.fsencode(os.readlink(path))
            elif stat.S_ISREG(status.st_mode) and not self._fixed and status.st_size <= _FILE_BYTES and room[0] > 0:
                content = path.read_bytes()
        folder = stat.S_ISDIR(status.st_mode)
        state = (0, 0) if folder or content is not None or self._fixed else (status.st_size, status.st_mtime_ns)
        yield os.fspath(path), _Kept(status.st_mode, content, state)
        if folder and room[0] > 0:
            with contextlib.suppress(OSError):
                for name in sorted(os.listdir(path)):
                    yield from self._remembered(path / name, room)

    def _take(self, path: str) -> str:
        shown = self._shown(path)
        try:
            place = self._away(path)
        except OSError as error:
            return f"{shown} is a protected name that the command made; it could not be removed: {error.strerror}."
        return f"{shown} is a protected name: what the command made there was moved to {place}."

    def _away(self, path: str) -> Path:
        self._taken.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = self._taken / f"{os.urandom(4).hex()}-{os.path.basename(path).lstrip('.')}"
        shutil.move(path, place)
        return place

    def _put_back(self, path: str, kept: _Kept) -> str:
        shown = self._shown(path)
        try:
            still_folder = stat.S_ISDIR(kept.mode) and os.path.isdir(path) and not os.path.islink(path)
            if os.path.lexists(path) and not still_folder:
                self._away(path)
            _make(path, kept)
        except OSError as error:
            return f"{shown} is a protected name that the command changed; it could not be put back: {error.strerror}."
        return f"{shown} is a protected name: what the command changed there was undone (its version: {self._taken})."

    def _shown(self, path: str) -> str:
        return os.path.relpath(path, self._root) if path.startswith(f"{self._root}/") else path


def _make(path: str, kept: _Kept) -> None:
    """Make a file, folder or link as it was. Raises ``OSError`` when its content is not known."""
    if stat.S_ISDIR(kept.mode):
        os.makedirs(path, exist_ok=True)
    elif kept.content is None:
        raise OSError(0, "its content is not known")
    elif stat.S_ISLNK(kept.mode):
        os.symlink(os.fsdecode(kept.content), path)
        return
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(kept.content)
    os.chmod(path, stat.S_IMODE(kept.mode))

"""Opens folders and files component by component without following any symbolic link.

A path that was resolved and judged is opened here: a link that has appeared since then is refused by the
kernel, not followed.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Generator
from pathlib import Path

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Flags for every file: no link followed, no waiting for the other end of a pipe."""


@contextlib.contextmanager
def opened_parent(path: Path) -> Generator[int]:
    """A descriptor of the folder that holds ``path``. Raises ``OSError``."""
    parent = open_parent(path, made=None)
    try:
        yield parent
    finally:
        os.close(parent)


def open_parent(path: Path, *, made: list[Path] | None) -> int:
    """A descriptor of the folder that holds ``path``, for the caller to close. Raises ``OSError``.

    With a list, missing folders are made and added to it, the outermost first.
    """
    here = os.open("/", _FOLDER)
    reached = Path("/")
    try:
        for part in path.parent.parts[1:]:
            reached /= part
            if made is not None:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=here)
                    made.append(reached)
            below = os.open(part, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
    except BaseException:
        os.close(here)
        raise
    return here


def read_file(parent: int, name: str, limit: int) -> bytes | None:
    """The content of a regular file; None when it is longer than ``limit`` bytes. Raises ``OSError``."""
    descriptor = os.open(name or ".", os.O_RDONLY | FILE, dir_fd=parent)
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "neither a file nor a folder")
        data = file.read(limit + 1)
    return data if len(data) <= limit else None

"""Looks at a database file that SQLite has open in this process.

POSIX drops every lock of a process on a file as soon as the process closes any descriptor of it. A look that opens and
closes the file would take SQLite's locks away: another process would believe itself alone and delete the journal. So
the descriptor of a probe stays open as long as anything else in this process has the file open.
"""

import os
from collections.abc import Iterator
from pathlib import Path

_MAGIC = b"SQLite format 3\0"
_CHUNK = 1 << 20
_kept: list[int] = []
"""Descriptors that could not be closed yet."""


class FileProbe:
    """One file, whatever becomes of its name."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when there is no such file."""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def stands_at(self, path: Path) -> bool:
        """Whether the path still leads to this file."""
        try:
            there = os.stat(path)
        except OSError:
            return False
        mine = os.fstat(self._descriptor)
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def is_database(self) -> bool:
        """Whether it begins like a SQLite database."""
        try:
            return os.pread(self._descriptor, len(_MAGIC), 0) == _MAGIC
        except OSError:
            return False

    def chunks(self) -> Iterator[bytes]:
        """All of its bytes. Raises OSError."""
        offset = 0
        while piece := os.pread(self._descriptor, _CHUNK, offset):
            yield piece
            offset += len(piece)

    def close(self) -> None:
        """Give the descriptor up, now or when nothing else in this process has the file open."""
        _kept.append(self._descriptor)
        _kept[:] = [descriptor for descriptor in _kept if not _given_up(descriptor)]


def _given_up(descriptor: int) -> bool:
    """Close a descriptor if no other one leads to the same file but those that wait for the same. True when done."""
    mine = os.fstat(descriptor)
    for name in os.listdir("/dev/fd"):
        other = int(name)
        if other in _kept:
            continue
        try:
            found = os.fstat(other)
        except OSError:  # the listing's own
            continue
        if (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino):
            return False
    os.close(descriptor)
    return True

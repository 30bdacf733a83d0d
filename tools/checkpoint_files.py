"""Looks at single paths and puts single paths back, for checkpoints; folders above are reached without following links.

Putting back is atomic for files and symbolic links: the new one is made beside the old one and renamed over it.
"""

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

from .checkpoint_snapshots import ABSENT, Kind, Snapshot
from .opening import FILE, open_parent, opened_parent, read_file

MOST_BYTES: Final = 64_000_000
"""Larger files are never read for checkpoints."""
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)

Keep = Callable[[bytes], str]
"""Takes a content and returns its digest."""


def digest_only(content: bytes) -> str:
    """The digest of a content that need not be kept."""
    return hashlib.sha256(content).hexdigest()


def look(path: Path, keep: Keep = digest_only, *, limit: int = MOST_BYTES) -> Snapshot:
    """What is at ``path``; contents up to ``limit`` bytes go through ``keep``. Nothing raises but ``keep``."""
    try:
        with opened_parent(path) as parent:
            return look_in(parent, path.name, keep, limit=limit)
    except OSError as error:
        return ABSENT if error.errno in _GONE else _unread(error)


def look_in(folder: int, name: str, keep: Keep = digest_only, *, limit: int = MOST_BYTES) -> Snapshot:
    """What is called ``name`` in the folder with this descriptor. Raises ``OSError`` for the folder only."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        return ABSENT if error.errno in _GONE else _unread(error)
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        return Snapshot(kind=Kind.FOLDER, mode=mode)
    if stat.S_ISLNK(status.st_mode):
        return Snapshot(kind=Kind.LINK, target=os.readlink(name, dir_fd=folder))
    if not stat.S_ISREG(status.st_mode):
        return Snapshot(kind=Kind.OTHER, why="a pipe, socket or device")
    content, why = None, f"{in_bytes(status.st_size)}"
    if status.st_size <= limit:
        try:
            content = read_file(folder, name, limit)
        except OSError as error:
            why = (error.strerror or "cannot be read").lower()
    return file_snapshot(status, "" if content is None else keep(content), why)


def file_snapshot(status: os.stat_result, digest: str, why: str) -> Snapshot:
    """A regular file as a snapshot; ``why`` counts only without a digest."""
    return Snapshot(
        kind=Kind.FILE,
        mode=stat.S_IMODE(status.st_mode),
        digest=digest,
        size=status.st_size,
        link=status.st_ino if status.st_nlink > 1 else 0,
        stamp="" if digest else f"{status.st_mtime_ns}-{status.st_ino}",
        why="" if digest else why,
    )


def _unread(error: OSError) -> Snapshot:
    return Snapshot(kind=Kind.OTHER, why=(error.strerror or "cannot be reached").lower())


def in_bytes(size: int) -> str:
    """A size for people: ``80 MB``."""
    for unit, step in (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)):
        if size >= step:
            return f"{size / step:.0f} {unit}" if size >= 10 * step else f"{size / step:.1f} {unit}"
    return f"{size} bytes"


def put_file(path: Path, content: bytes, mode: int, *, beside: str) -> None:
    """Put a file at ``path`` in place of whatever file or link is there; ``beside`` names the temporary one.

    Raises ``OSError``; then what was there is still there.
    """
    with _writable_parent(path) as parent:
        _discard(parent, beside)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FILE, 0o600, dir_fd=parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                _keep_owner(parent, path.name, descriptor)
                file.write(content)
                file.flush()
                os.fchmod(descriptor, mode)
                os.fsync(descriptor)
            os.rename(beside, path.name, src_dir_fd=parent, dst_dir_fd=parent)
        except OSError:
            _discard(parent, beside)
            raise


def put_name(path: Path, existing: Path, *, beside: str) -> None:
    """Make ``path`` another name of the file ``existing`` (a hard link). Raises ``OSError``."""
    with _writable_parent(path) as parent, opened_parent(existing) as source:
        _discard(parent, beside)
        os.link(existing.name, beside, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        os.rename(beside, path.name, src_dir_fd=parent, dst_dir_fd=parent)
        _discard(parent, beside)  # renaming onto another name of the same file does nothing


def put_link(path: Path, target: str, *, beside: str) -> None:
    """Put a symbolic link at ``path`` in place of whatever file or link is there. Raises ``OSError``."""
    with _writable_parent(path) as parent:
        _discard(parent, beside)
        os.symlink(target, beside, dir_fd=parent)
        os.rename(beside, path.name, src_dir_fd=parent, dst_dir_fd=parent)


def put_folder(path: Path, mode: int) -> None:
    """Make a folder, or give an existing one this mode. Raises ``OSError``."""
    with _writable_parent(path) as parent:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path.name, 0o700, dir_fd=parent)
        if not stat.S_ISDIR(os.stat(path.name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        os.chmod(path.name, mode, dir_fd=parent)


def remove(path: Path) -> None:
    """Remove a file, a link or an empty folder; nothing there is fine. Raises ``OSError``."""
    try:
        with _writable_parent(path, make=False) as parent:
            status = os.stat(path.name, dir_fd=parent, follow_symlinks=False)
            (os.rmdir if stat.S_ISDIR(status.st_mode) else os.unlink)(path.name, dir_fd=parent)
    except FileNotFoundError:
        return


def discard(path: Path, name: str) -> None:
    """Remove the temporary file ``name`` beside ``path``, if it is there. Never raises."""
    with contextlib.suppress(OSError), opened_parent(path) as parent:
        _discard(parent, name)


def _discard(folder: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _keep_owner(folder: int, name: str, descriptor: int) -> None:
    with contextlib.suppress(OSError):  # only root may give files away; the content matters more
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, status.st_uid, status.st_gid)


@contextlib.contextmanager
def _writable_parent(path: Path, *, make: bool = True) -> Generator[int]:
    """The folder of ``path``, made when it is missing; one that is closed to writing is opened for the moment."""
    parent = open_parent(path, made=[] if make else None)
    closed: int | None = None
    try:
        mode = stat.S_IMODE(os.stat(".", dir_fd=parent).st_mode)
        if mode & 0o300 != 0o300 and os.geteuid() != 0:
            with contextlib.suppress(OSError):
                os.chmod(".", mode | 0o300, dir_fd=parent)
                closed = mode
        try:
            yield parent
        finally:
            if closed is not None:
                os.chmod(".", closed, dir_fd=parent)
        _flush(parent)
    finally:
        os.close(parent)


def _flush(folder: int) -> None:
    """Make sure that the names in a folder are on the disk."""
    with contextlib.suppress(OSError):  # one that may not be read cannot be flushed
        descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

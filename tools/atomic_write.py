"""Writes, creates and deletes several files: all of them, or none.

First every file is checked to be as expected, then every new content is written beside its file and flushed to
the disk, and only then are the files exchanged, each by one rename. When one exchange fails, those before it
are taken back; what was made for them (files, folders) goes again.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .opening import FILE, open_parent, read_file


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWrite:
    """One file's content before and after; None means that there is no file."""

    path: Path
    """Absolute, without links."""
    before: bytes | None
    after: bytes | None
    like: Path | None = None
    """The file whose mode a new one takes over."""


class WriteFailed(Exception):
    """One of the writes could not be done; every file is as it was."""

    def __init__(self, index: int, error: OSError) -> None:
        super().__init__(f"write {index}: {error}")
        self.index = index
        """Which of the writes."""
        self.error = error


def write_all(writes: Sequence[FileWrite]) -> None:
    """Carry out all writes, or none. Raises ``WriteFailed``; then every file and folder is as it was.

    A file that is replaced keeps its mode and owner; one with several hard links is overwritten in place, so
    that it keeps them. Missing folders are made. Two writes must not name the same path.
    """
    made: list[Path] = []
    staged = [_Staged(write) for write in writes]
    try:
        _each(staged, lambda stage: stage.open(made))
        _each(staged, _Staged.prepare)
        _each(staged, _Staged.exchange)
    except BaseException:
        for stage in reversed(staged):
            stage.take_back()
        _remove_folders(made)
        raise
    else:
        for stage in staged:
            stage.settle()
    finally:
        for stage in staged:
            stage.close()


def _each(staged: list["_Staged"], step: Callable[["_Staged"], None]) -> None:
    for index, stage in enumerate(staged):
        try:
            step(stage)
        except OSError as error:
            raise WriteFailed(index, error) from error


class _Staged:
    """One write on its way. ``exchange`` leaves in ``_undo`` what takes it back."""

    def __init__(self, write: FileWrite) -> None:
        self._write = write
        self._name = write.path.name
        self._beside = f".patchbay-{secrets.token_hex(8)}"
        self._kept = f".patchbay-{secrets.token_hex(8)}"
        self._undo: Callable[[], None] | None = None
        self._parent = -1

    def open(self, made: list[Path]) -> None:
        """Open the folder; one that is missing for a new file is made, and added to ``made``."""
        creates = self._write.before is None and self._write.after is not None
        self._parent = open_parent(self._write.path, made=made if creates else None)

    def prepare(self) -> None:
        """Check the file and write the new content beside it. Changes nothing that anyone else looks at."""
        status = self._checked()
        if self._write.after is None or (status is not None and status.st_nlink > 1):
            return
        try:
            descriptor = os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FILE, 0o666, dir_fd=self._parent)
        except PermissionError:
            if status is None:
                raise
            return  # the folder may be closed while the file is not: it is overwritten then
        with os.fdopen(descriptor, "wb") as file:
            self._give_mode(descriptor, status)
            file.write(self._write.after)
            file.flush()
            os.fsync(descriptor)

    def exchange(self) -> None:
        """Put the new content in the place of the old one."""
        if self._write.before is not None:
            self._checked()  # the time since the first check is the time it took to write all the others
        match self._write.before, self._write.after:
            case None, None:
                return
            case None, _:
                self._create()
            case _, None:
                self._delete()
            case before, after if self._has(self._beside):
                self._replace()
            case before, after:
                self._undo = lambda: self._overwrite(before)
                self._overwrite(after)

    def take_back(self) -> None:
        """Undo ``exchange`` and ``prepare``, as far as they got. A step that fails does not keep others from it."""
        if self._parent < 0:
            return
        if self._undo is not None:
            with contextlib.suppress(OSError):
                self._undo()
        self._unlink_temporaries()

    def settle(self) -> None:
        """All is done: forget how to take it back, and make sure that the names are on the disk."""
        self._unlink_temporaries()
        with contextlib.suppress(OSError):  # a folder that may be entered but not read cannot be flushed
            folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._parent)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def close(self) -> None:
        """Let go of the folder."""
        if self._parent >= 0:
            os.close(self._parent)

    def _checked(self) -> os.stat_result | None:
        """The state of the file, None when there is none. Raises ``OSError`` when it is not as expected."""
        before = self._write.before
        if before is None:
            if self._has(self._name):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            return None
        if read_file(self._parent, self._name, len(before)) != before:
            raise OSError(errno.ESTALE, "changed")
        status = os.stat(self._name, dir_fd=self._parent, follow_symlinks=False)
        if not status.st_mode & 0o222:
            raise PermissionError(errno.EACCES, "read-only file (chmod u+w to allow it)")
        return status

    def _unlink_temporaries(self) -> None:
        for name in (self._beside, self._kept):
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=self._parent)

    def _has(self, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self._parent, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def _give_mode(self, descriptor: int, status: os.stat_result | None) -> None:
        if status is None and self._write.like is not None:
            status = os.stat(self._write.like, follow_symlinks=False)
        if status is None:
            return
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            with contextlib.suppress(OSError):  # only root may give files away; the content matters more
                os.fchown(descriptor, status.st_uid, status.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode))

    def _create(self) -> None:
        """A second name and not a rename: it fails where a file has appeared in the meantime."""
        try:
            os.link(self._beside, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if self._has(self._name):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
            os.rename(self._beside, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
        self._undo = lambda: os.unlink(self._name, dir_fd=self._parent)

    def _delete(self) -> None:
        os.rename(self._name, self._kept, src_dir_fd=self._parent, dst_dir_fd=self._parent)
        self._undo = self._restore

    def _replace(self) -> None:
        """Rename over the old file, which keeps a second name until all is done."""
        try:
            os.link(self._name, self._kept, src_dir_fd=self._parent, dst_dir_fd=self._parent, follow_symlinks=False)
        except OSError:  # a file system without hard links: the old content goes back into the new file
            os.rename(self._beside, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
            self._undo = lambda: self._overwrite(self._write.before)
        else:
            os.rename(self._beside, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
            self._undo = self._restore

    def _restore(self) -> None:
        os.rename(self._kept, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent)

    def _overwrite(self, content: bytes | None) -> None:
        descriptor = os.open(self._name, os.O_WRONLY | FILE, dir_fd=self._parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content or b"")
            file.truncate()
            file.flush()
            os.fsync(descriptor)


def _remove_folders(made: list[Path]) -> None:
    """Only empty ones go: what somebody else has put there in the meantime stays."""
    for folder in reversed(made):
        with contextlib.suppress(OSError):
            folder.rmdir()

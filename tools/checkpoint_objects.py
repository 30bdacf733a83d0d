"""Contents of files by their digest, on disk: written once, shared by all sessions, checked when they are read.

An object is the zlib-compressed content in ``<folder>/<first two hex digits>/<the others>``. Writing one is a
temporary file and a rename, so that a name always stands for a whole content. Flushing to the disk costs
milliseconds each and is left to ``seal``, which is called for the few contents that something refers to.
"""

import contextlib
import hashlib
import os
import secrets
import zlib
from pathlib import Path

_LEVEL = 1
"""Fast: contents are small, and most of them are never read again."""


class MissingObject(Exception):
    """A content is not in the store, or not as it was put there."""


class ObjectStore:
    """The contents. Raises ``OSError`` when the disk refuses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes) -> str:
        """Keep a content; returns its digest."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        try:
            os.utime(path)  # in use again: pruning goes by age
            whole = path.stat().st_size > 0  # a machine that lost its power may have kept the name alone
        except FileNotFoundError:
            whole = False
        if not whole:
            self._write(path, zlib.compress(content, _LEVEL))
        return digest

    def get(self, digest: str) -> bytes:
        """The content. Raises ``MissingObject``."""
        try:
            content = zlib.decompress(self._path(digest).read_bytes())
        except (OSError, zlib.error) as error:
            raise MissingObject(f"{digest[:12]}: {error}") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise MissingObject(f"{digest[:12]}: damaged")
        return content

    def has(self, digest: str) -> bool:
        """Whether there is such a content, without looking into it."""
        return self._path(digest).exists()

    def seal(self, digest: str) -> None:
        """Make sure that a content is whole and on the disk. Raises ``MissingObject``."""
        self.get(digest)
        with contextlib.suppress(PermissionError):
            descriptor = os.open(self._path(digest), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def prune(self, keep: frozenset[str], *, older_than: float) -> int:
        """Delete what is not in ``keep`` and was last used before ``older_than`` (epoch seconds); returns how many."""
        count = 0
        for path in self._folder.glob("??/*"):
            with contextlib.suppress(OSError):
                if path.parent.name + path.name not in keep and path.stat().st_mtime < older_than:
                    path.unlink()
                    count += 1
        return count

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest[2:]

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{secrets.token_hex(8)}")
        try:
            descriptor = _created(temporary)
        except FileNotFoundError:
            make_private(path.parent)
            descriptor = _created(temporary)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            os.rename(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def make_private(folder: Path) -> None:
    """Make a folder, and the parents that are missing, for this person alone."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
    except FileNotFoundError:
        make_private(folder.parent)
        make_private(folder)


def _created(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

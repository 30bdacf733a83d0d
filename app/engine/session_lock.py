"""One process a session: an advisory lock on a small file beside the database, free again when its holder dies."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from ..paths import make_private_file


class SessionLock:
    """Holds a session for this process. ``acquire`` says whether that worked; ``release`` gives it back."""

    def __init__(self, folder: Path, session_id: str) -> None:
        self._file = folder / f"{session_id}.lock"
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting; False when another process has it. Raises OSError where locks cannot be."""
        while True:
            make_private_file(self._file)
            descriptor = os.open(self._file, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_there(descriptor):
                    self._descriptor = descriptor
                    return True
            except BlockingIOError:
                os.close(descriptor)
                return False
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)  # the holder gave the session back in between, and took this file with it

    def _is_there(self, descriptor: int) -> bool:
        """Whether the file that was locked still bears its name: nobody comes to one that is gone."""
        try:
            return os.path.samestat(os.stat(self._file), os.fstat(descriptor))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give the session back. The file goes first: whoever comes next makes and locks a new one.

        On a disk that takes nothing it stays, unlocked, which says the same.
        """
        if self._descriptor is not None:
            with suppress(OSError):
                self._file.unlink()
            os.close(self._descriptor)
            self._descriptor = None


def held_sessions(folder: Path) -> frozenset[str]:
    """The ids of sessions that some process, this one too, has open now; empty where nothing can be locked."""
    return frozenset(file.stem for file in folder.glob("*.lock") if _held(file))


def _held(file: Path) -> bool:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False

"""One process a session: an advisory lock on a small file beside the database, free again when its holder dies."""

import fcntl
import os
from pathlib import Path

from ..paths import make_private_file


class SessionLock:
    """Holds a session for this process. ``acquire`` says whether that worked; ``release`` gives it back."""

    def __init__(self, folder: Path, session_id: str) -> None:
        self._file = folder / f"{session_id}.lock"
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting; False when another process has it. Raises OSError where locks cannot be."""
        make_private_file(self._file)
        descriptor = os.open(self._file, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the session back. The file goes first: whoever comes next makes and locks a new one."""
        if self._descriptor is not None:
            self._file.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

"""Reads a file that may be anything: for names in folders nobody has vouched for."""

import os
import stat
from pathlib import Path


def read_plain_file(path: Path, limit: int, *, follow: bool = True) -> bytes:
    """The content of a regular file of at most ``limit`` bytes; ``follow`` goes through a link at its end.

    Never waits for a pipe and never reads a device. Raises ``OSError``, whose ``strerror`` says why in words.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "is no regular file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(0, f"is larger than {limit:,} bytes")
    return content

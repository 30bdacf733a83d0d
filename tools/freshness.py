"""Whether files are still as the model knows them. Cheap enough for every prompt: what was not touched is not read."""

import asyncio
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from .events import FileSeen
from .opening import opened_parent, read_file
from .text_file import displayable

_LARGEST = 20_000_000
"""Bytes. A larger file that was touched counts as changed without being read."""
_Signature = tuple[int, int, int]


def file_seen(run_id: str, path: str, data: bytes | None) -> FileSeen:
    """The event that the model knows this content of a file."""
    digest = "" if data is None else hashlib.sha256(data).hexdigest()
    return FileSeen(run_id=run_id, path=displayable(path), digest=digest)


class Freshness:
    """Compares files of one workspace with what is known of them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._digests: dict[str, tuple[_Signature, str]] = {}

    async def stale(self, known: Mapping[str, str]) -> tuple[str, ...]:
        """The paths whose content is not the one with this digest (SHA-256, hex; empty: no file)."""
        return await asyncio.to_thread(self._stale, known)

    def _stale(self, known: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(path for path, digest in known.items() if self._digest(path) != digest)

    def _digest(self, path: str) -> str:
        """The digest of a file as it is; empty when there is none that can be read."""
        file = self._root / path
        try:
            found = os.stat(file)
            signature = (found.st_mtime_ns, found.st_size, found.st_ino)
            last = self._digests.get(path)
            if last is not None and last[0] == signature:
                return last[1]
            with opened_parent(file) as parent:  # a pipe that took the file's place must not be waited for
                data = read_file(parent, file.name, _LARGEST)
            digest = "too large" if data is None else hashlib.sha256(data).hexdigest()
        except (OSError, ValueError):
            return ""
        self._digests[path] = signature, digest
        return digest

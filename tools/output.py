"""Keeps the output of a process within bounds: head and tail for the model, all of it in a file, a trickle live."""

import asyncio
import codecs
import contextlib
import os
import re
from collections import deque
from collections.abc import Callable
from pathlib import Path

_SPILL_LIMIT = 50_000_000
"""Bytes of output that are kept on disk for one run."""
_SPILL_FILES = 40
"""Files kept in the folder; the oldest go first."""
_LIVE_INTERVAL_S = 0.05
_LIVE_BURST = 8_000
"""Characters shown at once; of more, only the last are."""
_LIVE_TOTAL = 200_000
"""Characters shown at full rate; after that, the last ones once in ``_LIVE_SLOW_S`` seconds."""
_LIVE_SLOW_S = 1.0
_LIVE_SLOW_BURST = 2_000


class BoundedOutput:
    """The first and the last bytes of an output of any length, ``limit`` bytes together.

    When the output outgrows the limit, all of it (up to ``_SPILL_LIMIT``) goes to a new file ``name`` in ``folder``.
    """

    def __init__(self, limit: int, *, folder: Path, name: str) -> None:
        self._head_limit = limit // 2
        self._tail_limit = limit - self._head_limit
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._folder = folder
        self._name = re.sub(r"[^A-Za-z0-9._-]", "_", name)[:80]
        self._file: int | None = None
        self.path: Path | None = None
        self.total = 0

    def add(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.total += len(chunk)
        outgrown = self.total > self._head_limit + self._tail_limit
        if outgrown and self.path is None:
            self._begin_file()
        if outgrown and self._file is not None:
            self._write(chunk)
        room = self._head_limit - len(self._head)
        self._head += chunk[:room]
        rest = chunk[room:] if room > 0 else chunk
        if rest:
            self._tail.append(rest)
            self._tail_size += len(rest)
            while self._tail_size - len(self._tail[0]) >= self._tail_limit:
                self._tail_size -= len(self._tail.popleft())

    def close(self) -> None:
        """No more output comes; the file, if any, is complete."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def text(self) -> str:
        """What is kept, as text; where bytes are left out, a line says how many and where they are."""
        tail = b"".join(self._tail)
        if self.total <= self._head_limit + self._tail_limit:
            return _decoded(bytes(self._head) + tail)
        head = bytes(self._head)
        tail = tail[len(tail) - self._tail_limit :] if self._tail_limit else b""
        head = head[: head.rfind(b"\n") + 1] or head
        tail = tail[tail.find(b"\n") + 1 :] or tail
        left_out = self.total - len(head) - len(tail)
        where = f"; whole output (grep or read it): {self.path}" if self.path else ""
        if self.total > _SPILL_LIMIT and self.path:
            where += f" (first {_SPILL_LIMIT:,} bytes)"
        ending = "" if head.endswith(b"\n") else "\n"
        return f"{_decoded(head)}{ending}[… {left_out:,} of {self.total:,} bytes left out{where} …]\n{_decoded(tail)}"

    def _begin_file(self) -> None:
        with contextlib.suppress(OSError):  # a full disk costs the file, not the run
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            old = sorted(self._folder.glob("*.txt"), key=lambda file: file.stat().st_mtime)
            for file in old[: max(0, len(old) - _SPILL_FILES + 1)]:
                file.unlink()
            path = self._folder / f"{self._name}-{os.urandom(4).hex()}.txt"
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            self.path = path
            self._write(bytes(self._head) + b"".join(self._tail))

    def _write(self, chunk: bytes) -> None:
        room = _SPILL_LIMIT - (self.total - len(chunk))
        if self._file is not None and room > 0:
            try:
                os.write(self._file, chunk[:room])
            except OSError:
                self.close()


class LiveOutput:
    """Shows output while it comes, at no more than 20 pieces a second and not all of a flood. Needs a running loop."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._loop = asyncio.get_running_loop()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._waiting = ""
        self._shown = 0
        self._last = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def add(self, chunk: bytes) -> None:
        """Take the next bytes; they are shown as soon as it is time to."""
        slow = self._shown >= _LIVE_TOTAL
        burst = _LIVE_SLOW_BURST if slow else _LIVE_BURST
        if len(chunk) > 8 * burst:
            self._decoder.reset()
            chunk, self._waiting = chunk[-4 * burst :], "…"
        self._waiting += self._decoder.decode(chunk)
        if len(self._waiting) > burst:
            self._waiting = "…" + self._waiting[1 - burst :]
        if self._timer is None:
            due = self._last + (_LIVE_SLOW_S if slow else _LIVE_INTERVAL_S)
            if due <= self._loop.time():
                self._flush()
            else:
                self._timer = self._loop.call_at(due, self._flush)

    def close(self) -> None:
        """No more output comes: show the rest."""
        if self._timer is not None:
            self._timer.cancel()
        self._flush()

    def _flush(self) -> None:
        self._timer = None
        if self._waiting:
            self._last = self._loop.time()
            self._shown += len(self._waiting)
            waiting, self._waiting = self._waiting, ""
            self._show(waiting)


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")

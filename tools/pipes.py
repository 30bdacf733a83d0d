"""The output of a process, read by the event loop as it comes and never faster than others can bear."""

import asyncio
import contextlib
import os
from collections.abc import Callable

_DRAIN_IDLE_S = 0.05
"""Silence on the pipe after which an exited process is taken to have said everything."""
_DRAIN_S = 0.5
_CHUNK_BYTES = 65_536
_WINDOW_S = 0.05
_WINDOW_BYTES = 4_000_000
"""Read per window; a process that floods the pipe waits, and the event loop stays free for others."""


class OutputPipe:
    """The reading end of the output pipe, served by the event loop."""

    def __init__(self, descriptor: int, on_output: Callable[[bytes], None]) -> None:
        self._descriptor = descriptor
        self._on_output = on_output
        self._loop = asyncio.get_running_loop()
        self._window_end = 0.0
        self._window_bytes = 0
        self._pause: asyncio.TimerHandle | None = None
        self._open = True
        self._closed = asyncio.Event()
        self.last_read = self._loop.time()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._read)

    async def drain(self) -> None:
        """Wait until everything written so far has been read, for a bounded time."""
        start = self.last_read = self._loop.time()
        while self._open and self._loop.time() - start < _DRAIN_S:
            silence = self._loop.time() - self.last_read
            if self._pause is None and silence >= _DRAIN_IDLE_S:
                return
            pause = _DRAIN_IDLE_S - silence if self._pause is None else _WINDOW_S
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), pause)

    def close(self) -> None:
        """Stop reading, whoever still holds the other end."""
        if self._open:
            self._open = False
            self._closed.set()
            if self._pause is not None:
                self._pause.cancel()
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)

    def _read(self) -> None:
        try:
            chunk = os.read(self._descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.close()
            return
        now = self.last_read = self._loop.time()
        if now >= self._window_end:
            self._window_end, self._window_bytes = now + _WINDOW_S, 0
        self._window_bytes += len(chunk)
        if self._window_bytes >= _WINDOW_BYTES:
            self._loop.remove_reader(self._descriptor)
            self._pause = self._loop.call_at(self._window_end, self._resume)
        self._on_output(chunk)

    def _resume(self) -> None:
        self._pause = None
        self.last_read = self._loop.time()
        self._loop.add_reader(self._descriptor, self._read)

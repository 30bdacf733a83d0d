"""The one place that starts processes for tools, and the one that makes sure that they end.

A process gets a session of its own, no terminal and no standard input, so that nothing it starts can ask the
person something or be left behind. Its end is the exit of the process itself: a child that keeps the output
pipe open does not delay the return, and is killed with the whole group. On Linux children that left the group
(``setsid``) are found by a mark in their environment.
"""

import asyncio
import contextlib
import os
import re
import secrets
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .programs import absolute_entries

GRACE_S = 1.0
"""Seconds between asking a group to end (SIGTERM) and killing it."""
_DRAIN_IDLE_S = 0.05
"""Silence on the pipe after which an exited process is taken to have said everything."""
_DRAIN_S = 0.5
_CHUNK_BYTES = 65_536
_WINDOW_S = 0.05
_WINDOW_BYTES = 4_000_000
"""Read per window; a process that floods the pipe waits, and the event loop stays free for others."""
_MARK = "PATCHBAY_RUN"

_SECRET_NAME = re.compile(
    r"(?:.*_)?(?:API_?KEY|ACCESS_?KEY(?:_ID)?|SECRET_?KEY|PRIVATE_?KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(?:_.*)?",
    re.IGNORECASE,
)
_SETTINGS = {
    "TERM": "dumb",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "false",
    "EDITOR": "false",
    "VISUAL": "false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEnd:
    """How a process ended. ``exit_status`` is negative for the signal that killed it."""

    exit_status: int
    timed_out: bool
    survivors: bool
    """It left processes behind, which were killed."""
    duration_s: float


def child_environment(
    environment: Mapping[str, str], *, secret: Iterable[str] = (), keep: Iterable[str] = ()
) -> dict[str, str]:
    """The environment for processes of tools: nothing of this program's own, no secrets, nothing that would wait.

    Left out are the names in ``secret``, names that look like a secret's (unless in ``keep``), ``PATCHBAY_*``
    and ``TEXTUAL*``; ``PATH`` keeps its absolute entries only. Pagers and editors are set to
    ones that do not wait for a person.
    """
    named, kept = frozenset(secret), frozenset(keep)

    def passes(name: str) -> bool:
        own = name.startswith(("PATCHBAY_", "TEXTUAL"))
        return not own and name not in named and (name in kept or not _SECRET_NAME.fullmatch(name))

    passed = {name: value for name, value in environment.items() if passes(name)}
    if "PATH" in passed:
        passed["PATH"] = absolute_entries(passed["PATH"])
    return passed | _SETTINGS


async def run_process(
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    timeout_s: float,
    on_output: Callable[[bytes], None],
    stdin: IO[bytes] | None = None,
    with_errors: bool = True,
) -> ProcessEnd:
    """Run a program to its end, its timeout (seconds) or the cancellation of this task.

    ``on_output`` gets standard output, and standard error unless ``with_errors`` is False, as they come. When
    this returns or raises, nothing that the program started runs any more. Raises ``OSError`` when it cannot
    be started.
    """
    started = time.monotonic()
    mark = secrets.token_hex(16)
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=stdin or asyncio.subprocess.DEVNULL,
            stdout=writing,
            stderr=writing if with_errors else asyncio.subprocess.DEVNULL,
            cwd=folder,
            env={**environment, _MARK: mark},
            start_new_session=True,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    pipe = _Pipe(reading, on_output)
    group = _Group(process, mark)
    timed_out = False
    try:
        try:
            await asyncio.wait_for(process.wait(), timeout_s)
        except TimeoutError:
            timed_out = True
            await group.terminate()
        await pipe.drain()
    finally:
        try:
            survivors = await group.kill()
        finally:
            pipe.close()
    return ProcessEnd(
        exit_status=process.returncode if process.returncode is not None else -signal.SIGKILL,
        timed_out=timed_out,
        survivors=survivors,
        duration_s=time.monotonic() - started,
    )


class _Pipe:
    """The reading end of the output pipe, served by the event loop."""

    def __init__(self, descriptor: int, on_output: Callable[[bytes], None]) -> None:
        self._descriptor = descriptor
        self._on_output = on_output
        self._loop = asyncio.get_running_loop()
        self._window_end = 0.0
        self._window_bytes = 0
        self._pause: asyncio.TimerHandle | None = None
        self._open = True
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
            await asyncio.sleep(_DRAIN_IDLE_S - silence if self._pause is None else _WINDOW_S)

    def close(self) -> None:
        """Stop reading, whoever still holds the other end."""
        if self._open:
            self._open = False
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


class _Group:
    """The process, its process group, and what it started that left the group."""

    def __init__(self, process: asyncio.subprocess.Process, mark: str) -> None:
        self._process = process
        self._mark = f"{_MARK}={mark}".encode()
        self._asked = False

    async def terminate(self) -> None:
        """Ask the group to end and give it ``GRACE_S`` seconds."""
        self._asked = True
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), GRACE_S)

    async def kill(self) -> bool:
        """End whatever is left, at once; whether anything but the process itself was left."""
        running = self._process.returncode is None
        if running and not self._asked:
            self._signal(signal.SIGTERM)
        survivors = self._signal(signal.SIGKILL) and not running
        for _ in range(5):  # a process may start another between the look and the kill
            escaped = _marked(self._mark)
            if not escaped:
                break
            survivors = True
            for number in escaped:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(number, signal.SIGKILL)
        if running:
            with contextlib.suppress(TimeoutError):  # a process stuck in the kernel dies when the kernel lets it
                await asyncio.wait_for(self._process.wait(), GRACE_S)
        return survivors

    def _signal(self, number: signal.Signals) -> bool:
        """Signal the group; False when there is none any more."""
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS says EPERM for a group of zombies
            return False
        return True


def _marked(mark: bytes) -> list[int]:
    """Running processes with this mark in their environment. Empty where there is no ``/proc``."""
    found: list[int] = []
    with contextlib.suppress(OSError), os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal() and _has_mark(entry.name, mark):
                found.append(int(entry.name))
    return found


def _has_mark(number: str, mark: bytes) -> bool:
    try:
        with open(f"/proc/{number}/environ", "rb") as file:
            return mark in file.read()
    except OSError:  # ended meanwhile, or somebody else's
        return False

"""Starts commands through the warden's program, and keeps that program running for the next one (Linux).

Starting Python takes tens of milliseconds, forking one that runs takes one or two: so there is one such program a
session, begun with the first command. What it does with a command is told in ``warden``.
"""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from .pipes import OutputPipe
from .process import GRACE_S, MARK, ProcessEnd, kill_marked

_CLOSE_S = 4.0
"""How long the warden may take to end everything; it takes 1.5 seconds at most when it runs at all."""
_PROGRAM = (
    "import sys; sys.path.append({folder!r}); import fences, warden; "
    "warden.main(fences.put_up, fences.become_subreaper)"
)
_LIMITS = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": 20_000_000_000, "RLIMIT_NPROC": 16_384}
MAX_PROCESSES = 1024
"""Processes and threads of one command; more are refused, or end it where they cannot be."""


class LaunchError(OSError):
    """The command was not started; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """The bounds of a command, as absolute paths. See ``fences``."""

    writable: tuple[str, ...]
    temporary: str
    readable: tuple[str, ...]
    """Places whose files can be read; everything else has readable names only."""
    protected: tuple[str, ...]
    """Existing names inside ``writable`` that stay as they are."""
    anchors: tuple[str, ...]
    """Folders that hold protected names and must not be moved away with them."""
    hidden: tuple[str, ...]
    network: bool
    namespaces: bool = True
    own_tmp: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command with everything that it is to have, and the most that it may have."""

    arguments: Sequence[str]
    folder: str
    environment: Mapping[str, str]
    fence: Fence | None = None
    limits: Mapping[str, int] = field(default_factory=lambda: dict(_LIMITS))
    processes: int = MAX_PROCESSES

    def line(self) -> bytes:
        """The order as the warden reads it."""
        record = {
            "arguments": list(self.arguments),
            "folder": self.folder,
            "environment": dict(self.environment),
            "fence": None if self.fence is None else asdict(self.fence),
            "limits": dict(self.limits),
            "processes": self.processes,
        }
        return json.dumps(record).encode() + b"\n"


class Launcher:
    """The warden's program of one session. Made cheaply; the program starts with the first command."""

    def __init__(self) -> None:
        self._program: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    async def run(self, order: Order, *, timeout_s: float | None, on_output: Callable[[bytes], bool]) -> ProcessEnd:
        """Run a command to its end, its timeout (seconds; None: none) or the cancellation of this task.

        ``on_output`` gets what it writes and says whether to go on; False ends the command. When this returns or
        raises, nothing that the command started runs any more. Raises ``LaunchError`` when it cannot be started.
        """
        started = time.monotonic()
        mark = secrets.token_hex(16)
        order = replace(order, environment={**order.environment, MARK: mark})
        control, output = self._request()
        enough = asyncio.Event()

        def take(chunk: bytes) -> None:
            if not on_output(chunk):
                enough.set()

        pipe = OutputPipe(output, take)
        reader, writer = await asyncio.open_connection(sock=control)
        watched = _Watched(reader, writer)
        try:
            writer.write(order.line())
            await writer.drain()
            timed_out = await watched.wait(timeout_s, enough)
            await pipe.drain()
        finally:
            try:
                await watched.finish()
            finally:
                pipe.close()
                report = watched.report()
                if "lost" in report:  # the command killed its warden: what it started still bears its mark
                    await asyncio.to_thread(kill_marked, mark)
        if "failed" in report:
            raise LaunchError(str(report["failed"]))
        return ProcessEnd(
            exit_status=int(report["exit"]),
            timed_out=timed_out,
            survivors=bool(report["survivors"]),
            duration_s=time.monotonic() - started,
            overrun="processes" if report.get("overrun") else "output" if enough.is_set() else "",
            layers=frozenset(cast("list[str]", report["layers"])),
        )

    def close(self) -> None:
        """End the program; what it still watches is ended with it."""
        if self._requests is not None:
            self._requests.close()
            self._requests = None
        if self._program is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._program.wait(1)
            if self._program.poll() is None:
                self._program.kill()
                self._program.wait()
            self._program = None

    def _request(self) -> tuple[socket.socket, int]:
        """The socket of a new warden, and the reading end of its command's output."""
        mine, theirs = socket.socketpair()
        reading, writing = os.pipe()
        try:
            for last in (False, True):
                try:
                    socket.send_fds(self._started(), [b"r"], [theirs.fileno(), writing])
                    break
                except OSError:  # somebody ended the program: start another
                    self.close()
                    if last:
                        raise
        except BaseException:
            mine.close()
            os.close(reading)
            raise
        finally:
            theirs.close()
            os.close(writing)
        mine.setblocking(False)
        return mine, reading

    def _started(self) -> socket.socket:
        if self._requests is not None:
            return self._requests
        mine, theirs = socket.socketpair()
        folder = os.fspath(Path(__file__).parent)
        with theirs:
            self._program = subprocess.Popen(  # noqa: S603 - this interpreter, with a program of our own
                [sys.executable, "-I", "-S", "-c", _PROGRAM.format(folder=folder)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                start_new_session=True,
            )
        self._requests = mine
        return mine


class _Watched:
    """One command as seen from here: the line to its warden."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._said: asyncio.Task[bytes] = asyncio.create_task(reader.read())
        self._ended: asyncio.Task[None] | None = None

    async def wait(self, timeout_s: float | None, enough: asyncio.Event) -> bool:
        """Wait for the command; True when its time ran out, after it had ``GRACE_S`` seconds to end by itself."""
        full = asyncio.create_task(enough.wait())
        try:
            done, _ = await asyncio.wait({self._said, full}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            full.cancel()
        if self._said in done or full in done:
            return False
        with contextlib.suppress(OSError):
            self._writer.write(b"t")
        await asyncio.wait({self._said}, timeout=GRACE_S)
        return True

    async def finish(self) -> None:
        """End what still runs, and wait until it has ended."""
        with contextlib.suppress(OSError):
            self._writer.write_eof()
        waiting = asyncio.ensure_future(asyncio.wait({self._said}, timeout=_CLOSE_S))
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:  # a second cancellation: the warden goes on by itself
            waiting.cancel()
            raise
        finally:
            self._said.cancel()
            self._writer.close()

    def report(self) -> dict[str, Any]:
        """What the warden said at the end; a killed command when it could not say anything."""
        if self._said.done() and not self._said.cancelled() and self._said.exception() is None:
            with contextlib.suppress(ValueError):
                return cast("dict[str, Any]", json.loads(self._said.result()))
        return {"exit": -signal.SIGKILL, "survivors": True, "layers": [], "lost": True}

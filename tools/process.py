"""Starts the processes of tools, and makes sure that they end; commands on Linux have ``launcher`` for that.

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

from .pipes import OutputPipe
from .programs import absolute_entries

GRACE_S = 1.0
"""Seconds between asking a group to end (SIGTERM) and killing it."""
MARK = "PATCHBAY_RUN"
"""The variable that marks what a command started, where nothing better keeps track of it."""

_SECRET_NAME = re.compile(
    r"(?:.*_)?(?:API_?KEY|ACCESS_?KEY(?:_ID)?|SECRET_?KEY|PRIVATE_?KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(?:_.*)?",
    re.IGNORECASE,
)
_STEER_SHELLS = frozenset({"BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS"})
"""A command must mean what it says: these run a file first, or switch the shell's grammar."""
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
    overrun: str = ""
    """What it had too much of, so that it was ended: ``processes``, ``output``; empty when it kept its bounds."""
    layers: frozenset[str] = frozenset()
    """The fences that stood around it; see ``fences``."""


def child_environment(
    environment: Mapping[str, str], *, secret: Iterable[str] = (), keep: Iterable[str] = ()
) -> dict[str, str]:
    """The environment for processes of tools: nothing of this program's own, no secrets, nothing that would wait.

    Left out are the names in ``secret``, names that look like a secret's (unless in ``keep``), ``PATCHBAY_*`` and
    ``TEXTUAL*``, and what makes a shell run or mean something else; ``PATH`` keeps its absolute entries only. Pagers
    and editors are set to ones that do not wait for a person.
    """
    named, kept = frozenset(secret), frozenset(keep)

    def passes(name: str) -> bool:
        own = name.startswith(("PATCHBAY_", "TEXTUAL"))
        steers = name in _STEER_SHELLS or name.startswith("BASH_FUNC_")
        return not own and not steers and name not in named and (name in kept or not _SECRET_NAME.fullmatch(name))

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
            env={**environment, MARK: mark},
            start_new_session=True,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    pipe = OutputPipe(reading, on_output)
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


class _Group:
    """The process, its process group, and what it started that left the group."""

    def __init__(self, process: asyncio.subprocess.Process, mark: str) -> None:
        self._process = process
        self._mark = f"{MARK}={mark}".encode()
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


def kill_marked(mark: str) -> None:
    """End every process with this mark in its environment: what is left to do when nobody else keeps track."""
    for _ in range(5):
        found = _marked(f"{MARK}={mark}".encode())
        for number in found:
            with contextlib.suppress(OSError):
                os.kill(number, signal.SIGKILL)
        if not found:
            return


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

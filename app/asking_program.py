"""Asks another program something: a list of arguments, no shell, a bound on its answer and on its time."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..tools.safe_text import safe_line

_SAID_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended."""

    out: bytes = b""
    """What it wrote, at most as much as was asked for."""
    cut: bool = False
    """It wrote more than that."""
    said: str = ""
    """What it complained of, on one safe line."""
    problem: str = ""
    """Why there is no answer, as what follows the program's name in a sentence; empty when there is one."""
    refused: bool = False
    """It ran to its own end, and that was a failure."""


def ask(command: Sequence[str], environ: Mapping[str, str], *, most: int, timeout_s: float) -> Ended:
    """Run a program in a group of its own, of which nothing is left afterwards; ``most`` bytes of its answer.

    Blocks: call it from a thread.
    """
    deadline = time.monotonic() + timeout_s
    try:
        process = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environ),
            cwd="/",  # nothing is taken from the folder of a project
            start_new_session=True,
        )
    except OSError as error:
        return Ended(problem=f"cannot be started ({error.strerror or error})")
    with process:
        try:
            out, complaint, whole = _collect(process, most, deadline)
            if not whole:
                late = f"did not answer within {timeout_s:.0f} s"
                return Ended(out=out[:most], cut=True) if len(out) > most else Ended(problem=late)
            status = process.wait(timeout=max(0.05, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return Ended(problem=f"did not end within {timeout_s:.0f} s")
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    words = complaint.decode("utf-8", "replace").strip()
    said = safe_line(words.splitlines()[0])[:200].rstrip(".") if words else ""
    if status == 0:
        return Ended(out=out, said=said)
    problem = f"says: {said}" if said else f"ended with status {status}"
    return Ended(out=out, said=said, problem=problem, refused=True)


def _collect(process: "subprocess.Popen[bytes]", most: int, deadline: float) -> tuple[bytes, bytes, bool]:
    """What it wrote, its complaint, and whether that is all: it is not past ``most`` bytes or the deadline."""
    out, complaint = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for stream, kept in ((process.stdout, out), (process.stderr, complaint)):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, kept)
        while selector.get_map():
            left = deadline - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            for key, _ in ready:
                data = os.read(key.fd, 65_536)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.data is out:
                    out += data
                elif len(complaint) < _SAID_BYTES:
                    complaint += data
            if not ready or len(out) > most:
                return bytes(out), bytes(complaint), False
    return bytes(out), bytes(complaint), True

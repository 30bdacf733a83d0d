"""bash's own opinion on whether a line is well-formed: ``bash -n`` reads it and runs nothing of it."""

import os
import select
import shutil
import signal
import time
from functools import lru_cache

TIMEOUT_S = 2.0
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-./,:=@%+")


@lru_cache(maxsize=512)
def bash_accepts(line: str) -> bool:
    """Whether bash can parse ``line``. False when there is no bash, or no answer in time."""
    if set(line) <= _PLAIN:
        return True  # plain words: there is nothing to disagree about
    bash = shutil.which("bash", path="/bin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if bash is None:
        return False
    # A clean environment: BASH_ENV would run a file, and exported functions would be read.
    with open(os.devnull, "r+b", buffering=0) as nothing:
        try:
            child = os.posix_spawn(
                bash,
                ["bash", "--noprofile", "--norc", "-n", "-c", line],
                {"PATH": "/nonexistent", "LC_ALL": "C.UTF-8"},
                file_actions=[(os.POSIX_SPAWN_DUP2, nothing.fileno(), descriptor) for descriptor in (0, 1, 2)],
                setsigdef=[signal.SIGPIPE, signal.SIGINT],
            )
        except (OSError, ValueError):
            return False
    return _exit_status(child) == 0


def _exit_status(child: int) -> int:
    """Wait for a child of ours, at most ``TIMEOUT_S``; then end it."""
    end = time.monotonic() + TIMEOUT_S
    if hasattr(os, "pidfd_open"):
        descriptor = os.pidfd_open(child)
        try:
            select.select([descriptor], [], [], TIMEOUT_S)
        finally:
            os.close(descriptor)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -1
        time.sleep(0.0005)

"""``patchbay logs``: the newest lines of the local log."""

import argparse
import os
import sys
import time
from collections import deque
from pathlib import Path

from ..log_file import log_path
from ..paths import find_paths
from .arguments import ExitCode

_LOOK_S = 0.3
"""Seconds between two looks while following."""


def logs_command(options: argparse.Namespace) -> int:
    """Print the lines and return the exit code."""
    path = log_path(find_paths(os.environ).state_folder)
    if options.path:
        sys.stdout.write(f"{path}\n")
        return ExitCode.OK
    try:
        seen = _print_newest(path, options.n)
    except FileNotFoundError:
        sys.stderr.write(f"patchbay: nothing was logged yet; the log will be {path}\n")
        seen = 0
        if not options.follow:
            return ExitCode.FAILED
    while options.follow:
        time.sleep(_LOOK_S)
        seen = _print_since(path, seen)
    return ExitCode.OK


def _print_newest(path: Path, count: int) -> int:
    """Print the last lines, of the file before as well where this one is young. Returns the size read."""
    lines: deque[str] = deque(maxlen=count)
    older = path.with_name(f"{path.name}.1")
    if older.exists():
        lines.extend(older.read_text("utf-8", "replace").splitlines())
    content = path.read_bytes()
    lines.extend(content.decode("utf-8", "replace").splitlines())
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
    return len(content)


def _print_since(path: Path, seen: int) -> int:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < seen:  # a new file took its place
                seen = 0
            file.seek(seen)
            content = file.read()
    except FileNotFoundError:
        return 0
    whole = content[: content.rfind(b"\n") + 1]
    sys.stdout.write(whole.decode("utf-8", "replace"))
    sys.stdout.flush()
    return seen + len(whole)

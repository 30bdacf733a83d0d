"""Runs a command with Landlock around it: it may read everything, write only in one folder and open no TCP socket.

Linux kernel documentation, "Landlock: unprivileged access control". Only for tests; the product has its own sandbox.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_WRITING = 0x7FF0 | (1 << 1) | (1 << 13) | (1 << 14)
"""WRITE_FILE, REMOVE_*, MAKE_*, REFER and TRUNCATE, without reading and executing."""
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_TCP = 3
_NO_NEW_PRIVILEGES = 38

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def landlock_version() -> int:
    """The ABI of this kernel; 0 when there is no Landlock."""
    return max(0, _libc.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


def _confine(folder: Path) -> None:
    rules = _Ruleset(_WRITING, _TCP)
    ruleset = _libc.syscall(_CREATE, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), ctypes.c_uint32(0))
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "no Landlock ruleset")
    for path, allowed in ((folder, _WRITING), (Path(os.devnull), _WRITE_FILE | _TRUNCATE)):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        beneath = _Beneath(allowed, descriptor)
        if _libc.syscall(_ADD, ruleset, 1, ctypes.byref(beneath), ctypes.c_uint32(0)):
            raise OSError(ctypes.get_errno(), "no Landlock rule")
    _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if _libc.syscall(_RESTRICT, ruleset, ctypes.c_uint32(0)):
        raise OSError(ctypes.get_errno(), "Landlock does not restrict")


def run_confined(line: str, *, folder: Path, timeout_s: float = 2.0) -> int | None:
    """Run a line with bash in ``folder``, the only place it may change. Its exit status; None when it took too long."""
    process = subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-c", line],
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: _confine(folder),
    )
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

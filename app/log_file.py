"""The local log: JSON lines in the state folder, bounded in size, for this person alone.

What is logged is what happened (a session began, a provider was asked and how that ended, a defect with its
traceback), never what was said: no prompt, no answer, no file's content, no tool's arguments. Lines are made where
something happens and written by a thread of their own, so that a slow disk holds nobody up; a line that cannot be
written is dropped. Several processes share the file: each line is one ``write`` to a descriptor opened for appending.
"""

import contextlib
import fcntl
import json
import logging
import os
import queue
import time
import traceback
from collections.abc import Mapping
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from typing import Any

from ..providers.redact import redact
from ..tools.safe_text import safe_line
from .paths import PRIVATE_FILE_MODE, make_private_folder

FILE_NAME = "patchbay.jsonl"
MAX_BYTES = 4_000_000
KEPT_FILES = 3
"""Older files beside the newest: ``patchbay.jsonl.1`` and so on."""
MAX_LINE_BYTES = 16_000
_WAITING = 2_000
"""Lines that wait for the disk at most; what comes on top is dropped."""
_LOGGERS = ("patchbay", "asyncio")
_FIELDS = "patchbay_fields"
_TRACE_LINES = 60


def log_path(state_folder: Path) -> Path:
    """Where the log is."""
    return state_folder / "log" / FILE_NAME


class LogFile(logging.Handler):
    """Appends records as JSON lines. Never raises; what cannot be written is lost, and nothing else is."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, kept: int = KEPT_FILES) -> None:
        super().__init__()
        self._path = path
        self._max_bytes = max_bytes
        self._kept = kept
        self._file: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            self._write(line_of(record))
        except Exception:  # a full disk, a folder that went away, a record nobody can print: the session goes on
            self._close_file()

    def close(self) -> None:
        """Close the file."""
        self._close_file()
        super().close()

    def _write(self, line: bytes) -> None:
        file = self._current()
        if os.fstat(file).st_size + len(line) > self._max_bytes:
            self._rotate()
            file = self._current()
        os.write(file, line)

    def _current(self) -> int:
        """The open file; opened anew when another process has moved it away."""
        if self._file is not None and not _same(self._file, self._path):
            self._close_file()
        if self._file is None:
            make_private_folder(self._path.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(self._path, flags, PRIVATE_FILE_MODE)
            os.fchmod(self._file, PRIVATE_FILE_MODE)
        return self._file

    def _rotate(self) -> None:
        """Move the files on by one, unless another process has just done it."""
        lock = os.open(self._path.with_name(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE_MODE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._file is not None and _same(self._file, self._path):
                for number in range(self._kept, 0, -1):
                    older = self._path.with_name(f"{FILE_NAME}.{number}")
                    newer = self._path if number == 1 else self._path.with_name(f"{FILE_NAME}.{number - 1}")
                    with contextlib.suppress(FileNotFoundError):
                        newer.replace(older)
        finally:
            os.close(lock)
            self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None


class _Waiting(QueueHandler):
    """Hands records to the writing thread as they are: the line is made there, and a full queue drops them."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(queue.Full):
            self.queue.put_nowait(record)


class Log:
    """The log of this process, from its making to ``close``."""

    def __init__(self, path: Path, level: str) -> None:
        """``level`` is ``debug``, ``info``, ``warning`` or ``error``."""
        self._listener = QueueListener(queue.Queue[Any](_WAITING), LogFile(path))
        self._handler = _Waiting(self._listener.queue)
        self._handler.setLevel(level.upper())
        for name in _LOGGERS:
            logging.getLogger(name).addHandler(self._handler)
        logging.getLogger("patchbay").setLevel(level.upper())
        self._closed = False
        self._listener.start()

    def close(self) -> None:
        """Write what waits and stop. Safe to call twice."""
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(self._handler)
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(queue.Full):  # a disk that hangs: its thread ends with the process
            self._listener.stop()
        for handler in self._listener.handlers:
            handler.close()


def note(message: str, fields: Mapping[str, Any], level: int = logging.INFO) -> None:
    """Log that something happened, with plain values that say what."""
    logging.getLogger("patchbay").log(level, message, extra={_FIELDS: dict(fields)})


def line_of(record: logging.LogRecord) -> bytes:
    """A record as one line of JSON: ASCII, without keys, without control characters, of a bounded length."""
    row: dict[str, Any] = {
        "at": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03}Z",
        "level": record.levelname.lower(),
        "pid": record.process,
        "event": _clean(record.getMessage(), 500),
    }
    row |= {name: _plain(value) for name, value in getattr(record, _FIELDS, {}).items()}
    if record.exc_info is not None and record.exc_info[1] is not None:
        row["traceback"] = _traceback(record.exc_info[1])
    line = json.dumps(row, default=str).encode()
    if len(line) >= MAX_LINE_BYTES:
        row["traceback"] = row.get("traceback", [])[-5:]
        line = json.dumps({**row, "cut": True}, default=str).encode()
    if len(line) >= MAX_LINE_BYTES:
        line = json.dumps({name: row[name] for name in ("at", "level", "pid", "event")} | {"cut": True}).encode()
    return line + b"\n"


def _traceback(error: BaseException) -> list[str]:
    """Where it happened; the error's own words are cut, they may quote what was said."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames[-_TRACE_LINES:]]
    return [*(_clean(place, 300) for place in places), f"{type(error).__name__}: {_clean(str(error), 200)}"]


def _plain(value: Any) -> Any:
    return _clean(value, 500) if isinstance(value, str) else value


def _clean(text: str, most: int) -> str:
    shown = redact(safe_line(text[: 4 * most]))
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def _same(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False

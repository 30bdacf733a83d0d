"""What a disk would not take until the end: written to a file elsewhere, from which it can be imported."""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..engine.database import attach
from ..engine.recorder import Recorder
from ..engine.transfer import rescue_lines
from ..paths import Paths


def rescued(recorder: Recorder, session_id: str, paths: Paths) -> str:
    """Write the session of a closed recorder to a file if part of it could not be saved. Never raises.

    Returns what to tell the person; empty when everything is saved.
    """
    if not recorder.left:
        return ""
    said = "The end of this session could not be saved"
    problem: OSError | None = None
    for folder in _places(paths):
        file = folder / f"patchbay-{session_id}.jsonl"
        try:
            _write(file, _lines(recorder, session_id, paths))
        except OSError as error:
            problem = problem or error
            continue
        return (
            f"{said}. It is in {file}, and `patchbay sessions import {file}` brings it back"
            " once the session database can be written."
        )
    return f"{said} and is lost: no file could be written either ({problem})."


def _places(paths: Paths) -> Iterator[Path]:
    """Where there may be room: other disks than that of the database, most of the time."""
    yield Path(tempfile.gettempdir())
    yield Path.home()
    yield paths.state_folder


def _lines(recorder: Recorder, session_id: str, paths: Paths) -> Iterator[str]:
    """All of the session where the database can still be read, else what is not in it."""
    lines: list[str] = []
    with contextlib.suppress(sqlite3.Error, OSError), contextlib.closing(attach(paths.database)) as connection:
        lines = list(rescue_lines(connection, session_id, recorder.left))
    yield from lines or rescue_lines(None, session_id, recorder.left)


def _write(file: Path, lines: Iterable[str]) -> None:
    """Make the file, for this person alone; half a file does not stay. Raises ``OSError``, also when it exists."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as stream:
            stream.writelines(f"{line}\n" for line in lines)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        file.unlink(missing_ok=True)
        raise

"""What a disk would not take until the end: written to a file elsewhere, from which it can be imported."""

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..engine.database import attach
from ..engine.recorder import Recorder
from ..engine.transfer import rescue_lines
from ..paths import Paths
from .session_files import FileProblem, write_new


def rescued(recorder: Recorder, session_id: str, paths: Paths) -> str:
    """Write the session of a closed recorder to a file if part of it could not be saved. Never raises.

    Returns what to tell the person; empty when everything is saved.
    """
    if not recorder.left:
        return ""
    said = "The end of this session could not be saved"
    problem: FileProblem | None = None
    text = _text(recorder, session_id, paths)
    for folder in _places(paths):
        file = folder / f"patchbay-{session_id}.jsonl"
        try:
            write_new(file, text)
        except FileProblem as error:
            problem = problem or error
            continue
        return (
            f"{said}. It is in {file}, and `patchbay sessions import {file}` brings it back"
            " once the session database can be written."
        )
    return f"{said} and is lost: no file could be written either. {problem}"


def _places(paths: Paths) -> Iterator[Path]:
    """Where there may be room: other disks than that of the database, most of the time."""
    with contextlib.suppress(FileNotFoundError):  # no folder for such files takes one
        yield Path(tempfile.gettempdir())
    yield Path.home()
    yield paths.state_folder


def _text(recorder: Recorder, session_id: str, paths: Paths) -> str:
    """All of the session where the database can still be read, else what is not in it."""
    lines: list[str] = []
    with contextlib.suppress(sqlite3.Error, OSError), contextlib.closing(attach(paths.database)) as connection:
        lines = list(rescue_lines(connection, session_id, recorder.left))
    lines = lines or list(rescue_lines(None, session_id, recorder.left))
    return "".join(f"{line}\n" for line in lines)

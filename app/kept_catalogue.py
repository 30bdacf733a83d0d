"""The table of models that was fetched last, in one private file (see ``providers.refresh``)."""

import os
from pathlib import Path

from .paths import Paths, make_private_file


def refreshed_file(paths: Paths) -> Path:
    """Where it is kept. Deleting it goes back to what is shipped."""
    return paths.state_folder / "catalogue.json.gz"


def keep_catalogue(file: Path, packed: bytes) -> None:
    """Put the new table in place of the old one, whole or not at all. Raises OSError."""
    written = make_private_file(file.with_name(f"{file.name}.{os.getpid()}"))
    try:
        with written.open("wb") as out:
            out.write(packed)
            out.flush()
            os.fsync(out.fileno())
        written.replace(file)
    finally:
        written.unlink(missing_ok=True)

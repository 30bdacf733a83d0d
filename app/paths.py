"""Where Patchbay keeps its files, by the XDG Base Directory Specification 0.8, on macOS too.

Settings are the person's to read and edit; state (the journal, logs) may hold prompts and file contents, so
its folder and files belong to the person alone: modes 0700 and 0600.
"""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PRIVATE_FOLDER_MODE = 0o700
PRIVATE_FILE_MODE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """The files and folders of one person. Nothing is made until it is written."""

    config_file: Path
    """The settings: ``$XDG_CONFIG_HOME/patchbay/config.toml``."""
    state_folder: Path
    """What Patchbay remembers: ``$XDG_STATE_HOME/patchbay``."""

    @property
    def database(self) -> Path:
        """The journal of all sessions and the ledger (SQLite)."""
        return self.state_folder / "patchbay.db"

    @property
    def images(self) -> Path:
        """Images that were pasted from the clipboard."""
        return self.state_folder / "images"

    @property
    def locks(self) -> Path:
        """One file for each session that is open now."""
        return self.state_folder / "locks"


def find_paths(environ: Mapping[str, str]) -> Paths:
    """The paths of the person with this environment; a relative XDG value is ignored, as the specification says."""
    home = Path(environ.get("HOME") or os.path.expanduser("~"))
    config_home = _folder(environ, "XDG_CONFIG_HOME", home / ".config")
    state_home = _folder(environ, "XDG_STATE_HOME", home / ".local" / "state")
    return Paths(config_file=config_home / "patchbay" / "config.toml", state_folder=state_home / "patchbay")


def project_config(folder: Path) -> Path:
    """The settings a project brings along; read only when its folder is trusted."""
    return folder / ".patchbay" / "config.toml"


def make_private_folder(folder: Path) -> Path:
    """Make the folder, and its parents, and close it to others. Raises OSError when that cannot be done."""
    folder.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
    # An existing folder, or a parent that mkdir made by the umask, may be open to others.
    folder.chmod(PRIVATE_FOLDER_MODE)
    return folder


def make_private_file(file: Path) -> Path:
    """Make the file empty when it is missing, and close it to others before anything is written into it."""
    make_private_folder(file.parent)
    # One that exists is not opened: closing it again would take away the locks SQLite has on it in this process.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, PRIVATE_FILE_MODE))
    file.chmod(PRIVATE_FILE_MODE)
    return file


def replace_private_file(file: Path, text: str, *, sync: bool = False) -> None:
    """Put a text in place of a file's content, all of it or nothing. Raises OSError; then the file is as it was.

    ``sync`` waits until it is on the disk.
    """
    written = make_private_file(file.with_suffix(".new"))
    with written.open("w", encoding="utf-8") as stream:
        stream.write(text)
        if sync:
            stream.flush()
            os.fsync(stream.fileno())
    written.replace(file)


def _folder(environ: Mapping[str, str], variable: str, fallback: Path) -> Path:
    value = environ.get(variable, "")
    return Path(value) if value.startswith("/") else fallback

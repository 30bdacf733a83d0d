"""The one place that turns a path from a model into a file, and the one that opens files for tools.

A path is resolved through every symbolic link before anything is decided about it, and is then opened
component by component without following links: a link that appears between the decision and the opening
is refused, not followed.
"""

import contextlib
import difflib
import errno
import os
import re
import secrets
import stat
import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from .failures import ToolFailure
from .safe_text import reveal
from .sensitive import Concern, concern_of

MAX_FILE_BYTES = 64_000_000
"""The most that is ever read from one file. Bytes."""

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_LISTED = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_RDONLY
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SYSTEM_FOLDERS = (Path("/proc"), Path("/dev"), Path("/sys"))
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A resolved path: no link left in it, and what is known about it without opening it."""

    real: Path
    shown: str
    """Relative to the workspace with forward slashes when inside it, else absolute. For people and rules."""
    given: str
    """The same for the path as it was spelled, before links were followed."""
    inside: bool
    readable: bool
    """Inside, or in a folder that this program itself fills for the model."""
    exists: bool
    folder: bool
    read_concern: tuple[Concern, str] | None
    write_concern: tuple[Concern, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name in a folder. ``size`` is in bytes, None for everything but regular files."""

    name: str
    folder: bool
    size: int | None
    link: bool


class Workspace:
    """The folder a session works in. ``readable`` are further folders whose files need no question to read."""

    def __init__(self, root: Path, *, home: Path | None = None, readable: tuple[Path, ...] = ()) -> None:
        self.root = Path(os.path.realpath(root))
        self._home = home or Path.home()
        self._readable = tuple(Path(os.path.realpath(folder)) for folder in readable)
        self._writing = threading.Lock()

    def resolve(self, path: str) -> Place:
        """Where ``path`` leads. Raises ``ToolFailure`` for what is never a file to work on."""
        _refuse_odd_spelling(path)
        spelled = os.path.join(self.root, self._without_tilde(path))
        lexical = Path(os.path.normpath(spelled))
        try:
            real = Path(os.path.realpath(spelled))
        except OSError:  # a link that stopped being one between looking and reading it
            raise ToolFailure(f"{reveal(path)} changes while it is looked at.", summary="refused") from None
        for candidate in (lexical, real):
            self._refuse_system_folder(candidate, path)
        kind = _kind(real, path)
        inside = real.is_relative_to(self.root)
        names = self._names(real), self._names(lexical)
        return Place(
            real=real,
            shown=self._shown(real),
            given=self._shown(lexical),
            inside=inside,
            readable=inside or any(real.is_relative_to(folder) for folder in self._readable),
            exists=kind is not None,
            folder=kind is not None and stat.S_ISDIR(kind),
            read_concern=_first_concern(names, writing=False),
            write_concern=_first_concern(names, writing=True),
        )

    def read(self, place: Place, *, limit: int = MAX_FILE_BYTES) -> bytes:
        """The bytes of a regular file. Raises ``ToolFailure`` when there is none or it is larger than ``limit``."""
        try:
            with _parent(place.real) as parent:
                data = _read_file(parent, place.real.name, limit)
        except OSError as error:
            raise self._explained(error, place) from None
        if data is None:
            raise ToolFailure(
                f"{place.shown} is larger than {limit:,} bytes: use grep, or bash with head, sed or tail."
            )
        return data

    def write(self, place: Place, content: bytes, *, replaces: bytes | None) -> None:
        """Put ``content`` in the file, provided that it still holds ``replaces`` (None: that there is no file).

        An existing file keeps its mode, owner and links; it is replaced by renaming, so that no reader sees
        half of it (a file with several hard links is written in place). Missing folders are made. Raises
        ``ToolFailure``; then the file is as it was.
        """
        try:
            with self._writing, _parent(place.real, create=replaces is None) as parent:
                if replaces is None:
                    _create(parent, place.real.name, content)
                else:
                    _replace(parent, place.real.name, content, replaces)
        except OSError as error:
            raise self._explained(error, place) from None

    def entries(self, place: Place) -> list[Entry]:
        """The names in a folder, folders first. Raises ``ToolFailure``."""
        try:
            with _parent(place.real) as parent:
                listed = os.open(place.real.name or ".", _LISTED, dir_fd=parent)
            try:
                with os.scandir(listed) as found:
                    entries = [_entry(item) for item in found]
            finally:
                os.close(listed)
        except OSError as error:
            raise self._explained(error, place) from None
        return sorted(entries, key=lambda entry: (not entry.folder, entry.name))

    def _without_tilde(self, path: str) -> str:
        if path == "~" or path.startswith("~/"):
            return str(self._home) + path[1:]
        return os.path.expanduser(path) if path.startswith("~") else path

    def _refuse_system_folder(self, candidate: Path, path: str) -> None:
        for folder in _SYSTEM_FOLDERS:
            if candidate.is_relative_to(folder) and not self.root.is_relative_to(folder):
                raise ToolFailure(f"{reveal(path)} is in {folder}, which tools do not open.", summary="refused")

    def _shown(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()

    def _names(self, path: Path) -> tuple[str, ...]:
        """The components that say something about a path: those below the workspace, or all outside of it."""
        return path.relative_to(self.root).parts if path.is_relative_to(self.root) else path.parts

    def _explained(self, error: OSError, place: Place) -> ToolFailure:
        shown = reveal(place.shown)
        summary = "failed"
        match error.errno:
            case errno.ENOENT:
                message = f"There is no file {shown}.{self._similar(place)}"
            case errno.EISDIR:
                message = f"{shown} is a folder: use list."
            case errno.ELOOP | errno.ENOTDIR:
                message = f"{shown} is not reached through folders alone (a link or a file is in the way)."
            case errno.EEXIST:
                message, summary = f"{shown} has appeared in the meantime: read it first.", "changed"
            case errno.ESTALE:
                message, summary = f"{shown} changed while the call waited: read it again.", "changed"
            case _:
                message = f"{shown}: {error.strerror or error}."
        return ToolFailure(message, summary=summary)

    def _similar(self, place: Place) -> str:
        """A hint at names that look like the missing one. Only inside: outside, names are not ours to tell."""
        if not place.inside:
            return ""
        try:
            names = os.listdir(place.real.parent)
        except OSError:
            return " Its folder does not exist either."
        close = difflib.get_close_matches(place.real.name, names, n=3, cutoff=0.6)
        return f" Similar names there: {', '.join(reveal(name) for name in close)}." if close else ""


def _refuse_odd_spelling(path: str) -> None:
    if not path.strip():
        raise ToolFailure("The path is empty.", summary="refused")
    if _CONTROL.search(path):
        raise ToolFailure(f"The path {reveal(path)!r} holds control characters.", summary="refused")
    if _URL.match(path):
        raise ToolFailure(f"{reveal(path)} is a URL, not a path.", summary="refused")
    encoded = path.encode("utf-8", "surrogatepass")
    if len(encoded) >= 4096 or any(len(part) > 255 for part in encoded.split(b"/")):
        raise ToolFailure("The path is too long (at most 255 bytes a name, 4,095 in all).", summary="refused")


def _kind(real: Path, path: str) -> int | None:
    """The file type bits, None when nothing is there. Raises ``ToolFailure`` for what is neither file nor folder."""
    try:
        mode = os.lstat(real).st_mode
    except UnicodeEncodeError:
        raise ToolFailure("The path is not valid text.", summary="refused") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ToolFailure(f"{reveal(path)} is a loop of symbolic links.", summary="refused") from None
        return None
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return mode
    kind = "a loop of symbolic links" if stat.S_ISLNK(mode) else "a pipe, socket or device"
    raise ToolFailure(f"{reveal(path)} is {kind}, which tools do not open.", summary="refused")


def _first_concern(spellings: tuple[tuple[str, ...], ...], *, writing: bool) -> tuple[Concern, str] | None:
    found = (concern_of(parts, writing=writing) for parts in spellings)
    return next((concern for concern in found if concern), None)


@contextlib.contextmanager
def _parent(real: Path, *, create: bool = False) -> Generator[int]:
    """A descriptor of the folder that holds ``real``, reached without following any link."""
    here = os.open("/", _FOLDER)
    try:
        for part in real.parent.parts[1:]:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=here)
            below = os.open(part, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def _read_file(parent: int, name: str, limit: int) -> bytes | None:
    """The content of a regular file; None when it is longer than ``limit`` bytes."""
    descriptor = os.open(name or ".", os.O_RDONLY | _FILE, dir_fd=parent)
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "neither a file nor a folder")
        data = file.read(limit + 1)
    return data if len(data) <= limit else None


def _create(parent: int, name: str, content: bytes) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o666, dir_fd=parent)
    try:
        _fill(descriptor, content)
    except OSError:
        os.unlink(name, dir_fd=parent)
        raise


def _replace(parent: int, name: str, content: bytes, replaces: bytes) -> None:
    if _read_file(parent, name, len(replaces)) != replaces:
        raise OSError(errno.ESTALE, "changed")
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if not status.st_mode & 0o222:
        raise PermissionError(errno.EACCES, "read-only file (chmod u+w to allow it)")
    if status.st_nlink > 1:
        _overwrite(parent, name, content)
        return
    temporary = f".patchbay-{secrets.token_hex(8)}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o600, dir_fd=parent)
    except PermissionError:  # the folder may be closed while the file is not
        _overwrite(parent, name, content)
        return
    try:
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            with contextlib.suppress(OSError):  # only root may give files away; the content matters more
                os.fchown(descriptor, status.st_uid, status.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
        _fill(descriptor, content)
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except OSError:
        os.unlink(temporary, dir_fd=parent)
        raise


def _overwrite(parent: int, name: str, content: bytes) -> None:
    descriptor = os.open(name, os.O_WRONLY | _FILE, dir_fd=parent)
    os.ftruncate(descriptor, 0)
    _fill(descriptor, content)


def _fill(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _entry(item: os.DirEntry[str]) -> Entry:
    folder, link = item.is_dir(), item.is_symlink()
    size = item.stat(follow_symlinks=False).st_size if item.is_file(follow_symlinks=False) else None
    return Entry(name=item.name, folder=folder, size=size, link=link)

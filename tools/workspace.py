"""The one place that turns a path from a model into a file, and the one that opens files for tools.

A path is resolved through every symbolic link before anything is decided about it, and is then opened
component by component without following links: a link that appears between the decision and the opening
is refused, not followed.
"""

import difflib
import errno
import os
import re
import stat
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .atomic_write import FileWrite, WriteFailed, write_all
from .failures import ToolFailure
from .opening import opened_parent, read_file
from .safe_text import reveal
from .sensitive import Concern, concern_of
from .withholding import Withholding

MAX_FILE_BYTES = 64_000_000
"""The most that is ever read from one file. Bytes."""

_LISTED = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_RDONLY
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
class Change:
    """One file's content before and after; None means that there is no file."""

    place: Place
    before: bytes | None
    after: bytes | None
    moved_from: Place | None = None
    """For a new file: the deleted one whose mode it takes over. Of no other consequence."""

    @property
    def created(self) -> bool:
        """Whether there was no file."""
        return self.before is None

    @property
    def deleted(self) -> bool:
        """Whether there is no file any more."""
        return self.after is None


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
        self.withholding: Callable[[], Withholding] = Withholding
        """What a person's rules keep back at this moment."""
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
            read_concern=self._read_concern(names, real, lexical),
            write_concern=_first_concern(names, writing=True),
        )

    def read(self, place: Place, *, limit: int = MAX_FILE_BYTES) -> bytes:
        """The bytes of a regular file. Raises ``ToolFailure`` when there is none or it is larger than ``limit``."""
        try:
            with opened_parent(place.real) as parent:
                data = read_file(parent, place.real.name, limit)
        except OSError as error:
            raise self._explained(error, place) from None
        if data is None:
            raise ToolFailure(
                f"{place.shown} is larger than {limit:,} bytes: use grep, or bash with head, sed or tail."
            )
        return data

    def write(self, place: Place, content: bytes, *, replaces: bytes | None) -> None:
        """Put ``content`` in one file, provided that it still holds ``replaces``; see ``apply``."""
        self.apply([Change(place=place, before=replaces, after=content)])

    def apply(self, changes: Sequence[Change]) -> None:
        """Carry out all changes, or none, provided that every file still holds what its change goes out from.

        An existing file keeps its mode, owner and links; it is replaced by renaming, so that no reader sees
        half of it (a file with several hard links is written in place). Missing folders are made. Raises
        ``ToolFailure``; then every file is as it was.
        """
        if len({change.place.real for change in changes}) < len(changes):
            raise ToolFailure("One file is changed twice in one go: put both changes into one.")
        writes = [
            FileWrite(
                path=change.place.real,
                before=change.before,
                after=change.after,
                like=None if change.moved_from is None else change.moved_from.real,
            )
            for change in changes
        ]
        try:
            with self._writing:
                write_all(writes)
        except WriteFailed as failed:
            raise self._explained(failed.error, changes[failed.index].place) from None

    def is_link(self, place: Place) -> bool:
        """Whether the last name of the path as it was given is a symbolic link."""
        given = Path(os.path.join(self.root, place.given))
        return Path(os.path.realpath(given.parent), given.name) != place.real

    def entries(self, place: Place) -> list[Entry]:
        """The names in a folder, folders first. Raises ``ToolFailure``."""
        try:
            with opened_parent(place.real) as parent:
                listed = os.open(place.real.name or ".", _LISTED, dir_fd=parent)
            try:
                with os.scandir(listed) as found:
                    entries = [_entry(item) for item in found]
            finally:
                os.close(listed)
        except OSError as error:
            raise self._explained(error, place) from None
        return sorted(entries, key=lambda entry: (not entry.folder, entry.name))

    def _read_concern(self, names: tuple[tuple[str, ...], ...], *spellings: Path) -> tuple[Concern, str] | None:
        """A rule that denies counts for more than a name, a name for more than a rule that asks."""
        rules = self.withholding()
        found = [
            concern
            for path in spellings
            if rules and (concern := rules.of(self._shown(path), inside=path.is_relative_to(self.root)))
        ]
        denied = next((concern for concern in found if concern[0] is Concern.DENIED), None)
        return denied or _first_concern(names, writing=False) or next(iter(found), None)

    def _without_tilde(self, path: str) -> str:
        if path == "~" or path.startswith("~/"):
            return str(self._home) + path[1:]
        return os.path.expanduser(path) if path.startswith("~") else path

    def _refuse_system_folder(self, candidate: Path, path: str) -> None:
        for folder in _SYSTEM_FOLDERS:
            if candidate.is_relative_to(folder) and not self.root.is_relative_to(folder):
                raise ToolFailure(f"{reveal(path)} is in {folder}, which tools do not open.", kind="refused")

    def _shown(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()

    def _names(self, path: Path) -> tuple[str, ...]:
        """The components that say something about a path: those below the workspace, or all outside of it."""
        return path.relative_to(self.root).parts if path.is_relative_to(self.root) else path.parts

    def _explained(self, error: OSError, place: Place) -> ToolFailure:
        shown = reveal(place.shown)
        kind = "failed"
        match error.errno:
            case errno.ENOENT:
                message, kind = f"There is no file {shown}.{self._similar(place)}", "file_missing"
            case errno.EISDIR:
                message, kind = f"{shown} is a folder: use list.", "is_directory"
            case errno.ELOOP | errno.ENOTDIR:
                message = f"{shown} is not reached through folders alone (a link or a file is in the way)."
                kind = "refused"
            case errno.EEXIST:
                message, kind = f"{shown} has appeared in the meantime: read it first.", "exists"
            case errno.ESTALE:
                message, kind = f"{shown} changed while the call waited: read it again.", "stale"
            case errno.EACCES | errno.EPERM | errno.EROFS:
                message, kind = f"{shown}: {error.strerror or error}.", "read_only"
            case _:
                message = f"{shown}: {error.strerror or error}."
        return ToolFailure(message, kind=kind)

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
        raise ToolFailure("The path is empty.", kind="refused")
    if _CONTROL.search(path):
        raise ToolFailure(f"The path {reveal(path)!r} holds control characters.", kind="refused")
    if _URL.match(path):
        raise ToolFailure(f"{reveal(path)} is a URL, not a path.", kind="refused")
    encoded = path.encode("utf-8", "surrogatepass")
    if len(encoded) >= 4096 or any(len(part) > 255 for part in encoded.split(b"/")):
        raise ToolFailure("The path is too long (at most 255 bytes a name, 4,095 in all).", kind="refused")


def _kind(real: Path, path: str) -> int | None:
    """The file type bits, None when nothing is there. Raises ``ToolFailure`` for what is neither file nor folder."""
    try:
        mode = os.lstat(real).st_mode
    except UnicodeEncodeError:
        raise ToolFailure("The path is not valid text.", kind="refused") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ToolFailure(f"{reveal(path)} is a loop of symbolic links.", kind="refused") from None
        return None
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return mode
    kind = "a loop of symbolic links" if stat.S_ISLNK(mode) else "a pipe, socket or device"
    raise ToolFailure(f"{reveal(path)} is {kind}, which tools do not open.", kind="refused")


def _first_concern(spellings: tuple[tuple[str, ...], ...], *, writing: bool) -> tuple[Concern, str] | None:
    found = (concern_of(parts, writing=writing) for parts in spellings)
    return next((concern for concern in found if concern), None)


def _entry(item: os.DirEntry[str]) -> Entry:
    folder, link = item.is_dir(), item.is_symlink()
    size = item.stat(follow_symlinks=False).st_size if item.is_file(follow_symlinks=False) else None
    return Entry(name=item.name, folder=folder, size=size, link=link)

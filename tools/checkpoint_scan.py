"""A cheap look over a whole workspace: what changed since the last look, and the contents it had then.

The first sweep keeps the content of every file within the limits; later ones read only files whose status
(mode, size, times, inode) moved. A file whose time is so near to the moment it was read that another write
could bear the same time is read again. Folders are opened one from the other without following links; what
the project ignores, version control and the folders of package tools are passed over.
"""

import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from .checkpoint_files import file_snapshot, in_bytes, look, look_in
from .checkpoint_snapshots import ABSENT, Delta, Kind, Snapshot
from .ignores import IgnoreFile
from .project_files import PASSED_OVER, counts, ignore_file

_OWN_TEMPORARY = ".patchbay-"
_DEEPEST = 64
_RACY_NS = 50_000_000
"""Times of files are coarse: within this of being read, a later write may leave no trace in them."""

Signature: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is kept for undoing commands."""

    files: int = 20_000
    """Paths looked at in all."""
    file_bytes: int = 2_000_000
    """The largest content kept before anything happens to it."""
    changed_file_bytes: int = 16_000_000
    """The largest content kept of a file that a command made or changed."""
    total_bytes: int = 200_000_000
    """All contents together."""
    seconds: float = 20.0
    """The longest that one look may take."""


@dataclass(slots=True)
class Index:
    """A workspace at one moment."""

    seen: dict[str, tuple[Signature, Snapshot]] = field(default_factory=dict[str, tuple[Signature, Snapshot]])
    ignored: dict[str, Signature] = field(default_factory=dict[str, Signature])
    """Names that were passed over, with what they looked like."""
    listed: set[str] = field(default_factory=set[str])
    """Folders whose every name is known; ``""`` is the workspace itself."""
    complete: bool = True
    kept_bytes: int = 0


class Sweep:
    """One look over the workspace, with the last one to compare with."""

    def __init__(
        self,
        root: Path,
        before: Index,
        put: Callable[[bytes], str],
        *,
        limits: Limits,
        after_command: bool,
        outside: Path | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """``put`` keeps a content and returns its digest; ``outside`` is a folder never looked into (the store).

        When ``stopped`` says so, the look ends where it is, incomplete.
        """
        self._root = root
        self._before = before
        self._put = put
        self._limits = limits
        self._file_bytes = limits.changed_file_bytes if after_command else limits.file_bytes
        self._outside = str(outside) if outside is not None else ""
        self._stopped = stopped
        self._deadline = time.monotonic() + limits.seconds
        self.index = Index()

    def run(self) -> Index:
        """Look over everything. Raises ``OSError`` when the workspace or the store cannot be used."""
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            exclude = ignore_file(descriptor, ".git/info/exclude")
            self._folder(descriptor, "", [("", exclude)] if exclude else [], 0)
        finally:
            os.close(descriptor)
        return self.index

    def _folder(self, descriptor: int, prefix: str, files: list[tuple[str, IgnoreFile]], depth: int) -> None:
        if self._stopped() or time.monotonic() > self._deadline:
            self.index.complete = False
            return
        own = ignore_file(descriptor, ".gitignore")
        files = [*files, (prefix, own)] if own else files
        below: list[str] = []
        with os.scandir(descriptor) as names:
            for entry in names:
                if len(self.index.seen) >= self._limits.files:
                    self.index.complete = False
                    return
                try:
                    if self._name(descriptor, prefix + entry.name, entry, files):
                        below.append(entry.name)
                except FileNotFoundError:  # gone while we looked
                    continue
        self.index.listed.add(prefix.removesuffix("/"))
        for name in below:
            self._below(descriptor, name, f"{prefix}{name}/", files, depth + 1)

    def _below(self, parent: int, name: str, prefix: str, files: list[tuple[str, IgnoreFile]], depth: int) -> None:
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        except OSError:  # closed to us, or gone
            return
        try:
            if depth < _DEEPEST:
                self._folder(descriptor, prefix, files, depth)
            else:
                self.index.complete = False
        finally:
            os.close(descriptor)

    def _name(self, folder: int, path: str, entry: os.DirEntry[str], files: list[tuple[str, IgnoreFile]]) -> bool:
        """Take in one name; True when it is a folder to go into."""
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.name.startswith(_OWN_TEMPORARY):
            return False
        status = entry.stat(follow_symlinks=False)
        own_store = bool(self._outside) and os.path.join(self._root, path) == self._outside
        if own_store or not counts(entry, path, files):
            self.index.ignored[path] = _signature(status)
            return False
        signature = _signature(status)
        self.index.seen[path] = self._taken(folder, path, entry.name, status, signature)
        return is_folder

    def _taken(
        self, folder: int, path: str, name: str, status: os.stat_result, signature: Signature
    ) -> tuple[Signature, Snapshot]:
        known = self._before.seen.get(path)
        if known is not None and known[0] == signature:
            self.index.kept_bytes += known[1].size if known[1].digest else 0
            return known
        if not stat.S_ISREG(status.st_mode):
            return signature, look_in(folder, name)
        now = time.time_ns()
        snapshot = self._file(folder, name, status)
        racy = now - max(status.st_ctime_ns, status.st_mtime_ns) < _RACY_NS
        return ((*signature, now) if racy else signature), snapshot  # a longer signature equals none that comes

    def _file(self, folder: int, name: str, status: os.stat_result) -> Snapshot:
        if status.st_size > self._file_bytes:
            return file_snapshot(status, "", in_bytes(status.st_size))
        if self.index.kept_bytes + status.st_size > self._limits.total_bytes:
            return file_snapshot(status, "", f"beyond the {in_bytes(self._limits.total_bytes)} that are kept")
        snapshot = look_in(folder, name, self._put, limit=self._file_bytes)
        self.index.kept_bytes += snapshot.size
        return snapshot


def changes(root: Path, before: Index, after: Index, put: Callable[[bytes], str]) -> tuple[list[Delta], list[Delta]]:
    """What happened between two sweeps: what is known on both sides, and what changed unseen (with why).

    A name counts as new only where every name was known before: anything else might be the person's own.
    """
    deltas: list[Delta] = []
    unseen: list[Delta] = []
    created: set[str] = set()
    for path, (signature, snapshot) in after.seen.items():
        known = before.seen.get(path)
        if known is None:
            if _is_new(path, before, created):
                created.add(path)
                if snapshot.kind is not Kind.ABSENT:  # it may have gone again while we looked
                    deltas.append(Delta(path=path, before=ABSENT, after=snapshot))
        elif known[0] != signature and not known[1].same_as(snapshot):
            deltas.append(Delta(path=path, before=known[1], after=snapshot))
    for path, (_, snapshot) in before.seen.items():
        if path in after.seen:
            continue
        now = look(root / path, put)
        if not now.same_as(snapshot):
            deltas.append(Delta(path=path, before=snapshot, after=now))
    for path, signature in before.ignored.items():
        why = _ignored_change(root / path, signature, after.ignored.get(path))
        if why:
            gone = Snapshot(kind=Kind.OTHER, why=why)
            unseen.append(Delta(path=path, before=gone, after=gone))
    return deltas, unseen


def _is_new(path: str, before: Index, created: set[str]) -> bool:
    parent = path.rpartition("/")[0]
    if path in before.ignored:
        return False
    was = before.seen.get(parent)
    no_folder = was is not None and was[1].kind is not Kind.FOLDER  # then nothing was in it
    return no_folder or parent in before.listed or parent in created


def _ignored_change(path: Path, before: Signature, after: Signature | None) -> str:
    """What happened to a name that was passed over, in words; a folder only counts when it is gone."""
    what = "it is never kept" if path.name in PASSED_OVER else "ignored by the project"
    if after is None:
        try:
            after = _signature(os.lstat(path))
        except OSError:
            return f"deleted; {what}"
    folder = stat.S_ISDIR(before[0])
    return "" if folder or before == after else what


def _signature(status: os.stat_result) -> Signature:
    if stat.S_ISDIR(status.st_mode):
        return (status.st_mode,)
    return (
        status.st_mode,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
        status.st_nlink,
    )

"""What watching tools and putting files back share: one session's journal, the contents, the workspace, and words."""

import contextlib
import os
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from .checkpoint_files import look
from .checkpoint_journal import Journal, Record
from .checkpoint_ledger import Ledger
from .checkpoint_objects import MissingObject, ObjectStore
from .checkpoint_scan import Index, Limits, Sweep
from .checkpoint_snapshots import Delta, Kind, Snapshot
from .events import Fate, FileFate
from .text_file import decode, displayable

_TEXT_BYTES = 400_000
"""Texts beyond this size are left out of what is told."""
_UNUSED_S = 14 * 86_400
"""Contents and journals that nothing has used for so long are deleted. Seconds."""
_DAY_S = 86_400

Pairs: TypeAlias = Sequence[tuple[str, str]]
"""Paths, each with why."""


class CheckpointBook:
    """The store and journal of one session in one workspace. Not for two threads at once, but for ``swept`` and
    ``prune``, which have nothing to do with the journal of this session."""

    def __init__(self, folder: Path, workspace: Path, session_id: str, limits: Limits) -> None:
        self.folder = Path(os.path.realpath(folder))
        self.root = Path(os.path.realpath(workspace))
        self.store = ObjectStore(self.folder / "objects")
        self.closed = False
        """Set from another thread to end a look over the workspace early."""
        name = re.sub(r"[^A-Za-z0-9._-]", "_", session_id).lstrip(".")[:120]
        self._journal = Journal(self.folder / "sessions" / f"{name}.jsonl")
        self._ledger: Ledger | None = None
        self._limits = limits

    @property
    def ledger(self) -> Ledger:
        """What the journal says; read when it is first asked for. Raises ``OSError``."""
        if self._ledger is None:
            self._ledger = Ledger(self._journal.read())
        return self._ledger

    @property
    def problems(self) -> Sequence[str]:
        """Lines of the journal that could not be read."""
        return tuple(self._journal.problems)

    def write(self, record: Record) -> None:
        """Add a record to the journal, then to what is known. Raises ``OSError``; then it is in neither."""
        ledger = self.ledger
        self._journal.append(record)
        ledger.take(record)

    # ---- the workspace

    def named(self, path: Path) -> str:
        """A path as the journal calls it."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()

    def where(self, path: str) -> Path:
        """Where a path of the journal is."""
        return self.root / path

    def look(self, path: str) -> Snapshot:
        """What is at a path of the journal now; its content is kept. Raises ``OSError`` when the store is full."""
        return look(self.where(path), self.store.put)

    def names(self, path: str) -> Sequence[str]:
        """The names in a folder now."""
        try:
            return os.listdir(self.where(path))
        except OSError:
            return ()

    def swept(self, before: Index, *, after_command: bool) -> Index:
        """Look over the whole workspace. Raises ``OSError``."""
        sweep = Sweep(
            self.root,
            before,
            self.store.put,
            limits=self._limits,
            after_command=after_command,
            outside=self.folder,
            stopped=lambda: self.closed,
        )
        return sweep.run()

    # ---- contents

    def sealed(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with its content on the disk; where that failed, it says so and cannot be restored."""
        if not snapshot.digest:
            return snapshot
        try:
            self.store.seal(snapshot.digest)
        except MissingObject:
            stamp = snapshot.stamp or snapshot.digest
            return Snapshot(
                kind=Kind.FILE, mode=snapshot.mode, size=snapshot.size, stamp=stamp, why="could not be kept"
            )
        return snapshot

    def prune(self) -> None:
        """Once a day: delete journals and contents that nothing has used for long. Raises ``OSError``."""
        stamp = self.folder / "pruned"
        now = time.time()
        with contextlib.suppress(FileNotFoundError):
            if now - stamp.stat().st_mtime < _DAY_S:
                return
        keep: set[str] = set()
        for journal in (self.folder / "sessions").glob("*.jsonl"):
            if now - journal.stat().st_mtime > _UNUSED_S:
                journal.unlink()
            else:
                keep |= Ledger(Journal(journal).read(mend=False)).digests()
        self.store.prune(frozenset(keep), older_than=now - _UNUSED_S)
        if self.folder.is_dir():
            stamp.touch(mode=0o600)

    # ---- words

    def fate(self, delta: Delta, *, pristine: bool = False) -> FileFate:
        """A change as it is told."""
        return FileFate(
            path=displayable(delta.path),
            fate=Fate.RESTORED,
            before=self.text(delta.before),
            after=self.text(delta.after),
            created=delta.before.kind is Kind.ABSENT,
            deleted=delta.after.kind is Kind.ABSENT,
            folder=Kind.FOLDER in (delta.before.kind, delta.after.kind),
            pristine=pristine,
        )

    def fates(self, moves: Iterable[Delta], kept: Pairs, lost: Pairs) -> tuple[FileFate, ...]:
        """What became of each path. One that was kept or lost was restored all the same when it is as it should be."""
        left = {path for path, _ in (*kept, *lost)}
        fates: list[FileFate] = []
        for move in moves:
            if move.path in left and not move.after.same_as(look(self.where(move.path))):
                continue
            first = self.ledger.first_seen(move.path)
            fates.append(self.fate(move, pristine=first is not None and first.same_as(move.after)))
        for fate, pairs in ((Fate.KEPT, kept), (Fate.LOST, lost)):
            fates += [FileFate(path=displayable(path), fate=fate, why=why) for path, why in dict(pairs).items()]
        return tuple(sorted(fates, key=lambda each: each.path))

    def text(self, snapshot: Snapshot) -> str | None:
        """The text of a file; None for everything else, and for a large one."""
        if snapshot.kind is not Kind.FILE or not snapshot.digest or snapshot.size > _TEXT_BYTES:
            return None
        try:
            file = decode(self.store.get(snapshot.digest))
        except MissingObject:
            return None
        return None if file is None else displayable(file.text)


def words(error: Exception) -> str:
    """What is wrong with the store, for a person."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)

"""Puts files back as a restoration says, so that being cut off anywhere and begun again ends in the same state."""

from collections.abc import Callable
from pathlib import Path

from . import checkpoint_files as files
from .checkpoint_journal import Restore
from .checkpoint_objects import MissingObject, ObjectStore
from .checkpoint_plan import CHANGED_SINCE, expected_in_progress, in_order
from .checkpoint_snapshots import Delta, Kind, Snapshot

Failures = list[tuple[str, str]]


def carry_out(restore: Restore, where: Callable[[str], Path], store: ObjectStore) -> tuple[Failures, Failures]:
    """Do every move that is not done yet. Returns the paths that were kept and those that failed, each with why.

    A path that looks neither as before nor as afterwards has been changed by somebody in the meantime: it is kept.
    """
    kept: Failures = []
    lost: Failures = []
    names: dict[tuple[int, str, int], Path] = {}
    moves = in_order(restore.moves)
    for number, move in enumerate(moves):
        path = where(move.path)
        now = files.look(path)
        if not now.same_as(move.after):
            if not expected_in_progress(move, now):
                kept.append((move.path, CHANGED_SINCE))
                continue
            try:
                _put(path, move, now, store, names, beside=f".patchbay-restore-{restore.id}-{number}")
            except MissingObject:
                lost.append((move.path, "its content is damaged or gone"))
                continue
            except OSError as error:
                lost.append((move.path, (error.strerror or str(error)).lower()))
                continue
        if move.after.link:
            names.setdefault(_name_key(move.after), path)
    for number, move in enumerate(moves):  # what an earlier try left behind
        files.discard(where(move.path), f".patchbay-restore-{restore.id}-{number}")
    return kept, lost


def _put(
    path: Path,
    move: Delta,
    now: Snapshot,
    store: ObjectStore,
    names: dict[tuple[int, str, int], Path],
    *,
    beside: str,
) -> None:
    target = move.after
    if now.kind is not Kind.ABSENT and Kind.FOLDER in (now.kind, target.kind) and now.kind is not target.kind:
        files.remove(path)
    match target.kind:
        case Kind.ABSENT:
            files.remove(path)
        case Kind.FOLDER:
            files.put_folder(path, target.mode)
        case Kind.LINK:
            files.put_link(path, target.target, beside=beside)
        case Kind.FILE:
            other_name = names.get(_name_key(target)) if target.link else None
            if other_name is not None and files.look(other_name).same_as(target):
                files.put_name(path, other_name, beside=beside)
            else:
                files.put_file(path, store.get(target.digest), target.mode, beside=beside)
        case Kind.OTHER:
            raise OSError("a pipe, socket or device cannot be put back")


def _name_key(snapshot: Snapshot) -> tuple[int, str, int]:
    return snapshot.link, snapshot.digest, snapshot.mode

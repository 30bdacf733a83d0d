"""The journal of one session's checkpoints: what each tool run changed, and what was undone and redone.

One JSON object a line, appended with one write and flushed to the disk before anything relies on it. A last
line that was cut off (the machine died while it was written) is dropped when the journal is opened; a damaged
line before it is passed over and reported.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

from .checkpoint_objects import make_private
from .checkpoint_snapshots import Delta
from .events import RestoreKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """From here on the steps belong to this turn and prompt."""

    turn: str
    prompt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one tool run changed. Written once before an edit, as it is planned, and once after, as it came out."""

    id: int
    turn: str
    prompt: str
    run: str
    deltas: tuple[Delta, ...]
    done: bool = True
    """False before the run: then the deltas are what it is going to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Steps were undone or redone. Written before the first file is touched: the moves say all that is to be done."""

    id: int
    kind: RestoreKind
    steps: tuple[int, ...]
    moves: tuple[Delta, ...]
    """``before`` is what was there, ``after`` what is put there."""
    kept: tuple[tuple[str, str], ...] = ()
    """Paths that were left alone because somebody else changed them, each with why."""
    lost: tuple[tuple[str, str], ...] = ()
    """Paths that cannot be put back, each with why."""
    of: int = 0
    """For a redo: the restore that it takes back."""
    prompt: str = ""
    """For a rewind: the prompt it goes back to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """All moves of a restore are done and the session knows of it."""

    id: int


Record: TypeAlias = Begun | Step | Restore | Settled


class Journal:
    """The records of one session. Raises ``OSError`` when the disk refuses."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problems: list[str] = []
        """Lines that could not be read, in words."""

    def read(self, *, mend: bool = True) -> list[Record]:
        """Every record, oldest first. ``mend`` makes the file fit for appending: not for another session's."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        *whole, torn = data.split(b"\n")
        if torn and mend:
            os.truncate(self._path, len(data) - len(torn))
        records: list[Record] = []
        for number, line in enumerate(whole, 1):
            try:
                records.append(_decoded(json.loads(line)))
            except (ValueError, TypeError, KeyError, AttributeError):
                self.problems.append(f"line {number} of {self._path.name} is damaged")
        return records

    def append(self, record: Record) -> None:
        """Add a record; all but a ``Begun`` are on the disk when this returns."""
        line = json.dumps(_encoded(record), separators=(",", ":")).encode() + b"\n"
        try:
            descriptor = self._opened(os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            make_private(self._path.parent)
            descriptor = self._opened(os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_CREAT)
        try:
            size = os.fstat(descriptor).st_size
            if os.write(descriptor, line) != len(line):
                os.ftruncate(descriptor, size)  # the disk is full: half a line would swallow the next one
                raise OSError("the journal could not be written in full")
            if not isinstance(record, Begun):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _opened(self, flags: int) -> int:
        return os.open(self._path, flags, 0o600)


def _encoded(record: Record) -> dict[str, Any]:
    match record:
        case Begun():
            return {"type": "begun", "turn": record.turn, "prompt": record.prompt}
        case Step():
            return {
                "type": "step",
                "id": record.id,
                "turn": record.turn,
                "prompt": record.prompt,
                "run": record.run,
                "done": record.done,
                "deltas": [delta.to_json() for delta in record.deltas],
            }
        case Restore():
            return {
                "type": "restore",
                "id": record.id,
                "kind": record.kind.value,
                "steps": list(record.steps),
                "moves": [move.to_json() for move in record.moves],
                "kept": [list(pair) for pair in record.kept],
                "lost": [list(pair) for pair in record.lost],
                "of": record.of,
                "prompt": record.prompt,
            }
        case Settled():
            return {"type": "settled", "id": record.id}


def _decoded(row: Mapping[str, Any]) -> Record:
    make: Callable[[Mapping[str, Any]], Record] = _READERS[row["type"]]
    return make(row)


def _begun(row: Mapping[str, Any]) -> Record:
    return Begun(turn=str(row["turn"]), prompt=str(row["prompt"]))


def _step(row: Mapping[str, Any]) -> Record:
    return Step(
        id=int(row["id"]),
        turn=str(row["turn"]),
        prompt=str(row["prompt"]),
        run=str(row["run"]),
        done=bool(row["done"]),
        deltas=tuple(Delta.from_json(each) for each in row["deltas"]),
    )


def _restore(row: Mapping[str, Any]) -> Record:
    return Restore(
        id=int(row["id"]),
        kind=RestoreKind(row["kind"]),
        steps=tuple(int(each) for each in row["steps"]),
        moves=tuple(Delta.from_json(each) for each in row["moves"]),
        kept=_pairs(row["kept"]),
        lost=_pairs(row["lost"]),
        of=int(row["of"]),
        prompt=str(row["prompt"]),
    )


def _settled(row: Mapping[str, Any]) -> Record:
    return Settled(id=int(row["id"]))


def _pairs(rows: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    return tuple((str(path), str(why)) for path, why in cast("Sequence[Sequence[Any]]", rows))


_READERS: dict[str, Callable[[Mapping[str, Any]], Record]] = {
    "begun": _begun,
    "step": _step,
    "restore": _restore,
    "settled": _settled,
}

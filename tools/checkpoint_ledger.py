"""What a session's checkpoint journal amounts to: which steps stand, which are undone, what can be redone."""

from collections.abc import Iterable

from .base import UndoUnit
from .checkpoint_journal import Begun, Record, Restore, Settled, Step
from .checkpoint_snapshots import Delta, Snapshot
from .events import RestoreKind


class Ledger:
    """The records of one session, taken in one by one."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.turn = ""
        self.prompt = ""
        self.last_id = 0
        self.pending: Restore | None = None
        """A restoration that was begun and never settled: files may be half-way."""
        self._steps: dict[int, Step] = {}
        self._undone: set[int] = set()
        self._redoable: list[Restore] = []
        self._began_at: dict[str, int] = {}
        for record in records:
            self.take(record)

    def take(self, record: Record) -> None:
        """Take in the next record."""
        match record:
            case Begun():
                self.turn, self.prompt = record.turn, record.prompt
                self._began_at.setdefault(record.prompt, self.last_id + 1)
            case Step():
                self._take_step(record)
            case Restore():
                self._take_restore(record)
            case Settled():
                if self.pending is not None and self.pending.id == record.id:
                    self.pending = None

    def _take_step(self, step: Step) -> None:
        self.last_id = max(self.last_id, step.id)
        if step.deltas:
            self._steps[step.id] = step
            self._redoable.clear()  # what was undone belongs to a past that did not happen
        else:
            self._steps.pop(step.id, None)

    def _take_restore(self, restore: Restore) -> None:
        self.last_id = max(self.last_id, restore.id)
        self.pending = restore
        if restore.kind is RestoreKind.REDO:
            self._undone.difference_update(restore.steps)
            self._redoable = [each for each in self._redoable if each.id != restore.of]
        else:
            self._undone.update(restore.steps)
            self._redoable.append(restore)

    def newest(self, unit: UndoUnit) -> list[Step]:
        """The steps that one undo takes back, oldest first; none when nothing stands."""
        standing = self._standing()
        if not standing:
            return []
        last = standing[-1]
        if unit is UndoUnit.TURN:
            return [step for step in standing if step.turn == last.turn]
        return [step for step in standing if (step.turn, step.prompt) == (last.turn, last.prompt)]

    def since(self, prompt: str) -> list[Step]:
        """The steps that stand and came with or after a prompt, oldest first."""
        first = self._began_at.get(prompt)
        return [] if first is None else [step for step in self._standing() if step.id >= first]

    def redoable(self) -> Restore | None:
        """The undo or rewind that a redo takes back."""
        return self._redoable[-1] if self._redoable else None

    @property
    def prompts(self) -> tuple[str, ...]:
        """Every prompt that began, oldest first."""
        return tuple(self._began_at)

    def first_seen(self, path: str) -> Snapshot | None:
        """What was at a path before the session first changed it."""
        deltas = (delta for step in self._steps.values() for delta in step.deltas if delta.path == path)
        first = next(deltas, None)
        return None if first is None else first.before

    def last_left(self, path: str) -> Snapshot | None:
        """What the session last left at a path, with the steps that stand."""
        deltas = (delta for step in reversed(self._standing()) for delta in step.deltas if delta.path == path)
        last = next(deltas, None)
        return None if last is None else last.after

    def digests(self) -> set[str]:
        """Every content that the journal refers to."""
        restores = (move for restore in self._redoable for move in restore.moves)
        deltas = [*(delta for step in self._steps.values() for delta in step.deltas), *restores]
        return {each.digest for delta in deltas for each in (delta.before, delta.after)} - {""}

    def _standing(self) -> list[Step]:
        return [step for number, step in sorted(self._steps.items()) if number not in self._undone]


def deltas_of(steps: Iterable[Step]) -> list[Delta]:
    """Everything that some steps did, oldest first."""
    return [delta for step in steps for delta in step.deltas]

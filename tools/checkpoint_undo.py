"""Undo, redo and rewind: works out what to put back, writes it down, and does it."""

from collections.abc import Mapping, Sequence

from .base import Restoration, UndoUnit
from .checkpoint_book import CheckpointBook
from .checkpoint_journal import Restore, Settled, Step
from .checkpoint_ledger import deltas_of
from .checkpoint_plan import Moves, going_back
from .checkpoint_restore import carry_out
from .checkpoint_snapshots import Delta, Kind
from .diffs import unified_diff
from .events import RestoreKind
from .text_file import displayable


class Restorer:
    """Puts the files of one session back and forth. Every method raises ``OSError`` when the store cannot be used."""

    def __init__(self, book: CheckpointBook) -> None:
        self._book = book

    def unfinished(self) -> Restoration | None:
        """Finish the restoration that was cut off, if there is one."""
        pending = self._book.ledger.pending
        return None if pending is None else self._done(pending)

    def undo(self, unit: UndoUnit) -> Restoration | None:
        """Take back the newest turn or prompt; when an undo was cut off, finishing it is the undo."""
        unfinished = self.unfinished()
        if unfinished is not None and unfinished.kind is RestoreKind.UNDO:
            return unfinished
        steps = self._book.ledger.newest(unit)
        if not steps:
            return unfinished
        return self._begun(RestoreKind.UNDO, steps, self._back(deltas_of(steps)))

    def redo(self) -> Restoration | None:
        """Take back the newest undo or rewind."""
        unfinished = self.unfinished()
        if unfinished is not None and unfinished.kind is RestoreKind.REDO:
            return unfinished
        undone = self._book.ledger.redoable()
        if undone is None:
            return unfinished
        return self._begun(RestoreKind.REDO, (), self._back(undone.moves), of=undone)

    def rewind(self, prompt_id: str) -> Restoration:
        """Take back everything since a prompt was sent."""
        unfinished = self.unfinished()
        if unfinished is not None and unfinished.kind is RestoreKind.REWIND and unfinished.prompt_id == prompt_id:
            return unfinished
        steps = self._book.ledger.since(prompt_id)
        return self._begun(RestoreKind.REWIND, steps, self._back(deltas_of(steps)), prompt=prompt_id)

    def settle(self, restore_id: int) -> None:
        """The session knows of this restoration."""
        pending = self._book.ledger.pending
        if pending is not None and pending.id == restore_id:
            self._book.write(Settled(id=restore_id))

    def preview(self, kind: RestoreKind, prompt_id: str) -> Restoration | None:
        """What would be done now; None when there is nothing to undo or redo."""
        deltas = self._deltas(kind, prompt_id)
        if not deltas and kind is not RestoreKind.REWIND:
            return None
        moves = self._back(deltas)
        files = self._book.fates(moves.moves, moves.kept, moves.lost)
        return Restoration(restore_id=0, kind=kind, prompt_id=prompt_id, files=files)

    def compare(self, path: str) -> str:
        """How a file differs from what the session left there."""
        book = self._book
        left = book.ledger.last_left(path)
        now = book.look(path)
        if left is None:
            return "The session left nothing there."
        if now.kind is Kind.ABSENT:
            return "It was deleted since."
        if left.kind is Kind.ABSENT:
            return "The session had deleted it; it is there again."
        before, after = book.text(left), book.text(now)
        if before is None or after is None:
            return "It is no text, or too large to be shown."
        return unified_diff(before, after, displayable(path)).text or "Its mode was changed."

    def changed_since(self) -> Mapping[str, int]:
        """How many paths were changed since each prompt."""
        ledger = self._book.ledger
        return {prompt: len({delta.path for delta in deltas_of(ledger.since(prompt))}) for prompt in ledger.prompts}

    def _deltas(self, kind: RestoreKind, prompt_id: str) -> Sequence[Delta]:
        ledger = self._book.ledger
        match kind:
            case RestoreKind.UNDO:
                return deltas_of(ledger.newest(UndoUnit.TURN))
            case RestoreKind.REWIND:
                return deltas_of(ledger.since(prompt_id))
            case RestoreKind.REDO:
                undone = ledger.redoable()
                return () if undone is None else undone.moves

    def _back(self, deltas: Sequence[Delta]) -> Moves:
        return going_back(deltas, self._book.look, self._book.names)

    def _begun(
        self, kind: RestoreKind, steps: Sequence[Step], moves: Moves, *, prompt: str = "", of: Restore | None = None
    ) -> Restoration:
        """Write down what is going to be done, then do it."""
        book = self._book
        possible: list[Delta] = []
        for move in moves.moves:
            book.sealed(move.before)  # for the way forth again; without it that way will say so
            target = book.sealed(move.after)
            if target.restorable:
                possible.append(move)
            else:
                moves.lost.append((move.path, "its content is damaged or gone"))
        restore = Restore(
            id=book.ledger.last_id + 1,
            kind=kind,
            steps=tuple(step.id for step in steps) if of is None else of.steps,
            moves=tuple(possible),
            kept=tuple(moves.kept),
            lost=tuple(moves.lost),
            of=0 if of is None else of.id,
            prompt=prompt,
        )
        book.write(restore)
        return self._done(restore)

    def _done(self, restore: Restore) -> Restoration:
        book = self._book
        kept, lost = carry_out(restore, book.where, book.store)
        files = book.fates(restore.moves, (*restore.kept, *kept), (*restore.lost, *lost))
        return Restoration(restore_id=restore.id, kind=restore.kind, files=files, prompt_id=restore.prompt)

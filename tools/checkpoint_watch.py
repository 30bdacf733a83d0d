"""Watches one tool run: keeps what it is going to change, and writes down what it changed."""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from .checkpoint_book import CheckpointBook, words
from .checkpoint_files import look
from .checkpoint_journal import Step
from .checkpoint_objects import MissingObject
from .checkpoint_scan import Index, changes
from .checkpoint_snapshots import ABSENT, ANY_MODE, Delta, Kind, Snapshot
from .events import FileFate
from .text_file import displayable
from .workspace import Change


@dataclass(slots=True, kw_only=True)
class Watch:
    """A run that is watched: what was there before it."""

    run: str
    step_id: int = 0
    turn: str = ""
    prompt: str = ""
    before: dict[str, Snapshot] = field(default_factory=dict[str, Snapshot])
    """The files that an edit names."""
    index: Index | None = None
    """The whole workspace, when anything may change."""
    problem: str = ""
    """Why nothing could be kept; empty when all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a run did."""

    changed: tuple[FileFate, ...] = ()
    """What it changed and can be undone; the fates themselves mean nothing here."""
    not_covered: tuple[tuple[str, str], ...] = ()
    """What undo cannot put back, each with why."""
    problem: str = ""
    """Why nothing of it can be undone; empty when all is well."""

    @property
    def note(self) -> str:
        """What the model and the person have to know of it; empty when everything can be undone."""
        if self.problem:
            return f"Undo does not cover this call: {self.problem}."
        if not self.not_covered:
            return ""
        shown = ", ".join(f"{path} ({why})" for path, why in self.not_covered[:_SHOWN])
        more = len(self.not_covered) - _SHOWN
        return f"Undo does not cover: {shown}{f' and {more} more' if more > 0 else ''}"


_SHOWN = 10


class Watcher:
    """Watches the runs of one session, one after the other. Looks over the workspace wait for each other; an edit,
    which needs none, does not wait for the first long one."""

    def __init__(self, book: CheckpointBook) -> None:
        self._book = book
        self._index = Index()
        self._sweeping = threading.Lock()
        self._told_incomplete = False

    def warm(self) -> None:
        """Get to know the workspace, so that the first command does not wait for it. Raises ``OSError``."""
        self._swept(after_command=False)

    def before(self, run_id: str, edits: Sequence[Change], *, anything: bool) -> Watch:
        """Keep what is going to change: the files of ``edits``, and the workspace when ``anything`` may."""
        watch = Watch(run=run_id)
        book = self._book
        try:
            ledger = book.ledger
            ledger.last_id += 1
            watch.step_id, watch.turn, watch.prompt = ledger.last_id, ledger.turn, ledger.prompt
            planned = [delta for edit in edits for delta in self._planned(edit)]
            watch.before = {delta.path: delta.before for delta in planned}
            if anything or any(delta.before.link for delta in planned):  # another name of the file changes with it
                watch.index = self._swept(after_command=False)
            if planned:
                for delta in planned:
                    if delta.before.digest:
                        book.store.seal(delta.before.digest)
                book.write(_step(watch, planned, done=False))
        except (OSError, MissingObject) as error:
            watch.problem = words(error)
        return watch

    def after(self, watch: Watch) -> Watched:
        """Write down what the run did."""
        if watch.problem:
            return Watched(problem=watch.problem)
        try:
            return self._written(watch)
        except (OSError, MissingObject) as error:
            return Watched(problem=words(error))

    def _swept(self, *, after_command: bool) -> Index:
        with self._sweeping:
            self._index = self._book.swept(self._index, after_command=after_command)
            return self._index

    def _planned(self, edit: Change) -> list[Delta]:
        """What an edit is going to do, as far as it can be known: to its file, and to folders that are missing."""
        real, named = edit.place.real, self._book.named
        before = look(real, self._book.store.put)
        if edit.after is None:
            return [Delta(path=named(real), before=before, after=ABSENT)]
        mode = before.mode if before.kind is Kind.FILE else ANY_MODE
        after = Snapshot(kind=Kind.FILE, mode=mode, digest=self._book.store.put(edit.after), size=len(edit.after))
        missing = [folder for folder in real.parents if not os.path.lexists(folder)]
        folder = Snapshot(kind=Kind.FOLDER, mode=ANY_MODE)
        made = [Delta(path=named(each), before=ABSENT, after=folder) for each in reversed(missing)]
        return [*made, Delta(path=named(real), before=before, after=after)]

    def _written(self, watch: Watch) -> Watched:
        book = self._book
        found: dict[str, Delta] = {}
        unseen: list[Delta] = []
        if watch.index is not None:
            now = self._swept(after_command=True)
            deltas, unseen = changes(book.root, watch.index, now, book.store.put)
            found = {delta.path: delta for delta in deltas}
        for path, before in watch.before.items():
            found.pop(path, None)
            after = book.look(path)
            if not before.same_as(after):
                found[path] = Delta(path=path, before=before, after=after)
        kept = [
            Delta(path=delta.path, before=book.sealed(delta.before), after=book.sealed(delta.after))
            for delta in (*found.values(), *unseen)
        ]
        if kept or watch.before:
            book.write(_step(watch, kept, done=True))
        lost = [(displayable(delta.path), delta.why_not) for delta in kept if not delta.covered]
        if watch.index is not None and not self._index.complete and not self._told_incomplete:
            self._told_incomplete = True
            lost.append((f"what lies beyond the first {len(self._index.seen):,} names", "the folder is too large"))
        return Watched(changed=tuple(book.fate(delta) for delta in kept if delta.covered), not_covered=tuple(lost))


def _step(watch: Watch, deltas: Sequence[Delta], *, done: bool) -> Step:
    return Step(id=watch.step_id, turn=watch.turn, prompt=watch.prompt, run=watch.run, deltas=tuple(deltas), done=done)

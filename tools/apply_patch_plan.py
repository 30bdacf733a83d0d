"""Carries a patch out in memory: what each file would hold afterwards, before anything is written."""

from pathlib import Path

from .apply_patch_hunks import patched
from .apply_patch_model import FileAction, FilePatch, Hunk
from .changing import Change
from .failures import ToolFailure
from .text_file import decode, in_style_of
from .tool import ToolContext
from .workspace import Place


class PatchedFiles:
    """The files of one patch as they become, part by part. Every method raises ``ToolFailure``."""

    def __init__(self, context: ToolContext) -> None:
        self._context = context
        self._places: dict[Path, Place] = {}
        self._before: dict[Path, bytes | None] = {}
        self._now: dict[Path, bytes | None] = {}
        self._moved_from: dict[Path, Place] = {}
        self.tolerances: tuple[str, ...] = ()
        """In what the files differ from the patch, in words."""

    def take(self, file: FilePatch, place: Place, target: Place | None) -> None:
        """Carry out one part of the patch."""
        if place.folder:
            raise ToolFailure(f"{place.shown} is a folder: a patch changes files.", kind="is_directory")
        match file.action:
            case FileAction.ADD:
                self._add(file, place)
            case FileAction.DELETE:
                self._delete(file, place)
            case FileAction.UPDATE:
                self._update(file, place, target)

    def changes(self) -> list[Change]:
        """What differs in the end, in the order of the patch."""
        return [
            Change(place=place, before=self._before[real], after=self._now[real], moved_from=self._moved_from.get(real))
            for real, place in self._places.items()
            if self._before[real] != self._now[real]
        ]

    def _add(self, file: FilePatch, place: Place) -> None:
        present = self._content(place)
        if present is not None and self._before[place.real] is not None:
            self._refuse_unknown(place, present, overwrite=file.overwrite)
        lines = [line.text for hunk in file.hunks for line in hunk.lines]
        content = "".join(f"{line}\n" for line in lines)
        if file.hunks and file.hunks[-1].unended:
            content = content.removesuffix("\n")
        self._now[place.real] = in_style_of(present, content)

    def _delete(self, file: FilePatch, place: Place) -> None:
        present = self._existing(place, file.hunks, whole=True)
        self._refuse_link(place)
        if file.whole and present and self._hunked(place, present, file.hunks):
            raise ToolFailure(
                f"{place.shown} holds more than the diff takes away: read it, then delete it with all of its lines.",
                kind="not_found",
            )
        self._now[place.real] = None

    def _update(self, file: FilePatch, place: Place, target: Place | None) -> None:
        moves = target is not None and target.real != place.real
        present = self._existing(place, file.hunks, whole=moves and not file.hunks)
        after = self._hunked(place, present, file.hunks) if file.hunks else present
        if target is None or not moves:
            self._now[place.real] = after
            return
        if target.folder:
            raise ToolFailure(f"{target.shown} is a folder: give the whole new path.", kind="is_directory")
        there = self._content(target)
        if there is not None:
            self._refuse_unknown(target, there, overwrite=True)
        if not file.copy:
            self._refuse_link(place)
            self._now[place.real] = None
        self._now[target.real] = after
        self._moved_from[target.real] = place

    def _hunked(self, place: Place, present: bytes, hunks: tuple[Hunk, ...]) -> bytes:
        text = decode(present)
        if text is None:
            raise ToolFailure(f"{place.shown} is a binary file: change it with bash.", kind="binary")
        for hunk in hunks:
            text.refuse_unencodable("".join(line.text for line in hunk.lines if line.sign == "+"))
        result = patched(text.text, hunks, place.shown)
        self._context.seen.require_shown(place, text.text, result.text)
        self.tolerances = tuple(dict.fromkeys((*self.tolerances, *result.tolerances)))
        return text.encoded(result.text)

    def _content(self, place: Place) -> bytes | None:
        """What the file holds at this point of the patch; None when there is none."""
        if place.real not in self._now:
            content = self._context.workspace.read(place) if place.exists else None
            self._places[place.real] = place
            self._before[place.real] = self._now[place.real] = content
        return self._now[place.real]

    def _existing(self, place: Place, hunks: tuple[Hunk, ...], *, whole: bool) -> bytes:
        """The same for a file that must be there, and be known to the model."""
        first_look = place.real not in self._now
        present = self._content(place)
        if present is None:
            present = self._context.workspace.read(place)  # explains why there is none, and names its likes
        if first_look:
            self._context.seen.require_current(place, present, wanted=[h.old for h in hunks if h.old], whole=whole)
        return present

    def _refuse_unknown(self, place: Place, present: bytes, *, overwrite: bool) -> None:
        """A file may be replaced by a patch only when the model knows it as it is."""
        if not overwrite or not self._context.seen.knows(place):
            raise ToolFailure(f"{place.shown} exists already: read it, then update it.", kind="exists")
        self._context.seen.require_current(place, present, whole=True)

    def _refuse_link(self, place: Place) -> None:
        """To move or delete a link would move or delete what it leads to, and leave the link."""
        if self._context.workspace.is_link(place):
            raise ToolFailure(f"{place.given} is a symbolic link: move or delete it with bash.", kind="refused")

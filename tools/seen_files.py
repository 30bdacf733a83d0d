"""Remembers what the model knows of each file, so that no edit is made on a file it has not seen as it is."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from .diffs import unified_diff
from .failures import ToolFailure
from .regions import excerpt
from .text_file import Lines, decode, displayable
from .workspace import Place

_KEPT_BYTES = 400_000
"""Files up to this size are kept whole, to tell what changed in them; of larger ones only the digest."""
_KEPT_FILES = 64
_EXCERPT_LINES = 80


class SeenFiles:
    """The files read or written through one toolbox, by resolved path. Modification times play no part."""

    def __init__(self) -> None:
        self._digests: dict[Path, bytes] = {}
        self._contents: dict[Path, bytes] = {}
        self._parts: dict[Path, set[str]] = {}
        """The lines known of files that were shown in part only."""

    def note(self, place: Place, data: bytes) -> None:
        """The model has just been shown, or has itself written, this content."""
        self._digests[place.real] = _digest(data)
        self._contents.pop(place.real, None)
        self._parts.pop(place.real, None)
        if len(data) <= _KEPT_BYTES:
            self._contents[place.real] = data
            if len(self._contents) > _KEPT_FILES:
                del self._contents[next(iter(self._contents))]

    def forget(self, place: Place) -> None:
        """The file is gone: one of the same name that comes later has not been seen."""
        self._digests.pop(place.real, None)
        self._contents.pop(place.real, None)
        self._parts.pop(place.real, None)

    def knows(self, place: Place) -> bool:
        """Whether the model has seen the file at all, as it is or as it was."""
        return place.real in self._digests

    def note_changed(self, place: Place, before: bytes | None, after: bytes) -> None:
        """The model has changed the file: it knows of it what it knew before, and what it wrote."""
        known = self._parts.get(place.real)
        if before is None or known is None or self._digests.get(place.real) != _digest(before):
            self.note(place, after)
            return
        self._digests[place.real] = _digest(after)
        known |= set(_lines(after) or ())

    def require_current(
        self, place: Place, data: bytes, *, wanted: Sequence[Sequence[str]] = (), whole: bool = False
    ) -> None:
        """Raise ``ToolFailure`` unless the model knows ``data``, the present content (all of it, if ``whole``).

        The failure shows what changed when that is short: then the model knows the file. Otherwise it shows what
        is around ``wanted``, the texts the call looks for: then the model knows these lines and no others, see
        ``require_shown``.
        """
        known = self._digests.get(place.real)
        if known == _digest(data):
            if whole and place.real in self._parts:
                raise ToolFailure(
                    f"You have seen only a part of {place.shown} as it is: read it first.", kind="not_read"
                )
            return
        change = self._difference(place, data)
        if change:
            self.note(place, data)
            raise _stale(place, f"This is what changed since you last saw it:\n{change}Now edit the file as it is.")
        around = "" if whole else self._excerpt(place, data, wanted)
        if known is not None:
            raise _stale(place, around + "Go out from this, or read it again." if around else "Read it again.")
        advice = f" yet. {around}Go out from this, or read it." if around else " yet: read it, then change it."
        raise ToolFailure(f"You have not read {place.shown}{advice}", kind="not_read")

    def require_shown(self, place: Place, before: str, after: str) -> None:
        """Raise ``ToolFailure`` when a change takes away lines that a partial look at the file did not show."""
        known = self._parts.get(place.real)
        if known is None:
            return
        unseen = set(_split(before)) - set(_split(after)) - known
        if unseen:
            raise ToolFailure(
                f"You have seen only a part of {place.shown} as it is, and not these lines: read it first.",
                kind="not_read",
            )

    def _excerpt(self, place: Place, data: bytes, wanted: Sequence[Sequence[str]]) -> str:
        """The lines around ``wanted``, which the model then knows; "" when it may not see the file unasked."""
        lines = _lines(data) if place.inside and not place.read_concern else None
        text, known = excerpt(lines, [list(each) for each in wanted]) if lines else ("", set[str]())
        if not text:
            return ""
        self.note(place, data)
        self._contents.pop(place.real, None)
        self._parts[place.real] = known
        return f"This is around what you want to change:\n{displayable(text)}\n"

    def _difference(self, place: Place, data: bytes) -> str:
        """The change since the model saw the file; "" when it is long, unknown or not the model's to see unasked."""
        if place.real not in self._contents or not place.inside or place.read_concern:
            return ""
        before, after = decode(self._contents[place.real]), decode(data)
        if before is None or after is None:
            return ""
        diff = unified_diff(displayable(before.text), displayable(after.text), place.shown).text
        return diff if diff.count("\n") <= _EXCERPT_LINES and len(diff) <= 8000 else ""


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _stale(place: Place, advice: str) -> ToolFailure:
    return ToolFailure(f"{place.shown} is not as you last saw it: something else changed it. {advice}", kind="stale")


def _split(text: str) -> list[str]:
    return Lines(text).text.removesuffix("\n").split("\n")


def _lines(data: bytes) -> list[str] | None:
    file = decode(data)
    return None if file is None else _split(file.text)

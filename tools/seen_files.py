"""Remembers what the model knows of each file, so that no edit is made on a file it has not seen as it is."""

import hashlib
from pathlib import Path

from .diffs import unified_diff
from .failures import ToolFailure
from .text_file import decode, displayable
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

    def note(self, place: Place, data: bytes) -> None:
        """The model has just been shown, or has itself written, this content."""
        self._digests[place.real] = _digest(data)
        self._contents.pop(place.real, None)
        if len(data) <= _KEPT_BYTES:
            self._contents[place.real] = data
            if len(self._contents) > _KEPT_FILES:
                del self._contents[next(iter(self._contents))]

    def forget(self, place: Place) -> None:
        """The file is gone: one of the same name that comes later has not been seen."""
        self._digests.pop(place.real, None)
        self._contents.pop(place.real, None)

    def require_current(self, place: Place, data: bytes) -> None:
        """Raise ``ToolFailure`` unless the model knows ``data``, the present content.

        When what changed is short, the failure shows all of it, and the model then knows the file.
        """
        known = self._digests.get(place.real)
        if known is None:
            raise ToolFailure(f"You have not read {place.shown} yet: read it, then change it.", kind="not_read")
        if known == _digest(data):
            return
        excerpt = self._difference(place, data)
        if excerpt:
            self.note(place, data)
            advice = f"This is what changed since you last saw it:\n{excerpt}Now edit the file as it is."
        else:
            advice = "Read it again."
        raise ToolFailure(f"{place.shown} is not as you last saw it: something else changed it. {advice}", kind="stale")

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

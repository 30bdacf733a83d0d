"""Images from the clipboard, until they are no longer named: files of the person alone, called after their content.

A pasted image stands in a prompt as ``@pasted-<12 hex digits>.png``, and is found by that name wherever the text goes:
into a draft, back from the queue, into a fork, up from the history. What was sent is in the journal as well.
"""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..tools.attaching import MAX_IMAGE_BYTES, image_type
from .engine.mentions import PASTED_NAME
from .paths import make_private_folder
from .plain_file import read_plain_file

FRESH_S = 86_400.0
"""How long one that nothing names is kept: what was deleted from a prompt may be put back."""
_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PastedImage:
    """An image that was pasted."""

    name: str
    data: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """SHA-256 of its bytes, in hex."""
        return hashlib.sha256(self.data).hexdigest()


class PastedImages:
    """The images in one folder. Every method may block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, data: bytes) -> PastedImage:
        """Keep an image; the same bytes have the same name. Raises ``OSError``, and ``ValueError`` for no image."""
        media_type = image_type(data)
        if not media_type or len(data) > MAX_IMAGE_BYTES:
            raise ValueError("no image that models take")
        name = f"pasted-{hashlib.sha256(data).hexdigest()[:12]}.{_SUFFIXES[media_type]}"
        file = make_private_folder(self.folder) / name
        if self.find(name) is not None:
            os.utime(file)
        else:
            _write(file, data)
        return PastedImage(name=name, data=data, media_type=media_type)

    def find(self, name: str) -> PastedImage | None:
        """The image of that name; None when it is not kept (any more), or is not what its name says."""
        if PASTED_NAME.fullmatch(name) is None:
            return None
        try:
            data = read_plain_file(self.folder / name, MAX_IMAGE_BYTES, follow=False)
        except OSError:
            return None
        media_type = image_type(data)
        if not media_type or hashlib.sha256(data).hexdigest()[:12] != name[7:19]:
            return None
        return PastedImage(name=name, data=data, media_type=media_type)

    def names(self) -> list[str]:
        """All that are kept."""
        try:
            return sorted(name for name in os.listdir(self.folder) if PASTED_NAME.fullmatch(name))
        except OSError:
            return []

    def tidy(self, named: Callable[[Collection[str]], set[str]], *, at: float, gone: Iterable[str] = ()) -> None:
        """Delete what nothing names (``named`` says what is): ``gone`` at once, others a day after they were pasted.

        ``at`` is seconds since the epoch.
        """
        told = set(gone)
        old = [name for name in self.names() if name in told or self._age(name, at) > FRESH_S]
        kept = named(old) if old else set[str]()
        for name in old:
            if name not in kept:
                with contextlib.suppress(OSError):
                    (self.folder / name).unlink()

    def _age(self, name: str, at: float) -> float:
        try:
            return at - (self.folder / name).stat().st_mtime
        except OSError:
            return 0.0


def _write(file: Path, data: bytes) -> None:
    """All of it or nothing; only the person may read it (``mkstemp`` makes it so)."""
    number, written = tempfile.mkstemp(dir=file.parent, prefix=".new-")
    try:
        with os.fdopen(number, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(written).replace(file)
    except OSError:
        Path(written).unlink(missing_ok=True)
        raise

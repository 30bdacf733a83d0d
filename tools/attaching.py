"""What a person adds to a prompt: files, folders and images of the workspace, read as the tools would read them.

The same path rules hold as for the model's own calls: links are followed before anything is decided, nothing outside
the workspace goes along, and neither does a file whose name says that it holds secrets. The one exception is an image
that the person names by its absolute path, as a terminal writes it when a picture is dropped on it.
"""

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from .bounds import joined_lines
from .failures import ToolFailure
from .numbered import lines_of, numbered
from .safe_text import marked_name, safe_line
from .seen_files import SeenFiles
from .sensitive import Concern
from .text_file import decode
from .workspace import Place, Workspace

MAX_IMAGE_BYTES = 5_000_000
"""Of one image: what every provider takes."""
LISTED = 400
"""Names of a folder that go along; of more, how many there are in each of its sub-folders."""
_NOTE_BYTES = 280
_LEAST_BYTES = 400
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_IMAGE_NAMES = (".png", ".jpg", ".jpeg", ".gif", ".webp")


class AddedKind(StrEnum):
    """What was added to a prompt."""

    FILE = "file"
    FOLDER = "folder"
    IMAGE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """One thing that goes along with a prompt."""

    kind: AddedKind
    source: str
    """The path as the model is told it."""
    text: str = ""
    media_type: str = ""
    data_base64: str = ""
    first_line: int | None = None
    last_line: int | None = None
    digest: str = ""
    """SHA-256 of the file's bytes, in hex."""
    remark: str = ""
    """What the person should know: what was left out, and why."""


class Attaching:
    """Reads what a person names. ``seen`` learns which files the model is shown, so that it may edit them."""

    def __init__(self, workspace: Workspace, seen: SeenFiles) -> None:
        self._workspace = workspace
        self._seen = seen

    def find(self, path: str) -> Place | None:
        """What a path leads to; None when nothing is there, or nothing that could ever be read."""
        try:
            place = self._workspace.resolve(path)
        except ToolFailure:
            return None
        return place if place.exists else None

    def obstacle(self, path: str) -> str:
        """Why something that stands at a path is nothing to read, in words; empty when nothing stands there."""
        bare = path.rstrip("/")
        try:
            place = self._workspace.resolve(bare)
        except ToolFailure as failure:
            return safe_line(failure.message) if self._stands(bare) else ""
        if place.exists or not self._stands(bare):
            return ""
        return f"{safe_line(marked_name(path))} was not added: it is a link that leads nowhere."

    def _stands(self, path: str) -> bool:
        """Whether there is anything of this name, be it a link to nothing."""
        try:
            return bool(path) and os.path.lexists(os.path.join(self._workspace.root, path))
        except ValueError:  # a NUL in it
            return False

    def refusal(self, place: Place) -> str:
        """Why something does not go along, in words; empty when it does."""
        shown = safe_line(marked_name(place.given))
        if place.read_concern is not None:
            kind, why = place.read_concern
            if kind is Concern.DENIED:
                return f"{shown} was not added: {why}."
            return f"{shown} was not added: {why}. Ask for it in words: you are asked before the model reads it."
        if place.inside:
            return ""
        spelled_outside = os.path.isabs(place.given)
        if spelled_outside and not place.folder and place.real.name.lower().endswith(_IMAGE_NAMES):
            return ""
        leads = "" if spelled_outside else " (it is a link)"
        return (
            f"{shown} was not added: it is outside the project folder{leads}. "
            "Ask for it in words: you are asked before the model reads it."
        )

    def read(self, place: Place, *, lines: tuple[int, int | None] | None = None, limit: int) -> Added:
        """A file in at most ``limit`` bytes of text, whole or ``lines`` of it. Raises ``ToolFailure``.

        An image is told by its first bytes, not by its name.
        """
        data = self._workspace.read(place)
        digest = hashlib.sha256(data).hexdigest()
        media_type = image_type(data)
        if media_type:
            return _image(place, data, media_type, digest)
        if not place.inside:  # only the name of an image is let through from there
            raise ToolFailure(f"{marked_name(place.shown)} is no PNG, JPEG, GIF or WebP image.")
        file = decode(data)
        if file is None:
            remark = f"binary, {len(data):,} bytes: the model is told so and does not see it"
            text = f"[a binary file of {len(data):,} bytes; its content is not shown]"
            return Added(kind=AddedKind.FILE, source=_name(place), text=text, digest=digest, remark=remark)
        self._seen.note(place, data)
        return _text(place, file.text, lines, limit, digest)

    def folder(self, place: Place, names: Sequence[str], *, limit: int) -> Added:
        """A folder as the list of the files below it, ``names``, relative to it; in at most ``limit`` bytes."""
        if len(names) > LISTED:
            names = _counted(names)
            heading = "[too many files to name each; use list, glob or grep to look closer]\n"
        else:
            heading = ""
        shown = [marked_name(name) for name in names]
        text, count = joined_lines(shown, max(0, limit - _NOTE_BYTES))
        remark = ""
        if count < len(shown):
            text += f"\n[{len(shown) - count:,} more: use list or glob]"
            remark = f"{len(shown) - count:,} names left out"
        source = _name(place) if place.shown == "." else f"{_name(place)}/"
        return Added(kind=AddedKind.FOLDER, source=source, text=heading + text if text else "(no files)", remark=remark)


def image_type(data: bytes) -> str:
    """The media type of an image that models take, by its first bytes; empty for anything else."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for magic, media_type in _MAGIC if data.startswith(magic)), "")


def _image(place: Place, data: bytes, media_type: str, digest: str) -> Added:
    if len(data) > MAX_IMAGE_BYTES:
        size, most = len(data) / 1e6, MAX_IMAGE_BYTES / 1e6
        raise ToolFailure(
            f"{marked_name(place.shown)} is an image of {size:.1f} MB; models take {most:.0f} MB. Make it smaller."
        )
    return Added(
        kind=AddedKind.IMAGE,
        source=_name(place),
        media_type=media_type,
        data_base64=base64.b64encode(data).decode("ascii"),
        digest=digest,
    )


def _text(place: Place, text: str, lines: tuple[int, int | None] | None, limit: int, digest: str) -> Added:
    """The lines as ``read`` shows them: number, tab, text."""
    source, all_lines = _name(place), lines_of(text)
    total = len(all_lines)
    first, last = lines or (1, None)
    last = total if last is None else min(last, total)
    if not text:
        return Added(kind=AddedKind.FILE, source=source, text="(the file is empty)", digest=digest)
    if first > total:
        raise ToolFailure(f"{source} has {total} line{'' if total == 1 else 's'}: there is no line {first}.")
    shown = numbered(all_lines, first=first, last=last, limit=max(_LEAST_BYTES, limit) - _NOTE_BYTES)
    content, shown_last, remark = shown.text, first + shown.count - 1, ""
    if shown_last < last:
        content += f"\n[cut here, after line {shown_last} of {total}; go on with read, offset={shown_last + 1}]"
        remark = f"cut after line {shown_last} of {total}: the model can read on"
    if shown.cut:
        parts = "1 line is" if shown.cut == 1 else f"{shown.cut:,} lines are"
        remark = "; ".join(filter(None, (remark, f"{parts} not whole: the model is told how much of it is missing")))
    whole = lines is None and shown_last == total
    return Added(
        kind=AddedKind.FILE,
        source=source,
        text=content,
        first_line=None if whole else first,
        last_line=None if whole else shown_last,
        digest=digest,
        remark=remark,
    )


def _counted(names: Sequence[str]) -> list[str]:
    """The names directly in the folder, its sub-folders with how many files are below each."""
    below: dict[str, int] = {}
    for name in names:
        top, slash, _ = name.partition("/")
        below[top + slash] = below.get(top + slash, 0) + 1
    folders = [
        f"{name}  ({count:,} file{'' if count == 1 else 's'})" for name, count in below.items() if name[-1:] == "/"
    ]
    return folders + [name for name in below if name[-1:] != "/"]


def _name(place: Place) -> str:
    return marked_name(place.shown)

"""Reads the patch format that starts with ``*** Begin Patch``.

Sections ``*** Add File: PATH``, ``*** Delete File: PATH`` and ``*** Update File: PATH`` (with ``*** Move to: PATH``)
hold lines with a sign in front. ``@@`` begins a hunk; text after it names a line above the hunk. ``*** End of
File`` says that a hunk ends with the file. Read as models write it: blanks around markers, a shell's here-document
or a code fence around the whole, a missing end marker and empty lines without their sign are understood.
"""

import re

from .apply_patch_model import FileAction, FilePatch, Hunk, HunkLine
from .failures import ToolFailure

BEGIN = "*** Begin Patch"
_END = "*** End Patch"
_END_OF_FILE = "*** End of File"
_SECTION = re.compile(r"\*\*\* (Add|Update|Delete) File: ?(.*)")
_MOVE = re.compile(r"\*\*\* (?:Move|Rename)(?: File)? to: ?(.*)", re.IGNORECASE)
_NUMBERS = re.compile(r"-(\d+)(?:,\d+)? \+\d+(?:,\d+)?(?: @@ ?(.*))?")
_HERE = re.compile(r"(?:(?:apply_patch|cat)\s+)?<<-?\s*(['\"]?)(\w+)\1")
_FENCE = re.compile(r"(`{3,}|~{3,})[\w-]*")


def parse_envelope(text: str) -> tuple[FilePatch, ...]:
    """The files of a patch, line ends ``\\n``. Raises ``ToolFailure`` of the kind ``parse``."""
    reader = _Reader(_unwrapped(text.split("\n")))
    files: list[FilePatch] = []
    while (section := reader.section()) is not None:
        files.append(section)
    if not files:
        raise _failure("the patch holds no file section")
    return tuple(files)


def _failure(cause: str, number: int = 0) -> ToolFailure:
    where = f"line {number}: " if number else ""
    return ToolFailure(f"Cannot read the patch: {where}{cause}.", kind="parse")


def _unwrapped(lines: list[str]) -> list[tuple[int, str]]:
    """The lines between the markers, numbered from 1 in the text as given."""
    body = [(number, line) for number, line in enumerate(lines, 1)]
    _drop_blank_ends(body)
    for wrapper in (_HERE, _FENCE, _HERE):
        found = wrapper.fullmatch(body[0][1].strip()) if body else None
        if found is None:
            continue
        end = found[2] if wrapper is _HERE else found[1]
        body.pop(0)
        if body and body[-1][1].strip() == end:
            body.pop()
        _drop_blank_ends(body)
    if not body or body[0][1].strip() != BEGIN:
        raise _failure(f"it must begin with the line {BEGIN!r} (or be a unified diff)")
    if body[-1][1].strip() == _END:
        body.pop()
    return body[1:]


def _drop_blank_ends(body: list[tuple[int, str]]) -> None:
    while body and not body[-1][1].strip():
        body.pop()
    while body and not body[0][1].strip():
        body.pop(0)


class _Reader:
    """Takes sections off the front of the lines."""

    def __init__(self, lines: list[tuple[int, str]]) -> None:
        self._lines = lines
        self._at = 0

    def section(self) -> FilePatch | None:
        """The next file, None at the end."""
        self._skip_blank()
        if self._at == len(self._lines):
            return None
        number, line = self._lines[self._at]
        header = _SECTION.fullmatch(line.strip())
        if header is None:
            raise _failure(
                f"{line.strip()[:80]!r} is no file header: write '*** Update File: PATH', '*** Add File: PATH' or "
                "'*** Delete File: PATH'",
                number,
            )
        self._at += 1
        path = header[2].strip()
        if not path:
            raise _failure("the header names no path", number)
        match header[1]:
            case "Add":
                hunk = Hunk(lines=self._added())
                return FilePatch(action=FileAction.ADD, path=path, hunks=(hunk,), overwrite=True)
            case "Delete":
                return FilePatch(action=FileAction.DELETE, path=path)
            case _:
                return self._update(path, number)

    def _update(self, path: str, number: int) -> FilePatch:
        moved = _MOVE.fullmatch(self._lines[self._at][1].strip()) if self._at < len(self._lines) else None
        self._at += moved is not None
        hunks: list[Hunk] = []
        while (hunk := self._hunk(first=not hunks)) is not None:
            hunks.append(hunk)
        move_to = moved[1].strip() if moved else ""
        if not hunks and not move_to:
            raise _failure(f"the update of {path} holds no change", number)
        return FilePatch(action=FileAction.UPDATE, path=path, move_to=move_to, hunks=tuple(hunks))

    def _added(self) -> tuple[HunkLine, ...]:
        """The lines of a new file; empty ones may lack their sign when more follow."""
        added: list[HunkLine] = []
        pending = 0
        while self._at < len(self._lines) and not self._at_header():
            number, line = self._lines[self._at]
            if line.startswith("+"):
                added += [HunkLine(sign="+", text="")] * pending
                added.append(HunkLine(sign="+", text=line[1:]))
                pending = 0
            elif not line.strip():
                pending += 1
            elif _SECTION.fullmatch(line.strip()):
                break
            else:
                raise _failure("every line of an added file must begin with '+'", number)
            self._at += 1
        return tuple(added)

    def _hunk(self, *, first: bool) -> Hunk | None:
        """The next hunk of an update; only the first may lack its ``@@``."""
        if not first:
            self._skip_blank()
        if self._at == len(self._lines) or self._at_header():
            return None
        scopes: list[str] = []
        start: int | None = None
        begun = self._lines[self._at][0]
        while self._at < len(self._lines) and self._lines[self._at][1].strip().startswith("@@"):
            scope, line = _scope(self._lines[self._at][1].strip()[2:].strip())
            scopes += [scope] if scope else []
            start = start or line
            self._at += 1
        lines = self._hunk_lines()
        at_end = self._at < len(self._lines) and self._lines[self._at][1].strip() == _END_OF_FILE
        self._at += at_end
        if all(line.sign == " " for line in lines):
            cause = "a hunk that changes nothing: mark lines with '-' and '+'" if lines else "a hunk without lines"
            if not lines or not all(line.bare for line in lines) or scopes:
                raise _failure(cause, begun)
            return None
        return Hunk(lines=tuple(lines), scopes=tuple(scopes), first=start, at_end=at_end)

    def _hunk_lines(self) -> list[HunkLine]:
        lines: list[HunkLine] = []
        while self._at < len(self._lines) and not self._at_header():
            number, line = self._lines[self._at]
            if line[:1] in ("+", "-", " "):
                lines.append(HunkLine(sign=line[0], text=line[1:]))
            elif not line:
                lines.append(HunkLine(sign=" ", text="", bare=True))
            elif line.startswith("@@") or line.strip() == _END_OF_FILE:
                break
            elif line.startswith("\t"):  # a context line whose sign went missing before its indentation
                lines.append(HunkLine(sign=" ", text=line))
            else:
                raise _failure(f"{line[:80]!r} does not begin with '+', '-' or a blank", number)
            self._at += 1
        return lines

    def _at_header(self) -> bool:
        """Inside of a section a marker is not indented: a blank in front is the sign of a line of the file."""
        line = self._lines[self._at][1]
        return line.startswith("***") and line.strip() != _END_OF_FILE

    def _skip_blank(self) -> None:
        while self._at < len(self._lines) and not self._lines[self._at][1].strip():
            self._at += 1


def _scope(text: str) -> tuple[str, int | None]:
    """What stands behind ``@@``: a line to look for, or numbers as in a unified diff."""
    numbers = _NUMBERS.match(text)
    if numbers is not None:
        return "", int(numbers[1])
    text = text.removesuffix("@@").rstrip()
    return ("" if text.strip(".… ") == "" else text), None

"""Reads unified diffs, as programs write them and as models do.

The signs in front of the lines are what counts: numbers and counts of a hunk's header only decide where they
agree with the lines. Git's extended headers tell of new, deleted, renamed and copied files.
"""

import re
from dataclasses import dataclass, field

from .apply_patch_model import FileAction, FilePatch, Hunk, HunkLine
from .failures import ToolFailure

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(?: .*)?")
_GIT = re.compile(r"diff --git (\"(?:[^\"\\]|\\.)*\"|.+?) (\"(?:[^\"\\]|\\.)*\"|.+)")
_DATE = re.compile(r"(?:\t.*| +\d{4}-\d\d-\d\d[ T]\d\d:\d\d.*)$")
_ESCAPE = re.compile(r"\\([0-7]{3}|.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_NULL = "/dev/null"
_PREFIXES = (("a/", "b/"), ("i/", "w/"), ("c/", "i/"), ("c/", "w/"), ("o/", "w/"), ("a/", "a/"), ("b/", "b/"))


def parse_diff(text: str) -> tuple[FilePatch, ...]:
    """The files of a diff, line ends ``\\n``. Raises ``ToolFailure`` of the kind ``parse``."""
    reader = _Reader(text.split("\n"))
    files: list[FilePatch] = []
    while (found := reader.file()) is not None:
        files.append(found)
    if not files:
        raise _failure("it is neither a '*** Begin Patch' patch nor a unified diff")
    return tuple(files)


def _failure(cause: str, number: int = 0) -> ToolFailure:
    where = f"line {number}: " if number else ""
    return ToolFailure(f"Cannot read the patch: {where}{cause}.", kind="parse")


@dataclass(slots=True, kw_only=True)
class _Headers:
    """What stands before the hunks of one file."""

    git: bool = False
    old: str = ""
    new: str = ""
    created: bool = False
    deleted: bool = False
    moved: str = ""
    """``rename`` or ``copy``."""
    modes: bool = False
    binary: bool = False
    hunks: list[Hunk] = field(default_factory=list[Hunk])


class _Reader:
    """Takes files off the front of the lines."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0

    def file(self) -> FilePatch | None:
        """The next file, None at the end. Text between files is passed over; a hunk without a file is not."""
        while self._at < len(self._lines) and not self._at_file():
            if _HUNK.fullmatch(self._lines[self._at]) or self._lines[self._at].startswith("GIT binary patch"):
                raise _failure("a hunk before any '--- PATH' and '+++ PATH'", self._at + 1)
            self._at += 1
        if self._at == len(self._lines):
            return None
        begun = self._at + 1
        headers = self._headers()
        while (hunk := self._hunk()) is not None:
            headers.hunks.append(hunk)
        return _file_patch(headers, begun)

    def _at_file(self, *, at: int | None = None) -> bool:
        at = self._at if at is None else at
        line = self._lines[at]
        if _GIT.fullmatch(line):
            return True
        following = self._lines[at + 1] if at + 1 < len(self._lines) else ""
        return line.startswith("--- ") and following.startswith("+++ ")

    def _headers(self) -> _Headers:
        headers = _Headers()
        found = _GIT.fullmatch(self._lines[self._at])
        if found is not None:
            headers.git = True
            headers.old, headers.new = _git_paths(self._lines[self._at].removeprefix("diff --git "), found)
            self._at += 1
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.startswith("--- ") and self._at_file():
                if not headers.moved:
                    headers.old, headers.new = _path(line[4:]), _path(self._lines[self._at + 1][4:])
                self._at += 2
                break
            if not headers.git or not _extended(line, headers):
                break
            self._at += 1
        return headers

    def _hunk(self) -> Hunk | None:
        """The next hunk of the file, None when another file (or the end) comes first."""
        while self._at < len(self._lines) and not self._lines[self._at].startswith("@@"):
            if self._at_file() or (self._lines[self._at][:1] in ("+", "-") and self._lines[self._at] != "-- "):
                if self._at_file():
                    return None
                raise _failure(f"{self._lines[self._at][:80]!r} stands outside of a hunk", self._at + 1)
            self._at += 1
        if self._at == len(self._lines):
            return None
        begun = self._at + 1
        numbers = _HUNK.fullmatch(self._lines[self._at])
        self._at += 1
        lines, markers = self._hunk_lines(_counts(numbers), begun)
        if all(line.sign == " " for line in lines):
            raise _failure("a hunk that changes nothing" if lines else "a hunk without lines", begun)
        old = sum(line.sign != "+" for line in lines)
        new = sum(line.sign != "-" for line in lines)
        return Hunk(
            lines=tuple(lines),
            first=int(numbers[1]) if numbers else None,
            exact=_counts(numbers) == (old, new),
            at_end=bool(markers),
            unended=bool(markers & {"+", " "}),
        )

    def _hunk_lines(self, counts: tuple[int, int] | None, begun: int) -> tuple[list[HunkLine], set[str]]:
        """The lines of a hunk, and the signs of those that are said to have no line end."""
        lines: list[HunkLine] = []
        markers: set[str] = set()
        old = new = 0
        while self._at < len(self._lines):
            line = self._lines[self._at]
            done = counts == (old, new)
            if line.startswith("\\"):
                markers |= {lines[-1].sign} if lines else set()
            elif (
                line.startswith("@@")
                or (done and line.startswith("-- "))
                or (self._at_file() and (done or counts is None or not self._fits_as_lines(counts, old, new)))
            ):
                break
            elif line[:1] in ("+", "-", " "):
                lines.append(HunkLine(sign=line[0], text=line[1:]))
                old, new = old + (line[0] != "+"), new + (line[0] != "-")
            elif not line:
                if done or self._nothing_follows():
                    break
                lines.append(HunkLine(sign=" ", text="", bare=True))
                old, new = old + 1, new + 1
            elif done or counts is None:
                break
            else:
                raise _failure(f"{line[:80]!r} does not begin with '+', '-' or a blank", self._at + 1)
            self._at += 1
        return lines, markers

    def _fits_as_lines(self, counts: tuple[int, int], old: int, new: int) -> bool:
        """Whether ``--- x`` and ``+++ y`` are a removed ``-- x`` and an added ``++ y``: as the counts want it."""
        follows = self._lines[self._at + 2] if self._at + 2 < len(self._lines) else ""
        return (old < counts[0] and new < counts[1] and not follows.startswith("@@ ")) or counts == (old + 1, new + 1)

    def _nothing_follows(self) -> bool:
        """Whether only empty lines are left before the next hunk or file."""
        at = self._at
        while at < len(self._lines) and not self._lines[at]:
            at += 1
        return at == len(self._lines) or self._lines[at].startswith("@@") or self._at_file(at=at)


def _counts(numbers: re.Match[str] | None) -> tuple[int, int] | None:
    return None if numbers is None else (int(numbers[2] or 1), int(numbers[4] or 1))


def _extended(line: str, headers: _Headers) -> bool:
    """Take one of git's further header lines into account; False for a line that is none."""
    for word in ("rename", "copy"):
        if line.startswith(f"{word} from "):
            headers.old, headers.moved = _unquoted(line.removeprefix(f"{word} from ")), word
            return True
        if line.startswith(f"{word} to "):
            headers.new, headers.moved = _unquoted(line.removeprefix(f"{word} to ")), word
            return True
    headers.created |= line.startswith("new file mode ")
    headers.deleted |= line.startswith("deleted file mode ")
    headers.modes |= line.startswith(("old mode ", "new mode "))
    headers.binary |= line.startswith(("GIT binary patch", "Binary files "))
    known = ("new file mode ", "deleted file mode ", "old mode ", "new mode ", "index ", "similarity index ")
    return line.startswith((*known, "dissimilarity index ", "Binary files "))


def _git_paths(rest: str, found: re.Match[str]) -> tuple[str, str]:
    """The two paths of ``diff --git``, which may hold blanks: then both are the same but for their prefix."""
    half = len(rest) // 2
    if not rest.startswith('"') and rest[half : half + 1] == " " and rest[2:half] == rest[half + 3 :]:
        return rest[:half], rest[half + 1 :]
    return _unquoted(found[1]), _unquoted(found[2])


def _path(text: str) -> str:
    return _unquoted(_DATE.sub("", text).strip())


def _unquoted(text: str) -> str:
    """A path without the quotes and escapes that git puts around unusual names."""
    text = text.strip()
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text

    def plain(found: re.Match[str]) -> str:
        code = found[1]
        return chr(int(code, 8)) if len(code) == 3 else _ESCAPED.get(code, code)

    raw = _ESCAPE.sub(plain, text[1:-1])
    try:
        return raw.encode("latin-1").decode()
    except UnicodeError:
        return raw


def _file_patch(headers: _Headers, begun: int) -> FilePatch:
    if headers.binary:
        raise _failure("binary changes cannot be applied", begun)
    spelled_old, spelled_new = headers.old, headers.new
    old, new = (headers.old, headers.new) if headers.moved else _without_prefixes(headers.old, headers.new)
    hunks = tuple(headers.hunks)
    if headers.created or spelled_old == _NULL:
        if any(line.sign != "+" for hunk in hunks for line in hunk.lines):
            raise _failure("a new file can only have lines with '+'", begun)
        return FilePatch(action=FileAction.ADD, path=new, hunks=hunks)
    if headers.deleted or spelled_new == _NULL:
        if any(line.sign != "-" for hunk in hunks for line in hunk.lines):
            raise _failure("a deleted file can only have lines with '-'", begun)
        return FilePatch(action=FileAction.DELETE, path=old, spelled=spelled_old, hunks=hunks, whole=True)
    renamed = new if headers.moved or (old != new and headers.git) else ""
    if not hunks and not renamed:
        cause = "file modes are not changed by a patch: use chmod" if headers.modes else "a file without a change"
        raise _failure(cause, begun)
    path = old if renamed or old == new else new
    spelled = spelled_old if path == old else spelled_new
    return FilePatch(
        action=FileAction.UPDATE,
        path=path,
        move_to=renamed,
        copy=headers.moved == "copy",
        spelled=spelled,
        hunks=hunks,
    )


def _without_prefixes(old: str, new: str) -> tuple[str, str]:
    """Both paths without the ``a/`` and ``b/`` that programs put in front."""
    for one, other in _PREFIXES:
        fits = (old == _NULL or old.startswith(one)) and (new == _NULL or new.startswith(other))
        if fits:
            return old if old == _NULL else old[2:], new if new == _NULL else new[2:]
    return old, new

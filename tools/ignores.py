"""Which names a project wants left alone: the patterns of ``.gitignore`` files, without starting git.

Follows gitignore(5): the last pattern that matches decides, ``!`` takes a name back in, a pattern with a slash
in it is relative to its file's folder, one that ends in a slash is for folders alone, and what lies in an
ignored folder is ignored whatever other patterns say. Whether a file is tracked plays no part here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_MOST_PATTERNS = 2000
_MOST_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class _Pattern:
    matches: re.Pattern[str]
    ignores: bool
    folders_only: bool


class IgnoreFile:
    """The patterns of one file. Paths are given relative to its folder, with forward slashes."""

    def __init__(self, text: str) -> None:
        found = [_pattern(line) for line in text.splitlines()[:_MOST_PATTERNS]]
        self._patterns = [each for each in found if each is not None]
        parts = "|".join(f"(?:{each.matches.pattern})" for each in self._patterns)
        self._any = re.compile(parts, re.DOTALL) if parts else None

    def says(self, path: str, *, folder: bool) -> bool | None:
        """True: ignored; False: taken back in; None: no pattern speaks of it."""
        if self._any is None or self._any.fullmatch(path) is None:  # nearly always, so in one go
            return None
        for pattern in reversed(self._patterns):
            if (folder or not pattern.folders_only) and pattern.matches.fullmatch(path):
                return pattern.ignores
        return None


def ignored(path: str, files: Sequence[tuple[str, IgnoreFile]], *, folder: bool) -> bool:
    """Whether a path is ignored. ``files``: each with the prefix of its folder (``""`` or ``a/b/``), outermost first.

    The folders above are taken not to be ignored.
    """
    for prefix, file in reversed(files):
        says = file.says(path[len(prefix) :], folder=folder)
        if says is not None:
            return says
    return False


def _pattern(line: str) -> _Pattern | None:
    text = line.rstrip("\r")
    while text.endswith(" ") and not text.endswith("\\ "):
        text = text[:-1]
    if not text or text.startswith("#") or len(text) > _MOST_CHARACTERS:
        return None
    ignores = not text.startswith("!")
    text = text if ignores else text[1:]
    folders_only = text.endswith("/")
    text = text.rstrip("/") if folders_only else text
    anchored = "/" in text
    text = text.removeprefix("/")
    if not text:
        return None
    body = _translated(text)
    if body is None:
        return None
    return _Pattern(_compiled(body if anchored else f"(?:.*/)?{body}"), ignores, folders_only)


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.DOTALL)


def _translated(glob: str) -> str | None:
    """The glob as an expression that matches without trying a path in more than one way; None: it matches nothing.

    The first place where what follows a ``*`` fits is as good as any later one, so long as another ``*`` follows; the
    same goes for ``**/`` and whole names. Hence the atomic groups: without them ten stars would take for ever.
    """
    stretches: list[list[str]] = [[""]]  # parted by **/; in each what is fixed, parted by *
    at = 0
    while at < len(glob):
        fixed = stretches[-1]
        if glob.startswith("**/", at) and (at == 0 or glob[at - 1] == "/"):
            stretches.append([""])
            at += 3
        elif glob.startswith("/**", at) and at + 3 == len(glob):
            fixed[-1] += "/.+"
            at += 3
        elif glob[at] == "*":
            at += len(glob[at:]) - len(glob[at:].lstrip("*"))
            fixed.append("")
        else:
            piece, at = _one(glob, at)
            if piece is None:
                return None
            fixed[-1] += piece
    *before, last = (_stretch(fixed, last=number == len(stretches)) for number, fixed in enumerate(stretches, 1))
    if not before:
        return last
    between = "".join(f"(?>(?:[^/]+/)*?{each})" for each in before[1:])
    return f"{before[0]}{between}(?:[^/]+/)*{last}"


def _stretch(fixed: list[str], *, last: bool) -> str:
    """One stretch between two ``**/``; the last one goes on to the end of the path."""
    first, *rest = fixed
    ending = f"[^/]*{rest.pop()}" if last and rest else ""
    return first + "".join(f"(?>[^/]*?{each})" for each in rest) + ending


def _one(glob: str, at: int) -> tuple[str | None, int]:
    """The expression of the sign at this place, and where the next one is."""
    match glob[at]:
        case "?":
            return "[^/]", at + 1
        case "[":
            return _set(glob, at)
        case "\\":
            return (re.escape(glob[at + 1]), at + 2) if at + 1 < len(glob) else (None, at + 1)
        case sign:
            return re.escape(sign), at + 1


def _set(glob: str, at: int) -> tuple[str | None, int]:
    """A bracket expression; without its closing bracket the pattern matches nothing."""
    end = at + 1
    negated = glob[end : end + 1] in ("!", "^")
    end += negated
    start = end
    items: list[str] = []
    while end < len(glob) and (glob[end] != "]" or end == start):
        if glob.startswith("[:", end) and ":]" in glob[end:]:
            close = glob.index(":]", end)
            items.append(_CLASSES.get(glob[end + 2 : close], ""))
            end = close + 2
            continue
        end += glob[end] == "\\" and end + 1 < len(glob)
        dash = glob[end] == "-" and end > start and glob[end - 1] != "\\"
        items.append("-" if dash else re.escape(glob[end]))
        end += 1
    if end >= len(glob):
        return None, end
    expression = f"(?!/)[{'^' if negated else ''}{''.join(items)}]"
    try:
        re.compile(expression)
    except re.error:
        return None, end + 1
    return expression, end + 1


_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "space": r"\s",
    "xdigit": "0-9a-fA-F",
    "punct": r"!-\/:-@\[-`{-~",
}

"""Finds paths by a few letters, among a hundred thousand and more, in the time between two keys.

Built once for a list of files (in a thread: it takes a while), then asked with every key. Four ways to fit are tried,
the best first, until there are enough: a name that begins with the letters; the letters at the beginning of a word of
the path; the letters anywhere; the letters in their order with others between them. Nothing here knows a screen.
"""

import re
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

MOST_SHOWN = 50
_CANDIDATES = 1500
"""Of one way to fit; more are not ranked."""
_FUZZY_S = 0.012
"""Seconds that the last way may take; what was found by then is shown."""
_STEP = 2000
_ENOUGH = 12
"""With fewer than this many that hold the letters in one piece, they are looked for one by one."""
_WORD_STARTS = ("/", "_", "-", ".")
_SIGNS = "abcdefghijklmnopqrstuvwxyz0123456789_-./ "
_BIT = {sign: 1 << at for at, sign in enumerate(_SIGNS)}


_Rank: TypeAlias = tuple[int, bool, int, str]
"""How well a path fits; the smallest is best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathHit:
    """A path that fits. Folders end in a slash; ``marks`` are the characters that fit, for painting."""

    path: str
    marks: tuple[int, ...]


class PathIndex:
    """The files of a workspace and the folders they are in."""

    def __init__(self, files: Sequence[str]) -> None:
        """``files`` are relative, with forward slashes. Some tenths of a second for 100,000."""
        self.paths = [*_folders(files), *files]
        self._lower = [path.lower() for path in self.paths]
        self._whole = _Blob(self._lower)
        self._names = _Blob([_name(path) for path in self._lower])
        here = [path for path in self.paths if "/" not in path[:-1]]
        self._top = sorted(here, key=lambda path: (not path.endswith("/"), path.startswith("."), path.lower()))
        self._masks = [_mask(path) for path in self._lower]

    def match(self, query: str, limit: int = MOST_SHOWN) -> list[PathHit]:
        """The paths that fit best, best first. An empty query gives what is at the top of the workspace."""
        wanted = query.lower().removeprefix("./")
        if not wanted:
            return [PathHit(path=path, marks=()) for path in self._top[:limit]]
        if wanted.startswith("/"):  # an absolute path is none of the workspace's
            return []
        ranked: dict[int, _Rank] = {}
        whole = (
            (self._named(wanted), self._word(wanted), self._whole.holding(wanted)) if wanted in self._whole.text else ()
        )
        for tier, numbers in enumerate(whole, 1):
            for number in numbers:
                if number not in ranked:
                    ranked[number] = self._rank(tier, number, wanted)
            if len(ranked) >= limit:
                break
        if len(ranked) < _ENOUGH:
            self._add_scattered(wanted, ranked)
        best = sorted(ranked, key=ranked.__getitem__)[:limit]
        return [PathHit(path=self.paths[number], marks=_marks(self._lower[number], wanted)) for number in best]

    def _named(self, wanted: str) -> Iterator[int]:
        """Paths whose last name begins so; with a slash in it, paths that begin so."""
        if "/" in wanted.rstrip("/"):
            return self._whole.holding(f"\n/{wanted}")
        return self._names.holding(f"\n/{wanted}")

    def _word(self, wanted: str) -> Iterator[int]:
        for start in _WORD_STARTS:
            yield from self._whole.holding(start + wanted)

    def _rank(self, tier: int, number: int, wanted: str) -> _Rank:
        """What is called exactly so comes first, then files before folders, the short before the long."""
        path = self._lower[number]
        name, called = _name(path).removesuffix("/"), wanted.removesuffix("/")
        exact = tier == 1 and (path == wanted or called in (name, name.rpartition(".")[0]))
        return (0 if exact else tier, path.endswith("/") and not exact, len(path), path)

    def _add_scattered(self, wanted: str, ranked: dict[int, _Rank]) -> None:
        """Paths that hold the letters in this order. Which letters a path holds at all leaves few to look at."""
        mask, masks, lower = _mask(wanted), self._masks, self._lower
        fits = re.compile("".join(f"[^{re.escape(sign)}]*+{re.escape(sign)}" for sign in wanted)).match
        deadline = time.monotonic() + _FUZZY_S
        for begin in range(0, len(masks), _STEP):
            able = [number for number, each in enumerate(masks[begin : begin + _STEP], begin) if each & mask == mask]
            for number in able:
                path = lower[number]
                if number not in ranked and fits(path):
                    ranked[number] = (4, path.endswith("/"), _spread(path, wanted), path)
            if len(ranked) >= _CANDIDATES or time.monotonic() > deadline:
                return


class _Blob:
    """Many lines as one text: looking for a few letters in all of them is one call of C.

    No sorting, no hashing: a thread that makes one gives way to the screen every few milliseconds.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.text = "\n/" + "\n/".join(lines)
        self._starts: list[int] = []
        """Where each line begins in the text; its slash and line end stand before."""
        at = 2
        for line in lines:
            self._starts.append(at)
            at += len(line) + 2

    def holding(self, letters: str) -> Iterator[int]:
        """The numbers of lines that hold the letters, each once, at most ``_CANDIDATES``."""
        text, starts, at = self.text, self._starts, 0
        before = len(letters) - len(letters.lstrip("\n/"))
        for _ in range(_CANDIDATES):
            at = text.find(letters, at)
            if at < 0:
                return
            number = bisect_right(starts, at + min(before, 2)) - 1
            yield number
            if number + 1 == len(starts):
                return
            at = starts[number + 1] - 2


def _folders(files: Sequence[str]) -> list[str]:
    """Every folder on the way to a file, with a slash at its end."""
    found: dict[str, None] = {}
    for file in files:
        folder = file.rpartition("/")[0]
        while folder and folder not in found:
            found[folder] = None
            folder = folder.rpartition("/")[0]
    return sorted(f"{folder}/" for folder in found)


def _name(path: str) -> str:
    """The last name of a path, without the slash of a folder."""
    return path[path.rfind("/", 0, -1) + 1 :]


def _mask(text: str) -> int:
    """Which signs a text holds."""
    mask = 0
    for sign in set(text):
        mask |= _BIT.get(sign, 0)
    return mask


def _marks(path: str, wanted: str) -> tuple[int, ...]:
    """Where the letters stand: in one piece if there is one (in the last name if it can be), else one by one."""
    last = path.rfind("/", 0, -1) + 1
    for start in (*(f"{sign}{wanted}" for sign in _WORD_STARTS), wanted):
        at = path.find(start, max(0, last - 1))
        at = path.find(start) if at < 0 else at
        if path.startswith(wanted, last):
            at = last
            return tuple(range(at, at + len(wanted)))
        if at >= 0:
            at += len(start) - len(wanted)
            return tuple(range(at, at + len(wanted)))
    if path.startswith(wanted):
        return tuple(range(len(wanted)))
    return tuple(_scattered(path, wanted))


def _scattered(path: str, wanted: str) -> Iterable[int]:
    """The letters in their order, as far to the end of the path as they can be: there its name is."""
    places: list[int] = []
    end = len(path)
    for sign in reversed(wanted):
        end = path.rfind(sign, 0, end)
        if end < 0:
            return ()
        places.append(end)
    return reversed(places)


def _spread(path: str, wanted: str) -> int:
    """How far apart the letters stand; fewer are better. Letters that begin a word count as near."""
    places = [*_scattered(path, wanted)]
    in_name = bool(places) and places[0] >= path.rfind("/", 0, -1)
    cost, before = len(path) // 8 + (0 if in_name else 8), -1
    for place in places:
        starts = place == 0 or path[place - 1] in "/_-. "
        cost += 0 if starts or place == before + 1 else 2 + min(10, place - before)
        before = place
    return cost

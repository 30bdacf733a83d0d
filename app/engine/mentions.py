"""Mentions: the grammar of ``@file``, ``@folder/``, ``@file:10-40`` and ``@"a path with spaces"`` in a prompt. Pure.

A mention begins with ``@`` at the start of a word, so that ``user@host`` is none. Whether a word like ``@property``
is a mention is not decided here: each one comes with the ways it can be read, and whoever knows the files takes the
first that names one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_START = r"(?<![^\s(\[{<\"'`,;:=—–])@"
_MENTION = re.compile(
    rf'{_START}(?:"(?P<quoted>[^"\n]*[^"\s][^"\n]*)(?:"|(?=\n|\Z))|(?P<plain>(?:\\.|[^\s\\"])(?:\\.|[^\s\\])*))'
)
_RANGE = re.compile(r"(?::(?P<a>\d{1,9})(?:-(?P<b>\d{0,9})|:\d{1,9})?|#L(?P<c>\d{1,9})(?:-L?(?P<d>\d{1,9}))?)\Z")
_AFTER_QUOTE = re.compile(r":(?P<a>\d{1,9})(?:-(?P<b>\d{0,9}))?(?![\w])")
_TRAILING = "\"'`.,;:!?)]}>*_"
_CUT = re.compile(r"[(\"'`<>|]")
_ESCAPED = re.compile(r"\\(.)")
_UNFINISHED = re.compile(rf'{_START}(?:"(?P<quoted>[^"\n]*)|(?P<plain>(?:\\.|[^\s\\"])*))\Z')
_PLAIN = re.compile(r"[\w./~+\-@%,=]*[\w/~+\-@%=]")
_AWKWARD = re.compile(r"[\s\"\\]")
_MOST_STRIPPED = 8
PASTED_NAME = re.compile(r"pasted-[0-9a-f]{12}\.(?:png|jpg|gif|webp)")
"""What an image from the clipboard is called: after its content, so that the name means the same wherever it goes."""
MOST_MENTIONS = 100
"""Mentions of one prompt that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to read a mention: a path, and the lines that are meant (None: the whole file)."""

    path: str
    first: int | None = None
    last: int | None = None
    """None with a ``first``: to the end of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A mention in a text. ``text[start:end]`` is all of it, the ``@`` included."""

    start: int
    end: int
    readings: tuple[Reading, ...]
    """The longest first."""
    quoted: bool = False
    """Written with quotes: certainly a path."""

    @property
    def deliberate(self) -> bool:
        """Whether it cannot be anything but a path: a name like ``@property`` may be meant as it stands."""
        return self.quoted or any(each.first is not None for each in self.readings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A mention that is being written: its ``@`` is at ``start``, and ``path`` is what there is of it."""

    start: int
    path: str


def find_mentions(text: str) -> tuple[Mention, ...]:
    """Every mention of a text, in order; at most ``MOST_MENTIONS``."""
    found: list[Mention] = []
    for match in _MENTION.finditer(text):
        if len(found) == MOST_MENTIONS:
            break
        found.append(_quoted(match, text) if match["quoted"] else _plain(match))
    return tuple(found)


def unfinished_mention(text: str) -> Unfinished | None:
    """The mention that ends where ``text`` (what stands before the cursor) ends; None when there is none.

    After a colon a line number follows: there is nothing more to complete.
    """
    match = _UNFINISHED.search(text, max(0, len(text) - 4096))
    if match is None:
        return None
    path = match["quoted"] if match["quoted"] is not None else _ESCAPED.sub(r"\1", match["plain"])
    return None if ":" in path or "#" in path else Unfinished(start=match.start(), path=path)


def mention_of(path: str, lines: str = "") -> str:
    """The mention that is read as this path; ``lines`` is a range such as ``10-40``. Quoted when it has to be."""
    suffix = f":{lines}" if lines else ""
    body = path.removesuffix("/")
    plain = _PLAIN.fullmatch(body) is not None or not body
    if plain:
        return f"@{path}{suffix}"
    return f"@{_AWKWARD.sub(_escape, path)}{suffix}" if '"' in path else f'@"{path}"{suffix}'


def _escape(sign: re.Match[str]) -> str:
    return f"\\{sign[0]}"


def _quoted(match: re.Match[str], text: str) -> Mention:
    path = match["quoted"]
    after = _AFTER_QUOTE.match(text, match.end())
    if after is None:
        return Mention(start=match.start(), end=match.end(), readings=(Reading(path=path),), quoted=True)
    first, last = _lines(after)
    reading = Reading(path=path, first=first, last=last)
    return Mention(start=match.start(), end=after.end(), readings=(reading,), quoted=True)


def _plain(match: re.Match[str]) -> Mention:
    readings: list[Reading] = []
    for word in _shorter(match["plain"]):
        readings += (each for each in _readings(word) if each not in readings)
    return Mention(start=match.start(), end=match.end(), readings=tuple(readings))


def _shorter(word: str) -> Iterator[str]:
    """The word, then without the punctuation at its end, then up to the first sign that paths seldom hold."""
    yield word
    at = len(word)
    for _ in range(_MOST_STRIPPED):
        if at < 2 or word[at - 1] not in _TRAILING or word[at - 2] == "\\":
            break
        at -= 1
        yield word[:at]
    cut = _CUT.search(word)
    if cut is not None and 0 < cut.start() < at:
        yield word[: cut.start()]


def _readings(word: str) -> Iterator[Reading]:
    """A word as a path, and as a path with a range of lines."""
    yield Reading(path=_ESCAPED.sub(r"\1", word))
    lines = _RANGE.search(word)
    if lines is not None and lines.start():
        first, last = _lines(lines)
        yield Reading(path=_ESCAPED.sub(r"\1", word[: lines.start()]), first=first, last=last)


def _lines(match: re.Match[str]) -> tuple[int, int | None]:
    """First and last line of a range, in order. ``:10`` is one line, ``:10-`` goes to the end."""
    groups = match.groupdict()
    begin, end = groups.get("a") or groups.get("c") or "1", groups.get("b") or groups.get("d")
    first = max(1, int(begin))
    if groups.get("b") == "":
        return first, None
    last = first if end is None else max(1, int(end))
    return min(first, last), max(first, last)

"""Brace expansion, as bash does it before everything else: ``{a,b}`` and ``{1..3}`` make several words of one."""

import itertools
import re

from .shell_words import Hole, Text, Word, WordError

MAX_BRACE_WORDS = 64
_SEQUENCE = re.compile(r"(-?\d{1,6})\.\.(-?\d{1,6})|([A-Za-z])\.\.([A-Za-z])")


def braces_expanded(word: Word) -> tuple[Word, ...]:
    """The words that ``{a,b}`` and ``{1..3}`` make of one. Raises ``WordError`` for too many."""
    done: list[Word] = []
    waiting = [word]
    while waiting:
        if len(done) + len(waiting) > MAX_BRACE_WORDS:
            raise WordError("braces expand to too many words")
        current = waiting.pop()
        choices = _first_brace(current)
        if choices is None:
            done.append(current)
        else:
            waiting += reversed(choices)
    return tuple(word for word in done if word.parts)


def _first_brace(word: Word) -> list[Word] | None:
    """The words that the first brace expression of ``word`` makes; None when it has none."""
    flat = [(index, sign) for index, part in enumerate(word.parts) for sign in _signs(part)]
    for start, (_, sign) in enumerate(flat):
        if sign != "{":
            continue
        commas: list[int] = []
        depth = 0
        for at in range(start + 1, len(flat)):
            sign = flat[at][1]
            if sign == "}" and depth == 0:
                choices = _choices(word, flat, start, commas, at)
                if choices is None:
                    break
                return choices
            depth += (sign == "{") - (sign == "}")
            if sign == "," and depth == 0:
                commas.append(at)
    return None


def _signs(part: Text | Hole) -> list[str]:
    """The characters that may mean something; a hole, and each quoted character, is one that never does."""
    if isinstance(part, Hole):
        return ["\0"]
    return ["\1"] * len(part.text) or ["\2"] if part.quoted else list(part.text)


def _choices(word: Word, flat: list[tuple[int, str]], start: int, commas: list[int], end: int) -> list[Word] | None:
    before, after = _cut(word, flat, 0, start), _cut(word, flat, end + 1, len(flat))
    if commas:
        edges = [start, *commas, end]
        middles = [_cut(word, flat, a + 1, b) for a, b in itertools.pairwise(edges)]
        return [Word((*before, *middle, *after)) for middle in middles]
    found = _SEQUENCE.fullmatch("".join(sign for _, sign in flat[start + 1 : end]))
    if found is None:
        return None
    first, last = (int(found[1]), int(found[2])) if found[1] else (ord(found[3]), ord(found[4]))
    if abs(last - first) >= MAX_BRACE_WORDS:
        raise WordError("braces expand to too many words")
    numbers = range(first, last + 1) if first <= last else range(first, last - 1, -1)
    texts = [str(number) if found[1] else chr(number) for number in numbers]
    return [Word((*before, Text(text=text), *after)) for text in texts]


def _cut(word: Word, flat: list[tuple[int, str]], start: int, end: int) -> tuple[Text | Hole, ...]:
    """The parts of a word between two positions of its characters."""
    parts: list[Text | Hole] = []
    offset = 0
    for part in word.parts:
        length = len(_signs(part))
        low, high = max(start - offset, 0), min(end - offset, length)
        if low < high:
            parts.append(Text(text=part.text[low:high], quoted=part.quoted) if isinstance(part, Text) else part)
        offset += length
    return tuple(parts)

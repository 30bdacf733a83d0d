"""What a shell line does, as a flat list: every simple command with what flows into it.

Substitutions, branches, loops and function bodies all add their commands to the list; how they hang together is kept
only as far as a judgement needs it.
"""

import os.path
import re
from dataclasses import dataclass, field, replace

from .shell_words import Hole, Text, Word, literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """``2> file``, ``< file``, ``2>&1``. ``descriptor`` is empty when not given."""

    operator: str
    target: Word
    descriptor: str = ""

    @property
    def writes(self) -> bool:
        """Whether it may make or change what it names."""
        return ">" in self.operator and not self.duplicates

    @property
    def duplicates(self) -> bool:
        """Whether it only points one descriptor to another."""
        target = self.target.text
        return (self.operator in (">&", "<&") and target is not None and target.rstrip("-").isdigit()) or target == "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Simple:
    """One command: its words, what is set for it and where its streams go.

    ``feeds`` are the commands whose output comes in through a pipe, ``inner`` those in its substitutions, ``text`` a
    here-document. ``folders`` are where it may run: one, or two after a ``cd`` that may have failed.
    """

    words: tuple[Word, ...] = ()
    assignments: tuple[tuple[str, Word], ...] = ()
    redirects: tuple[Redirect, ...] = ()
    feeds: tuple["Simple", ...] = ()
    inner: tuple["Simple", ...] = ()
    text: Word | None = None
    folders: tuple[str, ...] = ()
    background: bool = False
    repeats: bool = False
    """In a loop whose number of turns is not known."""
    function: str = ""
    """The function whose body it stands in."""
    extra_arguments: bool = False
    """More words, not known, will follow: ``xargs``."""

    @property
    def name(self) -> str:
        """The program without its folder, empty when it is not known."""
        text = self.words[0].text if self.words else None
        return os.path.basename(text) if text else ""

    @property
    def arguments(self) -> tuple[Word, ...]:
        """The words after the program."""
        return self.words[1:]

    def texts(self) -> list[str]:
        """The arguments; a hole in them is a NUL."""
        return [word.known for word in self.words[1:]]

    def with_words(self, words: tuple[Word, ...]) -> "Simple":
        """The same place in the line with another command."""
        return replace(self, words=words, assignments=())


@dataclass(slots=True, kw_only=True)
class Script:
    """All commands of a line, and why the line as a whole cannot be proven harmless."""

    commands: list[Simple] = field(default_factory=list[Simple])
    problems: list[str] = field(default_factory=list[str])
    exact: bool = True
    """False when the text does not parse and the commands are only a guess."""
    too_much: bool = False
    """A limit was reached: part of the line has not been looked at."""


def argv(simple: Simple) -> tuple[str, ...] | None:
    """The words of a command when all are known."""
    texts = [word.text for word in simple.words]
    return None if not texts or any(text is None for text in texts) else tuple(text or "" for text in texts)


def words_of(*texts: str) -> tuple[Word, ...]:
    """Known words."""
    return tuple(literal(text) for text in texts)


def is_unknown(word: Word) -> bool:
    """Whether part of the word is only known when it runs."""
    return any(isinstance(part, Hole) for part in word.parts)


def starts_open(word: Word) -> bool:
    """Whether the word may turn out to be an option: it starts with a hole or a pattern."""
    first = next((part for part in word.parts if not (isinstance(part, Text) and not part.text)), None)
    if isinstance(first, Text):
        return not first.quoted and first.text[:1] in ("*", "?", "[", "@", "!", "+") and word.glob
    return isinstance(first, Hole)


def names_in(text: str) -> frozenset[str]:
    """A set of names written as one text with blanks between them."""
    return frozenset(text.split())


def operands(simple: Simple) -> list[Word]:
    """The words that are no options; all of them after ``--``."""
    found: list[Word] = []
    ended = False
    for word in simple.arguments:
        if not ended and word.known == "--":
            ended = True
        elif ended or not word.known.startswith("-") or word.known == "-":
            found.append(word)
    return found


def has_option(simple: Simple, letters: str, *words: str) -> bool:
    """Whether one of these options is given, alone or in a cluster."""
    for text in simple.texts():
        if text == "--":
            return False
        if text in words or any(
            len(word) > 4 and text.startswith("--") and len(text) > 4 and word.startswith(text) for word in words
        ):
            return True
        if re.fullmatch(r"-[A-Za-z]+", text) and set(text[1:]) & set(letters):
            return True
    return False

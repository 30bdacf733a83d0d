"""Tables of command-line options, and the check of an argument list against one.

A table is text, one entry an item::

    -abc        single-letter flags a, b and c
    -n:         a letter with a value, -d@ with a path that is read
    --long      a flag;  --long:  needs a value;  --long?  may have one after =;  --long@  a path that is read
    -one        (after ``!``) a word of its own with one dash: !-name: takes a value

What is not in a table asks: options are allowed by name, never refused by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from .shell_commands import is_unknown, starts_open
from .shell_words import HoleKind, Word, literal


class Takes(Enum):
    """What follows an option."""

    NOTHING = ""
    TEXT = ":"
    PATH = "@"
    MAYBE = "?"


class Operands(Enum):
    """What the words that are no options mean."""

    PATHS = "paths"
    TEXTS = "texts"
    NONE = "none"
    PATTERN = "pattern, then paths"


@dataclass(frozen=True, slots=True)
class Options:
    """A parsed table."""

    letters: dict[str, Takes]
    words: dict[str, Takes]

    @classmethod
    def parse(cls, table: str) -> "Options":
        """Read a table as described at the top of this module."""
        letters: dict[str, Takes] = {}
        words: dict[str, Takes] = {}
        for item in table.split():
            takes = Takes(item[-1]) if item[-1] in ":@?" else Takes.NOTHING
            name = item.rstrip(":@?")
            if name.startswith("--"):
                words[name] = takes
            elif name.startswith("!"):
                words[name[1:]] = takes
            else:
                letters |= dict.fromkeys(name[1:], takes)
        return cls(letters, words)


@dataclass(slots=True)
class Parsed:
    """An argument list taken apart. ``wrong`` says why it cannot be judged."""

    given: list[str] = field(default_factory=list[str])
    values: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    paths: list[Word] = field(default_factory=list[Word])
    operands: list[Word] = field(default_factory=list[Word])
    wrong: str = ""


def parse_arguments(arguments: Sequence[Word], options: Options, *, numbers: bool = False) -> Parsed:
    """Take a list apart by a table. ``numbers`` allows ``-5`` as a flag of its own."""
    parsed = Parsed()
    waiting = list(arguments)
    only_operands = False
    while waiting and not parsed.wrong:
        word = waiting.pop(0)
        text = word.text
        if only_operands or text == "-" or (text is not None and not text.startswith("-")):
            parsed.operands.append(word)
        elif text == "--":
            only_operands = True
        elif text is None and not starts_open(word) and not word.known.startswith("-"):
            parsed.operands.append(word)
        elif text is None and not _value_is_open(word, options):
            only_read = _only_from_process(word)
            parsed.operands.append(word)
            parsed.wrong = "" if only_read else "has an argument that is not known before it runs"
        elif numbers and (text or "")[1:].isdigit():
            parsed.given.append(text or "")
        else:
            _take_option(word, word.known, options, waiting, parsed)
    return parsed


def _only_from_process(word: Word) -> bool:
    """``<(...)`` becomes the name of a pipe, which is no option."""
    return len(word.parts) == 1 and bool(word.holes) and word.holes[0].kind is HoleKind.READ_FROM


def _value_is_open(word: Word, options: Options) -> bool:
    """Whether a hole is only in the value of a ``--name=`` whose name is known."""
    name, sign, _ = word.known.partition("=")
    return bool(sign) and name.startswith("--") and "\0" not in name and name in options.words


def _take_option(word: Word, text: str, options: Options, waiting: list[Word], parsed: Parsed) -> None:
    name, sign, value = text.partition("=")
    takes = options.words.get(name)
    if takes is not None:
        _take_value(parsed, (name, takes), value if sign else None, word, waiting)
        return
    if text.startswith("--") or "\0" in text:
        parsed.wrong = f"has the option {name[:40]}, which is not known to be harmless".replace("\0", "…")
        return
    for position, letter in enumerate(text[1:], 1):
        takes = options.letters.get(letter)
        if takes is None:
            parsed.wrong = f"has the option -{letter}, which is not known to be harmless"
            return
        _take_value(parsed, (f"-{letter}", takes), text[position + 1 :] or None, word, waiting)
        if takes is not Takes.NOTHING:
            return


def _take_value(parsed: Parsed, option: tuple[str, Takes], value: str | None, word: Word, waiting: list[Word]) -> None:
    """Note an option with its value, which is in the same ``word`` or is the next one."""
    name, takes = option
    parsed.given.append(name)
    match takes:
        case Takes.NOTHING:
            if value is not None and name.startswith("--"):
                parsed.wrong = f"gives {name} a value"
        case Takes.MAYBE:
            parsed.values.append((name, value or ""))
        case Takes.TEXT | Takes.PATH if value is not None:
            parsed.values.append((name, value))
            if takes is Takes.PATH:
                parsed.paths.append(word if is_unknown(word) else literal(value))
        case Takes.TEXT | Takes.PATH if waiting:
            following = waiting.pop(0)
            if following.glob or any(not hole.quoted for hole in following.holes):
                parsed.wrong = f"gives {name} a value that may become several words"
            parsed.values.append((name, following.known))
            parsed.paths += [following] if takes is Takes.PATH else []
        case _:
            parsed.wrong = f"gives {name} no value"

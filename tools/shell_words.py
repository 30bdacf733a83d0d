"""Words of a shell line as bash will see them: quotes taken off, and what is unknown kept apart.

Follows bash 5.2, "Quoting" and "Shell Expansions". A word is a run of texts and holes; a hole stands for what only
the run itself will know. Nothing here runs or expands anything on the machine.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

_MAX_NESTING = 40
_SEPARATORS = frozenset(" \t\n;&|<>()")
_BLANKS = " \t\n"
_GLOB = re.compile(r"[*?\[]|[@!+]\(")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN_EXPANSION = re.compile(
    r"#?[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]|[A-Za-z_][A-Za-z0-9_]*(?::?[-+?]|%%?|##?|:[0-9]+(?::[0-9]+)?$)[\w./*:, -]*"
)
_ANSI_C = {"a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ANSI_C_CODES = re.compile(r"x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|c(.)", re.DOTALL)


class WordError(ValueError):
    """The text is no single word: a quote or bracket is open, or it is nested too deeply."""


class HoleKind(StrEnum):
    """What fills a hole when the line runs."""

    VARIABLE = "variable"
    COMMAND = "command"
    READ_FROM = "process to read from"
    WRITE_TO = "process to write to"
    ARITHMETIC = "arithmetic"
    EXPANSION = "expansion"
    """A ``${...}`` that does more than look a value up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Known characters. ``quoted`` ones are never a pattern and are never split."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Something unknown. ``source`` is the text inside its brackets, ``name`` the variable it looks up."""

    kind: HoleKind
    source: str = ""
    name: str = ""
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """One word, before file names are filled in."""

    parts: tuple[Text | Hole, ...]

    @property
    def text(self) -> str | None:
        """The whole word when it is known."""
        if any(isinstance(part, Hole) for part in self.parts):
            return None
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def known(self) -> str:
        """What is known of the word, with NUL for each hole: for telling what it may become."""
        return "".join(part.text if isinstance(part, Text) else "\0" for part in self.parts)

    @property
    def holes(self) -> tuple[Hole, ...]:
        """Its unknown parts, in order."""
        return tuple(part for part in self.parts if isinstance(part, Hole))

    @property
    def glob(self) -> bool:
        """Whether bash would look for file names that fit."""
        return any(isinstance(part, Text) and not part.quoted and _GLOB.search(part.text) for part in self.parts)

    def filled(self, values: Mapping[str, str]) -> tuple["Word", ...]:
        """The words that come of it once ``values`` are known: an unquoted value is split at blanks."""
        if not any(part.name in values for part in self.holes if part.kind is HoleKind.VARIABLE):
            return (self,)
        words: list[list[Text | Hole]] = [[]]
        for part in self.parts:
            if not (isinstance(part, Hole) and part.kind is HoleKind.VARIABLE and part.name in values):
                words[-1].append(part)
            elif part.quoted:
                words[-1].append(Text(text=values[part.name], quoted=True))
            else:
                _append_fields(words, values[part.name], values.get("IFS", _BLANKS))
        return tuple(Word(tuple(parts)) for parts in words if parts)


def literal(text: str) -> Word:
    """A word whose every character is known and quoted."""
    return Word((Text(text=text, quoted=True),))


def read_word(source: str) -> Word:
    """The word that ``source`` spells. Raises ``WordError`` when it is not exactly one."""
    word, end = scan_word(source, 0)
    if end != len(source):
        raise WordError(f"more than one word: {source[:80]!r}")
    return word


def scan_word(source: str, start: int) -> tuple[Word, int]:
    """The word at ``start`` and where it ends. Raises ``WordError``."""
    scanner = _Scanner(source, start)
    return Word(tuple(scanner.word())), scanner.at


def quoted_text(source: str) -> Word:
    """The body of a here-document whose end is not quoted: expansions work, quotes are plain characters."""
    scanner = _Scanner(source, 0)
    return Word(tuple(scanner.double_quoted(end="")))


def _append_fields(words: list[list[Text | Hole]], value: str, separators: str) -> None:
    """Add an unquoted value, split where the shell would: at the signs that IFS holds."""
    fields = [field for field in re.split(f"[{re.escape(separators)}]", value) if field] if separators else [value]
    if not fields:
        words.append([])
        return
    if value[0] in separators and words[-1]:
        words.append([])
    words[-1].append(Text(text=fields[0]))
    words.extend([Text(text=field)] for field in fields[1:])
    if value[-1] in separators:
        words.append([])


class _Scanner:
    """Reads one word, left to right."""

    def __init__(self, source: str, at: int) -> None:
        self.source = source
        self.at = at
        self._nesting = 0

    def word(self) -> list[Text | Hole]:
        """Everything up to an unquoted separator."""
        parts: list[Text | Hole] = []
        plain: list[str] = []

        def flush() -> None:
            if plain:
                parts.append(Text(text="".join(plain)))
                plain.clear()

        while self.at < len(self.source):
            sign = self.source[self.at]
            if sign in "<>" and self.source.startswith("(", self.at + 1) and not parts and not plain:
                kind = HoleKind.READ_FROM if sign == "<" else HoleKind.WRITE_TO
                self.at += 2
                parts.append(Hole(kind=kind, source=self._up_to_bracket(")")))
            elif sign in _SEPARATORS:
                break
            elif sign == "\\":
                flush()
                self._escaped(parts)
            elif sign == "'":
                flush()
                parts.append(Text(text=self._single_quoted(), quoted=True))
            elif sign == '"':
                flush()
                self.at += 1
                parts += self.double_quoted(end='"') or [Text(text="", quoted=True)]
            elif sign in "$`":
                flush()
                parts += self._dollar(quoted=False)
            else:
                plain.append(sign)
                self.at += 1
        flush()
        return parts

    def double_quoted(self, *, end: str) -> list[Text | Hole]:
        """The inside of double quotes, past the closing one; ``end`` is empty for a here-document."""
        parts: list[Text | Hole] = []
        plain: list[str] = []

        def flush() -> None:
            if plain:
                parts.append(Text(text="".join(plain), quoted=True))
                plain.clear()

        while self.at < len(self.source):
            sign = self.source[self.at]
            if sign == end:
                self.at += 1
                flush()
                return parts
            if sign == "\\":
                following = self.source[self.at + 1 : self.at + 2]
                self.at += 2
                if following != "\n":
                    plain.append(following if following and following in f"$`\\{end}" else "\\" + following)
            elif sign in "$`":
                flush()
                parts += self._dollar(quoted=True)
            else:
                plain.append(sign)
                self.at += 1
        if end:
            raise WordError("a double quote is not closed")
        flush()
        return parts

    def _escaped(self, parts: list[Text | Hole]) -> None:
        following = self.source[self.at + 1 : self.at + 2]
        self.at += 2
        if following != "\n":
            parts.append(Text(text=following or "\\", quoted=True))

    def _single_quoted(self) -> str:
        end = self.source.find("'", self.at + 1)
        if end < 0:
            raise WordError("a single quote is not closed")
        text = self.source[self.at + 1 : end]
        self.at = end + 1
        return text

    def _dollar(self, *, quoted: bool) -> list[Text | Hole]:
        """What starts with ``$`` or a backtick."""
        source, at = self.source, self.at
        if source[at] == "`":
            return [Hole(kind=HoleKind.COMMAND, source=self._backticks(), quoted=quoted)]
        if source.startswith("((", at + 1):
            self.at += 3
            inside = self._up_to_bracket(")")
            if self.source.startswith(")", self.at):
                self.at += 1
                return [Hole(kind=HoleKind.ARITHMETIC, source=inside, quoted=quoted)]
            raise WordError("an arithmetic expansion is not closed")
        following = source[at + 1 : at + 2]
        match following:
            case "(":
                self.at += 2
                return [Hole(kind=HoleKind.COMMAND, source=self._up_to_bracket(")"), quoted=quoted)]
            case "{":
                self.at += 2
                return [_expansion(self._up_to_bracket("}"), quoted)]
            case "[":
                self.at += 2
                return [Hole(kind=HoleKind.ARITHMETIC, source=self._up_to_bracket("]"), quoted=quoted)]
            case "'" if not quoted:
                self.at += 1
                return [Text(text=self._ansi_c(), quoted=True)]
            case '"' if not quoted:
                self.at += 2
                return self.double_quoted(end='"') or [Text(text="", quoted=True)]
            case _:
                pass
        name = _NAME.match(source, at + 1)
        if name is None and following and following in "0123456789@*#?$!-":
            self.at += 2
            return [Hole(kind=HoleKind.VARIABLE, name=following, source=following, quoted=quoted)]
        if name is None:
            self.at += 1
            return [Text(text="$", quoted=True)]
        self.at = name.end()
        return [Hole(kind=HoleKind.VARIABLE, name=name[0], source=name[0], quoted=quoted)]

    def _backticks(self) -> str:
        inside: list[str] = []
        self.at += 1
        while self.at < len(self.source):
            sign = self.source[self.at]
            if sign == "`":
                self.at += 1
                return "".join(inside)
            if sign == "\\" and self.source[self.at + 1 : self.at + 2] in ("`", "\\", "$"):
                self.at += 1
                sign = self.source[self.at]
            inside.append(sign)
            self.at += 1
        raise WordError("a backtick is not closed")

    def _ansi_c(self) -> str:
        """``$'...'``, at its opening quote."""
        made: list[str] = []
        at = self.at + 1
        while at < len(self.source):
            sign = self.source[at]
            if sign == "'":
                self.at = at + 1
                return "".join(made).partition("\0")[0]
            at += 1
            if sign != "\\":
                made.append(sign)
                continue
            code = _ANSI_C_CODES.match(self.source, at)
            if code is None:
                following = self.source[at : at + 1]
                made.append(_ANSI_C.get(following, following if following in "\\'\"?" else "\\" + following))
                at += 1
                continue
            made.append(_code_point(code))
            at = code.end()
        raise WordError("a single quote is not closed")

    def _up_to_bracket(self, closing: str) -> str:
        """The text up to the bracket that closes an open one, past quotes and further brackets."""
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            raise WordError("nested too deeply")
        opening = {")": "(", "}": "{", "]": "["}[closing]
        start, depth = self.at, 1
        while self.at < len(self.source):
            sign = self.source[self.at]
            if sign == "\\":
                self.at += 2
            elif sign == "'" and closing == ")":
                self._single_quoted()
            elif sign == '"':
                self.at += 1
                self.double_quoted(end='"')
            elif sign == "`" or (sign == "$" and self.source[self.at + 1 : self.at + 2] in ("(", "{", "'", '"')):
                self._dollar(quoted=False)
            else:
                self.at += 1
                depth += (sign == opening) - (sign == closing)
                if depth == 0:
                    self._nesting -= 1
                    return self.source[start : self.at - 1]
        raise WordError("a bracket is not closed")


def _expansion(inside: str, quoted: bool) -> Hole:
    if _NAME.fullmatch(inside) or (len(inside) == 1 and inside in "0123456789@*#?$!-"):
        return Hole(kind=HoleKind.VARIABLE, name=inside, source=inside, quoted=quoted)
    name = _NAME.search(inside)
    kind = HoleKind.VARIABLE if _PLAIN_EXPANSION.fullmatch(inside) else HoleKind.EXPANSION
    # The name gets a mark, so that no known value of the variable is taken for the value of the expansion.
    return Hole(kind=kind, name=f"{name[0]}:" if name else "", source=inside, quoted=quoted)


def _code_point(code: re.Match[str]) -> str:
    hexadecimal = code[1] or code[2] or code[3]
    if code[5] is not None:
        return chr(ord(code[5]) & 0x1F)
    number = int(hexadecimal, 16) if hexadecimal else int(code[4], 8) & 0xFF
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"

"""Source code coloured line by line.

A Pygments lexer is made to continue where the line before ended (its state stack), so that a new line costs
the same in a fence of ten lines and of ten thousand, and a fence looks the same however it arrived. What
lexers match in one regular expression over several lines (block comments of the C family) is tracked here.
Lexers of other kinds are fed line by line without state. A lexer that fails costs the colours, never the text.
"""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple, TypeAlias, cast

from pygments.lexer import ExtendedRegexLexer, Lexer, LexerContext, RegexLexer
from pygments.lexers import find_lexer_class, find_lexer_class_by_name, get_all_lexers
from pygments.token import Comment, Generic, Keyword, Literal, Name, Number, String
from pygments.util import ClassNotFound

from .palette import Look
from .rows import PLAIN, Line, expand_tabs, plain_line

LONGEST_LINE = 2000
"""Characters of a line above which it stays uncoloured: minified files are not read by colour."""

_TokenType: TypeAlias = tuple[str, ...]
"""A Pygments token type: a tuple of names, from the general to the special."""
_Tokens: TypeAlias = Iterator[tuple[_TokenType, str]]

_LOOKS: dict[_TokenType, Look] = {
    Keyword: Look(role="code_keyword"),
    Keyword.Type: Look(role="code_type"),
    Literal: Look(role="code_string"),
    String: Look(role="code_string"),
    Number: Look(role="code_number"),
    Comment: Look(role="code_comment", italic=True),
    Comment.Preproc: Look(role="code_keyword"),
    Name.Function: Look(role="code_function"),
    Name.Class: Look(role="code_type"),
    Name.Builtin: Look(role="code_type"),
    Name.Exception: Look(role="code_type"),
    Name.Decorator: Look(role="code_function"),
    Name.Tag: Look(role="code_keyword"),
    Name.Attribute: Look(role="code_function"),
    Generic.Inserted: Look(role="added"),
    Generic.Deleted: Look(role="removed"),
    Generic.Heading: Look(role="accent", bold=True),
    Generic.Subheading: Look(role="accent"),
    Generic.Prompt: Look(role="muted"),
    Generic.Error: Look(role="danger"),
}
_WILD = re.compile(r"[*?[]")
_OPENER = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|//.*|/\*.*?\*/|(/\*)""")


class CodeState(NamedTuple):
    """Where a lexer stands between two lines."""

    stack: tuple[str, ...] = ("root",)
    in_comment: bool = False


class Highlighter:
    """Colours lines of one language. Stateless itself: the state between lines is the caller's to keep."""

    def __init__(self, lexer: Lexer | None) -> None:
        self._lexer = lexer
        self._resumes = (
            isinstance(lexer, RegexLexer) and type(lexer).get_tokens_unprocessed is RegexLexer.get_tokens_unprocessed
        )
        self._comments = lexer is not None and self._loses_comments(lexer)

    def _loses_comments(self, lexer: Lexer) -> bool:
        """True when ``/* */`` is a comment of the language but its lexer sees that only within one text."""
        known, _ = self._lexed("/* x */", CodeState())
        _, plain = self._lexed("x", CodeState())
        _, opened = self._lexed("/* x", CodeState())
        is_comment = known[:1] == [("/* x */", _LOOKS[Comment])] or "php" in lexer.aliases
        return is_comment and len(opened.stack) <= len(plain.stack)

    def line(self, text: str, state: CodeState) -> tuple[Line, CodeState]:
        """One line (without its newline) as spans, and the state for the next."""
        text = expand_tabs(text)
        if self._lexer is None or len(text) > LONGEST_LINE:
            return plain_line(text), state
        if not self._comments:
            return self._lexed(text, state)
        return self._with_comments(text, state)

    def _with_comments(self, text: str, state: CodeState) -> tuple[Line, CodeState]:
        """Lex what is no block comment; follow comments over lines."""
        look = _LOOKS[Comment]
        head: Line = []
        if state.in_comment:
            end = text.find("*/")
            if end < 0:
                return plain_line(text, look), state
            head, text = plain_line(text[: end + 2], look), text[end + 2 :]
        opened = next((found.start() for found in _OPENER.finditer(text) if found[1]), None)
        line, after = self._lexed(text if opened is None else text[:opened], state)
        tail = [] if opened is None else plain_line(text[opened:], look)
        return [*head, *line, *tail], CodeState(after.stack, opened is not None)

    def _lexed(self, text: str, state: CodeState) -> tuple[Line, CodeState]:
        context = LexerContext(text + "\n", 0, stack=list(state.stack))
        try:
            line = _merged(self._tokens(text + "\n", context))
        except Exception:  # third-party grammars: whatever one does, the text must show
            return plain_line(text), state
        return line, CodeState(tuple(context.stack) if self._resumes else state.stack, state.in_comment)

    def _tokens(self, text: str, context: LexerContext) -> _Tokens:
        if self._resumes:
            resumed = ExtendedRegexLexer.get_tokens_unprocessed(cast(ExtendedRegexLexer, self._lexer), context=context)
            return ((token, value) for _, token, value in resumed)
        lexer = cast(Lexer, self._lexer)
        return ((token, value) for _, token, value in lexer.get_tokens_unprocessed(text))


def _merged(tokens: _Tokens) -> Line:
    """Neighbours of one look as one span, without the final newline."""
    line: Line = []
    for token, value in tokens:
        text = value.replace("\n", "")
        if not text:
            continue
        look = _look(token)
        if line and (line[-1][1] is look or text.isspace()):
            line[-1] = (line[-1][0] + text, line[-1][1])
        else:
            line.append((text, look))
    return line


@lru_cache(maxsize=512)
def _look(token: _TokenType) -> Look:
    """The look of a token, or of the nearest ancestor that has one."""
    names = (token[:length] for length in range(len(token), 0, -1))
    return next((_LOOKS[name] for name in names if name in _LOOKS), PLAIN)


PLAIN_CODE = Highlighter(None)
"""For text of no known language."""


@lru_cache(maxsize=64)
def highlighter(language: str) -> Highlighter:
    """The highlighter of a fence's language name; a plain one when there is none such."""
    try:
        return Highlighter(find_lexer_class_by_name(language)()) if language else PLAIN_CODE
    except ClassNotFound:
        return PLAIN_CODE


@lru_cache(maxsize=64)
def highlighter_for_path(path: str) -> Highlighter:
    """The highlighter for a file, by its name; a plain one when the name says nothing."""
    found = _lexer_for(path.rpartition("/")[2])
    return PLAIN_CODE if found is None else Highlighter(found())


def _lexer_for(name: str) -> type[Lexer] | None:
    """What ``pygments.lexers.find_lexer_class_for_filename`` finds, by its rules.

    That one compiles nine hundred regular expressions for the first name it is asked, which holds up the screen.
    """
    found = [
        (lexer, pattern)
        for title, _, patterns, _ in get_all_lexers(plugins=False)
        for pattern in patterns
        if _fits(name, pattern) and (lexer := find_lexer_class(title)) is not None
    ]
    rated = [(lexer.priority + (0 if "*" in pattern else 0.5), lexer.__name__, lexer) for lexer, pattern in found]
    return max(rated, key=lambda each: each[:2])[2] if rated else None


def _fits(name: str, pattern: str) -> bool:
    """``fnmatchcase``, without a regular expression for the patterns that need none."""
    if not _WILD.search(pattern):
        return name == pattern
    if pattern.startswith("*") and not _WILD.search(pattern, 1):
        return name.endswith(pattern[1:])
    return fnmatchcase(name, pattern)

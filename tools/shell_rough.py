"""Reads a line that the grammar cannot: splits it at the shell's operators and takes the quotes off.

The result is only good for finding what is dangerous, never for proving that nothing is.
"""

import re

from .shell_commands import Redirect, Simple, names_in
from .shell_scope import Scope
from .shell_words import Word, WordError, literal, quoted_text, scan_word

_REDIRECTION = re.compile(r"(\d*)(&>>|&>|<<<|<<-?|<>|>>|>\||>&|<&|>|<)[ \t]*")
_OPERATOR = re.compile(r"\|\||\|&|\||&&|;;&?|;&|[;\n&()]|\r")
_RESERVED = names_in("if then elif else fi while until do done case esac in { } ! time coproc function")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=", re.ASCII)
_MAX_STEPS = 20_000


def read_roughly(source: str, scope: Scope) -> None:
    """Add every command that can be made out."""
    reader = _RoughReader(source, scope)
    for _ in range(_MAX_STEPS):
        if not reader.step():
            break
    reader.finish()


class _RoughReader:
    """Goes through a text once, word by word."""

    def __init__(self, source: str, scope: Scope) -> None:
        self._source = source
        self._scope = scope
        self._at = 0
        self._words: list[Word] = []
        self._redirects: list[Redirect] = []
        self._text: Word | None = None
        self._feeds: tuple[Simple, ...] = ()
        self._started = len(scope.script.commands)

    def step(self) -> bool:
        """Read the next word or sign; False at the end."""
        source, at = self._source, self._at
        while at < len(source) and source[at] in " \t":
            at += 1
        self._at = at
        if at >= len(source):
            return False
        if source[at] == "#" and (at == 0 or source[at - 1] in " \t\n;"):
            self._at = len(source) if (end := source.find("\n", at)) < 0 else end
        elif (found := _REDIRECTION.match(source, at)) and not source.startswith(("<(", ">("), at):
            self._redirection(found)
        elif found := _OPERATOR.match(source, at):
            self._at = found.end()
            self._operator(found[0])
        else:
            self._word()
        return True

    def finish(self) -> None:
        """The command read so far is complete."""
        while self._words and (self._words[0].text or "") in _RESERVED:
            self._words.pop(0)
        if self._words or self._redirects:
            inside = self._scope.child(feeds=self._feeds or self._scope.feeds)
            inside.emit(self._words, redirects=self._redirects, text=self._text)
            self._scope.folders = inside.folders
        self._words, self._redirects, self._text = [], [], None

    def _redirection(self, found: re.Match[str]) -> None:
        word, self._at = _scan(self._source, found.end())
        match found[2]:
            case "<<" | "<<-":
                body, self._source = _here_document(self._source, self._at, word.known)
                self._text = _body(body)
            case "<<<":
                self._text = word
            case operator:
                self._redirects.append(Redirect(operator=operator, target=word, descriptor=found[1]))

    def _operator(self, sign: str) -> None:
        self.finish()
        if sign in ("|", "|&"):
            self._feeds = tuple(self._scope.script.commands[self._started :])
        elif sign not in "()":
            self._feeds, self._started = (), len(self._scope.script.commands)

    def _word(self) -> None:
        word, end = _scan(self._source, self._at)
        self._at = max(end, self._at + 1)
        name = _ASSIGNMENT.match(word.known) if not self._words else None
        if name is None:
            self._words.append(word)
            return
        self._scope.child().emit((), assignments=[(name[1], word)])
        value = word.known[name.end() :]
        if "\0" not in value:
            self._scope.variables[name[1]] = value


def _here_document(source: str, at: int, end: str) -> tuple[str, str]:
    """The body of a here-document that starts on the next line, and the source without it."""
    head, newline, rest = source[at:].partition("\n")
    body: list[str] = []
    lines = rest.split("\n")
    while lines and lines[0].strip() != end:
        body.append(lines.pop(0))
    return "\n".join(body), source[:at] + head + newline + "\n".join(lines[1:])


def _body(body: str) -> Word:
    try:
        return quoted_text(body)
    except WordError:
        return literal(body)


def _scan(source: str, at: int) -> tuple[Word, int]:
    try:
        return scan_word(source, at)
    except WordError:
        end = next((n for n in range(at, len(source)) if source[n] in " \t\n;&|"), len(source))
        return literal(re.sub(r"[\"'\\]", "", source[at:end])), end

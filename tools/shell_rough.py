"""Reads a line that the grammar cannot: splits it at the shell's operators and takes the quotes off.

The result is only good for finding what is dangerous, never for proving that nothing is.
"""

import re

from .shell_commands import Redirect, Simple, names_in
from .shell_scope import Scope
from .shell_words import Word, WordError, literal, scan_word

_REDIRECTION = re.compile(r"(\d*)(&>>|&>|<<<|<<-?|<>|>>|>\||>&|<&|>|<)[ \t]*")
_OPERATOR = re.compile(r"\|\||\|&|\||&&|;;&?|;&|[;\n&()]|\r")
_RESERVED = names_in("if then elif else fi while until do done case esac in { } ! time coproc function")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=", re.ASCII)
_MAX_STEPS = 20_000


def read_roughly(source: str, scope: Scope) -> None:
    """Add every command that can be made out."""
    current: list[Word] = []
    redirects: list[Redirect] = []
    feeds: tuple[Simple, ...] = ()
    started = len(scope.script.commands)
    at = 0

    def finish() -> None:
        nonlocal current, redirects
        while current and (current[0].text or "") in _RESERVED:
            current = current[1:]
        if current or redirects:
            scope.child(feeds=feeds or scope.feeds).emit(current, redirects=redirects)
            _follow(scope, current)
        current, redirects = [], []

    for _ in range(_MAX_STEPS):
        while at < len(source) and source[at] in " \t":
            at += 1
        if at >= len(source):
            break
        if source[at] == "#" and (at == 0 or source[at - 1] in " \t\n;"):
            at = len(source) if (end := source.find("\n", at)) < 0 else end
        elif (found := _REDIRECTION.match(source, at)) and not source.startswith(("<(", ">("), at):
            word, at = _scan(source, found.end())
            redirects.append(Redirect(operator=found[2], target=word, descriptor=found[1]))
        elif found := _OPERATOR.match(source, at):
            at = found.end()
            finish()
            if found[0] in ("|", "|&"):
                feeds = tuple(scope.script.commands[started:])
            elif found[0] not in "()":
                feeds, started = (), len(scope.script.commands)
        else:
            word, end = _scan(source, at)
            at = max(end, at + 1)
            name = _ASSIGNMENT.match(word.known) if not current else None
            if name is not None:
                value = word.known[name.end() :]
                scope.child().emit((), assignments=[(name[1], word)])
                if "\0" not in value:
                    scope.variables[name[1]] = value
            else:
                current.append(word)
    finish()


def _scan(source: str, at: int) -> tuple[Word, int]:
    try:
        return scan_word(source, at)
    except WordError:
        end = next((n for n in range(at, len(source)) if source[n] in " \t\n;&|"), len(source))
        return literal(re.sub(r"[\"'\\]", "", source[at:end])), end


def _follow(scope: Scope, words: list[Word]) -> None:
    """A ``cd`` holds for what comes after it."""
    if scope.script.commands and words and words[0].text == "cd":
        scope.folders = scope.script.commands[-1].folders
        scope._learn(scope.script.commands[-1], words)  # pyright: ignore[reportPrivateUsage]

"""Patterns of rules for commands: the words a command starts with, ``*`` last for any further ones.

``**`` alone covers every line, whatever it holds, for runs in a sandbox of their own.
"""

import re
import shlex

EVERYTHING = "**"
_OFFERED = re.compile(
    r"pytest|ruff|mypy|pyright|basedpyright|black|isort|flake8|pylint|tox|nox|tsc|eslint|prettier|jest|vitest|mocha"
    r"|rspec|rubocop|gofmt|golangci-lint|ctest|mvn|gradle|phpunit|ls|pwd|tree|stat|du|df|which"
    r"|git (?:status|diff|log|show|add|commit|blame)|(?:npm|pnpm|yarn) (?:test|run \S+)"
    r"|cargo (?:test|build|check|clippy|fmt|bench|doc|tree)|go (?:test|build|vet|fmt)|dotnet (?:build|test)"
    r"|python(?:3(?:\.\d+)?)? -m (?:pytest|unittest|mypy|ruff|black|compileall|isort|pylint)"
)
"""Programs, with their sub-command, whose further arguments only say on what to work."""
_OFFERED_CHARACTERS = 200
_EXPANDED = re.compile(r"[*?\[~]")
_NOT_PLAIN = re.compile(r"[;&|<>`$(){}\\!#\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_OWN_LANGUAGE = re.compile(
    r"\.|source|eval|exec|command|builtin|trap|alias|export|declare|typeset|readonly|local|unset|set|shopt|enable|hash|cd"
    r"|pushd|popd|env|xargs|sudo|doas|su|time|coproc"
)
"""Commands that change what later words mean: no rule with a star covers them."""


def offered_pattern(words: tuple[str, ...]) -> str | None:
    """What "always" offers for a command: the program (and sub-command) with any arguments, or these words only.

    None for a command that would not mean the same next time, as the shell fills in file names, and for a long one.
    """
    if _OWN_LANGUAGE.fullmatch(words[0]):
        return None
    for count in (3, 2, 1):
        if _OFFERED.fullmatch(" ".join(words[:count])):
            return f"{shlex.join(words[:count])} *"
    line = shlex.join(words)
    return None if _EXPANDED.search(line) or _NOT_PLAIN.search(line) or len(line) > _OFFERED_CHARACTERS else line


def allows(pattern: str, words: tuple[str, ...]) -> bool:
    """Whether an allowing rule covers a command: equal words, or its words first when it ends in `` *``."""
    open_ended = pattern == "*" or pattern.endswith(" *")
    wanted = _words(pattern[:-1] if open_ended else pattern)
    if wanted is None or not words:
        return False
    if open_ended and len(wanted) == 0 and _OWN_LANGUAGE.fullmatch(words[0]):
        return False
    return words[: len(wanted)] == wanted if open_ended else words == wanted


def names(pattern: str, words: tuple[str, ...]) -> bool:
    """Whether a denying or asking rule speaks of a command: its words first, whatever follows."""
    if pattern in ("*", EVERYTHING):
        return True
    wanted = _words(pattern.removesuffix(" *"))
    return bool(wanted) and words[: len(wanted or ())] == wanted


def _words(text: str) -> tuple[str, ...] | None:
    try:
        return tuple(shlex.split(text, posix=True))
    except ValueError:
        return None

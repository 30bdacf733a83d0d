"""Tells the one kind of shell command that can be judged without a parser: a single program with plain arguments.

Everything a shell could turn into something else (expansion, substitution, redirection, a second command) makes
a line *not plain*, even inside quotes where it would be harmless: asking once too often is the cheap mistake.
"""

import re
import shlex

_NOT_PLAIN = re.compile(r"[;&|<>`$(){}\\!#\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_OFFERED = re.compile(
    r"pytest|ruff|mypy|pyright|basedpyright|black|isort|flake8|pylint|tox|nox|tsc|eslint|prettier|jest|vitest|mocha"
    r"|rspec|rubocop|gofmt|golangci-lint|ctest|mvn|gradle|phpunit|ls|pwd|tree|stat|du|df|which"
    r"|git (?:status|diff|log|show|add|commit|blame)|(?:npm|pnpm|yarn) (?:test|run \S+)"
    r"|cargo (?:test|build|check|clippy|fmt|bench|doc|tree)|go (?:test|build|vet|fmt)|dotnet (?:build|test)"
    r"|python(?:3(?:\.\d+)?)? -m (?:pytest|unittest|mypy|ruff|black|compileall|isort|pylint)"
)
"""Programs, with their sub-command, whose further arguments only say on what to work."""
_NO_COMMANDS = re.compile(
    r"if|then|elif|else|fi|for|while|until|do|done|case|esac|in|select|function|time|coproc|\[\[|\]\]|\.|source|eval|exec"
    r"|command|builtin|trap|alias|export|declare|typeset|readonly|local|unset|set|shopt|enable|hash|cd|pushd|popd"
)
"""Words of the shell's own language, and built-in commands that change what later words mean."""
_OFFERED_CHARACTERS = 200
_EXPANDED = re.compile(r"[*?\[~]")


def plain_words(command: str) -> tuple[str, ...] | None:
    """The words of a plain command; None when the line is anything else."""
    if _NOT_PLAIN.search(command):
        return None
    try:
        words = tuple(shlex.split(command, posix=True))
    except ValueError:
        return None
    if not words or "=" in words[0] or words[0].startswith("-") or _NO_COMMANDS.fullmatch(words[0]):
        return None
    return words


def offered_pattern(words: tuple[str, ...]) -> str | None:
    """What "always" offers for a plain command: the program (and sub-command) with any arguments, or this line only.

    None for a line that would not mean the same next time, as the shell fills in file names, and for a long one.
    """
    for count in (3, 2, 1):
        if _OFFERED.fullmatch(" ".join(words[:count])):
            return f"{shlex.join(words[:count])} *"
    line = shlex.join(words)
    return None if _EXPANDED.search(line) or len(line) > _OFFERED_CHARACTERS else line


def pattern_matches(pattern: str, words: tuple[str, ...]) -> bool:
    """Whether a rule's pattern covers a plain command: equal words, or its words first when it ends in `` *``."""
    open_ended = pattern == "*" or pattern.endswith(" *")
    try:
        wanted = tuple(shlex.split(pattern[:-1] if open_ended else pattern, posix=True))
    except ValueError:
        return False
    return words[: len(wanted)] == wanted if open_ended else words == wanted

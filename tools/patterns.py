"""Path patterns: ``*`` and ``?`` within a name, ``[...]`` classes, ``**`` for any depth, ``{a,b}`` alternatives."""

import fnmatch
import re
from collections.abc import Callable
from functools import lru_cache

_ALTERNATIVES = re.compile(r"\{([^{}]*,[^{}]*)\}")
_MOST_ALTERNATIVES = 64


class PathPattern:
    """A compiled pattern. Matching takes time in proportion to path times pattern, whatever the pattern."""

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self._alternatives = [_components(text) for text in _expanded(pattern)]

    def matches(self, path: str) -> bool:
        """Whether the whole of ``path``, with forward slashes, fits."""
        names = path.split("/")
        return any(_fits(components, names) for components in self._alternatives)

    def matches_name_or_path(self, path: str) -> bool:
        """Like ``matches``; a pattern without a slash is also tried on the last name alone."""
        return self.matches(path) or ("/" not in self.text and self.matches(path.rpartition("/")[2]))


def has_wildcards(text: str) -> bool:
    """Whether a path component is a pattern rather than a name."""
    return any(sign in text for sign in "*?[{")


def _expanded(pattern: str) -> list[str]:
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        text = waiting.pop()
        found = _ALTERNATIVES.search(text)
        if found is None or len(done) + len(waiting) > _MOST_ALTERNATIVES:
            done.append(text)
        else:
            waiting += [text[: found.start()] + part + text[found.end() :] for part in found[1].split(",")]
    return done


def _components(pattern: str) -> list[Callable[[str], object] | None]:
    """A matcher for each component; None stands for ``**``."""
    return [None if part == "**" else _name_matcher(part) for part in pattern.removeprefix("./").split("/")]


@lru_cache(maxsize=512)
def _name_matcher(part: str) -> Callable[[str], object]:
    return re.compile(fnmatch.translate(part.replace("**", "*"))).match


def _fits(components: list[Callable[[str], object] | None], names: list[str]) -> bool:
    """Walk all positions of the pattern that are possible after each name, like a finite automaton."""
    states = _with_skips({0}, components)
    for name in names:
        following: set[int] = set()
        for state in states:
            if state < len(components):
                matcher = components[state]
                if matcher is None:
                    following.add(state)
                elif matcher(name):
                    following.add(state + 1)
        states = _with_skips(following, components)
    return len(components) in states


def _with_skips(states: set[int], components: list[Callable[[str], object] | None]) -> set[int]:
    """``**`` may stand for no name at all."""
    reached = set(states)
    for state in range(len(components)):
        if state in reached and components[state] is None:
            reached.add(state + 1)
    return reached

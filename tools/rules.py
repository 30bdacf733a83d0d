"""Rules of a person: ``tool:pattern`` with what to do, and where it was written.

- ``edit:src/**``: a path pattern relative to the workspace (an absolute one for files outside). ``*`` alone,
  like a tool name alone, is any path inside the workspace.
- ``bash:pytest *``: the words of a command, ``*`` last for any further arguments. It covers one command of a line;
  a line is allowed when each of its commands is. ``bash:**`` covers every line.
- ``web_fetch:docs.python.org``: a host; ``web_fetch:*.python.org`` all below it, ``web_fetch:*`` every public one.

A rule that denies or asks speaks of a command with whatever arguments follow.

``edit`` speaks of every tool that changes files. ``read``, where it denies or asks, speaks of every tool that reads
them, and of command lines that name the files or search a folder they are in (see ``shell_ruled``); reading inside the
workspace is allowed anyway.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from .patterns import PathPattern

if TYPE_CHECKING:
    from .workspace import Place

CHANGING = frozenset({"edit", "write", "apply_patch"})
"""Tools that change files, by their names."""
READING = frozenset({"read", "grep", "glob", "list"})
"""Tools that read files or their names."""
_RULE = re.compile(r"([a-z_]+)(?::(.+))?", re.DOTALL)


class Effect(StrEnum):
    """What a rule does with a call that it covers."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule and where it comes from, in words: ``[policy] allow``, ``rules.toml:12``."""

    tool: str
    pattern: str
    origin: str
    effect: Effect = Effect.ALLOW

    @classmethod
    def parse(cls, text: str, *, origin: str, effect: Effect = Effect.ALLOW) -> "Rule":
        """The rule written as ``tool:pattern`` or ``tool``. Raises ``ValueError`` with the cause and an example."""
        found = _RULE.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is not a rule: write tool:pattern, like bash:pytest * or edit:src/**")
        return cls(tool=found[1], pattern=(found[2] or "*").strip(), origin=origin, effect=effect)

    def __str__(self) -> str:
        return f"{self.tool}:{self.pattern}"

    def covers_tool(self, tool: str) -> bool:
        """Whether a path rule speaks of calls to this tool."""
        match self.tool:
            case "edit":
                return tool in CHANGING
            case "read" if self.effect is not Effect.ALLOW:
                return tool in READING
            case _:
                return tool == self.tool

    def covers_place(self, place: "Place") -> bool:
        """Whether a path rule covers a place, judged by where it really is; a denying one by its spelling too."""
        if self.effect is not Effect.ALLOW and self._fits(place.given, inside=place.inside):
            return True
        return self._fits(place.shown, inside=place.inside)

    def speaks_of(self, path: str, *, inside: bool) -> bool:
        """Whether a path rule speaks of a file, or of all that is in a folder, by its path alone."""
        anything = "\0" if path == "." else f"{path}/\0"  # a name that no rule can spell out
        return self._fits(path, inside=inside) or self._fits(anything, inside=inside)

    def _fits(self, path: str, *, inside: bool) -> bool:
        if self.pattern == "*":
            return inside or self.effect is not Effect.ALLOW
        if not inside and not self.pattern.startswith("/") and self.effect is Effect.ALLOW:
            return False
        return self.pattern == path or _compiled(self.pattern).matches(path)


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> PathPattern:
    """A rule is held against every file of a search."""
    return PathPattern(pattern)

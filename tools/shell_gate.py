"""The gate in front of the shell: reads a line and says what each of its commands does, and how bad it could be.

Two readers look at every line. What they cannot agree on, or do not know, is never let through unasked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .shell_commands import Script, Simple, argv
from .shell_flow import code_texts, flow, quoted_strings
from .shell_git import split_git
from .shell_line import read_inside, read_line
from .shell_loud import Loud, loud
from .shell_reads import Reading
from .shell_ruled import shows_ruled
from .shell_scope import MAX_DEPTH
from .shell_syntax import bash_accepts
from .shell_targets import Targets
from .shell_wrappers import Unwrapped, unwrap
from .workspace import Workspace

_MAX_LAYERS = 3000
_KEYWORDS = frozenset({"for", "case", "((", "[[", "["})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One command of a line, as a rule sees it. ``words`` is None when they are only known once it runs.

    ``why`` says why it does not just read; ``why_not_ruled`` why no rule can cover it.
    """

    words: tuple[str, ...] | None
    name: str
    why: str
    why_not_ruled: str
    keyword: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LineReading:
    """What a line does. ``layers`` are the words of all commands, wrappers too, for rules that deny."""

    parts: tuple[Part, ...]
    layers: tuple[tuple[str, ...], ...]
    problems: tuple[str, ...]
    loud: Loud | None
    shows_ruled: str = ""
    """What of it a person's rule about reading speaks of, in words; see ``shell_ruled``."""

    @property
    def reads_only(self) -> str:
        """Why the line may do more than read; "" when it only reads."""
        if self.problems:
            return f"the line {self.problems[0]}"
        if not self.parts:
            return "the line runs nothing"
        return next((part.why for part in self.parts if part.why), "")


@dataclass(slots=True)
class _Unfolded:
    """All layers of a line: each command, then what it runs."""

    layers: list[Simple] = field(default_factory=list[Simple])
    leaves: list[tuple[Simple, str]] = field(default_factory=list[tuple[Simple, str]])
    problems: list[str] = field(default_factory=list[str])
    too_much: bool = False


class ShellGate:
    """Judges lines for one workspace and home. ``search_path`` is the PATH commands will run with."""

    def __init__(self, workspace: Workspace | None = None, *, home: Path | None = None, search_path: str = "") -> None:
        self._workspace = workspace
        self._reading = Reading(workspace, search_path)
        root = str(workspace.root) if workspace is not None else "/\0"
        self._home = str(home or Path.home())
        self._root = root
        self._targets = Targets(root, self._home)

    def read(self, line: str) -> LineReading:
        """What a line does. Never raises and runs nothing of it."""
        try:
            return self._read(line)
        except (RecursionError, MemoryError):
            return _unread("is nested too deeply to look at")

    def _read(self, line: str) -> LineReading:
        script = read_line(line, folder=self._root, home=self._home)
        unfolded = self._unfold(script)
        found = self._loud(unfolded)
        if found is None and (script.too_much or unfolded.too_much):
            found = Loud(why="is too long or too deep to look at", confirm="run anyway")
        problems = [*script.problems, *unfolded.problems]
        parts = tuple(self._part(simple, why) for simple, why in unfolded.leaves)
        reading = LineReading(
            parts=parts,
            layers=tuple(names for simple in unfolded.layers for names in _names(simple)),
            problems=tuple(problems),
            loud=found,
            shows_ruled="" if self._workspace is None else shows_ruled(unfolded.layers, self._workspace),
        )
        if not problems and not script.too_much and not bash_accepts(line):
            reading = replace(reading, problems=("is not well-formed for bash",))
        return reading

    def _part(self, simple: Simple, outer: str) -> Part:
        why = outer or self._reading.why_not(simple)
        words = argv(simple)
        not_ruled = self._reading.around(simple)
        if not not_ruled and (words is None or simple.extra_arguments):
            not_ruled = "has words that are not known before it runs"
        return Part(
            words=words,
            name=simple.name,
            why=why,
            why_not_ruled=not_ruled,
            keyword=not simple.words or simple.name in _KEYWORDS,
        )

    def _unfold(self, script: Script) -> _Unfolded:
        """Look into every command that runs another. What a wrapper that asks runs is a layer, but no leaf: a rule
        covers such a wrapper as a whole, by its own words.
        """
        result = _Unfolded()
        waiting: list[tuple[Simple, bool, int]] = [(simple, True, 0) for simple in reversed(script.commands)]
        while waiting:
            simple, counts, depth = waiting.pop()
            if len(result.layers) >= _MAX_LAYERS or depth > MAX_DEPTH:
                result.too_much = True
                result.problems.append("runs too many commands to look at")
                break
            result.layers.append(simple)
            inner = unwrap(simple)
            why = "" if inner is None else inner.why or self._reading.around(simple)
            following, problems = ([], []) if inner is None else self._following(inner, simple, result, depth)
            transparent = bool(following) and not why
            if counts and transparent:
                result.problems += problems
            elif counts:
                result.leaves.append((simple, why or ("runs a text as a command" if problems else "")))
            waiting += [(each, counts and transparent, depth + 1) for each in reversed(following)]
        return result

    def _following(
        self, inner: Unwrapped, simple: Simple, result: _Unfolded, depth: int
    ) -> tuple[list[Simple], list[str]]:
        """What a wrapper runs, and why that cannot be proven harmless."""
        following = list(inner.commands)
        script = Script()
        if inner.source is not None:
            read_inside(inner.source, simple, script, home=self._home, depth=depth + 1)
            result.too_much = result.too_much or script.too_much
            following += script.commands
        return following, script.problems

    def _loud(self, unfolded: _Unfolded) -> Loud | None:
        layers = unfolded.layers
        found = next((each for simple in layers if (each := loud(simple, self._targets))), None)
        return found or flow(layers, self._targets) or self._loud_code(layers)

    def _loud_code(self, layers: Sequence[Simple]) -> Loud | None:
        """Shell lines in the string literals of programs in other languages."""
        for simple in layers:
            for text in (text for code in code_texts(simple) for text in quoted_strings(code)):
                script = Script()
                read_inside(text, simple, script, home=self._home, depth=MAX_DEPTH - 2)
                inner = self._unfold(script)
                found = next((each for each in map(self._loud_one, inner.layers) if each), None)
                if found is not None:
                    return found
        return None

    def _loud_one(self, simple: Simple) -> Loud | None:
        return loud(simple, self._targets)


def _unread(why: str) -> LineReading:
    return LineReading(parts=(), layers=(), problems=(why,), loud=Loud(why=why, confirm="run anyway"))


def _names(simple: Simple) -> list[tuple[str, ...]]:
    """The words of a command as a denying rule sees them: as given, without the folder, without git's own"
    " options."""
    if not simple.words or simple.words[0].text is None:
        return []
    texts = tuple(word.known for word in simple.words)
    names = [texts, (simple.name, *texts[1:])]
    if simple.name == "git":
        _, sub, rest = split_git(simple.arguments)
        if sub is not None:
            names.append(("git", sub.known, *(word.known for word in rest)))
    return list(dict.fromkeys(names))

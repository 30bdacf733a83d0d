"""Collects the commands of a line, keeping track of what the line itself makes known: variables and folders.

Both readers of a line (the parser's tree and the rough one for what does not parse) build their lists with it.
"""

import os.path
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from .shell_braces import braces_expanded
from .shell_commands import Redirect, Script, Simple
from .shell_words import Hole, HoleKind, Word, WordError, quoted_text

MAX_DEPTH = 12
MAX_COMMANDS = 1500
UNKNOWN_FOLDER = "\0"
_MAX_FOLDERS = 4
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_HARMLESS_ARITHMETIC = re.compile(r"[0-9\s+\-*/%()<>=!&|^~?:,]*")
_INNER = (HoleKind.COMMAND, HoleKind.READ_FROM, HoleKind.WRITE_TO)

Parse = Callable[[str, "Scope"], None]


@dataclass(slots=True, kw_only=True)
class Scope:
    """Where in the line we are. Copied for everything that runs in a shell of its own."""

    script: Script
    parse: Parse
    variables: dict[str, str]
    folders: tuple[str, ...]
    home: str = ""
    depth: int = 0
    feeds: tuple[Simple, ...] = ()
    text: Word | None = None
    function: str = ""
    repeats: bool = False
    extra: list[Redirect] = field(default_factory=list[Redirect])

    def child(self, **changes: object) -> "Scope":
        """A shell of its own: what it sets does not come back, what it runs is in the same list."""
        own: dict[str, object] = {"variables": dict(self.variables), "extra": []}
        return replace(self, **(own | changes))  # pyright: ignore[reportArgumentType]

    def problem(self, why: str) -> None:
        """The line cannot be proven harmless."""
        if why not in self.script.problems:
            self.script.problems.append(why)

    def words(self, word: Word) -> tuple[Word, ...]:
        """What a word becomes: braces, then the variables that are known."""
        try:
            return tuple(filled for each in braces_expanded(word) for filled in each.filled(self.variables))
        except WordError as error:
            self.problem(str(error))
            return (word,)

    def emit(
        self,
        words: Iterable[Word],
        *,
        assignments: Sequence[tuple[str, Word]] = (),
        redirects: Sequence[Redirect] = (),
        text: Word | None = None,
    ) -> None:
        """Add one command and those in its substitutions."""
        if len(self.script.commands) >= MAX_COMMANDS:
            self.script.too_much = True
            return
        raw = tuple(words)
        full = tuple(filled for word in raw for filled in self.words(word))
        values = tuple((name, self._one(value)) for name, value in assignments)
        targets = tuple(replace(each, target=self._one(each.target)) for each in redirects)
        holes = [hole for word in full for hole in word.holes]
        holes += [hole for _, value in values for hole in value.holes]
        holes += [hole for each in targets for hole in each.target.holes]
        holes += [] if text is None else text.holes
        inner = self._inner(holes)
        simple = Simple(
            words=full,
            assignments=values,
            redirects=targets,
            feeds=self.feeds,
            inner=inner,
            text=text if text is not None else self.text,
            folders=self.folders,
            repeats=self.repeats,
            function=self.function,
        )
        self.script.commands.append(simple)
        self._learn(simple, raw)

    def forget(self, names: Iterable[str]) -> None:
        """These variables may hold anything from now on."""
        for name in names:
            self.variables.pop(name, None)

    def _one(self, word: Word) -> Word:
        filled = word.filled(self.variables)
        return filled[0] if len(filled) == 1 else word

    def _inner(self, holes: Iterable[Hole]) -> tuple[Simple, ...]:
        start = len(self.script.commands)
        for hole in holes:
            match hole.kind:
                case HoleKind.COMMAND | HoleKind.READ_FROM | HoleKind.WRITE_TO:
                    self._parse_inside(hole.source)
                case HoleKind.ARITHMETIC:
                    if not _HARMLESS_ARITHMETIC.fullmatch(hole.source):
                        self.problem("calculates with values that may hold commands")
                    self._parse_holes_of(hole.source)
                case HoleKind.EXPANSION:
                    self.problem(f"uses the expansion ${{{hole.source[:40]}}}")
                    self._parse_holes_of(hole.source)
                case HoleKind.VARIABLE:
                    pass
        return tuple(self.script.commands[start:])

    def _parse_holes_of(self, source: str) -> None:
        try:
            holes = quoted_text(source).holes
        except WordError as error:
            self.problem(str(error))
            return
        for hole in holes:
            if hole.kind in _INNER:
                self._parse_inside(hole.source)
            elif hole.source != source:
                self._parse_holes_of(hole.source)

    def _parse_inside(self, source: str) -> None:
        if self.depth >= MAX_DEPTH:
            self.script.too_much = True
            return
        self.parse(source, self.child(depth=self.depth + 1, feeds=(), text=None))

    def _learn(self, simple: Simple, raw: Sequence[Word]) -> None:
        """What a command changes for those after it."""
        if not simple.words:
            for name, value in simple.assignments:
                known = value.text
                if known is None or name.endswith("+"):
                    self.variables.pop(name.rstrip("+"), None)
                else:
                    self.variables[name] = _with_home(known, self.home) if not _quoted(value) else known
            return
        match simple.name:
            case "cd" | "chdir" | "pushd" | "Set-Location":
                self.folders = _after_cd(simple, self.home)
            case "popd":
                self.folders = (UNKNOWN_FOLDER,)
            case "read" | "export" | "declare" | "local" | "typeset" | "readonly" | "unset" | "printf" | "mapfile":
                self.forget(
                    name for text in simple.texts() if (name := text.partition("=")[0]) and _NAME.fullmatch(name)
                )
            case _:
                pass


def _with_home(text: str, home: str) -> str:
    return home + text[1:] if home and (text == "~" or text.startswith("~/")) else text


def _quoted(word: Word) -> bool:
    return any(getattr(part, "quoted", False) for part in word.parts[:1])


def _after_cd(simple: Simple, home: str) -> tuple[str, ...]:
    """Where the next command may run: the folder named first, then those where it stays when ``cd`` fails."""
    operands = [word for word in simple.arguments if not (word.text or "x").startswith("-") or word.text == "-"]
    if not operands:
        new: tuple[str, ...] = (home or UNKNOWN_FOLDER,)
    else:
        target = operands[0].text if len(operands) == 1 and not operands[0].glob else None
        if target is None or target == "-" or not target:
            return (UNKNOWN_FOLDER,)
        target = _with_home(target, home)
        new = tuple(
            UNKNOWN_FOLDER if folder == UNKNOWN_FOLDER else os.path.normpath(os.path.join(folder, target))
            for folder in simple.folders
        )
    both = tuple(dict.fromkeys((*new, *simple.folders)))
    return both if len(both) <= _MAX_FOLDERS else (UNKNOWN_FOLDER,)

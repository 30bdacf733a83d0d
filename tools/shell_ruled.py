"""Whether a command line would show files that a person's rules keep back: what it names, and what it searches.

A rule about ``read`` is meant for the text of files, however it is come by. What a program opens by itself cannot be
seen in its command line.
"""

import glob as file_patterns
import itertools
import os.path
import re
from collections.abc import Iterator, Sequence

from .failures import ToolFailure
from .sensitive import Concern
from .shell_commands import Simple, has_option
from .shell_git import split_git
from .shell_scope import UNKNOWN_FOLDER
from .shell_words import Word
from .workspace import Place, Workspace

_SEARCHES = frozenset({"rg", "ag", "ack"})
_GREPS = frozenset({"grep", "egrep", "fgrep", "zgrep"})
_MOST_NAMES = 1000


def shows_ruled(layers: Sequence[Simple], workspace: Workspace) -> str:
    """What of a line's commands a rule about reading speaks of, in words; "" when none does."""
    if not workspace.withholding():
        return ""
    left = _MOST_NAMES
    for simple in layers:
        places = list(itertools.islice(_places(simple, workspace), left + 1))
        left -= len(places)
        if left < 0:
            return "names too many files to look at, and there are rules about reading"
        for place in places:
            if place.read_concern and place.read_concern[0] in (Concern.DENIED, Concern.ASKED):
                return f"names {place.given[:80]}: {place.read_concern[1]}"
        if _searches_folders(simple) and (rule := _searched(places, simple, workspace)):
            return f"searches a folder that a rule speaks of: {rule}"
    return ""


def _places(simple: Simple, workspace: Workspace) -> Iterator[Place]:
    """What the words of a command may name, as far as they are known."""
    words = (*simple.arguments, *(redirect.target for redirect in simple.redirects if not redirect.duplicates))
    for word in words:
        for folder in simple.folders or (str(workspace.root),):
            for text in _spellings(word, folder):
                try:
                    yield workspace.resolve(text if text.startswith(("/", "~")) else os.path.join(folder, text))
                except ToolFailure:
                    continue


def _spellings(word: Word, folder: str) -> Iterator[str]:
    """A word, and what in it may be a path: ``--file=PATH``, ``-fPATH``, ``@PATH``, ``REVISION:PATH``."""
    text = word.text
    if text is None or folder == UNKNOWN_FOLDER:
        return
    if word.glob:
        yield from itertools.islice(file_patterns.iglob(os.path.join(folder, os.path.expanduser(text))), _MOST_NAMES)
    pieces = [text, *re.split(r"[=:]", text)[1:], text[1:] if text.startswith("@") else ""]
    pieces += [text[2:]] if re.match(r"-[A-Za-z].", text) else []
    yield from dict.fromkeys(piece for piece in pieces if piece.strip())


def _searches_folders(simple: Simple) -> bool:
    if simple.name == "git":
        _, sub, _ = split_git(simple.arguments)
        return sub is not None and sub.known == "grep"
    recursive = has_option(simple, "rR", "--recursive", "--dereference-recursive", "--directories=recurse")
    return simple.name in _SEARCHES or (simple.name in _GREPS and recursive)


def _searched(places: Sequence[Place], simple: Simple, workspace: Workspace) -> str:
    """A rule that speaks of something in the folders which are searched: those named, else where it runs."""
    named = [place for place in places if place.exists]
    if not named:
        try:
            named = [workspace.resolve(folder) for folder in simple.folders if folder != UNKNOWN_FOLDER]
        except ToolFailure:
            named = [workspace.resolve(".")]
    ruled = workspace.withholding()
    shown = (place.shown for place in named if place.folder and place.inside)
    return next((rule for folder in shown if (rule := ruled.below(folder))), "")

"""Reads a shell line into a flat list of commands: with the bash grammar of tree-sitter, roughly where that"
" fails."""

import re
from functools import cache
from typing import TYPE_CHECKING

from .shell_commands import Script, Simple
from .shell_rough import read_roughly
from .shell_scope import MAX_DEPTH, Scope
from .shell_tree import TreeReader, Unreadable

if TYPE_CHECKING:
    from tree_sitter import Parser

MAX_BYTES = 24_000
"""Longer lines are not read; a person has to look at them."""
_MAX_NODES = 12_000
_UNSAFE_CHARACTERS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff\ud800-\udfff]"
)


def read_line(command: str, *, folder: str, home: str) -> Script:
    """All commands of a line. Never raises; what cannot be read is a problem of the script."""
    script = Script()
    scope = Scope(
        script=script,
        parse=_parse,
        variables={"HOME": home, "PWD": folder, "IFS": " \t\n"},
        folders=(folder,),
        home=home,
    )
    _parse(command, scope)
    return script


def read_inside(source: str, scope_of: Simple, script: Script, *, home: str, depth: int) -> None:
    """Read the line that another command runs (``bash -c``) into ``script``."""
    folder = scope_of.folders[0] if scope_of.folders else ""
    scope = Scope(
        script=script,
        parse=_parse,
        variables={"HOME": home, "PWD": folder, "IFS": " \t\n"},
        folders=scope_of.folders,
        home=home,
        depth=depth,
        feeds=scope_of.feeds,
        text=scope_of.text,
        repeats=scope_of.repeats,
        function=scope_of.function,
    )
    if depth > MAX_DEPTH:
        script.too_much = True
    else:
        _parse(source, scope)


def _parse(source: str, scope: Scope) -> None:
    if _UNSAFE_CHARACTERS.search(source):
        scope.problem("holds control or invisible characters")
        source = source.replace("\r", "\n")
    data = source.encode("utf-8", "replace")
    if len(data) > MAX_BYTES:
        scope.script.too_much = True
        read_roughly(source[:MAX_BYTES], scope)
        return
    root = _parser().parse(data).root_node
    if root.has_error or root.descendant_count > _MAX_NODES:
        scope.script.exact = False
        scope.problem("does not parse as bash")
        read_roughly(source, scope)
        return
    try:
        TreeReader(data).sequence(root, scope, 0)
    except Unreadable as error:
        scope.problem(str(error))
        scope.script.exact = False
        scope.script.too_much = scope.script.too_much or "too deeply" in str(error)
        read_roughly(source, scope)


@cache
def _parser() -> "Parser":
    from tree_sitter import Language, Parser  # only here: costs 25 ms that most sessions' start need not pay
    from tree_sitter_bash import language

    return Parser(Language(language()))
